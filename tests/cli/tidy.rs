//! The architecture as tests: who may name what. An absence is an invariant too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The sources of the product: the tool and its crates.
fn product() -> Vec<PathBuf> {
    let is_product = |path: &PathBuf| !path.iter().any(|part| part == "examples" || part == "tests");
    rust_files("src").into_iter().chain(rust_files("crates")).filter(is_product).collect()
}

/// What compiles: neither comments nor the tests inside a module, which stand at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let text = text.split("\n#[cfg(test)]\nmod ").next().expect("a first part");
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Fails for each line outside the `allowed` paths of the product that has one of the `words`.
#[track_caller]
fn only_in(allowed: &[&str], words: &[&str]) {
    let mut strays = Vec::new();
    for path in product() {
        let name = path.strip_prefix(root()).expect("a path below").display().to_string();
        if allowed.iter().any(|allowed| name == *allowed || allowed.ends_with('/') && name.starts_with(allowed)) {
            continue;
        }
        for (number, line) in code(&path).lines().enumerate() {
            if words.iter().any(|word| contains_word(line, word)) {
                strays.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(strays.is_empty(), "{words:?} belong in {allowed:?} alone:\n{}", strays.join("\n"));
}

/// Whether the word stands there on its own, not as a part of a longer name.
fn contains_word(line: &str, word: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back().is_none_or(|c| !part_of_a_name(c));
        let after = line[start + word.len()..].chars().next().is_none_or(|c| !part_of_a_name(c));
        before && (after || !word.ends_with(part_of_a_name))
    })
}

#[test]
fn only_the_filter_engine_uses_jaq() {
    only_in(&["crates/jq/src/filter/"], &["jaq_core"]);
}

#[test]
fn only_one_file_uses_oniguruma() {
    only_in(&["crates/jq/src/filter/regex/pattern.rs"], &["onig"]);
}

#[test]
fn only_replacement_uses_tempfile() {
    only_in(&["crates/replace/src/lib.rs"], &["tempfile"]);
}

#[test]
fn only_one_file_each_uses_schemas_and_differences() {
    only_in(&["crates/schema/src/"], &["jsonschema"]);
    only_in(&["src/schema.rs"], &["memlatch_schema"]);
    only_in(&["src/diff.rs", "crates/merge/src/sequence.rs"], &["similar"]);
}

#[test]
fn only_the_guard_uses_fs2() {
    only_in(&["crates/lock/src/guard.rs"], &["fs2"]);
}

#[test]
fn only_one_crate_depends_on_the_operating_system() {
    only_in(&["crates/os/src/"], &["target_os", "cfg(unix)", "cfg(windows)"]);
}

#[test]
fn only_one_file_uses_the_terminal() {
    only_in(&["src/report/terminal.rs", "crates/os/src/"], &["termios", "tcgetattr", "tcsetattr", "tcgetwinsize"]);
}

#[test]
fn only_the_command_line_uses_clap() {
    let allowed = ["src/cli/", "src/manual/"];
    only_in(&allowed, &["clap"]);
}

#[test]
fn exit_statuses_are_defined_in_one_place() {
    only_in(&["src/failure.rs"], &["75", "126", "127", "141"]);
}

#[test]
fn no_leaf_uses_failure_or_report() {
    let leaves = [
        "clients",
        "diff",
        "help",
        "mcp_entry",
        "multicall",
        "outcome",
        "refusal",
        "request",
        "revision",
        "sandbox",
        "schema",
        "settings",
    ];
    for leaf in leaves {
        assert_eq!(names_of_modules(leaf, &["failure", "report", "commands", "cli", "mcp"]), Vec::<String>::new());
    }
}

#[test]
fn commands_know_neither_the_report_nor_the_command_line() {
    assert_eq!(names_of_modules("commands", &["report", "cli"]), Vec::<String>::new());
}

/// Where a module of the tool, and what is inside it, names one of the `others`.
fn names_of_modules(module: &str, others: &[&str]) -> Vec<String> {
    let files = rust_files("src").into_iter().map(|path| (module_of("src", &path), path));
    let files: Vec<_> = files.filter(|(from, _)| from.first().is_some_and(|top| top == module)).collect();
    assert!(!files.is_empty(), "there is no module {module}");
    let named = files.iter().flat_map(|(from, path)| {
        paths_named(&code(path)).into_iter().map(|named| (from.join("::"), resolve(from, &named))).collect::<Vec<_>>()
    });
    named
        .filter(|(_, to)| to.first().is_some_and(|top| others.contains(&top.as_str())))
        .map(|(from, to)| format!("{from} names {}", to.join("::")))
        .collect()
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let silent: Vec<PathBuf> = product()
        .into_iter()
        .filter(|path| !path.ends_with("main.rs"))
        .filter(|path| !fs::read_to_string(path).expect("a source file").starts_with("//! "))
        .collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}

#[test]
fn no_test_is_ignored() {
    let mark = concat!("#[", "ignore");
    for path in rust_files("tests").into_iter().chain(product()) {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(!text.contains(mark), "{}", path.display());
    }
}

#[test]
fn no_test_sleeps_in_the_hope_that_something_has_happened() {
    // The first two wait in steps for an event that they name, the third sets the pace of a storm.
    let waiting = ["tests/cli/sandbox.rs", "tests/fire/puppet.rs", "tests/fire/storms.rs"];
    for path in rust_files("tests").into_iter().filter(|path| !waiting.iter().any(|wait| path.ends_with(wait))) {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(!text.contains(concat!("thread::", "sleep")), "{}: wait_until names the event", path.display());
    }
}

#[test]
fn nothing_is_left_to_do_later_and_nothing_is_printed_for_debugging() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    for path in product().into_iter().chain(rust_files("tests")) {
        let text = fs::read_to_string(&path).expect("a source file");
        for mark in marks {
            assert!(!text.contains(mark), "{mark} in {}", path.display());
        }
    }
}

