//! What passes through unchanged is passed on, not copied. `tests/copies.rs` counts bytes.

use crate::setup::{PERMIT_ALL, bench};
use ringmail_engine::core::value::Str;
use ringmail_engine::{Chain, Engine, Value};
use std::sync::Arc;

fn same(report: &ringmail_engine::Report, text: &Str) -> bool {
    matches!(report.result.as_ref().unwrap().value(), Value::Str(out) if Arc::ptr_eq(out, text))
}

#[tokio::test]
async fn a_text_that_passes_through_is_the_same_text() {
    let text: Str = "passed on".into();
    let chain = Chain::builder("t")
        .link("a", async |ctx| Ok(ctx.value().clone()))
        .link("b", async |ctx| Ok(ctx.get("text").cloned().unwrap_or_default()))
        .with(Value::map([("text", Value::from("${a}"))]))
        .build(&Engine::builder().build().unwrap())
        .unwrap();
    assert!(same(&chain.request(Value::Str(text.clone())).unwrap().run().await, &text));
    let yaml = "
chain: t
input: {type: object, properties: {text: {type: string, x-ringmail-label: [pii]}}}
links:
  a: {kind: native, call: same, with: {list: ['${input.text}']}}
  all: {kind: each, over: a.list, do: {links: {x: {kind: native, call: same, with: {v: '${item}'}}}, output: '${x.v}'}}
  one: {kind: choice, cases: [{when: 'true', value: '${all[0]}'}]}
  kept: {kind: endorse, reason: seen, with: {value: '${one}'}}
output: ${kept}";
    let project = "[[grant]]\nto = \"t\"\nreason = \"theirs\"\nrespond = { clearance = [\"pii\"] }\n";
    let bench = bench(project, PERMIT_ALL);
    let chain =
        bench.engine.load(&[ringmail_engine::core::doc::Source::new("t.yaml", yaml)]).unwrap().remove(0);
    let input = Value::map([("text", Value::Str(text.clone()))]);
    let report = chain.request(input).unwrap().principal(crate::setup::alice()).run().await;
    assert!(same(&report, &text), "{:?}", report.result);
}
