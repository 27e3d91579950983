//! A real terminal: tmux, on a socket of its own, with a shell in it.

use std::{process::Command, sync::atomic::AtomicU32, sync::atomic::Ordering};

use crate::sandbox::{Sandbox, wait_until};

/// A terminal with a bash, whose prompt is `$ `.
pub struct Terminal<'a> {
    sandbox: &'a Sandbox,
    socket: String,
}

impl Terminal<'_> {
    pub fn new(sandbox: &Sandbox, columns: u16, rows: u16) -> Terminal<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let socket = format!("memlatch-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let terminal = Terminal { sandbox, socket };
        let size = [columns.to_string(), rows.to_string()];
        // The configuration is nobody's, and `-u` says that the characters are UTF-8.
        let words = ["-u", "-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1]];
        terminal.tmux(words.into_iter().chain(["env", "PS1=$ ", "bash", "--norc", "--noprofile"]));
        terminal.shows("the prompt", |screen| screen.starts_with('$'));
        terminal
    }

    fn tmux<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> String {
        let mut call = self.sandbox.call(["tmux", "-L", &self.socket]);
        for word in words {
            call = call.arg(word);
        }
        call.env("TMUX_TMPDIR", self.sandbox.home()).succeeds().stdout()
    }

    /// Types a line and the return key.
    pub fn enters(&self, line: &str) {
        self.tmux(["send-keys", "-l", line]);
        self.presses("Enter");
    }

    /// Presses a key by tmux's name for it: `C-c`, `Enter`.
    pub fn presses(&self, key: &str) {
        self.tmux(["send-keys", key]);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.tmux(["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is on the screen, without the blanks at the ends of lines and the empty lines at the end.
    pub fn screen(&self) -> String {
        self.tmux(["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// Whether programs have put it on its other screen, hidden its cursor, or silenced its keys.
    pub fn modes(&self) -> String {
        self.tmux(["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim().to_owned()
    }

    /// Waits until the screen looks as wanted.
    #[track_caller]
    pub fn shows(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        wait_until(what, || {
            let now = self.screen();
            if now != screen {
                screen = now;
            }
            wanted(&screen)
        });
        screen
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // Whatever the test has come to: nothing of it is to stay.
        let mut end = Command::new("tmux");
        end.args(["-L", &self.socket, "kill-server"]).env("TMUX_TMPDIR", self.sandbox.home());
        _ = end.output();
    }
}
