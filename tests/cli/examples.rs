//! Every script of examples/ checks its own result; here they are run.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::sandbox::{Sandbox, TOOLS, available, code, is_built_for};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut scripts: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "sh")).collect();
    scripts.retain(|script| is_built_for(&fs::read_to_string(script).expect("an example")));
    scripts.sort();
    scripts
}

#[test]
fn every_example_runs_and_is_content_with_its_result() {
    if !available("jq") {
        return;
    }
    std::thread::scope(|scope| {
        for script in scripts() {
            scope.spawn(move || {
                let sandbox = Sandbox::new();
                sandbox.may_leave_locks();
                let output = sandbox.call([script.as_os_str()]).output();
                assert_eq!(
                    code(output.status),
                    0,
                    "{}:\n{}{}",
                    script.display(),
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
            });
        }
    });
}

#[test]
fn every_example_notices_when_the_tools_do_nothing() {
    // A script that cannot fail proves nothing.
    let nothing = ["/bin/true", "/usr/bin/true"].into_iter().find(|path| Path::new(path).exists()).expect("true(1)");
    std::thread::scope(|scope| {
        for script in scripts() {
            scope.spawn(move || {
                let sandbox = Sandbox::new();
                for tool in TOOLS.map(|tool| sandbox.bin().join(tool)) {
                    fs::remove_file(&tool).unwrap();
                    // A program that is written here could not be run while another thread forks: its descriptor is
                    // inherited, and the file then "busy" (execve(2), ETXTBSY).
                    symlink(nothing, &tool).unwrap();
                }
                let mut running = sandbox.call([script.as_os_str()]).start();
                drop(running.stdin.take());
                assert_ne!(code(running.wait()), 0, "{} is content with tools that do nothing", script.display());
            });
        }
    });
}

#[test]
fn every_example_is_in_the_table_of_examples() {
    let Ok(page) = fs::read_to_string(folder().join("README.md")) else { return };
    for script in scripts() {
        let name = script.file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!("`{name}`")), "{name} is not in examples/README.md");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn systemd_has_nothing_to_say_against_the_units() {
    if !available("systemd-analyze") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.line("memlatch install").succeeds();
    let units = ["memlatch-cleanup.service", "memlatch-cleanup.timer"];
    for unit in units {
        sandbox.write(unit, fs::read(folder().join("cron").join(unit)).unwrap());
    }
    let verify = sandbox.call(["systemd-analyze", "verify", "--user", "--man=no", "./memlatch-cleanup.service"]);
    let verify = verify.arg("./memlatch-cleanup.timer").env("XDG_RUNTIME_DIR", sandbox.home());
    // What it only warns of would be ignored when the timer runs.
    verify.succeeds().reports("");
    let service = sandbox.read("memlatch-cleanup.service").replace("%h", &sandbox.home().display().to_string());
    let setting = |name: &str| service.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    sandbox.plant_script_lock("a.json", sandbox.dead_pid());
    let cleanup = sandbox.line(setting("ExecStart=")).env("PATH", setting("Environment=PATH="));
    cleanup.succeeds().tells(["Cleaned 1 stale lock(s)"]);
}

#[test]
fn the_launchd_agent_is_a_property_list_that_runs_the_cleanup() {
    if !available("python3") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.line("memlatch install").succeeds();
    let reader = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let agent = folder().join("cron/memlatch.cleanup.plist");
    let agent = sandbox.call(["python3", "-c", reader]).arg(&agent).succeeds().stdout();
    let agent: Value = serde_json::from_str(&agent).unwrap();
    assert_eq!(agent["Label"], "memlatch.cleanup");
    assert!(agent["StartInterval"].as_u64().is_some_and(|seconds| seconds >= 60), "{agent}");
    let words: Vec<&str> =
        agent["ProgramArguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    sandbox.plant_script_lock("a.json", sandbox.dead_pid());
    sandbox.call(words).env("PATH", "/usr/bin:/bin").succeeds().tells(["Cleaned 1 stale lock(s)"]);
}

#[test]
fn the_clients_hooks_are_in_their_settings_and_can_be_run() {
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap() };
    let claude = read("claude-code/settings.json");
    let cursor = read("cursor/hooks.json");
    assert_eq!(cursor["version"], 1);
    // Without the variable the client ends a hook at the end of a session after a second and a half.
    let at_the_end = claude["env"]["CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS"].as_str().unwrap();
    let timeout = &claude["hooks"]["SessionEnd"][0]["hooks"][0]["timeout"];
    assert_eq!(at_the_end.parse::<u64>().unwrap(), timeout.as_u64().unwrap() * 1000);
    let mut commands = Vec::new();
    for event in ["PreToolUse", "SessionEnd"] {
        let hook = &claude["hooks"][event][0]["hooks"][0];
        assert_eq!(hook["type"], "command", "{event}");
        // A hook that waits for longer than its client does would be killed at it.
        assert!(hook["timeout"].as_u64().is_some_and(|seconds| seconds <= 60), "{event}");
        commands.push(hook["command"].as_str().unwrap());
    }
    for event in ["beforeShellExecution", "preToolUse", "sessionEnd"] {
        commands.push(cursor["hooks"][event][0]["command"].as_str().unwrap());
    }
    for command in commands {
        let name = command.trim_matches('"').strip_prefix("$HOME/aiconfig/hooks/").expect(command);
        let mode = fs::metadata(folder().join("hooks").join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} cannot be run");
    }
}
