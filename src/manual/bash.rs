//! The completions of bash: what can stand where as two functions with a `case` each; `frame.bash` walks along the words.

use super::{levels::Level, names};
use std::fmt::Write as _;

/// The whole script.
pub fn script(levels: &[Level]) -> String {
    let mut level_cases = String::new();
    let mut value_cases = String::new();
    for level in levels {
        let options: Vec<&str> = level.options.iter().flat_map(|option| &option.names).map(String::as_str).collect();
        let commands: Vec<&str> = level.commands.iter().map(|(name, _)| name.as_str()).collect();
        let operands: Vec<String> = level.operands.iter().map(|operand| operand.kind.word()).collect();
        _ = write!(
            level_cases,
            "    '{}')\n        options='{}' commands='{}'\n        operands='{}' more='{}' tail='{}' ;;\n",
            level.path,
            options.join(" "),
            commands.join(" "),
            operands.join(" "),
            level.more.word(),
            if level.runs_command() { "command" } else { "word" },
        );
        for option in level.options.iter().filter(|option| !option.values.is_empty() && !option.optional) {
            let names: Vec<String> = option.names.iter().map(|name| format!("'{} {name}'", level.path)).collect();
            let kinds: Vec<String> = option.values.iter().map(|value| value.kind.word()).collect();
            _ = writeln!(value_cases, "    {}) values='{}' ;;", names.join(" | "), kinds.join(" "));
        }
    }
    include_str!("frame.bash")
        .replace("    LEVELS\n", &level_cases)
        .replace("    VALUES\n", &value_cases)
        .replace("NAMES", &names().join(" "))
}
