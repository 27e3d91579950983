//! The help topics: short texts, one screen each, which the manual pages include.

/// A help topic.
pub struct Topic {
    pub name: &'static str,
    pub about: &'static str,
    pub text: &'static str,
}

/// All topics, in the order in which they are listed.
pub const TOPICS: [Topic; 6] = [
    Topic {
        name: "locking",
        about: "what a lock promises, and what it does not",
        text: include_str!("help/locking.txt"),
    },
    Topic { name: "filters", about: "the language of filters, by example", text: include_str!("help/filters.txt") },
    Topic { name: "environment", about: "the environment variables", text: include_str!("help/environment.txt") },
    Topic { name: "mcp", about: "memory files for AI clients, by MCP", text: include_str!("help/mcp.txt") },
    Topic {
        name: "remote",
        about: "documents beyond this machine, on etcd or in a bucket",
        text: include_str!("help/remote.txt"),
    },
    Topic { name: "exit-codes", about: "what the exit statuses mean", text: include_str!("help/exit-codes.txt") },
];

/// The topic of this name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The names of all topics, as a list to read.
pub fn topics() -> String {
    TOPICS.map(|topic| topic.name).join(", ")
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A line by itself at the margin that ends with a colon.
    Heading(String),
    /// Lines at the margin.
    Paragraph(String),
    /// Lines `  NAME  what it means`, which may go on further in.
    Item(String, String),
    /// Lines `  $ …` and what is printed: as they are.
    Code(Vec<String>),
}

impl Topic {
    /// The parts of its text, without the title.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut lines = self.text.lines().skip(1).peekable();
        while let Some(line) = lines.next() {
            let mut more = |goes_on: fn(&str) -> bool| -> Vec<&str> {
                std::iter::from_fn(|| lines.next_if(|line| goes_on(line))).collect()
            };
            if line.is_empty() {
                continue;
            } else if line.starts_with("    ") {
                let rest = more(|line| line.starts_with("    "));
                parts.push(Part::Code([line].into_iter().chain(rest).map(|line| line[4..].to_owned()).collect()));
            } else if let Some(item) = line.strip_prefix("  ") {
                let (name, meaning) = item.split_once("  ").unwrap_or((item, ""));
                let rest = more(|line| line.starts_with("    "));
                let meaning: Vec<&str> = [meaning].into_iter().chain(rest).map(str::trim).collect();
                parts.push(Part::Item(name.to_owned(), meaning.join(" ").trim().to_owned()));
            } else {
                let rest = more(|line| !line.is_empty() && !line.starts_with(' '));
                let text: Vec<&str> = [line].into_iter().chain(rest).collect();
                match (text.len(), line.strip_suffix(':')) {
                    (1, Some(heading)) => parts.push(Part::Heading(heading.to_owned())),
                    _ => parts.push(Part::Paragraph(text.join(" "))),
                }
            }
        }
        parts
    }

    /// The items below those headings that `wanted` picks.
    pub fn items(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String, String)> {
        let (mut heading, mut found) = (String::new(), Vec::new());
        for part in self.parts() {
            match part {
                Part::Heading(text) => heading = text,
                Part::Item(name, meaning) if wanted(&heading) => found.push((heading.clone(), name, meaning)),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_its_parts() {
        let text = "TITLE\n\nOne\ntwo.\n\nFiles:\n  a b  what\n       it is\n\n    $ code\n";
        let topic = Topic { name: "x", about: "", text };
        let parts = [
            Part::Paragraph("One two.".into()),
            Part::Heading("Files".into()),
            Part::Item("a b".into(), "what it is".into()),
            Part::Code(vec!["$ code".into()]),
        ];
        assert_eq!(topic.parts(), parts);
    }
}
