//! The entry point of the program: the parts of Rust's own start-up code that it needs.
//!
//! Rust's start-up code also reads the process's memory map and sets up a handler that reports stack overflows. In a
//! program that exits after half a millisecond these take a tenth of the time; docs/measurements.md has the figures.

use std::{
    ffi::{CStr, OsStr, OsString, c_char, c_int},
    os::unix::ffi::OsStrExt,
    panic,
};

/// The exit status after a panic, as with Rust's own start-up code.
const PANICKED: c_int = 101;

/// Defines `main`, which calls `$run` with the command line and exits with the status that it returns.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        /// Called by the C library.
        ///
        /// # Safety
        ///
        /// Only the C library may call it, because it trusts the description of the command line.
        #[unsafe(no_mangle)]
        #[expect(unsafe_code, reason = "the C library prescribes the name and the arguments")]
        pub unsafe extern "C" fn main(
            count: std::ffi::c_int,
            words: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            // SAFETY: these are the arguments of the C library's call.
            unsafe { $crate::start(count, words, $run) }
        }
    };
}

/// Runs the program.
///
/// # Safety
///
/// `count` and `words` must be the arguments of `main` from the C library, and no other code may have run before.
pub unsafe fn start(count: c_int, words: *const *const c_char, run: fn(std::vec::IntoIter<OsString>) -> u8) -> c_int {
    // SAFETY: there is no other thread yet. Writing to a closed pipe becomes an error instead of killing the process.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    occupy_standard_descriptors();
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: the caller guarantees `count` pointers to C strings, which live as long as the process.
    let word = |at| OsStr::from_bytes(unsafe { CStr::from_ptr(*words.add(at)) }.to_bytes()).to_owned();
    let words: Vec<OsString> = (0..count).map(word).collect();
    panic::catch_unwind(|| run(words.into_iter())).map_or(PANICKED, c_int::from)
}

/// Opens `/dev/null` for each closed standard descriptor. Otherwise the next file that is opened would get its number, and
/// messages would be written into that file.
fn occupy_standard_descriptors() {
    for descriptor in 0..3 {
        // SAFETY: reading the flags changes nothing, and the path is a C string. open(2) returns the lowest free number, which is the one that
        // was found closed, because those below it are open by now.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) == -1 && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) == -1 {
                libc::abort();
            }
        }
    }
}
