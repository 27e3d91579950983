//! Whether machines that share memory files also share their locks: by the kinds of file systems, and by recorded tests.

use super::{Check, Findings};
use crate::{
    lock::hosts::{self, Proof},
    process::{self, FileSystem},
};
use memlatch_os::paths::{escape, shown};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The machines that a lock on a file excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The file is local.
    Alone,
    /// All that share the file, if the server or cluster works as it should.
    All,
    /// Only this machine, although others may have the file; the text says why.
    This(&'static str),
}

const PROBE: &str = "memlatch doctor --hold, and on another machine that shares it: memlatch doctor --probe";
const ONE_WRITER: &str =
    "let only one machine write these files, or share them in a way that shares locks: NFSv4, SMB, CephFS";

/// Looks at the lock directory (or the one that it will be made in) and at the directories of memory files.
pub fn check(locks: &Path, memory: &[PathBuf], findings: &mut Findings) {
    let Some(system) = system_of(locks) else { return };
    of_locks(locks, &system, findings);
    let mut seen = BTreeSet::from([device_of(locks)]);
    for folder in memory.iter().filter(|folder| seen.insert(device_of(folder))) {
        of_memory(folder, locks, &system, findings);
    }
    let is_nfs = |folder: &Path| system_of(folder).is_some_and(|system| matches!(system.name.as_str(), "nfs" | "nfs4"));
    if is_nfs(locks) || memory.iter().any(|folder| is_nfs(folder)) {
        recovery(findings);
    }
    if findings.is_clean(Check::Sharing) {
        findings.ok(Check::Sharing, "files and locks are shared by the same machines", None);
    }
}

fn of_locks(locks: &Path, system: &FileSystem, findings: &mut Findings) {
    let name = &system.name;
    let proofs = hosts::proofs(locks);
    match reach(system) {
        Reach::Alone => {}
        Reach::This(why) => {
            let what = format!("the lock directory is on {name}: {why}, so programs elsewhere are not excluded");
            findings.note(Check::Sharing, what, Some(locks), ONE_WRITER);
        }
        Reach::All => match proofs.iter().rev().find(|proof| proof.mount == system.kind_for_locks()) {
            Some(proof) => findings.ok(Check::Sharing, seen(proof), Some(locks)),
            None => {
                let what = format!(
                    "the lock directory is on {name}: whether locks exclude between machines has not been tested yet, and what a dead \
                     holder on another machine leaves counts as held"
                );
                findings.note(Check::Sharing, what, Some(locks), PROBE);
            }
        },
    }
    for proof in &proofs {
        places(locks, proof, findings);
    }
}

fn seen(proof: &Proof) -> String {
    let [one, two] = proof.hosts.each_ref().map(|host| escape(host.name.as_bytes()));
    let when = crate::lock::info::utc(proof.seen);
    format!("locks exclude between machines, on {}: seen between hosts {one} and {two} at {when}", proof.mount)
}

/// The name of a lock comes from the absolute path of its file.
fn places(locks: &Path, proof: &Proof, findings: &mut Findings) {
    let here = process::host_name();
    let [one, two] = &proof.hosts;
    let own = fs::canonicalize(locks).unwrap_or_else(|_| locks.to_owned());
    let moved = [one, two].into_iter().find(|host| host.name == here && host.folder != own);
    let differs = (one.folder != two.folder).then_some(two).or(moved);
    if let Some(host) = differs {
        let (there, name) = (shown(&host.folder), escape(host.name.as_bytes()));
        let other = if host == two { shown(&one.folder) } else { shown(&own) };
        let what = format!(
            "the lock directory was at '{there}' on host {name} and is at '{other}' elsewhere; locks are named after the absolute \
             paths of files, so machines with different ones do not exclude each other"
        );
        findings.problem(Check::Sharing, what, Some(locks), "mount the share at the same place on all machines");
    }
}

fn of_memory(folder: &Path, locks: &Path, of_locks: &FileSystem, findings: &mut Findings) {
    let Some(system) = system_of(folder) else { return };
    let name = &system.name;
    match reach(&system) {
        Reach::Alone => {}
        Reach::This(why) => {
            let what = format!("memory files are on {name}: {why}, so programs elsewhere are not excluded");
            findings.note(Check::Sharing, what, Some(folder), ONE_WRITER);
        }
        Reach::All => {
            let what = format!(
                "memory files are on {name}, and the locks are on {} ('{}'): machines that share the files do not exclude \
                 each other",
                of_locks.name,
                shown(locks)
            );
            let remedy = "set AICONFIG_PATH to one directory on the share, on all machines; if this one alone uses the files, \
                          all is well";
            findings.note(Check::Sharing, what, Some(folder), remedy);
        }
    }
}

