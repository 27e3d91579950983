//! The completions of fish: what can stand where as two functions with a `switch` each; `frame.fish` walks along the words.

use super::{
    levels::{Level, Value},
    names,
};
use std::fmt::Write as _;

/// The whole script.
pub fn script(levels: &[Level]) -> String {
    let mut level_cases = String::new();
    let mut value_cases = String::new();
    for level in levels {
        _ = write!(level_cases, "        case {}\n            set level {0}\n", quoted(&level.path));
        for option in &level.options {
            let candidates: Vec<String> =
                option.names.iter().map(|name| quoted(&format!("{name}\t{}", option.help))).collect();
            _ = writeln!(level_cases, "            set -a options {}", candidates.join(" "));
        }
        for (command, about) in &level.commands {
            _ = writeln!(level_cases, "            set -a commands {}", quoted(&format!("{command}\t{about}")));
        }
        _ = writeln!(level_cases, "            set operands{}", kinds(&level.operands));
        _ = writeln!(level_cases, "            set more {}", quoted(&level.more.word()));
        _ = writeln!(level_cases, "            set tail {}", if level.runs_command() { "command" } else { "word" });
        for option in level.options.iter().filter(|option| !option.values.is_empty() && !option.optional) {
            let names: Vec<String> =
                option.names.iter().map(|name| quoted(&format!("{} {name}", level.path))).collect();
            _ = writeln!(
                value_cases,
                "        case {}\n            set values{}",
                names.join(" "),
                kinds(&option.values)
            );
        }
    }
    include_str!("frame.fish")
        .replace("        LEVELS\n", &level_cases)
        .replace("        VALUES\n", &value_cases)
        .replace("NAMES", &names().join(" "))
}

fn kinds(values: &[Value]) -> String {
    values.iter().map(|value| format!(" {}", quoted(&value.kind.word()))).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
