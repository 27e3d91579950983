//! Requests and answers of etcd's gateway as JSON: names and values in base64, numbers as strings. Pure.

use super::keys::end_of;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// A pair as it was found.
#[derive(Clone, Debug)]
pub struct Pair {
    pub key: String,
    pub value: Vec<u8>,
    pub created: i64,
    pub modified: i64,
}

/// A look at one key.
pub fn get(key: &str) -> Value {
    json!({ "request_range": { "key": encoded(key) } })
}

/// A look at whether a key is there.
pub fn get_name(key: &str) -> Value {
    json!({ "request_range": { "key": encoded(key), "keys_only": true } })
}

/// A look at all that begins so.
pub fn get_all(prefix: &str) -> Value {
    json!({ "request_range": { "key": encoded(prefix), "range_end": encoded(end_of(prefix)) } })
}

/// A look at the oldest of all that begin so.
pub fn get_oldest(prefix: &str) -> Value {
    json!({ "request_range": {
        "key": encoded(prefix), "range_end": encoded(end_of(prefix)),
        "sort_target": "CREATE", "sort_order": "ASCEND", "limit": "1",
    } })
}

pub fn put(key: &str, value: &[u8], lease: Option<i64>) -> Value {
    let mut put = json!({ "key": encoded(key), "value": encoded(value) });
    if let (Some(lease), Some(members)) = (lease, put.as_object_mut()) {
        members.insert("lease".to_owned(), lease.to_string().into());
    }
    json!({ "request_put": put })
}

pub fn delete(key: &str) -> Value {
    json!({ "request_delete_range": { "key": encoded(key) } })
}

/// The key was changed last at this revision; 0: it is not there.
pub fn is_at(key: &str, revision: i64) -> Value {
    json!({ "target": "MOD", "result": "EQUAL", "key": encoded(key), "mod_revision": revision.to_string() })
}

/// The key was made at this revision; 0: it is not there.
pub fn was_made_at(key: &str, revision: i64) -> Value {
    json!({ "target": "CREATE", "result": "EQUAL", "key": encoded(key), "create_revision": revision.to_string() })
}

/// Nothing begins so.
pub fn is_empty(prefix: &str) -> Value {
    json!({
        "target": "CREATE", "result": "EQUAL", "create_revision": "0",
        "key": encoded(prefix), "range_end": encoded(end_of(prefix)),
    })
}

/// Nothing that begins so was made before this revision.
pub fn has_none_before(prefix: &str, revision: i64) -> Value {
    json!({
        "target": "CREATE", "result": "GREATER", "create_revision": (revision - 1).to_string(),
        "key": encoded(prefix), "range_end": encoded(end_of(prefix)),
    })
}

/// A number, which the gateway leaves out if it is 0.
pub fn number(value: &Value, name: &str) -> i64 {
    match value.get(name) {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        Some(Value::Number(number)) => number.as_i64().unwrap_or_default(),
        _ => 0,
    }
}

/// The revision of the store at the answer.
pub fn revision(answer: &Value) -> i64 {
    answer.get("header").map_or(0, |header| number(header, "revision"))
}

/// The pairs of an answer to a look.
pub fn pairs(range: &Value) -> Vec<Pair> {
    let bytes = |pair: &Value, name: &str| {
        let text = pair.get(name).and_then(Value::as_str).unwrap_or_default();
        STANDARD.decode(text).unwrap_or_default()
    };
    let pairs = range.get("kvs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    pairs
        .iter()
        .map(|pair| Pair {
            key: String::from_utf8_lossy(&bytes(pair, "key")).into_owned(),
            value: bytes(pair, "value"),
            created: number(pair, "create_revision"),
            modified: number(pair, "mod_revision"),
        })
        .collect()
}

/// What a transaction's steps answered, in their order, as the pairs that each of them found.
pub fn steps(answer: &Value) -> Vec<Vec<Pair>> {
    let steps = answer.get("responses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| step.get("response_range").map(pairs).unwrap_or_default()).collect()
}

/// Whether the comparisons of a transaction held.
pub fn has_succeeded(answer: &Value) -> bool {
    answer.get("succeeded").and_then(Value::as_bool).unwrap_or(false)
}
