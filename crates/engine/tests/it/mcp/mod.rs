//! Links that call tools of servers of MCP: what passes, what is held back, and what becomes of servers that misbehave.

mod offers;
mod sessions;
pub mod web;

use crate::server::{Server, serve};
use crate::setup::{PERMIT_ALL, alice, json, shown};
use ringmail_engine::core::doc::Source;
use ringmail_engine::{Audit, Engine, HostKey, Principal, Report};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub const TOOLS: &str = include_str!("tools.json");
pub const MORE: &str = include_str!("more.json");

/// Puts the peer's program below `folder/peer`, and pins its tools.
pub fn peer(folder: &Path) {
    let own = folder.join("peer");
    std::fs::create_dir(&own).unwrap();
    // Commands run as whoever they are.
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(own.join("peer.py"), include_str!("peer.py")).unwrap();
    std::fs::write(own.join("tools.json"), TOOLS).unwrap();
    std::fs::write(own.join("more.json"), MORE).unwrap();
    let pins = MORE.replacen('{', &format!("{{\"tools\": {TOOLS},"), 1);
    std::fs::create_dir_all(folder.join("tools")).unwrap();
    for name in ["peer", "web", "old", "lost", "mute", "bare"] {
        std::fs::write(folder.join(format!("tools/{name}.json")), &pins).unwrap();
    }
}

struct Bench {
    engine: Engine,
    _folder: tempfile::TempDir,
    server: Server,
}

const GRANT: &str = "[[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [] }, { upstream = \"web\", tools = [\"*\"], trusted = [] }, { upstream = \"old\", tools = [\"*\"], trusted = [] }]\n";

/// One more server, which is started with these arguments.
fn also(name: &str, args: &str) -> String {
    format!(
        "[command.{name}]\nprogram = \"/usr/bin/python3\"\nargs = [\"{args}\"]\nmounts = [{{ mount = \"peer\", access = \"read\" }}]\n\
         [upstream.{name}]\ncommand = \"{name}\"\n\
         [[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{{ upstream = \"{name}\", tools = [\"*\"], trusted = [] }}]\n"
    )
}

async fn bench(peer_keys: &str, more: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    peer(path);
    let server = serve(web::web).await;
    let project = format!(
        "[mount.peer]\npath = \"peer\"\n[command.peer]\nprogram = \"/usr/bin/python3\"\nargs = [\"PEER\"]\nmounts = [{{ mount = \"peer\", access = \"read\" }}]\n[upstream.peer]\ncommand = \"peer\"\n{peer_keys}\n[upstream.web]\nurl = \"{}\"\n{peer_keys}\n[upstream.old]\nurl = \"{}\"\n{GRANT}{more}",
        server.url("/mcp"),
        server.url("/old"),
    );
    let program = path.join("peer/peer.py").canonicalize().unwrap().display().to_string();
    let project = project.replace("PEER", &program);
    let engine = Engine::builder()
        .project(Source::new("ringmail.toml", project), path)
        .policies(vec![Source::new("p.cedar", PERMIT_ALL)])
        .recorder(std::sync::Arc::new(Audit::open(&path.join("records"), &HostKey::ephemeral()).unwrap()))
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    Bench { engine, _folder: folder, server }
}

impl Bench {
    async fn as_who(&self, who: Principal, tool: &str, args: &str) -> Report {
        let text = format!(
            "chain: t\nlinks:\n  c: {{kind: tool, tool: {tool}, with: '${{input}}'}}\noutput: ${{c.text}}\n"
        );
        let chain = self.engine.load(&[Source::new("t.yaml", text)]).unwrap().remove(0);
        chain.request(json(args)).unwrap().principal(who).run().await
    }

    async fn call(&self, tool: &str, args: &str) -> String {
        shown(&self.as_who(alice(), tool, args).await)
    }

    async fn check(&self, tool: &str, args: &str, expected: &str) {
        let seen = self.call(tool, args).await;
        assert!(seen.contains(expected), "{tool} {args}: {seen}");
    }
}

