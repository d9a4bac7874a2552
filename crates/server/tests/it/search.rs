//! Callers who may call more tools than are listed: what they are shown, what they find and what they reach by it.

use crate::mcp::at;
use crate::setup::{Doors, PERMIT_ALL, Reply, WEB};
use ringmail_engine::core::json::to_string;

const SEARCH: &str = "\"name\":\"search_tools\"";

async fn open(more: &str, policy: &str, many: usize) -> Doors {
    let mut chains: Vec<String> = (0..many)
        .map(|number| {
            format!("chain: number_{number}\ndescription: gives the number {number}\noutput: {number}\n")
        })
        .collect();
    chains.push(
        "chain: post_letter\ndescription: puts something into an envelope\ninput: {type: object, properties: {zipcode: {type: string}}, required: [zipcode]}\noutput: 'sent to ${input.zipcode}'\n".into(),
    );
    let chains: Vec<&str> = chains.iter().map(String::as_str).collect();
    Doors::open_with(&format!("{WEB}mcp = true\n{more}"), policy, &chains, |_| ()).await.unwrap()
}

fn names(reply: &Reply, path: &str) -> Vec<String> {
    let named = |at: &mut usize| {
        let name = crate::mcp::at(reply, &format!("{path}.{at}.name"));
        *at += 1;
        (name != "nothing").then(|| name.trim_matches('"').to_string())
    };
    let mut at = 0;
    std::iter::from_fn(|| named(&mut at)).collect()
}

async fn find(doors: &Doors, key: &str, arguments: &str) -> Reply {
    let params = format!("{SEARCH},\"arguments\":{arguments}");
    doors.alone(key, "tools/call", Some("search_tools"), &params).await
}

fn found(reply: &Reply) -> Vec<String> {
    names(reply, "result.structuredContent.tools")
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_thousand_tools_are_found_and_not_listed() {
    let doors = open("", PERMIT_ALL, 1_000).await;
    let key = doors.alice().await;
    let session = doors.session(&key).await;
    let listed = doors.alone(&key, "tools/list", None, "").await;
    assert_eq!(names(&listed, "result.tools"), ["search_tools", "call_tool"], "{listed:?}");
    assert_eq!(at(&listed, "result.nextCursor"), "nothing");
    let listed = doors.within_session(&key, &session, "tools/list", "{}").await;
    assert_eq!(names(&listed, "result.tools"), ["search_tools", "call_tool"]);

    for (query, first) in [
        ("letter", "post_letter"),
        ("envelopes", "post_letter"),
        ("zipcode", "post_letter"),
        ("number 7", "number_7"),
    ] {
        let reply = find(&doors, &key, &format!("{{\"query\":\"{query}\"}}")).await;
        assert_eq!(found(&reply).first().map(String::as_str), Some(first), "{query}: {reply:?}");
    }
    let reply = find(&doors, &key, "{\"query\":\"letter\"}").await;
    let schema = at(&reply, "result.structuredContent.tools.0.inputSchema");
    assert!(schema.contains("zipcode"), "{schema}");
    let reply = find(&doors, &key, "{\"query\":\"number\",\"limit\":2,\"skip\":999}").await;
    assert_eq!((found(&reply).len(), at(&reply, "result.structuredContent.total").as_str()), (1, "1000"));
    let reply = find(&doors, &key, "{\"query\":\"\",\"limit\":3}").await;
    assert_eq!(found(&reply), ["broken", "echo", "greet"], "in the order of their names: {reply:?}");

    // What was found is called as it is, or by a client that knows no more than what was listed.
    let straight = "\"name\":\"post_letter\",\"arguments\":{\"zipcode\":\"89073\"}";
    let reply = doors.alone(&key, "tools/call", Some("post_letter"), straight).await;
    assert_eq!(at(&reply, "result.content.0.text"), "\"sent to 89073\"", "{reply:?}");
    let through = "{\"name\":\"call_tool\",\"arguments\":{\"name\":\"post_letter\",\"arguments\":{\"zipcode\":\"89073\"}}}";
    let reply = doors.within_session(&key, &session, "tools/call", through).await;
    assert_eq!(at(&reply, "result.content.0.text"), "\"sent to 89073\"", "{reply:?}");
    let record = doors.record();
    assert!(record.contains(at(&reply, "result._meta.ringmail/run").trim_matches('"')), "it is a run as any");
    for wrong in [
        "{}",
        "{\"query\":7}",
        "{\"query\":\"a\",\"limit\":0}",
        "{\"query\":\"a\",\"limit\":51}",
        "{\"query\":\"a\",\"skip\":-1}",
        "{\"query\":\"a\",\"more\":1}",
        &format!("{{\"query\":{}}}", to_string(&"x".repeat(1_001).into())),
    ] {
        assert_eq!(at(&find(&doors, &key, wrong).await, "error.code"), "-32602", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_caller_may_call_is_found() {
    let policy = "permit (principal == Ringmail::Principal::\"alice\", action, resource);\n\
                  permit (principal == Ringmail::Principal::\"bot\", action, resource == Ringmail::Chain::\"number_1\");\n\
                  permit (principal == Ringmail::Principal::\"bot\", action, resource == Ringmail::Chain::\"number_2\");\n";
    let doors = open("[server]\ntools = 1\n", policy, 5).await;
    let (alice, bot) = (doors.alice().await, doors.key_of("bot", None, None));
    let narrow = doors.key_of("bot", None, Some(&["number_1"]));
    doors.known(&narrow).await;
    let everything = "{\"query\":\"number letter envelope\"}";
    assert_eq!(found(&find(&doors, &alice, everything).await).len(), 6);
    for query in [everything, "{\"query\":\"\"}"] {
        assert_eq!(found(&find(&doors, &bot, query).await), ["number_1", "number_2"]);
    }
    let through =
        "\"name\":\"call_tool\",\"arguments\":{\"name\":\"post_letter\",\"arguments\":{\"zipcode\":\"1\"}}";
    let hidden = doors.alone(&bot, "tools/call", Some("call_tool"), through).await;
    let none = through.replace("post_letter", "none");
    let missing = doors.alone(&bot, "tools/call", Some("call_tool"), &none).await;
    assert_eq!(hidden.body, missing.body, "what may never be called looks like what is not there");
    assert_eq!(at(&hidden, "error.code"), "-32602", "{hidden:?}");
    // Whoever may call no more than is listed is listed it, and has nothing to search.
    let listed = doors.alone(&narrow, "tools/list", None, "").await;
    assert_eq!(names(&listed, "result.tools"), ["number_1"]);
    for (name, params) in [
        ("search_tools", format!("{SEARCH},\"arguments\":{{\"query\":\"a\"}}")),
        ("call_tool", through.into()),
    ] {
        let reply = doors.alone(&narrow, "tools/call", Some(name), &params).await;
        assert_eq!(at(&reply, "error.code"), "-32602", "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_would_hide_the_search_is_a_problem() {
    let chain = "chain: search_tools\noutput: 1\n";
    let web = format!("{WEB}mcp = true\n");
    assert!(Doors::open_with(&web, PERMIT_ALL, &[chain], |_| ()).await.is_ok());
    let few = format!("{web}[server]\ntools = 1\n");
    let told = Doors::open_with(&few, PERMIT_ALL, &[chain], |_| ()).await.err().unwrap();
    assert!(told.contains("one is called `search_tools`"), "{told}");
}
