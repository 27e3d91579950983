//! What the docs show, the tests run: every `console` block of README.md and docs/, as docs/contributing.md describes.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::sandbox::{BINARY, Sandbox, available, is_built_for};

/// A command of a block and the lines that are to follow it.
#[derive(Debug, Default, PartialEq)]
struct Step {
    command: String,
    expected: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Block {
    place: String,
    steps: Vec<Step>,
}

/// The console blocks of a page. A block in a list is indented; its fence says how far.
fn blocks(name: &str, page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, fence)) = lines.next() {
        if fence.trim() != "```console" {
            continue;
        }
        let indent = fence.len() - fence.trim_start().len();
        let mut steps: Vec<Step> = Vec::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            let line = line.get(indent..).unwrap_or("");
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
                (None, Some(step)) if line.starts_with("> ") && step.expected.is_empty() => {
                    _ = write!(step.command, "\n{}", &line[2..]);
                }
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => panic!("{name}:{}: a console block begins with '$ '", number + 2),
            }
        }
        blocks.push(Block { place: format!("{name}:{}", number + 1), steps });
    }
    blocks
}

/// Whether a line matches a pattern in which `...` stands for any text.
fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("...");
    let first = parts.next().expect("a first part");
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether lines match patterns; a pattern that is `...` alone stands for any lines, or none.
fn lines_match(patterns: &[String], lines: &[&str]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((pattern, rest)) if pattern == "..." => (0..=lines.len()).any(|skip| lines_match(rest, &lines[skip..])),
        Some((pattern, rest)) => {
            lines.split_first().is_some_and(|(line, more)| line_matches(pattern, line) && lines_match(rest, more))
        }
    }
}

/// Runs a block in one bash and an empty folder, and says where what it showed was not what it shows.
fn run(block: &Block) -> Result<(), String> {
    let sandbox = Sandbox::new();
    sandbox.may_leave_locks().may_leave_litter();
    let folder = sandbox.home().join("block");
    fs::create_dir(&folder).expect("an empty folder");
    let mut script = "exec 2>&1\n".to_owned();
    for (number, step) in block.steps.iter().enumerate() {
        fs::write(sandbox.home().join(format!("step-{number}")), format!("{}\n", step.command)).expect("a step");
        // `printf` ends an unfinished line, as a terminal's reader would see it.
        _ = writeln!(script, ". ../step-{number}\nprintf '\\n#%s#\\n' end-{number}");
    }
    // Jobs that a block leaves behind end with it; what bash says of their end is not the block's.
    script.push_str("exec >/dev/null 2>&1\nfor job in $(jobs -p); do kill \"$job\"; done\nwait\n");
    let output = sandbox.bash(&script).within(&folder).output();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rest = text.as_str();
    for (number, step) in block.steps.iter().enumerate() {
        let Some((shown, after)) = rest.split_once(&format!("\n#end-{number}#\n")) else {
            return Err(format!("{}: `{}` ended the shell:\n{rest}", block.place, step.command));
        };
        rest = after;
        let lines: Vec<&str> = shown.lines().collect();
        if !lines_match(&step.expected, &lines) {
            return Err(format!(
                "{}: `{}`\n--- the page shows\n{}\n--- but it prints\n{shown}",
                block.place,
                step.command,
                step.expected.join("\n")
            ));
        }
    }
    Ok(())
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/clients"] {
        pages.extend(fs::read_dir(root.join(folder)).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md") && path.is_file());
    pages.sort();
    pages
}

#[test]
fn every_console_block_prints_what_the_page_shows() {
    if !available("jq") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks: Vec<Block> = pages()
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(root).expect("a page of ours").display().to_string();
            blocks(&name, &fs::read_to_string(path).expect("a page"))
        })
        .filter(|block| block.steps.iter().all(|step| is_built_for(&step.command)))
        .collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = run(block) {
                        failures.lock().expect("no panic under this lock").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic under this lock");
    assert!(failures.is_empty(), "{} of {} blocks:\n\n{}", failures.len(), blocks.len(), failures.join("\n\n"));
}

#[test]
fn the_pictures_are_what_a_terminal_shows() {
    if !available("python3") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/picture");
    for name in ["session", "thinking"] {
        let sandbox = Sandbox::new();
        let call = sandbox.call([Path::new("python3"), &folder.join("record")]).arg(name);
        call.arg(sandbox.path("picture.svg")).env("MEMLATCH", BINARY).succeeds();
        let kept = fs::read_to_string(folder.join(format!("{name}.svg"))).expect("the picture");
        let drawn = sandbox.read("picture.svg");
        assert!(kept == drawn, "the terminal shows something else in {name} now; run docs/picture/record");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().expect("a first part");
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            if !page.parent().expect("a folder").join(target).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn a_block_is_read_with_its_indent_and_its_continued_commands() {
    let page = "- x:\n\n  ```console\n  $ echo a \\\n  > b\n  a b\n  $ true\n  ```\n";
    let steps = vec![
        Step { command: "echo a \\\nb".into(), expected: vec!["a b".into()] },
        Step { command: "true".into(), expected: vec![] },
    ];
    assert_eq!(blocks("p.md", page), [Block { place: "p.md:3".into(), steps }]);
}

#[test]
fn three_dots_stand_for_a_part_of_a_line_or_for_lines() {
    let matches = |pattern: &str, text: &str| {
        let patterns: Vec<String> = pattern.lines().map(str::to_owned).collect();
        lines_match(&patterns, &text.lines().collect::<Vec<_>>())
    };
    assert!(
        matches("a...c", "abbc") && matches("...", "") && matches("...", "a\nb") && matches("a\n...\nd", "a\nb\nc\nd")
    );
    assert!(matches("[OK] ...", "[OK] x") && matches("x...y...", "x1y2") && !matches("x...y", "x1y2"));
    assert!(!matches("a", "a\nb") && !matches("a\nb", "a") && !matches("", "a") && !matches("a...c...", "ab"));
}
