//! What plugins keep, what they may use within a time, what they send ahead of their end, and how they are left alone.

use crate::guest::Guest;
use crate::plugins::{CHAIN, Given, HTTP, fetch};
use crate::server::{json_answer, serve};
use crate::setup::{PERMIT_ALL, alice, json, shown, stages};
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::plugin::digest;
use ringmail_engine::{Engine, Principal, Report};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub const KV: &str = r#"(import "ringmail:plugin/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "ringmail:plugin/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "ringmail:plugin/kv@0.1.0" "delete" (func $delete (param i32 i32 i32)))
    (import "ringmail:plugin/kv@0.1.0" "keys" (func $keys (param i32 i32 i32 i32 i32 i32)))"#;
/// Its key is the second letter of its input. A text is looked up, a list is deleted, `true` answers with the first key
/// there is, and anything else is kept.
pub const KEEPS: &str = r#"(local $key i32) (local $kind i32)
    (local.set $key (i32.add (local.get $p) (i32.const 1)))
    (local.set $kind (i32.load8_u (local.get $p)))
    (i32.store (i32.const 104) (i32.const 0x6c6c756e))
    (if (i32.eq (local.get $kind) (i32.const 34)) (then
      (call $get (local.get $key) (i32.const 1) (i32.const 200))
      (if (i32.load8_u (i32.const 200)) (then (return (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))))
      (if (i32.load8_u (i32.const 204)) (then (return (call $ok (i32.load (i32.const 208)) (i32.load (i32.const 212))))))
      (return (call $ok (i32.const 104) (i32.const 4)))))
    (if (i32.eq (local.get $kind) (i32.const 116)) (then
      (call $keys (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))
      (if (i32.eqz (i32.load (i32.const 208))) (then (return (call $ok (i32.const 104) (i32.const 4)))))
      (local.set $key (i32.load (i32.const 204)))
      (return (call $ok (i32.load (local.get $key)) (i32.load offset=4 (local.get $key))))))
    (if (i32.eq (local.get $kind) (i32.const 91))
      (then (call $delete (local.get $key) (i32.const 1) (i32.const 200)))
      (else (call $set (local.get $key) (i32.const 1) (local.get $p) (local.get $n) (i32.const 200))))
    (if (result i32) (i32.load8_u (i32.const 200))
      (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))
      (else (call $ok (local.get $p) (local.get $n))))"#;
const ASKS: &str = "[kv]\nreason = \"r\"\n";
const PII: &str = "[[grant]]\nto = \"t\"\nreason = \"r\"\nrespond = { clearance = [\"pii\"] }";

fn keeper(grants: &str) -> Given<'_> {
    let guest = Guest { imports: KV, call: KEEPS, ..Guest::default() };
    Given { guest, asks: ASKS, grants, project: PII, ..Given::default() }
}

/// An engine over what an earlier one left in the folder.
fn engine(folder: &Path, given: &Given<'_>) -> Engine {
    let (manifest, module) = given.write(folder);
    let text = given.text(&digest(manifest.as_bytes(), &module));
    let builder = Engine::builder().project(Source::new("ringmail.toml", text), folder);
    let builder = builder.policies(vec![Source::new("main.cedar", PERMIT_ALL)]);
    builder.kept(folder.join("kept.redb")).build().unwrap()
}

async fn run_as(engine: &Engine, chain: &str, input: &str, principal: Principal) -> Report {
    let chain = engine.load(&[Source::new("t.yaml", chain)]).unwrap_or_else(|problems| panic!("{problems}"));
    chain[0].request(json(input)).unwrap().principal(principal).run().await
}

