//! Chain files: any text is a chain with a flow verdict for each sink, or a list of problems that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_engine::Engine;
use ringmail_engine::core::doc::{Problem, Source, yaml};
use ringmail_engine::core::label::TagTable;
use std::path::Path;
use std::sync::LazyLock;

/// Enough granted that flows reach every layer.
const PROJECT: &str = r#"
[secret.key]
from = "env:KEY"
bound_to = ["https://api.example"]
[mount.data]
path = "."
[[grant]]
to = "t"
reason = "fuzzing"
net = [{ address = "https://api.example", methods = ["GET", "POST"], clearance = ["pii"], label = ["api"] }]
fs = [{ mount = "data", access = "write", extensions = ["txt"] }]
log = { clearance = ["pii"] }
respond = { clearance = ["api"] }
"#;
const POLICY: &str = "permit (principal, action, resource);";

/// An engine and the tags it starts with.
static ENGINE: LazyLock<(Engine, TagTable)> = LazyLock::new(|| {
    let engine = Engine::builder()
        .project(Source::new("ringmail.toml", PROJECT), Path::new(env!("CARGO_MANIFEST_DIR")))
        .policies(vec![Source::new("main.cedar", POLICY)])
        .unread_secrets()
        .build()
        .expect("the engine's own settings are right");
    let tags = engine.authority().tags.read().expect("nobody holds it").clone();
    (engine, tags)
});

fuzz_target!(|text: &str| {
    let (engine, tags) = &*ENGINE;
    // Tags of earlier inputs would make a crash depend on them.
    *engine.authority().tags.write().expect("nobody holds it") = tags.clone();
    let source = Source::new("t.yaml", text);
    let parsed = yaml::parse(&source);
    let mut checked = engine.check(std::slice::from_ref(&source));
    assert!(parsed.is_ok() || !checked.problems.is_empty(), "what is not YAML is no chain");
    engine.check_grants(&checked.plans, &mut checked.problems);
    let _ = checked.problems.to_string();
    let in_chain = |problem: &&Problem| problem.spot.as_ref().is_some_and(|spot| spot.source == source);
    for problem in checked.problems.0.iter().filter(in_chain) {
        let span = problem.spot.as_ref().map(|spot| spot.span).unwrap_or_default();
        assert!(text.get(span.start..span.end).is_some(), "{span:?} leaves the text: {}", problem.message);
    }
});
