//! The jq that the language is compared with: version 1.8, by the name in `JQ`, or built by `.ci/jq`, or from the path.
//!
//! A machine without one is no reason for a failure, except in CI, where a comparison that does not happen would be taken
//! for one that holds.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The program's name. None, outside of CI, if there is none.
pub fn find() -> Option<String> {
    let named = std::env::var("JQ").ok();
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/target/jq-1.8.2/jq").to_owned();
    let found = named.into_iter().chain([built, "jq".into()]).find(|name| is_1_8(name));
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no jq 1.8 to compare with: `JQ=$(.ci/jq)` builds one");
        println!("not compared: there is no jq 1.8; `.ci/jq` builds one");
    }
    found
}

fn is_1_8(name: &str) -> bool {
    let version = Command::new(name).arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).starts_with("jq-1.8"))
}

/// Runs jq with these arguments on an input.
pub fn run(jq: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(jq)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("jq starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        // jq may end without reading its input.
        scope.spawn(move || _ = stdin.write_all(input.as_bytes()));
        child.wait_with_output().expect("jq ends")
    })
}