async fn run(engine: &Engine, input: &str) -> String {
    shown(&run_as(engine, CHAIN, input, alice()).await)
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_engine_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let given = keeper("kv = {}");
    let first = engine(folder.path(), &given);
    assert_eq!(run(&first, "\"2\"").await, "null");
    assert_eq!(run(&first, "true").await, "null");
    assert_eq!(run(&first, "12").await, "12");
    drop(first);
    let second = engine(folder.path(), &given);
    assert_eq!(run(&second, "\"2\"").await, "12");
    assert_eq!(run(&second, "true").await, "2", "the key that is there");
    assert_eq!(run(&second, "[2]").await, "[2]");
    assert_eq!(run(&second, "\"2\"").await, "null");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path().join("kept.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// What one publisher's plugin kept, the next one of the same name read.
#[tokio::test]
async fn attack_15_another_plugin_of_the_same_name_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let given = keeper("kv = {}");
    let first = engine(folder.path(), &given);
    assert_eq!(run(&first, "12").await, "12");
    drop(first);
    std::fs::rename(folder.path().join("p"), folder.path().join("q")).unwrap();
    let (manifest, module) = given.write(folder.path());
    let text = given.text(&digest(manifest.as_bytes(), &module)).replace("path = \"p\"", "path = \"q\"");
    let builder = Engine::builder().project(Source::new("ringmail.toml", text), folder.path());
    let builder = builder.policies(vec![Source::new("main.cedar", PERMIT_ALL)]);
    let other = builder.kept(folder.path().join("kept.redb")).build().unwrap();
    assert_eq!(run(&other, "true").await, "null");
    assert_eq!(run(&other, "\"2\"").await, "null");
    drop(other);
    assert_eq!(run(&engine(folder.path(), &given), "\"2\"").await, "12");
}

/// What a plugin keeps was asked of no policy, though all else it asks is.
#[tokio::test]
async fn a_policy_may_forbid_what_a_plugin_keeps() {
    let forbids = |when: &str| {
        format!(
            "{PERMIT_ALL}\n@id(\"kept\")\nforbid (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"t.p.kv\") when {{ {when} }};"
        )
    };
    let tag = |name: &str, value: &str| {
        format!("context.args.hasTag(\"{name}\") && context.args.getTag(\"{name}\") == \"{value}\"")
    };
    let tagged = CHAIN.replace("output: ${p}", "output: ${p}\ninput: {x-ringmail-label: [pii]}");
    // The policy, and what it says of 12, of \"2\", of true and of [2].
    let cases = [
        (tag("op", "set"), [true, false, false, false], CHAIN),
        (tag("op", "get"), [false, true, false, false], CHAIN),
        (tag("op", "keys"), [false, false, true, false], CHAIN),
        (tag("op", "delete"), [false, false, false, true], CHAIN),
        (tag("key", "2"), [true, true, false, true], CHAIN),
        (
            "context.numbers.hasTag(\"bytes\") && context.numbers.getTag(\"bytes\") > 1".into(),
            [true, false, false, false],
            CHAIN,
        ),
        ("context.tags.contains(\"pii\")".into(), [true; 4], &tagged),
        ("context.sinks.contains(\"kv:p\") && !context.consequential".into(), [true; 4], CHAIN),
        ("context.sinks.contains(\"kv:other\")".into(), [false; 4], CHAIN),
    ];
    for (when, refused, chain) in cases {
        let policy = forbids(&when);
        let bench = Given { policy: &policy, ..keeper("kv = {}") }.bench();
        for (input, refused) in ["12", "\"2\"", "true", "[2]"].into_iter().zip(refused) {
            let report = bench.run(&[chain], input).await;
            let trail = format!("{:?}", report.trail);
            let said = trail.contains("rule: PolicyForbids") && trail.contains("`kept` forbids `alice`");
            assert_eq!(said, refused, "{when} of {input}: {trail}");
        }
    }
}

/// A label outlives the process that put it on: what was written from restricted data is restricted when it is read.
#[tokio::test]
async fn attack_38_what_is_kept_comes_back_with_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let given = keeper("kv = {}");
    let tagged = CHAIN.replace("output: ${p}", "output: 1\ninput: {type: integer, x-ringmail-label: [pii]}");
    let fixed = |with: &str| CHAIN.replace("'${input}'", with);
    let first = engine(folder.path(), &given);
    assert_eq!(shown(&run_as(&first, &fixed("35"), "{}", alice()).await), "35");
    assert_eq!(shown(&run_as(&first, &tagged, "12", alice()).await), "1");
    drop(first);
    let second = engine(folder.path(), &given);
    let labels = async |with: &str| run_as(&second, &fixed(with), "{}", alice()).await.labels()[0].1.clone();
    assert_eq!(labels("'2'").await, "untrusted · pii · from input");
    assert_eq!(labels("'5'").await, "trusted", "each value has its own");
    // That nothing is there, and which keys are, tells of every change.
    assert_eq!(labels("'9'").await, "untrusted · pii · from input");
    assert_eq!(labels("true").await, "untrusted · pii · from input");
    // What is written over it keeps what it told.
    assert_eq!(shown(&run_as(&second, &fixed("42"), "{}", alice()).await), "42");
    assert_eq!(labels("'2'").await, "untrusted · pii · from input");
    let none = Given { project: "", ..keeper("kv = {}") };
    drop(second);
    let third = engine(folder.path(), &none);
    let refused = shown(&run_as(&third, &fixed("'2'"), "{}", alice()).await);
    assert!(refused.starts_with("refused clearance"), "{refused}");
}

