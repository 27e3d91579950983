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
