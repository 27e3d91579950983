//! The completions of zsh: a function a level with what `_arguments` is to know, and `frame.zsh` around them.

use super::{
    levels::{Kind, Level, Opt, Value},
    names,
};
use memlatch_os::text::in_quotes;
use std::fmt::Write as _;

/// The whole script; it serves as a file of `fpath` and to be sourced.
pub fn script(levels: &[Level]) -> String {
    let mut functions = String::new();
    for level in levels {
        _ = write!(functions, "\n{}", function(level));
    }
    include_str!("frame.zsh").replace("FUNCTIONS\n", &functions).replace("NAMES", &names().join(" "))
}

fn name(path: &str) -> String {
    format!("_memlatch_{}", path.replace([' ', '-'], "_"))
}

fn function(level: &Level) -> String {
    let mut text = format!("{}() {{\n", name(&level.path));
    if level.runs_command() {
        // `_arguments` ends at `--`; what follows is a command line of its own.
        text.push_str("    _memlatch_tail && return\n");
    }
    text.push_str("    local curcontext=\"$curcontext\" state line ret=1\n    typeset -A opt_args\n");
    text.push_str("    _arguments -s -S -C : \\\n");
    for spec in level.options.iter().flat_map(options) {
        _ = writeln!(text, "        {} \\", in_quotes(&spec));
    }
    if level.commands.is_empty() {
        for (number, operand) in level.operands.iter().enumerate() {
            _ = writeln!(text, "        {} \\", in_quotes(&format!("{}{}", number + 1, value(operand))));
        }
        let more = Value { name: "word".to_owned(), help: String::new(), kind: level.more.clone() };
        _ = writeln!(text, "        {} && ret=0", in_quotes(&format!("*{}", value(&more))));
        text.push_str("    return ret\n}\n");
        return text;
    }
    text.push_str("        '1: :->command' '*::: :->rest' && ret=0\n    case $state in\n    command)\n");
    text.push_str("        local -a commands=(\n");
    for (command, about) in &level.commands {
        _ = writeln!(text, "            {}", in_quotes(&format!("{command}:{about}")));
    }
    _ = write!(
        text,
        "        )\n        _describe -t commands '{} command' commands && ret=0 ;;\n    rest)\n        case $line[1] in\n",
        level.path
    );
    for (command, _) in &level.commands {
        // `_arguments` of the level below counts from the command's own name on.
        _ = writeln!(
            text,
            "        {command}) words=($line[1] \"${{words[@]}}\"); (( CURRENT++ )); {} && ret=0 ;;",
            name(&level.below(command))
        );
    }
    text.push_str("        esac ;;\n    esac\n    return ret\n}\n");
    text
}

/// What `_arguments` is told of an option, once a name.
fn options(option: &Opt) -> Vec<String> {
    let others = if option.repeats { "*".to_owned() } else { format!("({})", option.names.join(" ")) };
    let values: String = option.values.iter().map(value).collect();
    let spec = |name: &String| {
        let mark = match (option.values.len(), option.optional, name.starts_with("--")) {
            (1, true, _) => "=-",
            (1, false, true) => "=",
            (1, false, false) => "+",
            _ => "",
        };
        let optional = if option.optional { ":" } else { "" };
        format!("{others}{name}{mark}[{}]{optional}{values}", option.help.replace('[', "\\[").replace(']', "\\]"))
    };
    option.names.iter().map(spec).collect()
}

fn value(value: &Value) -> String {
    let action = match &value.kind {
        // A blank: there is nothing to offer, but the name can be shown.
        Kind::Word => " ".to_owned(),
        Kind::File => "_files".to_owned(),
        Kind::Folder => "_files -/".to_owned(),
        Kind::Command => "_command_names -e".to_owned(),
        Kind::OneOf(words) => format!("({})", words.join(" ")),
    };
    format!(":{}:{action}", value.name)
}
