//! The variables of the environment, read all at once.
//!
//! The standard library copies each name and each value, which takes longer than all else that is done before the command
//! line is read.

use std::{
    ffi::{CStr, OsStr, c_char},
    os::unix::ffi::OsStrExt,
};

unsafe extern "C" {
    /// See environ(7).
    static environ: *const *const c_char;
}

/// A name and its value.
pub type Variable = (&'static OsStr, &'static OsStr);

/// All variables, in the order of the environment. An entry without `=` is none.
pub fn environment() -> Vec<Variable> {
    // SAFETY: the C library sets it up before the program begins, and ends it with a null pointer. Nobody changes the
    // environment of this process: `set_var` is unsafe for that very reason, and a lint forbids it.
    let entries = unsafe {
        let entries = environ;
        let count = if entries.is_null() { 0 } else { (0..).take_while(|at| !(*entries.add(*at)).is_null()).count() };
        (0..count).map(move |at| CStr::from_ptr(*entries.add(at)).to_bytes())
    };
    let mut variables = Vec::with_capacity(entries.len());
    variables.extend(entries.filter_map(|entry| {
        let end = entry.iter().position(|byte| *byte == b'=')?;
        Some((OsStr::from_bytes(&entry[..end]), OsStr::from_bytes(&entry[end + 1..])))
    }));
    variables
}
