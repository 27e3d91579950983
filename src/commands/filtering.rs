//! A filter prepared to run: its text, its variables, its modules.

use crate::{
    document,
    failure::{Failure, Kind},
    filter::{self, Access, Bindings, Filter, InputName, Value},
    request::{Binding, FilterSpec, Positional, Source},
};
use memlatch_os::paths::shown;
use std::{fmt, fs, ops::ControlFlow, path::Path, process, sync::mpsc, thread, time::Duration};

/// A compiled filter with its variables.
pub struct Ready {
    filter: Filter,
    time_limit: Option<Duration>,
}

/// Reads what the filter needs and compiles it. No lock is held yet. `input_name` is what `input_filename` is to give.
pub fn prepare(spec: &FilterSpec, input_name: InputName) -> Result<Ready, Failure> {
    let (text, file) = match &spec.source {
        Source::Text(text) => (text.clone(), None),
        Source::File(file) => (read_text(file, "the filter")?, Some(file.clone())),
    };
    let named = spec.named.iter().map(|(name, binding)| Ok((name.clone(), value_of(name, binding)?)));
    let positional = spec.positional.iter().map(|argument| match argument {
        Positional::Text(text) => Ok(Value::from(text.clone())),
        Positional::Json(json) => parse_json(json, "--jsonargs"),
    });
    let bindings = Bindings {
        named: named.collect::<Result<_, Failure>>()?,
        positional: positional.collect::<Result<_, Failure>>()?,
    };
    let libraries = spec.libraries.clone();
    let access = spec.access.clone();
    let filter = filter::compile(filter::Program { text, file, libraries, bindings, input_name, access })?;
    Ok(Ready { filter, time_limit: spec.time_limit })
}

impl Ready {
    /// Runs the filter and hands each output to `each`.
    ///
    /// If that takes longer than the user allows, `give_up` is called and the process exits, because a filter cannot be stopped from
    /// outside.
    pub fn run(
        self,
        input: filter::Input,
        give_up: impl FnOnce(&Failure) + Send,
        each: &mut dyn FnMut(Value) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let run = || self.filter.run(input, each).map_err(Failure::from);
        match self.time_limit {
            None => run(),
            Some(limit) => watched(limit, give_up, run),
        }
    }

    /// Runs the filter and expects exactly one output.
    pub fn only_output(self, document: Value, give_up: impl FnOnce(&Failure) + Send) -> Result<Value, Failure> {
        let mut outputs = 0u64;
        let mut only = None;
        self.run(filter::Input::One(document), give_up, &mut |output| {
            outputs += 1;
            only.get_or_insert(output);
            if outputs < MANY { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match (outputs, only) {
            (1, Some(output)) => Ok(output),
            (0, _) => Err(Failure::failed("the filter has 0 outputs, and an update needs exactly one")),
            (outputs, _) => Err(Failure::failed(format!(
                "the filter has {}{outputs} outputs, and an update needs exactly one; put them into an array: [FILTER]",
                if outputs < MANY { "" } else { "at least " }
            ))),
        }
    }
}

/// A filter with this many outputs may never end.
const MANY: u64 = 1_000_000;

/// Documents in the form of jq's `--stream`: each leaf with its path, and the end of each array and object.
pub fn parts(documents: Vec<Value>) -> Result<Vec<Value>, Failure> {
    let stream = filter::compile(filter::Program {
        text: "tostream".to_owned(),
        file: None,
        libraries: Vec::new(),
        bindings: Bindings::default(),
        input_name: InputName::default(),
        access: Access::none(),
    })?;
    let mut parts = Vec::new();
    stream.run(filter::Input::Each(Box::new(documents.into_iter())), &mut |part| {
        parts.push(part);
        ControlFlow::Continue(())
    })?;
    Ok(parts)
}

/// A filter that was stopped.
#[derive(Debug)]
pub struct TimeIsUp {
    pub limit: Duration,
}

impl fmt::Display for TimeIsUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit.as_secs_f64();
        write!(f, "the filter ran longer than --eval-timeout {limit}; nothing has changed")
    }
}

impl std::error::Error for TimeIsUp {}

impl From<TimeIsUp> for Failure {
    fn from(error: TimeIsUp) -> Self {
        Failure { kind: Kind::Failed, cause: error.into() }
    }
}

/// Does `work`. Once `limit` is over, it calls `give_up` and ends the process.
fn watched<T>(
    limit: Duration,
    give_up: impl FnOnce(&Failure) + Send,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (done, clock) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let clock = move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = clock.recv_timeout(limit) {
                let failure = Failure::from(TimeIsUp { limit });
                give_up(&failure);
                #[expect(clippy::disallowed_methods, reason = "nothing else stops a filter whose time is up")]
                process::exit(failure.kind.exit_code().into());
            }
        };
        thread::Builder::new()
            .spawn_scoped(scope, clock)
            .map_err(|error| Failure::failed(format!("cannot start the clock of --eval-timeout: {error}")))?;
        let result = work();
        drop(done);
        result
    })
}

fn value_of(name: &str, binding: &Binding) -> Result<Value, Failure> {
    match binding {
        Binding::Text(text) => Ok(Value::from(text.clone())),
        Binding::Json(json) => parse_json(json, &format!("--argjson {name}")),
        Binding::JsonFile(file) => {
            let text = fs::read(file).map_err(|error| unreadable(file, &format!("--slurpfile {name}"), &error))?;
            let values = document::parse_all(&text)
                .map_err(|error| Failure::failed(format!("--slurpfile {name} '{}': {error}", shown(file))))?;
            Ok(values.into_iter().collect())
        }
        Binding::TextFile(file) => Ok(Value::from(read_text(file, &format!("--rawfile {name}"))?)),
    }
}

fn parse_json(json: &str, option: &str) -> Result<Value, Failure> {
    document::parse(json.as_bytes().to_vec())
        .map_err(|error| Failure::usage(format!("{option} '{json}' is not JSON: {error}; for a string use --arg")))
}

fn read_text(file: &Path, what: &str) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(|error| unreadable(file, what, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unreadable(file: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read '{}' for {what}: {error}", shown(file)))
}
