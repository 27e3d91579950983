//! A real terminal with a program in it: keys go in, and what the screen shows comes back. tmux is the terminal.

use std::{fs, path::PathBuf, process::Command, thread};

use crate::sandbox::{Sandbox, wait_until};

/// A terminal of its own, gone with the value.
pub struct Terminal {
    folder: PathBuf,
}

impl Terminal {
    /// Runs a program in a terminal of 160 columns and 60 lines, in the sandbox's working folder and environment.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, program: &[&str]) -> Terminal {
        Terminal::sized(sandbox, 160, 60, program)
    }

    /// The same in a terminal of another size.
    #[track_caller]
    pub fn sized(sandbox: &Sandbox, columns: u16, lines: u16, program: &[&str]) -> Terminal {
        let folder = sandbox.home().join("terminal");
        fs::create_dir(&folder).expect("a folder for the terminal's socket");
        // The configuration is nobody's, and `-u` says that the characters are UTF-8.
        let session = ["tmux", "-u", "-f", "/dev/null", "-S", "socket", "new-session", "-d"];
        let size = ["-x".to_owned(), columns.to_string(), "-y".to_owned(), lines.to_string(), "-c".to_owned()];
        let call = size.iter().fold(sandbox.call(session), |call, word| call.arg(word));
        let call = call.arg(sandbox.path("")).within(&folder);
        let call = call.env("SHELL", "/bin/sh").env("TERM", "xterm").env("PS1", PROMPT).env("PROMPT", PROMPT);
        program.iter().fold(call.arg("--"), |call, word| call.arg(word)).succeeds();
        Terminal { folder }
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-S", "socket"]).current_dir(&self.folder);
        tmux
    }

    /// Presses keys, by tmux's names for them.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let done = self.tmux().arg("send-keys").args(keys).status().expect("tmux");
        assert!(done.success(), "tmux takes no keys any more");
    }

    /// Types a text as it is.
    #[track_caller]
    pub fn types(&self, text: &str) {
        self.press(&["-l", text]);
    }

    /// Types a line and the return key.
    #[track_caller]
    pub fn enters(&self, line: &str) {
        self.types(line);
        self.press(&["Enter"]);
    }

    #[track_caller]
    pub fn resize(&self, columns: u16, lines: u16) {
        let size = ["-x".to_owned(), columns.to_string(), "-y".to_owned(), lines.to_string()];
        let done = self.tmux().arg("resize-window").args(size).status().expect("tmux");
        assert!(done.success(), "tmux takes no size any more");
    }

    /// Whether programs have put it on its other screen, and whether they show its cursor.
    #[track_caller]
    pub fn modes(&self) -> String {
        let question = ["display-message", "-p", "#{alternate_on} #{cursor_flag}"];
        let output = self.tmux().args(question).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What the screen shows now, without the blanks at the ends of lines.
    #[track_caller]
    pub fn screen(&self) -> String {
        let output = self.tmux().args(["capture-pane", "-p"]).output().expect("tmux");
        assert!(output.status.success(), "the terminal has ended: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn shows(&self, part: &str) {
        self.until(&format!("the screen to show {part:?}"), |screen| screen.contains(part));
    }

    /// Waits until the screen is as the caller says, and gives what it shows then.
    #[track_caller]
    pub fn until(&self, event: &str, happened: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        wait_until(event, || {
            screen = self.screen();
            happened(&screen)
        });
        screen
    }

    /// Empties the line and the screen of a shell that waits for a command.
    #[track_caller]
    pub fn clears(&self) {
        self.press(&["C-e", "C-u", "C-l"]);
        self.until("an empty screen with a prompt", |screen| screen == PROMPT.trim_end());
    }
}

/// The prompt of shells in a terminal.
pub const PROMPT: &str = "ready> ";

impl Drop for Terminal {
    fn drop(&mut self) {
        if thread::panicking()
            && let Ok(output) = self.tmux().args(["capture-pane", "-p"]).output()
        {
            eprintln!("the terminal at the end:\n{}", String::from_utf8_lossy(&output.stdout).trim_end());
        }
        _ = self.tmux().arg("kill-server").status();
    }
}
