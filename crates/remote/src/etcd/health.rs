//! What an etcd cluster says about itself, for the doctor.

use super::{Cluster, Fault, wire};
use crate::{Moment, engine::Error};
use serde_json::{Value, json};

/// So many revisions make one wonder that nothing was ever compacted.
const MANY_REVISIONS: i64 = 10_000;

/// The state of a cluster.
#[derive(Debug)]
pub struct Health {
    pub version: String,
    /// The size of the store in bytes.
    pub size: i64,
    pub revision: i64,
    /// Whether earlier revisions have been thrown away at some time. `None`: there are too few to tell.
    pub compacts: Option<bool>,
    /// The alarms that are on, such as `NOSPACE`.
    pub alarms: Vec<String>,
}

impl Cluster {
    pub fn health(&self, until: Moment) -> Result<Health, Error> {
        let status = self.ask("/v3/maintenance/status", &json!({}), until)?;
        let revision = wire::revision(&status);
        let alarms = self.ask("/v3/maintenance/alarm", &json!({ "action": "GET" }), until);
        let alarms = alarms.map(|answer| {
            let alarms = answer.get("alarms").and_then(Value::as_array).cloned().unwrap_or_default();
            alarms.iter().filter_map(|alarm| alarm.get("alarm")?.as_str().map(str::to_owned)).collect()
        });
        let oldest = json!({ "key": wire::encoded("a"), "revision": "2", "count_only": true });
        let compacts = match self.send("/v3/kv/range", &oldest, super::PATIENCE, until) {
            Err(Fault::Answer { why, .. }) if why.contains("compacted") => Some(true),
            Ok(_) if revision >= MANY_REVISIONS => Some(false),
            _ => None,
        };
        Ok(Health {
            version: status.get("version").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
            size: wire::number(&status, "dbSize"),
            revision,
            compacts,
            // Whoever may not ask for alarms gets none to see; a full store says so on the first write.
            alarms: alarms.unwrap_or_default(),
        })
    }
}
