//! `memlatch mcp --graph`: the tools and the file of the reference memory server.

use crate::{
    mcp::{call, complete, messages, one, refused},
    sandbox::{Sandbox, wait_until},
};
use serde_json::{Value, json};
use std::fs;

const GRAPH: &str = "memlatch mcp --graph graph.jsonl";

fn entity(name: &str) -> Value {
    json!({ "name": name, "entityType": "person", "observations": ["likes tea"] })
}

#[test]
fn a_graph_is_kept_in_the_lines_of_the_reference_server() {
    let sandbox = Sandbox::new();
    let created =
        one(&sandbox, GRAPH, "create_entities", &json!({ "entities": [entity("a"), entity("b"), entity("a")] }));
    assert_eq!(created["structuredContent"]["entities"].as_array().map(Vec::len), Some(3));
    let again = one(&sandbox, GRAPH, "create_entities", &json!({ "entities": [entity("a")] }));
    assert_eq!(again["structuredContent"]["entities"], json!([]));
    let relation = json!({ "from": "a", "to": "b", "relationType": "knows" });
    one(&sandbox, GRAPH, "create_relations", &json!({ "relations": [relation] }));
    one(&sandbox, GRAPH, "delete_entities", &json!({ "entityNames": [] }));
    let line = |name: &str| {
        format!(
            "{{\"type\":\"entity\",\"name\":\"{name}\",\"entityType\":\"person\",\"observations\":[\"likes tea\"]}}\n"
        )
    };
    let relation = "{\"type\":\"relation\",\"from\":\"a\",\"to\":\"b\",\"relationType\":\"knows\"}\n";
    sandbox.holds("graph.jsonl", &[line("a"), line("b"), line("a"), relation.to_owned()].concat());

    let added = one(
        &sandbox,
        GRAPH,
        "add_observations",
        &json!({ "observations": [{ "entityName": "b", "contents": ["likes tea", "x"] }] }),
    );
    assert_eq!(added["structuredContent"]["results"], json!([{ "entityName": "b", "addedObservations": ["x"] }]));
    let missing = json!({ "observations": [{ "entityName": "nobody", "contents": ["x"] }] });
    refused(&one(&sandbox, GRAPH, "add_observations", &missing), &["Entity with name nobody not found"]);
    let found = one(&sandbox, GRAPH, "search_nodes", &json!({ "query": "X" }));
    assert_eq!(found["structuredContent"]["entities"][0]["name"], "b");
    assert_eq!(found["structuredContent"]["relations"].as_array().map(Vec::len), Some(1));
    one(
        &sandbox,
        GRAPH,
        "delete_observations",
        &json!({ "deletions": [{ "entityName": "b", "observations": ["x"] }] }),
    );
    one(&sandbox, GRAPH, "delete_entities", &json!({ "entityNames": ["a"] }));
    sandbox.holds("graph.jsonl", &line("b"));
}

#[test]
fn a_line_that_is_not_json_is_named_and_the_file_stays() {
    let sandbox = Sandbox::new();
    sandbox.write("graph.jsonl", "{\"type\":\"entity\"}\n{\"type\": \n");
    refused(
        &one(&sandbox, GRAPH, "create_entities", &json!({ "entities": [entity("a")] })),
        &["graph.jsonl", "line 2"],
    );
    sandbox.holds("graph.jsonl", "{\"type\":\"entity\"}\n{\"type\": \n");
    refused(&one(&sandbox, GRAPH, "create_entities", &json!({ "entities": [{ "name": "a" }] })), &["graph.jsonl"]);
}

#[test]
fn four_servers_with_fifty_parallel_calls_each_lose_nothing() {
    let sandbox = Sandbox::new();
    let lines = |server: usize| {
        let create = |id| call(id, "create_entities", &json!({ "entities": [entity(&format!("{server}-{id}"))] }));
        (0..50).map(create).collect::<Vec<_>>().join("\n") + "\n"
    };
    let mut servers: Vec<_> = (0..4).map(|_| sandbox.line(GRAPH).start()).collect();
    servers.iter_mut().enumerate().for_each(|(number, server)| server.tell(&lines(number)));
    for server in servers {
        let output = String::from_utf8(server.ended().stdout).expect("UTF-8");
        let done = messages(&output).iter().filter(|answer| answer["result"]["isError"] == false).count();
        assert_eq!(done, 50);
    }
    let text = fs::read_to_string(sandbox.path("graph.jsonl")).expect("the graph");
    let names: std::collections::HashSet<_> = messages(&text).iter().map(|line| line["name"].to_string()).collect();
    assert_eq!((names.len(), text.lines().count()), (200, 200));
}

