//! The door of those who steer.

use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, request, within};
use crate::tls::{caller, certificates, connect};
use ringmail_engine::Value;
use ringmail_server::{DevAuthority, Task};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

const REMOTE: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n\
    [control]\nbind = \"127.0.0.1:0\"\ntls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }\n";

async fn told<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    path: &str,
    body: &str,
) -> Reply {
    let text = request("control", method, path, &[], body);
    let _cut = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _cut = within(stream.read_to_end(&mut answer)).await;
    Reply::read(&answer)
}

pub async fn order(doors: &Doors, method: &str, path: &str, body: &str) -> Reply {
    let stream = UnixStream::connect(doors.folder.path().join("control.sock")).await.unwrap();
    told(stream, method, path, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_owns_the_host_steers_it_over_its_socket() {
    let doors = Doors::open(WEB).await;
    let socket = std::fs::metadata(doors.folder.path().join("control.sock")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&socket) & 0o777, 0o600);
    let status = order(&doors, "GET", "/status", "").await.json();
    assert_eq!(status.get("draining"), Some(&Value::Bool(false)));
    let made = order(&doors, "POST", "/keys", "{\"name\": \"bot\", \"expires_ms\": 99999999999999}").await;
    assert_eq!(made.status, 201);
    let key = made.json().get("key").and_then(Value::as_str).unwrap().to_string();
    assert_eq!(doors.get(&key, "/chains").await.status, 200);
    let listed = order(&doors, "GET", "/keys", "").await.body;
    assert!(listed.contains("\"subject\":\"bot\"") && !listed.contains("sha256"), "{listed}");
    let id = key.split('_').nth(1).unwrap();
    assert_eq!(order(&doors, "DELETE", &format!("/keys/{id}"), "").await.status, 200);
    assert_eq!(doors.get(&key, "/chains").await.status, 401);
    for (method, path, body, status) in [
        ("DELETE", "/keys/none", "", 404),
        ("DELETE", "/plugins/none", "", 404),
        ("DELETE", "/tokens/none", "", 404),
        ("POST", "/keys", "{}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 1, \"role\": []}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 1}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 99999999999999, \"tenant\": [\"acme\"]}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 99999999999999, \"tenant\": 5}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 99999999999999, \"tenant\": null}", 422),
        ("POST", "/keys", "{\"name\": \"x\", \"expires_ms\": 99999999999999, \"tenant\": \"acme\"}", 201),
        ("GET", "/chains", "", 404),
        ("POST", "/chains/echo", "1", 404),
    ] {
        assert_eq!(order(&doors, method, path, body).await.status, status, "{method} {path}");
    }
    let following = async {
        match doors.server.task().await {
            Task::Reload { by, done } => {
                assert!(by.starts_with("unix:"), "{by}");
                done.send(Err("line 3 is wrong".into())).unwrap();
            }
            Task::Drain => panic!("nobody asked for it"),
        }
    };
    let (reply, ()) = tokio::join!(order(&doors, "POST", "/reload", ""), following);
    assert!(reply.status == 422 && reply.body.contains("line 3 is wrong"), "{reply:?}");
    assert_eq!(order(&doors, "POST", "/drain", "").await.status, 202);
    assert!(matches!(within(doors.server.task()).await, Task::Drain));
    doors.doors_say("\"order\":\"drain\"").await;
    // An order that cannot be put on record is not followed.
    let noted = doors.record();
    assert!(noted.contains("\"stage\":\"ordered\"") && noted.contains("\"what\":\"POST /keys\""), "{noted}");
    // No listener leads here.
    let key = doors.alice().await;
    for path in ["/status", "/keys", "/reload"] {
        assert_eq!(doors.get(&key, path).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_from_elsewhere_shows_a_certificate_and_needs_a_policy() {
    let policy = "permit (principal, action == Ringmail::Action::\"run\", resource);\n\
        permit (principal == Ringmail::Principal::\"spiffe://example.com/ops\", action == Ringmail::Action::\"control\", resource)\n\
        when { context.args.hasTag(\"order\") && [\"look\", \"drain\"].contains(context.args.getTag(\"order\")) };\n";
    let prepare = |folder: &std::path::Path| {
        certificates(folder);
        let authority = DevAuthority::open(&folder.join("certs")).unwrap();
        authority.issue_client("ops", "spiffe://example.com/ops").unwrap();
    };
    let doors = Doors::try_open(REMOTE, policy, prepare).await.unwrap();
    let (folder, at) = (doors.folder.path(), doors.server.control().unwrap().to_string());
    let ask = async |own: Option<&str>, method: &str, path: &str| match connect(
        &at,
        &caller(folder, "certs", own, &[]),
    )
    .await
    {
        Ok(stream) => told(stream, method, path, "").await.status,
        Err(_) => 0,
    };
    assert_eq!(ask(Some("certs/ops"), "GET", "/status").await, 200);
    assert_eq!(ask(Some("certs/ops"), "POST", "/drain").await, 202);
    assert_eq!(ask(Some("certs/ops"), "POST", "/keys").await, 403);
    assert_eq!(ask(Some("certs/bot"), "GET", "/status").await, 403);
    assert_eq!(ask(Some("elsewhere/bot"), "GET", "/status").await, 0);
    assert_eq!(ask(None, "GET", "/status").await, 0);
    let noted = doors.doors_say("no policy permits `spiffe://example.com/bot` to control this host").await;
    assert!(noted.contains("\"what\":\"POST /drain\""), "{noted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_folder_has_one_server() {
    let doors = Doors::open(WEB).await;
    let second = Doors::try_open(WEB, PERMIT_ALL, |folder| {
        std::fs::hard_link(doors.folder.path().join("control.sock"), folder.join("control.sock")).unwrap();
    });
    let why = second.await.err().unwrap();
    assert!(why.contains("another server has this data folder"), "{why}");
}
