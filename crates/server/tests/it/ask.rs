//! Callers that are asked something while their call is under way, and what they try to answer with.

use crate::listen::Ear;
use crate::mcp::{at, message, value};
use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, within};
use std::time::Duration;

const NAME: &str =
    "schema: {type: object, properties: {name: {type: string, maxLength: 20}}, required: [name]}";
/// What a client says of itself that has a person.
const ABLE: &str = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}";

fn chains() -> Vec<String> {
    let input = "input: {type: object, properties: {of: {type: string}}}";
    let ask = |more: &str| {
        format!(
            "{{kind: ask, with: {{message: 'Who, ${{has(input.of) ? input.of : \"you\"}}?', {NAME}}}{more}}}"
        )
    };
    let short = |within: &str| format!("{{kind: ask, with: {{message: who?, within: {within}, {NAME}}}}}");
    vec![
        format!("chain: named\n{input}\nlinks:\n  who: {}\noutput: 'hello ${{who.name}}'\n", ask("")),
        format!("chain: also\n{input}\nlinks:\n  who: {}\noutput: ${{who.name}}\n", ask("")),
        format!(
            "chain: careful\n{input}\nlinks:\n  who: {}\noutput: ${{who.name}}\n",
            ask(", fallback: {name: nobody}")
        ),
        format!(
            "chain: prompted\nmcp: {{as: prompt}}\nlinks:\n  who: {}\noutput: 'be ${{who.name}}'\n",
            short("5m")
        ),
        format!(
            "chain: both\nlinks:\n  one: {}\n  two: {{kind: ask, after: [one], with: {{message: 'and ${{one.name}}?', {NAME}}}}}\noutput: '${{one.name}} ${{two.name}}'\n",
            short("5m")
        ),
        format!("chain: hasty\nlinks:\n  who: {}\noutput: ${{who.name}}\n", short("1ms")),
        format!(
            "chain: insists\nlinks:\n  e: {{kind: each, over: '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]', at_most: 20, parallel: 1, do: {{links: {{q: {}}}, output: 1}}}}\noutput: ${{e}}\n",
            short("5m")
        ),
        format!(
            "chain: tells\ninput: {{type: object, properties: {{of: {{type: string, x-ringmail-label: [pii]}}}}}}\nlinks:\n  who: {}\noutput: done\n",
            ask("")
        ),
        format!(
            "chain: cleared\ninput: {{type: object, properties: {{of: {{type: string, x-ringmail-label: [pii]}}}}}}\nlinks:\n  who: {}\noutput: done\n",
            ask("")
        ),
        format!(
            "chain: paid\ninput: {{type: object}}\nlinks:\n  yes: {{kind: approve, reason: pays back, with: {{value: {{iban: DE89, to: '${{input}}'}}}}}}\noutput: ${{yes.iban}}\n"
        ),
        format!(
            "chain: by_two\ninput: {{type: object}}\nlinks:\n  yes: {{kind: approve, reason: pays back, people: 2, with: {{value: '${{input}}'}}}}\noutput: paid\n"
        ),
        format!(
            "chain: large\ninput: {{type: object}}\nlinks:\n  yes: {{kind: approve, reason: '{}', with: {{value: '${{input}}'}}}}\noutput: paid\n",
            "r".repeat(9_000)
        ),
        format!(
            "chain: covered\ninput: {{type: object}}\nlinks:\n  tag: {{kind: native, call: same, with: 1, returns: {{type: integer, x-ringmail-label: [pii]}}}}\n  yes: {{kind: approve, reason: pays back, with: {{value: '${{tag}}'}}}}\noutput: paid\n"
        ),
        format!(
            "chain: outer\nlinks:\n  c: {{kind: chain, chain: cleared, with: {{of: me}}}}\noutput: ${{c}}\n"
        ),
    ]
}

const GRANT: &str =
    "[[grant]]\nto = \"cleared\"\nreason = \"its caller may know\"\nrespond = { clearance = [\"pii\"] }\n";

async fn open(more: &str) -> Doors {
    open_with(more, PERMIT_ALL).await
}

async fn open_with(more: &str, policy: &str) -> Doors {
    let all = chains();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Doors::open_with(&format!("{WEB}mcp = true\n{more}"), policy, &all, |_| ()).await.unwrap()
}

