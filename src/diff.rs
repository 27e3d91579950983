//! The difference between two texts, as a unified diff. The only user of similar. Pure.

use similar::TextDiff;
use std::time::Duration;

/// Lines of context around each change.
const CONTEXT: usize = 3;

/// Time limit for the search for the smallest difference. Parts that it has not matched by then are shown as removed and added.
const PATIENCE: Duration = Duration::from_secs(2);

/// The difference from `old` to `new`, as patch(1) reads it. Empty if there is none.
pub fn unified(old: (&str, &str), new: (&str, &str)) -> String {
    let ((old_name, old), (new_name, new)) = (old, new);
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT).header(old_name, new_name).to_string()
}
