//! What a filter may not do to the machine.

use crate::run::run;

#[test]
fn endless_recursion_is_an_error_that_says_so() {
    for program in ["def f: 1 + f; f", "def f: [f]; f", "def f(g): g + 1; def h: f(h); h"] {
        let outcome = run(program, "null");
        let error = outcome.error.unwrap_or_default();
        assert!(error.contains("recurses too deeply"), "{program}: {error}");
    }
}

#[test]
fn halt_is_an_error() {
    assert_eq!(run("1, halt", "null").error.as_deref(), Some("halted with 0"));
    assert_eq!(run("\"x\" | halt_error(3)", "null").error.as_deref(), Some("halted with 3"));
    assert_eq!(run("try halt catch 1", "null").outputs, [""; 0]);
}

#[test]
fn deep_values_are_dropped_and_compared_without_a_crash() {
    assert_eq!(run("reduce range(200000) as $i ([]; [.]) | length", "null").outputs, ["1"]);
    assert_eq!(run("reduce range(50000) as $i ([]; [.]) | . == .", "null").outputs, ["true"]);
}

#[test]
fn a_program_nested_too_deeply_is_an_error() {
    const LEVELS: usize = 200_000;
    let around = |open: &str, close: &str| format!("{}1{}", open.repeat(LEVELS), close.repeat(LEVELS));
    let programs = [
        around("(", ")"),
        around("[", "]"),
        around("{\"a\":", "}"),
        around("\"\\(", ")\""),
        around("if . then ", " end"),
        around("first(", ")"),
        around("- ", ""),
        around("try ", ""),
        around("def f: ", "; f"),
        around("def f: 1; ", ""),
        around(". as $x | ", ""),
        around("label $x | ", ""),
        around("1 + ", ""),
        around("null // ", ""),
        around("", "?"),
        format!("({}) |= 1", vec![".a"; LEVELS].join("|")),
        format!(".{}", "[(0,1)]?".repeat(LEVELS)),
        format!("{{{}}}", vec!["a:1"; LEVELS].join(",")),
        format!("\"{}\"", "\\(1)".repeat(LEVELS)),
        format!("f({})", vec!["1"; LEVELS].join(";")),
        format!(". as {}$x{} | 1", "[".repeat(LEVELS), "]".repeat(LEVELS)),
        format!(". as $x {} | 1", "?// $x ".repeat(LEVELS)),
    ];
    for program in programs {
        let outcome = run(&program, "null");
        let error = outcome.error.as_deref().unwrap_or_default();
        assert!(outcome.refused && error.contains("nested deeper than 10000 levels"), "{:.40}: {error:.80}", program);
    }
}

#[test]
fn long_chains_are_not_deep() {
    const LINKS: usize = 20_000;
    for (program, wanted) in [
        (format!(".{}", ".a".repeat(LINKS)[1..].to_owned()), "null".to_owned()),
        (format!("{} | 1", ["."; LINKS / 4].join(" | ")), "1".to_owned()),
        (format!("{{{}}} | length", vec!["a:1"; LINKS / 4].join(",")), "1".to_owned()),
        (format!("[{}] | length", ["."; LINKS].join(",")), LINKS.to_string()),
        (format!("[{}] | length", ["1"; LINKS].join(",")), LINKS.to_string()),
    ] {
        assert_eq!(run(&program, "null").outputs, [wanted], "{program:.40}");
    }
}
