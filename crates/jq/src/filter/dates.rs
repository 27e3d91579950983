//! Dates as jq has them: C's broken-down time as an array, by the C library's own functions, as jq calls them.
//!
//! What differs from jq: `%s` is UTC's here (C takes the fields as local time).

use super::builtin::{Builtin, Outcome, fail, plain, unary};
use crate::value::{Failure, Value};
use memlatch_os::calendar::{self, BrokenDown};
use std::borrow::Cow;

#[rustfmt::skip]
pub static BUILTINS: &[Builtin] = &[
    plain!("now", |_| now()),
    plain!("mktime", mktime),
    plain!("gmtime", gmtime),
    plain!("localtime", localtime),
    unary!("strftime", strftime),
    unary!("strflocaltime", strflocaltime),
    unary!("strptime", strptime),
];

const NO_DATE: &str = "error converting number of seconds since epoch to datetime";

/// What strptime(3) leaves of the days of the week and of the year if it does not know them.
const UNKNOWN_WEEKDAY: i32 = 8;
const UNKNOWN_YEARDAY: i32 = 367;

pub fn now() -> Outcome {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(Value::Number(since.map_or(0.0, |d| d.as_micros() as f64 / 1e6)))
}

pub fn mktime(v: Value) -> Outcome {
    match from_value(&v, "mktime")?.utc_seconds() {
        Some(seconds) => Ok(Value::Number(seconds as f64)),
        None => fail("invalid gmtime representation"),
    }
}

/// The time zone in which a time is expressed as a date.
#[derive(Clone, Copy)]
enum Zone {
    Utc,
    Local,
}

impl Zone {
    fn fields(self, seconds: i64) -> Option<BrokenDown> {
        match self {
            Zone::Utc => calendar::utc(seconds),
            Zone::Local => calendar::local(seconds),
        }
    }

    fn seconds(self, time: &BrokenDown) -> Option<i64> {
        match self {
            Zone::Utc => time.utc_seconds(),
            Zone::Local => time.local_seconds(),
        }
    }
}

pub fn gmtime(v: Value) -> Outcome {
    broken_down(&v, Zone::Utc, "gmtime() requires numeric inputs")
}

pub fn localtime(v: Value) -> Outcome {
    broken_down(&v, Zone::Local, "localtime() requires numeric inputs")
}

fn broken_down(v: &Value, zone: Zone, no_number: &str) -> Outcome {
    match v.as_f64() {
        Some(x) => Ok(into_value(&at(x, zone)?, fraction(x))),
        None => fail(no_number),
    }
}

pub fn strftime(v: Value, format: Value) -> Outcome {
    formatted(&v, &format, Zone::Utc, "strftime/1")
}

pub fn strflocaltime(v: Value, format: Value) -> Outcome {
    formatted(&v, &format, Zone::Local, "strflocaltime/1")
}

fn formatted(v: &Value, format: &Value, zone: Zone, name: &str) -> Outcome {
    let text = format_text(v, format, name)?;
    let time = match v.as_f64() {
        Some(x) => at(x, zone)?,
        None => in_range(zone.seconds(&from_value(v, name)?), zone)?,
    };
    print(&time, text, name)
}

/// The fields of a moment; its fraction of a second is not among them.
fn at(seconds: f64, zone: Zone) -> Result<BrokenDown, Failure> {
    // Beyond 64 bits the conversion would give the nearest moment, not none.
    let whole = (seconds.abs() < 1e18).then_some(seconds.trunc() as i64);
    in_range(whole, zone)
}

fn in_range(seconds: Option<i64>, zone: Zone) -> Result<BrokenDown, Failure> {
    // The C library's strftime(3) counts years in an `int`, which C's own fields go beyond by 1900.
    let time = seconds.and_then(|seconds| zone.fields(seconds)).filter(|time| i32::try_from(time.year).is_ok());
    time.ok_or_else(|| Value::from(NO_DATE))
}

/// jq takes the fraction from below zero as well, and the other fields from the number without it.
fn fraction(seconds: f64) -> f64 {
    seconds - seconds.floor()
}

fn format_text<'f>(v: &Value, format: &'f Value, name: &str) -> Result<&'f str, Failure> {
    if v.as_f64().is_none() && v.as_array().is_none() {
        return fail(format!("{name} requires parsed datetime inputs"));
    }
    format.as_str().map_or_else(|| fail(format!("{name} requires a string format")), Ok)
}

