//! Sessions with servers behind HTTP: forgotten ones, those that end, and what messages carry in their heads.

use super::{bench, web};
use crate::server::{Server, answer, serve};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One more server, with these keys.
fn lost(server: &Server, path: &str, keys: &str) -> String {
    format!(
        "[upstream.lost]\nurl = \"{}\"\n{keys}\n[[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{{ upstream = \"lost\", tools = [\"*\"], trusted = [] }}]\n",
        server.url(path)
    )
}

fn count(server: &Server, what: &str) -> usize {
    server.requests().iter().filter(|request| request.contains(what)).count()
}

/// Answers as the server with sessions does, and 404 to those calls of tools that `forgets` names by their numbers.
async fn forgetful(forgets: fn(usize) -> bool) -> Server {
    let calls = AtomicUsize::new(0);
    let answered = move |request: &str| match request.contains("\"tools/call\"") {
        true if forgets(calls.fetch_add(1, Ordering::Relaxed)) => answer(404, "", b""),
        _ => web::web(request),
    };
    serve(answered).await
}

#[tokio::test]
async fn a_call_in_a_session_that_was_forgotten_is_made_in_a_new_one() {
    let server = forgetful(|call| call == 1).await;
    let bench = bench("", &lost(&server, "/old", "")).await;
    for v in 1..=3 {
        bench.check("lost/echo", &format!("{{\"v\": {v}}}"), &format!("echo {{\\\"v\\\":{v}}}")).await;
    }
    assert_eq!((count(&server, "\"initialize\""), count(&server, "\"tools/call\"")), (2, 4));
}

#[tokio::test]
async fn a_server_that_forgets_every_session_is_asked_twice_and_no_more() {
    let server = forgetful(|_| true).await;
    let bench = bench("", &lost(&server, "/old", "")).await;
    bench.check("lost/echo", "{\"v\": 1}", "unavailable: the server knows the session no longer").await;
    assert_eq!((count(&server, "\"initialize\""), count(&server, "\"tools/call\"")), (2, 2));
}

/// A call that the server may have taken is not made again.
#[tokio::test]
async fn a_call_that_failed_otherwise_is_made_once() {
    let broken = |request: &str| match request.contains("\"tools/call\"") {
        true => answer(500, "", b""),
        false => web::web(request),
    };
    let server = serve(broken).await;
    let bench = bench("", &lost(&server, "/old", "")).await;
    bench.check("lost/echo", "{\"v\": 1}", "the server answered 500").await;
    assert_eq!(count(&server, "\"tools/call\""), 1);
}

#[tokio::test]
async fn a_server_hears_that_a_session_has_ended() {
    let server = serve(web::web).await;
    let bench = bench("", &lost(&server, "/old", "idle = \"20ms\"")).await;
    bench.check("lost/echo", "{\"v\": 1}", "echo").await;
    let told = async {
        loop {
            let all = server.requests();
            let found = all.into_iter().find(|request| request.starts_with("DELETE /old "));
            match found {
                Some(request) => return request.to_ascii_lowercase(),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    for line in ["mcp-session-id: s-1", "mcp-protocol-version: 2025-11-25"] {
        assert!(told.contains(&format!("\r\n{line}\r\n")), "{told}");
    }
}

/// What a server offers is asked for again when it says, on the way of a call, that it is something else.
#[tokio::test]
async fn a_change_that_is_told_with_an_answer_is_looked_at() {
    let server = serve(web::web).await;
    let bench = bench("", &lost(&server, "/old", "")).await;
    for (tool, args, lists) in [
        ("echo", "{}", 1),
        ("echo", "{}", 1),
        ("turn", "{\"what\": \"words\"}", 1),
        ("echo", "{}", 2),
        ("echo", "{}", 2),
    ] {
        bench.check(&format!("lost/{tool}"), args, tool).await;
        assert_eq!(count(&server, "\"tools/list\""), lists, "{tool}");
    }
}

#[tokio::test]
async fn a_server_that_rejects_a_version_is_asked_once_more() {
    let asked = AtomicUsize::new(0);
    let picky = move |request: &str| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => {
            let error = "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2026-07-28\"]}}}";
            answer(400, "content-type: application/json\r\n", error.as_bytes())
        }
        _ => web::web(request),
    };
    let server = serve(picky).await;
    let bench = bench("", &lost(&server, "/mcp", "")).await;
    bench.check("lost/echo", "{\"v\": 1}", "echo").await;
    assert_eq!((count(&server, "server/discover"), count(&server, "\"initialize\"")), (2, 0));
}

/// What stands in a head was an argument, and ends no line of it.
#[tokio::test]
async fn attack_34_arguments_in_heads_stay_one_value() {
    let bench = bench("", "").await;
    let args = "{\"region\": \"us west\", \"text\": \"a\\r\\nx-evil: 1\", \"count\": 7, \"sure\": true, \"other\": \"o\"}";
    bench.check("web/heads", args, "heads").await;
    let heads = |what: &str| {
        let asked = bench.server.requests();
        let asked = asked.iter().rfind(|request| request.contains(what)).unwrap();
        asked.split("\r\n\r\n").next().unwrap().to_string()
    };
    let head = heads("\"tools/call\"");
    for line in [
        "mcp-param-region: us west",
        "mcp-param-text: =?base64?YQ0KeC1ldmlsOiAx?=",
        "mcp-param-count: 7",
        "mcp-param-sure: true",
    ] {
        assert!(head.contains(&format!("\r\n{line}")), "{line}: {head}");
    }
    assert!(!head.contains("x-evil") && !head.contains("mcp-param-other"), "{head}");
    bench.check("web/heads", "{\"text\": \" é \"}", "heads").await;
    let head = heads("\"tools/call\"");
    assert!(
        head.contains("mcp-param-text: =?base64?IMOpIA==?=") && !head.contains("mcp-param-region"),
        "{head}"
    );
    // Servers with sessions know of no such thing.
    bench.check("old/heads", "{\"region\": \"x\"}", "heads").await;
    assert!(!heads("\"tools/call\"").contains("mcp-param"), "{head}");
}
