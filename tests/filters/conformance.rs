//! jq's own test files, where they are at hand: `MEMLATCH_JQ_TESTS` names their folder.

use crate::run::{run, same, with_libraries};
use std::path::{Path, PathBuf};

/// One test of a `.test` file.
#[derive(Debug, Default)]
struct Test {
    line: usize,
    program: String,
    input: String,
    outputs: Vec<String>,
    /// it must not compile
    fails: bool,
}

fn parse(text: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut block: Vec<(usize, &str)> = Vec::new();
    for (i, line) in text.lines().chain([""]).enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        if !line.trim().is_empty() {
            block.push((i + 1, line));
            continue;
        }
        let lines: Vec<_> = std::mem::take(&mut block);
        let Some((first, head)) = lines.first() else {
            continue;
        };
        let fails = head.starts_with("%%FAIL");
        let rest = if fails { &lines[1..] } else { &lines[..] };
        let text = |i: usize| rest.get(i).map_or(String::new(), |(_, l)| (*l).to_owned());
        tests.push(Test {
            line: *first,
            program: text(0),
            input: text(1),
            outputs: rest.iter().skip(2).map(|(_, l)| (*l).to_owned()).collect(),
            fails,
        });
    }
    tests
}

fn passes(test: &Test, libraries: &[PathBuf]) -> Result<(), String> {
    if test.fails {
        return match run(&test.program, "null").refused {
            true => Ok(()),
            false => Err("compiles".into()),
        };
    }
    let outcome = with_libraries(&test.program, &test.input, libraries);
    // jq's runner compares the outputs; an error after the last one is not looked at.
    let same_all = outcome.outputs.len() == test.outputs.len()
        && outcome.outputs.iter().zip(&test.outputs).all(|(a, b)| same(a, b));
    match same_all && !outcome.refused {
        true => Ok(()),
        false => Err(format!("{:?} {}", outcome.outputs, outcome.error.unwrap_or_default())),
    }
}

#[test]
fn jq_s_own_tests_pass() {
    let Some(folder) = std::env::var_os("MEMLATCH_JQ_TESTS") else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("MEMLATCH_JQ_TESTS names a folder")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "test"))
        .collect();
    files.sort();
    let libraries = [Path::new(&folder).join("modules")];
    let (mut passed, mut total) = (0, 0);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let tests = parse(&text);
        let mut here = 0;
        for test in &tests {
            match passes(test, &libraries) {
                Ok(()) => here += 1,
                Err(e) => println!("{name}:{}: {}\n    {} -> {e}", test.line, test.program, test.input),
            }
        }
        println!("{name}: {here} of {}", tests.len());
        passed += here;
        total += tests.len();
    }
    println!("all: {passed} of {total}");
    assert!(passed * 100 >= total * 95, "{passed} of {total}");
}
