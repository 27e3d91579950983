//! What lies beside a document, by name. Pure.

use crate::engine::Rung;

pub fn writes(key: &str) -> String {
    format!("{key}.writes")
}

/// The first part of the names of backups; the first of them has no more than that.
pub fn backups(key: &str) -> String {
    format!("{key}.bak")
}

/// The backup of a number, counted from one.
pub fn backup(key: &str, number: usize) -> String {
    if number == 1 { backups(key) } else { format!("{}.{number}", backups(key)) }
}

/// The number of a backup, if this is the name of one.
pub fn number_of(key: &str, name: &str) -> Option<usize> {
    match name.strip_prefix(&backups(key))? {
        "" => Some(1),
        rest => rest.strip_prefix('.')?.parse().ok().filter(|number| *number > 1),
    }
}

/// Where those line up who want the lock, below the holds that they work under.
pub fn queue(key: &str, under: &[Rung]) -> String {
    match under.last() {
        None => format!("{key}{LOCK}"),
        Some(rung) => format!("{key}.inside/{:016x}/", rung.lease),
    }
}

/// What stands between a document's name and a lease.
pub const LOCK: &str = ".lock/";

/// The place of a lease in a queue.
pub fn place(queue: &str, lease: i64) -> String {
    format!("{queue}{lease:016x}")
}

/// The document and the lease that a place in the outermost queue belongs to.
pub fn of_place(name: &str) -> Option<(&str, i64)> {
    let (key, lease) = name.rsplit_once(LOCK)?;
    Some((key, i64::from_str_radix(lease, 16).ok()?))
}

/// The first name behind all that begin with `prefix`.
pub fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // Every name there is.
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_are_told_from_what_merely_begins_so() {
        assert_eq!(number_of("a.json", "a.json.bak"), Some(1));
        assert_eq!(number_of("a.json", "a.json.bak.12"), Some(12));
        for other in ["a.json.bak.1", "a.json.bak.x", "a.json.bakery", "a.json.bak.2.writes"] {
            assert_eq!(number_of("a.json", other), None, "{other}");
        }
        assert_eq!(backup("a", 1), "a.bak");
        assert_eq!(backup("a", 3), "a.bak.3");
    }

    #[test]
    fn a_prefix_ends_before_the_next_name() {
        assert_eq!(end_of("a.lock/"), b"a.lock0");
        assert_eq!(end_of(""), [0]);
    }
}
