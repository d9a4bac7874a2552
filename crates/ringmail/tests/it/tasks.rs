//! Tasks of clients of MCP whose server ended before them.

use crate::mcp::{Client, json, printed};
use crate::serve::{Serving, key_of, project};
use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::to_string;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const META: &str = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}";
const WHO: &str = "{kind: ask, with: {message: who?, schema: {type: object, properties: {name: {type: string}}, required: [name]}}}";

fn place() -> Place {
    let place = project();
    let text = place.read("ringmail.toml");
    place.write("ringmail.toml", &text.replace("127.0.0.1:0\"\n", "127.0.0.1:0\"\nmcp = true\n"));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write(
        "chains/named.yaml",
        &format!("chain: named\nlinks:\n  who: {WHO}\noutput: 'hello ${{who.name}}'\n"),
    );
    place.write(
        "chains/pauses.yaml",
        "chain: pauses\nlinks:\n  p: {kind: wait, with: {for: 1ms}}\noutput: waited\n",
    );
    place
}

fn request(method: &str, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{{{params},{META}}}}}")
}

/// A client of either transport, by what it says and hears.
type Says<'c> = dyn FnMut(&str, &str, &str) -> Value + 'c;

fn over_http<'c>(url: &'c str, key: &'c str) -> impl FnMut(&str, &str, &str) -> Value + 'c {
    move |method, name, params| {
        let mut stream = TcpStream::connect(url.split("://").last().unwrap()).unwrap();
        let body = request(method, params);
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\nmcp-name: {name}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        json(answer.split_once("\r\n\r\n").unwrap().1)
    }
}

fn at(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value.clone(), |value, key| value.get(key).cloned());
    found.map_or_else(
        || to_string(value),
        |found| found.as_str().map_or_else(|| to_string(&found), Into::into),
    )
}

fn task(says: &mut Says<'_>, tool: &str) -> String {
    at(&says("tools/call", tool, &format!("\"name\":\"{tool}\"")), "result.taskId")
}

