//! Mathematical functions: the C library's where results are rounded, so that they are those of jq; libm's where they are exact.

use super::engine::{Cv, Outputs};
use super::natives::{Outcome, Run, give, plain};
use crate::value::{Failure, Value, negate};
use memlatch_os::mathematics;

fn number(v: &Value) -> Result<f64, Failure> {
    match v.as_f64() {
        Some(x) => Ok(x),
        None => v.fail_alone("number required"),
    }
}

fn one<'a>(cv: Cv<'a>, f: fn(f64) -> f64) -> Outputs<'a> {
    give(number(&cv.1).map(|x| Value::Number(f(x))))
}

fn two<'a>(mut cv: Cv<'a>, f: fn(f64, f64) -> f64) -> Outputs<'a> {
    let (y, x) = (cv.0.pop_var(), cv.0.pop_var());
    give((|| Ok(Value::Number(f(number(&x)?, number(&y)?))))())
}

/// The absolute value as jq defines it, `if . < 0 then -. end`; a literal keeps its digits, and -0 is not less than 0.
pub fn absolute(v: Value) -> Outcome {
    match v.as_f64() {
        None => v.fail_alone("cannot be negated"),
        Some(_) if v < Value::Number(0.0) => negate(v),
        Some(_) => Ok(v),
    }
}

/// A C `int` as x86 makes one of a double: the fraction is cut off, and what does not fit is the smallest.
fn to_int(x: f64) -> i32 {
    let fits = x > f64::from(i32::MIN) - 1.0 && x < f64::from(i32::MAX) + 1.0;
    if fits { x as i32 } else { i32::MIN }
}

fn ldexp(x: f64, e: f64) -> f64 {
    libm::ldexp(x, to_int(e))
}

fn scalbln(x: f64, e: f64) -> f64 {
    // A C `long`, of which what does not fit is the smallest; exponents beyond an `int` make no difference.
    let fits = e.abs() < i64::MAX as f64;
    if fits { libm::ldexp(x, e as i32) } else { libm::ldexp(x, i32::MIN) }
}

/// Scales by a power of two whose exponent is a double: one with a fraction gives not-a-number (glibc, `e_scalb.c`).
fn scalb(x: f64, e: f64) -> f64 {
    match () {
        () if x.is_nan() || e.is_nan() => f64::NAN,
        () if e == f64::INFINITY => x * e,
        () if e == f64::NEG_INFINITY && x == 0.0 => x,
        () if e == f64::NEG_INFINITY => x / -e,
        () if e.fract() != 0.0 => f64::NAN,
        () => libm::ldexp(x, e as i32),
    }
}

fn logb(x: f64) -> f64 {
    match x {
        0.0 => f64::NEG_INFINITY,
        x if x.is_infinite() => f64::INFINITY,
        x if x.is_nan() => x,
        x => f64::from(libm::frexp(x).1 - 1),
    }
}

fn significand(x: f64) -> f64 {
    match x {
        x if x == 0.0 || !x.is_finite() => x,
        x => libm::frexp(x).0 * 2.0,
    }
}

fn drem(x: f64, y: f64) -> f64 {
    libm::remainder(x, y)
}