impl Doors {
    /// A session of a client that has a person.
    async fn session_with(&self, key: &str, able: &str) -> String {
        let params = format!(
            "{{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{able},\"clientInfo\":{{\"name\":\"t\",\"version\":\"1\"}}}}"
        );
        let begun = self.mcp(key, &[], &message("initialize", &params)).await;
        begun.header("mcp-session-id").unwrap().to_string()
    }

    /// Calls a tool in a session, and listens.
    async fn listens(&self, key: &str, session: &str, tool: &str) -> Ear {
        let body = message("tools/call", &format!("{{\"name\":\"{tool}\"}}"));
        Ear::open(self, key, "POST", &[("mcp-session-id", session)], &body).await
    }

    /// Answers a question of a session.
    async fn answer(&self, key: &str, session: &str, id: &str, result: &str) -> u16 {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"result\":{result}}}");
        self.mcp(key, &[("mcp-session-id", session)], &body).await.status
    }

    /// A call without a session of a client that has a person. `more` has no outer braces.
    async fn calls(&self, key: &str, method: &str, name: &str, more: &str) -> Reply {
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        let params = format!("{{\"name\":\"{name}\"{more},{ABLE}}}");
        self.mcp(key, &headers, &message(method, &params)).await
    }
}

/// What to come back with.
fn back(asked: &Reply, answers: &str) -> String {
    format!(",\"inputResponses\":{answers},\"requestState\":{}", at(asked, "result.requestState"))
}

fn accepted(of: &str, content: &str) -> String {
    format!("{{\"{of}\":{{\"action\":\"accept\",\"content\":{content}}}}}")
}

fn text(events: &str) -> String {
    let last = events
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("data: "))
        .or(events.rsplit("\r\n\r\n").next())
        .unwrap();
    let result = value(last).get("result").unwrap().clone();
    result
        .get("content")
        .unwrap()
        .as_list()
        .unwrap()
        .get(0)
        .unwrap()
        .get("text")
        .unwrap()
        .as_str()
        .unwrap()
        .to_string()
}

