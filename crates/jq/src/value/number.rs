//! Numbers: doubles, and literals that keep their text until something is calculated with them.

use std::cmp::Ordering;

/// The text of a double as jq prints it: the shortest digits that read back as the same number.
pub fn format(x: f64) -> String {
    if x.is_nan() {
        return "null".into();
    }
    let x = x.clamp(f64::MIN, f64::MAX);
    if x == x.trunc() && x.abs() < 1e15 && !(x == 0.0 && x.is_sign_negative()) {
        return (x as i64).to_string();
    }
    let text = format!("{x:e}");
    let (mantissa, exponent) = text.split_once('e').expect("the e format has an e");
    let exponent: i32 = exponent.parse().expect("the e format has an exponent");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    // the place of the decimal point, counted from the first digit
    let point = exponent + 1;
    let n = digits.len() as i32;
    let body = if point <= -5 + 1 || point > n + 15 {
        let fraction = if n > 1 { format!(".{}", &digits[1..]) } else { String::new() };
        let (minus, e) = if exponent < 0 { ('-', -exponent) } else { ('+', exponent) };
        format!("{}{fraction}e{minus}{e:02}", &digits[..1])
    } else if point <= 0 {
        format!("0.{}{digits}", "0".repeat(-point as usize))
    } else if point >= n {
        format!("{digits}{}", "0".repeat((point - n) as usize))
    } else {
        format!("{}.{}", &digits[..point as usize], &digits[point as usize..])
    };
    format!("{sign}{body}")
}

/// True if the text is what [`format()`] prints for the number, so that the text need not be kept.
pub fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let plain = digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit);
    plain && (digits[0] != b'0' || text == "0")
}

pub fn parse(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// A decimal number as sign, digits without leading or trailing zeros, and the place of its point.
struct Decimal<'a> {
    negative: bool,
    digits: Vec<u8>,
    /// the number is 0.digits × 10^point
    point: i64,
    text: &'a str,
}

impl<'a> Decimal<'a> {
    fn new(text: &'a str) -> Self {
        let negative = text.starts_with('-');
        let rest = text.trim_start_matches(['-', '+']);
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let exponent: i64 = exponent.parse().unwrap_or(match exponent.starts_with('-') {
            true => i64::MIN / 4,
            false => i64::MAX / 4,
        });
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().take_while(|d| **d == b'0').count();
        let point = whole.len() as i64 - zeros as i64 + exponent;
        let mut digits = digits[zeros..].to_vec();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        Self { negative, digits, point, text }
    }
}

/// Compares two number texts exactly.
pub fn compare_texts(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = (Decimal::new(a), Decimal::new(b));
    let sign = |d: &Decimal<'_>| match (d.digits.is_empty(), d.negative) {
        (true, _) => 0,
        (_, true) => -1,
        (_, false) => 1,
    };
    let (sa, sb) = (sign(&a), sign(&b));
    if sa != sb || sa == 0 {
        return sa.cmp(&sb);
    }
    let size = a.point.cmp(&b.point).then_with(|| a.digits.cmp(&b.digits));
    if sa < 0 { size.reverse() } else { size }
}

/// A literal's text as jq's decimal library prints it: `1.10`, `1E+1000`, `1.00` for `100e-2`.
pub fn canonical(text: &str) -> String {
    let d = Decimal::new(text);
    let rest = d.text.trim_start_matches(['-', '+']);
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent: i64 = match exponent.parse() {
        Ok(e) if (-999_999_999..=999_999_999).contains(&e) => e,
        _ => return format(parse(text)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let trimmed = all.trim_start_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    let exponent = exponent - fraction.len() as i64;
    let adjusted = exponent + digits.len() as i64 - 1;
    let sign = if d.negative { "-" } else { "" };
    if exponent <= 0 && adjusted >= -6 {
        let places = -exponent as usize;
        if places == 0 {
            return format!("{sign}{digits}");
        }
        if digits.len() > places {
            let (w, f) = digits.split_at(digits.len() - places);
            return format!("{sign}{w}.{f}");
        }
        return format!("{sign}0.{}{digits}", "0".repeat(places - digits.len()));
    }
    let fraction = if digits.len() > 1 { format!(".{}", &digits[1..]) } else { String::new() };
    let e = if adjusted < 0 { '-' } else { '+' };
    format!("{sign}{}{fraction}E{e}{}", &digits[..1], adjusted.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_jq_prints_them() {
        for (x, text) in [
            (1e15, "1000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "123456789012345680"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (-0.0, "-0"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(format(x), text);
        }
    }

    #[test]
    fn literals_compare_exactly() {
        assert_eq!(compare_texts("1.000", "1"), Ordering::Equal);
        assert_eq!(compare_texts("100e-2", "1"), Ordering::Equal);
        assert_eq!(compare_texts("10000000000000000000000000000001", "1e31"), Ordering::Greater);
        assert_eq!(compare_texts("-2", "1"), Ordering::Less);
        assert_eq!(compare_texts("-0", "0"), Ordering::Equal);
    }

    #[test]
    fn canonical_texts() {
        for (text, wanted) in
            [("100e-2", "1.00"), ("1e1000", "1E+1000"), ("1.10", "1.10"), ("0.00", "0.00"), ("-1.5e3", "-1.5E+3")]
        {
            assert_eq!(canonical(text), wanted);
        }
    }
}
