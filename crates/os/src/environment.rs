//! The variables of the environment, one after another, without a copy of any.
//!
//! The standard library copies each name and each value. For a program that ends after half a millisecond that takes
//! longer than to read the command line.

use std::{
    ffi::{CStr, OsStr, c_char},
    os::unix::ffi::OsStrExt,
};

unsafe extern "C" {
    /// See environ(7).
    static environ: *const *const c_char;
}

/// One entry of the environment: `NAME=value`, and a NUL behind it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Variable(*const c_char);

/// All of them, in their order.
pub fn environment() -> &'static [Variable] {
    // SAFETY: the C library sets it up before the program begins, and ends it with a null pointer. Nobody changes the
    // environment of this process, so it lives as long as the process: `set_var` is unsafe for that very reason, and a lint
    // forbids it. A `Variable` is laid out as the pointer in it.
    unsafe {
        let mut count = 0;
        while !environ.is_null() && !(*environ.add(count)).is_null() {
            count += 1;
        }
        if count == 0 { &[] } else { std::slice::from_raw_parts(environ.cast(), count) }
    }
}

// SAFETY: nobody changes what it points to.
unsafe impl Send for Variable {}
// SAFETY: the same.
unsafe impl Sync for Variable {}

impl Variable {
    /// Its value, if it has this name.
    #[inline]
    pub fn value_of(self, name: &str) -> Option<&'static OsStr> {
        let mut rest = self.0;
        for byte in name.as_bytes() {
            // SAFETY: all bytes before were equal, and none of them was the NUL at the end.
            unsafe {
                if *byte == 0 || *rest as u8 != *byte {
                    return None;
                }
                rest = rest.add(1);
            }
        }
        // SAFETY: this is within the entry, or its NUL. Behind a `=` comes more of the entry, or its NUL.
        unsafe {
            let is_whole = *rest as u8 == b'=';
            is_whole.then(|| OsStr::from_bytes(CStr::from_ptr(rest.add(1)).to_bytes()))
        }
    }
}
