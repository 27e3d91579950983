//! What the doctor has found, in lines and as JSON.

use super::{
    Console, table,
    terminal::{Color, Terminal},
};
use crate::{
    failure::Failure,
    outcome::diagnosis::{Diagnosis, Findings, Level},
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};

/// 1 if something has to be mended.
pub fn tell(diagnosis: &Diagnosis, console: &Console) -> Result<u8, Failure> {
    let findings = &diagnosis.findings;
    if diagnosis.as_json {
        console.json(&as_json(findings))?;
    } else {
        let terminal = Terminal::on_stdout(console.settings);
        console.data(|out| print(out, findings, terminal.as_ref()))?;
    }
    Ok(u8::from(findings.count(Level::Problem) > 0))
}

/// The mark of a line, as messages have it.
fn mark(level: Level) -> (&'static str, Color) {
    match level {
        Level::Ok => ("[OK]", Color::Green),
        Level::Note => ("[INFO]", Color::Blue),
        Level::Problem => ("[ERROR]", Color::Red),
    }
}

fn print(out: &mut dyn Write, findings: &Findings, terminal: Option<&Terminal>) -> io::Result<()> {
    for finding in &findings.0 {
        let (mark, color) = mark(finding.level);
        let place = |show: &dyn Fn(&Path) -> String| match &finding.place {
            Some(place) => format!("{}: {}", finding.what, show(place)),
            None => finding.what.clone(),
        };
        let remedy = finding.remedy.as_ref().map(|remedy| format!("remedy: {remedy}"));
        let Some(terminal) = terminal else {
            writeln!(out, "{mark} {}", place(&|path| shown(path)))?;
            remedy.map_or(Ok(()), |remedy| writeln!(out, "  {remedy}"))?;
            continue;
        };
        // A terminal breaks lines in the middle of a word.
        let width = terminal.size().columns;
        let mut lines = table::folded(&format!("{mark} {}", place(&|path| terminal.path(path))), width, 2).into_iter();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "{}{}", terminal.paint(Some(color), mark), &first[mark.len()..])?;
        lines.try_for_each(|line| writeln!(out, "{line}"))?;
        if let Some(remedy) = remedy {
            table::folded(&format!("  {remedy}"), width, 4).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (findings.count(Level::Problem), findings.count(Level::Note)) {
        (0, 0) => writeln!(out, "all is well"),
        (0, notes) => writeln!(out, "all is well, with {}", counted(notes, "note")),
        (problems, 0) => writeln!(out, "{}", counted(problems, "problem")),
        (problems, notes) => writeln!(out, "{}, {}", counted(problems, "problem"), counted(notes, "note")),
    }
}

/// All findings as JSON; `docs/memlatch.md` lists the members.
fn as_json(findings: &Findings) -> Value {
    let all = findings.0.iter().map(|finding| {
        json!({
            "check": finding.check.word(),
            "level": finding.level.word(),
            "what": finding.what,
            "where": finding.place.as_deref().map(shown),
            "remedy": finding.remedy,
        })
    });
    json!({
        "version": 1,
        "ok": findings.count(Level::Problem) == 0,
        "problems": findings.count(Level::Problem),
        "notes": findings.count(Level::Note),
        "findings": all.collect::<Vec<_>>(),
    })
}
