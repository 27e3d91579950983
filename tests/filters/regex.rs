//! Random regular expressions on random texts, here and in a real jq 1.8: hundreds with each start of jq.

use crate::real_jq;
use crate::run::run;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What patterns are made of: every kind of element of the syntax, and what looks like one and is none.
const ELEMENTS: &[&str] = &[
    "a",
    "b",
    "é",
    "ß",
    "ss",
    "Σ",
    "日",
    " ",
    "-",
    ",",
    "<",
    "&",
    "]",
    "{",
    "}",
    "{,2}",
    "{,}",
    "a{2,1}",
    "{1}",
    ":",
    "=",
    "0",
    ".",
    "^",
    "$",
    r"\A",
    r"\z",
    r"\Z",
    r"\b",
    r"\B",
    r"\G",
    r"\<",
    r"\>",
    r"\K",
    r"\y",
    r"\Y",
    r"\X",
    r"\R",
    r"\N",
    r"\O",
    r"\w",
    r"\W",
    r"\d",
    r"\D",
    r"\s",
    r"\S",
    r"\h",
    r"\H",
    r"\q",
    r"\i",
    r"\j",
    r"\l",
    r"\L",
    r"\u0041",
    r"\v",
    r"\C",
    r"\M",
    r"\-",
    r"\#",
    r"\.",
    r"\/",
    r"\]",
    r"\t",
    r"\n",
    r"\e",
    r"\0",
    r"\101",
    r"\cA",
    r"\x41",
    r"\x{e9}",
    r"\o{101}",
    r"\xff",
    r"\p{L}",
    r"\p{Lu}",
    r"\P{Greek}",
    r"\p{^Alpha}",
    r"\pL",
    r"\p{Foo}",
    r"\Qa.b\E",
    r"\1",
    r"\2",
    r"\k<n>",
    r"\g<1>",
    r"\g<n>",
    "[abc]",
    "[^a]",
    "[]a]",
    "[^]a]",
    "[][]",
    "[[(]",
    "[a[bc]]",
    "[a-z&&[^b]]",
    "[--a]",
    "[a-]",
    r"[\w-]",
    r"[\]é]",
    "[é-ü]",
    "[b-a]",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[^[:alnum:]]",
    "[[:upper:]_]",
    "[[:lower:]]",
    "[[:digit:]]",
    "[[:space:]]",
    "[[:blank:]]",
    "[[:cntrl:]]",
    "[[:graph:]]",
    "[[:print:]]",
    "[[:punct:]]",
    "[[:xdigit:]]",
    "[[:word:]]",
    "[[:ascii:]]",
    "[[:foo:]]",
    "[:a:]",
    "[[:alpha:]",
    "[",
    "(",
    ")",
    "|",
    "(?i)",
    "(?x) a #b",
    "(?m:.)",
    "(?s:.)",
    "(?-i:a)",
    "(?z)",
    "(?#no)",
    "(*FAIL)",
    "(?~ab)",
    "(?(1)a|b)",
    "(?P<n>a)",
    "(?<1>a)",
    "(?<n>",
    "(?<n>a)",
];

const QUANTIFIERS: &[&str] = &[
    "*", "+", "?", "*?", "+?", "??", "++", "*+", "{2}", "{1,2}", "{0,1}?", "{1,}", "{0}", "**", "+*", "{1}{2}", "{,2}",
];

const GROUPS: &[&str] = &["(", "(?:", "(?<n>", "(?<m>", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"];

const TEXTS: &[&str] = &[
    "",
    "a",
    "ab",
    "aab",
    "abab",
    "aabb",
    "ba",
    "ABab",
    "a b",
    "a,b",
    "<b>",
    "a&b",
    "[a][b]",
    "(a)",
    "a{,2}",
    "a-b",
    "a.b",
    "]",
    "a\nb",
    "ab\n",
    "\n",
    "\r\n",
    "\t",
    "a\u{0}b",
    "\u{1}",
    "q i j",
    "hHlLuU0041",
    "vpLCM",
    "éa",
    "né",
    "Größe",
    "ß SS ss",
    "ΣΑΣ σας",
    "e\u{301}x",
    "日本",
    "٣1²",
    "x_1",
    "A0",
    "a\u{a0}b",
    "+<=>$^",
    "!\"#",
    "😀a",
    "\u{feff}a",
];

const FLAGS: &[&str] = &["", "g", "g", "g", "gi", "gx", "gs", "gn", "gp", "gl", "gm", "i", "n", "l", "gil"];

fn pick(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    let element = pick(ELEMENTS);
    element.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => (inner.clone(), pick(QUANTIFIERS)).prop_map(|(part, quantifier)| part + &quantifier),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}|{b}")),
            2 => (pick(GROUPS), inner).prop_map(|(group, part)| format!("{group}{part})")),
        ]
    })
}

/// All that can be asked of one pattern and text; what fails gives its message.
const PROGRAM: &str = r#".[] | . as [$text, $re, $flags] | $text
    | try [test($re; $flags), [match($re; $flags)], [scan($re; $flags)], [capture($re; $flags)], [splits($re; $flags)],
           [sub($re; "<\(.n)>", "-"; $flags)]] catch ."#;

/// Whether the answers are to be the same. After an empty match jq goes on inside of a character that has several bytes, and
/// it takes groups of an empty match for empty (docs/filters.md).
fn is_comparable(text: &str, answer: &Value) -> bool {
    let list = |i: usize| answer.get(i).and_then(Value::as_array).into_iter().flatten();
    let empty = |found: &Value| found["length"] == json!(0);
    let group_with_text = |found: &Value| found["captures"].as_array().is_some_and(|groups| !groups.iter().all(empty));
    // `scan` and `splits` look for all matches, whatever the flags are.
    let steps = list(1).any(empty) || list(2).chain(list(4)).any(|part| part == "" || part.is_array());
    (text.is_ascii() || !steps) && !list(1).any(|found| empty(found) && group_with_text(found))
}

#[test]
fn random_patterns_have_the_results_of_a_real_jq() {
    let Some(jq) = real_jq::find() else { return };
    let batches = std::env::var("MEMLATCH_DIFFERENTIAL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200) / 10;
    let config = ProptestConfig { cases: batches, failure_persistence: None, ..ProptestConfig::default() };
    let question = (prop::sample::select(TEXTS), pattern(), pick(FLAGS));
    proptest!(config, |(questions in prop::collection::vec(question, 300))| {
        let input = serde_json::to_string(&questions).expect("strings are JSON");
        let ours = run(PROGRAM, &input).outputs;
        let theirs = real_jq::run(&jq, &["-c", PROGRAM], &input).stdout;
        let theirs: Vec<_> = String::from_utf8_lossy(&theirs).lines().map(str::to_owned).collect();
        prop_assert_eq!(ours.len(), questions.len());
        prop_assert_eq!(theirs.len(), questions.len());
        for ((ours, theirs), (text, re, flags)) in ours.iter().zip(&theirs).zip(&questions) {
            let answer: Value = serde_json::from_str(ours).expect("outputs are JSON");
            if is_comparable(text, &answer) {
                prop_assert_eq!(ours, theirs, "{:?} | match({:?}; {:?})", text, re, flags);
            }
        }
    });
}
