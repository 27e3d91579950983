//! The manual: a page for each level of the command line and one for each topic of help, in the language of troff.

use super::levels::{Kind, Level, Opt};
use crate::help::{Part, TOPICS, Topic, topic};
use std::fmt::Write as _;

/// The date of the pages: the day of the release that they belong to.
const DATE: &str = "2026-11-24";

/// One page.
pub struct Page {
    pub name: String,
    pub text: String,
}

impl Page {
    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.1", self.name)
    }
}

/// All pages.
pub fn all(levels: &[Level]) -> Vec<Page> {
    let commands = levels.iter().map(|level| Page { name: level.page(), text: of_level(level, levels) });
    commands.chain(TOPICS.iter().map(|topic| Page { name: on_topic(topic), text: of_topic(topic, levels) })).collect()
}

fn on_topic(topic: &Topic) -> String {
    format!("memlatch-{}", topic.name)
}

fn of_level(level: &Level, levels: &[Level]) -> String {
    let mut page = Roff::new(&level.page(), &level.about);
    page.section("SYNOPSIS");
    for (number, line) in level.usage.iter().enumerate() {
        if number > 0 {
            page.command(".br");
        }
        page.line(line);
    }
    page.section("DESCRIPTION");
    page.line(&format!("{}.", level.about));
    let (notes, examples) = split(&level.after);
    for note in notes {
        page.command(".PP");
        page.line(&note);
    }
    arguments(&mut page, level);
    if !level.commands.is_empty() {
        page.section("COMMANDS");
        for (command, about) in &level.commands {
            let path = level.below(command);
            let below = levels.iter().find(|level| level.path == path).expect("each command has a level");
            page.item(&bold(&below.page()), "(1)", about);
        }
    }
    reference(&mut page, &level.path);
    if !examples.is_empty() {
        page.section("EXAMPLES");
        page.code(&examples);
    }
    page.see_also(&level.page(), &related(level, levels));
    page.text
}

/// What help says below the options: notes, and the lines behind `Examples:`.
fn split(after: &str) -> (Vec<String>, Vec<String>) {
    let (mut notes, mut examples) = (Vec::new(), Vec::new());
    let mut in_examples = false;
    for line in after.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("Example") {
            in_examples = true;
        } else if in_examples && line.starts_with("  ") {
            examples.push(line.trim().to_owned());
        } else {
            in_examples = false;
            notes.push(line.trim().to_owned());
        }
    }
    (notes, examples)
}

fn arguments(page: &mut Roff, level: &Level) {
    page.section("OPTIONS");
    // Operands that share their help are told as one.
    for group in level.operands.chunk_by(|one, next| one.help == next.help) {
        let names: Vec<String> = group.iter().map(|operand| italic(&operand.name)).collect();
        let help = match &group[0].kind {
            Kind::OneOf(words) => format!("{}: {}", group[0].help, words.join(", ")),
            _ => group[0].help.clone(),
        };
        page.item(&names.join(" "), "", &help);
    }
    if let Some(tail) = &level.tail {
        page.item(&format!("\\-\\- {}", italic(&tail.name)), "", &tail.help);
    }
    for option in &level.options {
        page.item(&heading(option), "", &option.help);
    }
}

fn heading(option: &Opt) -> String {
    let names: Vec<String> = option.names.iter().map(|name| bold(name)).collect();
    let values: Vec<String> = option.values.iter().map(|value| italic(&value.name)).collect();
    match (values.is_empty(), option.optional) {
        (true, _) => names.join(", "),
        (false, true) => format!("{}[={}]", names.join(", "), values.join(" ")),
        (false, false) => format!("{} {}", names.join(", "), values.join(" ")),
    }
}

