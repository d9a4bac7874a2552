//! Clients that wait to hear of changes: what a reload tells each of them, and when their streams end.

use crate::mcp::{META, at};
use crate::setup::{Doors, PERMIT_ALL, WEB, request, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOOL: &str = "chain: tool_more\noutput: 1\n";
const PROMPT: &str = "chain: prompt_more\nmcp: {as: prompt}\noutput: be nice\n";
const RESOURCE: &str = "chain: resource_more\nmcp: {as: resource, uri: 'more://all'}\noutput: all\n";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

fn project() -> String {
    format!("{WEB}mcp = true\n")
}

/// Somebody who listens to one stream.
pub struct Ear {
    stream: TcpStream,
    heard: String,
}

impl Ear {
    pub async fn open(doors: &Doors, key: &str, method: &str, headers: &[(&str, &str)], body: &str) -> Ear {
        let bearer = format!("Bearer {key}");
        let mut all = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend(headers);
        let mut stream = TcpStream::connect(doors.address()).await.unwrap();
        stream.write_all(request("localhost", method, "/mcp", &all, body).as_bytes()).await.unwrap();
        Ear { stream, heard: String::new() }
    }

    /// Waits for changes without a session.
    async fn subscribe(doors: &Doors, key: &str, notifications: &str) -> Ear {
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":\"subscriptions/listen\",\"params\":{{\"notifications\":{notifications},{META}}}}}"
        );
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
        Ear::open(doors, key, "POST", &headers, &body).await
    }

    /// What came until this text, which comes next.
    pub async fn until(&mut self, text: &str) -> String {
        within(async {
            loop {
                if let Some(end) = self.heard.find(text).map(|at| at + text.len()) {
                    let rest = self.heard.split_off(end);
                    return std::mem::replace(&mut self.heard, rest);
                }
                let mut bytes = [0; 4096];
                let read = self.stream.read(&mut bytes).await.unwrap();
                assert!(read > 0, "it ended before `{text}`: {}", self.heard);
                self.heard.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
        })
        .await
    }

    /// What came until the other side ended it.
    pub async fn rest(mut self) -> String {
        within(async {
            let mut bytes = Vec::new();
            self.stream.read_to_end(&mut bytes).await.unwrap();
            self.heard + String::from_utf8(bytes).unwrap().as_str()
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_tells_those_who_wait_for_it_what_has_changed() {
    let doors = Doors::open_with(&project(), PERMIT_ALL, &[], |_| ()).await.unwrap();
    let key = doors.alice().await;
    let about = doors.alone(&key, "server/discover", None, "").await;
    assert_eq!(at(&about, "result.capabilities.tools.listChanged"), "true", "{about:?}");
    let mut tools = Ear::subscribe(&doors, &key, "{\"toolsListChanged\":true,\"more\":true}").await;
    let told = tools.until(ACKNOWLEDGED).await;
    assert!(told.starts_with("HTTP/1.1 200") && !told.contains("list_changed"), "{told}");
    let told = tools.until("\n\n").await;
    let granted =
        "\"io.modelcontextprotocol/subscriptionId\":\"mine\"},\"notifications\":{\"toolsListChanged\":true}}";
    assert!(told.contains(granted), "{told}");
    let mut others =
        Ear::subscribe(&doors, &key, "{\"promptsListChanged\":true,\"resourcesListChanged\":true}").await;
    others.until(ACKNOWLEDGED).await;

    // Nothing is other than it was.
    doors.reload(&project(), PERMIT_ALL, &[]).await.unwrap();
    doors.reload(&project(), PERMIT_ALL, &[PROMPT]).await.unwrap();
    let told = others.until("list_changed").await;
    assert!(
        told.ends_with("notifications/prompts/list_changed") && told.matches("list_changed").count() == 1,
        "{told}"
    );
    doors.reload(&project(), PERMIT_ALL, &[PROMPT, RESOURCE]).await.unwrap();
    let told = others.until("list_changed").await;
    assert!(told.ends_with("notifications/resources/list_changed"), "{told}");
    doors.reload(&project(), PERMIT_ALL, &[PROMPT, RESOURCE, TOOL]).await.unwrap();
    let told = tools.until("list_changed").await;
    assert!(told.ends_with("notifications/tools/list_changed"), "{told}");
    let told = tools.until("\n\n").await;
    assert!(told.contains("\"io.modelcontextprotocol/subscriptionId\":\"mine\""), "{told}");

    doors.server.drain().await;
    let told = tools.rest().await;
    assert!(
        told.contains("\"id\":\"mine\",\"result\":{") && told.contains("\"resultType\":\"complete\""),
        "{told}"
    );
    assert!(!told.contains("list_changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_what_it_is_not_shown() {
    let policy = "permit (principal == Ringmail::Principal::\"alice\", action, resource);\n\
                  permit (principal == Ringmail::Principal::\"bot\", action, resource == Ringmail::Chain::\"prompt_more\");\n";
    let doors = Doors::open_with(&project(), policy, &[], |_| ()).await.unwrap();
    let (alice, bot) = (doors.alice().await, doors.key_of("bot", None, None));
    doors.known(&bot).await;
    let all = "{\"toolsListChanged\":true,\"promptsListChanged\":true}";
    let (mut hers, mut its) =
        (Ear::subscribe(&doors, &alice, all).await, Ear::subscribe(&doors, &bot, all).await);
    hers.until(ACKNOWLEDGED).await;
    its.until(ACKNOWLEDGED).await;
    doors.reload(&project(), policy, &[TOOL]).await.unwrap();
    hers.until("notifications/tools/list_changed").await;
    doors.reload(&project(), policy, &[TOOL, PROMPT]).await.unwrap();
    let told = its.until("list_changed").await;
    assert!(
        told.ends_with("notifications/prompts/list_changed") && told.matches("list_changed").count() == 1,
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_a_session_hears_until_the_session_ends() {
    let doors = Doors::open_with(&project(), PERMIT_ALL, &[], |_| ()).await.unwrap();
    let (alice, bot) = (doors.alice().await, doors.key_of("bot", None, None));
    doors.known(&bot).await;
    let session = doors.session(&alice).await;
    let named = [("mcp-session-id", session.as_str())];
    let other = Ear::open(&doors, &bot, "GET", &named, "").await.rest();
    let mut ear = Ear::open(&doors, &alice, "GET", &named, "").await;
    ear.until("text/event-stream").await;
    doors.reload(&project(), PERMIT_ALL, &[TOOL, RESOURCE]).await.unwrap();
    let told = ear.until("notifications/resources/list_changed").await;
    assert!(
        told.contains("notifications/tools/list_changed") && !told.contains("prompts/list_changed"),
        "{told}"
    );
    assert!(!told.contains("subscriptionId"), "{told}");
    let bearer = format!("Bearer {alice}");
    let ended = doors.ask("DELETE", "/mcp", &[("authorization", &bearer), named[0]], "").await;
    assert_eq!(ended.status, 204);
    assert!(!ear.rest().await.contains("list_changed"));
    assert!(other.await.starts_with("HTTP/1.1 404"), "another's session is as unknown as none");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_one_principal_waits_in_few_streams() {
    let doors = Doors::open_with(&project(), PERMIT_ALL, &[], |_| ()).await.unwrap();
    let key = doors.alice().await;
    let mut all = Vec::new();
    for _ in 0..8 {
        let mut ear = Ear::subscribe(&doors, &key, "{\"toolsListChanged\":true}").await;
        ear.until(ACKNOWLEDGED).await;
        all.push(ear);
    }
    let mut ear = Ear::subscribe(&doors, &key, "{\"toolsListChanged\":true}").await;
    assert!(ear.until("\"code\":\"overloaded\"").await.contains("\"error\""));
    doors.keys.revoke(&key, 2).unwrap();
    for ear in all {
        assert!(!ear.rest().await.contains("list_changed"), "a stream ends with the key that opened it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_says_for_what_and_takes_events() {
    let doors = Doors::open_with(&project(), PERMIT_ALL, &[], |_| ()).await.unwrap();
    let key = doors.alice().await;
    let mut ear = Ear::subscribe(&doors, &key, "7").await;
    ear.until("\"code\":-32602").await;
    let reply = doors.alone(&key, "subscriptions/listen", None, "\"notifications\":{}").await;
    assert_eq!(at(&reply, "error.code"), "-32601", "{reply:?}");
}
