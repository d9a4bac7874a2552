//! The spine's goals: what a hop, a gate, a label and a check cost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that fails should stop")]

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::chain::walk::{Next, Ready, Walk};
use ringmail_engine::core::detect::Detectors;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::gate::{self, Authority, Entered, Moment};
use ringmail_engine::core::label::{Label, Labeled, OriginTable, TagTable, Tenant};
use ringmail_engine::core::run::{Limits, Run};
use ringmail_engine::middleware::Middleware;
use ringmail_engine::{Chain, Engine, Principal, Value};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn native_chain(links: usize, middleware: usize) -> Chain {
    struct Nothing;
    impl Middleware for Nothing {}
    let mut builder = Chain::builder("hops");
    for at in 0..middleware {
        builder = builder.middleware(&format!("m{at}"), Nothing);
    }
    for at in 0..links {
        builder = builder.link(&format!("l{at}"), async |ctx| Ok(ctx.value().clone()));
    }
    builder.build(&Engine::builder().build().unwrap()).unwrap()
}

/// A whole run; divide by the links for the cost of a hop, after taking the empty chain's run off.
/// Goal: a hop well under 1 us.
#[divan::bench(args = [0, 10, 100])]
fn native_hops(bencher: Bencher<'_, '_>, links: usize) {
    let (chain, runtime) = (native_chain(links, 0), runtime());
    bencher
        .counter(ItemsCount::new(links))
        .bench_local(|| runtime.block_on(chain.run(Value::Int(1))).unwrap());
}

#[divan::bench(args = [10, 100])]
fn native_hops_with_three_middleware(bencher: Bencher<'_, '_>, links: usize) {
    let (chain, runtime) = (native_chain(links, 3), runtime());
    bencher
        .counter(ItemsCount::new(links))
        .bench_local(|| runtime.block_on(chain.run(Value::Int(1))).unwrap());
}

#[divan::bench]
fn check_of_a_chain_with_1000_links(bencher: Bencher<'_, '_>) {
    let mut text =
        String::from("chain: large\nlinks:\n  l0: {kind: native, call: same, with: {v: '${input.v}'}}\n");
    for at in 1..1000 {
        text.push_str(&format!("  l{at}: {{kind: native, call: same, with: {{v: '${{l{}.v}}'}}}}\n", at - 1));
    }
    text.push_str("output: ${l999.v}\n");
    let source = Source::new("large.yaml", text);
    let engine = Engine::builder().build().unwrap();
    assert!(engine.check(std::slice::from_ref(&source)).problems.is_empty());
    bencher.bench_local(|| engine.check(std::slice::from_ref(&source)));
}

const MOMENT: Moment = Moment { now_ms: 0, at_us: 0 };

/// A link whose call is ready, and everything the gate judges it by.
struct Case {
    plan: Arc<Plan>,
    authority: Arc<Authority>,
    ready: Ready,
}

impl Case {
    /// 1,000 grants for the chain; the one that fits the link comes last.
    fn new(link: &str, policies: &str) -> Case {
        let grants: String = (0..1000)
            .map(|at| {
                format!(
                    "[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"https://h{at}.example\" }}]\neffect = [{{ name = \"e{at}\" }}]\n"
                )
            })
            .collect();
        let engine = Engine::builder()
            .project(Source::new("ringmail.toml", grants), Path::new("."))
            .policies(vec![Source::new("main.cedar", policies)])
            .native("act", async |ctx| Ok(ctx.value().clone()))
            .effect("act", "e999")
            .build()
            .unwrap();
        let link = match link {
            "http" => "{kind: http, with: {url: 'https://h999.example/x'}}",
            _ => "{kind: native, call: act, with: {url: x}}",
        };
        let source = Source::new("t.yaml", format!("chain: t\nlinks:\n  l: {link}\n"));
        let plan = engine.load(&[source]).unwrap().first().unwrap().plan().clone();
        let authority = engine.authority().clone();
        let (run, entered) = enter(&plan, &authority);
        let mut walk = Walk::begin(entered, Arc::new(Mutex::new(run)), &Labeled::default());
        let Some(Next::Call(ready)) = walk.step() else { panic!("the link is not ready") };
        Case { plan, authority, ready }
    }

