//! Mathematical functions: the C library's where results are rounded, so that they are those of jq; libm's where they are exact.

use super::builtin::{Builtin, Outcome, Param, give, one, plain};
use super::engine::{Cv, Outputs};
use crate::value::{Failure, Value, negate};
use memlatch_os::mathematics;

fn number(v: &Value) -> Result<f64, Failure> {
    match v.as_f64() {
        Some(x) => Ok(x),
        None => v.fail_alone("number required"),
    }
}

fn of_one(v: Value, f: fn(f64) -> f64) -> Outcome {
    Ok(Value::Number(f(number(&v)?)))
}

fn of_two<'a>(mut cv: Cv<'a>, f: fn(f64, f64) -> f64) -> Outputs<'a> {
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

const TWO: &[Param] = &[Param::Value, Param::Value];

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    plain!("abs", |v: Value| match &v {
        Value::Null | Value::Bool(_) => v.fail_alone("cannot be negated"),
        _ if v.is_number() => absolute(v),
        _ => Ok(v),
    }),
    plain!("floor", |v| of_one(v, f64::floor)),
    plain!("ceil", |v| of_one(v, f64::ceil)),
    plain!("round", |v| of_one(v, f64::round)),
    plain!("trunc", |v| of_one(v, f64::trunc)),
    plain!("rint", |v| of_one(v, f64::round_ties_even)),
    plain!("nearbyint", |v| of_one(v, f64::round_ties_even)),
    plain!("sqrt", |v| of_one(v, f64::sqrt)),
    plain!("cbrt", |v| of_one(v, f64::cbrt)),
    plain!("fabs", |v| of_one(v, f64::abs)),
    plain!("exp", |v| of_one(v, f64::exp)),
    plain!("exp2", |v| of_one(v, f64::exp2)),
    plain!("exp10", |v| of_one(v, |x| mathematics::exp10(x))),
    plain!("expm1", |v| of_one(v, f64::exp_m1)),
    plain!("log", |v| of_one(v, f64::ln)),
    plain!("log2", |v| of_one(v, f64::log2)),
    plain!("log10", |v| of_one(v, f64::log10)),
    plain!("log1p", |v| of_one(v, f64::ln_1p)),
    plain!("logb", |v| of_one(v, logb)),
    plain!("significand", |v| of_one(v, significand)),
    plain!("sin", |v| of_one(v, f64::sin)),
    plain!("cos", |v| of_one(v, f64::cos)),
    plain!("tan", |v| of_one(v, f64::tan)),
    plain!("asin", |v| of_one(v, f64::asin)),
    plain!("acos", |v| of_one(v, f64::acos)),
    plain!("atan", |v| of_one(v, f64::atan)),
    plain!("sinh", |v| of_one(v, f64::sinh)),
    plain!("cosh", |v| of_one(v, f64::cosh)),
    plain!("tanh", |v| of_one(v, f64::tanh)),
    plain!("asinh", |v| of_one(v, |x| mathematics::asinh(x))),
    plain!("acosh", |v| of_one(v, |x| mathematics::acosh(x))),
    plain!("atanh", |v| of_one(v, |x| mathematics::atanh(x))),
    plain!("erf", |v| of_one(v, |x| mathematics::erf(x))),
    plain!("erfc", |v| of_one(v, |x| mathematics::erfc(x))),
    plain!("j0", |v| of_one(v, |x| mathematics::j0(x))),
    plain!("j1", |v| of_one(v, |x| mathematics::j1(x))),
    plain!("y0", |v| of_one(v, |x| mathematics::y0(x))),
    plain!("y1", |v| of_one(v, |x| mathematics::y1(x))),
    plain!("lgamma", |v| of_one(v, |x| mathematics::lgamma(x).0)),
    plain!("tgamma", |v| of_one(v, |x| mathematics::tgamma(x))),
    plain!("lgamma_r", |v: Value| number(&v).map(|x| {
        let (value, sign) = mathematics::lgamma(x);
        [Value::Number(value), Value::Number(f64::from(sign))].into_iter().collect()
    })),
    plain!("frexp", |v: Value| number(&v).map(|x| {
        let (fraction, exponent) = if x.is_finite() { libm::frexp(x) } else { (x, 0) };
        [Value::Number(fraction), Value::Number(f64::from(exponent))].into_iter().collect()
    })),
    plain!("modf", |v: Value| number(&v).map(|x| {
        let fraction = if x.is_infinite() { 0f64.copysign(x) } else { x - x.trunc() };
        [Value::Number(fraction.copysign(x)), Value::Number(x.trunc())].into_iter().collect()
    })),
    plain!("isinfinite", |v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_infinite)))),
    plain!("isnan", |v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_nan)))),
    plain!("isnormal", |v: Value| Ok(Value::Bool(v.as_f64().is_some_and(f64::is_normal)))),
    one("pow", TWO, |cv| of_two(cv, f64::powf)),
    one("atan2", TWO, |cv| of_two(cv, f64::atan2)),
    one("fmod", TWO, |cv| of_two(cv, |x, y| x % y)),
    one("ldexp", TWO, |cv| of_two(cv, ldexp)),
    one("scalb", TWO, |cv| of_two(cv, scalb)),
    one("scalbln", TWO, |cv| of_two(cv, scalbln)),
    one("nextafter", TWO, |cv| of_two(cv, libm::nextafter)),
    one("nexttoward", TWO, |cv| of_two(cv, libm::nextafter)),
    one("copysign", TWO, |cv| of_two(cv, f64::copysign)),
    one("drem", TWO, |cv| of_two(cv, drem)),
    one("remainder", TWO, |cv| of_two(cv, drem)),
    one("hypot", TWO, |cv| of_two(cv, f64::hypot)),
    one("fdim", TWO, |cv| of_two(cv, libm::fdim)),
    one("fmax", TWO, |cv| of_two(cv, f64::max)),
    one("fmin", TWO, |cv| of_two(cv, f64::min)),
    one("jn", TWO, |cv| of_two(cv, |n, x| mathematics::jn(to_int(n), x))),
    one("yn", TWO, |cv| of_two(cv, |n, x| mathematics::yn(to_int(n), x))),
    one("fma", &[Param::Value, Param::Value, Param::Value], |mut cv| {
        let (z, y, x) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
        give((|| Ok(Value::Number(number(&x)?.mul_add(number(&y)?, number(&z)?))))())
    }),
];