/// With this setting a client that lost its locks silently takes them again, although another machine
/// may have had them in between: see "recover_lost_locks" in the kernel's admin-guide/kernel-parameters.
fn recovery(findings: &mut Findings) {
    let setting = Path::new("/sys/module/nfs/parameters/recover_lost_locks");
    if fs::read_to_string(setting).is_ok_and(|value| value.trim() == "Y") {
        findings.problem(
            Check::Sharing,
            "the NFS client silently takes lost locks again (nfs.recover_lost_locks), so two machines can both hold one",
            Some(setting),
            format!("echo N | sudo tee {}, and remove it from the kernel's options", setting.display()),
        );
    }
}

/// From flock(2), nfs(5), mount.cifs(8), mount.lustre(8), and for the programs what their own documents say.
fn reach(system: &FileSystem) -> Reach {
    const LOCAL: Reach = Reach::This("it is mounted with locks that stay on this machine");
    let has = |options: &[&str]| options.iter().any(|option| system.has(option));
    match system.name.as_str() {
        "nfs" if has(&["nolock", "local_lock=all", "local_lock=flock"]) => LOCAL,
        "cifs" | "smb3" if has(&["nobrl"]) => LOCAL,
        "lustre" if has(&["localflock", "noflock"]) => LOCAL,
        "ocfs2" | "gfs2" if has(&["localflocks"]) => LOCAL,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "lustre" | "ocfs2" | "gfs2" | "gpfs" | "beegfs" => {
            Reach::All
        }
        "fuse.ceph" | "fuse.ceph-fuse" | "fuse.glusterfs" | "fuse.juicefs" | "fuse.JuiceFS" | "fuse.moosefs" => {
            Reach::All
        }
        "9p" | "virtiofs" | "vboxsf" | "vmhgfs" | "fuse.vmhgfs-fuse" | "prl_fs" => {
            Reach::This("a directory that a virtual machine shares with its host, whose locks stay in the machine")
        }
        "fakeowner" | "grpcfuse" | "fuse.grpcfuse" | "osxfs" | "fuse.osxfs" => Reach::This(
            "a directory of the host in Docker Desktop, where one lock is granted on both sides, and in two containers",
        ),
        "overlay" => Reach::This("a layer of a container: other containers and the host have separate locks there"),
        "fuseblk" => Reach::Alone,
        name if name == "fuse" || name.starts_with("fuse.") || name == "macfuse" => Reach::This(
            "a program provides it, and most such programs (sshfs, s3fs, rclone) keep locks to this machine",
        ),
        _ => Reach::Alone,
    }
}

fn system_of(folder: &Path) -> Option<FileSystem> {
    process::file_system(&File::open(folder).ok()?)
}

fn device_of(folder: &Path) -> Option<u64> {
    fs::metadata(folder).ok().map(|facts| facts.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_mount_keeps_out_those_that_its_manual_says() {
        let of = |name: &str, options: &str| {
            let name = name.to_owned();
            match reach(&FileSystem { name, options: format!("rw,relatime,{options}") }) {
                Reach::Alone => "alone",
                Reach::All => "all",
                Reach::This(_) => "this",
            }
        };
        let all =
            [("nfs4", "local_lock=none"), ("nfs", "vers=3"), ("cifs", "vers=3.1.1"), ("ceph", ""), ("lustre", "flock")];
        let this = [
            ("nfs", "nolock"),
            ("nfs", "local_lock=flock"),
            ("cifs", "nobrl"),
            ("smb3", "nobrl"),
            ("lustre", "localflock"),
            ("lustre", "noflock"),
            ("ocfs2", "localflocks"),
            ("9p", "trans=virtio"),
            ("virtiofs", ""),
            ("fakeowner", ""),
            ("fuse.grpcfuse", ""),
            ("fuse.sshfs", "user_id=0"),
            ("fuse.s3fs", ""),
            ("overlay", "lowerdir=/a"),
        ];
        let alone = [("ext4", ""), ("xfs", ""), ("btrfs", ""), ("tmpfs", ""), ("apfs", ""), ("fuseblk", "")];
        for (expected, mounts) in [("all", &all[..]), ("this", &this[..]), ("alone", &alone[..])] {
            for (name, options) in mounts {
                assert_eq!(of(name, options), expected, "{name} with {options}");
            }
        }
    }
}
