//! The tools for memory files. Each call runs in a process of its own ([`super::call`]); this is the server's end.

use super::{
    call,
    protocol::{Reply, Service},
    roots::{Place, Roots},
    ticket::Ticket,
    tools,
};
use crate::{
    commands::{Context, own_program},
    failure::Failure,
    request::MCP_CALL,
    revision::{Expected, Revision},
    settings::Settings,
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};
use std::{
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// The default limit on the outputs that a client gets, in bytes: some 5,000 tokens.
const USUAL_LIMIT: u64 = 20_000;
/// How much of what was read is kept as bases for merges, in bytes.
const KEPT: usize = 32 << 20;

const NARROW: &str = "Ask for less: filter \"keys\", \"length\", \".[-3:]\" or \".items[] | select(.id == $id)\"; or give a larger limit.";

const INSTRUCTIONS: &str = "Memory files are JSON files that other clients change at the same time.
Look with memory_list and memory_read; ask for a part with a jq filter (.sessions[-1], keys, length).
Change with memory_append, or with memory_update and a filter that gives the whole document: .count += 1
Pass data in args, never inside the filter: filter '.notes += [$n]', args {\"n\": \"text\"}.
To write a whole document, give memory_write the revision that memory_read gave.";

/// The server of memory files.
pub struct Files<'a> {
    roots: Roots,
    read_only: bool,
    program: PathBuf,
    settings: &'a Settings,
    /// The contents that were returned to the client, the oldest first.
    given: Mutex<Vec<(Revision, String)>>,
}

impl<'a> Files<'a> {
    pub fn open(roots: &[PathBuf], read_only: bool, context: Context<'a>) -> Result<Self, Failure> {
        let program = own_program()?;
        let roots = Roots::open(roots, context.settings)?;
        super::confine_to(roots.directories(), context)?;
        Ok(Files { roots, read_only, program, settings: context.settings, given: Mutex::default() })
    }

    /// Hands the call to a process of its own. `told` is what the server has to say about it.
    fn run(&self, place: &Place, mut told: Value, ticket: &Ticket) -> Result<Value, String> {
        told["file"] = json!(place.way.to_str().ok_or("the path is not UTF-8")?);
        let input = format!("{told}\n{}\n", ticket.message.trim());
        let cannot = |error: io::Error| format!("cannot run {}: {error}", shown(&self.program));
        let mut process = Command::new(&self.program)
            .args(["mcp", MCP_CALL])
            .env_clear()
            .envs(self.settings.of_commands())
            .current_dir(&place.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = (stdin, stdout, stderr) else {
            unreachable!("all three were asked for")
        };
        ticket.work_by(process);
        let (mut data, mut messages) = (Vec::new(), Vec::new());
        thread::scope(|scope| {
            // A call that is refused early reads none of it.
            scope.spawn(move || _ = stdin.write_all(input.as_bytes()));
            scope.spawn(|| _ = stderr.read_to_end(&mut messages));
            stdout.read_to_end(&mut data)
        })
        .map_err(cannot)?;
        let status =
            ticket.done().map_or(Ok(ExitStatus::default()), |mut process: Child| process.wait()).map_err(cannot)?;
        match call::Answer::read(&data) {
            Some(answer) => answer.0,
            None if ticket.is_called_off() => Err("called off".to_owned()),
            None if status.code().is_none() => {
                Err(format!("the filter needed too much memory and was stopped; nothing has changed ({status})"))
            }
            None => Err(format!("the call has failed ({status}): {}", String::from_utf8_lossy(&messages).trim())),
        }
    }

    fn list(&self) -> Reply {
        let files: Vec<Value> =
            self.roots.list().iter().map(|(path, bytes)| json!({ "file": shown(path), "bytes": bytes })).collect();
        let structured = json!({ "files": files });
        Reply::Done { text: structured.to_string(), structured }
    }

    fn read_file(&self, arguments: &Value, ticket: &Ticket) -> Result<Reply, String> {
        let place = self.roots.find(required(arguments, "file")?)?;
        let limit = arguments["limit"].as_u64().unwrap_or(USUAL_LIMIT);
        let result = self.run(&place, json!({ "tool": "memory_read", "limit": limit }), ticket)?;
        let revision = &result["revision"];
        if let Ok(content) = place.content() {
            self.keep(revision, content);
        }
        let (text, truncated) = (result["text"].as_str().unwrap_or_default(), result["truncated"] == true);
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let values: Vec<Value> = whole.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let structured = json!({ "revision": revision, "values": values, "truncated": truncated });
        let cut = truncated.then(|| format!("… cut at {limit} bytes. {NARROW}"));
        let torn = (result["torn"] == true).then(|| {
            let file = shown(&place.way);
            format!(
                "{file}: the last line is unfinished, as after a crash, and is left out; the next writer removes it"
            )
        });
        let advice: String = cut.into_iter().chain(torn).collect();
        let revision = revision.as_str().unwrap_or_default();
        Ok(Reply::Done { text: format!("revision {revision}\n{text}{advice}"), structured })
    }

    fn update(&self, arguments: &Value, ticket: &Ticket) -> Result<Reply, String> {
        let place = self.roots.find(required(arguments, "file")?)?;
        required(arguments, "filter")?;
        let mut told = json!({ "tool": "memory_update" });
        if let Some(schema) = arguments["schema"].as_str() {
            let schema = self.roots.find(schema)?;
            told["schema"] = json!(schema.root.join(&schema.way).to_str());
        }
        let answer = self.run(&place, told, ticket)?;
        if arguments["dry_run"] == true {
            let difference = answer["difference"].as_str().unwrap_or_default();
            let text = match difference {
                "" => format!("no change: '{}' would stay as it is", shown(&place.way)),
                difference => difference.to_owned(),
            };
            return Ok(Reply::Done { structured: json!({ "status": "unchanged", "difference": difference }), text });
        }
        Ok(done("updated", answer))
    }

    fn append(&self, arguments: &Value, ticket: &Ticket) -> Result<Reply, String> {
        let place = self.roots.find(required(arguments, "file")?)?;
        required(arguments, "path")?;
        arguments.get("value").ok_or("'value' is missing")?;
        Ok(done("appended", self.run(&place, json!({ "tool": "memory_append" }), ticket)?))
    }

    fn write(&self, arguments: &Value, ticket: &Ticket) -> Result<Reply, String> {
        let place = self.roots.find(required(arguments, "file")?)?;
        let mut told = json!({ "tool": "memory_write" });
        if let Some(base) = arguments["base_revision"].as_str().and_then(Expected::parse) {
            let given = self.given();
            let known = given.iter().find(|(revision, _)| base.is(revision));
            if let Some((_, content)) = known {
                told["base"] = json!(content);
            }
        }
        Ok(done("written", self.run(&place, told, ticket)?))
    }

    fn restore(&self, arguments: &Value, ticket: &Ticket) -> Result<Reply, String> {
        let place = self.roots.find(required(arguments, "file")?)?;
        let told = json!({ "tool": "memory_restore", "n": arguments["n"].as_u64().unwrap_or(1) });
        Ok(done("restored", self.run(&place, told, ticket)?))
    }

    /// Keeps the content that a client has read as a base for a later write.
    fn keep(&self, revision: &Value, content: Vec<u8>) {
        let named = Revision::of(Some(&content));
        // Not if it was replaced between the two looks.
        let (Ok(text), true) = (String::from_utf8(content), *revision == named.to_string()) else { return };
        let mut given = self.given();
        given.retain(|(known, _)| *known != named);
        while given.iter().map(|(_, text)| text.len()).sum::<usize>() + text.len() > KEPT && !given.is_empty() {
            given.remove(0);
        }
        given.push((named, text));
    }

    fn given(&self) -> std::sync::MutexGuard<'_, Vec<(Revision, String)>> {
        self.given.lock().expect("no thread panics while it looks up a base")
    }
}

impl Service for Files<'_> {
    fn name(&self) -> &'static str {
        "memlatch"
    }

    fn instructions(&self) -> &'static str {
        INSTRUCTIONS
    }

    fn tools(&self) -> Vec<Value> {
        tools::of_files(self.read_only)
    }

    fn call(&self, tool: &str, arguments: &Value, ticket: &Arc<Ticket>) -> Option<Reply> {
        let tools = self.tools();
        if let Err(why) = tools::check(&tools, tool, arguments) {
            return Some(Reply::Failed(why));
        }
        let result = match tool {
            "memory_list" => Ok(self.list()),
            "memory_read" => self.read_file(arguments, ticket),
            _ if self.read_only => return None,
            "memory_update" => self.update(arguments, ticket),
            "memory_append" => self.append(arguments, ticket),
            "memory_write" => self.write(arguments, ticket),
            "memory_restore" => self.restore(arguments, ticket),
            _ => return None,
        };
        Some(result.unwrap_or_else(Reply::Failed))
    }

    fn resources(&self) -> Vec<Value> {
        let files = self.roots.list();
        let resource = |(path, bytes): &(PathBuf, u64)| {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            // A path that is not UTF-8 has no address.
            Some(
                json!({ "uri": format!("memory://{}", path.to_str()?), "name": name, "mimeType": "application/json", "size": bytes }),
            )
        };
        files.iter().filter_map(resource).collect()
    }

    fn read(&self, uri: &str) -> Result<String, String> {
        let path = uri.strip_prefix("memory://").ok_or_else(|| format!("there is no resource '{uri}'"))?;
        let content = self.roots.find(path)?.content().map_err(|error| format!("cannot read '{path}': {error}"))?;
        String::from_utf8(content).map_err(|_| format!("'{path}' is not UTF-8"))
    }
}

fn required<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, String> {
    arguments[name].as_str().ok_or_else(|| format!("'{name}' is missing or is not a string"))
}

/// The answer to a write: its status and the new revision.
fn done(what: &str, structured: Value) -> Reply {
    let what = if structured["status"] == "merged" { "merged with the changes of others, and written" } else { what };
    let text = format!("{what}; revision {}", structured["revision"].as_str().unwrap_or_default());
    Reply::Done { text, structured }
}