fn print(time: &BrokenDown, format: &str, name: &str) -> Outcome {
    let limit = 4096 + 16 * format.len();
    match time.format(&with_seconds(format, time), limit) {
        Some(text) => Ok(Value::from(text)),
        None => fail(format!("{name}: unknown system failure")),
    }
}

/// The format with `%s` replaced: strftime(3) takes the fields as local time there, whatever their zone.
fn with_seconds<'f>(format: &'f str, time: &BrokenDown) -> Cow<'f, str> {
    if !format.contains("%s") {
        return Cow::Borrowed(format);
    }
    let seconds = time.utc_seconds().map_or(0, |seconds| seconds - time.offset).to_string();
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(i) = rest.find('%') {
        let (before, directive) = rest.split_at(i);
        out.push_str(before);
        let length = 1 + directive[1..].chars().next().map_or(0, char::len_utf8);
        out.push_str(if directive.starts_with("%s") { &seconds } else { &directive[..length] });
        rest = &directive[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

pub fn strptime(v: Value, format: Value) -> Outcome {
    let (Value::String(text), Value::String(pattern)) = (&v, &format) else {
        return fail("strptime/1 requires string inputs and arguments");
    };
    let (text, pattern) = (text.as_str(), pattern.as_str());
    // Alone, `%s` is UTC's, as it is in `strftime`.
    if let ("%s", Ok(seconds)) = (pattern, text.parse::<i64>()) {
        return gmtime(Value::Number(seconds as f64));
    }
    let mut time = BrokenDown {
        year: 1900,
        weekday: UNKNOWN_WEEKDAY,
        yearday: UNKNOWN_YEARDAY,
        summer: Some(false),
        ..BrokenDown::default()
    };
    let rest = match time.read(text, pattern) {
        Some(rest) if rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '\u{b}') => rest,
        _ => return fail(format!("date \"{text}\" does not match format \"{pattern}\"")),
    };
    complete(&mut time);
    let value = into_value(&time, 0.0);
    match rest {
        "" => Ok(value),
        rest => crate::value::add(value, Value::array(vec![Value::from(rest)])),
    }
}

/// Works out the days of the week and of the year where strptime(3) has not.
fn complete(time: &mut BrokenDown) {
    if !(1..=31).contains(&time.day) {
        return;
    }
    if let Some(known) = time.utc_seconds().and_then(calendar::utc) {
        let new_year = BrokenDown { month: 0, day: 1, ..time.clone() }.utc_seconds().unwrap_or_default();
        if time.weekday == UNKNOWN_WEEKDAY {
            time.weekday = known.weekday;
        }
        if time.yearday == UNKNOWN_YEARDAY {
            let days = time.utc_seconds().unwrap_or_default().div_euclid(86_400) - new_year.div_euclid(86_400);
            time.yearday = days as i32;
        }
    }
}

fn into_value(time: &BrokenDown, fraction: f64) -> Value {
    let whole = [time.month, time.day, time.hour, time.minute].map(f64::from);
    let rest = [f64::from(time.second) + fraction, f64::from(time.weekday), f64::from(time.yearday)];
    std::iter::once(time.year as f64).chain(whole).chain(rest).map(Value::Number).collect()
}

/// The fields of an array; those that it lacks are those of the year 1900's day 0.
fn from_value(v: &Value, name: &str) -> Result<BrokenDown, Failure> {
    let Some(fields) = v.as_array() else {
        let wanted = if name == "mktime" { "array" } else { "parsed datetime" };
        return fail(format!("{name} requires {wanted} inputs"));
    };
    let mut numbers = [1900.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (slot, field) in numbers.iter_mut().zip(fields.iter()) {
        match field.as_f64() {
            Some(x) if !x.is_nan() => *slot = x,
            _ => return fail(format!("{name} requires parsed datetime inputs")),
        }
    }
    // C counts years from 1900. What is beyond an `int` becomes the nearest one.
    let year = 1900 + i64::from((numbers[0] - 1900.0) as i32);
    let [_, month, day, hour, minute, second, weekday, yearday] = numbers.map(|x| x as i32);
    Ok(BrokenDown { year, month, day, hour, minute, second, weekday, yearday, ..BrokenDown::default() })
}
