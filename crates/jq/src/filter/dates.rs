//! Dates as jq has them: C's broken-down time as an array, `strftime` and `strptime`.

use super::natives::{Outcome, fail};
use crate::value::{Failure, Value};
use chrono::{Offset, TimeZone};
use std::fmt::Write;

/// Broken-down time; months and days of the year count from 0, as in C.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: f64,
    weekday: i64,
    yearday: i64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Days since 1970 of a day in the proleptic Gregorian calendar; months from 0, any day number.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12) + 1;
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Time {
    fn from_seconds(seconds: f64) -> Self {
        // jq takes the fraction from below zero as well, and the other fields from the number without it.
        let fraction = seconds - seconds.floor();
        let whole = seconds.trunc() as i64;
        let day = whole.div_euclid(86_400);
        let rest = whole.rem_euclid(86_400);
        let z = day + 719_468;
        let era = z.div_euclid(146_097);
        let of_era = z.rem_euclid(146_097);
        let y = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * y + y / 4 - y / 100);
        let m = (5 * of_year + 2) / 153;
        let month = if m < 10 { m + 2 } else { m - 10 };
        let year = y + era * 400 + i64::from(month < 2);
        Self {
            year,
            month,
            day: of_year - (153 * m + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: (rest % 60) as f64 + fraction,
            weekday: (day + 4).rem_euclid(7),
            yearday: day - days(year, 0, 1),
        }
    }

    fn day_of_week(&self) -> i64 {
        (days(self.year, self.month, self.day) + 4).rem_euclid(7)
    }

    /// From 0 on.
    fn day_of_year(&self) -> i64 {
        days(self.year, self.month, self.day) - days(self.year, 0, 1)
    }

    /// Takes month and day, as far as they were not read, from the day of the year.
    fn set_day_of_year(&mut self, seen: Seen) {
        let at = Time { month: 0, day: self.yearday + 1, second: 0.0, ..*self }.normal();
        if !seen.month {
            self.month = at.month;
        }
        if !seen.day {
            self.day = at.day;
        }
    }

    /// Seconds since 1970, taking the fields as UTC.
    fn seconds(&self) -> i64 {
        let day = days(self.year, self.month, self.day);
        day * 86_400 + self.hour * 3600 + self.minute * 60 + self.second.floor() as i64
    }

    /// The same moment with all fields in their ranges.
    fn normal(&self) -> Self {
        Self::from_seconds(self.seconds() as f64)
    }

    fn into_value(self) -> Value {
        let whole = [self.year, self.month, self.day, self.hour, self.minute];
        let numbers = whole.into_iter().map(|n| Value::Number(n as f64));
        let rest = [self.second, self.weekday as f64, self.yearday as f64].map(Value::Number);
        numbers.chain(rest).collect()
    }

    fn from_value(v: &Value, name: &str) -> Result<Self, Failure> {
        let Some(fields) = v.as_array() else {
            return fail(format!("{name} requires array inputs"));
        };
        let mut numbers = [0.0; 8];
        for (i, field) in fields.iter().enumerate() {
            match (field.as_f64(), numbers.get_mut(i)) {
                (Some(x), Some(slot)) if !x.is_nan() => *slot = x,
                (_, None) => {}
                _ => return fail(format!("{name} requires parsed datetime inputs")),
            }
        }
        let int = |i: usize| numbers[i].clamp(-1e15, 1e15) as i64;
        if numbers.iter().any(|x| x.abs() > f64::from(i32::MAX)) {
            return fail(format!("{name} requires parsed datetime inputs"));
        }
        Ok(Self {
            year: int(0),
            month: int(1),
            day: int(2),
            hour: int(3),
            minute: int(4),
            second: numbers[5],
            weekday: int(6),
            yearday: int(7),
        })
    }
}

pub fn now() -> Outcome {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(Value::Number(since.map_or(0.0, |d| d.as_micros() as f64 / 1e6)))
}

