//! The description of a lock's holder: the `info` file, as text and as a value. Pure.
//!
//! The first three lines are those of the shell scripts that memlatch replaces; scripts that still run read them.
//! `KIND` is the last line and marks the file as complete: without it the text is a script's, or was never finished.

use memlatch_os::{paths::escape, text::shortened};
use std::{fmt, path::PathBuf};

/// The file's name within a lock entry.
pub const FILE_NAME: &str = "info";
/// memlatch writes no longer file, because every value is limited.
pub const MAX_BYTES: u64 = 64 * 1024;
const MAX_COMMAND_CHARS: usize = 300;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `file-lock with`: held while its command runs.
    With,
    /// `memory-update`: held for one update.
    Update,
    /// `atomic-write`: held for one write.
    Write,
    /// `file-lock acquire`: held on behalf of the owner until it is released.
    Lease,
    /// A shell script made the entry: held while its PID is alive.
    Script,
}

impl Kind {
    /// The word in the file and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Kind::With => "with",
            Kind::Update => "memory-update",
            Kind::Write => "atomic-write",
            Kind::Lease => "lease",
            Kind::Script => "script",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Kind::With, Kind::Update, Kind::Write, Kind::Lease].into_iter().find(|kind| kind.word() == word)
    }

    /// Whether the holder keeps the guard locked for as long as it works.
    pub fn keeps_guard(self) -> bool {
        matches!(self, Kind::With | Kind::Update | Kind::Write)
    }
}

/// The description of one holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The owner of a lease, otherwise the process that works under the lock.
    pub pid: u32,
    /// Seconds since 1970, UTC.
    pub acquired: Option<i64>,
    pub host: Option<String>,
    pub target: Option<PathBuf>,
    pub command: Option<String>,
    pub client: Option<String>,
    /// The boot of the kernel that the PID belongs to.
    pub boot: Option<String>,
    /// The PID namespace that the PID belongs to.
    pub namespace: Option<String>,
    /// How the holder's machine has mounted the lock directory, if others may share it: see [`super::hosts`].
    pub mount: Option<String>,
    /// When the process started, in the unit of [`memlatch_os::Process::started`].
    pub started: Option<u64>,
    /// When a lease ends by itself: seconds since 1970, UTC.
    pub expires: Option<i64>,
    /// The same moment in milliseconds since the boot, which does not jump with the wall clock.
    pub deadline: Option<u64>,
    /// Unique to this hold; also part of the name of the holder's temporary file.
    pub token: Option<String>,
    pub kind: Kind,
}

impl Info {
    /// A description of a hold by `pid`, without the optional values.
    pub fn new(pid: u32, kind: Kind) -> Self {
        Info {
            pid,
            acquired: None,
            host: None,
            target: None,
            command: None,
            client: None,
            boot: None,
            namespace: None,
            mount: None,
            started: None,
            expires: None,
            deadline: None,
            token: None,
            kind,
        }
    }

    /// The lines of the file, without newlines. Values contain no control characters.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("PID: {}", self.pid)];
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                lines.push(format!("{name}: {value}"));
            }
        };
        add("ACQUIRED", self.acquired.map(utc));
        add("HOSTNAME", self.host.as_deref().map(|host| escape(host.as_bytes())));
        add("TARGET", self.target.as_deref().map(|path| escape(path.as_os_str().as_encoded_bytes())));
        add("COMMAND", self.command.as_deref().map(|command| escape(shortened(command, MAX_COMMAND_CHARS).as_bytes())));
        add("CLIENT", self.client.as_deref().map(|client| escape(client.as_bytes())));
        add("BOOT", self.boot.as_deref().map(|boot| escape(boot.as_bytes())));
        add("NAMESPACE", self.namespace.as_deref().map(|name| escape(name.as_bytes())));
        add("MOUNT", self.mount.as_deref().map(|mount| escape(mount.as_bytes())));
        add("STARTED", self.started.map(|ticks| ticks.to_string()));
        add("EXPIRES", self.expires.map(utc));
        add("DEADLINE", self.deadline.map(|milliseconds| milliseconds.to_string()));
        add("TOKEN", self.token.as_deref().map(|token| escape(token.as_bytes())));
        add("KIND", (self.kind != Kind::Script).then(|| self.kind.word().to_owned()));
        lines
    }

    /// The text of the file.
    pub fn encode(&self) -> String {
        let mut text = self.lines().join("\n");
        text.push('\n');
        text
    }

    /// Parses the text of a file. `None` if it has no PID: it is unfinished or not an `info` file.
    ///
    /// Unknown lines and invalid values are ignored, because a newer version may have written them.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let mut info = Info::new(0, Kind::Script);
        // A line without a newline was cut off, and its value with it.
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let Some((name, value)) = line.strip_suffix(b"\n").and_then(split) else { continue };
            let words = || String::from_utf8(unescape(value)).ok();
            let number = || std::str::from_utf8(value).ok()?.parse::<u64>().ok();
            match name {
                b"PID" => info.pid = number().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
                b"ACQUIRED" => info.acquired = seconds(value),
                b"HOSTNAME" => info.host = words(),
                b"TARGET" => info.target = Some(path(unescape(value))),
                b"COMMAND" => info.command = words(),
                b"CLIENT" => info.client = words(),
                b"BOOT" => info.boot = words(),
                b"NAMESPACE" => info.namespace = words(),
                b"MOUNT" => info.mount = words(),
                b"STARTED" => info.started = number(),
                b"EXPIRES" => info.expires = seconds(value),
                b"DEADLINE" => info.deadline = number(),
                b"TOKEN" => info.token = words().filter(|token| is_token(token)),
                b"KIND" => info.kind = std::str::from_utf8(value).ok().and_then(Kind::from_word).unwrap_or(Kind::Lease),
                _ => {}
            }
        }
        (info.pid != 0).then_some(info)
    }
}

