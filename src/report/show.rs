//! All locks at once: as lines for scripts, as JSON, as a table on a terminal, and as one that is drawn again and again.

use super::{
    Console,
    lock::{self, age_of, state_of},
    table::{self, Align, Cell, Column, Shorten},
    terminal::{Color, Screen, Terminal},
};
use crate::{
    failure::Failure,
    lock::{
        census::Sighting,
        holder::{Doubt, State},
        info::Info,
        waiters::Waiters,
    },
    outcome::Locks,
    process::{Interrupt, Interrupts},
};
use memlatch_os::{
    paths::{escape, shown},
    text::span,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    time::Duration,
};

const BETWEEN_FRAMES: Duration = Duration::from_secs(1);

/// The columns of the table. If there is little room, the command is left out first and the target last.
const COLUMNS: [Column; 7] = [
    Column { title: "TARGET", align: Align::Left, shorten: Shorten::Middle(18), rank: 0 },
    Column { title: "STATUS", align: Align::Left, shorten: Shorten::Never, rank: 1 },
    Column { title: "HOLDER", align: Align::Left, shorten: Shorten::Never, rank: 2 },
    Column { title: "COMMAND", align: Align::Left, shorten: Shorten::End(8), rank: 6 },
    Column { title: "CLIENT", align: Align::Left, shorten: Shorten::End(8), rank: 5 },
    Column { title: "AGE", align: Align::Right, shorten: Shorten::Never, rank: 3 },
    Column { title: "WAITERS", align: Align::Right, shorten: Shorten::Never, rank: 4 },
];

/// Lists all locks: in a table on a terminal, and elsewhere in the lines that scripts know.
pub fn tell(locks: &Locks, console: &Console) -> Result<u8, Failure> {
    if locks.as_json {
        let all: Vec<Value> =
            locks.sightings.iter().map(|sighting| lock::as_json(sighting, Some(&locks.waiters))).collect();
        console.json(&json!({ "version": 1, "folder": shown(&locks.folder), "locks": all }))?;
    } else if let Some(terminal) = Terminal::on_stdout(console.settings) {
        let lines = table(locks, &terminal, terminal.size().columns);
        console.data(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    } else {
        console.data(|out| print(out, locks))?;
    }
    Ok(0)
}

fn print(out: &mut dyn Write, locks: &Locks) -> io::Result<()> {
    writeln!(out, "Current locks in: {}\n", shown(&locks.folder))?;
    if locks.sightings.is_empty() {
        writeln!(out, "No locks found")?;
    }
    for (place, sighting) in locks.sightings.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        print_sighting(out, sighting)?;
    }
    Ok(())
}

fn print_sighting(out: &mut dyn Write, sighting: &Sighting) -> io::Result<()> {
    writeln!(out, "Lock: .../{}...lock", &sighting.id.as_str()[..8])?;
    writeln!(out, "  Info:")?;
    for line in sighting.info.iter().flat_map(Info::lines) {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "    ID: {}", sighting.id)?;
    let mut inner = sighting.inside.as_deref();
    while let Some(inside) = inner {
        match &inside.info {
            Some(info) => writeln!(out, "    INSIDE: {info}")?,
            None => writeln!(out, "    INSIDE: a lock that names no holder")?,
        }
        inner = inside.inside.as_deref();
    }
    writeln!(out, "  Status: {}", sighting.described())
}

/// Draws the table repeatedly, until a signal arrives. Ctrl-C is the normal end; the number of any other signal is returned.
pub fn watch(look: &mut dyn FnMut() -> Result<Locks, Failure>, console: &Console) -> Result<Option<i32>, Failure> {
    let Some(terminal) = Terminal::on_stdout(console.settings).filter(Terminal::redraws) else {
        return Err(Failure::usage(
            "--watch needs a terminal that can be redrawn, and standard output is not one; run 'file-lock show' or 'file-lock show --json' repeatedly",
        ));
    };
    let interrupts = Interrupts::block().map_err(|error| Failure::failed(format!("cannot block signals: {error}")))?;
    let mut screen = Screen::open(&terminal).map_err(Failure::from_output)?;
    loop {
        let size = terminal.size();
        let mut lines = table(&look()?, &terminal, size.columns);
        if lines.len() > size.rows {
            let hidden = lines.len() + 1 - size.rows;
            lines.truncate(size.rows - 1);
            lines.push(table::shortened(&format!("… and {hidden} more"), Shorten::End(0), size.columns));
        }
        screen.draw(&lines, size).map_err(Failure::from_output)?;
        match interrupts.wait(BETWEEN_FRAMES) {
            Interrupt::TimedOut | Interrupt::Resized => {}
            Interrupt::Stop => {
                drop(screen);
                interrupts.suspend();
                screen = Screen::open(&terminal).map_err(Failure::from_output)?;
            }
            Interrupt::End(libc::SIGINT) => return Ok(None),
            Interrupt::End(signal) => return Ok(Some(signal)),
        }
    }
}

/// The table for a terminal, in lines of at most this width.
fn table(locks: &Locks, terminal: &Terminal, width: usize) -> Vec<String> {
    let title = format!("Current locks in: {}", terminal.path(&locks.folder));
    let mut lines = vec![table::shortened(&title, Shorten::Middle(0), width), String::new()];
    if locks.sightings.is_empty() {
        lines.push(table::shortened("No locks found", Shorten::End(0), width));
        return lines;
    }
    let mut rows = Vec::new();
    for sighting in &locks.sightings {
        let mut next = Some(sighting);
        while let Some(sighting) = next {
            rows.push(row(sighting, &locks.waiters, terminal));
            next = sighting.inside.as_deref();
        }
    }
    lines.extend(table::lay_out(&COLUMNS, &rows, width, &|color, text| terminal.paint(color, text)));
    lines
}

fn row(sighting: &Sighting, waiters: &Waiters, terminal: &Terminal) -> Vec<Cell> {
    let info = sighting.info.as_ref();
    let known = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "-".to_owned()));
    let depth = sighting.level.depth as usize;
    let target = match info.and_then(|info| info.target.as_deref()) {
        _ if depth > 0 => format!("{}└ inside", "  ".repeat(depth - 1)),
        Some(target) => terminal.path(target),
        // A script does not record what it has locked.
        None => format!("lock {}…", &sighting.id.as_str()[..8]),
    };
    let color = match sighting.state {
        State::Alive => Color::Green,
        // Nothing needs to be done: the next to lock the file takes it over.
        State::Dead(_) => Color::Faint,
        State::Unknown(_) => Color::Yellow,
    };
    vec![
        Cell::plain(target),
        Cell { text: state_of(sighting).to_owned(), color: Some(color) },
        known(info.map(|info| holder(info, &sighting.state))),
        known(info.and_then(|info| info.command.as_deref()).map(|text| escape(text.as_bytes()))),
        known(info.and_then(|info| info.client.as_deref()).map(|text| escape(text.as_bytes()))),
        known(info.and_then(age_of).map(span)),
        known(waiters.of(sighting).map(|count| count.to_string())),
    ]
}

/// The PID, with the host if it is another one, and how the lock is held.
fn holder(info: &Info, state: &State) -> String {
    let host = match state {
        State::Unknown(Doubt::OtherHost(host)) => format!("@{}", escape(host.as_bytes())),
        State::Unknown(_) | State::Alive | State::Dead(_) => String::new(),
    };
    format!("{}{host} ({})", info.pid, info.kind.word())
}
