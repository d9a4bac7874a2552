//! Random chains: they end within their budget, and a second, naive interpreter of labels agrees with the real one.

use crate::setup::{PERMIT_ALL, alice, bench, json, shown};
use proptest::prelude::*;
use ringmail_engine::RunError;
use ringmail_engine::core::doc::Source;
use std::collections::BTreeSet;

/// One random link: what it reads, what decides it, and whether it is a sink.
#[derive(Clone, Debug)]
struct Draft {
    reads: Vec<usize>,
    /// A source whose truth decides whether the link runs.
    when: Option<usize>,
    kind: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Native,
    Choice,
    Each,
    Repeat,
    Extract,
    /// Writes to the log, which is cleared for tag `a` alone.
    Log,
    /// A consequential effect that wants everything trusted.
    Effect,
}

/// What the naive interpreter knows of a value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive {
    tags: BTreeSet<&'static str>,
    untrusted: bool,
}

impl Naive {
    fn join(&self, other: &Naive) -> Naive {
        Naive {
            tags: self.tags.union(&other.tags).copied().collect(),
            untrusted: self.untrusted || other.untrusted,
        }
    }
}

/// The four members of the input: two tagged, one of them untrusted too, one plain. All else is trusted by vouching.
const SOURCES: [&str; 4] = ["input.a", "input.b", "input.dirty", "input.plain"];

fn source(at: usize) -> Naive {
    match at {
        0 => Naive { tags: BTreeSet::from(["a"]), untrusted: false },
        1 => Naive { tags: BTreeSet::from(["b"]), untrusted: false },
        2 => Naive { tags: BTreeSet::new(), untrusted: true },
        _ => Naive::default(),
    }
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let shape = prop_oneof![
        4 => Just(Shape::Native), 1 => Just(Shape::Choice), 1 => Just(Shape::Each), 1 => Just(Shape::Repeat),
        1 => Just(Shape::Extract), 2 => Just(Shape::Log), 2 => Just(Shape::Effect),
    ];
    let draft =
        (proptest::collection::vec(0..100_usize, 1..4), proptest::option::weighted(0.3, 0..4_usize), shape);
    let draft = draft.prop_map(|(reads, when, kind)| Draft { reads, when, kind });
    proptest::collection::vec(draft, 1..8)
}

/// What link `at` reads: sources and links before it.
fn reads(drafts: &[Draft], at: usize) -> Vec<usize> {
    drafts[at].reads.iter().map(|read| read % (SOURCES.len() + at)).collect()
}

fn name(read: usize) -> String {
    if read < SOURCES.len() { SOURCES[read].into() } else { format!("l{}", read - SOURCES.len()) }
}

fn text(drafts: &[Draft]) -> String {
    let mut out = String::from(
        "chain: t\ninput:\n  type: object\n  properties:\n    a: {type: string, x-ringmail-label: [a]}\n    b: {type: string, x-ringmail-label: [b]}\n    dirty: {type: string, x-ringmail-label: [untrusted]}\n    plain: {type: string}\nlinks:\n",
    );
    for (at, draft) in drafts.iter().enumerate() {
        let reads: Vec<String> = reads(drafts, at).into_iter().map(name).collect();
        let list = reads.iter().map(|read| format!("'${{{read}}}'")).collect::<Vec<_>>().join(", ");
        let json = reads.iter().map(|read| format!("json({read})")).collect::<Vec<_>>().join(" + ");
        let when =
            draft.when.map_or(String::new(), |when| format!("\n    when: \"{} != 'no'\"", SOURCES[when]));
        let body = match draft.kind {
            Shape::Native => format!("kind: native\n    call: same\n    with: {{v: [{list}]}}"),
            Shape::Choice => format!(
                "kind: choice\n    cases: [{{when: \"size({json}) > 100000\", value: 1}}]\n    otherwise: {{value: other}}"
            ),
            Shape::Each => format!(
                "kind: each\n    over: '[{}]'\n    do: {{links: {{x: {{kind: native, call: same, with: {{v: '${{item}}'}}}}}}, output: '${{x.v}}'}}",
                reads.join(", ")
            ),
            Shape::Repeat => format!(
                "kind: repeat\n    start: [{list}]\n    until: 'true'\n    at_most: 2\n    do: {{links: {{}}, output: '${{state}}'}}"
            ),
            Shape::Extract => {
                format!("kind: extract\n    as: bool\n    with: {{from: \"${{size({json}) > 3}}\"}}")
            }
            Shape::Log => format!("kind: log\n    with: {{message: \"${{{json}}}\"}}"),
            Shape::Effect => format!("kind: native\n    call: act\n    with: {{v: [{list}]}}"),
        };
        out.push_str(&format!("  l{at}:\n    {body}{when}\n"));
    }
    let output = (0..drafts.len()).map(|at| format!("done(l{at})")).collect::<Vec<_>>().join(", ");
    out.push_str(&format!("output: '${{[{output}]}}'\n"));
    out
}

