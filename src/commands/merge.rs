//! `memlatch merge`: three JSON documents into one, for people, scripts and git.

use super::{Context, condition, form::Form, no_stack};
use crate::{
    document::{self, Indent, Layout},
    failure::Failure,
    filter::{self, Value},
    outcome::{Conflict, Driven, Merged, Outcome},
    request::Merge,
    sink::Note,
};
use memlatch_merge::{Decision, Kind, Rules, merge};
use memlatch_os::paths::shown;
use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::Command,
};

/// Finds out what two documents and their base come to.
pub fn run(request: &Merge, context: Context<'_>) -> Result<Outcome, Failure> {
    filter::on_large_stack(|| put_together(request, context)).map_err(no_stack)?
}

fn put_together(request: &Merge, context: Context<'_>) -> Result<Outcome, Failure> {
    let texts = [&request.base, &request.ours, &request.theirs].map(|file| read(file));
    let [base, ours, theirs] = texts;
    let (base, ours, theirs) = (base?, ours?, theirs?);
    let layout = condition::layout_of(&ours);
    let [base, ours, theirs] = [(&request.base, base), (&request.ours, ours), (&request.theirs, theirs)]
        .map(|(file, text)| document::parse(text).map_err(|error| Failure::from(error).about(shown(file))));
    let merged = merge(&base?, &ours?, &theirs?, &request.rules);
    tell_of_giving_up(&merged, context);
    let mut document = None;
    if merged.conflicts.is_empty() || request.rules.decision == Decision::Mark {
        let mut text = Vec::new();
        document::write(&merged.value, &layout, &mut text).map_err(Failure::from_output)?;
        text.push(b'\n');
        document = Some(text);
    }
    let conflicts = merged.conflicts.iter().map(Conflict::from).collect();
    Ok(Outcome::Merged(Merged { document, conflicts, as_json: request.json }))
}

fn tell_of_giving_up(merged: &memlatch_merge::Merged, context: Context<'_>) {
    if merged.gave_up {
        context.sink.note(Note::SearchGivenUp);
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::failed(format!("cannot read '{}': {error}", shown(file))))
}

/// Merges as git asks a driver to (gitattributes(5), "Defining a custom merge driver"): the result goes into the file of
/// ours, and where there are conflicts they are marked there as diff3 does.
///
/// What is not JSON is left to git's own merge of lines.
pub fn drive(request: &Merge, path: &Path, context: Context<'_>) -> Result<Outcome, Failure> {
    let work = || {
        let [base, ours, theirs] = [&request.base, &request.ours, &request.theirs].map(|file| read(file));
        let (base, ours, theirs) = (base?, ours?, theirs?);
        let form = Form::of(path);
        let layout = match form {
            Form::Lines => Layout { indent: Indent::Compact, sort_keys: false },
            Form::Document | Form::Sequence => condition::layout_of(&ours),
        };
        let merged = match read_all(form, [base, ours, theirs]) {
            Some(documents) => in_place_of_conflicts(documents, &request.rules),
            None => return by_lines(request, path, context),
        };
        let (merged, word) = merged;
        tell_of_giving_up(&merged, context);
        let text = text_of(form, &layout, &merged, &word).map_err(Failure::from_output)?;
        #[expect(clippy::disallowed_methods, reason = "git's own temporary file")]
        fs::write(&request.ours, text)
            .map_err(|error| Failure::failed(format!("cannot write '{}': {error}", shown(&request.ours))))?;
        let conflicts: Vec<Conflict> = merged.conflicts.iter().map(Conflict::from).collect();
        Ok(Outcome::Driven(Driven { file: path.to_owned(), is_clean: conflicts.is_empty(), conflicts }))
    };
    filter::on_large_stack(work).map_err(no_stack)?
}

/// Merges with a word in the place of each conflict that no document has.
fn in_place_of_conflicts(documents: [Value; 3], rules: &Rules) -> (memlatch_merge::Merged, String) {
    let texts = documents.each_ref().map(Value::to_string);
    let mut word = "memlatch-conflict-".to_owned();
    while texts.iter().any(|text| text.contains(&word)) {
        word.push('x');
    }
    let [base, ours, theirs] = documents;
    let mut rules = rules.clone();
    if let Decision::Report = rules.decision {
        rules.decision = Decision::Place(word.clone());
    }
    (merge(&base, &ours, &theirs, &rules), word)
}