#[tokio::test]
async fn attack_38_what_is_kept_for_a_tenant_is_seen_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), &keeper("kv = {}"));
    let of = |tenant: Option<&str>| Principal { tenant: tenant.map(Into::into), ..alice() };
    assert_eq!(shown(&run_as(&engine, CHAIN, "12", of(Some("a"))).await), "12");
    for tenant in [Some("b"), Some(""), Some("=a"), None] {
        assert_eq!(shown(&run_as(&engine, CHAIN, "\"2\"", of(tenant)).await), "null", "{tenant:?}");
        assert_eq!(shown(&run_as(&engine, CHAIN, "true", of(tenant)).await), "null", "{tenant:?}");
        assert_eq!(shown(&run_as(&engine, CHAIN, "[2]", of(tenant)).await), "[2]");
    }
    assert_eq!(shown(&run_as(&engine, CHAIN, "\"2\"", of(Some("a"))).await), "12");
}

#[tokio::test]
async fn each_bound_of_what_is_kept_holds() {
    let full = "`t.p` failed: native: it keeps as much as it may: ";
    // It begins like neither a text nor a list, so it is kept, under `"`.
    let long = format!("{{\"{}\":1}}", "0".repeat(2000));
    let cases = [
        ("kv = { entries = 1 }", "13", format!("{full}1 values")),
        ("kv = { quota = \"1KiB\" }", &*long, format!("{full}1024 bytes")),
        (
            "kv = { value = \"1KiB\" }",
            &*long,
            "`t.p` failed: native: the value is larger than 1024 bytes".into(),
        ),
    ];
    for (grants, input, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path(), &keeper(grants));
        assert_eq!(run(&engine, "12").await, "12");
        let ended = run(&engine, input).await;
        assert!(ended.starts_with(&expected), "{grants}: {ended}");
        assert_eq!(run(&engine, "22").await, "22", "what is replaced makes room");
    }
}

#[tokio::test]
async fn attack_43_a_second_process_is_told_that_the_store_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let given = keeper("kv = {}");
    let (one, two) = (engine(folder.path(), &given), engine(folder.path(), &given));
    assert_eq!(run(&one, "12").await, "12");
    let report = run_as(&two, CHAIN, "\"2\"", alice()).await;
    assert_eq!(shown(&report), "`t.p` failed: native: the store is unavailable");
    assert!(format!("{:?}", report.trail).contains("another process has it open"), "{:?}", report.trail);
    drop(one);
    assert_eq!(run(&two, "\"2\"").await, "12");
}

const FOLDER: &str = "RINGMAIL_TEST_FOLDER";

/// Not a test by itself: keeps values until it is killed.
#[tokio::test]
#[ignore = "run by the test of `kill -9`"]
async fn keeps_without_end() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let engine = engine(Path::new(&folder), &keeper("kv = {}"));
    for at in 0_u64.. {
        assert_eq!(run(&engine, &format!("{}{}", at % 9 + 1, at)).await, format!("{}{at}", at % 9 + 1));
        std::fs::write(Path::new(&folder).join("last"), at.to_string()).unwrap();
    }
}