pub fn mktime(v: Value) -> Outcome {
    Ok(Value::Number(Time::from_value(&v, "mktime")?.seconds() as f64))
}

pub fn gmtime(v: Value) -> Outcome {
    match v.as_f64() {
        Some(x) if x.abs() < 6.7e16 => Ok(Time::from_seconds(x).into_value()),
        Some(_) => fail("error converting number of seconds since epoch to datetime"),
        None => fail("gmtime() requires numeric inputs"),
    }
}

/// The local time zone's distance from UTC at a moment.
fn offset(seconds: f64) -> i64 {
    let moment = chrono::DateTime::from_timestamp(seconds.floor() as i64, 0);
    let local = moment.map(|m| chrono::Local.offset_from_utc_datetime(&m.naive_utc()));
    local.map_or(0, |o| i64::from(o.fix().local_minus_utc()))
}

pub fn localtime(v: Value) -> Outcome {
    match v.as_f64() {
        Some(x) if x.abs() < 6.7e16 => Ok(Time::from_seconds(x + offset(x) as f64).into_value()),
        Some(_) => fail("error converting number of seconds since epoch to datetime"),
        None => fail("localtime() requires numeric inputs"),
    }
}

pub fn strftime(v: Value, format: Value) -> Outcome {
    let (time, text) = arguments(v, &format, "strftime/1", 0)?;
    Ok(Value::from(print(&time, text, "GMT", 0)))
}

pub fn strflocaltime(v: Value, format: Value) -> Outcome {
    let zone = match v.as_f64() {
        Some(x) => offset(x),
        None => Time::from_value(&v, "strflocaltime/1").map_or(0, |t| offset(t.seconds() as f64)),
    };
    let (time, text) = arguments(v, &format, "strflocaltime/1", zone)?;
    let name = zone_name(zone);
    Ok(Value::from(print(&time, text, &name, zone)))
}

/// The zone's abbreviation, where the environment tells; its distance from UTC elsewhere.
fn zone_name(zone: i64) -> String {
    match time_zone() {
        _ if zone == 0 => "UTC".into(),
        Some(name) if name.len() < 6 && name.bytes().all(|b| b.is_ascii_alphabetic()) => name,
        _ => format!("{}{:02}", if zone < 0 { '-' } else { '+' }, zone.abs() / 3600),
    }
}

fn arguments<'f>(v: Value, format: &'f Value, name: &str, zone: i64) -> Result<(Time, &'f str), Failure> {
    let time = match v.as_f64() {
        Some(x) => Time::from_seconds(x + zone as f64),
        None if v.as_array().is_some() => Time::from_value(&v, name)?.normal(),
        None => return fail(format!("{name} requires parsed datetime inputs")),
    };
    match format.as_str() {
        Some(format) => Ok((time, format)),
        None => fail(format!("{name} requires a string format")),
    }
}

fn print(t: &Time, format: &str, zone: &str, offset: i64) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        // Padding flags of the GNU library.
        let mut flag = None;
        while let Some(f @ ('-' | '_' | '0' | '^' | 'E' | 'O')) = directive {
            flag = Some(f);
            directive = chars.next();
        }
        let start = out.len();
        print_field(&mut out, t, directive, zone, offset);
        match flag {
            Some('-') => {
                let trimmed = out[start..].trim_start_matches(['0', ' ']).to_owned();
                let trimmed = if trimmed.is_empty() { "0".into() } else { trimmed };
                out.replace_range(start.., &trimmed);
            }
            Some('_') => {
                let zeros = out[start..].bytes().take_while(|b| *b == b'0').count();
                let zeros = zeros.min((out.len() - start).saturating_sub(1));
                out.replace_range(start..start + zeros, &" ".repeat(zeros));
            }
            Some('^') => {
                let upper = out[start..].to_uppercase();
                out.replace_range(start.., &upper);
            }
            _ => {}
        }
    }
    out
}

