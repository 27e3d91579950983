//! Where the program begins: what Rust's own start-up does for it, as far as it needs it.
//!
//! The runtime's start-up also reads the process's memory map and sets up a handler that names stack overflows. For a
//! program that ends after half a millisecond these are a tenth of its time; docs/measurements.md has the figures.

use std::{
    ffi::{CStr, OsStr, OsString, c_char, c_int},
    os::unix::ffi::OsStrExt,
    panic,
};

/// What a panic leaves as the exit status, as with Rust's own start-up.
const PANICKED: c_int = 101;

/// Makes `$run`, from the words of the command line to the exit status, the program.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        /// Called by the C library.
        ///
        /// # Safety
        ///
        /// Nobody else may call it: it believes what it is told of the command line.
        #[unsafe(no_mangle)]
        #[expect(unsafe_code, reason = "the name and the arguments are the C library's")]
        pub unsafe extern "C" fn main(
            count: std::ffi::c_int,
            words: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            // SAFETY: these are the arguments of the C library's call.
            unsafe { $crate::start(count, words, $run) }
        }
    };
}

/// Begins and ends the program.
///
/// # Safety
///
/// `count` and `words` are what the C library gives to `main`, and nothing has begun yet.
pub unsafe fn start(count: c_int, words: *const *const c_char, run: fn(std::vec::IntoIter<OsString>) -> u8) -> c_int {
    // SAFETY: no other thread is there yet. Writing to a closed pipe becomes an error instead of the process's end.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    occupy_standard_descriptors();
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: the caller vouches for `count` pointers to C strings, which live as long as the process.
    let word = |at| OsStr::from_bytes(unsafe { CStr::from_ptr(*words.add(at)) }.to_bytes()).to_owned();
    let words: Vec<OsString> = (0..count).map(word).collect();
    panic::catch_unwind(|| run(words.into_iter())).map_or(PANICKED, c_int::from)
}

/// A standard descriptor that is closed would be given to the next file that is opened, and a message would end up in
/// that file.
fn occupy_standard_descriptors() {
    for descriptor in 0..3 {
        // SAFETY: asking for flags touches nothing, and the path is a C string. The lowest free number is the one that
        // was found closed, because those below it are open by now.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) == -1 && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) == -1 {
                libc::abort();
            }
        }
    }
}
