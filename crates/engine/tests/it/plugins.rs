//! Plugins as a project has them: pinned, granted, and everything they ask of the world a call like any other.

use crate::guest::Guest;
use crate::server::{Server, json_answer, serve, serve_slowly};
use crate::setup::{Bench, PERMIT_ALL, alice, bench_in, json, shown, stages};
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::plugin::digest;
use ringmail_engine::{Clock, Engine, EngineBuilder, PLUGIN_FILE, plugin_limits};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MANIFEST: &str = "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"a test\"\n";
/// A chain that hands its input to the plugin.
pub const CHAIN: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: ${p}";
pub const HTTP: &str = r#"(import "ringmail:plugin/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
/// Calls the address that its input is, without its quotes, and answers with the body; `#` is the method.
const FETCH: &str = "(i64.store (i32.const 64) (i64.const #))
    (call $send (i32.const 64) (i32.load8_u (i32.const 71)) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))
    (if (result i32) (i32.load8_u (i32.const 200))
      (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))
      (else (call $ok (i32.load (i32.const 216)) (i32.load (i32.const 220)))))";

/// A method and its length, as one number.
pub fn fetch(method: &str) -> String {
    let mut bytes = [0_u8; 8];
    bytes[..method.len()].copy_from_slice(method.as_bytes());
    bytes[7] = method.len() as u8;
    FETCH.replace('#', &u64::from_le_bytes(bytes).to_string())
}

/// The start of the year 2000.
const END_MS: u64 = 946_684_800_000;

/// A clock that is set.
struct Late(AtomicU64);

impl Clock for Late {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A project with the plugin `p`: what it is, what its manifest asks, what it is granted, and what else there is.
pub struct Given<'g> {
    pub guest: Guest<'g>,
    pub asks: &'g str,
    pub grants: &'g str,
    pub project: &'g str,
    pub policy: &'g str,
    /// Whether the module is a core module.
    pub core: bool,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Given { guest: Guest::default(), asks: "", grants: "", project: "", policy: PERMIT_ALL, core: false }
    }
}

impl Given<'_> {
    pub fn bench(&self) -> Bench {
        self.bench_with(|builder| builder)
    }

    pub fn bench_with(&self, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, module) = self.write(folder.path());
        bench_in(folder, &self.text(&digest(manifest.as_bytes(), &module)), self.policy, more)
    }

    pub fn write(&self, folder: &Path) -> (String, Vec<u8>) {
        let manifest = format!("{MANIFEST}{}", self.asks);
        let module = if self.core { self.guest.module() } else { self.guest.component() };
        std::fs::create_dir_all(folder.join("p")).unwrap();
        std::fs::write(folder.join("p").join(PLUGIN_FILE), &manifest).unwrap();
        std::fs::write(folder.join("p/plugin.wasm"), &module).unwrap();
        (manifest, module)
    }

    pub fn text(&self, digest: &str) -> String {
        let Given { grants, project, .. } = self;
        format!("{project}\n[plugin.p]\npath = \"p\"\ndigest = \"{digest}\"\nreason = \"test\"\n{grants}\n")
    }

    /// Why there is no engine.
    pub fn fault(&self, change: impl FnOnce(&Path), digest: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, module) = self.write(folder.path());
        let pinned = ringmail_engine::core::plugin::digest(manifest.as_bytes(), &module);
        change(folder.path());
        let text = self.text(digest.unwrap_or(&pinned));
        let built = Engine::builder().project(Source::new("ringmail.toml", text), folder.path()).build();
        built.map(|_| ()).unwrap_err().to_string().replace(&*folder.path().display().to_string(), ".")
    }

    async fn run(&self, input: &str) -> String {
        shown(&self.bench().run(&[CHAIN], input).await)
    }
}

fn asks_net(server: &Server) -> String {
    format!("[[net]]\naddress = \"{}\"\nmethods = [\"GET\", \"POST\"]\nreason = \"asks\"\n", server.url(""))
}

fn net(server: &Server, more: &str) -> String {
    format!("net = [{{ address = \"{}\", methods = [\"GET\", \"POST\"]{more} }}]", server.url(""))
}

