//! MCP in both eras, through real sockets, and what hostile clients try.

use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, request, within};
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MORE: &[&str] = &[
    "chain: typed\ninput: {type: object, properties: {n: {type: integer}}, required: [n]}\n\
     returns: {type: object, properties: {twice: {type: integer}}, required: [twice]}\noutput: {twice: '${input.n * 2}'}\n",
    "chain: stepped\nstream: s\nlinks:\n  s: {kind: native, call: steps, with: {}}\noutput: ${s}\n",
    "chain: picture\nmcp: {content: true}\noutput: {content: [{type: image, data: aGk=, mimeType: image/png}]}\n",
    "chain: misshapen\nmcp: {content: true}\noutput: {content: [{type: image, secret: 'in here'}]}\n",
    "chain: ask_nicely\nmcp: {as: prompt}\ninput: {type: object, properties: {tone: {enum: [warm, wry, cold]}}, required: [tone]}\noutput: 'Be ${input.tone}.'\n",
    "chain: notes\nmcp: {as: resource, uri: 'notes://all'}\noutput: all notes\n",
    "chain: note\nmcp: {as: resource, uri: 'notes://{id}', type: text/markdown}\ninput: {type: object, properties: {id: {type: string, maxLength: 9}}, required: [id]}\noutput: 'note ${input.id}'\n",
    "chain: dot\nmcp: {as: resource, uri: 'dot://png', type: image/png, content: true}\noutput: {blob: aGk=}\n",
    "chain: dots\nmcp: {as: resource, uri: 'dots://{n}', content: true}\ninput: {type: object, properties: {n: {type: string}}, required: [n]}\noutput: {contents: [{uri: 'dots://1', text: one}, {uri: 'dots://2', blob: aGk=}]}\n",
    "chain: exactly\nmcp: {as: resource, uri: 'dots://all'}\noutput: by its name\n",
    "chain: unseen\nmcp: {as: nothing}\noutput: unseen\n",
];
pub const META: &str = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}";

async fn open(more: &str, policy: &str) -> Doors {
    Doors::open_with(&format!("{WEB}mcp = true\n{more}"), policy, MORE, |_| ()).await.unwrap()
}

pub fn value(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

pub fn message(method: &str, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{params}}}")
}

/// A value on a path of members, as JSON.
pub fn at(reply: &Reply, path: &str) -> String {
    let json = reply.json();
    let found = path.split('.').try_fold(json, |value, key| match key.parse::<usize>() {
        Ok(index) => value.as_list()?.get(index).cloned(),
        Err(_) => value.get(key).cloned(),
    });
    found.map_or("nothing".into(), |value| to_string(&value))
}

impl Doors {
    pub async fn mcp(&self, key: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {key}");
        let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        self.ask("POST", "/mcp", &all, body).await
    }

    /// Without a session. `params` has no outer braces.
    pub async fn alone(&self, key: &str, method: &str, name: Option<&str>, params: &str) -> Reply {
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        let params = if params.is_empty() { format!("{{{META}}}") } else { format!("{{{params},{META}}}") };
        self.mcp(key, &headers, &message(method, &params)).await
    }

    /// The id of a new session.
    pub async fn session(&self, key: &str) -> String {
        let params = "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}";
        let begun = self.mcp(key, &[], &message("initialize", params)).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        begun.header("mcp-session-id").unwrap().to_string()
    }