/// Prints "PID 4711 (with, 'sleep 40', client cursor) on host b since 2026-01-25T10:30:00Z".
impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PID {} ({}", self.pid, self.kind.word())?;
        if let Some(command) = &self.command {
            write!(f, ", '{}'", escape(shortened(command, MAX_COMMAND_CHARS).as_bytes()))?;
        }
        if let Some(client) = &self.client {
            write!(f, ", client {}", escape(client.as_bytes()))?;
        }
        f.write_str(")")?;
        if let Some(host) = &self.host {
            write!(f, " on host {}", escape(host.as_bytes()))?;
        }
        if let Some(acquired) = self.acquired {
            write!(f, " since {}", utc(acquired))?;
        }
        Ok(())
    }
}

/// Makes a unique token: two processes differ in PID, two holds of one process in time.
pub fn new_token() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", std::process::id(), now.as_nanos())
}

/// Checks the form of a token, because tokens become part of file names.
fn is_token(token: &str) -> bool {
    (1..=64).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Seconds since 1970 as "2026-01-25T10:30:00Z".
pub fn utc(seconds: i64) -> String {
    match chrono::DateTime::from_timestamp(seconds, 0) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => seconds.to_string(),
    }
}

pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp())
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// Reverses [`escape`]. An escape sequence that it does not write is kept as it is.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (known, length) = if first == b'\\' { unescape_one(after) } else { (None, 0) };
        match known {
            Some(escaped) => {
                bytes.extend_from_slice(&escaped);
                rest = &after[length..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

/// The bytes that an escape sequence stands for, and its length after the backslash.
fn unescape_one(after: &[u8]) -> (Option<Vec<u8>>, usize) {
    let hex = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    match after {
        [b'\\', ..] => (Some(vec![b'\\']), 1),
        [b'n', ..] => (Some(vec![b'\n']), 1),
        [b't', ..] => (Some(vec![b'\t']), 1),
        [b'r', ..] => (Some(vec![b'\r']), 1),
        [b'x', digits @ ..] if digits.len() >= 2 => (hex(&digits[..2]).map(|byte| vec![byte as u8]), 3),
        [b'u', b'{', digits @ ..] => {
            let Some(end) = digits.iter().position(|&byte| byte == b'}') else { return (None, 0) };
            let char = hex(&digits[..end]).and_then(char::from_u32);
            (char.map(|char| char.to_string().into_bytes()), end + 3)
        }
        _ => (None, 0),
    }
}

fn path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_breaks_no_line_and_reaches_the_terminal_escaped() {
        let mut info = Info::new(7, Kind::Lease);
        info.target = Some(path(b"/x/\x1b[31m\nPID: 1\xff\\n\xe2\x80\xae".to_vec()));
        info.token = Some("ab-12".into());
        let text = info.encode();
        assert_eq!(text.lines().count(), 4);
        assert!(text.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()));
        assert_eq!(Info::decode(text.as_bytes()), Some(info));
    }

    #[test]
    fn a_script_s_three_lines_are_understood() {
        let info = Info::decode(b"PID: 12345\nACQUIRED: 2026-01-25T10:30:00Z\nHOSTNAME: macbook.local\n").unwrap();
        assert_eq!((info.pid, info.kind), (12345, Kind::Script));
        assert_eq!(info.acquired.map(utc).as_deref(), Some("2026-01-25T10:30:00Z"));
        assert_eq!(info.host.as_deref(), Some("macbook.local"));
    }

    #[test]
    fn a_file_cut_short_is_never_taken_for_more_than_a_script_s() {
        let whole = Info { token: Some("ab".into()), ..Info::new(4711, Kind::Lease) }.encode();
        for length in 0..whole.len() {
            let info = Info::decode(&whole.as_bytes()[..length]);
            assert!(info.is_none_or(|info| info.pid == 4711 && info.kind == Kind::Script));
        }
    }
}