#[test]
fn relations_and_observations_are_deleted_one_by_one_and_nodes_opened_with_their_relations() {
    let sandbox = Sandbox::new();
    let relation = |from: &str, to: &str| json!({ "from": from, "to": to, "relationType": "knows" });
    let ask = |tool: &str, arguments: Value| one(&sandbox, GRAPH, tool, &arguments)["structuredContent"].clone();
    assert_eq!(ask("read_graph", json!({})), json!({ "entities": [], "relations": [] }));
    assert_eq!(ask("create_entities", json!({ "entities": [] })), json!({ "entities": [] }));
    ask("create_entities", json!({ "entities": [entity("a"), entity("b"), entity("c")] }));
    let both = [relation("a", "b"), relation("b", "c")];
    assert_eq!(ask("create_relations", json!({ "relations": both }))["relations"], json!(both));
    assert_eq!(ask("create_relations", json!({ "relations": both }))["relations"], json!([]));
    // Also those that lead to a node which was not asked for.
    let opened = ask("open_nodes", json!({ "names": ["a", "nobody"] }));
    assert_eq!(opened, json!({ "entities": [entity("a")], "relations": [both[0]] }));
    assert_eq!(ask("open_nodes", json!({ "names": [] }))["relations"], json!([]));
    assert_eq!(ask("search_nodes", json!({ "query": "PERSON" }))["entities"].as_array().map(Vec::len), Some(3));
    assert_eq!(ask("search_nodes", json!({ "query": "none of it" }))["entities"], json!([]));
    let deleted = ask("delete_relations", json!({ "relations": [both[0]] }));
    assert_eq!(deleted, json!({ "success": true, "message": "Relations deleted successfully" }));
    let gone = json!({ "deletions": [{ "entityName": "a", "observations": ["likes tea"] }, { "entityName": "nobody", "observations": [] }] });
    assert_eq!(ask("delete_observations", gone)["message"], "Observations deleted successfully");
    ask("delete_entities", json!({ "entityNames": ["c", "nobody"] }));
    let a = json!({ "name": "a", "entityType": "person", "observations": [] });
    assert_eq!(ask("read_graph", json!({})), json!({ "entities": [a, entity("b")], "relations": [] }));
}

#[test]
fn a_change_that_fails_leaves_nothing_of_itself_and_lines_of_others_stay() {
    let sandbox = Sandbox::new();
    let other = "{\"type\":\"of another program\",\"n\":1.10}\n";
    sandbox.write("graph.jsonl", other);
    one(&sandbox, GRAPH, "create_entities", &json!({ "entities": [entity("a")] }));
    let before = sandbox.read("graph.jsonl");
    assert!(before.contains(other), "{before}");
    let half = json!({ "observations": [
        { "entityName": "a", "contents": ["new"] },
        { "entityName": "nobody", "contents": ["new"] },
    ] });
    refused(&one(&sandbox, GRAPH, "add_observations", &half), &["Entity with name nobody not found"]);
    let wrong = json!({ "observations": [{ "entityName": "a", "contents": [7] }] });
    refused(&one(&sandbox, GRAPH, "add_observations", &wrong), &["'contents'", "nothing has changed"]);
    sandbox.holds("graph.jsonl", &before);
}

#[test]
fn the_graph_is_not_read_while_it_is_written() {
    let sandbox = Sandbox::new();
    let held = sandbox.holder("graph.jsonl");
    let read = call(1, "read_graph", &json!({})) + "\n";
    let output = sandbox.line(GRAPH).env("LOCK_TIMEOUT", "0").stdin(read).succeeds().stdout();
    refused(&messages(&output)[0]["result"], &["graph.jsonl", "is held by"]);
    held.ended();
    assert_eq!(one(&sandbox, GRAPH, "read_graph", &json!({}))["isError"], false);
}

#[test]
fn the_file_is_that_of_memory_file_path() {
    let sandbox = Sandbox::new();
    let line = call(1, "create_entities", &json!({ "entities": [entity("a")] })) + "\n";
    let path = sandbox.path("elsewhere.jsonl");
    let output = sandbox.line("memlatch mcp --graph").env("MEMORY_FILE_PATH", &path).stdin(line).succeeds().stdout();
    assert_eq!(messages(&output)[0]["result"]["isError"], false, "{output}");
    assert_eq!(messages(&sandbox.read("elsewhere.jsonl"))[0]["name"], "a");
}

#[test]
fn acknowledged_writes_outlive_the_death_of_the_server() {
    let sandbox = Sandbox::new();
    for acknowledged in [1, 5, 20] {
        let mut server = sandbox.line(GRAPH).start();
        for id in 0..60 {
            let entities = json!({ "entities": [entity(&format!("{acknowledged}-{id}"))] });
            server.tell(&call(id, "create_entities", &entities));
        }
        wait_until("some answers", || server.printed().lines().count() >= acknowledged);
        server.kill();
        let kept = messages(&sandbox.read("graph.jsonl"));
        for answer in complete(&server.printed()) {
            let name = format!("{acknowledged}-{}", answer["id"]);
            assert!(kept.iter().any(|entity| entity["name"] == name), "{name} is lost");
        }
    }
    sandbox.may_leave_locks().may_leave_litter();
}

#[test]
fn a_change_that_is_called_off_before_its_turn_is_not_made() {
    let sandbox = Sandbox::new();
    sandbox.write("graph.jsonl", "");
    let mut holder = sandbox.holder("graph.jsonl");
    let mut server = sandbox.line(GRAPH).start();
    for id in 1..=2 {
        let entities = json!({ "entities": [entity(&id.to_string())] });
        server.tell(&call(id, "create_entities", &entities));
    }
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } });
    server.tell(&cancelled.to_string());
    server.tell(&json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" }).to_string());
    server.says("\"id\":3");
    holder.tell("");
    server.says("\"id\":1");
    let output = String::from_utf8(server.ended().stdout).expect("UTF-8");
    assert!(!output.contains("\"id\":2,"), "{output}");
    let kept = messages(&sandbox.read("graph.jsonl"));
    assert_eq!(kept.iter().map(|entity| entity["name"].clone()).collect::<Vec<_>>(), ["1"]);
    holder.ended();
}