    pub async fn within_session(&self, key: &str, session: &str, method: &str, params: &str) -> Reply {
        self.mcp(key, &[("mcp-session-id", session)], &message(method, params)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_are_tools_prompts_and_resources_in_both_eras() {
    let doors = open("", PERMIT_ALL).await;
    let key = doors.alice().await;
    let session = doors.session(&key).await;
    for stateless in [true, false] {
        let ask = async |method: &str, name: Option<&str>, params: &str| match stateless {
            true => doors.alone(&key, method, name, params).await,
            false => doors.within_session(&key, &session, method, &format!("{{{params}}}")).await,
        };
        let kept = |reply: &Reply| at(reply, "result.cacheScope") == "\"private\"";
        let tools = ask("tools/list", None, "").await;
        let list = tools.json();
        let list = list.get("result").and_then(|result| result.get("tools")?.as_list()).unwrap().clone();
        let names: Vec<&str> = list.iter().map(|tool| tool.get("name").unwrap().as_str().unwrap()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        assert!(
            !names.iter().any(|name| ["ask_nicely", "dot", "note", "notes", "unseen"].contains(name)),
            "{names:?}"
        );
        let tool = |wanted: &str| list.get(names.iter().position(|name| *name == wanted).unwrap()).unwrap();
        assert_eq!(kept(&tools), stateless);
        let greet = tool("greet");
        assert_eq!(greet.get("description").and_then(Value::as_str), Some("greets"));
        let schema = to_string(greet.get("inputSchema").unwrap());
        assert!(schema.contains("\"name\":{") && schema.contains("\"required\":[\"name\"]"), "{schema}");
        assert!(tool("echo").get("inputSchema").unwrap().get("properties").unwrap().get("input").is_some());
        assert!(tool("typed").get("outputSchema").is_some());

        let greeted =
            ask("tools/call", Some("greet"), "\"name\":\"greet\",\"arguments\":{\"name\":\"Ada\"}").await;
        assert_eq!(at(&greeted, "result.content.0.text"), "\"hello Ada\"", "{greeted:?}");
        assert_eq!(at(&greeted, "result.resultType") == "\"complete\"", stateless);
        let run =
            value(&at(&greeted, "result._meta")).get("ringmail/run").unwrap().as_str().unwrap().to_string();
        assert!(doors.record().contains(&run));
        let typed = ask("tools/call", Some("typed"), "\"name\":\"typed\",\"arguments\":{\"n\":4}").await;
        assert_eq!(at(&typed, "result.structuredContent"), "{\"twice\":8}");
        let echo = ask("tools/call", Some("echo"), "\"name\":\"echo\",\"arguments\":{\"input\":[1]}").await;
        assert_eq!(at(&echo, "result.content.0.text"), "\"[1]\"");
        let picture = ask("tools/call", Some("picture"), "\"name\":\"picture\"").await;
        assert_eq!(at(&picture, "result.content.0.mimeType"), "\"image/png\"");

        let prompts = ask("prompts/list", None, "").await;
        assert_eq!(at(&prompts, "result.prompts.0.arguments.0"), "{\"name\":\"tone\",\"required\":true}");
        let warm = ask(
            "prompts/get",
            Some("ask_nicely"),
            "\"name\":\"ask_nicely\",\"arguments\":{\"tone\":\"warm\"}",
        )
        .await;
        assert_eq!(at(&warm, "result.messages.0.content.text"), "\"Be warm.\"");
        let hot = ask(
            "prompts/get",
            Some("ask_nicely"),
            "\"name\":\"ask_nicely\",\"arguments\":{\"tone\":\"hot\"}",
        )
        .await;
        assert_eq!(at(&hot, "error.code"), "-32602", "{hot:?}");
        let argument = "\"argument\":{\"name\":\"tone\",\"value\":\"w\"}";
        let words = ask(
            "completion/complete",
            None,
            &format!("\"ref\":{{\"type\":\"ref/prompt\",\"name\":\"ask_nicely\"}},{argument}"),
        )
        .await;
        assert_eq!(at(&words, "result.completion.values"), "[\"warm\",\"wry\"]");

        let plain = ask("resources/list", None, "").await;
        assert_eq!(at(&plain, "result.resources.2.uri"), "\"notes://all\"", "{plain:?}");
        let templates = ask("resources/templates/list", None, "").await;
        assert_eq!(at(&templates, "result.resourceTemplates.1.uriTemplate"), "\"notes://{id}\"");
        let note = ask("resources/read", Some("notes://7"), "\"uri\":\"notes://7\"").await;
        assert_eq!(
            at(&note, "result.contents.0"),
            "{\"uri\":\"notes://7\",\"mimeType\":\"text/markdown\",\"text\":\"note 7\"}"
        );
        let unseen = ask("tools/call", Some("unseen"), "\"name\":\"unseen\"").await;
        assert_eq!(at(&unseen, "error.code"), "-32602", "{unseen:?}");
        let dots = ask("resources/read", Some("dots://2"), "\"uri\":\"dots://2\"").await;
        assert_eq!(at(&dots, "result.contents.1"), "{\"uri\":\"dots://2\",\"blob\":\"aGk=\"}", "{dots:?}");
        let exactly = ask("resources/read", Some("dots://all"), "\"uri\":\"dots://all\"").await;
        assert_eq!(at(&exactly, "result.contents.0.text"), "\"by its name\"", "{exactly:?}");
        let dot = ask("resources/read", Some("dot://png"), "\"uri\":\"dot://png\"").await;
        assert_eq!(at(&dot, "result.contents.0.blob"), "\"aGk=\"");
        let none = ask("resources/read", Some("no://where"), "\"uri\":\"no://where\"").await;
        assert_eq!(at(&none, "error.code"), if stateless { "-32602" } else { "-32002" });
        assert_eq!(at(&none, "error.data.uri"), "\"no://where\"");
    }
    let found = doors.alone(&key, "server/discover", None, "").await;
    assert_eq!(at(&found, "result.supportedVersions.0"), "\"2026-07-28\"", "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_whose_order_is_stable() {
    let more: Vec<String> = (0..300).map(|at| format!("chain: many_{at:03}\noutput: {at}\n")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let doors = Doors::open_with(&format!("{WEB}mcp = true\n"), PERMIT_ALL, &more, |_| ()).await.unwrap();
    let key = doors.alice().await;
    let first = doors.alone(&key, "tools/list", None, "").await;
    let cursor = at(&first, "result.nextCursor");
    let second = doors.alone(&key, "tools/list", None, &format!("\"cursor\":{cursor}")).await;
    let names = |reply: &Reply| -> Vec<String> {
        let json = reply.json();
        let list = json.get("result").and_then(|result| result.get("tools")?.as_list()).unwrap().clone();
        list.iter().map(|tool| tool.get("name").unwrap().as_str().unwrap().to_string()).collect()
    };
    let all = [names(&first), names(&second)].concat();
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert!(all.len() > 300 && names(&first).len() == 250 && all == sorted, "{} {all:?}", all.len());
    assert_eq!(at(&second, "result.nextCursor"), "nothing");
    let lost = doors.alone(&key, "tools/list", None, "\"cursor\":\"nowhere\"").await;
    assert_eq!(at(&lost, "error.code"), "-32602");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chain_says_on_its_way_is_progress_or_a_message() {
    let doors = open("", PERMIT_ALL).await;
    let key = doors.alice().await;
    let events = |reply: &Reply| -> Vec<Value> {
        assert_eq!(reply.header("content-type"), Some("text/event-stream"), "{reply:?}");
        reply.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(value).collect()
    };
    let accept = ("accept", "application/json, text/event-stream");
    let session = doors.session(&key).await;
    let call = "{\"name\":\"stepped\",\"_meta\":{\"progressToken\":\"t\"}}";
    let body = message("tools/call", call);
    let told = events(&doors.mcp(&key, &[("mcp-session-id", &session), accept], &body).await);
    assert_eq!(told.len(), 4, "{told:?}");
    let progress = told[1].get("params").unwrap();
    assert_eq!(to_string(progress), "{\"progressToken\":\"t\",\"progress\":2,\"message\":\"step 2\"}");
    assert!(told[3].get("result").is_some());
    // Nobody who did not ask for it is told, nor whoever takes no events.
    let quiet = message("tools/call", "{\"name\":\"stepped\"}");
    let reply = doors.mcp(&key, &[("mcp-session-id", &session), accept], &quiet).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let reply = doors.mcp(&key, &[("mcp-session-id", &session), ("accept", "application/json")], &body).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let level = doors.within_session(&key, &session, "logging/setLevel", "{\"level\":\"info\"}").await;
    assert_eq!(at(&level, "result"), "{}");
    let told = events(&doors.mcp(&key, &[("mcp-session-id", &session), accept], &quiet).await);
    let data = told[0].get("params").and_then(|params| params.get("data")).cloned();
    assert_eq!((told.len(), data), (4, Some(Value::from("step 1"))));
    doors.within_session(&key, &session, "logging/setLevel", "{\"level\":\"error\"}").await;
    let reply = doors.mcp(&key, &[("mcp-session-id", &session), accept], &quiet).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_that_is_cancelled_or_that_nobody_waits_for() {
    let doors = open("", PERMIT_ALL).await;
    let key = doors.alice().await;
    let session = doors.session(&key).await;
    let held = doors.within_session(&key, &session, "tools/call", "{\"name\":\"held\"}");
    let cancelling = async {
        doors.begun(1).await;
        let twice = doors.within_session(&key, &session, "ping", "{}").await;
        assert_eq!(at(&twice, "error.code"), "-32600", "{twice:?}");
        let body =
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}";
        assert_eq!(doors.mcp(&key, &[("mcp-session-id", &session)], body).await.status, 202);
    };
    let (held, ()) = within(async { tokio::join!(held, cancelling) }).await;
    assert!(at(&held, "result.content.0.text").contains("cancelled"), "{held:?}");

    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "held"),
    ];
    let body = message("tools/call", &format!("{{\"name\":\"held\",{META}}}"));
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(request("localhost", "POST", "/mcp", &headers, &body).as_bytes()).await.unwrap();
    doors.begun(2).await;
    drop(stream);
    // Nothing of it is under way any more, or draining would wait for it.
    assert_eq!(within(doors.server.drain()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_37_a_failed_tool_tells_no_cause() {
    let doors = open("", PERMIT_ALL).await;
    let key = doors.alice().await;
    let broken = doors.alone(&key, "tools/call", Some("broken"), "\"name\":\"broken\"").await;
    assert_eq!((broken.status, at(&broken, "result.isError").as_str()), (200, "true"));
    let text = at(&broken, "result.content.0.text");
    assert!(text.contains("the step failed (code native, id ") && !broken.body.contains("shadow"), "{text}");
    let wrong =
        doors.alone(&key, "tools/call", Some("greet"), "\"name\":\"greet\",\"arguments\":{\"nam\":1}").await;
    assert!(at(&wrong, "result.content.0.text").contains("the input does not fit: "), "{wrong:?}");
    let shapeless = doors.alone(&key, "tools/call", Some("misshapen"), "\"name\":\"misshapen\"").await;
    assert_eq!(at(&shapeless, "result.isError"), "true");
    assert!(!shapeless.body.contains("in here"), "{shapeless:?}");
    doors.doors_say("the output is not content").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_34_a_tool_that_is_not_for_a_caller_looks_like_none() {
    let policy = "permit (principal, action, resource == Ringmail::Chain::\"greet\");\n\
                  permit (principal == Ringmail::Principal::\"bot\", action, resource);\n";
    let doors = open("", policy).await;
    let key = doors.alice().await;
    let mut told = std::collections::BTreeSet::new();
    for name in
        ["who", "nothing", "greet ", "GREET", "../greet", "greet\\u0000", "ask_nicely", "", "gr\\u00e9et"]
    {
        let session = doors.session(&key).await;
        let call = format!("{{\"name\":\"{name}\",\"arguments\":{{}}}}");
        let reply = doors.within_session(&key, &session, "tools/call", &call).await;
        assert_eq!(at(&reply, "error.code"), "-32602", "{name} {reply:?}");
        told.insert(reply.body);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let tools = doors.alone(&key, "tools/list", None, "").await;
    assert!(tools.body.contains("greet") && !tools.body.contains("who"), "{tools:?}");
    let narrow = doors.key_of("bot", None, Some(&["echo"]));
    doors.known(&narrow).await;
    let tools = doors.alone(&narrow, "tools/list", None, "").await;
    assert!(tools.body.contains("echo") && !tools.body.contains("greet"), "{tools:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_34_a_head_that_says_something_else_than_its_message_is_turned_away() {
    let doors = open("origins = [\"https://app.example\"]\n", PERMIT_ALL).await;
    let key = doors.alice().await;
    let body =
        message("tools/call", &format!("{{\"name\":\"greet\",\"arguments\":{{\"name\":\"Ada\"}},{META}}}"));
    let good = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "greet")];
    assert_eq!(doors.mcp(&key, &good, &body).await.status, 200);
    let coded = [good[0], good[1], ("mcp-name", "=?base64?Z3JlZXQ=?=")];
    assert_eq!(doors.mcp(&key, &coded, &body).await.status, 200);
    for (place, value) in [
        (0, Some("2025-11-25")),
        (0, None),
        (1, Some("tools/list")),
        (1, Some("TOOLS/CALL")),
        (1, None),
        (2, Some("echo")),
        (2, Some("=?base64?Z3JlZXQ?=")),
        (2, None),
    ] {
        let mut headers = good.to_vec();
        match value {
            Some(value) => headers[place].1 = value,
            None => drop(headers.remove(place)),
        }
        let reply = doors.mcp(&key, &headers, &body).await;
        assert_eq!(
            (reply.status, at(&reply, "error.code").as_str()),
            (400, "-32020"),
            "{headers:?} {reply:?}"
        );
        let twice = [&good[..], &[(good[place].0, good[place].1)]].concat();
        let reply = doors.mcp(&key, &twice, &body).await;
        assert_eq!(at(&reply, "error.code"), "-32020", "{twice:?} {reply:?}");
    }
    let later = body.replace("2026-07-28", "2099-01-01");
    let reply = doors.mcp(&key, &[("mcp-protocol-version", "2099-01-01"), good[1], good[2]], &later).await;
    assert_eq!((reply.status, at(&reply, "error.data.requested").as_str()), (400, "\"2099-01-01\""));
    for (name, value, status) in
        [("origin", "https://evil.example", 403), ("origin", "null", 403), ("host", "evil.example", 421)]
    {
        let headers = [&good[..], &[(name, value)]].concat();
        assert_eq!(doors.mcp(&key, &headers, &body).await.status, status, "{name}: {value}");
    }
    let from_page = [&good[..], &[("origin", "https://app.example")]].concat();
    assert_eq!(doors.mcp(&key, &from_page, &body).await.status, 200);
    assert_eq!(doors.ask("POST", "/mcp", &[good[0]], &body).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_a_session_is_its_own_principals_alone() {
    let doors = open("", PERMIT_ALL).await;
    let alice = doors.alice().await;
    let bot = doors.key_of("bot", None, None);
    doors.known(&bot).await;
    let session = doors.session(&alice).await;
    assert!(session.len() == 64 && session != doors.session(&alice).await);
    let (theirs, none) = (
        doors.within_session(&bot, &session, "ping", "{}").await,
        doors.within_session(&bot, &"0".repeat(64), "ping", "{}").await,
    );
    assert_eq!((theirs.status, &theirs.body), (404, &none.body));
    let bearer = format!("Bearer {bot}");
    let end = [("authorization", bearer.as_str()), ("mcp-session-id", &session)];
    assert_eq!(doors.ask("DELETE", "/mcp", &end, "").await.status, 404);
    let body = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}";
    assert_eq!(doors.mcp(&bot, &[("mcp-session-id", &session)], body).await.status, 404);
    assert_eq!(doors.within_session(&alice, &session, "ping", "{}").await.status, 200);
    let other = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2024-11-05")];
    assert_eq!(doors.mcp(&alice, &other, &message("ping", "{}")).await.status, 400);
    let bearer = format!("Bearer {alice}");
    let end = [("authorization", bearer.as_str()), ("mcp-session-id", &session)];
    assert_eq!(doors.ask("DELETE", "/mcp", &end, "").await.status, 204);
    assert_eq!(doors.within_session(&alice, &session, "ping", "{}").await.status, 404);
    assert_eq!(doors.mcp(&alice, &[], &message("ping", "{}")).await.status, 400);
    // However many one begins, only its own newest ones are kept.
    let kept = doors.session(&bot).await;
    let first = doors.session(&alice).await;
    for _ in 0..64 {
        doors.session(&alice).await;
    }
    assert_eq!(doors.within_session(&alice, &first, "ping", "{}").await.status, 404);
    assert_eq!(doors.within_session(&bot, &kept, "ping", "{}").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_29_what_is_no_message_is_told_so() {
    let doors = open("[server]\nbody = \"4MiB\"\n", PERMIT_ALL).await;
    let key = doors.alice().await;
    let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"ping\"}}", "x".repeat(1 << 20));
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"a\":{}{}}}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let named = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}", "x".repeat(1 << 20));
    for (body, code) in [
        ("", "-32700"),
        ("nonsense", "-32700"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", "-32700"),
        (&deep, "-32700"),
        ("[]", "-32600"),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "-32600"),
        ("{\"id\":1,\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "-32600"),
        (&long, "-32600"),
        (&named, "-32600"),
    ] {
        let reply = doors.mcp(&key, &[], body).await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!((reply.status, at(&reply, "error.code").as_str()), (400, code), "{shown} {reply:?}");
        assert!(reply.body.len() < 600, "{shown}");
    }
    let bearer = format!("Bearer {key}");
    let text = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    assert_eq!(doors.ask("POST", "/mcp", &text, &message("ping", "{}")).await.status, 415);
    let session = doors.session(&key).await;
    let unknown = doors.within_session(&key, &session, "no/method", "{}").await;
    assert_eq!((unknown.status, at(&unknown, "error.code").as_str()), (200, "-32601"));
    let unknown = doors.alone(&key, "initialize", None, "").await;
    assert_eq!((unknown.status, at(&unknown, "error.code").as_str()), (404, "-32601"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_every_message_counts() {
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 5\nwithin = \"1h\"\n";
    let doors = open(rate, PERMIT_ALL).await;
    let key = doors.alice().await;
    let session = doors.session(&key).await;
    let note = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    let head = [("mcp-session-id", session.as_str())];
    assert_eq!(doors.mcp(&key, &head, note).await.status, 202);
    assert_eq!(doors.within_session(&key, &session, "ping", "{}").await.status, 200);
    assert_eq!(doors.within_session(&key, &session, "tools/call", "{\"name\":\"none\"}").await.status, 200);
    assert_eq!(doors.within_session(&key, &session, "tools/call", "{\"name\":\"who\"}").await.status, 200);
    for (method, params) in
        [("ping", "{}"), ("tools/call", "{\"name\":\"who\"}"), ("tools/call", "{\"name\":\"no\"}")]
    {
        let reply = doors.within_session(&key, &session, method, params).await;
        assert_eq!((reply.status, at(&reply, "error.data.code").as_str()), (429, "\"too-many-calls\""));
    }
    assert_eq!(doors.mcp(&key, &head, note).await.status, 429);
    doors.doors_say("MCP tools/call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_the_stream_it_opened() {
    let doors = open("", PERMIT_ALL).await;
    let key = doors.alice().await;
    let session = doors.session(&key).await;
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("mcp-session-id", &session),
    ];
    let body = message("tools/call", "{\"name\":\"held\"}");
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(request("localhost", "POST", "/mcp", &headers, &body).as_bytes()).await.unwrap();
    doors.begun(1).await;
    doors.keys.revoke(&key, 2).unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("cancelled"));
}