#[tokio::test]
async fn attack_42_what_was_kept_before_a_kill_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..6 {
        let mut writer = Command::new(std::env::current_exe().unwrap());
        writer.args(["kept::keeps_without_end", "--exact", "--ignored"]).env(FOLDER, folder.path());
        let mut writer = writer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let told = || std::fs::read_to_string(folder.path().join("last")).unwrap_or_default();
        let before = told();
        for _ in 0..1000 {
            if told() != before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        writer.kill().unwrap();
        writer.wait().unwrap();
        last = told().parse::<u64>().unwrap_or(last);
        let engine = engine(folder.path(), &keeper("kv = {}"));
        for digit in 0..10 {
            let found = run(&engine, &format!("\"{digit}\"")).await;
            assert!(found == "null" || found.as_bytes()[1] == b'0' + digit, "{found}");
        }
        let key = last.to_string().as_bytes()[0] - b'0';
        assert_ne!(
            run(&engine, &format!("\"{key}\"")).await,
            "null",
            "what was acknowledged is there: {last}"
        );
    }
}

#[test]
fn a_plugin_keeps_nothing_that_it_did_not_ask_for_or_was_not_granted() {
    let fault = Given { asks: "", ..keeper("kv = {}") }.fault(|_| (), None);
    assert!(fault.contains("`p` is granted `kv`, and its manifest never asks for it"), "{fault}");
    let fault = keeper("").fault(|_| (), None);
    assert!(fault.contains("`kv` is not both asked for and granted"), "{fault}");
}

pub const LOG: &str = r#"(import "ringmail:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))"#;
/// Logs its input twice.
const LOG_TWICE: &str = "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 200)) (call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 200)) (call $ok (local.get $p) (local.get $n))";
pub const WRITE: &str = r#"(import "ringmail:plugin/files@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
    (import "ringmail:plugin/files@0.1.0" "remove" (func $remove (param i32 i32 i32)))"#;
/// Writes its own input to the file that its input names.
pub const WRITE_INPUT: &str = "(call $write (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2)) (local.get $p) (local.get $n) (i32.const 200))
    (if (result i32) (i32.load8_u (i32.const 200)) (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212)))) (else (call $ok (local.get $p) (local.get $n))))";

#[tokio::test]
async fn each_quota_of_a_plugin_ends_what_it_does_and_the_time_opens_it_again() {
    let server = serve(|_| json_answer("\"a long answer\"")).await;
    let (get, url) = (fetch("GET"), server.url(""));
    let asks = format!(
        "[log]\nreason = \"r\"\n[[net]]\naddress = \"{url}\"\nreason = \"r\"\n[[fs]]\nmount = \"out\"\naccess = \"write\"\nreason = \"r\"\n"
    );
    let grants = format!(
        "log = {{}}\nnet = [{{ address = \"{url}\" }}]\nfs = [{{ mount = \"out\", access = \"write\" }}]"
    );
    let guest = |imports, call| Guest { imports, call, ..Guest::default() };
    let (net, log, file) = (guest(HTTP, &get), guest(LOG, LOG_TWICE), guest(WRITE, WRITE_INPUT));
    let target = format!("{url}/");
    // The guest, its input, the quota, and after which run it is used up.
    let cases = [
        (&net, &*target, "requests = 2", 2),
        (&net, &target, "data_out = \"60B\"", 60 / target.len()),
        (&net, &target, "data_in = \"1B\"", 0),
        (&log, "line", "lines = 3", 1),
        (&log, "line", "logged = \"20B\"", 1),
        (&file, "out:a", "writes = 2", 2),
        (&file, "out:a", "written = \"20B\"", 2),
    ];
    for (guest, input, quota, fits) in cases {
        let quotas = format!("{grants}\n[plugin.p.quota]\nevery = \"1h\"\n{quota}");
        let project = "[mount.out]\npath = \"out\"";
        let given =
            Given { guest: Guest { ..*guest }, asks: &asks, grants: &quotas, project, ..Given::default() };
        let bench = given.bench();
        let chain = CHAIN.replace("${input}", input);
        let over = async || format!("{:?}", bench.run(&[&chain], "{}").await.trail).contains("rule: Quota");
        for run in 0..fits {
            assert!(!over().await, "{quota}: run {run}");
        }
        assert!(over().await, "{quota}");
        // An hour passes between two runs and takes no time.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3600)).await;
        tokio::time::resume();
        assert_eq!(over().await, fits == 0, "{quota}: the time is over");
    }
}