/// The first sink the naive interpreter refuses, in the order links run; or nothing.
fn naive(drafts: &[Draft]) -> Option<usize> {
    let mut values: Vec<Naive> = Vec::new();
    let mut controls: Vec<Naive> = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let of = |read: usize| {
            if read < SOURCES.len() { source(read) } else { values[read - SOURCES.len()].clone() }
        };
        let control_of = |read: usize| {
            if read < SOURCES.len() { Naive::default() } else { controls[read - SOURCES.len()].clone() }
        };
        let reads = reads(drafts, at);
        let data =
            reads.iter().fold(Naive::default(), |all, read| all.join(&of(*read)).join(&control_of(*read)));
        let control = reads
            .iter()
            .fold(draft.when.map_or(Naive::default(), source), |all, read| all.join(&control_of(*read)));
        let all = data.join(&control);
        let refused = match draft.kind {
            Shape::Log => all.tags.contains("b"),
            Shape::Effect => all.untrusted || !all.tags.is_empty(),
            _ => false,
        };
        if refused {
            return Some(at);
        }
        let output = match draft.kind {
            Shape::Extract => Naive { untrusted: control.untrusted, tags: all.tags.clone() },
            _ => all,
        };
        values.push(output);
        controls.push(control);
    }
    None
}

/// Whether link `early` must have run before link `late`: refusals in independent links may come in either order.
fn refusals(drafts: &[Draft]) -> BTreeSet<usize> {
    // Each sink is judged on its own: with the others taken out, the first refused is the only one.
    (0..drafts.len())
        .filter(|at| matches!(drafts[*at].kind, Shape::Log | Shape::Effect))
        .filter(|at| {
            let alone: Vec<Draft> = drafts
                .iter()
                .enumerate()
                .map(|(other, draft)| match draft.kind {
                    Shape::Log | Shape::Effect if other != *at => {
                        Draft { kind: Shape::Native, ..draft.clone() }
                    }
                    _ => draft.clone(),
                })
                .collect();
            naive(&alone) == Some(*at)
        })
        .collect()
}

const PROJECT: &str = "[[grant]]\nto = \"t\"\nreason = \"r\"\nlog = { clearance = [\"a\"] }\neffect = [{ name = \"act\" }]\nrespond = { clearance = [\"a\", \"b\"] }\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A run is refused exactly when some sink in it must be, and then at such a sink: no tagged value ever reaches
    /// a sink without the tag's clearance, and nothing that may flow is stopped.
    #[test]
    fn the_real_interpreter_of_labels_agrees_with_a_naive_one(drafts in drafts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let vouch = format!("{PERMIT_ALL}\npermit (principal, action == Ringmail::Action::\"vouch\", resource);");
        let bench = crate::setup::bench_with(PROJECT, &vouch, |builder| builder.native("act", async |ctx| Ok(ctx.value().clone())).effect("act", "act"));
        let text = text(&drafts);
        let expected = refusals(&drafts);
        let checked = bench.engine.check(&[Source::new("t.yaml", text.clone())]);
        if !checked.problems.is_empty() {
            // Foreseen as impossible: then some sink must really be refused.
            prop_assert!(!expected.is_empty(), "refused before running, and nothing is wrong: {}\n{text}", checked.problems);
            return Ok(());
        }
        let report = runtime.block_on(async {
            let chain = bench.engine.load(&[Source::new("t.yaml", text.clone())]).unwrap().remove(0);
            chain.request(json(r#"{"a": "x", "b": "y", "dirty": "z", "plain": "p"}"#)).unwrap().principal(alice()).run().await
        });
        match &report.result {
            Ok(_) => prop_assert!(expected.is_empty(), "should be refused at {expected:?}\n{text}"),
            Err(RunError::Refused(refusal)) => {
                let at: usize = refusal.link.rsplit('l').next().unwrap().parse().unwrap();
                prop_assert!(expected.contains(&at), "refused at {at}, expected {expected:?}: {refusal}\n{text}");
            }
            Err(error) => prop_assert!(false, "{error}\n{text}"),
        }
    }

    /// Whatever edges, conditions and orders a graph has, a run of it ends.
    #[test]
    fn random_graphs_end_within_their_budget(
        links in proptest::collection::vec((proptest::collection::vec(0..12_usize, 0..3), proptest::collection::vec((0..12_usize, 0..3_u8), 0..3), any::<bool>()), 1..12)
    ) {
        let count = links.len();
        let mut text = String::from("chain: t\nlimits: {steps: 50, time: 10s}\nlinks:\n");
        for (at, (reads, edges, fails)) in links.iter().enumerate() {
            let reads = reads.iter().map(|read| format!("'${{done(l{}) ? 1 : 0}}'", read % count)).collect::<Vec<_>>().join(", ");
            let call = if *fails { "json_parse" } else { "same" };
            let edges = edges.iter().map(|(to, on)| {
                let on = ["success", "error", "refused"][usize::from(*on)];
                format!("{{on: {on}, if: 'true', to: l{}}}", to % count)
            }).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("  l{at}: {{kind: native, call: {call}, with: {{v: [{reads}]}}, edges: [{edges}]}}\n"));
        }
        text.push_str("output: 1\n");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = bench("", PERMIT_ALL);
        if let Ok(mut chains) = bench.engine.load(&[Source::new("t.yaml", text.clone())]) {
            let run = chains.remove(0).request(json("{}")).unwrap().principal(alice()).run();
            let report = runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(60), run).await });
            let report = report.expect("the run ends");
            prop_assert!(report.trail.len() < 500, "{}\n{text}", shown(&report));
        }
    }
}
