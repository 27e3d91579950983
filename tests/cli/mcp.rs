//! `memlatch mcp`, as a client meets it: lines in, lines out, and the files afterwards.

use crate::sandbox::{Sandbox, wait_until};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, os::unix::fs::symlink};

pub fn request(id: usize, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

pub fn call(id: usize, tool: &str, arguments: &Value) -> String {
    request(id, "tools/call", &json!({ "name": tool, "arguments": arguments }))
}

pub fn messages(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Sends all lines at once, and gives the answers by their identifiers.
#[track_caller]
pub fn session(sandbox: &Sandbox, server: &str, lines: &[String]) -> HashMap<u64, Value> {
    let output = sandbox.line(server).stdin(lines.join("\n") + "\n").succeeds().stdout();
    messages(&output).into_iter().map(|message| (message["id"].as_u64().expect("an id of ours"), message)).collect()
}

/// Makes one call in a session of its own.
#[track_caller]
pub fn one(sandbox: &Sandbox, server: &str, tool: &str, arguments: &Value) -> Value {
    session(sandbox, server, &[call(1, tool, arguments)])[&1]["result"].clone()
}

#[track_caller]
pub fn refused(result: &Value, parts: &[&str]) {
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().expect("a text");
    parts.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in {text}"));
}

fn with_memory() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("memory")).expect("a root");
    sandbox.write("memory/x.json", "{\"n\": 1}\n");
    sandbox
}

const SERVER: &str = "memlatch mcp --root memory";

