//! The table again, through the tools: every case through `memory-read`, and those with one
//! output through `memory-update`.

use crate::run::same;
use crate::table::{Case, cases};
use std::path::Path;
use std::process::Command;

#[test]
fn the_tools_exit_with_the_statuses_of_the_table() {
    let folder = tempfile::tempdir().expect("a folder for the documents");
    let cases = cases();
    let failures: Vec<String> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4)).enumerate();
        let running: Vec<_> = parts
            .map(|(i, part)| {
                let folder = folder.path().join(i.to_string());
                scope.spawn(move || {
                    std::fs::create_dir(&folder).expect("the folder is new");
                    part.iter().filter_map(|case| try_case(case, &folder).err()).collect::<Vec<_>>()
                })
            })
            .collect();
        running.into_iter().flat_map(|t| t.join().expect("no panic")).collect()
    });
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

fn tool(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memlatch"));
    command.arg(name).env("AICONFIG_PATH", folder).env_remove("LOCK_DEBUG").current_dir(folder);
    command
}

fn try_case(case: &Case, folder: &Path) -> Result<(), String> {
    // The tools tell what the library cannot: the file's name.
    if case.program.contains("input_filename") {
        return Ok(());
    }
    let file = folder.join("case.json");
    std::fs::write(&file, &case.input).map_err(|e| e.to_string())?;
    let output = tool(folder, "memory-read")
        .args(["-c", "--no-lock", "case.json", "--"])
        .arg(&case.program)
        .output()
        .map_err(|e| e.to_string())?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = stdout.lines().collect();
    let described =
        || format!("{}: {}\n  {lines:?} {}", case.place, case.program, String::from_utf8_lossy(&output.stderr));
    let status = match case.error.as_deref() {
        None => 0,
        Some("does not compile") => 2,
        Some(_) => 1,
    };
    let equal =
        lines.len() == case.outputs.len() && lines.iter().zip(&case.outputs).all(|(a, b)| *a == b || same(a, b));
    if output.status.code() != Some(status) || !equal {
        return Err(described());
    }
    let [wanted] = &case.outputs[..] else { return Ok(()) };
    if case.error.is_some() {
        return Ok(());
    }
    let updated = tool(folder, "memory-update")
        .args(["-c", "--no-sync", "--allow-type-change", "case.json", "--"])
        .arg(&case.program)
        .output()
        .map_err(|e| e.to_string())?;
    let content = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
    match updated.status.success() && content.ends_with('\n') && same(&content, wanted) {
        true => Ok(()),
        false => Err(format!("update: {}\n  {content} {}", described(), String::from_utf8_lossy(&updated.stderr))),
    }
}
