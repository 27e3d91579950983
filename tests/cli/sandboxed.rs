//! Commands in sandboxes and containers: lock directorys that cannot be written, and PID namespaces of their own.
//!
//! The namespaces are real ones, by unshare(1) and as root: what bubblewrap and container engines set up as well.
#![cfg(target_os = "linux")]

use crate::sandbox::{Call, Sandbox, available, wait_until};
use std::fs;

fn may_make_namespaces() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "CI runs these tests, as root");
        eprintln!("SKIPPED: only root can make namespaces");
    }
    is_root && available("unshare")
}

/// A script with PID and mount namespaces of its own, in which the lock directory is `writable` or not.
fn sandboxed<'a>(sandbox: &'a Sandbox, writable: bool, script: &str) -> Call<'a> {
    let base = sandbox.aiconfig();
    let mount = if writable {
        String::new()
    } else {
        format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' || exit 99\n", base.display())
    };
    let script = sandbox.write("sandboxed.sh", format!("{mount}{script}\n"));
    sandbox.call(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "bash"]).arg(script)
}

#[test]
fn a_lock_directory_denied_by_a_sandbox_is_reported_with_the_setting_that_allows_it() {
    if !may_make_namespaces() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":1}");
    sandbox.line("file-lock with a.json -- true").succeeds();
    fs::create_dir_all(sandbox.aiconfig()).unwrap();
    let base = sandbox.aiconfig().display().to_string();
    let marks = [
        ("SANDBOX_RUNTIME", "~/.claude/settings.json", format!("\"allowWrite\": [\"{base}\"]")),
        ("CODEX_SANDBOX_NETWORK_DISABLED", "~/.codex/config.toml", format!("writable_roots = [\"{base}\"]")),
        ("CODEX_PERMISSION_PROFILE", "~/.codex/config.toml", format!("writable_roots = [\"{base}\"]")),
        ("X", "sandbox or container", format!("let them write in '{base}'")),
    ];
    for locks in ["kept", "gone"] {
        if locks == "gone" {
            fs::remove_dir_all(sandbox.locks_folder()).unwrap();
        }
        for (mark, file, setting) in &marks {
            for line in
                ["memory-update a.json .n=2", "atomic-write a.json --content 2", "file-lock with a.json -- true"]
            {
                let call = sandboxed(&sandbox, false, line).env(mark, "1");
                call.ends(1).refuses().tells(["Read-only file system", file, setting]);
            }
            let doctor = sandboxed(&sandbox, false, "memlatch doctor").env(mark, "1").ends(1).stdout();
            assert!(doctor.contains(file) && doctor.contains(setting), "{doctor}");
            // Reading needs no right to write.
            sandboxed(&sandbox, false, "memory-read a.json .n").env(mark, "1").succeeds().prints("1\n");
        }
    }
    sandbox.holds("a.json", "{\"n\":1}");
}

#[test]
fn with_write_access_sandboxed_and_other_commands_exclude_each_other() {
    if !may_make_namespaces() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.json", "{\"n\":0}");
    let loop_of_updates = "for i in $(seq 30); do memory-update a.json '.n += 1' 2>>log || exit; done";
    let inside = sandboxed(&sandbox, true, loop_of_updates).start();
    sandbox.bash(loop_of_updates).succeeds();
    assert!(inside.ended().status.success());
    sandbox.line("memory-read a.json .n").succeeds().prints("60\n");
    // A `with` in the sandbox keeps others out.
    let held = sandboxed(&sandbox, true, "file-lock with a.json -- sh -c 'echo held; read _ || true'").start();
    held.says("held");
    sandbox.line("memory-update a.json .n=0 --timeout 0").ends(75);
    held.ended();
    sandbox.is_free("a.json");
}

#[test]
fn a_lease_from_a_sandbox_wants_a_time_limit() {
    if !may_make_namespaces() {
        return;
    }
    let sandbox = Sandbox::new();
    for owner in ["", " --owner $$"] {
        let script = format!("file-lock acquire a.json{owner}");
        sandboxed(&sandbox, true, &script).ends(1).refuses().tells(["--ttl", "file-lock with a.json --"]);
    }
    assert_eq!(sandbox.locks(), Vec::<String>::new());
    // The document's check takes no lease, so it stays harmless.
    sandboxed(&sandbox, true, "file-lock acquire a.json &>/dev/null && echo Unlocked").succeeds().prints("Unlocked\n");
    sandboxed(&sandbox, true, "ID=$(file-lock acquire a.json --ttl 60) && file-lock release \"$ID\"").succeeds();
    sandbox.is_free("a.json");
}

#[test]
fn the_end_of_a_sandbox_s_lease_is_seen_from_outside() {
    if !may_make_namespaces() {
        return;
    }
    let sandbox = Sandbox::new();
    let script = "file-lock acquire a.json --ttl 3600 >/dev/null && echo held && read _";
    let lease = sandboxed(&sandbox, true, script).start();
    lease.says("held");
    // As long as somebody is left in the sandbox, nobody outside can judge the owner.
    let status = sandbox.line("file-lock status a.json").ends(1).stdout();
    assert!(status.contains("held by PID"), "{status}");
    let shown = sandbox.line("file-lock show").succeeds().stdout();
    assert!(shown.contains("UNKNOWN (held in another PID namespace, a sandbox or container"), "{shown}");
    // Nor can another sandbox.
    sandboxed(&sandbox, true, "file-lock status a.json").ends(1);
    lease.ended();
    wait_until("the end of the sandbox", || sandbox.line("file-lock status a.json").output().status.success());
    sandbox.line("memory-update a.json .n=1 --create --timeout 0").succeeds();
}
