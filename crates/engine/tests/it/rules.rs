//! Every rule and every kind of failure there is, brought about. A new one without a case here does not compile.

use crate::server::{answer, serve};
use crate::setup::{Bench, PERMIT_ALL, alice, bench_with, json, shown};
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::refusal::Rule;
use ringmail_engine::core::trail::Stage;
use ringmail_engine::middleware::{CallView, End, Middleware};
use ringmail_engine::{
    CallerAnswer, CallerQuestion, Clock, Engine, Failure, FailureKind, Report, Resolve, Resolving, RunError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ASK: &str =
    "{kind: ask, with: {message: who?, schema: {type: object, properties: {name: {type: string}}}}}";

/// Leads every name to a private address.
struct Private;

impl Resolve for Private {
    fn resolve<'r>(&'r self, _: &'r str) -> Resolving<'r> {
        Box::pin(async { Ok(vec!["10.0.0.1".parse().unwrap()]) })
    }
}

/// Knows no name.
struct Nowhere;

impl Resolve for Nowhere {
    fn resolve<'r>(&'r self, _: &'r str) -> Resolving<'r> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct Stops;

impl Middleware for Stops {
    fn before(&self, _: &CallView<'_>) -> Result<(), String> {
        Err("stopped".into())
    }

    fn after(&self, _: &CallView<'_>, _: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn is_guard(&self) -> bool {
        true
    }
}

fn bench(project: &str, policy: &str) -> Bench {
    bench_with(project, policy, |builder| {
        builder
            .native("act", async |ctx| Ok(ctx.value().clone()))
            .effect("act", "act")
            .resolver(Arc::new(Private))
    })
}

fn granted(powers: &str) -> String {
    format!("[[grant]]\nto = \"t\"\nreason = \"test\"\n{powers}\n")
}

fn chain(links: &str) -> String {
    format!("chain: t\nlinks: {{{links}}}\noutput: 1")
}

const GET: &str = "a: {kind: http, with: {url: '${input}'}}";
const LOG: &str = "a: {kind: log, with: {message: hello}}";
const ACT: &str = "effect = [{ name = \"act\" }]";
const TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\n";
/// Tagged only if the member is there, so that nothing is known ahead.
const MAYBE: &str =
    "chain: t\ninput: {type: object, properties: {k: {type: string, x-ringmail-label: [pii]}}}\n";

/// A clock that can be moved on.
struct Moved(AtomicU64);

impl Clock for Moved {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Loads a chain in 1970 and runs it in 2026.
async fn later(project: &str, link: &str) -> Report {
    let clock = Arc::new(Moved(AtomicU64::new(0)));
    let bench = bench_with(project, PERMIT_ALL, |builder| builder.clock(clock.clone()));
    let chain = bench.engine.load(&[Source::new("t.yaml", chain(link))]).unwrap().remove(0);
    clock.0.store(1_790_000_000_000, Ordering::Relaxed);
    chain.request(json("1")).unwrap().principal(alice()).run().await
}

/// A run that this rule refuses.
async fn refused(rule: Rule) -> Report {
    let plain = async |text: &str, input: &str| bench("", PERMIT_ALL).run(&[text], input).await;
    let get = async |project: &str, input: &str| bench(project, PERMIT_ALL).run(&[&chain(GET)], input).await;
    let net = granted("net = [{ address = \"https://a.test\" }]");
    let act = async |link: &str| bench(&granted(ACT), PERMIT_ALL).run(&[&chain(link)], "true").await;
    let enter = async |policy: &str| bench("", policy).run(&[&chain("")], "1").await;
    match rule {
        Rule::StepBudget => {
            let two = "a: {kind: native, call: same, with: 1}, b: {kind: native, call: same, with: '${a}'}";
            plain(&format!("limits: {{steps: 1}}\n{}", chain(two)), "1").await
        }
        Rule::TimeBudget => {
            let wait = chain("a: {kind: wait, with: {for: 60s}}");
            plain(&format!("limits: {{time: 1ms}}\n{wait}"), "1").await
        }
        Rule::DepthBudget => {
            let outer = format!("limits: {{depth: 1}}\n{}", chain("a: {kind: chain, chain: u}"));
            bench("", PERMIT_ALL).run(&[&outer, "chain: u\nlinks: {}\noutput: 1"], "1").await
        }
        Rule::ByteBudget => {
            let text = chain("a: {kind: native, call: same, with: '${input}'}");
            plain(&format!("limits: {{bytes: 1KiB}}\n{text}"), &format!("\"{}\"", "x".repeat(2_000))).await
        }
        Rule::NoGrant => get(&net, "\"https://b.test/\"").await,
        Rule::GrantExpired => later(&granted("expires = 2020-01-01\nlog = {}"), LOG).await,
        Rule::GrantRevoked => crate::plugins::revoked_before_its_call().await,
        Rule::ToolChanged => crate::mcp::turned().await,
        Rule::AboveCeiling => {
            get(&format!("{net}[ceiling]\nnet = [\"https://b.test\"]\n"), "\"https://a.test/\"").await
        }
        Rule::SpecialAddress => get(&net, "\"https://a.test/\"").await,
        Rule::BadAddress => get(&net, "\"https://a.test\\\\@b.test/\"").await,
        Rule::NoRecorder => {
            let engine = Engine::builder()
                .project(Source::new("p.toml", granted("log = {}")), std::path::Path::new("."))
                .policies(vec![Source::new("p.cedar", PERMIT_ALL)])
                .build()
                .unwrap();
            let loaded = engine.load(&[Source::new("t.yaml", chain(LOG))]).unwrap().remove(0);
            loaded.request(json("1")).unwrap().principal(alice()).run().await
        }
        Rule::RecordFailed => {
            let bench = bench(&granted("log = {}"), PERMIT_ALL);
            std::fs::remove_dir_all(&bench.records).unwrap();
            bench.run(&[&chain(LOG)], "1").await
        }
        Rule::Clearance => plain(&format!("{MAYBE}links: {{}}\noutput: '${{input}}'"), "{\"k\": \"x\"}").await,
        Rule::UntrustedArgument => act("a: {kind: native, call: act, with: {v: '${input}'}}").await,
        Rule::UntrustedDecision => act("a: {kind: native, call: act, with: {v: 1}, when: input}").await,
        Rule::Quota => unreachable!("a guest is told, and its run goes on; the tests of plugins bring it about"),
        Rule::InDoubt => unreachable!("a run is left open by it; the tests of the binary kill one"),
        Rule::NotApproved => unreachable!("persons are asked; the tests of the binary let one say no"),
        Rule::ForeignTenant => unreachable!("an engine has one tenant in a run; core's own tests bring two"),
        Rule::UntrustedDeclassify => {
            let drop = "links: {a: {kind: declassify, drop: [pii], reason: r, with: {value: '${input}'}}}";
            plain(&format!("{TAGGED}{drop}\noutput: 1"), "\"x\"").await
        }
        Rule::OutOfScope => {
            plain(&chain("a: {kind: endorse, reason: r, scope: value < 1, with: {value: '${input}'}}"), "1")
                .await
        }
        Rule::ActExpired => {
            let link = "a: {kind: endorse, reason: r, expires: 2020-01-01, with: {value: '${input}'}}";
            later("", link).await
        }
        Rule::PolicyForbids => {
            enter(&format!("{PERMIT_ALL}\nforbid (principal == Ringmail::Principal::\"alice\", action, resource);"))
                .await
        }
        Rule::PolicySilent => {
            enter("permit (principal == Ringmail::Principal::\"bob\", action, resource);").await
        }
        Rule::PolicyFailed => {
            enter(&format!(
                "{PERMIT_ALL}\nforbid (principal, action, resource) when {{ context.steps - 9223372036854775807 - 9 < 0 }};"
            ))
            .await
        }
    }
}

#[tokio::test]
async fn every_rule_refuses_a_run_and_stands_on_its_trail() {
    for rule in Rule::ALL
        .iter()
        .filter(|rule| !matches!(rule, Rule::ForeignTenant | Rule::Quota | Rule::InDoubt | Rule::NotApproved))
    {
        let report = refused(*rule).await;
        let Err(RunError::Refused(refusal)) = &report.result else {
            panic!("{}: {}", rule.id(), shown(&report))
        };
        assert_eq!(refusal.rule, *rule, "{refusal}");
        let on_trail = report
            .trail
            .iter()
            .any(|event| matches!(&event.stage, Stage::Refused(refusal) if refusal.rule == *rule));
        assert!(on_trail, "{}", rule.id());
    }
}

/// A run that fails this way.
async fn failed(kind: FailureKind) -> Report {
    let server = serve(|_| answer(404, "", b"")).await;
    let url = server.url("");
    let project = format!(
        "[mount.inbox]\npath = \"in\"\n{}",
        granted(&format!(
            "net = [{{ address = \"{url}\" }}, {{ address = \"https://a.test\" }}]\nfs = [{{ mount = \"inbox\", access = \"read\" }}]"
        ))
    );
    let bench = bench_with(&project, PERMIT_ALL, |builder| {
        builder
            .native("fails", async |_| -> Result<(), _> {
                Err(Failure::new(FailureKind::Native, "asked to"))
            })
            .native("panics", async |_| -> Result<(), _> { panic!("asked to") })
            .native("emits", async |ctx| ctx.emit(1).await)
            .middleware("stops", Stops)
            .resolver(Arc::new(Nowhere))
    });
    let run = async |links: &str| bench.run(&[&chain(links)], "0").await;
    match kind {
        FailureKind::Timeout => run("a: {kind: wait, timeout: 1ms, with: {for: 60s}}").await,
        FailureKind::Unavailable => run("a: {kind: http, with: {url: 'https://a.test/'}}").await,
        FailureKind::Status => run(&format!("a: {{kind: http, with: {{url: '{url}/'}}}}")).await,
        FailureKind::Invalid => run("a: {kind: native, call: json_parse, with: {text: x}}").await,
        FailureKind::Expression => run("a: {kind: native, call: same, with: '${1 / input}'}").await,
        FailureKind::Range => {
            run("a: {kind: extract, as: int, min: 1, max: 2, with: {from: '${input}'}}").await
        }
        FailureKind::NoCase => run("a: {kind: choice, cases: [{when: input > 0, value: 1}]}").await,
        FailureKind::Rounds => {
            run("a: {kind: repeat, start: 0, until: state > 0, at_most: 2, do: {links: {}, output: 0}}").await
        }
        FailureKind::Guard => run("a: {kind: native, call: same, with: 1, middleware: [stops]}").await,
        FailureKind::TooLarge => {
            run("a: {kind: each, over: '[1, 2]', at_most: 1, do: {links: {}, output: 1}}").await
        }
        FailureKind::Limit => {
            let few = "[plugin.p.limits]\nfuel = 1";
            let bench = crate::plugins::Given { grants: few, ..Default::default() }.bench();
            bench.run(&[crate::plugins::CHAIN], "1").await
        }
        FailureKind::NotFound => run("a: {kind: file, with: {op: read, path: 'inbox:none'}}").await,
        FailureKind::File => run("a: {kind: file, with: {op: read, path: 'inbox:.'}}").await,
        FailureKind::Native => run("a: {kind: native, call: fails}").await,
        FailureKind::Panicked => run("a: {kind: native, call: panics}").await,
        FailureKind::Conflict => {
            let once = "x: {kind: native, call: same, idempotency_key: k, with: {v: '${item}'}}";
            run(&format!("a: {{kind: each, over: '[1, 2]', do: {{links: {{{once}}}, output: 1}}}}")).await
        }
        FailureKind::Cancelled => {
            let text = format!("stream: a\n{}", chain("a: {kind: native, call: emits}"));
            let loaded = bench.engine.load(&[Source::new("t.yaml", text)]).unwrap().remove(0);
            // Nobody listens: the other end of the channel is gone.
            let pieces = tokio::sync::mpsc::channel(1).0;
            loaded.request(json("0")).unwrap().principal(alice()).pieces(pieces).run().await
        }
        FailureKind::Unasked => run(&format!("a: {ASK}")).await,
        FailureKind::Declined => {
            let chain = chain(&format!("a: {ASK}"));
            let loaded = bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
            let (caller, mut questions) = tokio::sync::mpsc::channel::<CallerQuestion>(1);
            let running = loaded.request(json("0")).unwrap().principal(alice()).caller(caller).run();
            let answering = async { questions.recv().await.unwrap().tell(CallerAnswer::Declined) };
            tokio::join!(running, answering).0
        }
    }
}

/// What somebody answers is somebody's word.
#[tokio::test]
async fn what_a_caller_answers_is_untrusted_and_says_where_it_is_from() {
    let bench = bench("", PERMIT_ALL);
    let chain = format!("chain: t\nlinks:\n  a: {ASK}\noutput: ${{a}}\n");
    let loaded = bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (caller, mut questions) = tokio::sync::mpsc::channel::<CallerQuestion>(1);
    let running = loaded.request(json("0")).unwrap().principal(alice()).caller(caller).run();
    let answering = async {
        let question = questions.recv().await.unwrap();
        assert!(question.check(&CallerAnswer::Given(json("{\"name\":1}"))).is_err());
        question.tell(CallerAnswer::Given(json("{\"name\":\"Ada\"}")));
    };
    let (report, ()) = tokio::join!(running, answering);
    let labels = report.labels();
    assert!(labels.iter().all(|(_, words)| words == "untrusted · from t.a, the caller"), "{labels:?}");
    assert_eq!(report.output().unwrap().value(), &json("{\"name\":\"Ada\"}"));
}

/// Others may have a day; whoever called is not waited for so long.
#[tokio::test]
async fn a_caller_that_may_say_yes_is_asked_for_an_hour_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench_with("", "permit (principal, action, resource);", |builder| {
        builder.approvals(folder.path().join("approvals"))
    });
    let chain = chain("a: {kind: approve, reason: r, with: {value: 1}}");
    let loaded = bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (caller, mut questions) = tokio::sync::mpsc::channel::<CallerQuestion>(1);
    let running = loaded.request(json("0")).unwrap().principal(alice()).caller(caller).run();
    let answering = async {
        let question = questions.recv().await.unwrap();
        let left_ms = question.until_ms - ringmail_engine::SystemClock.now_ms();
        question.tell(CallerAnswer::Given(json("{\"approve\":true}")));
        left_ms
    };
    let (report, left_ms) = tokio::join!(running, answering);
    assert!(report.result.is_ok(), "{}", shown(&report));
    assert!(left_ms <= 3_600_000 && left_ms > 3_500_000, "{left_ms}");
}

#[tokio::test]
async fn every_failure_ends_a_run_and_stands_on_its_trail() {
    for kind in FailureKind::ALL {
        let report = failed(*kind).await;
        let Err(RunError::Failed { failure, .. }) = &report.result else {
            panic!("{}: {}", kind.id(), shown(&report))
        };
        assert_eq!(failure.kind, *kind, "{failure}");
        let on_trail = report.trail.iter().any(
            |event| matches!(&event.stage, Stage::Failed { failure, .. } if failure.starts_with(kind.id())),
        );
        assert!(on_trail, "{}", kind.id());
    }
}

#[tokio::test]
async fn untrusted_data_cannot_decide_that_something_is_declassified() {
    let text = "chain: t
input: {type: object, properties: {key: {type: string, x-ringmail-label: [inner]}, go: {type: boolean}}}
links:
  kept: {kind: endorse, reason: r, with: {value: '${input.key}'}}
  free: {kind: declassify, drop: [inner], reason: r, when: input.go, with: {value: '${kept}'}}
output: ${free}";
    let bench = bench("", PERMIT_ALL);
    let refused = shown(&bench.run(&[text], r#"{"key": "k", "go": true}"#).await);
    assert!(refused.starts_with("refused untrusted-declassify"), "{refused}");
    let decided = text.replace(", when: input.go", "");
    assert_eq!(shown(&bench.run(&[&decided], r#"{"key": "k", "go": true}"#).await), "\"k\"");
}