fn print_field(out: &mut String, t: &Time, directive: Option<char>, zone: &str, offset: i64) {
    let day = DAYS[t.weekday.rem_euclid(7) as usize];
    let month = MONTHS[t.month.rem_euclid(12) as usize];
    let hour12 = if t.hour % 12 == 0 { 12 } else { t.hour % 12 };
    let second = t.second as i64;
    let (iso_year, iso_week) = iso_week(t);
    let again = |out: &mut String, format| out.write_str(&print(t, format, zone, offset));
    _ = match directive {
        Some('Y') => write!(out, "{}", t.year),
        Some('C') => write!(out, "{:02}", t.year.div_euclid(100)),
        Some('y') => write!(out, "{:02}", t.year.rem_euclid(100)),
        Some('m') => write!(out, "{:02}", t.month + 1),
        Some('d') => write!(out, "{:02}", t.day),
        Some('e') => write!(out, "{:2}", t.day),
        Some('H') => write!(out, "{:02}", t.hour),
        Some('k') => write!(out, "{:2}", t.hour),
        Some('I') => write!(out, "{hour12:02}"),
        Some('l') => write!(out, "{hour12:2}"),
        Some('M') => write!(out, "{:02}", t.minute),
        Some('S') => write!(out, "{second:02}"),
        Some('j') => write!(out, "{:03}", t.yearday + 1),
        Some('a') => write!(out, "{}", &day[..3]),
        Some('A') => write!(out, "{day}"),
        Some('b' | 'h') => write!(out, "{}", &month[..3]),
        Some('B') => write!(out, "{month}"),
        Some('p') => write!(out, "{}", if t.hour < 12 { "AM" } else { "PM" }),
        Some('P') => write!(out, "{}", if t.hour < 12 { "am" } else { "pm" }),
        Some('s') => write!(out, "{}", t.seconds() - offset),
        Some('u') => write!(out, "{}", if t.weekday == 0 { 7 } else { t.weekday }),
        Some('w') => write!(out, "{}", t.weekday),
        Some('U') => write!(out, "{:02}", (t.yearday + 7 - t.weekday) / 7),
        Some('W') => write!(out, "{:02}", (t.yearday + 7 - (t.weekday + 6) % 7) / 7),
        Some('G') => write!(out, "{iso_year}"),
        Some('g') => write!(out, "{:02}", iso_year.rem_euclid(100)),
        Some('V') => write!(out, "{iso_week:02}"),
        Some('Z') => write!(out, "{zone}"),
        Some('z') => {
            let sign = if offset < 0 { '-' } else { '+' };
            write!(out, "{sign}{:02}{:02}", offset.abs() / 3600, offset.abs() / 60 % 60)
        }
        Some('n') => writeln!(out),
        Some('t') => write!(out, "\t"),
        Some('%') => write!(out, "%"),
        Some('D' | 'x') => again(out, "%m/%d/%y"),
        Some('F') => again(out, "%Y-%m-%d"),
        Some('T' | 'X') => again(out, "%H:%M:%S"),
        Some('R') => again(out, "%H:%M"),
        Some('r') => again(out, "%I:%M:%S %p"),
        Some('c') => again(out, "%a %b %e %H:%M:%S %Y"),
        Some(other) => write!(out, "%{other}"),
        None => write!(out, "%"),
    };
}

/// The year and week of ISO 8601.
fn iso_week(t: &Time) -> (i64, i64) {
    let weekday = (t.weekday + 6) % 7;
    let week = (t.yearday - weekday + 10) / 7;
    let weeks_in = |year: i64| {
        let first = (days(year, 0, 1) + 3).rem_euclid(7);
        let leap = days(year + 1, 0, 1) - days(year, 0, 1) == 366;
        if first == 3 || (leap && first == 2) { 53 } else { 52 }
    };
    match week {
        0 => (t.year - 1, weeks_in(t.year - 1)),
        53 if weeks_in(t.year) == 52 => (t.year + 1, 1),
        w => (t.year, w),
    }
}

