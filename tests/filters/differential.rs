//! Random programs on random documents, here and in a real jq 1.8.
//!
//! Differences that are known are listed in docs/filters.md; the generator leaves them out.

use crate::real_jq;
use crate::run::{run, same};
use proptest::prelude::*;

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        (-20i32..20).prop_map(|n| n.to_string()),
        prop::sample::select(vec!["1.5", "-0.25", "1e3", "12345678901234567890", "3.10"]).prop_map(str::to_owned),
        "[a-cä\\PC]{0,4}".prop_map(|s| serde_json::Value::from(s).to_string()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|m| {
                let members: Vec<_> = m.into_iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

fn pick(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(words).prop_map(str::to_owned)
}

/// What can be assigned to.
fn place() -> impl Strategy<Value = String> {
    let leaf = pick(&[
        ".",
        ".a",
        ".b",
        ".c?",
        ".[0]",
        ".[-1]",
        ".[1:]",
        ".[:2]",
        ".[]",
        ".[]?",
        "..",
        ".[\"a\"]",
        "first(.[])",
        "empty",
        ".a[1]",
        ".[0:2]",
        "getpath([\"a\"])",
        "recurse",
        "1",
        ".[5]",
        ".[0,1]",
        "limit(1; .[])",
    ]);
    leaf.prop_recursive(2, 6, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a} | {b})")),
            two.clone().prop_map(|(a, b)| format!("({a}, {b})")),
            two.clone().prop_map(|(a, b)| format!("({a} // {b})")),
            two.clone().prop_map(|(a, b)| format!("({a} | select({b}))")),
            two.prop_map(|(a, b)| format!("if {a} then {b} else .a end")),
            inner.prop_map(|a| format!("({a})?")),
        ]
    })
}

/// Programs of the grammar.
fn program() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        pick(&[".", ".a", ".b", ".c?", ".[0]", ".[-1]", ".[1:]", ".[:2]", ".[]", ".[]?", "..", ".[\"a\"]"]),
        pick(&["0", "1", "-1", "2.5", "\"a\"", "null", "true", "false", "[]", "{}", "[1, 2]", "{\"a\": 1}", "empty"]),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let e = inner.clone();
        let two = (inner.clone(), inner.clone());
        let operators = pick(&["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//"]);
        let updates = pick(&["=", "|=", "+=", "-=", "*=", "//="]);
        let plain = pick(&[
            "length",
            "keys",
            "type",
            "tojson",
            "not",
            "add",
            "any",
            "all",
            "sort",
            "unique",
            "min",
            "max",
            "reverse",
            "to_entries",
            "flatten",
            "first",
            "last",
            "explode",
            "floor",
            "tonumber",
            "transpose",
            "paths",
            "@csv",
            "@html",
            "abs",
            "trim",
            "tostream",
            "ascii_downcase",
            "tostring",
            "@base64",
            "isempty(.[])",
        ]);
        let taking = pick(&[
            "map",
            "select",
            "map_values",
            "sort_by",
            "group_by",
            "unique_by",
            "min_by",
            "max_by",
            "with_entries",
            "walk",
            "any",
            "all",
            "first",
            "last",
            "isempty",
            "add",
            "error",
            "has",
            "contains",
            "inside",
            "index",
            "indices",
            "split",
            "join",
            "startswith",
            "ltrimstr",
            "in",
            "flatten",
            "range",
            "IN",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (place(), updates, inner.clone()).prop_map(|(a, op, b)| format!("(({a}) {op} {b})")),
            (inner.clone(), pick(&["del", "path", "[paths] | path", "pick"]), place())
                .prop_map(|(a, f, p)| format!("({a} | {f}({p}))")),
            (inner.clone(), plain).prop_map(|(a, f)| format!("({a} | {f})")),
            (inner.clone(), taking, inner.clone()).prop_map(|(a, f, b)| format!("({a} | {f}({b}))")),
            two.clone().prop_map(|(a, b)| format!("({a} | {b})")),
            two.clone().prop_map(|(a, b)| format!("({a}, {b})")),
            two.clone().prop_map(|(a, b)| format!("({a} as $x | {b} + $x)")),
            two.clone().prop_map(|(a, b)| format!("{{a: {a}, b: {b}}}")),
            two.clone().prop_map(|(a, b)| format!("reduce ({a}) as $i (0; {b})")),
            two.clone().prop_map(|(a, b)| format!("foreach ({a}) as $i (0; {b}; [$i, .])")),
            two.clone().prop_map(|(a, b)| format!("\"<\\({a})|\\({b})>\"")),
            two.clone().prop_map(|(a, b)| format!("(def f: {a}; [{b} | f])")),
            two.clone()
                .prop_map(|(a, b)| format!("(def f($n): if $n < 1 then ({a}) as $x | f($n + 1) else {b} end; f(0))")),
            two.clone().prop_map(|(a, b)| format!("reduce (1, 2) as $i ({a}; {b})")),
            two.clone().prop_map(|(a, b)| format!("[foreach (1, 2) as $i ({a}; [., $i]; {{a: $i, b: ({b})}})]")),
            two.clone().prop_map(|(a, b)| format!("map({a} as $x | [$x, {b}, {{\"k\\($x)\": .}}])")),
            two.clone().prop_map(|(a, b)| format!("map(.[\"\\({a})\"] += ({b}))")),
            two.clone().prop_map(|(a, b)| format!("[limit(2; {a}, {b})]")),
            (e.clone(), e.clone(), e.clone()).prop_map(|(a, b, c)| format!("if {a} then {b} else {c} end")),
            e.clone().prop_map(|a| format!("[{a}]")),
            e.clone().prop_map(|a| format!("(try ({a}) catch .)")),
            e.clone().prop_map(|a| format!("({a})?")),
            e.prop_map(|a| format!("label $f | ({a} | ., break $f)")),
        ]
        .prop_map(|p| if p.starts_with(['l', 'r', 'f', 'i']) { format!("({p})") } else { p })
    })
}

