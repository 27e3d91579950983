//! One call of a tool for memory files, in a process of its own: the message on standard input, the result on the output.
//!
//! If the filter uses up its time or memory, only this process ends, and the kernel frees its lock
//! in any case. It does what the commands do. The server has resolved the path of the file and is confined to the
//! directories that it serves, and so is this process.

use super::words::in_words;
use crate::{
    commands::{
        self, Context, atomic_write, condition, filtering,
        form::Form,
        inputs::{self, Text},
        lock_folder, memory_update, no_stack,
    },
    document::{self, Indent, Layout},
    failure::Failure,
    filter::{self, Access, InputName, Value},
    lock::{self, Event, Observer},
    outcome::{Deed, Locks, Outcome, Written},
    replace::Keep,
    report,
    request::{
        self, Base, Binding, Change, Condition, Content, DEFAULT_DOCUMENT, Effect, FilterSpec, InputMode, OutputStyle,
        SchemaOf, Update, Write,
    },
    revision::{Expected, Revision},
    settings::Settings,
    sink::{Maker, Note, Sink},
};
use memlatch_os::Fresh;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::{
    fmt,
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

/// The result of a call: its members, or an error text for the model.
pub struct Answer(pub Result<serde_json::Value, String>);

impl Answer {
    /// Reads what a call's process has printed. `None` if it ended before it had an answer.
    pub fn read(printed: &[u8]) -> Option<Self> {
        let mut answer: serde_json::Value = serde_json::from_slice(printed).ok()?;
        match answer["failed"].as_str() {
            Some(why) => Some(Answer(Err(why.to_owned()))),
            None => Some(Answer(Ok(answer["done"].take()))),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(result) => json!({ "done": result }).fmt(f),
            Err(why) => json!({ "failed": why }).fmt(f),
        }
    }
}

/// Carries out the call on standard input.
pub fn run(context: Context<'_>) -> Result<Outcome, Failure> {
    let limit = getrlimit(Resource::As);
    let maximum = Some(limit.maximum.map_or(MEMORY, |maximum| maximum.min(MEMORY)));
    // If the system does not support this limit, the time is still limited.
    _ = setrlimit(Resource::As, Rlimit { current: maximum, maximum });
    let sink = Quiet(context);
    let context = Context { sink: &sink, ..context };
    let result = filter::on_large_stack(|| {
        let call = Call::read().map_err(|error| Failure::usage(format!("the call cannot be read: {error}")))?;
        match call.told["tool"].as_str() {
            Some("memory_read") => read(&call, context),
            Some("memory_update") => memory_update::run(&update(&call, context.settings)?, context).map(result),
            Some("memory_append") => memory_update::run(&append(&call, context.settings)?, context).map(result),
            _ => atomic_write::run(&write(&call, context.settings)?, context).map(result),
        }
    });
    let result = result.map_err(no_stack).and_then(|result| result);
    context.sink.message(&Answer(result.map_err(|failure| in_words(&failure, context.settings))))?;
    Ok(Outcome::Nothing)
}

/// The members of a result.
fn result(outcome: Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Written(Written { deed, revision, .. }) => {
            let status = if let Deed::Merged(_) = deed { "merged" } else { "written" };
            json!({ "status": status, "revision": revision.as_ref().map(Revision::to_string) })
        }
        Outcome::Preview(preview) if preview.old.as_ref() == Some(&preview.new) => json!({ "difference": "" }),
        Outcome::Preview(preview) => json!({ "difference": report::difference(&preview) }),
        _ => unreachable!("a write has no other outcome"),
    }
}

/// A call prints nothing but its answer.
struct Quiet<'a>(Context<'a>);

impl Observer for Quiet<'_> {
    fn notice(&self, _: Event<'_>) {}
}

