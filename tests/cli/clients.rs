//! AI clients: every command in a fresh shell. Who owns a lease there, what is said of one that is about to end, how a
//! wait tells of itself.

use std::fs;

use crate::sandbox::{Running, Sandbox, Shell, code};

/// What the stand-in for a client does: it runs each line of its input in a shell of its own, as clients do, and says
/// when it is done. The `:` keeps the shell from making way for the command.
const LOOP: &str = "while IFS= read -r line; do bash -c \"$line\n:\"; echo \"done $((n += 1))\"; done\n";

/// A client at work, known by the name of its program.
struct Client(Running, u32);

impl Client {
    fn named(sandbox: &Sandbox, program: &str) -> Client {
        Client(sandbox.call([plant(sandbox, program, LOOP)]).start(), 0)
    }

    /// A client that nothing but a variable tells of.
    fn told_by(sandbox: &Sandbox, variable: &str) -> Client {
        Client(sandbox.bash(&format!("export {variable}=$$\n{LOOP}")).start(), 0)
    }

    /// Runs one command to its end.
    #[track_caller]
    fn runs(&mut self, line: &str) {
        self.0.tell(line);
        self.1 += 1;
        self.0.says(&format!("done {}\n", self.1));
    }
}

/// An executable script of this name in a folder of its own. Not through `env`: the process would bear bash's name.
fn plant(sandbox: &Sandbox, name: &str, text: &str) -> std::path::PathBuf {
    fs::create_dir_all(sandbox.path("client")).unwrap();
    sandbox.program(&format!("client/{name}"), &format!("#!/bin/bash\n{text}"))
}

fn owner_of(sandbox: &Sandbox, name: &str) -> String {
    let info = fs::read_to_string(sandbox.lock_folder(name).join("info")).unwrap();
    info.lines().next().unwrap().strip_prefix("PID: ").unwrap().to_owned()
}

/// Takes a lease in one command, works under it in the next, and gives it back in a third.
#[track_caller]
fn holds_over_several_commands(sandbox: &Sandbox, mut client: Client) {
    sandbox.write("a.json", "{\"n\":1}\n");
    for (acquire, release) in [
        ("file-lock acquire a.json --owner client >id", "file-lock release a.json"),
        ("LOCK_OWNER=client file-lock acquire a.json >id", "file-lock release \"$(cat id)\""),
        ("ID=$(file-lock acquire a.json --owner client 2>err | cat); echo $ID >id", "file-lock release a.json"),
    ] {
        client.runs(acquire);
        assert_eq!(owner_of(sandbox, "a.json"), client.0.id().to_string(), "{acquire}");
        assert_eq!(sandbox.read("id").trim(), sandbox.lock_id("a.json"), "{acquire}");
        sandbox.is_held("a.json");
        client.runs("memory-update a.json '.n += 1' --timeout 0 2>/dev/null; echo \"updated $?\"");
        client.0.says("updated 0");
        client.runs(release);
        sandbox.is_free("a.json");
    }
    client.runs("file-lock acquire a.json --owner client >id");
    sandbox.is_held("a.json");
    assert_eq!(code(client.0.ended().status), 0);
    sandbox.is_free("a.json");
    sandbox.holds("a.json", "{\n  \"n\": 4\n}\n");
}

