//! Calls that become tasks, and what hostile clients try with them.

use crate::mcp::{META, at, message};
use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, within};
use ringmail_engine::core::json::to_string;
use std::time::Duration;

const KNOWS: &str = "\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}";
const WHO: &str = "{kind: ask, with: {message: who?, schema: {type: object, properties: {name: {type: string, maxLength: 20}}, required: [name]}}}";

fn chains() -> Vec<String> {
    let pause = "p: {kind: wait, with: {for: 1ms}}";
    vec![
        format!("chain: named\nlinks:\n  who: {WHO}\noutput: 'hello ${{who.name}}'\n"),
        format!("chain: two\nlinks:\n  a: {WHO}\n  b: {WHO}\noutput: '${{a.name}} and ${{b.name}}'\n"),
        format!("chain: again\nlinks:\n  e: {{kind: each, over: '[1, 2]', at_most: 2, parallel: 1, do: {{links: {{who: {WHO}}}, output: '${{who.name}}'}}}}\noutput: '${{e}}'\n"),
        format!("chain: pauses\nlinks:\n  {pause}\noutput: {{n: 7}}\n"),
        format!("chain: picture\nmcp: {{content: true}}\nlinks:\n  {pause}\noutput: {{content: [{{type: image, data: aGk=, mimeType: image/png}}]}}\n"),
        format!("chain: fails\nlinks:\n  {pause}\n  b: {{kind: native, after: [p], call: fail, with: {{}}}}\noutput: ${{b}}\n"),
        format!("chain: holds\ninput: {{type: object}}\nlinks:\n  {pause}\n  h: {{kind: native, after: [p], call: hold, with: {{}}}}\noutput: ${{h}}\n"),
        "chain: hasty\nlinks:\n  who: {kind: ask, fallback: {name: nobody}, with: {message: who?, within: 1ms, schema: {type: object, properties: {name: {type: string}}}}}\n  h: {kind: native, after: [who], call: hold, with: {}}\noutput: ${who.name}\n".into(),
        "chain: outer\nlinks:\n  c: {kind: chain, chain: pauses, with: {}}\noutput: ${c}\n".into(),
        "chain: paid\nlinks:\n  yes: {kind: approve, reason: pays back, with: {value: {iban: DE89}}}\noutput: ${yes.iban}\n".into(),
        format!("chain: secret\nlinks:\n  {pause}\noutput: 1\n"),
    ]
}

async fn open(more: &str) -> Doors {
    open_with(more, PERMIT_ALL).await
}

async fn open_with(more: &str, policy: &str) -> Doors {
    let all = chains();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Doors::open_with(&format!("{WEB}mcp = true\n{more}"), policy, &all, |_| ()).await.unwrap()
}

impl Doors {
    /// A request of a client that says what it is able to. `more` has no outer braces.
    async fn says(&self, key: &str, able: &str, method: &str, name: &str, more: &str) -> Reply {
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        let meta = META.replace("ilities\":{}", &format!("ilities\":{{{able}}}"));
        self.mcp(key, &headers, &message(method, &format!("{{{more},{meta}}}"))).await
    }

    /// A call of a client that knows of tasks and has a person.
    async fn tool(&self, key: &str, tool: &str) -> Reply {
        let able = format!("\"elicitation\":{{}},{KNOWS}");
        self.says(key, &able, "tools/call", tool, &format!("\"name\":\"{tool}\"")).await
    }

    /// A call that becomes a task.
    async fn task(&self, key: &str, tool: &str) -> String {
        let begun = self.tool(key, tool).await;
        assert_eq!(at(&begun, "result.resultType"), "\"task\"", "{begun:?}");
        at(&begun, "result.taskId").trim_matches('"').to_string()
    }

    async fn of_task(&self, key: &str, method: &str, id: &str, more: &str) -> Reply {
        self.says(key, KNOWS, method, id, &format!("\"taskId\":\"{id}\"{more}")).await
    }

    async fn stands(&self, key: &str, id: &str) -> Reply {
        self.of_task(key, "tasks/get", id, "").await
    }

