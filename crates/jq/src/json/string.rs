//! Strings of a checked text: where they end, and what they say.

/// How many bytes at the start need no look: no quote, no backslash, no control character.
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let has_zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let mut chunks = bytes.chunks_exact(8);
    let mut n = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        let quote = has_zero(word ^ (ONES * b'"' as u64));
        let backslash = has_zero(word ^ (ONES * b'\\' as u64));
        let delete = has_zero(word ^ (ONES * 0x7f));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let hit = quote | backslash | delete | control;
        if hit != 0 {
            return n + hit.trailing_zeros() as usize / 8;
        }
        n += 8;
    }
    let rest = chunks.remainder();
    let special = |b: &u8| matches!(*b, b'"' | b'\\' | 0..=0x1f | 0x7f);
    n + rest.iter().position(special).unwrap_or(rest.len())
}

/// Where the string whose content starts at `at` has its closing quote.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += plain_run(&bytes[at..]);
        match bytes[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A checked string's content without its escapes.
pub fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = rest.as_bytes()[i + 1];
        rest = &rest[i + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (c, len) = code_point(rest);
                rest = &rest[len..];
                c
            }
            other => other as char,
        });
    }
    out.push_str(rest);
    out
}

/// The character that four hexadecimal digits, or two such escapes, stand for.
fn code_point(rest: &str) -> (char, usize) {
    let unit = |s: &str| s.get(..4).and_then(|d| u32::from_str_radix(d, 16).ok());
    let high = unit(rest).unwrap_or(0xfffd);
    let second = || rest.get(4..).and_then(|r| r.strip_prefix("\\u")).and_then(unit);
    if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (high, second()) {
        let c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(c).unwrap_or('\u{fffd}'), 10);
    }
    // Half a surrogate pair is not a character.
    (char::from_u32(high).unwrap_or('\u{fffd}'), 4)
}