pub fn strptime(v: Value, format: Value) -> Outcome {
    let (Value::String(text), Value::String(pattern)) = (&v, &format) else {
        return fail("strptime/1 requires string inputs and arguments");
    };
    let mut reader = Reader {
        rest: text,
        time: Time { year: 1900, weekday: 8, yearday: 367, ..Time::default() },
        afternoon: None,
        seen: Seen::default(),
    };
    if reader.read(pattern).is_none() || !reader.rest.is_empty() {
        let (text, pattern) = (text.as_str(), pattern.as_str());
        return fail(format!("date \"{text}\" does not match format \"{pattern}\""));
    }
    Ok(reader.complete().into_value())
}

/// Which parts of a date were read; the others follow from them.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// A part that the day of the week and of the year depend on.
    date: bool,
    month: bool,
    day: bool,
    weekday: bool,
    yearday: bool,
    /// The number of a week, and the day of the week with which weeks begin.
    week: Option<(i64, i64)>,
}

/// Reads a time by a format; `None` where it does not match.
struct Reader<'s> {
    rest: &'s str,
    time: Time,
    afternoon: Option<bool>,
    seen: Seen,
}

impl Reader<'_> {
    /// Works out what the text did not say, as the GNU C library's strptime(3) does and jq after it.
    fn complete(self) -> Time {
        let Reader { mut time, afternoon, mut seen, .. } = self;
        if let Some(afternoon) = afternoon {
            time.hour = time.hour % 12 + if afternoon { 12 } else { 0 };
        }
        if seen.date && !seen.weekday {
            if seen.yearday && !(seen.month && seen.day) {
                time.set_day_of_year(seen);
                (seen.month, seen.day) = (true, true);
            }
            time.weekday = time.day_of_week();
        }
        if seen.date && !seen.yearday {
            time.yearday = time.day_of_year();
        }
        if let (Some((week, first)), true) = (seen.week, seen.weekday) {
            let new_year = Time { month: 0, day: 1, ..time }.day_of_week();
            if !seen.yearday {
                time.yearday = (7 - (new_year - first)) % 7 + (week - 1) * 7 + (time.weekday - first + 7) % 7;
            }
            if !(seen.month && seen.day) {
                time.set_day_of_year(seen);
            }
        }
        if (1..=31).contains(&time.day) {
            if time.weekday == 8 {
                time.weekday = time.day_of_week();
            }
            if time.yearday == 367 {
                time.yearday = time.day_of_year();
            }
        }
        time
    }

    fn read(&mut self, format: &str) -> Option<()> {
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                self.rest = self.rest.trim_start();
                continue;
            }
            if c != '%' {
                self.rest = self.rest.strip_prefix(c)?;
                continue;
            }
            let mut directive = chars.next()?;
            while matches!(directive, 'E' | 'O' | '-' | '_' | '0' | '^') {
                directive = chars.next()?;
            }
            self.field(directive)?;
        }
        Some(())
    }

    /// A number of at most so many digits, in a range.
    fn number(&mut self, digits: usize, low: i64, high: i64) -> Option<i64> {
        self.rest = self.rest.trim_start();
        let len = self.rest.bytes().take(digits).take_while(u8::is_ascii_digit).count();
        let n = self.rest[..len].parse().ok()?;
        self.rest = &self.rest[len..];
        (low..=high).contains(&n).then_some(n)
    }

    fn name(&mut self, names: &[&str]) -> Option<i64> {
        let starts = |name: &str| self.rest.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
        let whole = names.iter().position(|n| starts(n)).map(|i| (i, names[i].len()));
        let (i, len) = whole.or_else(|| names.iter().position(|n| starts(&n[..3])).map(|i| (i, 3)))?;
        self.rest = &self.rest[len..];
        Some(i as i64)
    }

    fn field(&mut self, directive: char) -> Option<()> {
        match directive {
            'Y' => {
                self.seen.date = true;
                let negative = self.rest.starts_with('-');
                self.rest = self.rest.trim_start_matches(['-', '+']);
                let year = self.number(4, 0, 9999)?;
                self.time.year = if negative { -year } else { year };
            }
            'C' => {
                self.time.year = self.number(2, 0, 99)? * 100;
                self.seen.date = true;
            }
            'y' => {
                self.seen.date = true;
                let y = self.number(2, 0, 99)?;
                self.time.year = if y < 69 { 2000 + y } else { 1900 + y };
            }
            'm' => {
                self.time.month = self.number(2, 1, 12)? - 1;
                (self.seen.date, self.seen.month) = (true, true);
            }
            'd' | 'e' => {
                self.time.day = self.number(2, 1, 31)?;
                (self.seen.date, self.seen.day) = (true, true);
            }
            'H' | 'k' => self.time.hour = self.number(2, 0, 23)?,
            'I' | 'l' => self.time.hour = self.number(2, 1, 12)? % 12,
            'M' => self.time.minute = self.number(2, 0, 59)?,
            'S' => self.time.second = self.number(2, 0, 61)? as f64,
            'j' => {
                self.time.yearday = self.number(3, 1, 366)? - 1;
                self.seen.yearday = true;
            }
            'a' | 'A' => {
                self.time.weekday = self.name(&DAYS)?;
                self.seen.weekday = true;
            }
            'b' | 'B' | 'h' => {
                self.time.month = self.name(&MONTHS)?;
                (self.seen.date, self.seen.month) = (true, true);
            }
            'p' | 'P' => {
                let half = self.rest.get(..2)?.to_ascii_uppercase();
                self.afternoon = Some(match half.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                self.rest = &self.rest[2..];
            }
            's' => {
                let sign = if self.rest.starts_with('-') { -1.0 } else { 1.0 };
                self.rest = self.rest.trim_start_matches('-');
                let seconds = self.number(18, 0, i64::MAX)? as f64 * sign;
                self.time = Time::from_seconds(seconds);
            }
            'u' => {
                self.time.weekday = self.number(1, 1, 7)? % 7;
                self.seen.weekday = true;
            }
            'w' => {
                self.time.weekday = self.number(1, 0, 6)?;
                self.seen.weekday = true;
            }
            'U' => self.seen.week = Some((self.number(2, 0, 53)?, 0)),
            'W' => self.seen.week = Some((self.number(2, 0, 53)?, 1)),
            'V' => _ = self.number(2, 0, 53)?,
            'G' => _ = self.number(4, 0, 9999)?,
            'g' => _ = self.number(2, 0, 99)?,
            'z' => self.zone()?,
            'Z' => self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
            'n' | 't' => self.rest = self.rest.trim_start(),
            '%' => self.rest = self.rest.strip_prefix('%')?,
            'D' | 'x' => self.read("%m/%d/%y")?,
            'F' => self.read("%Y-%m-%d")?,
            'T' | 'X' => self.read("%H:%M:%S")?,
            'R' => self.read("%H:%M")?,
            'r' => self.read("%I:%M:%S %p")?,
            'c' => self.read("%a %b %e %H:%M:%S %Y")?,
            _ => return None,
        }
        Some(())
    }

    /// `+hh`, `+hhmm`, `+hh:mm` or `Z`; read and, as in jq, not used.
    fn zone(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Some(());
        }
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        self.number(2, 0, 99)?;
        self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.number(2, 0, 59)?;
        }
        Some(())
    }
}

/// The local time zone, if it is named: `TZ`.
fn time_zone() -> Option<String> {
    std::env::var_os("TZ").filter(|zone| !zone.is_empty()).map(|zone| zone.to_string_lossy().into_owned())
}