/// The sections that the texts of help are the source of.
fn reference(page: &mut Roff, path: &str) {
    let topic = |name| topic(name).expect("a topic of ours");
    page.section("EXIT STATUS");
    // A status that a command gives its own meaning is told on that command's page and above it.
    let concerns = |heading: &str| {
        path == "memlatch" || heading.starts_with("Every") || heading.starts_with(path) || path.starts_with(heading)
    };
    for (heading, status, meaning) in topic("exit-codes").items(concerns) {
        let meaning =
            if heading.starts_with("Every") || heading == path { meaning } else { format!("{heading}: {meaning}") };
        page.item(&bold(&status), "", &meaning);
    }
    page.section("ENVIRONMENT");
    for (_, variable, meaning) in topic("environment").items(|_| true) {
        page.item(&bold(&variable), "", &meaning);
    }
    page.section("FILES");
    for (_, file, meaning) in topic("locking").items(|heading| heading == "Files") {
        page.item(&italic(&file), "", &meaning);
    }
}

fn related(level: &Level, levels: &[Level]) -> Vec<String> {
    let top = levels.iter().filter(|other| other.path == "memlatch" || !other.path.contains(' '));
    let beside = levels.iter().filter(|other| {
        let above = level.path.split(' ').next().unwrap_or_default();
        other.path.starts_with(&format!("{above} "))
    });
    let pages = top.chain(beside).map(Level::page);
    pages.chain(TOPICS.iter().map(on_topic)).chain(["jq".to_owned()]).collect()
}

fn of_topic(topic: &Topic, levels: &[Level]) -> String {
    let mut page = Roff::new(&on_topic(topic), topic.about);
    page.section("DESCRIPTION");
    for (number, part) in topic.parts().into_iter().enumerate() {
        match part {
            Part::Heading(text) => {
                page.command(".SS");
                page.text.pop();
                page.text.push(' ');
                page.line(&text);
            }
            Part::Paragraph(text) => {
                if number > 0 {
                    page.command(".PP");
                }
                page.line(&text);
            }
            Part::Item(name, meaning) => page.item(&bold(&name), "", &meaning),
            Part::Code(lines) => page.code(&lines),
        }
    }
    let memlatch = levels.iter().find(|level| level.path == "memlatch").expect("memlatch is a level");
    page.see_also(&on_topic(topic), &related(memlatch, levels));
    page.text
}

/// A page being written.
struct Roff {
    text: String,
}

impl Roff {
    fn new(name: &str, about: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(".TH {} 1 {DATE} \"memlatch {version}\" \"memlatch\"\n", name.to_uppercase());
        let mut page = Roff { text };
        // Names are to be found as they are written, so no word is broken.
        page.command(".nh");
        page.section("NAME");
        page.line(&format!("{name} - {about}"));
        page
    }

    fn command(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.command(&format!(".SH {title}"));
    }

    /// A line of text as it is.
    fn line(&mut self, text: &str) {
        let escaped = escaped(text);
        // A line that begins with a dot or an apostrophe would be a request.
        let guard = if escaped.starts_with(['.', '\'']) { "\\&" } else { "" };
        _ = writeln!(self.text, "{guard}{escaped}");
    }

    /// A term, already in its font, and what it means.
    fn item(&mut self, term: &str, behind: &str, meaning: &str) {
        let guard = if term.starts_with(['.', '\'']) { "\\&" } else { "" };
        self.command(&format!(".TP\n{guard}{term}{behind}"));
        self.line(if meaning.is_empty() { "\u{a0}" } else { meaning });
    }

    fn code(&mut self, lines: &[String]) {
        // A paragraph that follows a heading is one already.
        if !self.text.lines().last().is_some_and(|line| line.starts_with(".S")) {
            self.command(".PP");
        }
        self.command(".RS 4\n.nf");
        for line in lines {
            self.line(line);
        }
        self.command(".fi\n.RE");
    }

    fn see_also(&mut self, own: &str, pages: &[String]) {
        self.section("SEE ALSO");
        let mut names: Vec<String> =
            pages.iter().filter(|page| *page != own).map(|page| format!(".BR {} (1)", escaped(page))).collect();
        names.dedup();
        self.command(&names.join(" ,\n"));
    }
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

/// Characters that are special to troff, or that it would print differently.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '"' => out.push_str("\\(dq"),
            '…' => out.push_str("..."),
            c => out.push(c),
        }
    }
    out
}
