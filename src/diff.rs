//! What differs between two texts, as a unified diff. The only user of similar. Pure.

use similar::TextDiff;
use std::time::Duration;

/// How the lines of a difference are set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// By the colours that terminals know.
    Colored,
}

/// Lines around each change.
const CONTEXT: usize = 3;

/// The search for the smallest difference ends here; what it has not found by then is told as removed and added.
const PATIENCE: Duration = Duration::from_secs(2);

/// The difference from `old` to `new`, as patch(1) reads it. Empty if there is none.
pub fn unified(old: (&str, &str), new: (&str, &str), style: Style) -> String {
    let ((old_name, old), (new_name, new)) = (old, new);
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let text = diff.unified_diff().context_radius(CONTEXT).header(old_name, new_name).to_string();
    match style {
        Style::Plain => text,
        Style::Colored => {
            text.split_inclusive('\n').enumerate().map(|(place, line)| painted(line, place < 2)).collect()
        }
    }
}

fn painted(line: &str, is_header: bool) -> String {
    let color = match line.as_bytes().first() {
        _ if is_header => "1",
        Some(b'@') => "36",
        Some(b'-') => "31",
        Some(b'+') => "32",
        _ => return line.to_owned(),
    };
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    format!("\x1b[{color}m{body}\x1b[0m{end}")
}
