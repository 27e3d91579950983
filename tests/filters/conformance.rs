//! jq's own test files, which are in `jq-1.8/`.

use crate::run::{run, same, with_libraries};
use std::path::PathBuf;

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

/// Tests with another result here, each for a reason that docs/filters.md gives.
const DIFFERENT: &[(&str, &str)] = &[
    ("try (def x: reverse; x=10) catch .", "the words of an error"),
    (".[] = 1", "the input has Infinity and NaN: documents are strict JSON"),
    ("tojson | fromjson", "the input has nan: documents are strict JSON"),
    ("map(try implode catch .)", "the input has nan: documents are strict JSON"),
    (
        "try ((reduce range(10001) as $_ ([]; [.])) as $x | (reduce range(10001) as $_ ([]; [.])) as $y | $x == $y) catch .",
        "values of any depth can be compared",
    ),
    ("$ENV.PAGER", "jq's runner sets PAGER"),
    ("env.PAGER", "jq's runner sets PAGER"),
];

#[test]
fn jq_s_own_tests_pass() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filters/jq-1.8"));
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("jq's tests are in the repository")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "test"))
        .collect();
    files.sort();
    let libraries = [folder.join("modules")];
    let (mut total, mut failures) = (0, Vec::new());
    let mut different: Vec<&str> = DIFFERENT.iter().map(|(program, _)| *program).collect();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let tests = parse(&text);
        let mut passed = 0;
        for test in &tests {
            match passes(test, &libraries) {
                Ok(()) => passed += 1,
                Err(_) if different.contains(&&*test.program) => different.retain(|program| *program != test.program),
                Err(e) => failures.push(format!("{name}:{}: {}\n    {} -> {e}", test.line, test.program, test.input)),
            }
        }
        println!("| `{name}.test` | {} | {passed} |", tests.len());
        total += tests.len();
    }
    assert!(failures.is_empty(), "{} of {total}:\n{}", failures.len(), failures.join("\n"));
    assert!(total >= 879, "only {total} tests were found");
    // Whoever runs the tests may have a PAGER too.
    different.retain(|program| !program.contains("PAGER"));
    assert!(different.is_empty(), "these pass now, and are listed as different: {different:?}");
}
