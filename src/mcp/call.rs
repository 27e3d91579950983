//! One call of a tool for memory files, in a process of its own: the message on standard input, the result on the output.
//!
//! The process ends with its filter's time or memory and takes nothing else with it, and the kernel frees its lock
//! whatever happens. It does what our commands do, in their words; the server has found the file and is confined to the
//! directories that it serves, and so is this process.

use crate::{
    commands::{
        self, Exit, atomic_write, condition,
        form::Form,
        inputs::{self, Text},
        lock_folder, memory_update, no_stack, program,
    },
    document::{self, Indent, Layout},
    failure::Failure,
    filter::{self, Access, InputName, Value},
    lock,
    replace::Keep,
    report::Console,
    request::{
        Answer, Base, Binding, Change, Condition, Content, DEFAULT_DOCUMENT, Effect, Input, Program, SchemaOf, Update,
        Write,
    },
    revision::{Expected, Revision},
    settings,
};
use memlatch_os::Fresh;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::{
    io::{self, BufRead, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

/// The address space of a call, in bytes, with the stack of its filter.
const MEMORY: u64 = 2 << 30;
/// How long a filter may run.
const TIME: Duration = Duration::from_secs(10);
/// How many backups of a file are kept.
const BACKUPS: Keep = Keep::UpTo(3);

/// What the server tells, and the client's own arguments.
struct Call {
    told: serde_json::Value,
    /// As the client wrote them: numbers keep their digits, and members their order.
    arguments: Value,
}

/// Does what the call on standard input asks for.
pub fn run(console: &Console) -> Result<Exit, Failure> {
    let limit = getrlimit(Resource::As);
    let maximum = Some(limit.maximum.map_or(MEMORY, |maximum| maximum.min(MEMORY)));
    // Where the system knows no such limit, the time is limited still.
    _ = setrlimit(Resource::As, Rlimit { current: maximum, maximum });
    filter::on_large_stack(|| {
        let call = Call::read().map_err(|error| Failure::usage(format!("the call cannot be read: {error}")))?;
        match call.told["tool"].as_str() {
            Some("memory_read") => read(&call, console),
            Some("memory_update") => memory_update::run(&update(&call)?, console),
            Some("memory_append") => memory_update::run(&append(&call)?, console),
            _ => atomic_write::run(&write(&call)?, console),
        }
    })
    .map_err(no_stack)?
}

impl Call {
    fn read() -> io::Result<Self> {
        let mut input = io::stdin().lock();
        let (mut told, mut message) = (String::new(), Vec::new());
        input.read_line(&mut told)?;
        input.read_until(b'\n', &mut message)?;
        let message = document::parse(message).map_err(io::Error::other)?;
        let member = |value: &Value, name: &str| value.as_object().and_then(|members| members.get(name)).cloned();
        let arguments = member(&message, "params").and_then(|params| member(&params, "arguments"));
        Ok(Call { told: serde_json::from_str(&told)?, arguments: arguments.unwrap_or_default() })
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(self.told["file"].as_str().unwrap_or_default())
    }

    fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.as_object()?.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.argument(name)?.as_str()
    }

    fn is_set(&self, name: &str) -> bool {
        self.argument(name).is_some_and(Value::truthy)
    }

    fn revision(&self, name: &str) -> Result<Option<Expected>, Failure> {
        let wrong = |text: &str| {
            Failure::usage(format!(
                "'{name}' is '{text}'; give the revision that memory_read gave, or none for a new file"
            ))
        };
        self.text(name).map(|text| Expected::parse(text).ok_or_else(|| wrong(text))).transpose()
    }

    /// A filter that sees neither files nor the environment.
    fn program(&self, text: String, named: Vec<(String, Binding)>) -> Program {
        Program { named, time_limit: Some(TIME), ..Program::of(text, Access::none()) }
    }

    fn named(&self) -> Vec<(String, Binding)> {
        let Some(args) = self.argument("args").and_then(Value::as_object) else { return Vec::new() };
        args.iter().map(|(name, value)| (name.to_string(), Binding::Json(as_text(value)))).collect()
    }
}

/// On one line.
fn as_text(value: &Value) -> String {
    let mut text = Vec::new();
    let compact = Layout { indent: Indent::Compact, ..Layout::default() };
    document::write(value, &compact, &mut text).expect("memory takes everything");
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn update(call: &Call) -> Result<Update, Failure> {
    let filter = call.text("filter").unwrap_or_default().to_owned();
    let is_trial = call.is_set("dry_run");
    Ok(Update {
        create: call.is_set("create").then(|| DEFAULT_DOCUMENT.to_owned()),
        expected: call.revision("if_revision")?,
        answer: if is_trial { Answer::None } else { Answer::Json },
        effect: if is_trial { Effect::Difference } else { Effect::Write },
        ..plain(call, Change::Filter(call.program(filter, call.named())))?
    })
}

fn append(call: &Call) -> Result<Update, Failure> {
    let path = call.text("path").unwrap_or_default();
    let filter = format!("(\n{path}\n) |= (if . == null then [] else . end) + [$value]");
    let value = call.argument("value").map(as_text).unwrap_or_default();
    if Form::of(&call.file()) == Form::Lines && path.trim() == "." {
        // One more line; the others stay where they are.
        let program = call.program("$value".to_owned(), vec![("value".to_owned(), Binding::Json(value))]);
        let appended = plain(call, Change::Append(program))?;
        return Ok(Update { create: Some(DEFAULT_DOCUMENT.to_owned()), backup: None, ..appended });
    }
    let program = call.program(filter, vec![("value".to_owned(), Binding::Json(value))]);
    Ok(Update { create: Some(DEFAULT_DOCUMENT.to_owned()), ..plain(call, Change::Filter(program))? })
}

fn plain(call: &Call, change: Change) -> Result<Update, Failure> {
    Ok(Update {
        backup: Some(BACKUPS),
        answer: Answer::Json,
        schema: call.told["schema"].as_str().map(|file| SchemaOf::File(file.into())),
        ..Update::of(call.file(), change, settings::wait()?)
    })
}

fn write(call: &Call) -> Result<Write, Failure> {
    let expected = call.revision("base_revision")?;
    let base = call.told["base"].as_str();
    let (content, condition) = if call.told["tool"] == "memory_restore" {
        let number = call.told["n"].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(1);
        (Content::Backup(number.max(1)), Condition::Any)
    } else {
        let content = match call.argument("content") {
            Some(Value::Null) | None => {
                return Err(Failure::usage("'content' is missing: give the whole new document"));
            }
            Some(content) => content.as_str().map_or_else(|| as_text(content), str::to_owned),
        };
        let condition = match (base, expected) {
            (Some(base), _) => Condition::Base(Base::Content(base.as_bytes().to_vec())),
            (None, Some(expected)) => Condition::Base(Base::Revision(expected)),
            // Without a base there is nothing to merge with, so what is there must not be lost.
            (None, None) => Condition::Revision(Expected::parse("none").expect("a revision")),
        };
        (Content::Text(content), condition)
    };
    let plain = Write::of(call.file(), content, condition, settings::wait()?);
    Ok(Write { answer: Answer::Json, backup: Some(BACKUPS), ..plain })
}

/// Prints what the filter gives, as far as the client wants to have it.
fn read(call: &Call, console: &Console) -> Result<Exit, Failure> {
    let file = call.file();
    let text = call.text("filter").unwrap_or(".").to_owned();
    let ready = program::prepare(&call.program(text, call.named()), InputName::default())?;
    let text = load(&file, console)?;
    let revision = Revision::of(Some(&text.bytes)).to_string();
    let note = text.torn_line();
    let input = inputs::of(vec![text], Input::default(), InputName::default())?;
    let limit = call.told["limit"].as_u64().unwrap_or(u64::MAX);
    let mut taken = Limited { bytes: Vec::new(), limit: usize::try_from(limit).unwrap_or(usize::MAX), is_full: false };
    let compact = Layout { indent: Indent::Compact, ..Layout::default() };
    ready.run(input, |failure| console.failure(failure), &mut |output| {
        let written = document::write(&output, &compact, &mut taken).and_then(|()| taken.write_all(b"\n"));
        if written.is_ok() || !taken.is_full { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut text = String::from_utf8_lossy(&taken.bytes).into_owned();
    if taken.is_full {
        // The cut may have split a character.
        text.truncate(text.trim_end_matches('\u{fffd}').len());
    }
    let result = json!({ "revision": revision, "text": text, "truncated": taken.is_full, "note": note });
    console.data(|out| writeln!(out, "{result}"))?;
    Ok(Exit(0))
}

/// The file's bytes, as one writer left them.
fn load(file: &Path, console: &Console) -> Result<Text, Failure> {
    let target = commands::resolve(file)?;
    let _guard = lock::shared(&lock_folder()?, &target, settings::wait()?, console)?;
    // What the name stands for now, on a file server too.
    let _directory = Fresh::around(&target.path);
    commands::refuse_special(&target)?;
    let missing = || commands::missing(&target, "memory_list names the files that there are");
    let bytes = condition::current(&target)?.ok_or_else(missing)?;
    Ok(Text { target: Some(target), bytes })
}

/// Takes so much and no more.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    is_full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.is_full = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