#[tokio::test]
async fn a_plugin_takes_its_arguments_and_its_output_carries_their_labels() {
    let report = Given::default().bench().run(&[CHAIN], r#"{"a": [1, "x"]}"#).await;
    assert_eq!(shown(&report), r#"{"a":[1,"x"]}"#);
    assert_eq!(report.labels(), [(String::new(), "untrusted · from input".to_string())]);
    let fixed = CHAIN.replace("'${input}'", "1");
    let report = Given::default().bench().run(&[&fixed], "{}").await;
    assert_eq!(report.labels(), [(String::new(), "trusted".to_string())], "it saw nothing else");
}

#[test]
fn attack_17_18_a_plugin_that_is_not_what_was_reviewed_stops_the_engine() {
    let given = Given::default();
    let other = Guest::calling("(call $err (local.get $p) (local.get $n))").component();
    let swapped = given.fault(|folder| std::fs::write(folder.join("p/plugin.wasm"), &other).unwrap(), None);
    assert!(swapped.contains("the plugin `p` is not what was reviewed"), "{swapped}");
    assert!(swapped.contains("digest = \"sha256:"), "{swapped}");
    let widened = given.fault(
        |folder| {
            let wider = format!("{MANIFEST}[clock]\nreason = \"r\"\n");
            std::fs::write(folder.join("p").join(PLUGIN_FILE), wider).unwrap();
        },
        None,
    );
    assert!(widened.contains("is not what was reviewed"), "{widened}");
    let mistyped = given.fault(|_| (), Some("sha265:00"));
    assert!(mistyped.contains("is not what was reviewed"), "{mistyped}");
    let gone = given.fault(|folder| std::fs::remove_file(folder.join("p/plugin.wasm")).unwrap(), None);
    assert!(gone.contains("cannot read `./p/plugin.wasm`"), "{gone}");
}

#[test]
fn what_changes_nothing_is_a_problem() {
    let asked = "[[secret]]\nname = \"a\"\nreason = \"r\"\n[[env]]\nname = \"A\"\nreason = \"r\"\n";
    let project = "[secret.b]\nfrom = \"env:HOME\"\nbound_to = [\"https://b.example\"]\n[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"";
    for (asks, grants, unasked) in [
        ("", "clock = true", "clock"),
        ("", "random = true", "random"),
        ("", "tool = [\"t\"]", "tool"),
        ("[[tool]]\nname = \"a\"\nreason = \"r\"\n", "tool = [\"a\", \"b\"]", "tool b"),
        ("", "log = {}", "log"),
        ("", "net = [{ address = \"https://a.example\" }]", "net"),
        ("", "env = [{ name = \"a\", value = \"1\" }]", "env"),
        (asked, "secret = [\"b\"]", "secret b"),
        (asked, "env = [{ name = \"b\", value = \"1\" }]", "env b"),
        (
            "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n",
            "net = [{ address = \"https://a.example\" }, { address = \"https://b.example\" }]",
            "net GET/HEAD https://b.example",
        ),
        (
            "[[fs]]\nmount = \"in\"\naccess = \"read\"\nreason = \"r\"\n",
            "fs = [{ mount = \"in\", access = \"write\" }]",
            "fs write in",
        ),
    ] {
        let mounts = |folder: &Path| {
            ["in", "out"].iter().for_each(|name| std::fs::create_dir(folder.join(name)).unwrap());
        };
        let fault = Given { asks, grants, project, ..Given::default() }.fault(mounts, None);
        let expected = format!("`p` is granted `{unasked}`, and its manifest never asks for it");
        assert!(fault.contains(&expected), "{grants}: {fault}");
    }
}

#[test]
fn attack_14_what_is_imported_must_be_asked_for_and_granted() {
    let call = fetch("GET");
    let guest = || Guest { imports: HTTP, call: &call, ..Guest::default() };
    let asks = "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n";
    let given = Given { guest: guest(), asks, ..Given::default() };
    let expected = "`p` imports `ringmail:plugin/http@0.1.0`, and `net` is not both asked for and granted";
    assert!(given.fault(|_| (), None).contains(expected), "{}", given.fault(|_| (), None));
}

#[test]
fn attack_29_every_fault_of_a_manifest_is_named_at_its_place() {
    let asks = "capabilties = []\n[[net]]\naddress = \"a.example\"\n[limits]\nmemory = -1\ntime = 5\n";
    let fault = Given { asks, ..Given::default() }.fault(|_| (), None);
    for expected in [
        "unknown key `capabilties` in the manifest",
        "`net` lacks `reason`",
        "`memory` must be a size such as `16MiB`, not a whole number",
        "`time` must be a duration such as `5s`, not a whole number",
    ] {
        assert!(fault.contains(expected), "{expected} in {fault}");
    }
    let fault = Given { asks: "module = \"../evil.wasm\"\n", ..Given::default() }.fault(|_| (), None);
    assert!(fault.contains("`module` names a file in the manifest's own folder"), "{fault}");
}

#[tokio::test]
async fn a_request_of_a_plugin_is_a_call_of_its_own() {
    for core in [false, true] {
        asks_as_a_call(core).await;
    }
}

async fn asks_as_a_call(core: bool) {
    let server = serve(|_| json_answer("\"there\"")).await;
    let call = fetch("GET");
    let (asks, grants) = (asks_net(&server), net(&server, ""));
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, core, ..Given::default() }.bench();
    let fixed = CHAIN.replace("${input}", &server.url("/x"));
    let report = bench.run(&[&fixed], "{}").await;
    assert_eq!(shown(&report), "\"there\"");
    assert!(server.requests()[0].starts_with("GET /x HTTP/1.1"), "{:?}", server.requests());
    assert_eq!(
        stages(&report),
        "t:entered p:admitted http:admitted http:intended http:released p:released t:answered"
    );
    // What came back is what the output is made of.
    assert_eq!(report.labels(), [(String::new(), "untrusted · from t.p.http".to_string())]);
    let outside = CHAIN.replace("${input}", "https://elsewhere.example/");
    let report = bench.run(&[&outside], "{}").await;
    assert!(shown(&report).starts_with("`t.p` failed: native"), "{}", shown(&report));
    assert!(stages(&report).contains("http:refused"), "{}", stages(&report));
}

#[tokio::test]
async fn attack_38_a_plugin_sends_nothing_that_may_not_go_there() {
    let server = serve(|_| json_answer("1")).await;
    let (get, post) = (fetch("GET"), fetch("POST"));
    let (asks, grants) = (asks_net(&server), net(&server, ""));
    let given = |call| Given {
        guest: Guest { imports: HTTP, call, ..Guest::default() },
        asks: &asks,
        grants: &grants,
        ..Given::default()
    };
    let url = format!("\"{}\"", server.url("/"));
    let tagged = format!("{}\ninput: {{type: string, x-ringmail-label: [pii]}}", CHAIN);
    let problems = given(&get).bench().problems(&tagged);
    assert!(problems.contains("the decision to call carries `pii`"), "{problems}");
    // Untrusted data neither chooses what is sent nor that it is.
    let report = given(&post).bench().run(&[CHAIN], &url).await;
    assert!(format!("{:?}", report.trail).contains("Untrusted"), "{:?}", report.trail);
    assert!(server.requests().is_empty(), "{:?}", server.requests());
    let fixed = CHAIN.replace("${input}", &server.url("/"));
    assert_eq!(shown(&given(&post).bench().run(&[&fixed], "{}").await), "1");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_plugin_gets_no_more_than_its_manifest_asks_for() {
    let server = serve(|_| json_answer("1")).await;
    let call = fetch("POST");
    let asks = format!("[[net]]\naddress = \"{}\"\nmethods = [\"GET\"]\nreason = \"r\"\n", server.url(""));
    let grants = net(&server, "");
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, ..Given::default() }.bench();
    let report = bench.run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await;
    assert!(format!("{:?}", report.trail).contains("manifest does not ask for it"), "{:?}", report.trail);
    assert!(server.requests().is_empty());
}

/// A guest that was cut off while it waited for an answer failed as if it had asked nothing: a server that kept silent
/// decided, trusted, over what the error led to.
#[tokio::test]
async fn attack_38_a_silence_decides_nothing() {
    let silent = serve_slowly(|_| vec![json_answer("1")], 60_000).await;
    let bank = serve(|_| json_answer("1")).await;
    let call = fetch("GET");
    let asks = format!("{}[limits]\ntime = \"100ms\"\n", asks_net(&silent));
    let grants = net(&silent, "");
    let project = format!(
        "[[grant]]\nto = \"t.pay\"\nreason = \"pays\"\nnet = [{{ address = \"{}\", methods = [\"POST\"] }}]",
        bank.url("")
    );
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, project: &project, ..Given::default() }.bench();
    let chain = format!(
        "chain: t\nlinks:\n  p: {{kind: plugin, plugin: p, with: '{}', edges: [{{on: error, to: pay}}]}}\n  pay: {{kind: http, with: {{url: '{}', method: POST, body: {{to: X}}}}}}\noutput: 1",
        silent.url("/"),
        bank.url("/pay")
    );
    let sources = [Source::new("t.yaml", chain)];
    let checked = bench.engine.check(&sources);
    let foreseen = checked.verdicts.iter().any(|(_, verdict)| &*verdict.link == "t.pay");
    assert!(foreseen, "{}", checked.problems);
    if checked.problems.is_empty() {
        let chain = bench.engine.load(&sources).unwrap().remove(0);
        let report = chain.request(json("{}")).unwrap().principal(alice()).run().await;
        assert!(shown(&report).starts_with("refused"), "{}", shown(&report));
    }
    assert!(bank.requests().is_empty(), "{:?}", bank.requests());
}

