//! Detectors through a whole engine: what servers answer, what chains put together, what callers are told.

use crate::server::{answer, json_answer, serve};
use crate::setup::{PERMIT_ALL, bench, shown};
use ringmail_engine::Engine;
use ringmail_engine::core::trail::Stage;

/// In two halves, so that scanners of repositories let it be.
fn token() -> String {
    ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"].concat()
}

fn grant(to: &str, address: &str, more: &str) -> String {
    format!("[[grant]]\nto = \"{to}\"\nreason = \"test\"\nnet = [{{ address = \"{address}\"{more} }}]\n")
}

#[tokio::test]
async fn attack_38_a_token_that_a_server_let_slip_goes_to_no_other_server() {
    let leak = token();
    let one = serve(move |_| json_answer(&format!(r#"{{"log": "using {leak} now", "state": "ok"}}"#))).await;
    let two = serve(|_| answer(200, "", b"thanks")).await;
    let chain = |sent: &str| {
        format!(
            "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}'}}}}\n  tell: {{kind: http, with: {{url: '{}', query: {{note: '${{get.body.{sent}}}'}}}}}}\noutput: ${{tell.body}}",
            one.url("/"),
            two.url("/")
        )
    };
    let grants =
        |more: &str| format!("{}{}", grant("t.get", &one.url(""), ""), grant("t.tell", &two.url(""), more));
    let engine = bench(&grants(""), PERMIT_ALL);
    let refused = engine.run(&[&chain("log")], "{}").await;
    let words = shown(&refused);
    let sink = two.url("");
    assert_eq!(
        words,
        format!(
            "refused clearance: `query.note` carries `credential`, which `{sink}` may not see, from `t.get`; the detector `token` tagged it"
        )
    );
    assert!(two.requests().is_empty());
    let found = refused.trail.iter().filter(|event| matches!(event.stage, Stage::Found { .. })).count();
    assert_eq!(found, 1, "what is no news is not recorded again");
    assert_eq!(shown(&engine.run(&[&chain("state")], "{}").await), "\"thanks\"", "its neighbour may go");

    let cleared = bench(&grants(", clearance = [\"credential\"]"), PERMIT_ALL);
    assert!(
        shown(&cleared.run(&[&chain("log")], "{}").await).contains("`the caller`"),
        "it taints the answer"
    );
    assert_eq!(two.requests().len(), 2);
    let off = bench(&format!("{}[detect]\ntoken = false\n", grants("")), PERMIT_ALL);
    assert_eq!(shown(&off.run(&[&chain("log")], "{}").await), "\"thanks\"");
}

/// A download that a server sends on to a signed address of another works as it did.
#[tokio::test]
async fn a_server_may_send_on_to_an_address_with_a_token() {
    let two = serve(|_| answer(200, "", b"file")).await;
    let to = format!("{}?t={}", two.url("/"), token());
    let one = serve(move |_| answer(302, &format!("location: {to}\r\n"), b"")).await;
    let project = format!("{}{}", grant("t", &one.url(""), ""), grant("t", &two.url(""), ""));
    let chain = format!(
        "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}'}}}}\noutput: ${{get.body}}",
        one.url("/")
    );
    assert_eq!(shown(&bench(&project, PERMIT_ALL).run(&[&chain], "{}").await), "\"file\"");
}

/// The arguments are put together at the gate, so only the gate knows what a failure tells of.
#[tokio::test]
async fn a_failure_tells_nothing_of_a_token_that_was_found_at_the_gate() {
    let server = serve(|_| answer(404, "", b"")).await;
    let project = grant("t", &server.url(""), ", clearance = [\"credential\"]");
    let chain = format!(
        "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}', query: {{q: 'ghp_${{input}}'}}}}}}\noutput: 1",
        server.url("/")
    );
    let rest = token().trim_start_matches("ghp_").to_string();
    let bench = bench(&project, PERMIT_ALL);
    let plain = shown(&bench.run(&[&chain], "\"hello\"").await);
    assert!(plain.ends_with("answered 404"), "{plain}");
    let told = shown(&bench.run(&[&chain], &format!("\"{rest}\"")).await);
    assert!(told.ends_with("what it is about is restricted"), "{told}");
}

#[tokio::test]
async fn an_engine_without_a_project_detects_as_well() {
    let engine = Engine::builder().build().unwrap();
    let chain = ringmail_engine::Chain::builder("t")
        .link("a", async |ctx| Ok(format!("{}{}", ctx.args::<String>()?, "Lq17")))
        .build(&engine)
        .unwrap();
    let text = token();
    let most = text.trim_end_matches("Lq17");
    assert_eq!(chain.run("hello").await.unwrap().value().as_str(), Some("helloLq17"));
    let refused = chain.run(most).await.unwrap_err().to_string();
    assert!(refused.contains("the detector `token` tagged it"), "{refused}");
}

#[tokio::test]
async fn a_check_says_what_a_detector_may_still_stop() {
    let chain = "chain: t\nlinks:\n  a: {kind: log, with: {message: '${input}'}}\n  b: {kind: log, with: {message: fixed}}\noutput: 1";
    let verdicts = |log: &str, more: &str| {
        let project = format!("[[grant]]\nto = \"t\"\nreason = \"r\"\nlog = {log}\n{more}");
        let bench = bench(&project, PERMIT_ALL);
        let checked = bench.engine.check(&[ringmail_engine::core::doc::Source::new("c.yaml", chain)]);
        checked.verdicts.iter().map(|(_, verdict)| format!("{:?}", verdict.answer)).collect::<Vec<_>>()
    };
    let open = "Allowed { unless: [] }";
    assert_eq!(verdicts("{}", ""), ["Allowed { unless: [\"credential\"] }", open]);
    assert_eq!(verdicts("{ clearance = [\"credential\"] }", ""), [open, open]);
    let off = "[detect]\ntoken = false\nprivate_key = false\njwt = false\n";
    assert_eq!(verdicts("{}", off), [open, open]);
}