    /// Brings answers: `LINK-1` stands for whatever that link asks just now.
    async fn answers(&self, key: &str, id: &str, answers: &str) -> Reply {
        let asked = at(&self.stands(key, id).await, "result.inputRequests");
        let link = answers.split(['"', '-']).nth(1).unwrap_or_default().to_string();
        let answers = &answers.replace(&format!("\"{link}-1\""), &format!("\"{}\"", asked_by(&asked, &link)));
        self.of_task(key, "tasks/update", id, &format!(",\"inputResponses\":{answers}")).await
    }

    /// How a task stands once it does so.
    async fn until(&self, key: &str, id: &str, status: &str) -> Reply {
        within(async {
            loop {
                let seen = self.stands(key, id).await;
                if at(&seen, "result.status") == format!("\"{status}\"") {
                    return seen;
                }
                assert_eq!(at(&seen, "result.status"), "\"working\"", "{status}: {seen:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

/// What a link asks, by the name that its answer is brought under.
fn asked_by(asked: &str, link: &str) -> String {
    let from = asked.find(&format!("\"{link}-")).map_or("", |at| &asked[at + 1..]);
    from.split('"').next().unwrap_or_default().to_string()
}

fn name(key: &str, name: &str) -> String {
    format!("{{\"{key}\":{{\"action\":\"accept\",\"content\":{{\"name\":\"{name}\"}}}}}}")
}

/// What was answered, without what differs from run to run.
fn same(reply: &Reply, path: &str) -> String {
    let (text, run) = (at(reply, path), at(reply, &format!("{path}._meta.ringmail/run")));
    text.replace(run.trim_matches('"'), "RUN")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_of_a_task_is_what_its_call_would_have_been_answered() {
    let doors = open("").await;
    let key = doors.alice().await;
    for tool in ["pauses", "picture", "fails", "outer"] {
        let id = doors.task(&key, tool).await;
        let seen = doors.until(&key, &id, "completed").await;
        let whole = doors.alone(&key, "tools/call", Some(tool), &format!("\"name\":\"{tool}\"")).await;
        assert_eq!(same(&seen, "result.result"), same(&whole, "result"), "{tool}");
        assert_eq!(at(&seen, "result.result.isError") == "true", tool == "fails", "{seen:?}");
        assert_eq!(at(&seen, "result.resultType"), "\"complete\"");
        assert!(doors.get(&key, &format!("/runs/{id}")).await.status == 200, "a task is a run");
    }
    // What waits for nothing is answered at once, and a task says what it has to.
    let greet = doors
        .says(
            &key,
            KNOWS,
            "tools/call",
            "greet",
            "\"name\":\"greet\",\"arguments\":{\"name\":\"you\"},\"task\":{\"ttl\":60000}",
        )
        .await;
    assert_eq!(at(&greet, "result.content.0.text"), "\"hello you\"", "{greet:?}");
    let begun = doors.tool(&key, "holds").await;
    let id = at(&begun, "result.taskId").trim_matches('"').to_string();
    assert_eq!(at(&begun, "result.status"), "\"working\"");
    assert_eq!(
        (at(&begun, "result.ttlMs"), at(&begun, "result.pollIntervalMs")),
        ("null".into(), "1000".into())
    );
    assert!(
        at(&begun, "result.createdAt").ends_with("Z\"") && at(&begun, "result.requestState") == "nothing"
    );
    doors.begun(1).await;
    assert_eq!(at(&doors.stands(&key, &id).await, "result.status"), "\"working\"");
    doors.go.notify_one();
    let seen = doors.until(&key, &id, "completed").await;
    assert_eq!(at(&seen, "result.createdAt"), at(&begun, "result.createdAt"));
    assert!(at(&seen, "result.ttlMs").parse::<u64>().unwrap() >= 3_600_000, "{seen:?}");
    assert_eq!(at(&seen, "result.result.content.0.text"), "\"let go\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_know_of_tasks_meets_none() {
    let doors = open("").await;
    let key = doors.alice().await;
    let whole = doors.alone(&key, "tools/call", Some("pauses"), "\"name\":\"pauses\"").await;
    assert_eq!(at(&whole, "result.structuredContent.n"), "7", "{whole:?}");
    let asked = doors.says(&key, "\"elicitation\":{}", "tools/call", "named", "\"name\":\"named\"").await;
    assert_eq!(at(&asked, "result.resultType"), "\"input_required\"", "{asked:?}");
    let id = doors.task(&key, "named").await;
    let id_is = format!("\"taskId\":\"{id}\",\"inputResponses\":{{}}");
    for able in ["", "\"extensions\":{\"io.modelcontextprotocol/tasks\":true}", "\"tasks\":{}"] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let told = doors.says(&key, able, method, &id, &id_is).await;
            assert_eq!((told.status, at(&told, "error.code")), (400, "-32021".into()), "{method} {able}");
            let needs = at(&told, "error.data.requiredCapabilities.extensions");
            assert_eq!(needs, "{\"io.modelcontextprotocol/tasks\":{}}");
        }
    }
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
        ("accept", "text/event-stream"),
    ];
    let listen =
        message("subscriptions/listen", &format!("{{\"notifications\":{{\"taskIds\":[\"{id}\"]}},{META}}}"));
    assert!(doors.mcp(&key, &headers, &listen).await.body.contains("-32021"));
    // Other eras have no such methods, and this one no others.
    let session = doors.session(&key).await;
    let told = doors.within_session(&key, &session, "tasks/get", &format!("{{\"taskId\":\"{id}\"}}")).await;
    assert_eq!(at(&told, "error.code"), "-32601", "{told:?}");
    for method in ["tasks/list", "tasks/result"] {
        let told = doors.of_task(&key, method, &id, "").await;
        assert_eq!((told.status, at(&told, "error.code")), (404, "-32601".into()), "{told:?}");
    }
    let found = doors.alone(&key, "server/discover", None, "").await;
    assert_eq!(at(&found, "result.capabilities.extensions"), "{\"io.modelcontextprotocol/tasks\":{}}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_asks_and_each_answer_counts_once() {
    let doors = open("[server]\nrequests = 1\nwait = \"100ms\"\n").await;
    let key = doors.alice().await;
    let id = doors.task(&key, "two").await;
    let both = within(async {
        loop {
            let seen = doors.stands(&key, &id).await;
            if at(&seen, "result.inputRequests").matches("elicitation/create").count() == 2 {
                return seen;
            }
        }
    })
    .await;
    let asked = both.json().get("result").unwrap().get("inputRequests").unwrap().clone();
    let keys: Vec<String> = asked.as_map().unwrap().iter().map(|(key, _)| key.to_string()).collect();
    let [a, b] = &*keys else { panic!("{keys:?}") };
    assert!(a.starts_with("a-") && b.starts_with("b-"), "{keys:?}");
    assert_eq!(at(&both, &format!("result.inputRequests.{a}.params.message")), "\"who?\"");
    assert!(at(&both, &format!("result.inputRequests.{a}.params.requestedSchema")).contains("maxLength"));
    // Whoever is waited for keeps nobody waiting.
    assert_eq!(doors.post(&key, "greet", "{\"name\":\"you\"}").await.body, "\"hello you\"");
    for (what, answers) in [
        ("what does not fit", name(a, &"x".repeat(21))),
        (
            "one that fits and one that does not",
            format!("{{\"{a}\":{{\"action\":\"accept\",\"content\":{{\"name\":\"Ada\"}}}},\"{b}\":{{}}}}"),
        ),
        ("no answers", "7".into()),
    ] {
        assert_eq!(at(&doors.answers(&key, &id, &answers).await, "error.code"), "-32602", "{what}");
    }
    for nothing in ["{}".to_string(), name("c-3", "Eve"), name("a", "Eve")] {
        let told = doors.answers(&key, &id, &nothing).await;
        assert_eq!(at(&told, "result.resultType"), "\"complete\"", "{told:?}");
    }
    assert_eq!(at(&doors.stands(&key, &id).await, "result.inputRequests"), to_string(&asked));
    let told = doors.answers(&key, &id, &name(a, "Ada")).await;
    assert!(at(&told, "result.resultType") == "\"complete\"" && at(&told, "result.status") == "nothing");
    let rest = doors.stands(&key, &id).await;
    assert_eq!(at(&rest, "result.status"), "\"input_required\"");
    assert_eq!(at(&rest, &format!("result.inputRequests.{a}")), "nothing", "{rest:?}");
    assert_eq!(at(&doors.answers(&key, &id, &name(a, "Eve")).await, "result.resultType"), "\"complete\"");
    doors.answers(&key, &id, &name(b, "Bob")).await;
    let done = doors.until(&key, &id, "completed").await;
    assert_eq!(at(&done, "result.result.content.0.text"), "\"Ada and Bob\"", "{done:?}");
    // The same link asks again under another name.
    let id = doors.task(&key, "again").await;
    let mut before = String::new();
    for who in ["Ada", "Bob"] {
        let seen = doors.until(&key, &id, "input_required").await;
        let asked = asked_by(&at(&seen, "result.inputRequests"), "who");
        assert!(!asked.is_empty() && asked != before, "{seen:?}");
        // Whoever says again what was said before answers nothing else with it.
        doors.answers(&key, &id, &name(&before, "Eve")).await;
        doors.answers(&key, &id, &name(&asked, who)).await;
        before = asked;
    }
    let done = doors.until(&key, &id, "completed").await;
    assert_eq!(at(&done, "result.result.content.0.text"), "\"[\\\"Ada\\\",\\\"Bob\\\"]\"", "{done:?}");
    let id = doors.task(&key, "paid").await;
    let seen = doors.until(&key, &id, "input_required").await;
    let asked = asked_by(&at(&seen, "result.inputRequests"), "yes");
    let asked = at(&seen, &format!("result.inputRequests.{asked}.params.message"));
    assert!(asked.contains("pays back"), "{seen:?}");
    doors.answers(&key, &id, "{\"yes-1\":{\"action\":\"accept\",\"content\":{\"approve\":true}}}").await;
    assert_eq!(at(&doors.until(&key, &id, "completed").await, "result.result.content.0.text"), "\"DE89\"");
    assert!(doors.doors_say("approval").await.contains("\"yes\":true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_asks_a_client_without_a_person_fails_as_its_call_would() {
    let doors = open("").await;
    let key = doors.alice().await;
    let begun = doors.says(&key, KNOWS, "tools/call", "named", "\"name\":\"named\"").await;
    let id = at(&begun, "result.taskId").trim_matches('"').to_string();
    let failed = doors.until(&key, &id, "failed").await;
    let whole = doors.alone(&key, "tools/call", Some("named"), "\"name\":\"named\"").await;
    assert_eq!(at(&failed, "result.error"), at(&whole, "error"), "{failed:?}");
    assert_eq!(
        (at(&failed, "result.error.code"), at(&failed, "result.result")),
        ("-32021".into(), "nothing".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_any_more_is_not_asked() {
    let doors = open("").await;
    let key = doors.alice().await;
    let id = doors.task(&key, "hasty").await;
    doors.begun(1).await;
    let seen = doors.stands(&key, &id).await;
    assert_eq!(
        (at(&seen, "result.status"), at(&seen, "result.inputRequests")),
        ("\"working\"".into(), "nothing".into())
    );
    doors.answers(&key, &id, &name("who-1", "Eve")).await;
    doors.go.notify_one();
    let done = doors.until(&key, &id, "completed").await;
    assert_eq!(at(&done, "result.result.content.0.text"), "\"nobody\"", "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_a_task_is_its_own_principals_alone() {
    let doors = open("").await;
    let key = doors.alice().await;
    let others = [doors.key_of("mallory", None, None), doors.key_of("alice", Some("elsewhere"), None)];
    let id = doors.task(&key, "named").await;
    doors.until(&key, &id, "input_required").await;
    let answers = format!(",\"inputResponses\":{}", name("who-1", "Eve"));
    let methods = ["tasks/get", "tasks/update", "tasks/cancel"];
    for other in &others {
        doors.known(other).await;
        for method in methods {
            let theirs = doors.of_task(other, method, &id, &answers).await;
            let none = doors.of_task(other, method, &"0".repeat(32), &answers).await;
            assert_eq!(at(&theirs, "error.code"), "-32602", "{theirs:?}");
            assert_eq!(theirs.body, none.body, "{method}");
        }
    }
    let long = "f".repeat(9_000);
    for guess in [&id[..31], &id.to_uppercase(), &format!("{id}0"), "-", "../x", "%", &long] {
        for method in methods {
            let told = doors.of_task(&key, method, guess, &answers).await;
            assert_eq!(at(&told, "error.code"), if guess == id { "nothing" } else { "-32602" }, "{guess}");
        }
    }
    doors.answers(&key, &id, &name("who-1", "Ada")).await;
    let done = doors.until(&key, &id, "completed").await;
    assert_eq!(at(&done, "result.result.content.0.text"), "\"hello Ada\"", "{done:?}");
    assert_eq!(at(&doors.stands(&others[0], &id).await, "error.code"), "-32602");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_29_what_names_no_task_is_told_so() {
    let doors = open("").await;
    let key = doors.alice().await;
    let id = doors.task(&key, "named").await;
    for params in ["\"taskId\":7", "\"taskId\":null", "\"taskId\":[\"x\"]", "\"task\":\"x\""] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            // Its head names nothing that the message could agree with.
            assert_eq!(at(&doors.says(&key, KNOWS, method, "x", params).await, "error.code"), "-32020");
            let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
            let meta = META.replace("ilities\":{}", &format!("ilities\":{{{KNOWS}}}"));
            let told = doors.mcp(&key, &headers, &message(method, &format!("{{{params},{meta}}}"))).await;
            assert_eq!(at(&told, "error.code"), "-32020", "{method} {params} {told:?}");
        }
    }
    for (headers, named) in [(Some("tasks/get"), "other"), (Some("tasks/cancel"), &*id)] {
        let head =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", headers.unwrap()), ("mcp-name", named)];
        let meta = META.replace("ilities\":{}", &format!("ilities\":{{{KNOWS}}}"));
        let told =
            doors.mcp(&key, &head, &message("tasks/get", &format!("{{\"taskId\":\"{id}\",{meta}}}"))).await;
        assert_eq!((told.status, at(&told, "error.code")), (400, "-32020".into()), "{named}");
    }
    assert_eq!(at(&doors.of_task(&key, "tasks/update", &id, "").await, "error.code"), "-32602");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_cancelled_and_what_is_over_stays_as_it_ended() {
    let doors = open("").await;
    let key = doors.alice().await;
    let id = doors.task(&key, "named").await;
    doors.until(&key, &id, "input_required").await;
    for _ in 0..2 {
        let told = doors.of_task(&key, "tasks/cancel", &id, "").await;
        assert!(at(&told, "result.resultType") == "\"complete\"" && at(&told, "result.taskId") == "nothing");
        let seen = within(async {
            loop {
                let seen = doors.stands(&key, &id).await;
                if at(&seen, "result.status") == "\"cancelled\"" {
                    return seen;
                }
            }
        })
        .await;
        assert_eq!(
            (at(&seen, "result.inputRequests"), at(&seen, "result.result")),
            ("nothing".into(), "nothing".into())
        );
    }
    doors.doors_say("cancelled").await;
    let late = doors.answers(&key, &id, &name("who-1", "Ada")).await;
    assert_eq!(at(&late, "result.resultType"), "\"complete\"", "what is not asked is not answered");
    assert_eq!(at(&doors.stands(&key, &id).await, "result.status"), "\"cancelled\"");
    let id = doors.task(&key, "pauses").await;
    let done = doors.until(&key, &id, "completed").await;
    doors.of_task(&key, "tasks/cancel", &id, "").await;
    doors.answers(&key, &id, &name("who-1", "Ada")).await;
    assert_eq!(doors.stands(&key, &id).await.body, done.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_so_many_tasks_are_kept_and_for_so_long() {
    let doors = open("[server]\nruns = 2\nrun_kept = \"2s\"\n").await;
    let key = doors.alice().await;
    let (first, second) = (doors.task(&key, "named").await, doors.task(&key, "named").await);
    let full = doors.tool(&key, "named").await;
    assert!(at(&full, "error.data.code") == "\"overloaded\"", "{full:?}");
    // What has ended makes room for another.
    doors.until(&key, &first, "input_required").await;
    doors.answers(&key, &first, &name("who-1", "Ada")).await;
    doors.until(&key, &first, "completed").await;
    let third = doors.task(&key, "pauses").await;
    assert_eq!(at(&doors.stands(&key, &first).await, "error.code"), "-32602");
    doors.until(&key, &third, "completed").await;
    // Until its time is over.
    within(async {
        while at(&doors.stands(&key, &third).await, "error.code") != "-32602" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(at(&doors.stands(&key, &second).await, "result.status"), "\"input_required\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_counted_and_judged_like_any_call() {
    let forbids = format!(
        "{PERMIT_ALL}forbid (principal == Ringmail::Principal::\"alice\", action, resource == Ringmail::Chain::\"secret\");\n"
    );
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 6\nwithin = \"1h\"\n";
    let doors = open_with(rate, &forbids).await;
    let key = doors.key();
    doors.known(&key).await;
    let (secret, none) = (doors.tool(&key, "secret").await, doors.tool(&key, "nothing").await);
    assert_eq!((at(&secret, "error.code"), &secret.body), ("-32602".into(), &none.body));
    let id = doors.task(&key, "named").await;
    for _ in 3..6 {
        assert_eq!(at(&doors.stands(&key, &id).await, "result.taskId"), format!("\"{id}\""));
    }
    assert_eq!(at(&doors.stands(&key, &id).await, "error.data.code"), "\"too-many-calls\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_ends_with_the_key_it_began_with_and_outlives_a_reload() {
    let doors = open("").await;
    let key = doors.alice().await;
    let id = doors.task(&key, "named").await;
    doors.until(&key, &id, "input_required").await;
    let done = doors.task(&key, "picture").await;
    doors.until(&key, &done, "completed").await;
    doors.reload(&format!("{WEB}mcp = true\n"), PERMIT_ALL, &[]).await.unwrap();
    let seen = doors.stands(&key, &done).await;
    assert_eq!(at(&seen, "result.result.content.0.type"), "\"image\"", "{seen:?}");
    doors.answers(&key, &id, &name("who-1", "Ada")).await;
    assert_eq!(
        at(&doors.until(&key, &id, "completed").await, "result.result.content.0.text"),
        "\"hello Ada\""
    );
    doors.reload(&format!("{WEB}mcp = true\n"), PERMIT_ALL, &[&chains()[0]]).await.unwrap();
    let id = doors.task(&key, "named").await;
    doors.until(&key, &id, "input_required").await;
    doors.keys.revoke(&key, 2).unwrap();
    doors.doors_say("cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_a_key_that_is_not_for_a_chain_hears_nothing_of_its_tasks() {
    let doors = open("").await;
    let key = doors.alice().await;
    let narrow = doors.key_of("alice", None, Some(&["pauses"]));
    doors.known(&narrow).await;
    let id = doors.task(&key, "named").await;
    doors.until(&key, &id, "input_required").await;
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let told = doors.of_task(&narrow, method, &id, ",\"inputResponses\":{}").await;
        assert_eq!(at(&told, "error.code"), "-32602", "{told:?}");
    }
    doors.doors_say("there is no such task, or none of this caller").await;
    let own = doors.task(&narrow, "pauses").await;
    doors.until(&narrow, &own, "completed").await;
    assert_eq!(at(&doors.stands(&key, &id).await, "result.status"), "\"input_required\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_tasks_that_wait_keep_nobody_from_answering_them() {
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 1000\nwithin = \"1s\"\nat_once = 2\n";
    let doors = open(rate).await;
    let key = doors.alice().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = doors.task(&key, "named").await;
        doors.until(&key, &id, "input_required").await;
        ids.push(id);
    }
    for id in &ids {
        doors.answers(&key, id, &name("who-1", "Ada")).await;
        doors.until(&key, id, "completed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_one_caller_has_so_many_tasks_that_wait() {
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 100000\nwithin = \"1s\"\nat_once = 1000\n";
    let doors = open(rate).await;
    let key = doors.alice().await;
    for _ in 0..64 {
        let id = doors.task(&key, "named").await;
        doors.until(&key, &id, "input_required").await;
    }
    let turned = doors.tool(&key, "named").await;
    assert!(at(&turned, "error.message").contains("too much") || turned.status == 503, "{turned:?}");
    let bob = doors.key_of("bob", Some("acme"), None);
    doors.known(&bob).await;
    let id = doors.task(&bob, "named").await;
    doors.until(&bob, &id, "input_required").await;
}
