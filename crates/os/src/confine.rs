//! Confinement: a process irrevocably gives up access to most of the file system, for itself and its child processes.

use std::path::{Path, PathBuf};

/// Whether the kernel enforces the confinement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// Nothing outside can be opened, made, renamed or removed, whatever the path and whatever links it contains.
    Enforced,
    /// The system does not support it.
    None,
}

/// Directories of the system, not of a user: programs, time zones, host names, and `/proc` for the holders of locks.
#[cfg(target_os = "linux")]
const READABLE: [&str; 9] =
    ["/proc", "/sys", "/etc", "/usr", "/bin", "/lib", "/lib64", "/dev/null", "/run/systemd/resolve"];

/// Confines this process to the directories in `own`, and to reading and running the system's files and `program`.
///
/// Call it while the process has one thread: Linux confines each thread separately (landlock(7)), and later threads
/// inherit the confinement. The directories must exist; access to a missing one is not allowed later either. In `/proc`, only the
/// files of other processes that everybody may read remain readable, because ptrace(2) is denied for unconfined processes.
#[cfg(target_os = "linux")]
pub fn confine(own: &[PathBuf], program: &Path) -> Result<Confinement, String> {
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
    };
    // The newest version of the access rights for files; the crate leaves out what the running kernel does not support.
    let abi = ABI::V5;
    let enforce = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(READABLE.iter().map(Path::new).chain([program]), AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(own, AccessFs::from_all(abi)))?
            .restrict_self()
    };
    let status = enforce().map_err(|error: landlock::RulesetError| error.to_string())?;
    Ok(if status.ruleset == RulesetStatus::NotEnforced { Confinement::None } else { Confinement::Enforced })
}

/// Other systems have no such call for ordinary programs.
#[cfg(not(target_os = "linux"))]
pub fn confine(_own: &[PathBuf], _program: &Path) -> Result<Confinement, String> {
    Ok(Confinement::None)
}
