//! Functions of the C library's mathematics that Rust has not, or has with other last digits.
//!
//! jq calls the C library, so these give what jq gives on the same system. Their results differ in the last digits between
//! C libraries; what is exact (`ldexp`, `frexp` and the like) needs no C library.

use std::ffi::c_int;

// SAFETY: C99 and POSIX (math.h) declare these functions with these types. They take numbers, keep nothing, and any number
// will do: each is safe to call. `lgamma_r` writes the sign to the place that its reference is.
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

/// The logarithm of the gamma function's size, and the gamma function's sign.
///
/// `lgamma` of the C library gives the sign in a variable of the whole process.
pub fn lgamma(x: f64) -> (f64, i32) {
    let mut sign = 1;
    let value = lgamma_r(x, &mut sign);
    (value, sign)
}