#[test]
fn source_files_stay_small() {
    for path in product() {
        let lines = code(&path).lines().filter(|line| !line.trim().is_empty()).count();
        let name = path.strip_prefix(root()).expect("a path below").display().to_string();
        assert!(lines <= 450, "{name} has {lines} lines of code; it asks for a second noun");
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let page = |name: &str| fs::read_to_string(root().join("docs").join(name)).expect("a page");
    // Our own crates stand in the one, those of others in the other.
    let pages = [page("architecture.md"), page("decisions.md")].concat();
    let crates = fs::read_dir(root().join("crates")).expect("the crates").flatten().map(|entry| entry.path());
    for manifest in crates.chain([root().to_owned()]).map(|folder| folder.join("Cargo.toml")) {
        let manifest = fs::read_to_string(manifest).expect("a manifest");
        let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
        for line in lines.take_while(|line| !line.starts_with('[')).filter(|line| line.contains('=')) {
            let name = line.split(['=', '.', ' ']).next().expect("a name");
            assert!(pages.contains(name), "{name} is in neither docs/architecture.md nor docs/decisions.md");
        }
    }
}

/// A module by its path in its crate: `["filter", "natives"]`.
type Module = Vec<String>;

#[test]
fn no_modules_depend_on_each_other_in_a_circle() {
    let mut circles = Vec::new();
    let crates = crates().into_iter().map(|name| format!("crates/{name}/src"));
    for source in std::iter::once("src".to_owned()).chain(crates) {
        let arrows = arrows_between_siblings(&source);
        circles
            .extend(arrows.keys().filter_map(|start| way_back(start, &arrows)).map(|way| format!("{source}: {way}")));
    }
    assert!(circles.is_empty(), "modules in a circle:\n{}", circles.join("\n"));
}

/// The arrows of a crate between modules that stand beside each other; what is inside a module counts as the module's.
/// A module may name what it is in, and that may name it.
fn arrows_between_siblings(source: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let files: Vec<(Module, PathBuf)> =
        rust_files(source).into_iter().map(|path| (module_of(source, &path), path)).collect();
    let mut arrows = BTreeMap::<Module, BTreeSet<Module>>::new();
    for (from, path) in &files {
        for named in paths_named(&code(path)) {
            let to = resolve(from, &named);
            let known = (1..=to.len())
                .rev()
                .map(|length| &to[..length])
                .find(|to| files.iter().any(|(module, _)| module == to));
            let common = |to: &[String]| from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if let Some((to, common)) = known.map(|to| (to, common(to)))
                && common < to.len().min(from.len())
            {
                arrows.entry(from[..=common].to_vec()).or_default().insert(to[..=common].to_vec());
            }
        }
    }
    arrows
}

/// A way along the arrows from `start` to itself. Only the least module of a circle tells of it.
fn way_back(start: &Module, arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Option<String> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in arrows.get(way[way.len() - 1]).into_iter().flatten().filter(|next| *next >= start) {
            let longer = [&way[..], &[next]].concat();
            if next == start {
                let names: Vec<String> = longer.iter().map(|module| module.join("::")).collect();
                return Some(names.join(" → "));
            }
            if seen.insert(next) {
                ways.push(longer);
            }
        }
    }
    None
}

fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).expect("the crates");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn module_of(source: &str, path: &Path) -> Module {
    let path = path.strip_prefix(root().join(source)).expect("a path below").with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| !["lib", "main", "mod"].contains(&name.as_str())).collect()
}

/// A path as it is written, without its first word, from the module in which `crate`, `self` or `super` stand.
fn resolve(from: &[String], named: &[String]) -> Module {
    let mut module = from.to_vec();
    for name in named {
        match name.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()),
            name => module.push(name.to_owned()),
        }
    }
    module
}

/// The paths that begin with `crate`, `self` or `super`, one for each leaf of a tree in braces.
fn paths_named(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(start) = ["crate::", "super::", "self::"].iter().filter_map(|root| rest.find(root)).min() {
        let is_inside_a_name =
            rest[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        rest = &rest[start..];
        if is_inside_a_name {
            rest = &rest[1..];
        } else {
            rest = tree(rest, &[], &mut paths);
        }
    }
    paths
}

/// Reads one tree of paths below `above`, and gives what comes after it.
fn tree<'c>(code: &'c str, above: &[String], paths: &mut Vec<Vec<String>>) -> &'c str {
    let mut path = above.to_vec();
    let mut rest = code.trim_start();
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            loop {
                rest = tree(rest, &path, paths).trim_start();
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => return rest.strip_prefix('}').unwrap_or(rest),
                }
            }
        }
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        match after.strip_prefix("::") {
            Some(after) if !name.is_empty() => rest = after,
            _ => {
                paths.push(path);
                // The rest of `use a::b as c`.
                return after
                    .strip_prefix(" as ")
                    .map_or(after, |new| new.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
            }
        }
    }
}
