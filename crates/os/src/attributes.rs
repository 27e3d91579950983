//! Extended attributes and access control lists of files.

use std::{fs::File, io, path::Path};

/// Copies the extended attributes and the access control list of the file at `old` to `new`, and removes from `new` an access control list that it
/// has only inherited from its directory.
///
/// # Errors
///
/// An attribute cannot be read or set. Attributes that only the kernel or root may set (such as labels of security modules) are
/// left as the kernel made them, as cp(1) does.
pub fn copy_attributes(old: &Path, new: &File) -> io::Result<()> {
    imp::copy(old, new)
}

/// Whether something is mounted at `path`, for example a single file that was mounted into a container. Nothing can be renamed over it
/// (EBUSY in rename(2)). `false` if the system does not tell.
pub fn is_mount_point(path: &Path) -> bool {
    imp::is_mount_point(path)
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::{
        fs::{AtFlags, CWD, StatxAttributes, StatxFlags, XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr},
        fs::{lgetxattr, llistxattr, statx},
        io::Errno,
    };
    use std::{ffi::CStr, fs::File, io, path::Path};

    /// The POSIX.1e access control list, see acl(5); NFSv4 and SMB servers have others.
    const ACCESS: &CStr = c"system.posix_acl_access";

    /// The longest list and the longest value that Linux has (XATTR_LIST_MAX and XATTR_SIZE_MAX, both 64 KiB).
    const LONGEST: usize = 1 << 16;

    pub fn copy(old: &Path, new: &File) -> io::Result<()> {
        let kept = names(|buffer| llistxattr(old, buffer))?;
        let inherited = names(|buffer| flistxattr(new, buffer))?;
        for name in kept.iter().filter(|name| is_copied(name)) {
            copy_one(name, old, new).map_err(|error| about(name, error))?;
        }
        // A default list inherited from the directory (acl(5)) could give access to users whom the old file excluded.
        if inherited.iter().any(|name| **name == *ACCESS) && !kept.iter().any(|name| **name == *ACCESS) {
            fremovexattr(new, ACCESS).map_err(|error| about(ACCESS, error.into()))?;
        }
        Ok(())
    }

    /// Checksums of the content (security.ima, security.evm) belong to the kernel, and would not match the new content.
    fn is_copied(name: &CStr) -> bool {
        !matches!(name.to_bytes(), b"security.ima" | b"security.evm")
    }

    fn copy_one(name: &CStr, old: &Path, new: &File) -> io::Result<()> {
        let Some(value) = value(|buffer| lgetxattr(old, name, buffer))? else { return Ok(()) };
        // Some servers show an access control list that merely expresses the mode; then it is set already.
        if value_is(&value, name, new) {
            return Ok(());
        }
        match fsetxattr(new, name, &value, XattrFlags::empty()) {
            Err(_) if needs_privileges(name) => Ok(()),
            result => Ok(result?),
        }
    }

    fn value_is(expected: &[u8], name: &CStr, new: &File) -> bool {
        matches!(value(|buffer| fgetxattr(new, name, buffer)), Ok(Some(value)) if value == expected)
    }

    /// Only a privileged process may set these, see xattr(7).
    fn needs_privileges(name: &CStr) -> bool {
        [b"security.".as_slice(), b"trusted."].iter().any(|prefix| name.to_bytes().starts_with(prefix))
    }

    fn names(list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Vec<std::ffi::CString>> {
        // Most files have none, which the length alone shows.
        let bytes = match filled(list) {
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            bytes => bytes?,
        };
        let names = bytes.split_inclusive(|byte| *byte == 0);
        Ok(names.filter_map(|name| CStr::from_bytes_with_nul(name).ok().map(CStr::to_owned)).collect())
    }

    /// `None` if the attribute is gone.
    fn value(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Option<Vec<u8>>> {
        match filled(get) {
            Err(Errno::NODATA) => Ok(None),
            bytes => Ok(Some(bytes?)),
        }
    }

    fn filled(fill: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
        let mut short = [0; 256];
        match fill(&mut short) {
            Err(Errno::RANGE) => {}
            length => return length.map(|length| short[..length].to_vec()),
        }
        let mut bytes = vec![0; LONGEST];
        let length = fill(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    fn about(name: &CStr, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the attribute {}: {error}", name.to_string_lossy()))
    }

    pub fn is_mount_point(path: &Path) -> bool {
        let facts = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
        facts.is_ok_and(|facts| facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
}

#[cfg(target_os = "macos")]
mod imp {
    use std::{fs::File, io, os::fd::AsRawFd, path::Path, ptr};

    pub fn copy(old: &Path, new: &File) -> io::Result<()> {
        let old = File::open(old)?;
        let what = libc::COPYFILE_ACL | libc::COPYFILE_XATTR;
        // SAFETY: both descriptors are open, and the call keeps no state (copyfile(3)).
        match unsafe { libc::fcopyfile(old.as_raw_fd(), new.as_raw_fd(), ptr::null_mut(), what) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn is_mount_point(_: &Path) -> bool {
        false
    }
}
