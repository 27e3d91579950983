//! The file system that a file is on, and what follows for its locks.

/// The file system that a file is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The name as in mount(8): "ext4", "nfs4", "fuse.sshfs".
    pub name: String,
    /// The mount options, separated by commas; empty if the system does not tell them.
    pub options: String,
}

impl FileSystem {
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|found| found == option)
    }

    /// The name, followed by the options that decide which machines a lock excludes. Locks may not exclude between mounts for which this
    /// differs.
    pub fn kind_for_locks(&self) -> String {
        // From nfs(5), mount.cifs(8), mount.lustre(8), ocfs2 and gfs2 (mount option "localflocks").
        let decides = |option: &&str| {
            matches!(*option, "nolock" | "nobrl" | "noflock" | "localflock" | "localflocks")
                || option.starts_with("local_lock=") && *option != "local_lock=none"
        };
        let options: Vec<&str> = self.options.split(',').filter(decides).collect();
        [&[self.name.as_str()], &options[..]].concat().join(",")
    }
}

/// Whether other machines may access the files at a path: the file system is not local to this machine.
pub fn is_remote(path: &std::path::Path) -> bool {
    imp::is_remote(path)
}

/// Whether the locks on this file are kept by a server that may give them to another machine if it has not heard from this one.
pub fn locks_can_be_lost(file: &std::fs::File) -> bool {
    imp::locks_can_be_lost(file)
}

/// Whether the file is on an SMB server. There a file cannot be replaced while any program has it open (MS-FSCC 2.4.42).
pub fn is_on_smb(file: &std::fs::File) -> bool {
    imp::is_on_smb(file)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::{fs::File, path::Path};

    // The numbers are those of statfs(2), linux/magic.h, and the file systems' own sources.
    const NFS: u64 = 0x6969;
    const CEPH: u64 = 0x00c3_6400;
    const CIFS: u64 = 0xff53_4d42;
    const SMB2: u64 = 0xfe53_4d42;
    const LOCAL: [u64; 15] = [
        0xef53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // Btrfs
        0x0102_1994, // tmpfs
        0x8584_58f6, // ramfs
        0x794c_7630, // overlayfs
        0x2fc1_2fc1, // ZFS
        0xf2f5_2010, // F2FS
        0xca45_1a4e, // bcachefs
        0x3153_464a, // JFS
        0x5265_4973, // ReiserFS
        0x3434,      // NILFS2
        0x2011_bab0, // exFAT
        0x4d44,      // FAT
        0xf15f,      // eCryptfs
    ];

    fn magic(number: i64) -> u64 {
        number as u64 & 0xffff_ffff
    }

    pub fn is_remote(path: &Path) -> bool {
        rustix::fs::statfs(path).is_ok_and(|system| {
            // A file system that is not known to be local may be remote.
            !LOCAL.contains(&magic(system.f_type))
        })
    }

    pub fn is_on_smb(file: &File) -> bool {
        rustix::fs::fstatfs(file).is_ok_and(|system| matches!(magic(system.f_type), CIFS | SMB2))
    }

    pub fn locks_can_be_lost(file: &File) -> bool {
        rustix::fs::fstatfs(file).is_ok_and(|system| matches!(magic(system.f_type), NFS | CEPH))
    }
}

#[cfg(target_os = "macos")]
mod imp {
    use std::{fs::File, path::Path};

    pub fn is_remote(path: &Path) -> bool {
        rustix::fs::statfs(path).is_ok_and(|system| system.f_flags & libc::MNT_LOCAL as u32 == 0)
    }

    pub fn is_on_smb(file: &File) -> bool {
        crate::file_system(file).is_some_and(|system| system.name == "smbfs")
    }

    pub fn locks_can_be_lost(file: &File) -> bool {
        crate::file_system(file).is_some_and(|system| system.name == "nfs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_concern_locks_distinguish_mounts() {
        let mount = |options: &str| FileSystem { name: "nfs4".into(), options: options.into() };
        assert_eq!(mount("rw,relatime,vers=4.2,local_lock=none,addr=10.0.0.1").kind_for_locks(), "nfs4");
        assert_eq!(mount("rw,local_lock=flock,soft").kind_for_locks(), "nfs4,local_lock=flock");
    }
}
