//! A knowledge graph in one JSON Lines file: what `@modelcontextprotocol/server-memory` does, under the lock and durable.
//!
//! If several changes wait, one of them carries out all (group commit): it reads the file once, makes all changes,
//! and replaces the file once. Each is answered after that, so an acknowledged change is on the disk.

use super::{
    protocol::{Reply, Service},
    ticket::Ticket,
    tools,
};
use crate::{
    commands::{Context, give_back, lock_folder, writing::Writer},
    failure::Failure,
    lock::{self, Claim, Wait, info::Kind, target::Target},
    replace::{self, Durability},
    report,
};
use memlatch_os::paths::shown;
use serde_json::{Value, json};
use std::{
    fs, io,
    path::Path,
    sync::{Arc, Mutex, mpsc},
};

const INSTRUCTIONS: &str =
    "A knowledge graph that other clients change at the same time: entities with observations, and relations.
Find with search_nodes and open_nodes; read_graph gives everything, which may be long.
Each change is kept when it is answered.";

/// A waiting change, and the channel for its answer.
struct Waiting {
    tool: String,
    arguments: Value,
    ticket: Arc<Ticket>,
    answer: mpsc::Sender<Result<Reply, String>>,
}

/// The server of one graph.
pub struct Graph<'a> {
    target: Target,
    read_only: bool,
    wait: Wait,
    context: Context<'a>,
    waiting: Mutex<Vec<Waiting>>,
    /// Held while changes are made.
    turn: Mutex<()>,
}

impl<'a> Graph<'a> {
    /// Opens the file that is named, or that `MEMORY_FILE_PATH` names.
    pub fn open(file: Option<&Path>, read_only: bool, context: Context<'a>) -> Result<Self, Failure> {
        let file = file.map(Path::to_owned).or_else(|| context.settings.graph_file().map(Path::to_owned)).ok_or_else(
            || {
                Failure::usage(
                    "--graph names no file, and MEMORY_FILE_PATH is not set; write: memlatch mcp --graph memory.jsonl",
                )
            },
        )?;
        let target = Target::resolve(&file)
            .map_err(|error| Failure::failed(format!("cannot find '{}': {error}", shown(&file))))?;
        super::confine_to(target.path.parent().into_iter(), context)?;
        let wait = context.settings.wait()?;
        Ok(Graph { target, read_only, wait, context, waiting: Mutex::default(), turn: Mutex::new(()) })
    }

    fn change(&self, tool: &str, arguments: &Value, ticket: &Arc<Ticket>) -> Result<Reply, String> {
        let (answer, answered) = mpsc::channel();
        let waiting = Waiting { tool: tool.to_owned(), arguments: arguments.clone(), ticket: ticket.clone(), answer };
        self.waiting.lock().expect("no thread panics while it queues").push(waiting);
        let _turn = self.turn.lock().expect("a change that panics has left nothing half done");
        if let Ok(answer) = answered.try_recv() {
            return answer;
        }
        let batch = std::mem::take(&mut *self.waiting.lock().expect("no thread panics while it queues"));
        self.commit(batch);
        answered.recv().unwrap_or_else(|_| Err("the change was lost; nothing has changed".to_owned()))
    }

    fn commit(&self, batch: Vec<Waiting>) {
        let answers = self.commit_all(&batch).map_err(|failure| report::in_words(&failure, self.context.settings));
        match answers {
            Ok(answers) => batch.iter().zip(answers).for_each(|(waiting, answer)| _ = waiting.answer.send(answer)),
            Err(text) => batch.iter().for_each(|waiting| _ = waiting.answer.send(Err(text.clone()))),
        }
    }

    fn commit_all(&self, batch: &[Waiting]) -> Result<Vec<Result<Reply, String>>, Failure> {
        let claim = Claim { kind: Kind::Update, command: Some("memlatch mcp".to_owned()), client: None };
        let guard = lock::exclusive(
            &lock_folder(self.context)?,
            &self.target,
            &claim,
            self.wait,
            self.context.sink.observer(),
        )?;
        let directory = replace::open_directory(&self.target.path)?;
        let mut content = self.content()?;
        let answers: Vec<_> = batch
            .iter()
            .map(|waiting| match waiting.ticket.is_called_off() {
                true => Err("called off".to_owned()),
                false => content.change(&waiting.tool, &waiting.arguments),
            })
            .collect();
        if answers.iter().any(Result::is_ok) {
            let writer = Writer::under(&guard, self.wait, Durability::Synced);
            writer.replace(&self.target, &directory, None, |out| out.write_all(content.lines().as_bytes()))?;
        }
        give_back(guard, self.context);
        Ok(answers)
    }

