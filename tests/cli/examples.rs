//! Every script of examples/ checks its own result; here they are run.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::sandbox::{Sandbox, TOOLS, available, code};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut scripts: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "sh")).collect();
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
    std::thread::scope(|scope| {
        for script in scripts() {
            scope.spawn(move || {
                let sandbox = Sandbox::new();
                for tool in TOOLS.map(|tool| sandbox.bin().join(tool)) {
                    fs::remove_file(&tool).unwrap();
                    fs::write(&tool, "#!/bin/sh\nexit 0\n").unwrap();
                    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
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
