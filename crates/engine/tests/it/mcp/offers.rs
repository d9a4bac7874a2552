//! Prompts, resources and completions of servers: called, held to their pins and granted as tools are.

use super::{also, bench};
use crate::setup::{alice, json, shown};
use ringmail_engine::core::doc::Source;

const MORE: &str = "[[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{ upstream = \"peer\", tools = [\"prompt:*\", \"resource:*\"], trusted = [] }, { upstream = \"web\", tools = [\"prompt:*\", \"resource:*\"], trusted = [] }, { upstream = \"old\", tools = [\"prompt:*\", \"resource:*\"], trusted = [] }]\n";
const PAGE: &str = "'peer/resource:docs://{page}/v/{version}'";

#[tokio::test]
async fn prompts_and_resources_are_called_in_either_era_and_over_either_wire() {
    let bench = bench("", MORE).await;
    let who = "{\"who\": \"Ada\"}";
    bench.check("peer/prompt:greet", who, "\"{\\\"who\\\": \\\"Ada\\\"}\"").await;
    bench.check("peer/resource:docs://readme", "null", "\"at docs://readme\"").await;
    for server in ["web", "old"] {
        bench.check(&format!("{server}/prompt:greet"), who, "greet {\\\"who\\\":\\\"Ada\\\"}").await;
        bench.check(&format!("{server}/resource:docs://readme"), "null", "\"read docs://readme\"").await;
    }
    let report = bench.as_who(alice(), "peer/prompt:greet", who).await;
    assert!(format!("{:?}", report.labels()).contains("untrusted"), "what a server says is untrusted");
}

#[tokio::test]
async fn a_template_is_filled_and_never_left() {
    let bench = bench("", MORE).await;
    for (page, filled) in [("a b", "a%20b"), ("../etc", "..%2Fetc"), ("é?x#y", "%C3%A9%3Fx%23y")] {
        let args = format!("{{\"page\": \"{page}\", \"version\": \"2\"}}");
        bench.check(PAGE, &args, &format!("\"at docs://{filled}/v/2\"")).await;
    }
    bench.check(PAGE, "{\"page\": \"a\"}", "invalid: the arguments").await;
    bench.check(PAGE, "{\"page\": 1, \"version\": \"2\"}", "invalid: the arguments").await;
}

#[tokio::test]
async fn what_does_not_fit_a_prompt_goes_neither_out_nor_in() {
    let bench = bench("", MORE).await;
    bench.check("peer/prompt:greet", "{\"how\": \"well\"}", "invalid: the arguments").await;
    bench.check("peer/prompt:greet", "{\"who\": \"a\", \"more\": \"b\"}", "invalid: the arguments").await;
    bench.check("peer/prompt:greet", "{\"who\": \"nobody\"}", "invalid: the answer has no `messages`").await;
}

#[tokio::test]
async fn a_grant_of_tools_is_none_of_prompts_and_resources() {
    let bench = bench("", "").await;
    for name in ["peer/prompt:plain", "peer/resource:docs://readme"] {
        let text = format!("chain: t\nlinks:\n  c: {{kind: tool, tool: {name}}}\noutput: ${{c.text}}\n");
        let told = bench.engine.load(&[Source::new("t.yaml", text)]).unwrap_err().to_string();
        assert!(told.contains(&format!("nothing grants `t.c` the use of `tool:{name}`")), "{told}");
    }
}

#[tokio::test]
async fn a_prompt_that_turned_into_another_is_not_called() {
    let bench = bench("", MORE).await;
    bench.check("peer/prompt:greet", "{\"who\": \"Ada\"}", "Ada").await;
    bench.check("peer/turn", "{\"what\": \"prompt\"}", "turned").await;
    bench.check("peer/prompt:greet", "{\"who\": \"Ada\"}", "refused tool-changed").await;
    // Nothing else of the server is.
    bench.check("peer/resource:docs://readme", "null", "at docs").await;
}

#[tokio::test]
async fn what_a_server_says_it_cannot_do_is_not_asked_of_it() {
    let grant = "[[grant]]\nto = \"t\"\nreason = \"r\"\ntool = [{ upstream = \"bare\", tools = [\"prompt:*\", \"resource:*\"], trusted = [] }]\n";
    let bench = bench("", &format!("{}{grant}", also("bare", "PEER\", \"bare"))).await;
    bench.check("bare/echo", "{\"v\": 1}", "1").await;
    for name in ["bare/prompt:greet", "bare/resource:docs://readme"] {
        let args = if name.contains("prompt") { "{\"who\": \"Ada\"}" } else { "null" };
        bench.check(name, args, "refused tool-changed").await;
    }
}

#[tokio::test]
async fn what_arguments_may_be_is_asked_and_bounded() {
    let bench = bench("", MORE).await;
    let ask = async |name: &str, args: &str| {
        let text = format!(
            "chain: t\nlinks:\n  c: {{kind: tool, tool: {name}, complete: true, with: '${{input}}'}}\noutput: ${{c}}\n"
        );
        match bench.engine.load(&[Source::new("t.yaml", text)]) {
            Ok(mut chains) => {
                shown(&chains.remove(0).request(json(args)).unwrap().principal(alice()).run().await)
            }
            Err(problems) => problems.to_string(),
        }
    };
    let asked = "{\"argument\": {\"name\": \"how\", \"value\": \"w\"}, \"context\": {\"arguments\": {\"who\": \"Ada\"}}}";
    let told = ask("peer/prompt:greet", asked).await;
    assert!(
        told.contains("\"values\":[\"greet\",\"how\",\"w\",\"who\"],\"total\":3,\"hasMore\":false"),
        "{told}"
    );
    let page = "{\"argument\": {\"name\": \"page\", \"value\": \"\"}}";
    let told = ask(PAGE, page).await;
    assert!(told.contains("\"values\":[\"docs://{page}/v/{version}\",\"page\",\"\"]"), "{told}");
    for (name, args, expected) in [
        (
            "peer/prompt:greet",
            "{\"argument\": {\"name\": \"how\", \"value\": \"many\"}}",
            "at most 100 texts",
        ),
        (
            "peer/prompt:greet",
            "{\"argument\": {\"name\": \"other\", \"value\": \"\"}}",
            "no argument `other`",
        ),
        ("peer/prompt:greet", "{\"argument\": {\"name\": \"how\"}}", "with texts"),
        ("peer/prompt:plain", page, "has no arguments that could be completed"),
        ("peer/echo", page, "has no arguments that could be completed"),
        // It has no completions, so it is not asked for any.
        ("web/prompt:greet", "{\"argument\": {\"name\": \"how\", \"value\": \"\"}}", "{\"values\":[]}"),
    ] {
        let told = ask(name, args).await;
        assert!(told.contains(expected), "{name} {args}: {told}");
    }
}
