//! The Model Context Protocol, from 2024-11-05 to 2026-07-28: which message gets which answer. Pure.
//!
//! Fields that a later version has added are sent to all clients, since every version requires readers to ignore unknown
//! know. Source: <https://modelcontextprotocol.io/specification>.

use super::ticket::Ticket;
use serde_json::{Value, json};
use std::sync::Arc;

/// The versions with an `initialize` handshake, the newest first.
const WITH_HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The version in which each request is independent of the connection.
const WITHOUT_HANDSHAKE: &str = "2026-07-28";
/// Where a request of that version names it.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The error of that version for one that is not known.
const UNSUPPORTED_VERSION: i64 = -32022;

fn versions() -> impl Iterator<Item = &'static str> {
    [WITHOUT_HANDSHAKE].into_iter().chain(WITH_HANDSHAKE)
}

/// What a server offers.
pub trait Service: Sync {
    /// The name that the client shows.
    fn name(&self) -> &'static str;
    /// The instructions for a model before it uses the tools.
    fn instructions(&self) -> &'static str;
    fn tools(&self) -> Vec<Value>;
    /// Does what a tool is for. `None`: there is no such tool.
    fn call(&self, tool: &str, arguments: &Value, ticket: &Arc<Ticket>) -> Option<Reply>;
    fn resources(&self) -> Vec<Value>;
    /// The text of a resource, or why there is none.
    fn read(&self, uri: &str) -> Result<String, String>;
}

/// What a call is answered.
pub enum Reply {
    Done {
        text: String,
        structured: Value,
    },
    /// A text that tells the model what to do.
    Failed(String),
}

/// What a message asks for.
pub enum Step {
    Nothing,
    Answer(Value),
    /// The client no longer wants the answer to its request of this identifier.
    CallOff(Value),
    /// It may take long.
    Work,
}

/// Decides what to do about a message.
pub fn step(service: &dyn Service, message: &Value) -> Step {
    if let Value::Array(batch) = message {
        return if batch.is_empty() {
            Step::Answer(error(&Value::Null, -32600, "the batch is empty"))
        } else {
            Step::Work
        };
    }
    match (message["method"].as_str(), message.get("id")) {
        (Some("notifications/cancelled"), None) => Step::CallOff(message["params"]["requestId"].clone()),
        (Some("tools/call" | "resources/list" | "resources/read"), Some(Value::String(_) | Value::Number(_))) => {
            Step::Work
        }
        _ => answer(service, message, &Arc::default()).map_or(Step::Nothing, Step::Answer),
    }
}

/// Answers a message. `None`: it wants no answer.
pub fn answer(service: &dyn Service, message: &Value, ticket: &Arc<Ticket>) -> Option<Value> {
    let id = match message.get("id") {
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        None if message["method"].is_string() => return None,
        _ => {
            return Some(error(
                &Value::Null,
                -32600,
                "a request is an object with a method, and an id of text or a number",
            ));
        }
    };
    let Some(method) = message["method"].as_str() else {
        let is_answer = message.get("result").or(message.get("error")).is_some();
        return (!is_answer).then(|| error(id, -32600, "the request names no method"));
    };
    if message["jsonrpc"] != "2.0" {
        return Some(error(id, -32600, "\"jsonrpc\" has to be \"2.0\""));
    }
    let params = &message["params"];
    let asked = &params["_meta"][VERSION];
    if asked.as_str().is_some_and(|asked| !versions().any(|known| known == asked)) {
        let mut refused = error(id, UNSUPPORTED_VERSION, "this server does not speak that version of the protocol");
        refused["error"]["data"] = json!({ "supported": versions().collect::<Vec<_>>(), "requested": asked });
        return Some(refused);
    }
    Some(match result(service, method, params, ticket) {
        Ok(mut result) => {
            result["resultType"] = json!("complete");
            result["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": about(service) });
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
        }
        Err((code, text)) => error(id, code, &text),
    })
}

fn result(service: &dyn Service, method: &str, params: &Value, ticket: &Arc<Ticket>) -> Result<Value, (i64, String)> {
    Ok(match method {
        "initialize" => {
            let asked = params["protocolVersion"].as_str().unwrap_or_default();
            let version = WITH_HANDSHAKE.into_iter().find(|known| *known == asked).unwrap_or(WITH_HANDSHAKE[0]);
            json!({
                "protocolVersion": version,
                "capabilities": capabilities(),
                "serverInfo": about(service),
                "instructions": service.instructions(),
            })
        }
        "server/discover" => cacheable(json!({
            "supportedVersions": versions().collect::<Vec<_>>(),
            "capabilities": capabilities(),
            "instructions": service.instructions(),
        })),
        "ping" => json!({}),
        "tools/list" => cacheable(json!({ "tools": service.tools() })),
        "tools/call" => {
            let tool = params["name"].as_str().unwrap_or_default();
            let nothing = json!({});
            let arguments = params.get("arguments").unwrap_or(&nothing);
            if !arguments.is_object() {
                return Err((-32602, "the arguments of a tool are an object".to_owned()));
            }
            match service.call(tool, arguments, ticket) {
                Some(Reply::Done { text, structured }) => {
                    json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured, "isError": false })
                }
                Some(Reply::Failed(text)) => {
                    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
                }
                None => return Err((-32602, format!("there is no tool '{tool}'; tools/list names them"))),
            }
        }
        "resources/list" => cacheable(json!({ "resources": service.resources() })),
        "resources/templates/list" => cacheable(json!({ "resourceTemplates": [] })),
        "resources/read" => {
            let uri = params["uri"].as_str().unwrap_or_default();
            let text = service.read(uri).map_err(|text| (-32602, text))?;
            cacheable(json!({ "contents": [{ "uri": uri, "mimeType": "application/json", "text": text }] }))
        }
        _ => return Err((-32601, format!("there is no method '{method}'"))),
    })
}

/// A result that the version 2026-07-28 lets a client keep: for no time at all, since files change.
fn cacheable(mut result: Value) -> Value {
    result["ttlMs"] = json!(0);
    result["cacheScope"] = json!("private");
    result
}

fn capabilities() -> Value {
    json!({ "tools": {}, "resources": {} })
}

fn about(service: &dyn Service) -> Value {
    json!({ "name": service.name(), "version": env!("CARGO_PKG_VERSION") })
}

/// An error as JSON-RPC has it.
pub fn error(id: &Value, code: i64, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } })
}
