//! The parent directory of a path, and paths in messages.

use crate::text::in_quotes;
use std::path::Path;

/// What the address of a document beyond this machine begins with.
const SCHEMES: [&str; 3] = ["etcd+https://", "etcd+http://", "s3://"];

/// Whether a word is the address of a document beyond this machine, and no path. No path has to be written with two slashes.
pub fn is_address(word: &Path) -> bool {
    let word = word.as_os_str().as_encoded_bytes();
    SCHEMES.iter().any(|scheme| word.starts_with(scheme.as_bytes()))
}

/// The parent directory of a path. For a bare name it is `.`, for which [`Path::parent`] returns "".
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A path, escaped for output.
pub fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// A path, quoted for a command line that users may copy.
pub fn quoted(path: &Path) -> String {
    let text = shown(path);
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+,:@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { in_quotes(&text) }
}

/// Makes bytes safe to print on one line of a terminal: control and invisible characters, backslashes and invalid
/// UTF-8 become `\n`, `\x1b`, `\u{202e}` and the like.
pub fn escape(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if let (true, Ok(text)) = (bytes.iter().all(is_plain), std::str::from_utf8(bytes)) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                _ if char.is_ascii_control() => text.push_str(&format!("\\x{:02x}", char as u32)),
                _ if char.is_control() || is_invisible(char) => text.push_str(&format!("\\u{{{:x}}}", char as u32)),
                _ => text.push(char),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Characters that reorder or hide the text around them, see Unicode's technical report 36 on visual spoofing.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