const ADA: &str = "{\"action\":\"accept\",\"content\":{\"name\":\"Ada\"}}";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_asked_in_its_session_and_its_answer_counts_once() {
    let doors = open("").await;
    let key = doors.alice().await;
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    let mut ear = doors.listens(&key, &session, "named").await;
    let asked = ear.until("\r\n\r\n").await + ear.until("\n\n").await.as_str();
    assert!(
        asked.contains("\"method\":\"elicitation/create\"") && asked.contains("\"message\":\"Who, you?\""),
        "{asked}"
    );
    assert!(asked.contains("\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"name\":"), "{asked}");
    assert!(asked.contains("\"id\":\"ask-1\""), "{asked}");
    // Another who knows the id of the question has no session in which it was asked.
    let other = doors.key_of("mallory", None, None);
    doors.known(&other).await;
    let theirs = doors.session_with(&other, "{\"elicitation\":{}}").await;
    assert_eq!(doors.answer(&other, &theirs, "ask-1", ADA).await, 400);
    assert_eq!(doors.answer(&other, &session, "ask-1", ADA).await, 404);
    assert_eq!(doors.answer(&key, &session, "ask-2", ADA).await, 400, "what was never asked");
    assert_eq!(doors.answer(&key, &session, "ask-1", ADA).await, 202);
    assert_eq!(text(&ear.rest().await), "hello Ada");
    assert_eq!(doors.answer(&key, &session, "ask-1", ADA).await, 400, "what was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_what_was_asked_for_or_a_failure() {
    let doors = open("").await;
    let key = doors.alice().await;
    let session = doors.session_with(&key, "{\"elicitation\":{\"form\":{}}}").await;
    let answers = [
        ("{\"action\":\"accept\",\"content\":{\"name\":5}}", "code invalid"),
        ("{\"action\":\"accept\",\"content\":{\"name\":\"a\",\"more\":1}}", "code invalid"),
        ("{\"action\":\"accept\",\"content\":{}}", "code invalid"),
        ("{\"action\":\"accept\"}", "code invalid"),
        ("{\"action\":\"whatever\"}", "code invalid"),
        ("[]", "code invalid"),
        ("{\"action\":\"decline\"}", "code declined"),
        ("{\"action\":\"cancel\"}", "code declined"),
    ];
    for (number, (answer, code)) in answers.iter().enumerate() {
        let mut ear = doors.listens(&key, &session, "named").await;
        let id = format!("ask-{}", number + 1);
        ear.until(&format!("\"id\":\"{id}\"")).await;
        assert_eq!(doors.answer(&key, &session, &id, answer).await, 202, "{answer}");
        let told = text(&ear.rest().await);
        assert!(told.contains(code), "{answer}: {told}");
    }
    // One that goes on another way does.
    let mut ear = doors.listens(&key, &session, "careful").await;
    ear.until("\"id\":\"ask-9\"").await;
    doors.answer(&key, &session, "ask-9", "{\"action\":\"decline\"}").await;
    assert_eq!(text(&ear.rest().await), "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_cannot_be_asked_is_not() {
    let doors = open("").await;
    let key = doors.alice().await;
    assert_eq!(doors.post(&key, "named", "{}").await.code(), "unasked");
    assert_eq!(doors.post(&key, "careful", "{}").await.body, "\"nobody\"");
    for able in ["{}", "{\"elicitation\":{\"url\":{}}}", "{\"elicitation\":true}"] {
        let session = doors.session_with(&key, able).await;
        let told = text(&doors.listens(&key, &session, "named").await.rest().await);
        assert!(told.contains("code unasked"), "{able}: {told}");
    }
    // One that takes no events cannot be told of a question.
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    let whole = doors.within_session(&key, &session, "tools/call", "{\"name\":\"named\"}").await;
    assert!(at(&whole, "result.content.0.text").contains("code unasked"), "{whole:?}");
    let alone = doors.alone(&key, "tools/call", Some("named"), "\"name\":\"named\"").await;
    assert_eq!((alone.status, at(&alone, "error.code")), (400, "-32021".into()), "{alone:?}");
    assert_eq!(at(&alone, "error.data.requiredCapabilities"), "{\"elicitation\":{}}");
    let careful = doors.alone(&key, "tools/call", Some("careful"), "\"name\":\"careful\"").await;
    assert_eq!(at(&careful, "result.content.0.text"), "\"nobody\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_session_comes_back_with_its_answer() {
    let doors = open("").await;
    let key = doors.alice().await;
    let call = async |name: &str, more: &str| doors.calls(&key, "tools/call", name, more).await;
    let asked = call("named", ",\"arguments\":{\"of\":\"there\"}").await;
    assert_eq!(at(&asked, "result.resultType"), "\"input_required\"", "{asked:?}");
    assert_eq!(at(&asked, "result.inputRequests.who.method"), "\"elicitation/create\"");
    assert_eq!(at(&asked, "result.inputRequests.who.params.message"), "\"Who, there?\"");
    let given = back(&asked, &accepted("who", "{\"name\":\"Ada\"}")) + ",\"arguments\":{\"of\":\"there\"}";
    let done = call("named", &given).await;
    assert_eq!(at(&done, "result.content.0.text"), "\"hello Ada\"", "{done:?}");
    assert_eq!(at(&done, "result.resultType"), "\"complete\"");
    // One question after the other, each with a state of its own.
    let first = call("both", "").await;
    let second = call("both", &back(&first, &accepted("one", "{\"name\":\"Ada\"}"))).await;
    assert_eq!(at(&second, "result.inputRequests.two.params.message"), "\"and Ada?\"", "{second:?}");
    assert_ne!(at(&first, "result.requestState"), at(&second, "result.requestState"));
    let done = call("both", &back(&second, &accepted("two", "{\"name\":\"Bob\"}"))).await;
    assert_eq!(at(&done, "result.content.0.text"), "\"Ada Bob\"", "{done:?}");
    // A prompt asks like a tool, and lists do not.
    let asked = doors.calls(&key, "prompts/get", "prompted", "").await;
    let kind = back(&asked, &accepted("who", "{\"name\":\"kind\"}"));
    let done = doors.calls(&key, "prompts/get", "prompted", &kind).await;
    assert_eq!(at(&done, "result.messages.0.content.text"), "\"be kind\"", "{done:?}");
    let declined = back(&call("named", "").await, "{\"who\":{\"action\":\"decline\"}}");
    assert!(at(&call("named", &declined).await, "result.content.0.text").contains("code declined"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_good_for_one_answer_of_one_caller_to_one_call() {
    let doors = open("").await;
    let key = doors.alice().await;
    let other = doors.key_of("mallory", None, None);
    doors.known(&other).await;
    let with = "{\"of\":\"there\"}";
    let asked = doors.calls(&key, "tools/call", "named", &format!(",\"arguments\":{with}")).await;
    let come_back = async |key: &str, tool: &str, arguments: &str, more: &str| {
        doors.calls(key, "tools/call", tool, &format!(",\"arguments\":{arguments}{more}")).await
    };
    let answer = back(&asked, &accepted("who", "{\"name\":\"Ada\"}"));
    let refused = |reply: &Reply| at(reply, "error.code") == "-32602";
    let state = at(&asked, "result.requestState");
    let state = state.trim_matches('"');
    let mut turned = state.to_string();
    let last = if turned.ends_with('A') { "B" } else { "A" };
    turned.replace_range(turned.len() - 8..turned.len() - 7, last);
    let attacks = [
        ("another's state", come_back(&other, "named", with, &answer).await),
        ("another tool", come_back(&key, "also", with, &answer).await),
        ("other arguments", come_back(&key, "named", "{\"of\":\"here\"}", &answer).await),
        ("a state that was changed", come_back(&key, "named", with, &answer.replace(state, &turned)).await),
        (
            "a state that is longer",
            come_back(&key, "named", with, &answer.replace(state, &format!("{state}AA"))).await,
        ),
        ("a state of nobody", come_back(&key, "named", with, &answer.replace(state, "AAAA")).await),
        (
            "an endless state",
            come_back(&key, "named", with, &answer.replace(state, &"A".repeat(9_999))).await,
        ),
        (
            "a state that is none",
            come_back(&key, "named", with, &answer.replace(&format!("\"{state}\""), "7")).await,
        ),
        ("answers that are none", come_back(&key, "named", with, &back(&asked, "null")).await),
        ("another method", doors.calls(&key, "prompts/get", "prompted", &answer).await),
        (
            "what the schema refuses",
            come_back(&key, "named", with, &back(&asked, &accepted("who", "{\"name\":5}"))).await,
        ),
        (
            "more than was asked",
            come_back(&key, "named", with, &back(&asked, &accepted("who", "{\"name\":\"a\",\"b\":1}"))).await,
        ),
        ("no answer at all", come_back(&key, "named", with, &back(&asked, "{\"who\":12345}")).await),
    ];
    for (what, reply) in &attacks {
        assert!(refused(reply), "{what}: {reply:?}");
    }
    // An answer to something else is none: it is asked once more, and nothing is used up.
    let again = come_back(&key, "named", with, &back(&asked, &accepted("whom", "{\"name\":\"Ada\"}"))).await;
    assert_eq!(at(&again, "result.requestState").trim_matches('"'), state, "{again:?}");
    let done = come_back(&key, "named", with, &answer).await;
    assert_eq!(at(&done, "result.content.0.text"), "\"hello Ada\"", "{done:?}");
    assert!(refused(&come_back(&key, "named", with, &answer).await), "a state counts once");
    // Whoever answers without having been asked is asked.
    let unasked =
        format!(",\"arguments\":{with},\"inputResponses\":{}", accepted("who", "{\"name\":\"Ada\"}"));
    let asked = doors.calls(&key, "tools/call", "named", &unasked).await;
    assert_eq!(at(&asked, "result.resultType"), "\"input_required\"");
    let late = doors.calls(&key, "tools/call", "hasty", "").await;
    let late =
        doors.calls(&key, "tools/call", "hasty", &back(&late, &accepted("who", "{\"name\":\"Ada\"}"))).await;
    assert!(refused(&late), "after the time: {late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_his_time_keeps_nobody_waiting() {
    let doors = open("[server]\nrequests = 1\nwait = \"100ms\"\n").await;
    let key = doors.alice().await;
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    let mut ear = doors.listens(&key, &session, "named").await;
    ear.until("\"id\":\"ask-1\"").await;
    let asked = doors.calls(&key, "tools/call", "named", "").await;
    assert_eq!(at(&asked, "result.resultType"), "\"input_required\"", "{asked:?}");
    assert_eq!(doors.post(&key, "greet", "{\"name\":\"you\"}").await.body, "\"hello you\"");
    doors.answer(&key, &session, "ask-1", ADA).await;
    assert_eq!(text(&ear.rest().await), "hello Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_while_it_is_asked_ends_its_run() {
    let doors = open("").await;
    let key = doors.alice().await;
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    let mut ear = doors.listens(&key, &session, "named").await;
    ear.until("\"id\":\"ask-1\"").await;
    drop(ear);
    doors.doors_say("cancelled").await;
    assert_eq!(doors.answer(&key, &session, "ask-1", ADA).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_comes_back_to_ends() {
    let doors = open("").await;
    let key = doors.alice().await;
    let asked = doors.calls(&key, "tools/call", "hasty", "").await;
    assert_eq!(at(&asked, "result.resultType"), "\"input_required\"", "{asked:?}");
    doors.doors_say("cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_is_told_and_how_long_he_has_is_bounded() {
    let ask = |message: &str, within: &str| {
        format!(
            "chain: t_{within}\nlinks:\n  q: {{kind: ask, with: {{message: '{message}', within: {within}, {NAME}}}}}\noutput: 1\n"
        )
    };
    let all = [
        ask("m", "1h"),
        ask("m", "61m"),
        ask("m", "0s"),
        ask(&"m".repeat(8_193), "1m"),
        ask(&"m".repeat(8_192), "2m"),
    ];
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let doors = Doors::open_with(&format!("{WEB}mcp = true\n"), PERMIT_ALL, &all, |_| ()).await.unwrap();
    let key = doors.alice().await;
    for (name, fits) in [("t_1h", true), ("t_61m", false), ("t_0s", false), ("t_1m", false), ("t_2m", true)] {
        let asked = doors.calls(&key, "tools/call", name, "").await;
        assert_eq!(at(&asked, "result.resultType") == "\"input_required\"", fits, "{name}: {asked:?}");
        assert_eq!(at(&asked, "result.content.0.text").contains("code invalid"), !fits, "{name}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_asked_so_often_and_so_many_calls_of_it_wait() {
    let doors = open("").await;
    let key = doors.alice().await;
    let mut asked = doors.calls(&key, "tools/call", "insists", "").await;
    for _ in 0..16 {
        assert_eq!(at(&asked, "result.resultType"), "\"input_required\"", "{asked:?}");
        asked = doors
            .calls(&key, "tools/call", "insists", &back(&asked, &accepted("q", "{\"name\":\"a\"}")))
            .await;
    }
    assert!(at(&asked, "result.content.0.text").contains("code limit"), "{asked:?}");
    let first = doors.calls(&key, "tools/call", "named", "").await;
    let second = doors.calls(&key, "tools/call", "named", "").await;
    for _ in 0..15 {
        doors.calls(&key, "tools/call", "named", "").await;
    }
    let ada = accepted("who", "{\"name\":\"Ada\"}");
    assert_eq!(
        at(&doors.calls(&key, "tools/call", "named", &back(&first, &ada)).await, "error.code"),
        "-32602"
    );
    let done = doors.calls(&key, "tools/call", "named", &back(&second, &ada)).await;
    assert_eq!(at(&done, "result.content.0.text"), "\"hello Ada\"", "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_38_a_question_tells_a_caller_no_more_than_it_may_see() {
    let doors = open(GRANT).await;
    let key = doors.alice().await;
    let given = ",\"arguments\":{\"of\":\"the key\"}";
    let told = doors.calls(&key, "tools/call", "tells", given).await;
    assert!(
        at(&told, "result.content.0.text").contains("code refused") && !told.body.contains("the key"),
        "{told:?}"
    );
    // The run's own chain says what its caller may see, whichever chain asks.
    let asked = doors.calls(&key, "tools/call", "cleared", given).await;
    assert_eq!(at(&asked, "result.inputRequests.who.params.message"), "\"Who, the key?\"", "{asked:?}");
    let outer = doors.calls(&key, "tools/call", "outer", "").await;
    assert!(at(&outer, "result.content.0.text").contains("code refused"), "{outer:?}");
}

/// What waits for persons, as one who may say yes sees it.
async fn open_approval(doors: &Doors, key: &str) -> (String, String) {
    within(async {
        loop {
            let listed = doors.get(key, "/approvals").await;
            let (id, digest) = (at(&listed, "approvals.0.id"), at(&listed, "approvals.0.value_sha256"));
            if id != "nothing" {
                return (id.trim_matches('"').to_string(), digest);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// Somebody says yes, over HTTP.
async fn approves(doors: &Doors, key: &str) -> u16 {
    let (id, digest) = open_approval(doors, key).await;
    let (bearer, yes) = (format!("Bearer {key}"), format!("{{\"approve\":true,\"value_sha256\":{digest}}}"));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    doors.ask("POST", &format!("/approvals/{id}"), &headers, &yes).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_may_say_yes_is_shown_what_to_and_asked() {
    let doors = open("").await;
    let key = doors.alice().await;
    let asked = doors.calls(&key, "tools/call", "paid", ",\"arguments\":{\"a\":1}").await;
    let shown = at(&asked, "result.inputRequests.yes.params.message");
    for words in [
        "pays back",
        "`paid.yes`",
        "{\\\"iban\\\":\\\"DE89\\\",\\\"to\\\":{\\\"a\\\":1}}",
        "to: trusted · from input",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let yes = back(&asked, &accepted("yes", "{\"approve\":true}")) + ",\"arguments\":{\"a\":1}";
    let done = doors.calls(&key, "tools/call", "paid", &yes).await;
    assert_eq!(at(&done, "result.content.0.text"), "\"DE89\"", "{done:?}");
    let record = doors.doors_say("approval").await;
    assert!(record.contains("\"yes\":true"), "{record}");
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    for (number, no) in
        ["{\"action\":\"accept\",\"content\":{\"approve\":false}}", "{\"action\":\"decline\"}"]
            .iter()
            .enumerate()
    {
        let mut ear = doors.listens(&key, &session, "paid").await;
        let id = format!("ask-{}", number + 1);
        ear.until(&format!("\"id\":\"{id}\"")).await;
        doors.answer(&key, &session, &id, no).await;
        let told = text(&ear.rest().await);
        assert!(told.contains("code refused"), "{no}: {told}");
    }
    // Whoever says nothing, or what fits nothing, leaves it to others.
    for (number, nothing) in
        ["{\"action\":\"cancel\"}", "{\"action\":\"accept\",\"content\":{\"approve\":\"yes\"}}"]
            .iter()
            .enumerate()
    {
        let mut ear = doors.listens(&key, &session, "paid").await;
        let id = format!("ask-{}", number + 3);
        ear.until(&format!("\"id\":\"{id}\"")).await;
        doors.answer(&key, &session, &id, nothing).await;
        assert_eq!(approves(&doors, &key).await, 200);
        assert_eq!(text(&ear.rest().await), "DE89");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_38_a_caller_whose_yes_would_not_count_is_not_asked() {
    let policy = format!(
        "{PERMIT_ALL}forbid (principal == Ringmail::Principal::\"alice\", action == Ringmail::Action::\"approve\", resource == Ringmail::Link::\"paid.yes\");\n"
    );
    let doors = open_with("", &policy).await;
    let key = doors.alice().await;
    let [boss, chief] = ["boss", "chief"].map(|name| doors.key_of(name, None, None));
    doors.known(&boss).await;
    doors.known(&chief).await;
    let session = doors.session_with(&key, "{\"elicitation\":{}}").await;
    // Policy says no; it takes two others; it is more than anybody is shown; the caller may not see it.
    for (tool, sayers) in [
        ("paid", vec![&boss]),
        ("by_two", vec![&boss, &chief]),
        ("large", vec![&boss]),
        ("covered", vec![&boss]),
    ] {
        let ear = doors.listens(&key, &session, tool).await;
        for sayer in sayers {
            assert_eq!(approves(&doors, sayer).await, 200);
        }
        let all = ear.rest().await;
        assert!(!all.contains("elicitation/create"), "{tool}: {all}");
        assert!(["DE89", "paid"].contains(&text(&all).as_str()), "{tool}: {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_be_asked_is_found_before_anything_runs() {
    let bad = "chain: bad\nlinks:\n  q: {kind: ask, with: {message: m, schema: {type: object, properties: {a: {type: object}}}}}\noutput: ${q}\n";
    let refused = Doors::open_with(WEB, PERMIT_ALL, &[bad], |_| ()).await.err().unwrap();
    assert!(
        refused.contains("a field is a string, number, integer, boolean, or an array of choices"),
        "{refused}"
    );
    // What one caller said is said for no other.
    let kept = bad
        .replace("{a: {type: object}}", "{a: {type: string}}")
        .replace("kind: ask,", "kind: ask, cache: {for: 5m},");
    let refused = Doors::open_with(WEB, PERMIT_ALL, &[&kept], |_| ()).await.err().unwrap();
    assert!(refused.contains("cannot be cached: a `ask` link asks whoever calls"), "{refused}");
}
