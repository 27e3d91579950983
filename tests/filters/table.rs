//! Our own table, by chapter of jq's manual: `cases/*.txt`.
//!
//! A case is a block of lines: the program, its input, then `=> ` and an output for each, and
//! `!! ` with the error that ends it (or `!! does not compile`). `# ` starts a comment.

use crate::run::{run, same};

pub struct Case {
    pub place: String,
    pub program: String,
    pub input: String,
    pub outputs: Vec<String>,
    pub error: Option<String>,
}

pub fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/filters/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("cases are text");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut block: Vec<&str> = Vec::new();
        for (i, line) in text.lines().chain([""]).enumerate() {
            match line {
                _ if line.starts_with("# ") && block.is_empty() => {}
                "" => {
                    if let [program, input, rest @ ..] = &std::mem::take(&mut block)[..] {
                        cases.push(case(format!("{name}:{}", i - rest.len() - 1), program, input, rest));
                    }
                }
                line => block.push(line),
            }
        }
    }
    cases
}

fn case(place: String, program: &str, input: &str, rest: &[&str]) -> Case {
    let outputs = rest.iter().filter_map(|l| l.strip_prefix("=> ")).map(str::to_owned);
    let error = rest.iter().find_map(|l| l.strip_prefix("!! ")).map(|e| e.replace("\\n", "\n"));
    Case { place, program: program.into(), input: input.into(), outputs: outputs.collect(), error }
}

#[test]
fn every_case_of_the_table_holds() {
    let cases = cases();
    assert!(cases.len() >= 400, "{} cases", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let got = run(&case.program, &case.input);
        let outputs = got.outputs.len() == case.outputs.len()
            && got.outputs.iter().zip(&case.outputs).all(|(a, b)| a == b || same(a, b));
        let error = match &case.error {
            Some(e) if e == "does not compile" => got.refused,
            wanted => !got.refused && got.error.as_ref() == wanted.as_ref(),
        };
        if !(outputs && error) {
            failures.push(format!(
                "{}: {}  on  {}\n  wanted {:?} {:?}\n  got    {:?} {:?}",
                case.place, case.program, case.input, case.outputs, case.error, got.outputs, got.error
            ));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