    fn content(&self) -> Result<Content, Failure> {
        let cannot = |why: String| Failure::failed(format!("cannot read '{}': {why}", shown(&self.target.given)));
        match fs::read_to_string(&self.target.path) {
            Ok(text) => Content::parse(&text).map_err(cannot),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(cannot(error.to_string())),
        }
    }

    /// The content as one writer left it: `memory-update --append` changes such a file in place.
    fn whole_content(&self) -> Result<Content, String> {
        let read = || {
            let _guard =
                lock::shared(&lock_folder(self.context)?, &self.target, self.wait, self.context.sink.observer())?;
            self.content()
        };
        read().map_err(|failure: Failure| report::in_words(&failure, self.context.settings))
    }

    fn look(&self, tool: &str, arguments: &Value) -> Result<Reply, String> {
        let content = self.whole_content()?;
        let found = match tool {
            "read_graph" => content,
            "search_nodes" => {
                let wanted = arguments["query"].as_str().ok_or("'query' is missing or is not a string")?.to_lowercase();
                let has = |value: &Value| value.as_str().is_some_and(|text| text.to_lowercase().contains(&wanted));
                content.around(|entity| {
                    has(&entity["name"])
                        || has(&entity["entityType"])
                        || elements(&entity["observations"]).iter().any(has)
                })
            }
            _ => {
                let names = list(arguments, "names")?;
                content.around(|entity| names.contains(&entity["name"]))
            }
        };
        let structured = json!({ "entities": found.entities, "relations": found.relations });
        Ok(Reply::Done { text: pretty(&structured), structured })
    }
}

impl Service for Graph<'_> {
    fn name(&self) -> &'static str {
        "memory-server"
    }

    fn instructions(&self) -> &'static str {
        INSTRUCTIONS
    }

    fn tools(&self) -> Vec<Value> {
        tools::of_graph(self.read_only)
    }

    fn call(&self, tool: &str, arguments: &Value, ticket: &Arc<Ticket>) -> Option<Reply> {
        let result = match tool {
            "read_graph" | "search_nodes" | "open_nodes" => self.look(tool, arguments),
            _ if self.read_only => return None,
            "create_entities"
            | "create_relations"
            | "add_observations"
            | "delete_entities"
            | "delete_observations"
            | "delete_relations" => self.change(tool, arguments, ticket),
            _ => return None,
        };
        Some(result.unwrap_or_else(Reply::Failed))
    }

    fn resources(&self) -> Vec<Value> {
        vec![json!({ "uri": RESOURCE, "name": "knowledge-graph", "mimeType": "application/json" })]
    }

    fn read(&self, uri: &str) -> Result<String, String> {
        if uri != RESOURCE {
            return Err(format!("there is no resource '{uri}'; there is {RESOURCE}"));
        }
        let content = self.whole_content()?;
        Ok(pretty(&json!({ "entities": content.entities, "relations": content.relations })))
    }
}

const RESOURCE: &str = "memory://knowledge-graph";

/// The content of the file.
#[derive(Clone, Default)]
struct Content {
    entities: Vec<Value>,
    relations: Vec<Value>,
    /// Lines of other types, which stay.
    others: Vec<String>,
}

const OF_ENTITY: [&str; 3] = ["name", "entityType", "observations"];
const OF_RELATION: [&str; 3] = ["from", "to", "relationType"];

