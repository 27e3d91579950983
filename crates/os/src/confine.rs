//! A process that lets go of most of the file system, for good, and for every process that it starts.

use std::path::{Path, PathBuf};

/// What the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// Nothing outside can be opened, made, renamed or removed, by whatever path and through whatever link.
    Enforced,
    /// The system has no means for it.
    None,
}

/// What belongs to the system and not to a user: programs, time zones, host names, `/proc` of those who hold locks.
#[cfg(target_os = "linux")]
const READABLE: [&str; 9] =
    ["/proc", "/sys", "/etc", "/usr", "/bin", "/lib", "/lib64", "/dev/null", "/run/systemd/resolve"];

/// Confines this process to the directories in `own`, and to reading and running what belongs to the system and `program`.
///
/// To be called while the process has one thread: Linux confines threads one by one (landlock(7)), and those that come
/// later inherit it. Directories have to exist; what is missing is not allowed later either. Of other processes' `/proc`
/// only what everybody may read is left, as ptrace(2) is not allowed across the border.
#[cfg(target_os = "linux")]
pub fn confine(own: &[PathBuf], program: &Path) -> Result<Confinement, String> {
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
    };
    // The newest access rights that are about files; the crate leaves out what the running kernel does not know.
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

/// Other systems have no such call that a program may make for itself.
#[cfg(not(target_os = "linux"))]
pub fn confine(_own: &[PathBuf], _program: &Path) -> Result<Confinement, String> {
    Ok(Confinement::None)
}
