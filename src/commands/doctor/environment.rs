//! Environment variables that are invalid, or that do not have the intended effect.

use super::{Check, Findings};
use crate::settings::{self, Settings};
use std::time::Duration;

/// AI clients kill a command that runs longer, or move it to the background, so its message would be lost.
const LIMIT_OF_CLIENTS: Duration = Duration::from_secs(120);

pub fn check(settings: &Settings, findings: &mut Findings) {
    let parsed: [(&str, Result<(), settings::Error>); 4] = [
        ("LOCK_TIMEOUT", settings.lock_timeout().map(|_| ())),
        ("LOCK_RETRY", settings.lock_retry().map(|_| ())),
        ("LOCK_OWNER", settings.lock_owner().map(|_| ())),
        ("LOCK_DEBUG", settings.lock_debug().map(|_| ())),
    ];
    for (name, result) in parsed {
        if let Err(error) = result {
            findings.problem(
                Check::Environment,
                error.to_string(),
                None,
                format!("unset {name}, or correct its value"),
            );
        }
    }
    if let Err(error) = settings.lock_folder() {
        findings.problem(Check::Environment, error.to_string(), None, "set AICONFIG_PATH to an absolute path");
    }
    if let Some(timeout) = settings.lock_timeout().ok().filter(|timeout| *timeout >= LIMIT_OF_CLIENTS) {
        let what = format!(
            "LOCK_TIMEOUT is {} s; AI clients end a command after {} s, before it can say who holds the lock",
            timeout.as_secs_f64(),
            LIMIT_OF_CLIENTS.as_secs()
        );
        findings.note(Check::Environment, what, None, "export LOCK_TIMEOUT=60, where AI clients run the commands");
    }
    if findings.is_clean(Check::Environment) {
        findings.ok(Check::Environment, "the environment variables are valid", None);
    }
}