#[test]
fn each_version_of_the_protocol_is_answered_in_its_way() {
    let sandbox = with_memory();
    let versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1999-01-01"];
    let ask = |(id, version): (usize, &&str)| request(id, "initialize", &json!({ "protocolVersion": version }));
    let mut lines: Vec<String> = versions.iter().enumerate().map(ask).collect();
    lines.push(request(9, "server/discover", &json!({})));
    let answers = session(&sandbox, SERVER, &lines);
    for (id, version) in versions[..4].iter().enumerate() {
        assert_eq!(answers[&(id as u64)]["result"]["protocolVersion"], *version);
    }
    assert_eq!(answers[&4]["result"]["protocolVersion"], "2025-11-25");
    assert!(answers[&0]["result"]["instructions"].as_str().is_some_and(|text| text.contains("memory_read")));
    let discovered = &answers[&9]["result"];
    assert_eq!(
        discovered["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    );
    assert_eq!(discovered["resultType"], "complete");
}

#[test]
fn a_file_is_listed_read_changed_and_restored() {
    let sandbox = with_memory();
    let file = json!("x.json");
    let listed = one(&sandbox, SERVER, "memory_list", &json!({}));
    assert!(
        listed["structuredContent"]["files"][0]["file"].as_str().is_some_and(|path| path.ends_with("memory/x.json"))
    );
    let updated =
        one(&sandbox, SERVER, "memory_update", &json!({ "file": file, "filter": ".n += $k", "args": { "k": 4 } }));
    let read = one(&sandbox, SERVER, "memory_read", &json!({ "file": file, "filter": ".n, .n + 1" }));
    assert_eq!(read["structuredContent"]["values"], json!([5, 6]));
    assert_eq!(read["structuredContent"]["revision"], updated["structuredContent"]["revision"]);
    one(&sandbox, SERVER, "memory_append", &json!({ "file": file, "path": ".a", "value": { "q": 1 } }));
    assert_eq!(sandbox.line("memory-read memory/x.json -c").succeeds().stdout(), "{\"n\":5,\"a\":[{\"q\":1}]}\n");
    one(&sandbox, SERVER, "memory_restore", &json!({ "file": file, "n": 2 }));
    assert_eq!(sandbox.line("memory-read memory/x.json -c").succeeds().stdout(), "{\"n\":1}\n");
}

#[test]
fn refused_input_is_reported_and_changes_nothing() {
    let sandbox = with_memory();
    let update = |arguments: Value| one(&sandbox, SERVER, "memory_update", &arguments);
    refused(&update(json!({ "file": "x.json", "filter": ".n" })), &["an object", "a number", "nothing has changed"]);
    refused(&update(json!({ "file": "x.json", "filter": ".n +" })), &["syntax"]);
    refused(&update(json!({ "file": "x.json" })), &["'filter' is missing"]);
    refused(&update(json!({ "file": "new.json", "filter": ".n = 1" })), &["does not exist"]);
    let stale = json!({ "file": "x.json", "filter": ".n = 2", "if_revision": "000000000000" });
    refused(&update(stale), &["has changed since revision 000000000000"]);
    refused(&update(json!({ "file": "x.json", "filter": "halt" })), &["halt"]);
    let misspelled = json!({ "file": "x.json", "filter": ".n = 2", "if_revison": "000000000000" });
    refused(&update(misspelled), &["no argument 'if_revison'", "if_revision"]);
    let of_wrong_type = json!({ "file": "x.json", "filter": ".n = 2", "dry_run": "yes" });
    refused(&update(of_wrong_type), &["'dry_run'", "boolean"]);
    sandbox.holds("memory/x.json", "{\"n\": 1}\n");
    assert!(!sandbox.path("memory/new.json").exists());
}

#[test]
fn no_path_leads_out_of_the_roots() {
    let sandbox = with_memory();
    fs::create_dir(sandbox.path("outside")).expect("a folder beside the root");
    sandbox.write("outside/secret.json", "{\"secret\": 1}\n");
    symlink(sandbox.path("outside"), sandbox.path("memory/folder")).expect("a link");
    symlink(sandbox.path("outside/secret.json"), sandbox.path("memory/link.json")).expect("a link");
    let whole = sandbox.path("outside/secret.json");
    for file in ["../outside/secret.json", "folder/secret.json", "link.json", whole.to_str().expect("UTF-8")] {
        refused(&one(&sandbox, SERVER, "memory_read", &json!({ "file": file })), &[]);
        refused(&one(&sandbox, SERVER, "memory_update", &json!({ "file": file, "filter": ".secret = 2" })), &[]);
        let uri = json!({ "uri": format!("memory://{file}") });
        let answer = &session(&sandbox, SERVER, &[request(1, "resources/read", &uri)])[&1];
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    sandbox.holds("outside/secret.json", "{\"secret\": 1}\n");
}

#[test]
fn a_filter_finds_neither_files_nor_secrets_in_the_environment() {
    let sandbox = with_memory();
    sandbox.write("memory/m.jq", "def f: 1;");
    for filter in ["import \"m\" as m; m::f", "include \"m\"; f", "\"m\" | modulemeta"] {
        refused(
            &one(&sandbox, SERVER, "memory_read", &json!({ "file": "x.json", "filter": filter })),
            &["not allowed"],
        );
    }
    // The words alone mean nothing.
    let field = one(&sandbox, SERVER, "memory_read", &json!({ "file": "x.json", "filter": "[.import, \"include\"]" }));
    assert_eq!(field["structuredContent"]["values"], json!([[null, "include"]]));
    let asked = call(1, "memory_read", &json!({ "file": "x.json", "filter": "$ENV.API_KEY, env.API_KEY" }));
    let output = sandbox.line(SERVER).env("API_KEY", "hidden").stdin(asked + "\n").succeeds().stdout();
    assert_eq!(messages(&output)[0]["result"]["structuredContent"]["values"], json!([null, null]));
}

#[test]
fn a_filter_that_takes_all_memory_fails_alone() {
    let sandbox = with_memory();
    let hungry = call(1, "memory_update", &json!({ "file": "x.json", "filter": ".n = [range(1e9) | tostring]" }));
    let answers = session(&sandbox, SERVER, &[hungry, call(2, "memory_read", &json!({ "file": "x.json" }))]);
    assert_eq!(answers[&1]["result"]["isError"], true, "{}", answers[&1]);
    assert_eq!(answers[&2]["result"]["structuredContent"]["values"], json!([{ "n": 1 }]));
    // The next writer takes the place of the one that was ended.
    sandbox.call(["memory-update", "memory/x.json", ".n += 1"]).succeeds();
    sandbox.line("file-lock cleanup").succeeds();
    sandbox.may_leave_litter();
}

#[test]
fn a_long_answer_says_how_to_ask_for_less() {
    let sandbox = with_memory();
    let long = json!({ "file": "x.json", "filter": "[range(9000)]" });
    let read = one(&sandbox, SERVER, "memory_read", &long);
    assert_eq!(read["structuredContent"]["truncated"], true);
    assert!(
        read["content"][0]["text"].as_str().is_some_and(|text| text.len() < 21_000 && text.contains("Ask for less"))
    );
}

#[test]
fn a_document_with_a_base_is_merged_with_the_changes_of_others() {
    let sandbox = with_memory();
    let mut server = sandbox.line(SERVER).start();
    server.tell(&call(1, "memory_read", &json!({ "file": "x.json" })));
    server.says("\"id\":1");
    let revision = messages(&server.printed())[0]["result"]["structuredContent"]["revision"].clone();
    // No backup is left of the base: the server itself has to know it.
    sandbox.call(["memory-update", "memory/x.json", ".theirs = true"]).succeeds();
    let ours = json!({ "file": "x.json", "content": "{\"n\": 1, \"ours\": true}", "base_revision": revision });
    server.tell(&call(2, "memory_write", &ours));
    server.says("\"id\":2");
    server.ended();
    assert_eq!(
        sandbox.line("memory-read memory/x.json -S -c").succeeds().stdout(),
        "{\"n\":1,\"ours\":true,\"theirs\":true}\n"
    );
    let first = json!({ "file": "new.json", "content": "{}", "base_revision": "none" });
    assert_eq!(one(&sandbox, SERVER, "memory_write", &first)["isError"], false);
    refused(&one(&sandbox, SERVER, "memory_write", &first), &["exists already"]);
}

#[test]
fn what_is_refused_is_told_in_terms_of_the_tools_not_of_the_command_line() {
    let sandbox = with_memory();
    let stale = json!({ "file": "x.json", "filter": ".n = 2", "if_revision": "000000000000" });
    let told = |tool: &str, arguments: &Value| {
        let result = one(&sandbox, SERVER, tool, arguments);
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let stale = told("memory_update", &stale);
    let missing = told("memory_update", &json!({ "file": "new.json", "filter": ".n = 1" }));
    let other_type = told("memory_update", &json!({ "file": "x.json", "filter": ".n" }));
    let exists = told("memory_write", &json!({ "file": "x.json", "content": "{}", "base_revision": "none" }));
    for (text, tool) in
        [(stale, "memory_read"), (missing, "memory_list"), (other_type, "memory_read"), (exists, "memory_write")]
    {
        assert!(text.contains(tool), "{text}");
        for of_the_command_line in ["memory-", "atomic-write", "file-lock", " --", "[ERROR]", "[INFO]"] {
            assert!(!text.contains(of_the_command_line), "{text}");
        }
    }
    sandbox.write("memory/x.json", "{\n  \"n\": 1\n}\n");
    let unchanged = json!({ "file": "x.json", "filter": ".", "dry_run": true });
    let unchanged = one(&sandbox, SERVER, "memory_update", &unchanged);
    assert_eq!(unchanged["structuredContent"], json!({ "status": "unchanged", "difference": "" }));
    assert_eq!(unchanged["content"][0]["text"], "no change: 'x.json' would stay as it is");
}

#[test]
fn a_call_that_waits_for_a_lock_holds_up_nothing_else_and_can_be_called_off() {
    let sandbox = with_memory();
    sandbox.write("memory/y.json", "{}\n");
    let mut holder = sandbox.holder("memory/x.json");
    let mut server = sandbox.line(SERVER).start();
    server.tell(&call(1, "memory_update", &json!({ "file": "x.json", "filter": ".n += 1" })));
    server.tell(&call(2, "memory_update", &json!({ "file": "x.json", "filter": ".n += 10" })));
    server.tell(&request(3, "ping", &json!({})));
    server.says("\"id\":3");
    server.tell(&call(4, "memory_read", &json!({ "file": "y.json" })));
    server.says("\"id\":4");
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } });
    server.tell(&cancelled.to_string());
    server.tell(&request(5, "ping", &json!({})));
    server.says("\"id\":5");
    assert!(!server.printed().contains("\"id\":1,"), "{}", server.printed());
    holder.tell("");
    server.says("\"id\":1,");
    let output = String::from_utf8(server.ended().stdout).expect("UTF-8");
    assert!(!output.contains("\"id\":2,"), "{output}");
    assert_eq!(sandbox.line("memory-read memory/x.json .n").succeeds().stdout(), "2\n");
    holder.ended();
}

/// The look at a path and the work are two steps. The root, swapped for a link, leads the second one astray for sure.
#[test]
#[cfg(target_os = "linux")]
fn the_kernel_keeps_the_work_within_the_roots() {
    let sandbox = with_memory();
    fs::create_dir(sandbox.path("outside")).expect("a folder beside the root");
    sandbox.write("outside/x.json", "{\"secret\": 1}\n");
    let mut server = sandbox.line(SERVER).start();
    server.tell(&request(0, "ping", &json!({})));
    server.says("\"id\":0");
    fs::rename(sandbox.path("memory"), sandbox.path("moved")).expect("the root moves");
    symlink(sandbox.path("outside"), sandbox.path("memory")).expect("a link in its place");
    server.tell(&call(1, "memory_read", &json!({ "file": "x.json" })));
    server.tell(&call(2, "memory_update", &json!({ "file": "x.json", "filter": ".secret = 2" })));
    server.tell(&call(3, "memory_write", &json!({ "file": "new.json", "content": "{}" })));
    let output = String::from_utf8(server.ended().stdout).expect("UTF-8");
    assert_eq!(messages(&output).len(), 4);
    for answer in messages(&output).iter().filter(|answer| answer["id"] != 0) {
        refused(&answer["result"], &["ermission denied"]);
    }
    assert!(!output.contains("secret\\\""), "{output}");
    sandbox.holds("outside/x.json", "{\"secret\": 1}\n");
    assert!(!sandbox.path("outside/new.json").exists());
}

#[test]
fn numbers_keep_their_digits_and_members_their_order() {
    let sandbox = with_memory();
    let line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"memory_append\",\"arguments\":\
                {\"file\":\"x.json\",\"path\":\".a\",\"value\":{\"z\":12345678901234567890123,\"a\":1.10}}}}";
    session(&sandbox, SERVER, &[line.to_owned()]);
    let kept = "{\"n\":1,\"a\":[{\"z\":12345678901234567890123,\"a\":1.10}]}";
    assert_eq!(sandbox.line("memory-read memory/x.json -c").succeeds().stdout(), format!("{kept}\n"));
    let output =
        sandbox.line(SERVER).stdin(call(1, "memory_read", &json!({ "file": "x.json" })) + "\n").succeeds().stdout();
    assert!(output.contains("\"z\":12345678901234567890123") && output.contains("1.10"), "{output}");
    let text = messages(&output)[0]["result"]["content"][0]["text"].as_str().expect("a text").to_owned();
    assert!(text.contains(kept), "{text}");
}

#[test]
fn an_invalid_message_is_answered_as_the_specification_says() {
    let sandbox = with_memory();
    let code = |line: &str| {
        let output = sandbox.line(SERVER).stdin(format!("{line}\n")).succeeds().stdout();
        messages(&output).first().map(|answer| answer["error"]["code"].as_i64().expect("a code"))
    };
    assert_eq!(code("{bad"), Some(-32700));
    assert_eq!(code("[]"), Some(-32600));
    assert_eq!(code("7"), Some(-32600));
    assert_eq!(code("{\"jsonrpc\": \"2.0\", \"id\": 1}"), Some(-32600));
    assert_eq!(code("{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": \"ping\"}"), Some(-32600));
    assert_eq!(code(&request(1, "no/such", &json!({}))), Some(-32601));
    assert_eq!(code(&call(1, "no_such", &json!({}))), Some(-32602));
    assert_eq!(code(&call(1, "memory_read", &json!(7))), Some(-32602));
    assert_eq!(code(&format!("\"{}\"", "x".repeat(17 << 20))), Some(-32600));
    assert_eq!(code("{\"jsonrpc\": \"2.0\", \"method\": \"notifications/initialized\"}"), None);
    assert_eq!(code("{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {}}"), None);
}

#[test]
fn a_batch_is_answered_as_one() {
    let sandbox = with_memory();
    let line =
        format!("[{},{}]\n", request(1, "ping", &json!({})), call(2, "memory_read", &json!({ "file": "x.json" })));
    let output = sandbox.line(SERVER).stdin(line).succeeds().stdout();
    let [answers] = &messages(&output)[..] else { panic!("one line for a batch: {output}") };
    assert_eq!(answers[1]["result"]["structuredContent"]["values"], json!([{ "n": 1 }]));
}

#[test]
fn a_server_for_readers_offers_nothing_that_changes_a_file() {
    let sandbox = with_memory();
    let lines = [
        request(1, "tools/list", &json!({})),
        call(2, "memory_update", &json!({ "file": "x.json", "filter": ".n = 2" })),
    ];
    let answers = session(&sandbox, "memlatch mcp --root memory --read-only", &lines);
    let tools = answers[&1]["result"]["tools"].as_array().expect("tools");
    assert!(!tools.is_empty() && tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    assert_eq!(answers[&2]["error"]["code"], -32602);
    sandbox.holds("memory/x.json", "{\"n\": 1}\n");
}

#[test]
fn a_root_that_is_not_there_is_wrong_usage() {
    let sandbox = Sandbox::new();
    sandbox.line("memlatch mcp").ends(2).refuses().tells(["--root DIR"]);
    sandbox.line("memlatch mcp --root nowhere").ends(2).refuses().tells(["nowhere"]);
    sandbox.line("memlatch mcp --graph").ends(2).refuses().tells(["MEMORY_FILE_PATH"]);
}

#[test]
fn a_filter_that_never_ends_is_stopped() {
    let sandbox = with_memory();
    let read = one(&sandbox, SERVER, "memory_read", &json!({ "file": "x.json", "filter": "repeat(\"x\")" }));
    assert_eq!(read["structuredContent"]["truncated"], true, "{read}");
    let endless = json!({ "file": "x.json", "filter": "last(repeat(.))" });
    refused(&one(&sandbox, SERVER, "memory_update", &endless), &["the 10 seconds", "nothing has changed"]);
    sandbox.holds("memory/x.json", "{\"n\": 1}\n");
}

#[test]
fn acknowledged_writes_outlive_the_death_of_the_server() {
    let sandbox = with_memory();
    for acknowledged in [1, 4, 9] {
        let mut server = sandbox.line(SERVER).start();
        for id in 0..30 {
            let value = format!("{acknowledged}-{id}");
            server.tell(&call(id, "memory_append", &json!({ "file": "x.json", "path": ".a", "value": value })));
        }
        wait_until("some answers", || server.printed().lines().count() >= acknowledged);
        server.kill();
        let answered: Vec<u64> =
            complete(&server.printed()).iter().filter_map(|answer| answer["id"].as_u64()).collect();
        // Its processes may still be at work, and are waited for as any writer is.
        let kept = sandbox.line("memory-read memory/x.json .a").succeeds().stdout();
        for id in answered {
            assert!(kept.contains(&format!("\"{acknowledged}-{id}\"")), "{acknowledged}-{id} is not in {kept}");
        }
    }
    sandbox.may_leave_locks().may_leave_litter();
}

/// The lines that were written to their end.
pub fn complete(output: &str) -> Vec<Value> {
    messages(output.rsplit_once('\n').map_or("", |(lines, _)| lines))
}

/// A line that is nearly a message.
fn nearly_a_message() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![
        request(1, "initialize", &json!({ "protocolVersion": "2025-06-18" })),
        request(2, "tools/list", &json!({})),
        request(3, "resources/read", &json!({ "uri": "memory://x" })),
        call(4, "memory_read", &json!({ "file": "x.json", "filter": 7, "args": [], "limit": -1 })),
        call(5, "memory_write", &json!({ "file": "", "content": [], "base_revision": "zz" })),
        format!("[{},7]", request(6, "ping", &json!({}))),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": [] }).to_string(),
    ]);
    (whole, any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ -~é]{0,3}").prop_map(
        |(line, from, to, by)| {
            let (from, to) = (from.index(line.len()), to.index(line.len()).min(20));
            let end = (from + to % 4).min(line.len());
            format!("{}{by}{}", &line[..from], &line[end..])
        },
    )
}

