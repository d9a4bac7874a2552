//! Calls of chains, whole, in pieces and later.

use crate::setup::{Doors, PERMIT_ALL, WEB, within};
use ringmail_engine::Value;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_a_key_is_answered_as_itself() {
    let doors = Doors::open(WEB).await;
    let key = doors.key_of("bot", Some("acme"), None);
    doors.known(&key).await;
    let reply = doors.post(&key, "greet", "{\"name\": \"Ada\"}").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "\"hello Ada\""));
    let run = reply.header("ringmail-run").unwrap();
    assert!(doors.record().contains(run));
    let who = doors.post(&key, "who", "").await.json();
    assert_eq!(who.get("principal"), Some(&Value::from("bot")));
    assert_eq!(who.get("tenant"), Some(&Value::from("acme")));
    assert_eq!(who.get("roles"), Some(&Value::list([Value::from("desk")])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_told_precisely() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    for (body, status, code, detail) in [
        ("{\"name\": 1e999}", 400, "invalid-json", "line 1, column"),
        ("{\"name\": \"a\", \"name\": \"b\"}", 400, "invalid-json", "twice"),
        ("{\"nam\": \"Ada\"}", 400, "invalid-input", "nam"),
        ("{\"name\": \"much too long\"}", 400, "invalid-input", "name"),
    ] {
        let reply = doors.post(&key, "greet", body).await;
        let told = reply.json();
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{body}");
        let detail_told = told.get("detail").and_then(Value::as_str).unwrap();
        assert!(detail_told.contains(detail), "{body}: {detail_told}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    let bearer = format!("Bearer {key}");
    for (headers, status) in [
        (vec![("authorization", bearer.as_str())], 415),
        (vec![("authorization", &bearer), ("content-type", "text/plain")], 415),
        (
            vec![
                ("authorization", &bearer),
                ("content-type", "application/json"),
                ("content-encoding", "gzip"),
            ],
            415,
        ),
    ] {
        assert_eq!(doors.ask("POST", "/chains/greet", &headers, "{}").await.status, status);
    }
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("PUT", "/chains/greet", 405),
        ("POST", "/openapi.json", 405),
        ("GET", "/chains/none", 404),
    ] {
        assert_eq!(doors.ask(method, path, &[("authorization", &bearer)], "").await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_the_caller_may_call_and_nothing_else() {
    let policy = "permit (principal, action, resource == Ringmail::Chain::\"greet\");\n\
                  permit (principal == Ringmail::Principal::\"bot\", action, resource == Ringmail::Chain::\"who\");\n\
                  permit (principal, action, resource == Ringmail::Chain::\"echo\");\n\
                  permit (principal == Ringmail::Principal::\"other\", action, resource);\n\
                  forbid (principal == Ringmail::Principal::\"alice\", action, resource == Ringmail::Chain::\"echo\");\n";
    let doors = Doors::with_policy(WEB, policy).await;
    let (alice, bot) = (doors.alice().await, doors.key_of("bot", None, None));
    let narrow = doors.key_of("bot", None, Some(&["who"]));
    doors.known(&narrow).await;
    let names = |reply: crate::setup::Reply| -> Vec<String> {
        let json = reply.json();
        let list = json.get("chains").and_then(Value::as_list).unwrap().clone();
        list.iter().map(|chain| chain.get("name").and_then(Value::as_str).unwrap().to_string()).collect()
    };
    assert_eq!(names(doors.get(&alice, "/chains").await), ["greet"]);
    assert_eq!(names(doors.get(&bot, "/chains").await), ["echo", "greet", "who"]);
    assert_eq!(names(doors.get(&narrow, "/chains").await), ["who"]);
    let openapi = doors.get(&alice, "/openapi.json").await.json();
    assert_eq!(openapi.get("openapi"), Some(&Value::from("3.1.0")));
    let paths: Vec<String> = openapi
        .get("paths")
        .and_then(Value::as_map)
        .unwrap()
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(paths, ["/chains/greet", "/runs/{run}"]);
    assert_eq!(doors.get(&bot, "/chains/who/openapi.json").await.status, 200);
    assert_eq!(doors.get(&alice, "/chains/who/openapi.json").await.status, 404);

    // What may never be called looks like what is not there.
    for way in [("prefer", "respond-async"), ("accept", "text/event-stream")] {
        let (hidden, missing) = (
            doors.post_with(&alice, "who", &[way], "").await,
            doors.post_with(&alice, "none", &[way], "").await,
        );
        assert_eq!((hidden.status, missing.status), (404, 404));
        let names = |reply: &crate::setup::Reply| -> Vec<String> {
            reply.head.lines().filter_map(|line| Some(line.split_once(':')?.0.to_string())).collect()
        };
        assert_eq!(names(&hidden), names(&missing));
    }
    let mut hidden = doors.post(&alice, "who", "").await;
    let mut missing = doors.post(&alice, "none", "").await;
    for reply in [&mut hidden, &mut missing] {
        assert_eq!(reply.status, 404);
        let id = reply.json().get("id").and_then(Value::as_str).unwrap().to_string();
        reply.body = reply.body.replace(&id, "ID");
    }
    assert_eq!(hidden.body, missing.body);
    assert_eq!(doors.post(&narrow, "greet", "{\"name\": \"a\"}").await.status, 404);
    assert_eq!(doors.post(&narrow, "who", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_come_as_events_and_whoever_stops_listening_ends_the_run() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let accept = [("accept", "text/event-stream")];
    let reply = doors.post_with(&key, "greet", &accept, "{\"name\": \"Ada\"}").await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert_eq!(reply.body, "event: output\ndata: \"hello Ada\"\n\n");
    let reply = doors.post_with(&key, "broken", &accept, "").await;
    assert!(reply.body.starts_with("event: problem\n") && !reply.body.contains("shadow"), "{reply:?}");

    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), accept[0]];
    let text = crate::setup::request(doors.address(), "POST", "/chains/held", &headers, "");
    let mut stream = tokio::net::TcpStream::connect(doors.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
    doors.begun(1).await;
    drop(stream);
    within(async {
        while !doors.record().contains("cancelled") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_begun_polled_and_cancelled_by_its_owner_alone() {
    let doors = Doors::open(WEB).await;
    let (alice, bob) = (doors.alice().await, doors.key_of("bob", None, None));
    doors.known(&bob).await;
    let later = [("prefer", "respond-async")];
    let reply = doors.post_with(&alice, "held", &later, "").await;
    assert_eq!(reply.status, 202);
    let place = reply.header("location").unwrap().to_string();
    let state =
        |reply: crate::setup::Reply| reply.json().get("state").and_then(Value::as_str).unwrap().to_string();
    assert_eq!(state(doors.get(&alice, &place).await), "running");
    assert_eq!(doors.get(&bob, &place).await.status, 404);
    let bearer = format!("Bearer {bob}");
    assert_eq!(doors.ask("DELETE", &place, &[("authorization", &bearer)], "").await.status, 404);
    doors.begun(1).await;
    doors.go.notify_one();
    let ended = async |place: &str| {
        within(async {
            loop {
                let reply = doors.get(&alice, place).await;
                if state(reply.clone()) != "running" {
                    return reply.json();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    };
    assert_eq!(ended(&place).await.get("output"), Some(&Value::from("let go")));

    let place = doors.post_with(&alice, "held", &later, "").await.header("location").unwrap().to_string();
    let bearer = format!("Bearer {alice}");
    assert_eq!(doors.ask("DELETE", &place, &[("authorization", &bearer)], "").await.status, 202);
    let problem = ended(&place).await.get("problem").cloned().unwrap();
    assert_eq!(problem.get("code"), Some(&Value::from("cancelled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_all_or_nothing_and_drops_no_call() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let (address, go) = (doors.address().to_string(), doors.go.clone());
    let under_way = tokio::spawn({
        let bearer = format!("Bearer {key}");
        let text = crate::setup::request(&address, "POST", "/chains/held", &[("authorization", &bearer)], "");
        let address = address.clone();
        async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.unwrap();
            crate::setup::Reply::read(&answer)
        }
    });
    doors.begun(1).await;
    // A policy that is none, a chain that does not load, a listener that cannot be opened: nothing changes.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("{WEB}[listener.b]\nkind = \"http\"\nbind = \"{}\"\n", taken.local_addr().unwrap());
    for (project, policy, more) in [
        (WEB, "permit (principal;", vec![]),
        (WEB, PERMIT_ALL, vec!["chain: new\noutput: ${nothing}\n"]),
        (&taken, PERMIT_ALL, vec!["chain: new\noutput: 1\n"]),
    ] {
        assert!(doors.reload(project, policy, &more).await.is_err());
        assert_eq!(doors.post(&key, "new", "").await.status, 404);
        assert_eq!(doors.post(&key, "who", "").await.status, 200);
    }
    doors.reload(WEB, PERMIT_ALL, &["chain: new\noutput: 1\n"]).await.unwrap();
    assert_eq!(doors.address(), address);
    assert_eq!(doors.post(&key, "new", "").await.body, "1");
    // One request at a time from now on; and what only a new start can change is not left unsaid.
    doors.reload(&format!("{WEB}[server]\nrequests = 1\nwaiting = 0\n"), PERMIT_ALL, &[]).await.unwrap();
    let second = tokio::spawn({
        let text = crate::setup::request(
            &address,
            "POST",
            "/chains/held",
            &[("authorization", &format!("Bearer {key}"))],
            "",
        );
        let address = address.clone();
        async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
            let _cut = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await;
        }
    });
    doors.begun(2).await;
    assert_eq!(doors.post(&key, "who", "").await.status, 503);
    let control =
        "[control]\nbind = \"127.0.0.1:0\"\ntls = { certificate = \"a\", key = \"b\", clients = \"c\" }\n";
    let why = doors.reload(&format!("{WEB}{control}"), PERMIT_ALL, &[]).await.unwrap_err();
    assert!(why.contains("started anew"), "{why}");
    second.abort();
    go.notify_waiters();
    assert_eq!(within(under_way).await.unwrap().body, "\"let go\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_lets_calls_end() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let held = doors.post(&key, "held", "");
    let ending = async {
        doors.begun(1).await;
        let drained = doors.server.drain();
        let letting_go = async {
            // Nothing new is let in by now.
            while tokio::net::TcpStream::connect(doors.address()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            doors.go.notify_one();
        };
        tokio::join!(drained, letting_go).0
    };
    let (reply, cut) = within(async { tokio::join!(held, ending) }).await;
    assert_eq!((reply.body.as_str(), cut), ("\"let go\"", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_waits_no_longer_than_it_may() {
    let doors = Doors::open(&format!("{WEB}[server]\ndrain = \"50ms\"\n")).await;
    let key = doors.alice().await;
    let held = doors.post(&key, "held", "");
    let ending = async {
        doors.begun(1).await;
        doors.server.drain().await
    };
    let (reply, cut) = within(async { tokio::join!(held, ending) }).await;
    assert_eq!((reply.status, cut), (0, 1));
}
