//! Webhooks, signed as their senders sign.

use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, request, within};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_engine::Value;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEY: &str = "a-shared-secret-of-some-length";
pub const HOOKS: &str = "[secret.shared]\nfrom = \"file:shared.secret\"\nbound_to = []\n\
    [webhook.standard]\nchain = \"echo\"\nsecret = \"shared\"\nscheme = \"standard\"\n\
    [webhook.github]\nchain = \"echo\"\nsecret = \"shared\"\nscheme = \"github\"\nheaders = [\"X-GitHub-Event\"]\n\
    [webhook.stripe]\nchain = \"echo\"\nsecret = \"shared\"\nscheme = \"stripe\"\n\
    [webhook.slack]\nchain = \"echo\"\nsecret = \"shared\"\nscheme = \"slack\"\n";

pub fn secrets(folder: &Path) {
    for (name, text) in [("shared.secret", KEY), ("other.secret", "another-secret-of-some-length")] {
        std::fs::write(folder.join(name), text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), mode).unwrap();
    }
}

fn mac(parts: &[&str]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes());
    ring::hmac::sign(&key, parts.concat().as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The headers that a sender of this scheme puts on a body at this time.
pub fn signed(scheme: &str, id: &str, at: u64, body: &str) -> Vec<(String, String)> {
    let at = at.to_string();
    let pairs = match scheme {
        "standard" => vec![
            ("webhook-id", id.to_string()),
            ("webhook-timestamp", at.clone()),
            (
                "webhook-signature",
                format!("v1,bm9uZQ== v1,{}", STANDARD.encode(mac(&[id, ".", &at, ".", body]))),
            ),
        ],
        "github" => vec![
            ("x-hub-signature-256", format!("sha256={}", hex(&mac(&[body])))),
            ("x-github-event", "push".into()),
        ],
        "stripe" => vec![("stripe-signature", format!("t={at},v1={},v0=00", hex(&mac(&[&at, ".", body]))))],
        _ => vec![
            ("x-slack-request-timestamp", at.clone()),
            ("x-slack-signature", format!("v0={}", hex(&mac(&["v0:", &at, ":", body])))),
        ],
    };
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

pub async fn deliver(doors: &Doors, name: &str, headers: &[(String, String)], body: &str) -> Reply {
    let mut all: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("content-type", "application/json"));
    doors.ask("POST", &format!("/hooks/{name}"), &all, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_counts_once_if_it_is_signed_and_fresh() {
    let project = format!("{WEB}{HOOKS}");
    let doors = Doors::try_open(&project, PERMIT_ALL, secrets).await.unwrap();
    for scheme in ["standard", "github", "stripe", "slack"] {
        let body = format!("{{\"of\": \"{scheme}\"}}");
        let good = signed(scheme, "m1", now(), &body);
        let reply = deliver(&doors, scheme, &good, &body).await;
        assert_eq!(reply.status, 202, "{scheme} {reply:?}");
        assert_eq!(deliver(&doors, scheme, &good, &body).await.status, 409, "{scheme} again");
        assert_eq!(deliver(&doors, scheme, &good, "{}").await.status, 401, "{scheme} with another body");
        if matches!(scheme, "standard" | "stripe") {
            // It was once known by all that it was signed with, of which its sender's is but one.
            let (more, another) =
                (if scheme == "stripe" { ",v1=01" } else { " v1,bm9uZQ==" }, good[good.len() - 1].clone());
            let mut dressed = good[..good.len() - 1].to_vec();
            dressed.push((another.0, another.1 + more));
            assert_eq!(deliver(&doors, scheme, &dressed, &body).await.status, 409, "{scheme} dressed up");
        }
        assert_eq!(deliver(&doors, scheme, &[], &body).await.status, 401, "{scheme} unsigned");
        let other = if scheme == "slack" { "stripe" } else { "slack" };
        let wrong = signed(other, "m1", now(), &body);
        assert_eq!(deliver(&doors, scheme, &wrong, &body).await.status, 401, "{scheme} as {other}");
        let mut twice = signed(scheme, "m2", now(), "{\"n\": 2}");
        twice.push(twice[0].clone());
        assert_eq!(deliver(&doors, scheme, &twice, "{\"n\": 2}").await.status, 401, "{scheme} said twice");
        if scheme != "github" {
            for at in [now() - 400, now() + 400] {
                let stale = signed(scheme, "m3", at, "{\"n\": 3}");
                assert_eq!(
                    deliver(&doors, scheme, &stale, "{\"n\": 3}").await.status,
                    401,
                    "{scheme} at {at}"
                );
            }
        }
    }
    assert_eq!(deliver(&doors, "none", &[], "{}").await.status, 404);
    let written = doors.doors_say("it was delivered before").await;
    assert!(!written.contains(KEY), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_sees_the_delivery_as_untrusted_data_of_the_webhook() {
    let project = format!(
        "{WEB}{HOOKS}[webhook.who]\nchain = \"who\"\nsecret = \"shared\"\nscheme = \"github\"\n[[principal]]\nname = \"webhook:github\"\nroles = [\"sender\"]\n"
    );
    let doors = Doors::try_open(&project, PERMIT_ALL, secrets).await.unwrap();
    let body = "{\"ref\": \"main\"}";
    let reply = deliver(&doors, "github", &signed("github", "", 0, body), body).await;
    let run = reply.header("ringmail-run").unwrap().to_string();
    let record = within(async {
        loop {
            let record = doors.record();
            if record.lines().any(|line| line.contains(&run) && line.contains("answered")) {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(record.contains("\"principal\":\"webhook:github\""), "{record}");
    // Whose run it is polls it: nobody with a key.
    let key = doors.alice().await;
    assert_eq!(doors.get(&key, &format!("/runs/{run}")).await.status, 404);
    let broken = "{\"ref\": 1e999}";
    let reply = deliver(&doors, "github", &signed("github", "", 0, broken), broken).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "invalid-json"));
    assert!(reply.json().get("detail").and_then(Value::as_str).unwrap().contains("line 1"));
}

/// A delivery was once remembered before its turn came: the sender who was told to come back later got 409 for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_not_taken_may_come_again() {
    let rate = "[[rate]]\nper = \"chain\"\ncalls = 1\nwithin = \"1h\"\n";
    let doors = Doors::try_open(&format!("{WEB}{HOOKS}{rate}"), PERMIT_ALL, secrets).await.unwrap();
    for (body, status) in [("1", 202), ("1", 409), ("2", 429), ("2", 429)] {
        let reply = deliver(&doors, "github", &signed("github", "", 0, body), body).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
    }
}

/// Bodies of deliveries and forms of tokens once shared what room there was, whoever sent them.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_slow_bodies_of_one_address_keep_no_other_out() {
    let project = format!("{WEB}accept = [\"key\", \"jwt\"]\n{HOOKS}");
    let doors = Doors::try_open(&project, PERMIT_ALL, secrets).await.unwrap();
    let half = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {kind}\r\ncontent-length: 100\r\n\r\nx",
            doors.address()
        )
    };
    let (mut hooks, mut forms) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        for (path, kind, slow) in [
            ("/hooks/github", "application/json", &mut hooks),
            ("/token", "application/x-www-form-urlencoded", &mut forms),
        ] {
            let mut stream = TcpStream::connect(doors.address()).await.unwrap();
            stream.write_all(half(path, kind).as_bytes()).await.unwrap();
            slow.push(stream);
        }
    }
    // One of them finds no room: the others have all of it.
    let turned_away = within(async {
        loop {
            let mut bytes = [0; 20];
            if let Some(read) = hooks.iter().find_map(|stream| stream.try_read(&mut bytes).ok()) {
                break String::from_utf8_lossy(&bytes[..read]).into_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(turned_away.starts_with("HTTP/1.1 503"), "{turned_away}");
    let good = signed("github", "", 0, "{}");
    assert_eq!(deliver(&doors, "github", &good, "{}").await.status, 503);
    let mut elsewhere =
        request(doors.address(), "POST", "/hooks/github", &[("content-type", "application/json")], "{}");
    for (name, value) in &good {
        elsewhere = elsewhere.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1);
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(doors.address().parse().unwrap()).await.unwrap();
    stream.write_all(elsewhere.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    let reply = Reply::read(&answer);
    assert_eq!(reply.status, 202, "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_bound_unless_a_webhook_signs_with_it() {
    let free = "[secret.shared]\nfrom = \"file:shared.secret\"\nbound_to = []\n";
    let why = Doors::try_open(&format!("{WEB}{free}"), PERMIT_ALL, secrets).await.err().unwrap();
    assert!(why.contains("bound to at least one address"), "{why}");
    let hook = |secret: &str, chain: &str| {
        format!("{WEB}{free}[webhook.h]\nchain = \"{chain}\"\nsecret = \"{secret}\"\nscheme = \"github\"\n")
    };
    for (project, told) in [
        (hook("none", "echo"), "there is no secret `none`"),
        (hook("shared", "none"), "webhook `h`: there is no chain `none`"),
    ] {
        let why = Doors::try_open(&project, PERMIT_ALL, secrets).await.err().unwrap();
        assert!(why.contains(told), "{why}");
    }
}