#[tokio::test]
async fn what_one_call_sends_and_is_sent_is_bounded() {
    let server = serve(|_| json_answer("\"a long answer\"")).await;
    let (get, url) = (fetch("GET"), server.url("/"));
    let asks = format!("[[net]]\naddress = \"{}\"\nreason = \"r\"\n", server.url(""));
    for (limit, asked) in [("data_out", false), ("data_in", true)] {
        let grants =
            format!("net = [{{ address = \"{}\" }}]\n[plugin.p.limits]\n{limit} = \"5B\"", server.url(""));
        let guest = Guest { imports: HTTP, call: &get, ..Guest::default() };
        let bench = Given { guest, asks: &asks, grants: &grants, ..Given::default() }.bench();
        let before = server.requests().len();
        let report = bench.run(&[&CHAIN.replace("${input}", &url)], "{}").await;
        assert!(shown(&report).starts_with("`t.p` failed: native"), "{}", shown(&report));
        let trail = format!("{:?}", report.trail);
        assert!(trail.contains(&format!("`p` has used as much as `limits.{limit}` lets it")), "{trail}");
        assert_eq!(server.requests().len() > before, asked, "{limit}");
    }
}

#[tokio::test]
async fn a_mount_holds_no_more_than_its_quota() {
    let asks = "[[fs]]\nmount = \"out\"\naccess = \"write\"\nreason = \"r\"\n";
    for (bound, fails) in [("files = 2", "out:c"), ("quota = \"20B\"", "out:b")] {
        let grants = format!("fs = [{{ mount = \"out\", access = \"write\", {bound} }}]");
        let guest = Guest { imports: WRITE, call: WRITE_INPUT, ..Guest::default() };
        let project = "[mount.out]\npath = \"out\"";
        let bench = Given { guest, asks, grants: &grants, project, ..Given::default() }.bench();
        std::fs::create_dir_all(bench.folder.path().join("out/deep")).unwrap();
        std::fs::write(bench.folder.path().join("out/deep/there"), "12345678").unwrap();
        let write = async |path: &str| shown(&bench.run(&[&CHAIN.replace("${input}", path)], "{}").await);
        assert_eq!(write("out:a").await, "\"out:a\"");
        assert_eq!(write("out:a").await, "\"out:a\"", "what is replaced makes room");
        assert!(write(fails).await.starts_with("`t.p` failed"), "{bound}");
        assert!(!bench.folder.path().join("out").join(&fails[4..]).exists());
    }
}

const EMIT: &str = r#"(import "ringmail:plugin/output@0.1.0" "emit" (func $emit (param i32 i32 i32)))"#;
/// Sends its input ahead three times, and answers with it, or with why it could not.
const EMIT_THRICE: &str = "(local $i i32) (loop $l
    (call $emit (local.get $p) (local.get $n) (i32.const 200))
    (if (i32.load8_u (i32.const 200)) (then (return (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))))
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
    (call $ok (local.get $p) (local.get $n))";

async fn streamed(given: &Given<'_>, chain: &str, input: &str) -> (Vec<String>, String) {
    let bench = given.bench();
    let chain = bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let request = chain.request(json(input)).unwrap().principal(alice()).pieces(sender);
    let run = tokio::spawn(request.run());
    let mut pieces = Vec::new();
    while let Some(piece) = receiver.recv().await {
        pieces.push(ringmail_engine::core::json::to_string(&piece));
    }
    (pieces, shown(&run.await.unwrap()))
}

#[tokio::test]
async fn pieces_of_an_output_go_ahead_and_count_as_output() {
    let guest = || Guest { imports: EMIT, call: EMIT_THRICE, ..Guest::default() };
    let given = Given { guest: guest(), ..Given::default() };
    let chain = CHAIN.replace("chain: t", "chain: t\nstream: p");
    let (pieces, end) = streamed(&given, &chain, "[1]").await;
    assert_eq!((pieces.join(" "), &*end), ("[1] [1] [1]".into(), "[1]"));
    let (pieces, end) = streamed(&given, CHAIN, "[1]").await;
    assert_eq!((pieces.len(), &*end), (0, "[1]"), "where nobody listens they go nowhere");
    let narrow = Given { guest: guest(), grants: "[plugin.p.limits]\noutput = \"10B\"", ..Given::default() };
    assert_eq!(streamed(&narrow, &chain, "[1]").await.0.len(), 3);
    for (input, many) in [("[12]", 2), ("[1234]", 1), ("[123456789]", 0)] {
        let (pieces, end) = streamed(&narrow, &chain, input).await;
        assert_eq!(
            (pieces.len(), &*end),
            (many, "`t.p` failed: too-large: its output is larger than 10 bytes")
        );
    }
}

