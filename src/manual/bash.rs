//! The completions of bash: what can stand where as two functions with a `case` each; `frame.bash` walks along the words.

use super::{
    levels::{Kind, Level},
    names,
};
use std::fmt::Write as _;

/// The whole script.
pub fn script(levels: &[Level]) -> String {
    let mut level_cases = String::new();
    let mut value_cases = String::new();
    for level in levels {
        let options: Vec<&str> = level.options.iter().flat_map(|option| &option.names).map(String::as_str).collect();
        let commands: Vec<&str> = level.commands.iter().map(|(name, _)| name.as_str()).collect();
        let operands: Vec<String> = level.operands.iter().map(|operand| word(&operand.kind)).collect();
        _ = write!(
            level_cases,
            "    '{}')\n        options='{}' commands='{}'\n        operands='{}' more='{}' tail='{}' ;;\n",
            level.path,
            options.join(" "),
            commands.join(" "),
            operands.join(" "),
            word(&level.more),
            if level.runs_command() { "command" } else { "word" },
        );
        for option in level.options.iter().filter(|option| !option.values.is_empty() && !option.optional) {
            let names: Vec<String> = option.names.iter().map(|name| format!("'{} {name}'", level.path)).collect();
            let kinds: Vec<String> = option.values.iter().map(|value| word(&value.kind)).collect();
            _ = writeln!(value_cases, "    {}) values='{}' ;;", names.join(" | "), kinds.join(" "));
        }
    }
    include_str!("frame.bash")
        .replace("    LEVELS\n", &level_cases)
        .replace("    VALUES\n", &value_cases)
        .replace("NAMES", &names().join(" "))
}

/// A kind as one word without blanks, as the frame knows it.
fn word(kind: &Kind) -> String {
    match kind {
        Kind::Word => "word".to_owned(),
        Kind::File => "file".to_owned(),
        Kind::Folder => "folder".to_owned(),
        Kind::Command => "command".to_owned(),
        Kind::OneOf(values) => format!("={}", values.join(",")),
    }
}
