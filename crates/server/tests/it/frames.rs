//! Messages over TCP and sockets of this machine.

use crate::setup::{Doors, PERMIT_ALL, within};
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

const LINES: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n\
    [listener.lines]\nkind = \"tcp\"\nbind = \"127.0.0.1:0\"\n[server]\nbody = \"1KiB\"\n";

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

/// Each message after the other, and what is said to it.
pub async fn lines<S: AsyncRead + AsyncWrite + Unpin>(stream: S, messages: &[&str]) -> Vec<Value> {
    let mut stream = BufReader::new(stream);
    let mut told = Vec::new();
    for message in messages {
        stream.get_mut().write_all(format!("{message}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        if within(stream.read_line(&mut line)).await.unwrap_or(0) == 0 {
            break;
        }
        told.push(json(&line));
    }
    told
}

pub async fn tcp(doors: &Doors, name: &str) -> TcpStream {
    TcpStream::connect(doors.place_of(name).split("://").last().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_a_call_and_has_an_answer() {
    let doors = Doors::open(LINES).await;
    let key = doors.alice().await;
    let code = |told: &Value| {
        told.get("problem").and_then(|problem| problem.get("code")).cloned().unwrap_or(Value::Null)
    };
    let told = lines(
        tcp(&doors, "lines").await,
        &[
            &format!(
                "{{\"id\": 7, \"chain\": \"greet\", \"input\": {{\"name\": \"Ada\"}}, \"key\": \"{key}\"}}"
            ),
            "{\"id\": \"b\", \"chain\": \"who\"}",
            &format!("{{\"id\": [1], \"chain\": \"none\", \"key\": \"{key}\"}}"),
            "{\"chain\": \"who\", \"key\": 5}",
            "{\"chain\": \"who\", \"kye\": \"x\"}",
            "not json",
            &format!("{{\"chain\": \"broken\", \"key\": \"{key}\"}}"),
            &format!("{{\"chain\": \"who\", \"key\": \"{key}\"}}"),
        ],
    )
    .await;
    assert_eq!(told[0].get("output"), Some(&Value::from("hello Ada")));
    assert_eq!(told[0].get("id"), Some(&Value::Int(7)));
    let codes: Vec<Value> = told[1..7].iter().map(code).collect();
    let wanted =
        ["unauthenticated", "not-found", "unauthenticated", "invalid-message", "invalid-message", "native"];
    assert_eq!(codes, wanted.map(Value::from));
    assert_eq!(told[1].get("id"), Some(&Value::from("b")));
    assert_eq!(told[2].get("id"), Some(&Value::list([Value::Int(1)])));
    assert!(told[7].get("output").is_some());
    doors.doors_say("a message for `none`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_the_connection() {
    let doors = Doors::open(&format!(
        "{LINES}[listener.lengths]\nkind = \"tcp\"\nbind = \"127.0.0.1:0\"\nframes = \"lengths\"\n"
    ))
    .await;
    let long = format!("{{\"chain\": \"{}\"}}", "x".repeat(2_000));
    let told = lines(tcp(&doors, "lines").await, &[&long, "{\"chain\": \"who\"}"]).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].get("problem").unwrap().get("code"), Some(&Value::from("too-large")));
    // Four gigabytes that were only announced.
    let mut stream = tcp(&doors, "lengths").await;
    stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    let length = within(stream.read_u32()).await.unwrap();
    let mut told = vec![0; length as usize];
    stream.read_exact(&mut told).await.unwrap();
    assert!(String::from_utf8(told).unwrap().contains("too-large"));
    assert_eq!(within(stream.read(&mut [0; 1])).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_goes_ends_its_call() {
    let doors = Doors::open(LINES).await;
    let key = doors.alice().await;
    let mut stream = tcp(&doors, "lines").await;
    stream.write_all(format!("{{\"chain\": \"held\", \"key\": \"{key}\"}}\n").as_bytes()).await.unwrap();
    doors.begun(1).await;
    drop(stream);
    within(async {
        while !doors.record().contains("cancelled") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_says_who_is_at_the_other_end_of_a_socket() {
    let project = "[listener.local]\nkind = \"unix\"\npath = \"local.sock\"\n[[principal]]\nname = \"unix:root\"\nroles = [\"admin\"]\n";
    let doors = Doors::try_open(project, PERMIT_ALL, |folder| {
        // Left behind by a process that is gone.
        drop(std::os::unix::net::UnixListener::bind(folder.join("local.sock")).unwrap());
    })
    .await
    .unwrap();
    let path = doors.folder.path().join("local.sock");
    let told = lines(UnixStream::connect(&path).await.unwrap(), &["{\"chain\": \"who\"}"]).await;
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let output = told[0].get("output").unwrap();
    let subject = output.get("principal").and_then(Value::as_str).unwrap();
    assert!(subject.starts_with("unix:"), "{subject}");
    if uid == 0 {
        assert_eq!((subject, output.get("roles")), ("unix:root", Some(&Value::list([Value::from("admin")]))));
    }
    // A socket that somebody listens on is nobody else's.
    let taken = Doors::try_open(project, PERMIT_ALL, |folder| {
        std::fs::hard_link(&path, folder.join("local.sock")).unwrap();
    });
    assert!(taken.await.err().unwrap().contains("cannot listen"));
    doors.server.drain().await;
    within(async {
        while path.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}