impl Content {
    fn parse(text: &str) -> Result<Self, String> {
        let mut content = Content::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let item: Value = serde_json::from_str(line)
                .map_err(|error| format!("line {} is not JSON: {error}; fix or remove it", number + 1))?;
            match item["type"].as_str() {
                Some("entity") => content.entities.push(only(&item, &OF_ENTITY)),
                Some("relation") => content.relations.push(only(&item, &OF_RELATION)),
                _ => content.others.push(line.to_owned()),
            }
        }
        Ok(content)
    }

    fn lines(&self) -> String {
        let entities = self.entities.iter().map(|entity| line("entity", entity, &OF_ENTITY));
        let relations = self.relations.iter().map(|relation| line("relation", relation, &OF_RELATION));
        entities.chain(relations).chain(self.others.iter().cloned()).map(|line| line + "\n").collect()
    }

    /// The entities that are wanted, and the relations that start or end at one of them.
    fn around(mut self, wanted: impl Fn(&Value) -> bool) -> Self {
        self.entities.retain(wanted);
        let is_found = |name: &Value| self.entities.iter().any(|entity| entity["name"] == *name);
        self.relations.retain(|relation| is_found(&relation["from"]) || is_found(&relation["to"]));
        self
    }

    /// Makes one change, completely or not at all: it is checked before anything changes.
    fn change(&mut self, tool: &str, arguments: &Value) -> Result<Reply, String> {
        match tool {
            "create_entities" => {
                let given = shaped(list(arguments, "entities")?, &OF_ENTITY)?;
                let new: Vec<Value> = given
                    .into_iter()
                    .filter(|entity| !self.entities.iter().any(|known| known["name"] == entity["name"]))
                    .collect();
                self.entities.extend(new.iter().cloned());
                Ok(Reply::Done { text: pretty(&json!(new)), structured: json!({ "entities": new }) })
            }
            "create_relations" => {
                let given = shaped(list(arguments, "relations")?, &OF_RELATION)?;
                let new: Vec<Value> = given.into_iter().filter(|relation| !self.relations.contains(relation)).collect();
                self.relations.extend(new.iter().cloned());
                Ok(Reply::Done { text: pretty(&json!(new)), structured: json!({ "relations": new }) })
            }
            "add_observations" => self.add_observations(list(arguments, "observations")?),
            "delete_entities" => {
                let names = texts(arguments, "entityNames")?;
                self.entities.retain(|entity| !names.contains(&entity["name"]));
                self.relations
                    .retain(|relation| !names.contains(&relation["from"]) && !names.contains(&relation["to"]));
                Ok(deleted("Entities"))
            }
            "delete_observations" => {
                let deletions = list(arguments, "deletions")?;
                let gone: Vec<_> =
                    deletions.iter().map(|deletion| texts(deletion, "observations")).collect::<Result<_, _>>()?;
                for (deletion, gone) in deletions.iter().zip(gone) {
                    if let Some(Value::Array(known)) = self.observations(&deletion["entityName"]) {
                        known.retain(|observation| !gone.contains(observation));
                    }
                }
                Ok(deleted("Observations"))
            }
            _ => {
                let gone = shaped(list(arguments, "relations")?, &OF_RELATION)?;
                self.relations.retain(|relation| !gone.contains(relation));
                Ok(deleted("Relations"))
            }
        }
    }

    fn add_observations(&mut self, given: &[Value]) -> Result<Reply, String> {
        for addition in given {
            texts(addition, "contents")?;
            let name = &addition["entityName"];
            if !matches!(self.observations(name), Some(Value::Array(_))) {
                return Err(format!("Entity with name {} not found", name.as_str().unwrap_or_default()));
            }
        }
        let mut results = Vec::new();
        for addition in given {
            let name = &addition["entityName"];
            let Some(Value::Array(known)) = self.observations(name) else { continue };
            let new: Vec<Value> =
                elements(&addition["contents"]).iter().filter(|content| !known.contains(content)).cloned().collect();
            known.extend(new.iter().cloned());
            results.push(json!({ "entityName": name, "addedObservations": new }));
        }
        Ok(Reply::Done { text: pretty(&json!(results)), structured: json!({ "results": results }) })
    }

    fn observations(&mut self, name: &Value) -> Option<&mut Value> {
        self.entities.iter_mut().find(|entity| entity["name"] == *name)?.get_mut("observations")
    }
}

fn deleted(what: &str) -> Reply {
    let text = format!("{what} deleted successfully");
    Reply::Done { structured: json!({ "success": true, "message": text }), text }
}

fn list<'a>(arguments: &'a Value, name: &str) -> Result<&'a [Value], String> {
    arguments[name].as_array().map(Vec::as_slice).ok_or_else(|| format!("'{name}' is missing, or is not an array"))
}

fn texts<'a>(arguments: &'a Value, name: &str) -> Result<&'a [Value], String> {
    let texts = list(arguments, name)?;
    let all = texts.iter().all(Value::is_string);
    if all { Ok(texts) } else { Err(format!("'{name}' has to be an array of strings; nothing has changed")) }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Checks that each has its members, and leaves the others out.
fn shaped(given: &[Value], members: &[&str]) -> Result<Vec<Value>, String> {
    let is_right = |item: &Value, name: &str| match name {
        "observations" => item[name].as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
        _ => item[name].is_string(),
    };
    for item in given {
        if let Some(name) = members.iter().find(|name| !is_right(item, name)) {
            return Err(format!("'{name}' is missing or of the wrong type in {item}; nothing has changed"));
        }
    }
    Ok(given.iter().map(|item| only(item, members)).collect())
}

fn only(item: &Value, members: &[&str]) -> Value {
    members.iter().map(|name| ((*name).to_owned(), item[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// A line of the file, its members in the order in which the reference server writes them.
fn line(kind: &str, item: &Value, members: &[&str]) -> String {
    let members: String = members.iter().map(|name| format!(",\"{name}\":{}", item[*name])).collect();
    format!("{{\"type\":\"{kind}\"{members}}}")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