#[rustfmt::skip]
pub static TABLE: &[(&str, &str, Run)] = &[
    ("abs", "", plain!(|v: Value| match &v {
        Value::Null | Value::Bool(_) => v.fail_alone("cannot be negated"),
        _ if v.is_number() => absolute(v),
        _ => Ok(v),
    })),
    ("floor", "", |cv| one(cv, f64::floor)),
    ("ceil", "", |cv| one(cv, f64::ceil)),
    ("round", "", |cv| one(cv, f64::round)),
    ("trunc", "", |cv| one(cv, f64::trunc)),
    ("rint", "", |cv| one(cv, f64::round_ties_even)),
    ("nearbyint", "", |cv| one(cv, f64::round_ties_even)),
    ("sqrt", "", |cv| one(cv, f64::sqrt)),
    ("cbrt", "", |cv| one(cv, f64::cbrt)),
    ("fabs", "", |cv| one(cv, f64::abs)),
    ("exp", "", |cv| one(cv, f64::exp)),
    ("exp2", "", |cv| one(cv, f64::exp2)),
    ("exp10", "", |cv| one(cv, |x| mathematics::exp10(x))),
    ("expm1", "", |cv| one(cv, f64::exp_m1)),
    ("log", "", |cv| one(cv, f64::ln)),
    ("log2", "", |cv| one(cv, f64::log2)),
    ("log10", "", |cv| one(cv, f64::log10)),
    ("log1p", "", |cv| one(cv, f64::ln_1p)),
    ("logb", "", |cv| one(cv, logb)),
    ("significand", "", |cv| one(cv, significand)),
    ("sin", "", |cv| one(cv, f64::sin)),
    ("cos", "", |cv| one(cv, f64::cos)),
    ("tan", "", |cv| one(cv, f64::tan)),
    ("asin", "", |cv| one(cv, f64::asin)),
    ("acos", "", |cv| one(cv, f64::acos)),
    ("atan", "", |cv| one(cv, f64::atan)),
    ("sinh", "", |cv| one(cv, f64::sinh)),
    ("cosh", "", |cv| one(cv, f64::cosh)),
    ("tanh", "", |cv| one(cv, f64::tanh)),
    ("asinh", "", |cv| one(cv, |x| mathematics::asinh(x))),
    ("acosh", "", |cv| one(cv, |x| mathematics::acosh(x))),
    ("atanh", "", |cv| one(cv, |x| mathematics::atanh(x))),
    ("erf", "", |cv| one(cv, |x| mathematics::erf(x))),
    ("erfc", "", |cv| one(cv, |x| mathematics::erfc(x))),
    ("j0", "", |cv| one(cv, |x| mathematics::j0(x))),
    ("j1", "", |cv| one(cv, |x| mathematics::j1(x))),
    ("y0", "", |cv| one(cv, |x| mathematics::y0(x))),
    ("y1", "", |cv| one(cv, |x| mathematics::y1(x))),
    ("lgamma", "", |cv| one(cv, |x| mathematics::lgamma(x).0)),
    ("tgamma", "", |cv| one(cv, |x| mathematics::tgamma(x))),
    ("lgamma_r", "", plain!(|v: Value| number(&v).map(|x| {
        let (value, sign) = mathematics::lgamma(x);
        [Value::Number(value), Value::Number(f64::from(sign))].into_iter().collect()
    }))),
    ("frexp", "", plain!(|v: Value| number(&v).map(|x| {
        let (fraction, exponent) = if x.is_finite() { libm::frexp(x) } else { (x, 0) };
        [Value::Number(fraction), Value::Number(f64::from(exponent))].into_iter().collect()
    }))),
    ("modf", "", plain!(|v: Value| number(&v).map(|x| {
        let fraction = if x.is_infinite() { 0f64.copysign(x) } else { x - x.trunc() };
        [Value::Number(fraction.copysign(x)), Value::Number(x.trunc())].into_iter().collect()
    }))),
    ("isinfinite", "", plain!(|v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_infinite))))),
    ("isnan", "", plain!(|v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_nan))))),
    ("isnormal", "", plain!(|v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_normal))))),
    ("pow", "vv", |cv| two(cv, f64::powf)),
    ("atan2", "vv", |cv| two(cv, f64::atan2)),
    ("fmod", "vv", |cv| two(cv, |x, y| x % y)),
    ("ldexp", "vv", |cv| two(cv, ldexp)),
    ("scalb", "vv", |cv| two(cv, scalb)),
    ("scalbln", "vv", |cv| two(cv, scalbln)),
    ("nextafter", "vv", |cv| two(cv, libm::nextafter)),
    ("nexttoward", "vv", |cv| two(cv, libm::nextafter)),
    ("copysign", "vv", |cv| two(cv, f64::copysign)),
    ("drem", "vv", |cv| two(cv, drem)),
    ("remainder", "vv", |cv| two(cv, drem)),
    ("hypot", "vv", |cv| two(cv, f64::hypot)),
    ("fdim", "vv", |cv| two(cv, libm::fdim)),
    ("fmax", "vv", |cv| two(cv, f64::max)),
    ("fmin", "vv", |cv| two(cv, f64::min)),
    ("jn", "vv", |cv| two(cv, |n, x| mathematics::jn(to_int(n), x))),
    ("yn", "vv", |cv| two(cv, |n, x| mathematics::yn(to_int(n), x))),
    ("fma", "vvv", |mut cv| {
        let (z, y, x) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
        give((|| Ok(Value::Number(number(&x)?.mul_add(number(&y)?, number(&z)?))))())
    }),
];
