//! The terminal on standard output: its size, its colours, and drawing on it again and again. The only file that knows
//! a terminal's codes.

use super::{Raw, stdout};
use crate::settings::Settings;
use memlatch_os::paths::shown;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// The size if a terminal does not report its size.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Another screen than the one with the shell's lines, and no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// How text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Green,
    Blue,
    Red,
    Yellow,
    Cyan,
    Bold,
    Faint,
}

impl Color {
    /// Text in this colour.
    pub fn paint(self, text: &str) -> String {
        format!("\x1b[{}m{text}\x1b[0m", self.code())
    }

    fn code(self) -> &'static str {
        match self {
            Color::Green => "32",
            Color::Blue => "34",
            Color::Red => "31",
            Color::Yellow => "33",
            Color::Cyan => "36",
            Color::Bold => "1",
            Color::Faint => "2",
        }
    }
}

/// A terminal's size in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The terminal that standard output goes to.
pub struct Terminal {
    colored: bool,
    redraws: bool,
    home: Option<PathBuf>,
}

impl Terminal {
    /// The terminal, if standard output goes to one.
    pub fn on_stdout(settings: &Settings) -> Option<Self> {
        let terminal = || Terminal {
            colored: settings.wants_color(),
            redraws: settings.terminal_is_able(),
            home: settings.home().map(Path::to_owned),
        };
        stdout().is_terminal().then(terminal)
    }

    /// Its size at this moment.
    pub fn size(&self) -> Size {
        let told = tcgetwinsize(stdout());
        let known = |told: u16, usual| if told > 0 { told.into() } else { usual };
        told.map_or(USUAL, |told| Size {
            columns: known(told.ws_col, USUAL.columns),
            rows: known(told.ws_row, USUAL.rows),
        })
    }

    /// Whether the screen can be redrawn: a dumb terminal only appends lines.
    pub fn redraws(&self) -> bool {
        self.redraws
    }

    /// A path as people write it: with `~` for the home directory, which a shell takes as well.
    pub fn path(&self, path: &Path) -> String {
        let below_home =
            self.home.as_deref().filter(|home| home.has_root()).and_then(|home| path.strip_prefix(home).ok());
        match below_home {
            Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Some(rest) => format!("~/{}", shown(rest)),
            None => shown(path),
        }
    }

    /// Text in a colour, if colour is wanted here.
    pub fn paint(&self, color: Option<Color>, text: &str) -> String {
        match color {
            Some(color) if self.colored => color.paint(text),
            _ => text.to_owned(),
        }
    }
}

/// An alternate screen for the lifetime of the value; after that the terminal is as before.
#[must_use = "the screen is left when the value is dropped"]
pub struct Screen {
    before: Option<Termios>,
}

impl Screen {
    /// Starts an empty screen with echo switched off.
    pub fn open(_terminal: &Terminal) -> io::Result<Self> {
        let before = tcgetattr(stdout()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            // Only for looks: a terminal that refuses shows what is typed until the next frame.
            _ = tcsetattr(stdout(), OptionalActions::Now, &silent);
        }
        // The value comes first, so that the terminal is put right even if this cannot be written.
        let screen = Screen { before };
        put(ENTER)?;
        Ok(screen)
    }

    /// Shows these lines and nothing else. They must fit the width; those that do not fit the height are left out.
    ///
    /// One write, over what is there: the screen is never seen empty, and nothing is left of the frame before.
    pub fn draw(&self, lines: &[String], size: Size) -> io::Result<()> {
        let mut frame = HOME.to_owned();
        let shown = lines.len().min(size.rows);
        for (number, line) in lines[..shown].iter().enumerate() {
            // No line end behind the last line: at the bottom it would scroll the screen. Cleared first, because behind
            // a line that is as wide as the screen a terminal would clear that line's last cell.
            frame.push_str(if number > 0 { "\r\n" } else { "" });
            frame.push_str(CLEAR_REST_OF_LINE);
            frame.push_str(line);
        }
        if shown < size.rows {
            frame.push_str("\r\n");
            frame.push_str(CLEAR_BELOW);
        }
        put(&frame)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing any more.
        _ = put(LEAVE);
        if let Some(before) = &self.before {
            // What was typed meanwhile was not meant for the shell, and goes.
            _ = tcsetattr(stdout(), OptionalActions::Flush, before);
        }
    }
}

fn put(text: &str) -> io::Result<()> {
    // The standard library's own handle would write line by line.
    Raw(stdout()).write_all(text.as_bytes())
}
