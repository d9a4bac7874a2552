//! Ways round a gate that an attacker found: through redirects, facts, keys, handles, links of files, echoes.

use crate::server::{answer, json_answer, serve};
use crate::setup::{PERMIT_ALL, bench, bench_with, shown};

fn net(rules: &str) -> String {
    format!("[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{rules}]\n")
}

fn get(url: &str, output: &str) -> String {
    format!("chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{url}'}}}}\noutput: {output}")
}

/// A redirect was followed on the grant alone: policy was not asked, the record did not name the host, and the tags of
/// the second host's grant were lost.
#[tokio::test]
async fn attack_03_a_redirect_is_a_call_like_any_other() {
    let second = serve(|_| json_answer(r#"{"name": "Ada"}"#)).await;
    let onward = second.url("/x");
    let first = serve(move |_| answer(302, &format!("location: {onward}\r\n"), b"")).await;
    let chain = get(&first.url("/"), "${get.body}");
    let both = format!("{{ address = \"{}\" }}, {{ address = \"{}\" }}", first.url(""), second.url(""));
    let forbid = format!(
        "{PERMIT_ALL}\n@id(\"not-there\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.sinks.contains(\"{}\") }};",
        second.url("")
    );
    let refused = shown(&bench(&net(&both), &forbid).run(&[&chain], "{}").await);
    assert!(refused.starts_with("refused policy-forbids"), "{refused}");
    assert!(second.requests().is_empty());

    let plain = bench(&net(&both), PERMIT_ALL);
    let report = plain.run(&[&chain], "{}").await;
    assert_eq!(shown(&report), r#"{"name":"Ada"}"#);
    let record = plain.record();
    let intents = record.lines().filter(|line| line.contains("\"intent\"")).count();
    assert_eq!(intents, 2, "{record}");
    assert!(record.contains(&second.url("")), "{record}");

    let labelled = format!(
        "{{ address = \"{}\" }}, {{ address = \"{}\", label = [\"pii\"] }}",
        first.url(""),
        second.url("")
    );
    let refused = shown(&bench(&net(&labelled), PERMIT_ALL).run(&[&chain], "{}").await);
    assert!(refused.starts_with("refused clearance"), "{refused}");

    let effect = format!(
        "{{ address = \"{}\" }}, {{ address = \"{}\", consequential = true }}",
        first.url(""),
        second.url("")
    );
    let sent = second.requests().len();
    let refused = shown(&bench(&net(&effect), PERMIT_ALL).run(&[&chain], "{}").await);
    assert!(refused.starts_with("refused untrusted-argument: `url`"), "{refused}");
    assert_eq!(second.requests().len(), sent, "a server chose the address of an effect");
}

/// The address of a redirect could hold the secret that the first host was sent.
#[tokio::test]
async fn attack_38_a_redirect_takes_no_secret_along() {
    let second = serve(|_| json_answer("{}")).await;
    let onward = second.url("/?k=hunter2-hunter2");
    let first = serve(move |_| answer(302, &format!("location: {onward}\r\n"), b"")).await;
    let project = format!(
        "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n{1}",
        first.url(""),
        net(&format!("{{ address = \"{}\" }}, {{ address = \"{}\" }}", first.url(""), second.url("")))
    );
    let bench = bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", "hunter2-hunter2"));
    let chain = format!(
        "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}', headers: {{x-key: '${{secrets.key}}'}}}}}}\noutput: 1",
        first.url("/")
    );
    let refused = shown(&bench.run(&[&chain], "{}").await);
    assert!(refused.starts_with("refused clearance"), "{refused}");
    assert!(second.requests().is_empty());
}

/// An answer was searched for the secret as it is sent, and servers spell it in other ways.
#[tokio::test]
async fn attack_38_a_secret_is_known_in_every_spelling() {
    const SECRET: &str = "sk/live+AbC/dEf?123456";
    let spellings = [
        r#"{"v": "Bearer sk\/live+AbC\/dEf?123456"}"#,
        r#"{"v": "sk\u002flive\u002bAbC\u002fdEf\u003f123456"}"#,
        "sk%2flive%2BAbC%2fdEf%3f123456",
        "SK/LIVE+ABC/DEF?123456",
        "736b2f6c6976652b4162432f6445663f313233343536",
        "QmVhcmVyIHNrL2xpdmUrQWJDL2RFZj8xMjM0NTY=",
        "eHgxc2svbGl2ZStBYkMvZEVmPzEyMzQ1NnF3ZQ",
        "eHhzay9saXZlK0FiQy9kRWY_MTIzNDU2",
    ];
    for spelling in spellings {
        let server = serve(move |_| answer(200, "content-type: text/plain\r\n", spelling.as_bytes())).await;
        let project = format!(
            "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n{1}",
            server.url(""),
            net(&format!("{{ address = \"{}\" }}", server.url("")))
        );
        let bench = bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", SECRET));
        let chain = format!(
            "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}', headers: {{x-key: '${{secrets.key}}'}}}}}}\noutput: ${{get.body}}",
            server.url("/")
        );
        let ended = shown(&bench.run(&[&chain], "{}").await);
        assert!(ended.starts_with("refused clearance"), "{spelling}: {ended}");
    }
}

const FORBIDS: &str = "@id(\"limit\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when { context.numbers.hasTag(\"body.cents\") && context.numbers.getTag(\"body.cents\") > 50000 };\n@id(\"not-evil\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when { context.args.hasTag(\"body.to.iban\") && context.args.getTag(\"body.to.iban\") like \"EVIL*\" };\n@id(\"trusted-iban\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when { context.untrusted_args.contains(\"body.own.iban\") };";

/// A float, a thousand others before it, a key with a dot in it: each hid an argument from a policy.
#[tokio::test]
async fn attack_39_no_argument_hides_from_policy() {
    let server = serve(|_| json_answer("{}")).await;
    let project = net(&format!("{{ address = \"{}\", methods = [\"POST\"], trusted = [] }}", server.url("")));
    let bench = bench(&project, &format!("{PERMIT_ALL}\n{FORBIDS}"));
    let chain = format!(
        "chain: t\nlinks:\n  send: {{kind: http, with: {{method: POST, url: '{}', body: '${{input}}'}}}}\noutput: 1",
        server.url("/")
    );
    let many = (0..1_200).map(|_| "1").collect::<Vec<_>>().join(",");
    for hidden in [
        r#"{"cents": 60000}"#,
        r#"{"cents": 60000.0}"#,
        r#"{"cents": 6e4}"#,
        r#"{"cents": 60000.5}"#,
        &format!(r#"{{"a": [{many}], "to": {{"iban": "EVIL1"}}}}"#),
        r#"{"to": {"iban": "EVIL1"}, "to.iban": "GOOD"}"#,
        r#"{"own": {"iban": "DE1"}}"#,
    ] {
        let ended = shown(&bench.run(&[&chain], hidden).await);
        assert!(ended.starts_with("refused policy-f"), "{hidden}: {ended}");
    }
    assert!(server.requests().is_empty());
    assert_eq!(shown(&bench.run(&[&chain], r#"{"cents": 100.0, "to": {"iban": "DE1"}}"#).await), "1");
}

/// A call that failed counted as called, so an approval that was never given let a payment through.
#[tokio::test]
async fn attack_39_what_failed_was_not_called() {
    let server =
        serve(|request| if request.contains("/approve") { answer(404, "", b"") } else { json_answer("{}") })
            .await;
    let policy = "permit (principal, action == Ringmail::Action::\"run\", resource);\npermit (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"t.approve\");\npermit (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"t.pay\") when { context.called.contains(\"t.approve\") };";
    let project = net(&format!("{{ address = \"{}\", methods = [\"GET\", \"POST\"] }}", server.url("")));
    let bench = bench(&project, policy);
    let chain = |approve: &str| {
        format!(
            "chain: t\nlinks:\n  approve: {{kind: http, with: {{url: '{}'}}, fallback: none}}\n  pay: {{kind: http, after: [approve], with: {{method: POST, url: '{}'}}}}\noutput: 1",
            server.url(approve),
            server.url("/pay")
        )
    };
    assert!(shown(&bench.run(&[&chain("/approve")], "{}").await).starts_with("refused policy-silent"));
    assert_eq!(shown(&bench.run(&[&chain("/yes")], "{}").await), "1");
}

/// What a link of one kind was permitted, a link of another kind under the same name was permitted too.
#[tokio::test]
async fn an_answer_of_policy_is_not_remembered_for_another_kind() {
    let policy = "permit (principal, action == Ringmail::Action::\"run\", resource);\npermit (principal, action == Ringmail::Action::\"call\", resource) when { resource.kind == \"log\" };";
    let bench = bench_with(
        "[[grant]]\nto = \"t\"\nreason = \"r\"\nlog = {}\neffect = [{ name = \"act\" }]\n",
        policy,
        |builder| builder.native("act", async |_| Ok(1)).effect("act", "act"),
    );
    let log = "chain: t\nlinks:\n  a: {kind: log, with: {message: x}}\noutput: 1";
    let act = "chain: t\nlinks:\n  a: {kind: native, call: act}\noutput: 1";
    assert_eq!(shown(&bench.run(&[log], "{}").await), "1");
    assert!(shown(&bench.run(&[act], "{}").await).starts_with("refused policy-silent"));
}

/// The digest of a key is as good as the key where few keys are possible, and whoever chooses keys chooses effects.
#[tokio::test]
async fn attack_38_an_idempotency_key_is_data_that_leaves() {
    let server = serve(|_| json_answer("{}")).await;
    let project = net(&format!("{{ address = \"{}\", methods = [\"POST\"], trusted = [] }}", server.url("")));
    let bench = bench(&project, PERMIT_ALL);
    let chain = |key: &str| {
        format!(
            "chain: t\ninput: {{type: object, properties: {{ssn: {{type: string, x-ringmail-label: [pii]}}, k: {{type: string}}}}}}\nlinks:\n  send: {{kind: http, idempotency_key: '{key}', with: {{method: POST, url: '{}'}}}}\noutput: 1",
            server.url("/")
        )
    };
    let input = r#"{"ssn": "123", "k": "a"}"#;
    assert!(shown(&bench.run(&[&chain("${json(input)}")], input).await).starts_with("refused clearance"));
    assert!(
        shown(&bench.run(&[&chain("${input.k}")], input).await).starts_with("refused untrusted-decision")
    );
    assert_eq!(shown(&bench.run(&[&chain("${run.id}")], input).await), "1");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn attack_13_a_link_does_not_give_a_file_another_ending() {
    let project = "[mount.in]\npath = \"in\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\nfs = [{ mount = \"in\", access = \"write\", extensions = [\"txt\"], trusted = [] }]\n";
    let bench = bench(project, PERMIT_ALL);
    let folder = bench.folder.path().join("in");
    std::fs::write(folder.join("key.pem"), "secret").unwrap();
    std::fs::write(folder.join("a.txt"), "plain").unwrap();
    std::os::unix::fs::symlink("key.pem", folder.join("link.txt")).unwrap();
    let file = |with: &str| format!("chain: t\nlinks:\n  f: {{kind: file, with: {with}}}\noutput: '${{f}}'");
    let read = |name: &str| file(&format!("{{op: read, path: 'in:{name}'}}"));
    assert_eq!(shown(&bench.run(&[&read("a.txt")], "1").await), "\"plain\"");
    assert!(shown(&bench.run(&[&read("link.txt")], "1").await).starts_with("`t.f` failed: file"));
    let append = file("{op: append, path: 'in:link.txt', content: x}");
    assert!(shown(&bench.run(&[&append], "1").await).starts_with("`t.f` failed: file"));
    assert_eq!(std::fs::read_to_string(folder.join("key.pem")).unwrap(), "secret");
}

/// The number in a handle told how many there had been, and so how often a condition on restricted data had held.
#[tokio::test]
async fn a_handle_tells_nothing_by_its_name() {
    let chain = "chain: t\nlinks:\n  a: {kind: native, call: same, with: ['${handle(input)}', '${handle(input)}']}\noutput: ${a}";
    let ended = shown(&bench("", PERMIT_ALL).run(&[chain], "1").await);
    let names: Vec<&str> = ended.split('"').filter(|part| part.starts_with("handle:")).collect();
    assert_eq!(names.len(), 2, "{ended}");
    assert!(names[0] != names[1] && names.iter().all(|name| name.len() == "handle:".len() + 32), "{ended}");
}

/// A whole 64-bit number came out of a range, its tag dropped, and no policy was asked.
#[tokio::test]
async fn attack_38_a_tag_is_dropped_by_a_small_range_and_by_leave_only() {
    let schema = "input: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}}, required: [card]}";
    let chain = |range: &str| {
        format!(
            "chain: t\n{schema}\nlinks:\n  x: {{kind: extract, {range}, drop: [pii], with: {{from: '${{input.card}}'}}}}\noutput: ${{x}}"
        )
    };
    let wide = chain("as: int, min: -9223372036854775808, max: 9223372036854775807");
    assert!(bench("", PERMIT_ALL).problems(&wide).contains("`drop` needs a range of at most 256 values"));
    assert!(bench("", PERMIT_ALL).problems(&chain("as: date")).contains("at most 256 values"));
    let small = chain("as: int, min: 1, max: 9");
    assert_eq!(shown(&bench("", PERMIT_ALL).run(&[&small], r#"{"card": "4"}"#).await), "4");
    let only_runs =
        "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";
    let refused = shown(&bench("", only_runs).run(&[&small], r#"{"card": "4"}"#).await);
    assert_eq!(refused, "refused policy-silent: no policy permits `alice` to `declassify` it");
}

/// Lines were split off one by one with all that followed, so a few kilobytes of line ends held the host for minutes.
#[tokio::test]
async fn attack_07_many_lines_cost_what_they_are_long() {
    let server = serve(|_| answer(200, "", &vec![b'\n'; 150_000])).await;
    let bench = bench(&net(&format!("{{ address = \"{}\" }}", server.url(""))), PERMIT_ALL);
    let chain = |lines: &str| {
        format!(
            "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}', as: lines}}}}\noutput: ${{size(get.body){lines}}}",
            server.url("/")
        )
    };
    assert_eq!(shown(&bench.run(&[&chain("")], "{}").await), "150000");
    let more = serve(|_| answer(200, "", &vec![b'\n'; 300_000])).await;
    let bench = crate::setup::bench(&net(&format!("{{ address = \"{}\" }}", more.url(""))), PERMIT_ALL);
    let chain = chain("").replace(&server.url("/"), &more.url("/"));
    assert!(shown(&bench.run(&[&chain], "{}").await).contains("too-large"));
}

/// What the schemas of outputs tag was streamed before they were asked.
#[tokio::test]
async fn attack_38_a_piece_carries_what_the_schema_of_the_whole_may_add() {
    let server = serve(|_| answer(200, "", b"one\ntwo\n")).await;
    let bench = bench(&net(&format!("{{ address = \"{}\" }}", server.url(""))), PERMIT_ALL);
    let chain = format!(
        "chain: t\nstream: get\nlinks:\n  get:\n    kind: http\n    with: {{url: '{}', as: lines}}\n    returns: {{type: object, properties: {{body: {{x-ringmail-label: [pii]}}}}, additionalProperties: true}}\noutput: 1",
        server.url("/")
    );
    let chain =
        bench.engine.load(&[ringmail_engine::core::doc::Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let request = chain.request(crate::setup::json("{}")).unwrap().principal(crate::setup::alice());
    let report = request.pieces(sender).run().await;
    assert!(shown(&report).starts_with("refused clearance"), "{}", shown(&report));
    assert!(receiver.recv().await.is_none());
}

/// Cedar works itself down into brackets and operators, and the stack ended with the process.
#[test]
fn attack_32_policies_too_deep_are_refused_and_allowed_ones_are_decided() {
    let load = |condition: &str| {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        ringmail_engine::Engine::builder()
            .policies(vec![ringmail_engine::core::doc::Source::new("p.cedar", text)])
            .build()
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(load(&nested(300)).unwrap_err().contains("brackets stand more than 24 deep"));
    assert!(load(&vec!["true"; 1_000].join(" || ")).unwrap_err().contains("more than 100 operators"));
    load(&nested(20)).unwrap();
    load(&vec!["true"; 90].join(" || ")).unwrap();
    load("principal.name == \"((((((((((((((((((((((((((((((((((((((((\"").unwrap();
}

/// A secret with a quote in it ended the text it stood in and wrote members of its own.
#[tokio::test]
async fn a_secret_stays_within_its_text_in_a_json_body() {
    let server = serve(|_| json_answer("{}")).await;
    let project = format!(
        "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n{1}",
        server.url(""),
        net(&format!("{{ address = \"{}\", methods = [\"POST\"] }}", server.url("")))
    );
    let secret = "pa\"ss\",\"admin\":\"1";
    let bench = bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", secret));
    let chain = format!(
        "chain: t\nlinks:\n  send: {{kind: http, with: {{method: POST, url: '{}', body: {{key: '${{secrets.key}}'}}}}}}\noutput: 1",
        server.url("/")
    );
    assert_eq!(shown(&bench.run(&[&chain], "{}").await), "1");
    let sent = server.requests().remove(0);
    let body = crate::setup::json(sent.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(body.get("key").and_then(ringmail_engine::Value::as_str), Some(secret), "{sent}");
}
