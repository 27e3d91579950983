//! Sandboxes of AI clients: which one a command runs in, and the setting that allows it to write in the lock directory.

use crate::settings::{Sandbox, Settings};
use memlatch_os::paths::shown;
use std::{io, path::Path};

/// What to do where the lock directory cannot be written. `None` if that is not why something failed.
pub fn advice(path: &Path, error: &io::Error, settings: &Settings) -> Option<String> {
    let is_shut = matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem)
        || settings.sandbox().is_some() && error.kind() == io::ErrorKind::PermissionDenied;
    is_shut.then(|| remedy(path, settings))
}

/// The setting by which a sandboxed command may write in the base directory of a path in the lock directory.
fn remedy(path: &Path, settings: &Settings) -> String {
    let folder = settings.lock_folder().ok().filter(|folder| path.starts_with(folder) || folder.starts_with(path));
    let base = shown(folder.as_deref().and_then(Path::parent).unwrap_or(path));
    match settings.sandbox() {
        Some(Sandbox::Claude) => format!(
            "Claude Code's sandbox keeps commands from it; allow it in ~/.claude/settings.json: \
             {{\"sandbox\": {{\"filesystem\": {{\"allowWrite\": [\"{base}\"]}}}}}}"
        ),
        Some(Sandbox::Codex) => format!(
            "Codex's sandbox keeps commands from it; allow it in ~/.codex/config.toml: [sandbox_workspace_write] \
             writable_roots = [\"{base}\"]"
        ),
        None => format!(
            "a sandbox or container seems to keep commands from it; let them write in '{base}', the same directory for all \
             who use these files"
        ),
    }
}