#[test]
fn a_lease_of_the_client_lasts_over_its_commands_and_ends_with_it() {
    for variable in ["CLAUDE_PID", "OPENCODE_PID"] {
        let sandbox = Sandbox::new();
        let client = Client::told_by(&sandbox, variable);
        holds_over_several_commands(&sandbox, client);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_without_a_variable_is_recognised_by_its_program() {
    for program in ["claude", "cursor", "Cursor", "cursor-agent", "codex", "gemini", "opencode"] {
        let sandbox = Sandbox::new();
        let client = Client::named(&sandbox, program);
        holds_over_several_commands(&sandbox, client);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_an_interpreter_runs_is_known_by_its_script() {
    // `node /usr/bin/gemini`: the kernel's name for the process is that of the interpreter.
    let sandbox = Sandbox::new();
    let script = plant(&sandbox, "gemini", LOOP);
    let node = sandbox.path("client/node");
    std::os::unix::fs::symlink("/bin/bash", &node).unwrap();
    let client = Client(sandbox.call([node, script]).start(), 0);
    holds_over_several_commands(&sandbox, client);
}

#[test]
#[cfg(target_os = "linux")]
fn of_nested_clients_the_nearest_is_meant() {
    let sandbox = Sandbox::new();
    let inner = plant(&sandbox, "cursor-agent", &format!("echo \"inner $$.\"\n{LOOP}"));
    // The inner client inherits the variable of the outer one.
    let outer = format!("export CLAUDE_PID=$$\n{}\n:\n", inner.display());
    let mut client = Client(sandbox.bash(&outer).start(), 0);
    client.runs("file-lock acquire a.json --owner client");
    client.0.says(&format!("inner {}.", owner_of(&sandbox, "a.json")));
    client.runs("file-lock release a.json");
    client.0.ended();

    let inner = plant(&sandbox, "inner", &format!("export CLAUDE_PID=$$\necho \"inner $$.\"\n{LOOP}"));
    let outer = plant(&sandbox, "cursor-agent", &format!("{}\n:\n", inner.display()));
    let mut client = Client(sandbox.call([outer]).start(), 0);
    client.runs("file-lock acquire a.json --owner client");
    client.0.says(&format!("inner {}.", owner_of(&sandbox, "a.json")));
    client.runs("file-lock release a.json");
    client.0.ended();
}

#[test]
fn owner_client_is_refused_without_a_client_and_says_what_to_do() {
    let sandbox = Sandbox::new();
    for call in [
        sandbox.line("file-lock acquire a.json --owner client"),
        sandbox.line("file-lock acquire a.json").env("LOCK_OWNER", "client"),
    ] {
        call.ends(1).refuses().tells(["AI client", "--owner PID", "LOCK_OWNER", "file-lock with"]);
    }
    sandbox.is_free("a.json");
    for owner in ["clients", "Client", "cli", ""] {
        sandbox.call(["file-lock", "acquire", "a.json", &format!("--owner={owner}")]).ends(2).refuses();
    }
    sandbox
        .line("file-lock acquire a.json")
        .env("LOCK_OWNER", "Client")
        .ends(2)
        .refuses()
        .tells(["LOCK_OWNER", "Client"]);
    sandbox.is_free("a.json");
}

#[test]
fn a_variable_that_names_a_stranger_gives_it_nothing() {
    // It was inherited from a client that has ended, or that runs something else: a terminal's shell, say.
    let sandbox = Sandbox::new();
    let stranger = sandbox.holder("b.json");
    for pid in [sandbox.dead_pid().to_string(), stranger.id().to_string(), "1".into(), "0".into(), "-1".into()] {
        let refused = sandbox.line("file-lock acquire a.json --owner client").env("CLAUDE_PID", &pid).ends(1).refuses();
        if !matches!(pid.as_str(), "-1") {
            refused.tells([format!("PID {pid}, which claude-code has set")]);
        }
        sandbox.is_free("a.json");
    }
    stranger.ended();
}

/// What `line` says on standard error as a command of a client.
#[track_caller]
fn said(sandbox: &Sandbox, line: &str) -> String {
    let mut client = Client::told_by(sandbox, "CLAUDE_PID");
    client.runs(line);
    String::from_utf8(client.0.ended().stderr).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn acquire_says_when_its_owner_is_about_to_vanish() {
    for line in [
        "LOCK_ID=$(file-lock acquire a.json)",
        "file-lock acquire a.json >/dev/null",
        "file-lock acquire a.json --owner $$",
        "LOCK_ID=$(file-lock acquire a.json | cat); memory-read b.json",
        "bash -c 'file-lock acquire a.json; :'",
        "( file-lock acquire a.json; : )",
    ] {
        let sandbox = Sandbox::new();
        sandbox.may_leave_locks();
        sandbox.write("b.json", "{}");
        let text = said(&sandbox, line);
        assert!(text.starts_with("[INFO] file-lock: the lease on 'a.json' ends with this command"), "{line}: {text}");
        assert!(text.contains("--owner client") && text.lines().count() == 1, "{line}: {text}");
        sandbox.is_free("a.json");
    }
    // Standard output is for the ID.
    let sandbox = Sandbox::new();
    sandbox.may_leave_locks();
    let mut client = Client::told_by(&sandbox, "CLAUDE_PID");
    client.runs("file-lock acquire a.json");
    let printed = String::from_utf8(client.0.ended().stdout).unwrap();
    assert_eq!(printed, format!("{}\ndone 1\n", sandbox.lock_id("a.json")));
}

#[test]
fn acquire_is_silent_where_its_owner_stays_or_gives_the_lock_back() {
    let sandbox = Sandbox::new();
    sandbox.may_leave_locks();
    sandbox.write(
        "take.sh",
        "ID=$(file-lock acquire a.json)\nmemory-read b.json >/dev/null\nfile-lock release $ID 2>err\n",
    );
    sandbox.write("leave.sh", "ID=$(file-lock acquire a.json)\n:\n");
    sandbox.write("b.json", "{}");
    for line in [
        "ID=$(file-lock acquire a.json); memory-read b.json; file-lock release $ID 2>err",
        "bash take.sh",
        "bash leave.sh; :",
        "sh -c 'bash leave.sh; :'",
        "file-lock acquire a.json --owner client; file-lock release a.json 2>err",
        "file-lock acquire a.json --owner $PPID; file-lock release a.json 2>err",
        "LOCK_TIMEOUT=0.1 file-lock acquire a.json &>/dev/null && echo Unlocked",
        "file-lock with a.json -- true",
    ] {
        assert_eq!(said(&sandbox, line), "", "{line}");
        sandbox.is_free("a.json");
    }
    // Nor where no client is: there a shell with -c is as good as any.
    for shell in Shell::all() {
        let line = "file-lock acquire a.json >/dev/null; memory-read b.json";
        sandbox.call([shell.name(), "-c", line]).succeeds().reports("");
    }
}

#[test]
fn a_long_wait_in_a_client_names_the_holder_and_the_time_limit() {
    for mark in ["CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_THREAD_ID", "OPENCODE", "AI_AGENT"] {
        let sandbox = Sandbox::new();
        let held =
            sandbox.line("file-lock with a.json --client nightly -- sh -c").arg("echo held; read _ || true").start();
        held.says("held");
        let waiting = sandbox.line("file-lock with a.json --timeout 90.5 -- echo mine").env(mark, "1").start();
        waiting.warns("[INFO] file-lock: waiting for the lock on 'a.json', held by PID ");
        waiting.warns("nightly");
        waiting.warns("; for 90.5s at most\n");
        held.ended();
        let output = waiting.ended();
        assert_eq!((code(output.status), output.stdout.as_slice()), (0, &b"mine\n"[..]));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.matches("[INFO] file-lock: waiting").count(), 1, "{text}");
    }
}

#[test]
fn a_very_long_wait_in_a_client_prints_reminders() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let leased = sandbox.leaseholder("b.json");
    let waits = ["a.json", "b.json"].map(|name| {
        sandbox.call(["file-lock", "with", name, "--timeout", "100", "--", "true"]).env("CLAUDECODE", "1").start()
    });
    for (name, waiting) in ["a.json", "b.json"].into_iter().zip(&waits) {
        waiting.warns(&format!("[INFO] file-lock: still waiting for the lock on '{name}' after 1"));
        waiting.warns("s of 100s, held by PID ");
    }
    held.ended();
    leased.ended();
    for waiting in waits {
        assert_eq!(code(waiting.ended().status), 0);
    }
}

#[test]
fn a_wait_of_the_default_length_ends_well_before_a_clients_limit() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("a.json");
    let start = std::time::Instant::now();
    sandbox
        .line("memory-update a.json . --create")
        .env("CLAUDECODE", "1")
        .ends(75)
        .refuses()
        .tells(["for 30s at most"]);
    assert!(start.elapsed().as_secs() >= 30 && start.elapsed().as_secs() < 110);
    held.ended();
}
