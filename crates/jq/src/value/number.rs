//! Numbers: doubles, and literals that keep their text until something is calculated with them.

use super::Value;
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

/// The greatest exponent of jq's decimal library in scientific notation: beyond it a literal is infinite.
const MAX_EXPONENT: i64 = 999_999_999;

/// The exponent of the smallest number of jq's decimal library (its `Etiny`, for the 147,483,648 digits that jq asks for):
/// what is smaller is zero.
const MIN_EXPONENT: i64 = -1_147_483_646;

/// A decimal number: its digits as they are written, and the place of its point.
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn new(text: &'a str) -> Self {
        let negative = text.starts_with('-');
        let rest = text.trim_start_matches(['-', '+']);
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        // Far beyond all limits, and so far from those of the type that lengths can be added.
        const FAR: i64 = i64::MAX / 4;
        let exponent = match exponent.parse::<i64>() {
            Ok(exponent) => exponent.clamp(-FAR, FAR),
            Err(_) if exponent.starts_with('-') => -FAR,
            Err(_) => FAR,
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        Self { negative, whole, fraction, exponent }
    }

    /// All digits, from the first that is not zero.
    fn digits(&self) -> impl Iterator<Item = u8> {
        let zeros = self.leading_zeros();
        let all = self.whole.as_bytes().iter().chain(self.fraction.as_bytes());
        all.skip(zeros).copied()
    }

    fn leading_zeros(&self) -> usize {
        let all = self.whole.bytes().chain(self.fraction.bytes());
        all.take_while(|digit| *digit == b'0').count()
    }

    /// How many digits there are from the first that is not zero on.
    fn len(&self) -> usize {
        self.whole.len() + self.fraction.len() - self.leading_zeros()
    }

    /// The exponent of the first digit that is not zero.
    fn adjusted(&self) -> i64 {
        self.exponent - self.fraction.len() as i64 + self.len() as i64 - 1
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.len() == 0 || self.adjusted() < MIN_EXPONENT, self.negative) {
            (true, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }

    /// Compares the sizes of two numbers that are not zero.
    fn compare_size(&self, other: &Self) -> Ordering {
        let (a, b) = (self.adjusted(), other.adjusted());
        if a > MAX_EXPONENT && b > MAX_EXPONENT {
            return Ordering::Equal;
        }
        let n = self.len().max(other.len());
        let padded = |digits| Iterator::take(Iterator::chain(digits, std::iter::repeat(b'0')), n);
        a.cmp(&b).then_with(|| padded(self.digits()).cmp(padded(other.digits())))
    }
}

/// Compares two number texts exactly, as jq's decimal library does: numbers beyond its exponents are infinite or zero.
fn compare_texts(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (a, b) = (Decimal::new(a), Decimal::new(b));
    let (sa, sb) = (a.sign(), b.sign());
    if sa != sb || sa == 0 {
        return sa.cmp(&sb);
    }
    let size = a.compare_size(&b);
    if sa < 0 { size.reverse() } else { size }
}

/// True if the number is an integer that a double tells from its neighbours: then it may as well be a literal.
fn is_exact_integer(x: f64) -> bool {
    x == x.trunc() && x.abs() < (1u64 << 53) as f64
}

/// True if equal doubles mean equal numbers: a double tells all decimals of 15 digits apart.
fn is_short(text: &str) -> bool {
    text.len() <= 15 && !text.bytes().any(|b| matches!(b, b'e' | b'E'))
}

/// Compares two number texts exactly; their doubles decide most pairs, and faster.
pub fn compare_literals(a: &str, b: &str) -> Ordering {
    match parse(a).partial_cmp(&parse(b)) {
        Some(Ordering::Equal) if is_short(a) && is_short(b) => Ordering::Equal,
        Some(Ordering::Equal) | None => compare_texts(a, b),
        Some(order) => order,
    }
}

/// Compares a number text with a double as operators do: exactly if the double is an integer, else as doubles, since what
/// was calculated has no more digits.
pub fn compare_with_text(x: f64, text: &str) -> Ordering {
    let y = parse(text);
    match x.partial_cmp(&y) {
        Some(Ordering::Equal) if is_exact_integer(x) && !is_short(text) => compare_texts(&(x as i64).to_string(), text),
        Some(order) => order,
        None => Ordering::Less,
    }
}

/// Compares a number text with a double for sorting: by the digits that the double prints as. That is a total order over
/// texts and doubles; to compare as doubles only where one of the two was calculated is none.
pub fn order_with_text(x: f64, text: &str) -> Ordering {
    match x.partial_cmp(&parse(text)) {
        Some(Ordering::Equal) if is_short(text) => Ordering::Equal,
        Some(Ordering::Equal) if x.is_finite() => compare_texts(&format(x), text),
        // Infinity is beyond every literal.
        Some(Ordering::Equal) => x.total_cmp(&0.0),
        Some(order) => order,
        None => Ordering::Less,
    }
}

/// A literal's text without its sign, and without the sign of a zero when it is negated: jq's decimal library has no
/// negative zero as a result.
pub fn negated(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) => rest.to_owned(),
        None if Decimal::new(text).sign() == 0 => text.to_owned(),
        None => format!("-{text}"),
    }
}

/// A literal of a program; one that is beyond all exponents is infinite.
pub fn literal(text: &str) -> Value {
    let d = Decimal::new(text);
    match d.sign() != 0 && d.adjusted() > MAX_EXPONENT {
        true => Value::Number(f64::INFINITY.copysign(f64::from(d.sign()))),
        false => Value::Literal(canonical(text).into()),
    }
}

/// A literal's text as jq's decimal library prints it: `1.10`, `1E+1000`, `1.00` for `100e-2`.
pub fn canonical(text: &str) -> String {
    let d = Decimal::new(text);
    let digits = String::from_utf8(d.digits().collect()).expect("digits are ASCII");
    let zero = digits.is_empty() || d.adjusted() < MIN_EXPONENT;
    if !zero && d.adjusted() > MAX_EXPONENT {
        return format(parse(text));
    }
    let digits = if zero { "0" } else { &digits };
    let mut exponent = d.exponent - d.fraction.len() as i64;
    if zero {
        exponent = exponent.clamp(MIN_EXPONENT, MAX_EXPONENT);
    }
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
        assert_eq!(compare_texts("1e-400", "0"), Ordering::Greater);
        assert_eq!(compare_texts("-1e-400", "-1e-401"), Ordering::Less);
        assert_eq!(compare_texts("0.00120", "12e-4"), Ordering::Equal);
        assert_eq!(compare_texts("1e9223372036854775807", "1e1000000000"), Ordering::Equal);
        assert_eq!(compare_texts("-1e99999999999999999999", "5"), Ordering::Less);
        assert_eq!(compare_texts("1e-9223372036854775808", "0"), Ordering::Equal);
        assert_eq!(compare_texts("1e999999999", "1e999999998"), Ordering::Greater);
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
