//! Texts as people are told them: shortened, in a shell's quotes, and spans of time.

use std::{borrow::Cow, time::Duration};

/// The first `most` characters, with `…` for those that are left out.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A text as one word of a shell's command line, in quotes whatever it is.
pub fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A span of time in its two largest units.
pub fn span(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A short span of time in seconds and tenths, rounded down: nobody wants to read that 5 s took 5.002.
pub fn tenths(time: Duration) -> String {
    format!("{}s", (time.as_millis() / 100) as f64 / 10.0)
}
