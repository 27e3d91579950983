//! Mathematical functions of the C library that Rust lacks, or whose last digits differ in Rust.
//!
//! jq calls the C library, so these return what jq returns on the same system. Their results differ in the last digits between
//! C libraries; exact functions (`ldexp`, `frexp` and the like) do not need the C library.

use std::ffi::c_int;

// SAFETY: C99 and POSIX (math.h) declare these functions with these types. They accept any number and keep no
// state, so each is safe to call. `lgamma_r` writes the sign through its reference.
unsafe extern "C" {
    pub safe fn acosh(x: f64) -> f64;
    pub safe fn asinh(x: f64) -> f64;
    pub safe fn atanh(x: f64) -> f64;
    pub safe fn erf(x: f64) -> f64;
    pub safe fn erfc(x: f64) -> f64;
    pub safe fn j0(x: f64) -> f64;
    pub safe fn j1(x: f64) -> f64;
    pub safe fn jn(order: c_int, x: f64) -> f64;
    pub safe fn y0(x: f64) -> f64;
    pub safe fn y1(x: f64) -> f64;
    pub safe fn yn(order: c_int, x: f64) -> f64;
    pub safe fn tgamma(x: f64) -> f64;
    safe fn lgamma_r(x: f64, sign: &mut c_int) -> f64;
    #[cfg_attr(target_os = "macos", link_name = "__exp10")]
    pub safe fn exp10(x: f64) -> f64;
}

/// The logarithm of the absolute value of the gamma function, and the sign of the gamma function.
///
/// `lgamma` of the C library would return the sign in a global variable.
pub fn lgamma(x: f64) -> (f64, i32) {
    let mut sign = 1;
    let value = lgamma_r(x, &mut sign);
    (value, sign)
}
