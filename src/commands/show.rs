//! `file-lock show`: all locks at once.

use super::{
    Exit,
    facts::{print_json, sighting_as_json, status_of},
    lock_folder,
};
use crate::{
    failure::Failure,
    lock::{
        census::{self, Sighting},
        info::Info,
        shown,
    },
    report::Console,
};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Lists all locks.
pub fn run(as_json: bool, console: &Console) -> Result<Exit, Failure> {
    let folder = lock_folder()?;
    let sightings = census::look_at_all(&folder)?;
    console.data(|out| {
        if as_json {
            let locks: Vec<Value> = sightings.iter().map(sighting_as_json).collect();
            return print_json(out, &json!({ "version": 1, "folder": shown(folder.path()), "locks": locks }));
        }
        writeln!(out, "Current locks in: {}\n", shown(folder.path()))?;
        if sightings.is_empty() {
            writeln!(out, "No locks found")?;
        }
        for (place, sighting) in sightings.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            print_sighting(out, sighting)?;
        }
        Ok(())
    })?;
    Ok(Exit(0))
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
    writeln!(out, "  Status: {}", status_of(sighting))
}