#[tokio::test]
async fn a_plugin_that_may_only_post_is_checked_as_that() {
    let server = serve(|_| json_answer("1")).await;
    let call = fetch("POST");
    let asks = format!("[[net]]\naddress = \"{}\"\nmethods = [\"POST\"]\nreason = \"r\"\n", server.url(""));
    let grants = format!("net = [{{ address = \"{}\", methods = [\"POST\"] }}]", server.url(""));
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, ..Given::default() }.bench();
    assert_eq!(shown(&bench.run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await), "1");
}

/// Nothing was recorded while the guest worked, so what it asked was judged by the moment it began.
#[tokio::test]
async fn what_a_plugin_asks_is_judged_when_it_asks() {
    let server = serve(|_| json_answer("1")).await;
    // Works for a while, then asks.
    let call = format!(
        "(local $i i32) (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 300000000)))) {}",
        fetch("GET")
    );
    let asks = asks_net(&server);
    let grants = format!("{}\nexpires = 2000-01-01", net(&server, ""));
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let given = Given { guest, asks: &asks, grants: &grants, ..Given::default() };
    let clock = Arc::new(Late((END_MS - 20).into()));
    let bench = given.bench_with(|builder| builder.clock(clock));
    let report = bench.run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await;
    assert!(format!("{:?}", report.trail).contains("GrantExpired"), "{:?}", report.trail);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn policies_see_what_a_plugin_asks() {
    let server = serve(|_| json_answer("1")).await;
    let call = fetch("GET");
    let (asks, grants) = (asks_net(&server), net(&server, ""));
    let policy = format!(
        "{PERMIT_ALL}\n@id(\"no\")\nforbid (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"t.p.http\") when {{ context.args.hasTag(\"url\") }};"
    );
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, policy: &policy, ..Given::default() }.bench();
    let report = bench.run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await;
    assert!(format!("{:?}", report.trail).contains("PolicyForbids"), "{:?}", report.trail);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_plugin_holds_a_placeholder_and_the_bound_host_gets_the_secret() {
    let server = serve(|_| json_answer("1")).await;
    let imports = format!(
        "{HTTP}(import \"ringmail:plugin/secrets@0.1.0\" \"placeholder\" (func $secret (param i32 i32 i32)))"
    );
    // Sends the placeholder of `a` as the body to the address that its input is.
    let call = "(i32.store8 (i32.const 100) (i32.const 97))
        (call $secret (i32.const 100) (i32.const 1) (i32.const 300))
        (i32.store (i32.const 64) (i32.const 0x54534f50))
        (call $send (i32.const 64) (i32.const 4) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
          (i32.const 0) (i32.const 0) (i32.const 1) (i32.load (i32.const 304)) (i32.load (i32.const 308)) (i32.const 200))
        (call $ok (i32.load (i32.const 216)) (i32.load (i32.const 220)))";
    let asks = format!("{}[[secret]]\nname = \"a\"\nreason = \"r\"\n", asks_net(&server));
    let grants = format!("{}\nsecret = [\"a\"]", net(&server, ""));
    let project = format!("[secret.a]\nfrom = \"env:PATH\"\nbound_to = [\"{}\"]", server.url(""));
    let guest = Guest { imports: &imports, call, ..Guest::default() };
    let given = Given { guest, asks: &asks, grants: &grants, project: &project, ..Given::default() };
    let report = given.bench().run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await;
    // The answer does not derive from the secret's value, so the caller may have it.
    assert_eq!(shown(&report), "1");
    let sent = server.requests().join("\n");
    assert!(sent.contains(&std::env::var("PATH").unwrap()), "{sent}");
}

#[tokio::test]
async fn what_goes_in_and_comes_out_fits_the_manifest() {
    let schema = "[input]\ntype = \"object\"\n[input.properties.a]\ntype = \"integer\"\n[returns]\ntype = \"object\"\nmaxProperties = 0\n";
    let given = Given { asks: schema, ..Given::default() };
    assert_eq!(given.run("{}").await, "{}");
    assert!(given.run(r#"{"a": "x"}"#).await.starts_with("`t.p` failed: invalid: the input does not fit"));
    assert!(given.run(r#"{"a": 1}"#).await.starts_with("`t.p` failed: invalid: the output does not fit"));
    let text = Guest::calling(
        "(i32.store (i32.const 64) (i32.const 0x6e6f7065)) (call $ok (i32.const 64) (i32.const 4))",
    );
    let given = Given { guest: text, ..Given::default() };
    assert!(given.run("{}").await.starts_with("`t.p` failed: invalid: its output is not JSON"));
}

#[tokio::test]
async fn each_limit_of_project_and_manifest_holds_and_the_narrower_one_wins() {
    let big = Guest::calling("(drop (memory.grow (i32.const 100))) (call $ok (local.get $p) (local.get $n))");
    let long = Guest::calling("(call $ok (i32.const 1000) (i32.const 2000))");
    let loops = || Guest::calling("(loop $l (br $l)) (unreachable)");
    let log = r#"(import "ringmail:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))"#;
    let call = "(call $log (i32.const 0) (local.get $p) (local.get $n) (i32.const 200)) (call $log (i32.const 0) (local.get $p) (local.get $n) (i32.const 200)) (call $ok (local.get $p) (local.get $n))";
    let asks = Guest { imports: log, call, ..Guest::default() };
    let cases = [
        (big, "memory = \"1MiB\"", "limit: it asked for more than 1048576 bytes of memory"),
        (long, "output = \"1KiB\"", "too-large: its output is larger than 1024 bytes"),
        (loops(), "fuel = 1000", "limit: it used more than 1000 units of fuel"),
        (loops(), "time = \"50ms\"", "timeout: it ran longer than 50 ms"),
        (asks, "asks = 1", "limit: it asked the host more than 1 times"),
    ];
    for (guest, limit, expected) in &cases {
        let asks = "[log]\nreason = \"r\"\n";
        let narrow = format!("{asks}[limits]\n{limit}\n");
        let wide = "[plugin.p.limits]\nmemory = \"1GiB\"\noutput = \"1MiB\"\nfuel = 1000000000000\ntime = \"60s\"\nasks = 100";
        let in_project = format!("log = {{}}\n[plugin.p.limits]\n{limit}");
        let in_manifest = format!("log = {{}}\n{wide}");
        for (asks, grants) in [(asks, &in_project), (&narrow, &in_manifest)] {
            let given = Given { guest: Guest { ..*guest }, asks, grants, ..Given::default() };
            let ended = given.run("1").await;
            assert_eq!(ended, format!("`t.p` failed: {expected}"), "{limit}");
        }
    }
}

/// A guest that hands the name between its quotes to `$f`, and answers with the text that comes back, or fails.
const OF_NAME: &str =
    "(call $f (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2)) (i32.const 200))
    (if (result i32) (i32.eq (i32.load8_u (i32.const 200)) (i32.const #))
      (then (call $ok (i32.load (i32.const 204)) (i32.load (i32.const 208))))
      (else (call $err (local.get $p) (local.get $n))))";

#[tokio::test]
async fn settings_of_the_project_reach_the_plugin_and_no_others_do() {
    let imports = r#"(import "ringmail:plugin/config@0.1.0" "get" (func $f (param i32 i32 i32)))"#;
    let call = OF_NAME.replace('#', "1");
    let given = Given {
        guest: Guest { imports, call: &call, ..Guest::default() },
        asks: "[[env]]\nname = \"GREETING\"\nreason = \"r\"\n",
        grants: "env = [{ name = \"GREETING\", value = \"[1]\" }]",
        ..Given::default()
    };
    assert_eq!(given.run("\"GREETING\"").await, "[1]");
    assert!(given.run("\"PATH\"").await.starts_with("`t.p` failed: native"));
}

#[tokio::test]
async fn a_file_of_a_plugin_is_judged_and_labelled_like_any_other() {
    let imports = r#"(import "ringmail:plugin/files@0.1.0" "read" (func $f (param i32 i32 i32)))"#;
    let call = OF_NAME.replace('#', "0");
    let given = Given {
        guest: Guest { imports, call: &call, ..Guest::default() },
        asks: "[[fs]]\nmount = \"in\"\naccess = \"read\"\nreason = \"r\"\n",
        grants: "fs = [{ mount = \"in\", access = \"read\", label = [\"inner\"], extensions = [\"json\"] }]",
        project: "[mount.in]\npath = \"in\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\nrespond = { clearance = [\"inner\"] }",
        ..Given::default()
    };
    let bench = given.bench();
    std::fs::write(bench.folder.path().join("in/a.json"), "[1, 2]").unwrap();
    let report = bench.run(&[&CHAIN.replace("${input}", "in:a.json")], "{}").await;
    assert_eq!(shown(&report), "[1,2]");
    assert_eq!(report.labels(), [(String::new(), "untrusted · inner · from t.p.file".to_string())]);
    for denied in ["in:plugin.toml", "in:../ringmail.toml", "out:a.json", "/etc/passwd"] {
        let report = bench.run(&[&CHAIN.replace("${input}", denied)], "{}").await;
        assert!(shown(&report).starts_with("`t.p` failed: native"), "{denied}: {}", shown(&report));
    }
}

#[tokio::test]
async fn a_line_of_a_plugin_is_written_where_it_may_log() {
    let imports = r#"(import "ringmail:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))"#;
    let call = "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 200)) (call $ok (local.get $p) (local.get $n))";
    let asks = "[log]\nreason = \"r\"\n";
    let guest = Guest { imports, call, ..Guest::default() };
    let bench = Given { guest, asks, grants: "log = {}", ..Given::default() }.bench();
    assert_eq!(shown(&bench.run(&[CHAIN], "5").await), "5");
    let lines = bench.log.0.lock().unwrap();
    let line = lines.first().unwrap();
    assert_eq!((&*line.link, &*line.level, &*line.message), ("t.p.log", "warn", "5"));
}

#[tokio::test]
async fn time_and_chance_are_linked_where_they_are_granted() {
    let clock = r#"(import "ringmail:plugin/clock@0.1.0" "now" (func $now (result i64)))"#;
    let random = r#"(import "ringmail:plugin/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#;
    let now = "(if (i64.lt_u (call $now) (i64.const 1700000000000)) (then (unreachable))) (call $ok (local.get $p) (local.get $n))";
    let bytes = "(call $bytes (i32.const 8) (i32.const 200)) (if (i64.eqz (i64.load (i32.load (i32.const 200)))) (then (unreachable))) (call $ok (local.get $p) (local.get $n))";
    for (name, imports, call) in [("clock", clock, now), ("random", random, bytes)] {
        let asks = format!("[{name}]\nreason = \"r\"\n");
        let (granted, not) = (format!("{name} = true"), format!("{name} = false"));
        let given = |grants| Given {
            guest: Guest { imports, call, ..Guest::default() },
            asks: &asks,
            grants,
            ..Given::default()
        };
        assert_eq!(given(&granted).run("1").await, "1");
        assert!(
            given(&not).fault(|_| (), None).contains(&format!("`{name}` is not both asked for and granted"))
        );
    }
}

/// A tag on one path of what a plugin promises does not taint another, and no `returns` of the chain takes it away.
#[tokio::test]
async fn labels_of_the_manifest_stay_where_they_are() {
    let asks = "[returns]\ntype = \"object\"\n[returns.properties.card]\ntype = \"string\"\nx-ringmail-label = [\"pii\"]\n[returns.properties.id]\ntype = \"integer\"\n";
    let bench = Given { asks, ..Given::default() }.bench();
    for returns in ["", ", returns: {type: object, additionalProperties: true}"] {
        let chain = CHAIN.replace("with: '${input}'", &format!("with: {{card: '4111', id: 7}}{returns}"));
        let of = |path: &str| chain.replace("${p}", &format!("${{p.{path}}}"));
        assert_eq!(shown(&bench.run(&[&of("id")], "{}").await), "7");
        // Where the check knows beforehand, there is no run.
        let problems = bench.problems(&of("card"));
        let refused = match problems.is_empty() {
            true => shown(&bench.run(&[&of("card")], "{}").await),
            false => problems,
        };
        assert!(refused.contains("carries `pii`"), "{refused}");
    }
}

#[test]
fn a_grant_to_the_link_of_a_plugin_is_a_problem() {
    let call = fetch("GET");
    let asks = "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n";
    let grants = "net = [{ address = \"https://a.example\" }]";
    for to in ["t.p", "t.p.http"] {
        let project = format!(
            "[[grant]]\nto = \"{to}\"\nreason = \"r\"\nnet = [{{ address = \"https://b.example\" }}]"
        );
        let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
        let bench = Given { guest, asks, grants, project: &project, ..Given::default() }.bench();
        let checked = bench.engine.check(&[Source::new("t.yaml", CHAIN)]);
        let mut problems = ringmail_engine::core::doc::Problems::default();
        bench.engine.check_grants(&checked.plans, &mut problems);
        let expected = format!("`{to}` is a plugin's, which this grant gives nothing");
        assert!(problems.to_string().contains(&expected), "{problems}");
    }
}

#[tokio::test]
async fn every_call_of_a_plugin_is_counted() {
    let server = serve(|_| json_answer("1")).await;
    let call = fetch("GET");
    let (asks, grants) = (asks_net(&server), net(&server, ""));
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let bench = Given { guest, asks: &asks, grants: &grants, ..Given::default() }.bench();
    for url in [server.url("/"), server.url("/"), "https://elsewhere.example/".into()] {
        bench.run(&[&CHAIN.replace("${input}", &url)], "{}").await;
    }
    let figures = &bench.engine.plugin_figures()["p"];
    assert_eq!((figures.calls, figures.asks), (3, 3));
    assert!(figures.memory_bytes_peak >= 2 << 16, "{figures:?}");
    assert_eq!(figures.failures, std::collections::BTreeMap::from([("native", 1)]));
    assert!(figures.fuel > 0);
}

#[tokio::test]
async fn a_plugin_whose_leave_has_expired_does_not_run() {
    let given = Given { grants: "expires = 2000-01-01", ..Given::default() };
    assert!(given.bench().problems(CHAIN).contains("the leave to run `p` has expired"));
    let clock = Arc::new(Late((END_MS - 1_000).into()));
    let bench = given.bench_with(|builder| builder.clock(clock.clone()));
    let chain = bench.engine.load(&[Source::new("t.yaml", CHAIN)]).unwrap().remove(0);
    let request = || chain.request(json("1")).unwrap().principal(alice());
    assert_eq!(shown(&request().run().await), "1");
    clock.0.store(END_MS, Ordering::Relaxed);
    let refused = shown(&request().run().await);
    assert_eq!(refused, "refused grant-expired: the leave to run `p` has expired");
}

/// The end of a leave refused what a running call asked for from then on, as far as a gate was asked; the call itself
/// went on, kept and read what it liked, and its output was released.
#[tokio::test]
async fn attack_21_a_leave_that_expires_ends_a_call_in_the_middle() {
    let guest = Guest::calling("(loop $l (br $l)) (unreachable)");
    let grants = "expires = 2000-01-01\nlimits = { time = \"60s\" }";
    let clock = Arc::new(Late((END_MS - 60_000).into()));
    let bench =
        Given { guest, grants, ..Given::default() }.bench_with(|builder| builder.clock(clock.clone()));
    let chain = bench.engine.load(&[Source::new("t.yaml", CHAIN)]).unwrap().remove(0);
    let running = tokio::spawn(chain.request(json("1")).unwrap().principal(alice()).run());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!running.is_finished());
    let since = std::time::Instant::now();
    clock.0.store(END_MS, Ordering::Relaxed);
    let refused = "refused grant-expired: the leave to run `p` has expired";
    assert_eq!(shown(&running.await.unwrap()), refused);
    assert!(since.elapsed() < std::time::Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn check_knows_where_a_plugin_may_not_send() {
    let call = fetch("GET");
    let guest = Guest { imports: HTTP, call: &call, ..Guest::default() };
    let asks = "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n";
    let grants = "net = [{ address = \"https://a.example\" }]";
    let project = "[secret.s]\nfrom = \"env:PATH\"\nbound_to = [\"https://b.example\"]";
    let bench = Given { guest, asks, grants, project, ..Given::default() }.bench();
    let leaks = CHAIN.replace("${input}", "${secrets.s}");
    let problems = bench.problems(&leaks);
    assert!(problems.contains("carries `secret:s`"), "{problems}");
    assert_eq!(bench.problems(&CHAIN.replace("'${input}'", "1")), "");
    let unknown = bench.problems(&CHAIN.replace("plugin: p", "plugin: pp"));
    assert!(unknown.contains("there is no plugin `pp` (did you mean `p`?)"), "{unknown}");
}

/// A manifest said what a call may use, and a grant that said nothing of it gave exactly that.
#[tokio::test]
async fn attack_18_a_manifest_raises_no_limit_by_itself() {
    let asks = "[limits]\ntime = \"24h\"\nmemory = \"1GiB\"\nfuel = 1000000000000000\noutput = \"64MiB\"\nasks = 100000\n";
    let limits = |grants: &str| {
        let bench = Given { asks, grants, ..Given::default() }.bench();
        plugin_limits(bench.engine.plugins()["p"].powers.limits)
    };
    assert_eq!(limits(""), ringmail_host::CallLimits::default());
    let named = limits("limits = { time = \"30s\" }");
    assert_eq!(named.time_max, std::time::Duration::from_secs(30));
    assert_eq!(named.memory_bytes_max, 64 << 20);
    assert_eq!(limits("limits = { memory = \"2GiB\" }").memory_bytes_max, 1 << 30);
}

/// A plugin that is revoked between two calls of it.
pub async fn revoked_before_its_call() -> ringmail_engine::Report {
    let bench = Given::default().bench();
    let chain = bench.engine.load(&[Source::new("t.yaml", CHAIN)]).unwrap().remove(0);
    let request = || chain.request(json("1")).unwrap().principal(alice());
    assert_eq!(shown(&request().run().await), "1");
    assert!(!bench.engine.revoke_plugin("q", "unknown"));
    assert!(bench.engine.revoke_plugin("p", "a test"));
    request().run().await
}

#[tokio::test]
async fn attack_21_a_plugin_that_is_revoked_ends_in_the_middle_of_its_call() {
    let bench = Given {
        guest: Guest::calling("(loop $l (br $l)) (unreachable)"),
        grants: "limits = { time = \"60s\" }",
        ..Given::default()
    }
    .bench();
    let chain = bench.engine.load(&[Source::new("t.yaml", CHAIN)]).unwrap().remove(0);
    let running = tokio::spawn(chain.request(json("1")).unwrap().principal(alice()).run());
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!running.is_finished());
    let since = std::time::Instant::now();
    bench.engine.revoke_plugin("p", "it loops");
    assert_eq!(shown(&running.await.unwrap()), "refused grant-revoked: `p` was revoked: it loops");
    assert!(since.elapsed() < std::time::Duration::from_secs(1), "{:?}", since.elapsed());
    // The one after it does not even begin, and the first reason stays.
    bench.engine.revoke_plugin("p", "again");
    let after = shown(&bench.run(&[CHAIN], "1").await);
    assert_eq!(after, "refused grant-revoked: `p` was revoked: it loops");
}