/// What jq prints, and its error.
fn ask(jq: &str, program: &str, input: &str) -> (Vec<String>, Option<String>) {
    let output = real_jq::run(jq, &["-c", program], input);
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let message = message.strip_suffix('\n').unwrap_or(&message).to_owned();
    let rest = message.strip_prefix("jq: error (at <").and_then(|m| m.split_once(')')).map(|(_, e)| e);
    let error = rest.map(|e| e.strip_prefix(':').unwrap_or(e)).map(|e| e.strip_prefix(' ').unwrap_or(e).to_owned());
    (lines, error.or_else(|| (!message.is_empty()).then_some(message)))
}

#[test]
fn random_programs_have_the_results_of_a_real_jq() {
    let Some(jq) = real_jq::find() else { return };
    let cases = std::env::var("MEMLATCH_DIFFERENTIAL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(program in program(), input in json())| {
        let ours = run(&program, &input);
        let (outputs, error) = ask(&jq, &program, &input);
        let equal = ours.outputs.len() == outputs.len()
            && ours.outputs.iter().zip(&outputs).all(|(a, b)| a == b || same(a, b));
        prop_assert!(equal, "{program}\non {input}\njq   {outputs:?} {error:?}\nours {ours:?}");
        prop_assert_eq!(&ours.error, &error, "{} on {}", program, input);
    });
}

#[test]
fn documents_print_as_a_real_jq_prints_them() {
    let Some(jq) = real_jq::find() else { return };
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(documents in prop::collection::vec(json(), 20))| {
        use memlatch_jq::document::{Indent, Layout, parse, write};
        for (options, indent, sort_keys) in [
            (&["."][..], Indent::Spaces(2), false),
            (&["-c", "."], Indent::Compact, false),
            (&["--tab", "."], Indent::Tab, false),
            (&["--indent", "3", "-S", "."], Indent::Spaces(3), true),
        ] {
            let mut ours = Vec::new();
            for document in &documents {
                // Numbers keep their text here and are normalised there.
                let plain = document.replace("1e3", "1000");
                let value = parse(plain.into_bytes()).expect("it is JSON");
                write(&value, &Layout { indent, sort_keys }, &mut ours).expect("memory takes everything");
                ours.push(b'\n');
            }
            let all = documents.join("\n").replace("1e3", "1000");
            let theirs = real_jq::run(&jq, options, &all).stdout;
            prop_assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
        }
    });
}