#[tokio::test]
async fn a_tool_is_called_in_either_era_and_over_either_wire() {
    let bench = bench("", "").await;
    bench.check("peer/echo", "{\"v\": [1, \"é\"]}", "[1, \\\"\\\\u00e9\\\"]").await;
    bench.check("web/echo", "{\"v\": 1}", "echo {\\\"v\\\":1}").await;
    bench.check("old/echo", "{\"v\": 1}", "echo {\\\"v\\\":1}").await;
    // One session holds for the next call, and is greeted once.
    bench.check("old/echo", "{\"v\": 2}", "echo {\\\"v\\\":2}").await;
    let asked = bench.server.requests();
    let greeted = asked.iter().filter(|request| request.contains("\"initialize\"")).count();
    assert_eq!(greeted, 1, "{asked:#?}");
    let report = bench.as_who(alice(), "peer/echo", "{\"v\": 1}").await;
    let labels = format!("{:?}", report.labels());
    assert!(
        labels.contains("untrusted") && labels.contains("t.c"),
        "what a tool says is untrusted: {labels}"
    );
}

#[tokio::test]
async fn what_does_not_fit_goes_neither_out_nor_in() {
    let bench = bench("answer = \"10KiB\"\ntimeout = \"2s\"", "").await;
    bench.check("peer/slow", "{\"ms\": \"soon\"}", "invalid: the arguments does not fit").await;
    bench.check("peer/echo", "{\"v\": 1, \"w\": 1}", "invalid: the arguments").await;
    bench.check("peer/promise", "{\"n\": \"x\"}", "invalid: the answer").await;
    bench.check("peer/promise", "{}", "which its tool promises").await;
    bench.check("peer/promise", "{\"n\": 1}", "\"n\"").await;
    bench.check("peer/fail", "{\"v\": \"secret words\"}", "status: the tool says that it failed").await;
    bench.check("web/asks", "{}", "asks for more").await;
}

#[tokio::test]
async fn a_server_that_breaks_is_left_and_begun_anew() {
    let bench = bench("answer = \"10KiB\"\ntimeout = \"1s\"", "").await;
    let first = bench.call("peer/who", "{}").await;
    assert_eq!(bench.call("peer/who", "{}").await, first);
    for (tool, args, expected) in [
        ("peer/die", "{}", "unavailable: the server ended before it answered"),
        ("peer/big", "{\"bytes\": 20000}", "unavailable: the server ended"),
        ("peer/slow", "{\"ms\": 30000}", "timeout: the server did not answer within 1000 ms"),
        ("peer/noise", "{}", "unavailable: the server ended"),
    ] {
        bench.check(tool, args, expected).await;
        let next = bench.call("peer/who", "{}").await;
        assert!(next != first && next.parse::<i64>().is_err(), "{tool}: {next}");
    }
    // Who answers too much works.
    for _ in 0..6 {
        bench.check("web/big", "{\"bytes\": 20000}", "too-large: ").await;
    }
    bench.check("web/big", "{\"bytes\": 2}", "xx").await;
    // What fails again and again is left alone, and nothing else of the server is.
    for _ in 0..4 {
        bench.check("peer/die", "{}", "unavailable: the server ended").await;
    }
    bench.check("peer/die", "{}", "is left alone for").await;
    bench.check("peer/echo", "{\"v\": 1}", "1").await;
}

#[tokio::test]
async fn a_tool_that_turned_into_another_is_not_called() {
    for (what, say, expected) in [
        ("words", "true", "\"1\""),
        ("input", "true", "refused tool-changed"),
        ("gone", "true", "refused tool-changed"),
        // Who keeps quiet is found out at the next look.
        ("input", "false", "\"1\""),
    ] {
        let bench = bench("", "").await;
        bench.check("peer/turn", &format!("{{\"what\": \"{what}\", \"say\": {say}}}"), "turned").await;
        bench.check("peer/echo", "{\"v\": 1}", expected).await;
    }
}

/// Story: that the list had changed was forgotten when asking for it failed, and the tool was called as it had been.
#[tokio::test]
async fn a_change_is_not_forgotten_when_it_cannot_be_looked_at() {
    let bench = bench("", "").await;
    bench.check("peer/turn", "{\"what\": \"input\", \"say\": true, \"fail\": true}", "turned").await;
    bench.check("peer/echo", "{\"v\": 1}", "status: ").await;
    bench.check("peer/echo", "{\"v\": 1}", "refused tool-changed").await;
}

