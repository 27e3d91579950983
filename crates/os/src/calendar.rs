//! The C library's calendar: gmtime(3), localtime(3), timegm(3), strftime(3) and strptime(3).
//!
//! The time zone is that of tzset(3): `TZ` from the environment, or else the system's.

use std::{
    ffi::{CStr, CString},
    mem::MaybeUninit,
};

/// C's broken-down time. Months, days of the week and days of the year count from 0; years are complete, such as 2026.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokenDown {
    pub year: i64,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    /// from 0, Sunday
    pub weekday: i32,
    pub yearday: i32,
    /// the zone's abbreviation
    pub zone: String,
    /// seconds east of Greenwich
    pub offset: i64,
    /// daylight saving time; `None` if unknown
    pub summer: Option<bool>,
}

impl BrokenDown {
    fn of(tm: &libc::tm) -> Self {
        let zone = match tm.tm_zone.is_null() {
            true => String::new(),
            // SAFETY: gmtime_r(3) and localtime_r(3) set a pointer to a string that lives as long as the process.
            false => unsafe { CStr::from_ptr(tm.tm_zone) }.to_string_lossy().into_owned(),
        };
        Self {
            year: i64::from(tm.tm_year) + 1900,
            month: tm.tm_mon,
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            weekday: tm.tm_wday,
            yearday: tm.tm_yday,
            zone,
            offset: tm.tm_gmtoff,
            summer: u8::try_from(tm.tm_isdst).ok().map(|is| is > 0),
        }
    }

    /// The C structure; `zone` has to outlive it. `None` if the year does not fit.
    fn to_c(&self, zone: &CStr) -> Option<libc::tm> {
        let mut tm = blank();
        tm.tm_year = i32::try_from(self.year - 1900).ok()?;
        tm.tm_mon = self.month;
        tm.tm_mday = self.day;
        tm.tm_hour = self.hour;
        tm.tm_min = self.minute;
        tm.tm_sec = self.second;
        tm.tm_wday = self.weekday;
        tm.tm_yday = self.yearday;
        tm.tm_isdst = self.summer.map_or(-1, i32::from);
        tm.tm_gmtoff = self.offset;
        tm.tm_zone = zone.as_ptr().cast_mut();
        Some(tm)
    }

    /// Seconds since 1970, taking the fields as UTC; fields beyond their ranges carry over. `None` if the year overflows.
    pub fn utc_seconds(&self) -> Option<i64> {
        let mut tm = self.to_c(c"GMT")?;
        // SAFETY: timegm(3) reads and normalizes the structure.
        Some(unsafe { libc::timegm(&mut tm) })
    }

    /// Seconds since 1970, taking the fields as local time.
    pub fn local_seconds(&self) -> Option<i64> {
        let mut tm = self.to_c(c"")?;
        tm.tm_isdst = -1;
        // SAFETY: mktime(3) reads and normalizes the structure.
        Some(unsafe { libc::mktime(&mut tm) })
    }

    /// Formats the time; `None` if the text is longer than `limit` bytes, or the year overflows.
    pub fn format(&self, format: &str, limit: usize) -> Option<String> {
        // A space makes sure that the result is not empty: strftime(3) returns 0 both for an empty text and for a full buffer.
        let format = CString::new(format!("{} ", up_to_nul(format))).ok()?;
        let zone = CString::new(up_to_nul(&self.zone)).ok()?;
        let tm = self.to_c(&zone)?;
        let mut buffer = vec![0u8; limit + 2];
        // SAFETY: the buffer has the length given, format and zone end with NUL and outlive the call.
        let length = unsafe { libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(), &tm) };
        buffer.truncate(length.checked_sub(1)?);
        Some(String::from_utf8_lossy(&buffer).into_owned())
    }

    /// Parses a text by a format into these fields. Returns the rest of the text; `None` if it does not match.
    pub fn read<'t>(&mut self, text: &'t str, format: &str) -> Option<&'t str> {
        let whole = up_to_nul(text);
        let (c_text, c_format) = (CString::new(whole).ok()?, CString::new(up_to_nul(format)).ok()?);
        let mut tm = self.to_c(c"")?;
        // SAFETY: both strings end with NUL; the returned pointer is into the first, or null.
        let left = unsafe {
            let end = libc::strptime(c_text.as_ptr(), c_format.as_ptr(), &mut tm);
            if end.is_null() { None } else { Some(CStr::from_ptr(end).to_bytes().len()) }
        };
        tm.tm_zone = std::ptr::null_mut();
        *self = Self::of(&tm);
        whole.get(whole.len() - left?..)
    }
}

fn blank() -> libc::tm {
    // SAFETY: the structure is made of integers and a pointer, for which all zeros are valid.
    unsafe { MaybeUninit::<libc::tm>::zeroed().assume_init() }
}

fn up_to_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

/// The UTC time of a moment, given in seconds since 1970; `None` if its year does not fit C's `int`.
pub fn utc(seconds: i64) -> Option<BrokenDown> {
    let mut tm = blank();
    // SAFETY: both pointers are valid; gmtime_r(3) returns null if it has not filled the structure.
    let filled = unsafe { !libc::gmtime_r(&seconds, &mut tm).is_null() };
    filled.then(|| BrokenDown::of(&tm))
}

/// The local time of a moment, given in seconds since 1970; `None` if its year does not fit C's `int`.
pub fn local(seconds: i64) -> Option<BrokenDown> {
    let mut tm = blank();
    // SAFETY: as in `utc`. localtime_r(3) is not required to read the time zone, so tzset(3) does; nothing changes the
    // environment while the program runs.
    let filled = unsafe {
        tzset();
        !libc::localtime_r(&seconds, &mut tm).is_null()
    };
    filled.then(|| BrokenDown::of(&tm))
}

unsafe extern "C" {
    // The libc crate does not declare it for all systems.
    fn tzset();
}