fn until(says: &mut Says<'_>, id: &str, status: &str) -> Value {
    for _ in 0..2_000 {
        let seen = says("tasks/get", id, &format!("\"taskId\":\"{id}\""));
        match at(&seen, "result.status") {
            now if now == status => return seen,
            now => assert_eq!(now, "working", "{status}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{id} never was {status}");
}

fn answer(says: &mut Says<'_>, id: &str, name: &str) {
    let seen = says("tasks/get", id, &format!("\"taskId\":\"{id}\""));
    let asked = seen.get("result").and_then(|result| result.get("inputRequests")?.as_map()).unwrap();
    let key = asked.iter().next().unwrap().0.to_string();
    let answers = format!("{{\"{key}\":{{\"action\":\"accept\",\"content\":{{\"name\":\"{name}\"}}}}}}");
    let told = says("tasks/update", id, &format!("\"taskId\":\"{id}\",\"inputResponses\":{answers}"));
    assert_eq!(at(&told, "result.resultType"), "complete", "{told:?}");
}

fn text(seen: &Value) -> String {
    let content = seen
        .get("result")
        .and_then(|result| result.get("result")?.get("content")?.as_list()?.get(0).cloned());
    at(&content.unwrap(), "text")
}

/// What was begun before a kill asks once more after it, and what had ended is told of as it was.
#[test]
fn attack_42_a_task_is_found_again_when_its_server_was_killed() {
    let place = place();
    let (key, other) = (key_of(&place, "me"), key_of(&place, "other"));
    let serving = Serving::start(&place, 1);
    let mut says = over_http(&serving.urls[0], &key);
    let (asks, over) = (task(&mut says, "named"), task(&mut says, "pauses"));
    until(&mut says, &asks, "input_required");
    let told = text(&until(&mut says, &over, "completed"));
    serving.signal("KILL");
    drop(says);
    drop(serving);
    // The same person at a pipe is another caller: its server leaves what came over HTTP to those who serve that.
    let mut client = Client::start(&printed(&place, &["mcp", "--config"]));
    let mut theirs = |method: &str, _: &str, params: &str| client.ask(&request(method, params));
    let own = task(&mut theirs, "pauses");
    until(&mut theirs, &own, "completed");
    assert_eq!(at(&theirs("tasks/get", "", &format!("\"taskId\":\"{asks}\"")), "error.code"), "-32602");
    client.ends();
    let mut serving = Serving::start(&place, 1);
    serving.says("going on with 1 runs");
    let mut theirs = over_http(&serving.urls[0], &other);
    for id in [&asks, &over] {
        let seen = theirs("tasks/get", id, &format!("\"taskId\":\"{id}\""));
        assert_eq!(at(&seen, "error.code"), "-32602", "{seen:?}");
    }
    let mut says = over_http(&serving.urls[0], &key);
    assert_eq!(text(&until(&mut says, &over, "completed")), told);
    until(&mut says, &asks, "input_required");
    answer(&mut says, &asks, "Ada");
    assert_eq!(text(&until(&mut says, &asks, "completed")), "hello Ada");
}

/// The same where a client starts its server anew.
#[test]
fn a_client_finds_its_tasks_when_it_starts_its_server_anew() {
    let place = place();
    let config = printed(&place, &["mcp", "--config"]);
    let mut client = Client::start(&config);
    let mut says = |method: &str, _: &str, params: &str| client.ask(&request(method, params));
    let (asks, over) = (task(&mut says, "named"), task(&mut says, "pauses"));
    until(&mut says, &asks, "input_required");
    let told = text(&until(&mut says, &over, "completed"));
    drop(client);
    let mut client = Client::start(&config);
    let mut says = |method: &str, _: &str, params: &str| client.ask(&request(method, params));
    assert_eq!(text(&until(&mut says, &over, "completed")), told);
    until(&mut says, &asks, "input_required");
    answer(&mut says, &asks, "Ada");
    assert_eq!(text(&until(&mut says, &asks, "completed")), "hello Ada");
    for (method, params) in [
        ("tasks/get", "\"taskId\":7"),
        ("tasks/update", "\"task\":\"x\""),
        ("tasks/cancel", "\"taskId\":[]"),
        ("tasks/get", "\"taskId\":\"\""),
    ] {
        assert_eq!(at(&says(method, "", params), "error.code"), "-32602", "{method} {params}");
    }
    // One that closes its side leaves what waits for whoever comes after it.
    let asks = task(&mut says, "named");
    until(&mut says, &asks, "input_required");
    client.ends();
    let mut client = Client::start(&config);
    let mut says = |method: &str, _: &str, params: &str| client.ask(&request(method, params));
    until(&mut says, &asks, "input_required");
    answer(&mut says, &asks, "Bob");
    assert_eq!(text(&until(&mut says, &asks, "completed")), "hello Bob");
}

/// What a task asks by now, once it asks so much: names of answers with the texts of their questions.
fn asked(says: &mut Says<'_>, id: &str, count: usize) -> Vec<(String, String)> {
    for _ in 0..2_000 {
        let seen = says("tasks/get", id, &format!("\"taskId\":\"{id}\""));
        let all = seen.get("result").and_then(|result| result.get("inputRequests")?.as_map()).cloned();
        let all: Vec<_> = all.iter().flat_map(|all| all.iter()).collect();
        if all.len() == count {
            let mut all: Vec<_> =
                all.iter().map(|(key, of)| (key.to_string(), at(of, "params.message"))).collect();
            all.sort();
            return all;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{id} never asked so much");
}

/// Names of questions began anew with each process, and whichever was asked first got the first: a yes to one payment, brought
/// to the next process, made another.
#[test]
fn attack_42_an_answer_is_for_one_question_whichever_process_asks_it() {
    let place = place();
    place.write(
        "chains/pays.yaml",
        "chain: pays\nlinks:\n  e: {kind: each, over: '[[\"400ms\", \"Mallory\"], [\"1ms\", \"Bob\"]]', at_most: 2, parallel: 2, do: {links: {w: {kind: wait, with: {for: '${item[0]}'}}, yes: {kind: approve, reason: pays, after: [w], with: {value: '${item[1]}'}}}, output: '${yes}'}}\noutput: '${e}'\n",
    );
    let key = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let mut says = over_http(&serving.urls[0], &key);
    let id = task(&mut says, "pays");
    let before = asked(&mut says, &id, 2);
    serving.signal("KILL");
    drop(says);
    drop(serving);
    let serving = Serving::start(&place, 1);
    let mut says = over_http(&serving.urls[0], &key);
    assert_eq!(asked(&mut says, &id, 2), before);
    let of = |who: &str| before.iter().find(|(_, message)| message.contains(who)).unwrap().0.clone();
    let yes = "{\"action\":\"accept\",\"content\":{\"approve\":true}}";
    let answers = format!("\"taskId\":\"{id}\",\"inputResponses\":{{\"{}\":{yes}}}", of("Bob"));
    says("tasks/update", &id, &answers);
    let rest = asked(&mut says, &id, 1);
    assert!(rest[0].1.contains("Mallory"), "{rest:?}");
}