#[tokio::test]
async fn attack_38_a_piece_passes_the_gate_that_the_whole_would_pass() {
    let guest = Guest { imports: EMIT, call: EMIT_THRICE, ..Guest::default() };
    let given = Given { guest, ..Given::default() };
    let tagged = "input: {type: object, properties: {k: {type: string, x-ringmail-label: [pii]}}}";
    let chain = CHAIN
        .replace("chain: t", &format!("chain: t\nstream: p\n{tagged}"))
        .replace("output: ${p}", "output: 1");
    assert_eq!(streamed(&given, &chain, "{}").await.0.len(), 3);
    let (pieces, _) = streamed(&given, &chain, r#"{"k": "x"}"#).await;
    assert!(pieces.is_empty(), "{pieces:?}");
}

#[tokio::test]
async fn a_plugin_that_crashes_again_and_again_is_left_alone() {
    // Crashes unless its input is a text.
    let call = "(if (i32.ne (i32.load8_u (local.get $p)) (i32.const 34)) (then (unreachable))) (call $ok (local.get $p) (local.get $n))";
    let bench = Given { guest: Guest::calling(call), ..Given::default() }.bench();
    let run = async |input: &str, tenant: &str| {
        let principal = Principal { tenant: Some(tenant.into()), ..alice() };
        shown(&bench.run_as(&[CHAIN], input, principal).await)
    };
    for _ in 0..5 {
        assert!(run("1", "a").await.starts_with("`t.p` failed: panicked"));
    }
    let left = run("\"well\"", "a").await;
    assert!(left.starts_with("`t.p` failed: unavailable: it crashed again and again"), "{left}");
    assert_eq!(run("\"well\"", "b").await, "\"well\"", "another tenant's calls go on");
    assert_eq!(bench.engine.plugin_figures()["p"].pauses, 1);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(run("\"well\"", "a").await, "\"well\"", "a probe that ends well closes it");
    assert!(run("1", "a").await.starts_with("`t.p` failed: panicked"));
    assert_eq!(run("\"well\"", "a").await, "\"well\"");
}

#[tokio::test]
async fn figures_name_what_a_plugin_reached() {
    let server = serve(|_| json_answer("1")).await;
    let (get, url) = (fetch("GET"), server.url(""));
    let asks = format!("[[net]]\naddress = \"{url}\"\nreason = \"r\"\n");
    let grants = format!("net = [{{ address = \"{url}\" }}]");
    let guest = Guest { imports: HTTP, call: &get, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, ..Given::default() }.bench();
    for to in [&*server.url("/a"), &server.url("/b"), "https://elsewhere.example/"] {
        let report = bench.run(&[&CHAIN.replace("${input}", to)], "{}").await;
        assert!(stages(&report).starts_with("t:entered p:admitted"));
    }
    let figures = &bench.engine.plugin_figures()["p"];
    assert_eq!(
        figures.hosts,
        std::collections::BTreeMap::from([(url.as_str().into(), 2)]),
        "a refused one is none"
    );
    assert!(figures.cpu > Duration::ZERO && figures.cpu < Duration::from_secs(5), "{figures:?}");
}

#[test]
fn a_plugin_that_is_to_be_isolated_is_not_loaded_without_workers() {
    let fault = Given { grants: "isolation = \"process\"", ..Given::default() }.fault(|_| (), None);
    assert!(fault.contains("`p` is to run in processes of its own, and this program starts none"), "{fault}");
    assert_eq!(Given { grants: "isolation = \"instance\"", ..Given::default() }.bench().problems(CHAIN), "");
}
