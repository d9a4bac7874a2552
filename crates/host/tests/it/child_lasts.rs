//! Processes that last and are spoken with.

use crate::child_world::{processes_with, python, sh, until, walls};
use ringmail_core::value::Value;
use ringmail_host::{ChildHalt, ChildLines, ChildStatus};
use std::time::Duration;

const ECHO: &str = "import json, sys\nprint('ready', file=sys.stderr, flush=True)\nfor line in sys.stdin:\n    value = json.loads(line)\n    print(json.dumps({'got': value, 'n': len(line)}), flush=True)\n";

#[tokio::test]
async fn a_process_that_lasts_is_spoken_with_in_lines() {
    let lines = ChildLines::start(python(ECHO), walls(), 1 << 20).await.unwrap();
    for number in 0..3 {
        lines.send(&Value::from(number)).await.unwrap();
        let answer = lines.receive().await.unwrap().unwrap();
        assert_eq!(answer.get("got"), Some(&Value::from(number)));
    }
    let large = Value::from("x".repeat(300_000));
    let (sent, answer) = tokio::join!(lines.send(&large), lines.receive());
    sent.unwrap();
    assert_eq!(answer.unwrap().unwrap().get("got"), Some(&large));
    assert_eq!(lines.said(), b"ready\n");
    let (status, _) = lines.end(Duration::from_secs(5)).await.unwrap();
    assert_eq!(status, ChildStatus::Code(0));
}

#[tokio::test]
async fn a_line_that_is_too_long_or_no_json_ends_it() {
    let long =
        ChildLines::start(python("print('9' * 100_000, flush=True)\ninput()"), walls(), 1_000).await.unwrap();
    assert!(matches!(long.receive().await, Err(ChildHalt::Output(1_000))));
    assert_eq!(long.end(Duration::from_secs(5)).await.unwrap().0, ChildStatus::Signal(9));
    let noise = ChildLines::start(sh("echo hello; read x"), walls(), 1_000).await.unwrap();
    assert!(matches!(noise.receive().await, Err(ChildHalt::Line(_))));
    assert_eq!(noise.end(Duration::from_secs(5)).await.unwrap().0, ChildStatus::Signal(9));
    let short = ChildLines::start(sh("read x"), walls(), 10).await.unwrap();
    let refused = short.send(&Value::from("much too long")).await;
    assert!(matches!(refused, Err(ChildHalt::Line(_))));
    drop(short);
    let gone = ChildLines::start(sh("exit 0"), walls(), 10).await.unwrap();
    assert_eq!(gone.receive().await.unwrap(), None);
}

#[tokio::test]
async fn attack_28_a_process_that_lasts_ends_when_it_is_dropped_or_told_to() {
    let word = format!("lasting-{}", std::process::id());
    let stubborn = format!(
        "'{word}'\nimport os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\nwhile True: time.sleep(600)"
    );
    let lines = ChildLines::start(python(&stubborn), walls(), 1_000).await.unwrap();
    until("both processes", || processes_with(&word).len() == 2).await;
    let (status, _) = lines.end(Duration::from_millis(100)).await.unwrap();
    assert_eq!((status, processes_with(&word)), (ChildStatus::Signal(9), vec![]));
    let lines = ChildLines::start(python(&stubborn), walls(), 1_000).await.unwrap();
    until("both processes", || processes_with(&word).len() == 2).await;
    drop(lines);
    until("their end", || processes_with(&word).is_empty()).await;
}