#[test]
fn no_line_takes_the_server_down() {
    let sandbox = with_memory();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let lines = prop::collection::vec(nearly_a_message(), 40);
    let outcome = runner.run(&lines, |mut lines| {
        lines.push(request(99, "ping", &json!({})));
        let output = sandbox.line(SERVER).stdin(lines.join("\n") + "\n").succeeds().stdout();
        let answers = messages(&output);
        prop_assert!(answers.iter().any(|answer| answer["id"] == 99), "{}", output);
        let all = answers.iter().flat_map(|answer| answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]));
        for answer in all {
            let is_whole = answer["jsonrpc"] == "2.0" && answer["result"].is_object() != answer["error"].is_object();
            prop_assert!(is_whole, "{}", answer);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    sandbox.holds("memory/x.json", "{\"n\": 1}\n");
}

#[test]
fn a_version_that_is_not_known_is_refused_with_those_that_are() {
    let sandbox = with_memory();
    let asked = |version: &str| json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": version } });
    let lines = [request(1, "tools/list", &asked("2026-07-28")), request(2, "tools/list", &asked("2099-01-01"))];
    let answers = session(&sandbox, SERVER, &lines);
    assert!(answers[&1]["result"]["tools"].is_array());
    assert_eq!(answers[&2]["error"]["code"], -32022);
    assert_eq!(answers[&2]["error"]["data"]["requested"], "2099-01-01");
    assert_eq!(answers[&2]["error"]["data"]["supported"][0], "2026-07-28");
}

#[test]
fn every_answer_of_a_tool_conforms_to_its_declared_schema() {
    let sandbox = with_memory();
    let tools = session(&sandbox, SERVER, &[request(1, "tools/list", &json!({}))])[&1]["result"]["tools"].clone();
    let file = json!({ "file": "x.json" });
    let with = |more: Value| {
        let mut arguments = file.clone();
        let more = more.as_object().expect("an object").clone();
        arguments.as_object_mut().expect("an object").extend(more);
        arguments
    };
    let calls = [
        ("memory_list", json!({})),
        ("memory_read", file.clone()),
        ("memory_update", with(json!({ "filter": ".n += 1" }))),
        ("memory_update", with(json!({ "filter": ".n += 1", "dry_run": true }))),
        ("memory_append", with(json!({ "path": ".a", "value": null }))),
        ("memory_restore", file.clone()),
        ("memory_write", json!({ "file": "new.json", "content": "{}" })),
    ];
    for (name, arguments) in calls {
        let result = one(&sandbox, SERVER, name, &arguments);
        let tool = tools.as_array().expect("tools").iter().find(|tool| tool["name"] == name).expect("the tool");
        for (schema, document) in [("outputSchema", &result["structuredContent"]), ("inputSchema", &arguments)] {
            sandbox.write("schema.json", tool[schema].to_string());
            let check = ["atomic-write", "document.json", "--schema", "schema.json"];
            sandbox.call(check).stdin(document.to_string()).succeeds();
        }
    }
}

#[test]
fn files_are_resources_that_are_listed_and_read() {
    let sandbox = with_memory();
    sandbox.write("memory/log.jsonl", "1\n2\n");
    let answers = session(&sandbox, SERVER, &[request(1, "resources/list", &json!({}))]);
    let listed = answers[&1]["result"]["resources"].as_array().expect("resources").clone();
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (resource, (name, text)) in listed.iter().zip([("log.jsonl", "1\n2\n"), ("x.json", "{\"n\": 1}\n")]) {
        assert!(resource["name"].as_str().is_some_and(|told| told.ends_with(name)), "{resource}");
        let ask = request(2, "resources/read", &json!({ "uri": resource["uri"] }));
        let read = &session(&sandbox, SERVER, &[ask])[&2]["result"]["contents"][0];
        assert_eq!((read["uri"].clone(), read["text"].as_str()), (resource["uri"].clone(), Some(text)), "{read}");
    }
    let missing = request(3, "resources/read", &json!({ "uri": "memory://nowhere.json" }));
    assert!(session(&sandbox, SERVER, &[missing])[&3]["error"]["code"].is_number());
}

#[test]
fn an_unfinished_line_is_reported_and_left_out() {
    let sandbox = with_memory();
    sandbox.write("memory/log.jsonl", "{\"id\":1}\n{\"id\":");
    let read = one(&sandbox, SERVER, "memory_read", &json!({ "file": "log.jsonl", "filter": ".id" }));
    assert_eq!(read["structuredContent"]["values"], json!([1]), "{read}");
    assert!(
        read["content"][0]["text"].as_str().is_some_and(|text| text.contains("the last line is unfinished")),
        "{read}"
    );
    let damaged = "{\"id\":\n{\"id\":2}\n";
    sandbox.write("memory/log.jsonl", damaged);
    refused(&one(&sandbox, SERVER, "memory_read", &json!({ "file": "log.jsonl" })), &["log.jsonl", "line 1"]);
    sandbox.holds("memory/log.jsonl", damaged);
}

#[test]
fn json_lines_are_read_one_by_one_and_changed_as_a_list() {
    let sandbox = with_memory();
    sandbox.write("memory/log.jsonl", "{\"id\":1}\n{\"id\":2}\n");
    let ask = |tool: &str, more: Value| {
        let mut arguments = json!({ "file": "log.jsonl" });
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        one(&sandbox, SERVER, tool, &arguments)
    };
    assert_eq!(ask("memory_read", json!({ "filter": ".id" }))["structuredContent"]["values"], json!([1, 2]));
    let appended = ask("memory_append", json!({ "path": ".", "value": { "id": 3 } }));
    let now = sandbox.line("memory-read memory/log.jsonl --revision").succeeds().stdout();
    assert_eq!(appended["structuredContent"]["revision"], now.trim(), "{appended}");
    sandbox.holds("memory/log.jsonl", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    ask("memory_update", json!({ "filter": "map(select(.id != 2))" }));
    sandbox.holds("memory/log.jsonl", "{\"id\":1}\n{\"id\":3}\n");
    one(&sandbox, SERVER, "memory_append", &json!({ "file": "new.jsonl", "path": ".", "value": 1 }));
    sandbox.holds("memory/new.jsonl", "1\n");
}
