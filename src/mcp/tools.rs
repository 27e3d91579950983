//! The descriptions of the tools for clients: names, arguments, results. Short, because each word takes room in every session.

use serde_json::{Value, json};

/// The tools for memory files.
pub fn of_files(read_only: bool) -> Vec<Value> {
    let file = text("Path below a root, as memory_list returns it");
    let filter = text("jq 1.8 filter");
    let args = json!({ "type": "object", "description": "Values for the filter: {\"x\": 1} is $x" });
    let answer = object(
        json!({ "status": { "type": "string" }, "revision": { "type": "string" }, "difference": { "type": "string" } }),
        &["status"],
    );
    let mut tools = vec![
        tool("memory_list", "List the memory files", &json!({}), &[], Effect::Reads)
            .giving(&object(json!({ "files": { "type": "array", "items": object(json!({ "file": text("Path"), "bytes": number("Size") }), &["file", "bytes"]) } }), &["files"])),
        tool(
            "memory_read",
            "Read a memory file, or the outputs of a jq filter on it",
            &json!({ "file": file, "filter": filter, "args": args, "limit": number("Most bytes to return [20000]") }),
            &["file"],
            Effect::Reads,
        )
        .giving(&object(
            json!({ "revision": text("For if_revision and base_revision"), "values": { "type": "array", "description": "The outputs of the filter" }, "truncated": { "type": "boolean" } }),
            &["revision", "values", "truncated"],
        )),
    ];
    if !read_only {
        tools.extend([
            tool(
                "memory_update",
                "Change a memory file atomically with a jq filter that outputs the whole new document",
                &json!({
                    "file": file, "filter": filter, "args": args,
                    "create": { "type": "boolean", "description": "Start a missing file from {}" },
                    "if_revision": text("Change the file only if it has this revision"),
                    "schema": text("JSON Schema file below a root that the result must conform to"),
                    "dry_run": { "type": "boolean", "description": "Show the change without making it" },
                }),
                &["file", "filter"],
                Effect::Changes,
            )
            .giving(&answer),
            tool(
                "memory_append",
                "Append a value to an array in a memory file; a missing file or array is made",
                &json!({ "file": file, "path": text("jq path of the array, such as .notes"), "value": { "description": "The element" } }),
                &["file", "path", "value"],
                Effect::Adds,
            )
            .giving(&answer),
            tool(
                "memory_write",
                "Replace a whole memory file with a document made from base_revision; changes by others since then are merged in",
                &json!({
                    "file": file,
                    "content": { "description": "The new document, or its JSON text" },
                    "base_revision": text("The revision that memory_read returned; without it, only a new file is written"),
                }),
                &["file", "content"],
                Effect::Changes,
            )
            .giving(&answer),
            tool(
                "memory_restore",
                "Restore a backup of a memory file",
                &json!({ "file": file, "n": number("Which backup; 1 is the newest [1]") }),
                &["file"],
                Effect::Changes,
            )
            .giving(&answer),
        ]);
    }
    tools
}

/// Refuses unknown arguments and arguments of the wrong type: a misspelled condition must not be ignored.
pub fn check(tools: &[Value], tool: &str, arguments: &Value) -> Result<(), String> {
    let Some(known) = tools.iter().find(|known| known["name"] == tool) else { return Ok(()) };
    let known = &known["inputSchema"]["properties"];
    for (name, value) in arguments.as_object().into_iter().flatten() {
        let Some(argument) = known.get(name) else {
            let names: Vec<&str> = known.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            return Err(format!("{tool} has no argument '{name}'; it has: {}", names.join(", ")));
        };
        let is_right = match argument["type"].as_str() {
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_u64(),
            Some("object") => value.is_object(),
            _ => true,
        };
        if !is_right {
            let wanted = argument["type"].as_str().unwrap_or_default();
            return Err(format!("'{name}' of {tool} has to be of type {wanted}, but is {value}"));
        }
    }
    Ok(())
}

