//! `memlatch mcp`: memory files for clients of the Model Context Protocol, over standard input and output.
//!
//! Each line of standard input is one JSON-RPC message. Calls go to a pool of threads, so a call that waits
//! for a lock delays neither `ping` nor other calls. No HTTP, and no state except the connection.

pub mod call;
mod files;
mod graph;
mod protocol;
mod roots;
mod ticket;
mod tools;
mod words;

use crate::{
    commands::{Context, lock_folder, own_program},
    failure::Failure,
    outcome::Outcome,
    request::{Mcp, Serves},
    sink::Note,
};
use memlatch_os::{Confinement, confine};
use protocol::{Service, Step};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    thread,
};
use ticket::Ticket;

/// The longest message that is read, in bytes: no memory file is written in one larger than this.
const LONGEST_MESSAGE: u64 = 16 << 20;

/// The number of calls served at once; others wait.
const WORKERS: usize = 32;

/// Serves one client until it closes standard input.
pub fn run(request: &Mcp, context: Context<'_>) -> Result<Outcome, Failure> {
    match &request.serves {
        Serves::Files { roots } => serve(&files::Files::open(roots, request.read_only, context)?, context),
        Serves::Graph { file } => serve(&graph::Graph::open(file.as_deref(), request.read_only, context)?, context),
    }
}

fn serve(service: &dyn Service, context: Context<'_>) -> Result<Outcome, Failure> {
    let connection = Connection { service, context, output: Mutex::new(()), active: Mutex::default() };
    let (queue, jobs) = mpsc::channel::<Job>();
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            thread::Builder::new()
                .spawn_scoped(scope, || {
                    loop {
                        // The lock is given back before the work begins.
                        let job = jobs.lock().expect("no thread panics while it takes a job").recv();
                        let Ok(job) = job else { return };
                        connection.work(&job);
                    }
                })
                .map_err(|error| Failure::failed(format!("cannot start a thread for calls: {error}")))?;
        }
        let read = connection.read(&queue);
        drop(queue);
        read
    })?;
    Ok(Outcome::Nothing)
}

/// A message with a call.
struct Job {
    message: Value,
    ticket: Arc<Ticket>,
}

/// Gives up access to the file system, except for the served directories and the locks. Must run while there is one thread.
fn confine_to<'a>(served: impl Iterator<Item = &'a Path>, context: Context<'_>) -> Result<(), Failure> {
    let program = own_program()?;
    let locks = lock_folder(context)?;
    // What is wrong with it, each call tells by itself; but what is not there now cannot be allowed.
    _ = locks.ensure(context.sink.observer());
    let own: Vec<PathBuf> = served.map(PathBuf::from).chain([locks.path().to_owned()]).collect();
    match confine(&own, &program) {
        Ok(Confinement::Enforced) => {}
        Ok(Confinement::None) => context.sink.note(Note::Unconfined(None)),
        Err(error) => context.sink.note(Note::Unconfined(Some(&error))),
    }
    Ok(())
}

/// One client's connection.
struct Connection<'a> {
    service: &'a dyn Service,
    context: Context<'a>,
    /// Held while a line is written.
    output: Mutex<()>,
    /// The calls under way by their identifiers.
    active: Mutex<HashMap<String, Arc<Ticket>>>,
}

impl Connection<'_> {
    /// Reads messages until there are no more, and answers what takes no time.
    fn read(&self, queue: &mpsc::Sender<Job>) -> Result<(), Failure> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = (&mut input).take(LONGEST_MESSAGE).read_until(b'\n', &mut line).map_err(unreadable)?;
            if length == 0 {
                return Ok(());
            }
            if length as u64 == LONGEST_MESSAGE && line.last() != Some(&b'\n') {
                input.skip_until(b'\n').map_err(unreadable)?;
                self.send(&protocol::error(&Value::Null, -32600, "the message is longer than 16 MiB"));
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                self.send(&protocol::error(&Value::Null, -32700, "not UTF-8"));
                continue;
            };
            match serde_json::from_str(text) {
                Ok(message) => self.take(message, text, queue),
                Err(error) => self.send(&protocol::error(&Value::Null, -32700, &format!("not JSON: {error}"))),
            }
        }
    }

    fn take(&self, message: Value, line: &str, queue: &mpsc::Sender<Job>) {
        match protocol::step(self.service, &message) {
            Step::Nothing => {}
            Step::Answer(answer) => self.send(&answer),
            Step::CallOff(id) => {
                if let Some(ticket) = self.calls().get(&id.to_string()) {
                    ticket.call_off();
                }
            }
            Step::Work => {
                let ticket = Arc::new(Ticket::of(line.to_owned()));
                if let Some(id) = message.get("id") {
                    self.calls().insert(id.to_string(), ticket.clone());
                }
                // The workers live as long as the queue.
                _ = queue.send(Job { message, ticket });
            }
        }
    }

    fn work(&self, Job { message, ticket }: &Job) {
        if let Value::Array(batch) = message {
            let answer = |one: &Value| protocol::answer(self.service, one, &Arc::new(Ticket::of(one.to_string())));
            let answers: Vec<Value> = batch.iter().filter_map(answer).collect();
            if !answers.is_empty() {
                self.send(&json!(answers));
            }
            return;
        }
        let answer = if ticket.is_called_off() { None } else { protocol::answer(self.service, message, ticket) };
        self.calls().remove(&message["id"].to_string());
        if let Some(answer) = answer.filter(|_| !ticket.is_called_off()) {
            self.send(&answer);
        }
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Ticket>>> {
        self.active.lock().expect("no thread panics while it looks up a call")
    }

    fn send(&self, message: &Value) {
        let _whole_lines = self.output.lock().expect("no thread panics while it writes a line");
        // If the client has closed its end, reading ends as well.
        _ = self.context.sink.message(message);
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::failed(format!("cannot read the client's messages from standard input: {error}"))
}