#[tokio::test]
async fn attack_22_a_list_of_tools_without_end_is_cut() {
    let bench = bench("", "").await;
    bench.check("peer/turn", "{\"what\": \"long\", \"say\": true}", "turned").await;
    bench.check("peer/echo", "{\"v\": 1}", "too-large: the list of tools is too long").await;
}

/// What a server says of its end may be of somebody's data once it has any, and a failure shows it to whoever reads logs.
#[tokio::test]
async fn last_words_are_told_of_a_server_that_knows_nothing_yet() {
    let bench = bench("", &also("lost", "nowhere.py")).await;
    bench.check("lost/who", "{}", "nowhere.py").await;
    let told = bench.call("peer/die", "{}").await;
    assert!(told.contains("the server ended") && !told.contains("last words"), "{told}");
}

#[tokio::test]
async fn a_server_that_says_nothing_to_what_it_does_not_know_is_greeted_the_older_way() {
    let bench = bench("", &also("mute", "PEER\", \"mute")).await;
    bench.check("mute/echo", "{\"v\": 1}", "1").await;
}

/// A call of a tool that says of itself, after it was pinned, that it takes something else.
pub async fn turned() -> Report {
    let bench = bench("", "").await;
    bench.check("peer/turn", "{\"what\": \"input\", \"say\": true}", "turned").await;
    bench.as_who(alice(), "peer/echo", "{\"v\": 1}").await
}

#[tokio::test]
async fn no_two_principals_share_a_session() {
    let bench = bench("", "").await;
    let of = async |name: &str, tenant: Option<&str>| {
        let who = Principal { subject: name.into(), tenant: tenant.map(Into::into), ..alice() };
        shown(&bench.as_who(who, "peer/who", "{}").await)
    };
    let all = [of("a", None).await, of("b", None).await, of("a", Some("x")).await, of("a", Some("y")).await];
    for (at, one) in all.iter().enumerate() {
        assert!(all.iter().skip(at + 1).all(|other| other != one), "{all:?}");
    }
    assert_eq!(of("a", None).await, all[0]);
}

#[tokio::test]
async fn a_server_that_asks_gets_nothing_and_its_progress_is_passed_on() {
    let bench = bench("", "").await;
    bench.check("peer/asks", "{}", "[{}, -32601, -32601]").await;
    for tool in ["peer/steps", "old/steps"] {
        let text =
            format!("chain: s\nstream: c\nlinks:\n  c: {{kind: tool, tool: {tool}}}\noutput: ${{c.text}}\n");
        let text = text.replace("chain: s", "chain: t");
        let chain = bench.engine.load(&[Source::new("t.yaml", text)]).unwrap().remove(0);
        let (sender, mut pieces) = tokio::sync::mpsc::channel(8);
        let report = chain.request(json("null")).unwrap().principal(alice()).pieces(sender).run().await;
        assert!(report.result.is_ok(), "{tool}: {}", shown(&report));
        let first = pieces.recv().await.expect("progress comes as a piece");
        assert!(first.get("progress").is_some() && first.get("progressToken").is_none(), "{tool}: {first:?}");
    }
}

#[tokio::test]
async fn attack_03_a_server_that_sends_elsewhere_is_not_followed() {
    let away = |server: &Server| format!("[upstream.away]\nurl = \"{}\"\n", server.url("/away"));
    let elsewhere = serve(web::web).await;
    let grant = "[[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{ upstream = \"away\", tools = [\"*\"], trusted = [] }]\n";
    let bench = bench("", &format!("{}{grant}", away(&elsewhere))).await;
    let text = "chain: t\nlinks:\n  c: {kind: tool, tool: away}\noutput: ${c}\n";
    let chain = bench.engine.load(&[Source::new("t.yaml", text)]).unwrap().remove(0);
    let report = chain.request(json("null")).unwrap().principal(alice()).run().await;
    assert!(shown(&report).contains("a redirect would send the body on"), "{}", shown(&report));
}