    fn admit(&self, bencher: Bencher<'_, '_>) {
        let judge = |(ready, mut run): (Ready, Run)| {
            let judged = gate::admit(&self.plan, ready, 1, &mut run, &self.authority, MOMENT);
            (judged, run)
        };
        let inputs = || (self.ready.clone(), enter(&self.plan, &self.authority).0);
        judge(inputs()).0.unwrap();
        bencher.with_inputs(inputs).bench_local_values(judge);
    }
}

fn enter(plan: &Arc<Plan>, authority: &Arc<Authority>) -> (Run, Entered) {
    let mut run = Run::new("r".into(), Principal::host(), Limits::default(), 0, 0);
    let entered = gate::enter(plan, Value::Int(1), &mut run, authority, MOMENT).unwrap();
    (run, entered)
}

/// A permit and 99 policies that forbid calls `when`, with `#` as their number.
fn policies(when: &str) -> String {
    let forbids = (1..100).map(|at| {
        let when = when.replace('#', &at.to_string());
        format!("forbid (principal, action == Ringmail::Action::\"call\", resource) when {{ {when} }};\n")
    });
    forbids.fold(PERMIT.to_string(), |all, forbid| all + forbid.as_str())
}

const PERMIT: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);\n";

/// One permit without conditions, whose answer is remembered: grants and flow alone. Goal: 1 us.
#[divan::bench(args = ["http", "effect"])]
fn admit_with_1000_grants(bencher: Bencher<'_, '_>, link: &str) {
    Case::new(link, PERMIT).admit(bencher);
}

/// Policies about labels, whose answers are remembered. Goal: 5 us.
#[divan::bench(args = ["http", "effect"])]
fn admit_with_1000_grants_and_100_policies(bencher: Bencher<'_, '_>, link: &str) {
    Case::new(link, &policies("context.tags.contains(\"tag-#\")")).admit(bencher);
}

/// Policies about arguments, so that Cedar is asked for each call. Goal: 5 us.
#[divan::bench(args = ["http", "effect"])]
fn admit_with_1000_grants_and_100_policies_on_arguments(bencher: Bencher<'_, '_>, link: &str) {
    let when = "context.args.hasTag(\"url\") && context.args.getTag(\"url\") == \"https://evil-#.example/\"";
    Case::new(link, &policies(when)).admit(bencher);
}

/// Goal: 5 ns.
#[divan::bench]
fn label_join(bencher: Bencher<'_, '_>) {
    let (mut tags, mut origins) = (TagTable::default(), OriginTable::default());
    let mut label = |tag: &str, origin: &str, untrusted: bool| Label {
        tags: tags.intern(tag).unwrap(),
        origins: origins.intern(&origin.into()),
        tenant: Tenant::number(1).unwrap(),
        untrusted,
    };
    let (left, right) = (label("pii", "input", false), label("secret:key", "t.ask", true));
    bencher.bench_local(|| black_box(left).join(black_box(right)));
}

const PROSE: &str = "Dear team, the order of last week has not arrived. It was to come on Monday; the shop (in Hall 3) says \
    that it left on time - at 9:30, with the others. Could somebody look? If it's lost, please send another. Thanks!\n";
const RECORD: &str = r#"{"id":184467440,"name":"Ada","created_at":"2026-11-22T01:14:41.123Z","price":41.87,"tags":["new_item","on-sale"],"url":"https://example.com/items/5?ref=a_b","uuid":"550e8400-e29b-41d4-a716-446655440000"},
"#;

/// Every detector, over a text that holds nothing. Goal: 500 MB/s on prose.
#[divan::bench(args = [("prose", 1_000), ("prose", 1_000_000), ("json", 1_000), ("json", 1_000_000)])]
fn detectors(bencher: Bencher<'_, '_>, (kind, bytes): (&str, usize)) {
    let piece = if kind == "prose" { PROSE } else { RECORD };
    let text = piece.repeat(bytes / piece.len() + 1);
    let detectors = Detectors::all(&mut TagTable::default());
    assert!(detectors.find(&text).is_empty());
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| detectors.find(black_box(&text)));
}