impl Sink for Quiet<'_> {
    fn observer(&self) -> &dyn Observer {
        self
    }

    fn note(&self, _: Note<'_>) {}

    fn values(&self, style: OutputStyle, make: Maker<'_>) -> Result<(), Failure> {
        self.0.sink.values(style, make)
    }

    fn watch(&self, look: &mut dyn FnMut() -> Result<Locks, Failure>) -> Result<Option<i32>, Failure> {
        self.0.sink.watch(look)
    }

    fn message(&self, message: &dyn fmt::Display) -> Result<(), Failure> {
        self.0.sink.message(message)
    }

    fn last_words(&self, failure: &Failure) {
        // The process exits in any case.
        _ = self.message(&Answer(Err(in_words(failure, self.0.settings))));
    }
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
                "'{name}' is '{text}'; give the revision that memory_read returned, or none for a new file"
            ))
        };
        self.text(name).map(|text| Expected::parse(text).ok_or_else(|| wrong(text))).transpose()
    }

    /// A filter that sees neither files nor the environment.
    fn filter(&self, text: String, named: Vec<(String, Binding)>) -> FilterSpec {
        FilterSpec { named, time_limit: Some(TIME), ..FilterSpec::of(text, Access::none()) }
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

fn update(call: &Call, settings: &Settings) -> Result<Update, Failure> {
    let filter = call.text("filter").unwrap_or_default().to_owned();
    let is_trial = call.is_set("dry_run");
    Ok(Update {
        create: call.is_set("create").then(|| DEFAULT_DOCUMENT.to_owned()),
        expected: call.revision("if_revision")?,
        answer: if is_trial { request::Answer::None } else { request::Answer::Json },
        effect: if is_trial { Effect::Difference } else { Effect::Write },
        ..plain(call, Change::Filter(call.filter(filter, call.named())), settings)?
    })
}

fn append(call: &Call, settings: &Settings) -> Result<Update, Failure> {
    let path = call.text("path").unwrap_or_default();
    let filter = format!("(\n{path}\n) |= (if . == null then [] else . end) + [$value]");
    let value = call.argument("value").map(as_text).unwrap_or_default();
    if Form::of(&call.file()) == Form::Lines && path.trim() == "." {
        // One more line; the others stay where they are.
        let appended = call.filter("$value".to_owned(), vec![("value".to_owned(), Binding::Json(value))]);
        let appended = plain(call, Change::Append(appended), settings)?;
        return Ok(Update { create: Some(DEFAULT_DOCUMENT.to_owned()), backup: None, ..appended });
    }
    let filter = call.filter(filter, vec![("value".to_owned(), Binding::Json(value))]);
    Ok(Update { create: Some(DEFAULT_DOCUMENT.to_owned()), ..plain(call, Change::Filter(filter), settings)? })
}

fn plain(call: &Call, change: Change, settings: &Settings) -> Result<Update, Failure> {
    Ok(Update {
        backup: Some(BACKUPS),
        answer: request::Answer::Json,
        schema: call.told["schema"].as_str().map(|file| SchemaOf::File(file.into())),
        ..Update::of(call.file(), change, settings.wait()?)
    })
}

fn write(call: &Call, settings: &Settings) -> Result<Write, Failure> {
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
            // Without a base nothing can be merged, so an existing file must not be overwritten.
            (None, None) => Condition::Revision(Expected::parse("none").expect("a revision")),
        };
        (Content::Text(content), condition)
    };
    let plain = Write::of(call.file(), content, condition, settings.wait()?);
    Ok(Write { answer: request::Answer::Json, backup: Some(BACKUPS), ..plain })
}

/// The outputs of the filter, up to the client's limit.
fn read(call: &Call, context: Context<'_>) -> Result<serde_json::Value, Failure> {
    let file = call.file();
    let text = call.text("filter").unwrap_or(".").to_owned();
    let ready = filtering::prepare(&call.filter(text, call.named()), InputName::default())?;
    let text = load(&file, context)?;
    let revision = Revision::of(Some(&text.bytes)).to_string();
    let is_torn = text.is_torn();
    let input = inputs::of(vec![text], InputMode::default(), InputName::default())?;
    let limit = call.told["limit"].as_u64().unwrap_or(u64::MAX);
    let mut taken = Limited { bytes: Vec::new(), limit: usize::try_from(limit).unwrap_or(usize::MAX), is_full: false };
    let compact = Layout { indent: Indent::Compact, ..Layout::default() };
    ready.run(input, |failure| context.sink.last_words(failure), &mut |output| {
        let written = document::write(&output, &compact, &mut taken).and_then(|()| taken.write_all(b"\n"));
        if written.is_ok() || !taken.is_full { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut text = String::from_utf8_lossy(&taken.bytes).into_owned();
    if taken.is_full {
        // The cut may have split a character.
        text.truncate(text.trim_end_matches('\u{fffd}').len());
    }
    Ok(json!({ "revision": revision, "text": text, "truncated": taken.is_full, "torn": is_torn }))
}

/// The file's bytes, as one writer left them.
fn load(file: &Path, context: Context<'_>) -> Result<Text, Failure> {
    let target = commands::resolve(file)?;
    let _guard = lock::shared(&lock_folder(context)?, &target, context.settings.wait()?, context.sink.observer())?;
    // What the name stands for now, on a file server too.
    let _directory = Fresh::around(&target.path);
    commands::refuse_special(&target)?;
    let missing = || commands::missing(&target, "memory_list lists the existing files");
    let bytes = condition::current(&target)?.ok_or_else(missing)?;
    Ok(Text { target: Some(target), bytes })
}

/// A buffer with a limit.
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
