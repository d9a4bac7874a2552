//! Attacks 30 and 33-37, through real sockets.

use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, request, within};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn attack_30_reserved_names_in_a_body_are_data() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let body = "{\"exception\":1,\"error\":2,\"__proto__\":{\"roles\":[\"admin\"]},\"run\":3,\"secrets\":4}";
    assert_eq!(doors.post(&key, "echo", body).await.body, body);
    let who = doors.post(&key, "who", body).await.body;
    assert!(who.contains("\"principal\":\"alice\"") && !who.contains("admin"), "{who}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_nobody_is_let_in_without_proof_and_all_are_told_the_same() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let revoked = doors.key_of("bob", None, None);
    doors.known(&revoked).await;
    doors.keys.revoke(&revoked, 2).unwrap();
    let bearer = format!("Bearer {key}");
    let mut mixed = key.clone();
    mixed.replace_range(20..22, "zz");
    let shown: Vec<Vec<(&str, String)>> = vec![
        vec![],
        vec![("authorization", key.clone())],
        vec![("authorization", format!("Basic {key}"))],
        vec![("authorization", format!("Bearer {mixed}"))],
        vec![("authorization", format!("Bearer {key}{key}"))],
        vec![("authorization", "Bearer ".into())],
        vec![("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.".into())],
        vec![("authorization", bearer.clone()), ("authorization", bearer.clone())],
        vec![("x-api-key", key.clone())],
    ];
    let mut told = std::collections::BTreeSet::new();
    let mut check = |reply: Reply| {
        assert_eq!(reply.status, 401, "{reply:?}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
        let id = reply.json().get("id").and_then(ringmail_engine::Value::as_str).unwrap().to_string();
        told.insert(reply.body.replace(&id, "ID"));
        id
    };
    for headers in &shown {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let id = check(doors.ask("GET", "/chains", &headers, "").await);
        doors.doors_say(&id).await;
    }
    // A key in the address is none, and is nowhere written down.
    check(doors.ask("GET", &format!("/chains?key={key}&access_token={key}"), &[], "").await);
    within(async {
        while doors.get(&revoked, "/chains").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    check(doors.get(&revoked, "/chains").await);
    assert_eq!(told.len(), 1, "{told:?}");
    let written = doors.doors_say("the key was revoked").await;
    assert!(!written.contains(&key[..30]), "{written}");
    assert_eq!(doors.get(&key, "/chains").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_34_what_a_peer_says_of_itself_fools_nobody() {
    let limited = "[[rate]]\nper = \"address\"\ncalls = 2\nwithin = \"1h\"\n";
    let doors = Doors::open(&format!("{WEB}{limited}")).await;
    // However it names itself, it is one address.
    for (at, status) in [(1, 401), (2, 401), (3, 429), (4, 429)] {
        let name = format!("198.51.100.{at}");
        let headers = [("x-forwarded-for", name.as_str()), ("forwarded", "for=198.51.100.9")];
        assert_eq!(doors.ask("GET", "/chains", &headers, "").await.status, status, "{at}");
    }
    // Behind a proxy, those it saw are counted apart, and what they said before it is not believed.
    let doors = Doors::open(&format!("{WEB}proxies = [\"127.0.0.0/8\"]\n{limited}")).await;
    for (said, status) in [
        ("198.51.100.1", 401),
        ("203.0.113.5, 198.51.100.1", 401),
        ("203.0.113.6, 198.51.100.1", 429),
        ("198.51.100.2", 401),
        ("203.0.113.5", 401),
    ] {
        let reply = doors.ask("GET", "/chains", &[("x-forwarded-for", said)], "").await;
        assert_eq!(reply.status, status, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_34_a_page_elsewhere_does_not_call() {
    let doors = Doors::open(&format!("{WEB}origins = [\"https://app.example.com\"]\n")).await;
    let key = doors.alice().await;
    let bearer = format!("Bearer {key}");
    let ask = async |headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        doors.ask("GET", "/chains", &all, "").await
    };
    // A name that an attacker leads to loopback.
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "10.0.0.1"] {
        assert_eq!(ask(&[("host", host)]).await.status, 421, "{host}");
    }
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:99", "localhost."] {
        assert_eq!(ask(&[("host", host)]).await.status, 200, "{host}");
    }
    assert_eq!(ask(&[("host", "localhost"), ("host", "evil.example")]).await.status / 100, 4);
    for origin in
        ["https://evil.example", "null", "http://app.example.com", "https://app.example.com.evil.example"]
    {
        let reply = ask(&[("origin", origin)]).await;
        assert_eq!(reply.status, 403, "{origin}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let reply = ask(&[("origin", "https://app.example.com")]).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"));
    let preflight = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
    let reply = doors.ask("OPTIONS", "/chains/greet", &preflight, "").await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-methods")),
        (204, Some("GET, POST, DELETE"))
    );
    let foreign = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    assert_eq!(doors.ask("OPTIONS", "/chains/greet", &foreign, "").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_nobody_smuggles_a_request_behind_another() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let head = format!(
        "POST /chains/echo HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    );
    for (lengths, rest) in [
        (
            "content-length: 4\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\nGET /chains/x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        (
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            "0\r\n\r\nGET /chains/x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ),
        ("content-length: 0\r\ncontent-length: 44\r\n", "GET /chains/x HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        ("content-length: +4\r\n", "null"),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "-1\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n\r\n"),
        ("content-length: 99999999999999999999\r\n", "null"),
        (" folded: 1\r\ncontent-length: 4\r\n", "null"),
        ("content-length : 4\r\n", "null"),
    ] {
        let reply = doors.raw(format!("{head}{lengths}\r\n{rest}").as_bytes()).await;
        let all = format!("{}{}", reply.head, reply.body);
        assert!(all.matches("HTTP/1.1 ").count() <= 1, "{lengths}: {all}");
        assert!(!all.contains("HTTP/1.1 404"), "{lengths}: the second request was heard: {all}");
    }
    assert_eq!(doors.post(&key, "echo", "1").await.body, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_slow_and_flooding_peers_keep_nobody_waiting() {
    let few = "[server]\nidle = \"300ms\"\nhead_time = \"300ms\"\nbody_time = \"300ms\"\nheaders = 20\n";
    let doors = Doors::open(&format!("{WEB}{few}")).await;
    let key = doors.alice().await;
    let mut slow = Vec::new();
    for begun in ["", "P", "PRI * HT", "GET /chains HTTP/1.1\r\nhost: loc", "GET /chains HTTP/1.1\r\n"] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(doors.address()).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            slow.push((begun, stream));
        }
    }
    let bearer = format!("Bearer {key}");
    let body = format!(
        "POST /chains/echo HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n12"
    );
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    slow.push(("a body", stream));
    assert_eq!(doors.post(&key, "echo", "1").await.body, "1");
    // Each of them is let go by the server.
    for (begun, mut stream) in slow {
        let mut rest = Vec::new();
        let _reset = within(stream.read_to_end(&mut rest)).await;
        let status = Reply::read(&rest).status;
        assert!(matches!(status, 0 | 408), "{begun}: {status}");
    }
    let names: Vec<String> = (0..30).map(|at| format!("x-{at}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(doors.ask("GET", "/chains", &many, "").await.status, 431);
    let long = "x".repeat(64 << 10);
    assert_eq!(doors.ask("GET", "/chains", &[("x-long", &long)], "").await.status, 431);
    assert_eq!(doors.post(&key, "echo", "2").await.body, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_whoever_takes_no_answer_is_let_go() {
    let doors = Doors::open(&format!("{WEB}[server]\nstall = \"300ms\"\nbody = \"16MiB\"\n")).await;
    let key = doors.alice().await;
    let bearer = format!("Bearer {key}");
    let long = format!("\"{}\"", "x".repeat(12 << 20));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(request("localhost", "POST", "/chains/echo", &headers, &long).as_bytes()).await.unwrap();
    // It reads nothing until the server has given up; what then comes is cut short.
    doors.server.drain().await;
    let mut answer = Vec::new();
    let _reset = within(stream.read_to_end(&mut answer)).await;
    assert!(answer.len() < long.len(), "{}", answer.len());
}

/// HTTP/2 without a library: what it takes to be rude.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_streams_that_are_opened_and_taken_back_end_their_connection() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let frame = |kind: u8, flags: u8, stream: u32, body: &[u8]| {
        let mut bytes = (body.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    // :method GET, :scheme http, :path /, :authority localhost.
    let headers = [&[0x82, 0x86, 0x84, 0x41, 9][..], b"localhost"].concat();
    let rude = async {
        for at in 0..100_000_u32 {
            let id = 2 * at + 1;
            let two = [frame(1, 5, id, &headers), frame(3, 0, id, &8_u32.to_be_bytes())].concat();
            if stream.write_all(&two).await.is_err() {
                return;
            }
        }
        panic!("it may go on for ever");
    };
    within(rude).await;
    assert_eq!(doors.post(&key, "echo", "1").await.body, "1");
}

/// A connection of HTTP/2 that asked nothing was kept for ever: its pings were answered, and nothing else was looked at.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_an_idle_connection_of_http_2_is_let_go() {
    let doors = Doors::open(&format!("{WEB}[server]\nidle = \"300ms\"\n")).await;
    let half: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for settings in [&b""[..], b"\0\0\0\x04\0\0\0\0\0"] {
        let mut stream = TcpStream::connect(doors.address()).await.unwrap();
        stream.write_all(&[half, settings].concat()).await.unwrap();
        let _reset = within(stream.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_36_a_revoked_key_ends_what_is_under_way() {
    let doors = Doors::open(WEB).await;
    let key = doors.alice().await;
    let call = async {
        let reply = doors.post(&key, "held", "").await;
        (reply.status, reply.code())
    };
    let revoking = async {
        doors.begun(1).await;
        doors.keys.revoke(&key, 2).unwrap();
    };
    let (reply, ()) = within(async { tokio::join!(call, revoking) }).await;
    assert_eq!(reply, (503, "cancelled".to_string()));
    assert_eq!(doors.get(&key, "/chains").await.status, 401);
}

/// Story: a connection was closed while the rest of a refused body was still on its way, and the reset it was closed with
/// overtook the answer.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_before_all_is_sent_still_hears_why() {
    let doors = Doors::open(WEB).await;
    let head = format!("POST /chains/echo HTTP/1.1\r\nhost: {}\r\n", doors.address());
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{head}content-length: 200000\r\n\r\n").as_bytes()).await.unwrap();
        // The answer is there before the body.
        let mut answer = vec![0; 4_096];
        let read = within(stream.read(&mut answer)).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer[..read]));
        stream.write_all(&vec![b'x'; 200_000]).await.unwrap();
    }
    // Who waits to be asked for the body is not asked for what nobody wants.
    let asks = format!("{head}expect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    let reply = doors.raw(asks.as_bytes()).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_a_refused_body_without_end_is_cut() {
    let doors = Doors::open(WEB).await;
    let head = format!("POST /chains/echo HTTP/1.1\r\nhost: {}\r\n", doors.address());
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(format!("{head}content-length: 1000000000\r\n\r\n").as_bytes()).await.unwrap();
    let mut sent = 0_usize;
    let cut = within(async {
        while sent < 500_000_000 && stream.write_all(&[b'x'; 65_536]).await.is_ok() {
            sent += 65_536;
        }
    });
    cut.await;
    // What the kernel holds on both sides counts, too.
    assert!(sent < 50_000_000, "{sent}");
    // One that sends no more, and does not end, is let go as well.
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(format!("{head}content-length: 1000\r\n\r\n").as_bytes()).await.unwrap();
    let _cut = within(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_37_the_cause_is_on_record_and_not_in_the_answer() {
    let policy = format!(
        "{PERMIT_ALL}@id(\"inner-rule\") forbid (principal, action, resource == Ringmail::Chain::\"who\") when {{ context.steps >= 0 }};"
    );
    let doors = Doors::with_policy(WEB, &policy).await;
    let key = doors.alice().await;
    for (chain, status, inner) in [("broken", 500, "/etc/shadow"), ("who", 403, "inner-rule")] {
        let reply = doors.post(&key, chain, "").await;
        assert_eq!(reply.status, status);
        let run = reply.header("ringmail-run").unwrap().to_string();
        assert_eq!(reply.json().get("id"), Some(&ringmail_engine::Value::from(run.as_str())));
        let told = format!("{}{}", reply.head, reply.body);
        for inside in [inner, ".yaml", "ringmail_", "native:", doors.folder.path().to_str().unwrap()] {
            assert!(!told.contains(inside), "{inside} in {told}");
        }
        let record = doors.record();
        assert!(record.contains(&run) && record.contains(inner), "{record}");
    }
}