/// The tools of `@modelcontextprotocol/server-memory`, with its names, arguments and results.
pub fn of_graph(read_only: bool) -> Vec<Value> {
    let texts = |what: &str| json!({ "type": "array", "items": { "type": "string" }, "description": what });
    let list = |items: &Value| json!({ "type": "array", "items": items });
    let entity = object(
        json!({ "name": text("The entity's name"), "entityType": text("The entity's type"), "observations": texts("What is known of it") }),
        &["name", "entityType", "observations"],
    );
    let relation = object(
        json!({ "from": text("Name of the entity it starts from"), "to": text("Name of the entity it leads to"), "relationType": text("Its type, in active voice") }),
        &["from", "to", "relationType"],
    );
    let added = object(
        json!({ "entityName": text("An entity's name"), "contents": texts("Observations to add") }),
        &["entityName", "contents"],
    );
    let gone = object(
        json!({ "entityName": text("An entity's name"), "observations": texts("Observations to delete") }),
        &["entityName", "observations"],
    );
    let result = object(
        json!({ "entityName": { "type": "string" }, "addedObservations": texts("Those that were new") }),
        &["entityName", "addedObservations"],
    );
    let graph = object(json!({ "entities": list(&entity), "relations": list(&relation) }), &["entities", "relations"]);
    let success =
        object(json!({ "success": { "type": "boolean" }, "message": { "type": "string" } }), &["success", "message"]);
    let one = |name: &str, items: &Value| object(json!({ name: list(items) }), &[name]);
    let mut tools = vec![
        tool("read_graph", "Read the entire knowledge graph", &json!({}), &[], Effect::Reads).giving(&graph),
        tool(
            "search_nodes",
            "Find entities by a text in their name, type or observations",
            &json!({ "query": text("The text to look for") }),
            &["query"],
            Effect::Reads,
        )
        .giving(&graph),
        tool(
            "open_nodes",
            "Read entities by their names",
            &json!({ "names": texts("Names of entities") }),
            &["names"],
            Effect::Reads,
        )
        .giving(&graph),
    ];
    if !read_only {
        let change = |name, about, argument: &str, items: &Value, effect| {
            tool(name, about, &json!({ argument: list(items) }), &[argument], effect)
        };
        let name = json!({ "type": "string" });
        tools.extend([
            change("create_entities", "Create entities in the knowledge graph", "entities", &entity, Effect::Adds)
                .giving(&one("entities", &entity)),
            change(
                "create_relations",
                "Create relations between entities, in active voice",
                "relations",
                &relation,
                Effect::Adds,
            )
            .giving(&one("relations", &relation)),
            change("add_observations", "Add observations to entities", "observations", &added, Effect::Adds)
                .giving(&one("results", &result)),
            change("delete_entities", "Delete entities and their relations", "entityNames", &name, Effect::Changes)
                .giving(&success),
            change("delete_observations", "Delete observations of entities", "deletions", &gone, Effect::Changes)
                .giving(&success),
            change("delete_relations", "Delete relations", "relations", &relation, Effect::Changes).giving(&success),
        ]);
    }
    tools
}

/// What a tool does to the files, for clients that ask their user before some.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Adds,
    Changes,
}

trait Giving {
    /// Names the shape of the result.
    fn giving(self, shape: &Value) -> Value;
}

impl Giving for Value {
    fn giving(mut self, shape: &Value) -> Value {
        self["outputSchema"] = shape.clone();
        self
    }
}

fn tool(name: &str, about: &str, arguments: &Value, required: &[&str], effect: Effect) -> Value {
    json!({
        "name": name,
        "description": about,
        "inputSchema": object(arguments.clone(), required),
        "annotations": {
            "readOnlyHint": effect == Effect::Reads,
            "destructiveHint": effect == Effect::Changes,
            "openWorldHint": false,
        },
    })
}

fn object(members: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": members, "required": required })
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn number(about: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": about })
}