/// The values of base, ours and theirs. `None` if one of them is not JSON.
fn read_all(form: Form, texts: [Vec<u8>; 3]) -> Option<[Value; 3]> {
    let [base, ours, theirs] = texts;
    let (ours, theirs) = (form.parse(ours).ok()?, form.parse(theirs).ok()?);
    let base = match base.trim_ascii() {
        // git's base of a file that both sides have added.
        [] => empty_like(&ours),
        _ => form.parse(base).ok()?,
    };
    Some([base, ours, theirs])
}

fn text_of(form: Form, layout: &Layout, merged: &memlatch_merge::Merged, word: &str) -> io::Result<Vec<u8>> {
    // A conflict is marked by lines, so a document that has only one gets more.
    let needs_lines = form != Form::Lines && !merged.conflicts.is_empty() && layout.indent == Indent::Compact;
    let layout = if needs_lines { &Layout::default() } else { layout };
    let mut text = Vec::new();
    form.write(&merged.value, layout, &mut text)?;
    marked(&text, merged, word, layout)
}

fn empty_like(value: &Value) -> Value {
    match value.kind() {
        "object" => Value::object(memlatch_jq::value::Map::default()),
        "array" => Value::array(Vec::new()),
        _ => Value::Null,
    }
}

/// The text with each line that holds a conflict's word replaced by the three values between diff3's marks.
fn marked(text: &[u8], merged: &memlatch_merge::Merged, word: &str, layout: &Layout) -> io::Result<Vec<u8>> {
    if merged.conflicts.is_empty() {
        return Ok(text.to_vec());
    }
    let mut result = Vec::with_capacity(text.len());
    let mark = format!("\"{word}");
    for line in String::from_utf8_lossy(text).split_inclusive('\n') {
        let conflict = line.find(&mark).and_then(|start| {
            let number: String = line[start + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            Some((start, number.len(), merged.conflicts.get(number.parse::<usize>().ok()?)?))
        });
        let Some((start, digits, conflict)) = conflict else {
            result.extend_from_slice(line.as_bytes());
            continue;
        };
        let before = &line[..start];
        let after = &line[start + mark.len() + digits + 1..];
        let sides = [("<<<<<<< ours", &conflict.ours), ("||||||| base", &conflict.base), ("=======", &conflict.theirs)];
        for (head, value) in sides {
            writeln!(result, "{head}")?;
            write_side(&mut result, conflict.kind, value.as_ref(), before, after, layout)?;
        }
        writeln!(result, ">>>>>>> theirs")?;
    }
    Ok(result)
}

/// One side of a conflict: the value in the line that it would stand in, or of a sequence each element in one.
fn write_side(
    out: &mut Vec<u8>,
    kind: Kind,
    value: Option<&Value>,
    before: &str,
    after: &str,
    layout: &Layout,
) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    match (kind, value.as_array()) {
        (Kind::Overlap, Some(elements)) => {
            elements.iter().try_for_each(|element| write_line(out, element, before, after, layout))
        }
        _ => write_line(out, value, before, after, layout),
    }
}

fn write_line(out: &mut Vec<u8>, value: &Value, before: &str, after: &str, layout: &Layout) -> io::Result<()> {
    let mut text = Vec::new();
    document::write(value, layout, &mut text)?;
    let margin: String = before.chars().take_while(|c| c.is_ascii_whitespace()).collect();
    let text = String::from_utf8_lossy(&text).replace('\n', &format!("\n{margin}"));
    write!(out, "{before}{text}{}", if after.is_empty() { "\n" } else { after })
}

/// git's own merge.
fn by_lines(request: &Merge, path: &Path, context: Context<'_>) -> Result<Outcome, Failure> {
    context.sink.note(Note::MergedByLines);
    let status = Command::new("git")
        .args(["merge-file", "--diff3", "-L", "ours", "-L", "base", "-L", "theirs"])
        .args([&request.ours, &request.base, &request.theirs])
        .status()
        .map_err(|error| Failure::failed(format!("cannot run git merge-file: {error}")))?;
    match status.code() {
        Some(count @ 0..128) => {
            Ok(Outcome::Driven(Driven { file: path.to_owned(), conflicts: Vec::new(), is_clean: count == 0 }))
        }
        _ => Err(Failure::failed(format!("git merge-file failed ({status}); the three files are as they were"))),
    }
}
