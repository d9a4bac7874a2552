//! What guests ask of their host.

use super::FORM;
use crate::desk::{LOG, LOG_INPUT, TestDesk};
use crate::guest::Guest;
use ringmail_core::value::Value;
use ringmail_host::{CallLimits, Denied, Halt};

async fn ask(
    guest: Guest<'_>,
    granted: &[&str],
    input: &str,
    desk: TestDesk,
) -> (Result<String, Halt>, Vec<String>) {
    let ended = guest.load(FORM, granted).unwrap().call(input, &CallLimits::default(), desk.clone()).await;
    (ended.result, desk.asked.lock().unwrap().clone())
}

#[tokio::test]
async fn a_line_for_the_log_reaches_the_desk() {
    let guest = || Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let (result, asked) = ask(guest(), &["log"], "hi", TestDesk::default()).await;
    assert_eq!(result, Ok("0".into()));
    assert_eq!(asked, [r#"log {"level":"warn","message":"hi"}"#]);
    let denied = Some(Denied { refused: true, message: "no".into() });
    let (result, _) = ask(guest(), &["log"], "hi", TestDesk { denied, ..TestDesk::default() }).await;
    assert_eq!(result, Ok("1".into()), "the guest learns that it was refused, and goes on");
}

#[tokio::test]
async fn attack_12_a_flood_of_questions_ends() {
    let flood = "(loop $l (call $log (i32.const 0) (local.get $p) (local.get $n) (i32.const 200)) (br $l)) (unreachable)";
    let guest = Guest { imports: LOG, call: flood, ..Guest::default() };
    let (result, asked) = ask(guest, &["log"], "hi", TestDesk::default()).await;
    assert_eq!(result, Err(Halt::Asks(1_000)));
    assert_eq!(asked.len(), 1_000);
}

#[tokio::test]
async fn attack_12_a_line_longer_than_memory_is_not_taken() {
    let lies = "(call $log (i32.const 0) (i32.const 0) (i32.const 2147483647) (i32.const 200)) (unreachable)";
    let guest = Guest { imports: LOG, call: lies, ..Guest::default() };
    let (result, asked) = ask(guest, &["log"], "hi", TestDesk::default()).await;
    assert!(matches!(result, Err(Halt::Broke(_))), "{result:?}");
    assert!(asked.is_empty());
}

#[tokio::test]
async fn a_request_reaches_the_desk_and_its_answer_the_guest() {
    let http = r#"(import "ringmail:plugin/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        "#;
    // GET, the input as address, no headers, no body; answers with the body that came back.
    let call = "(i32.store (i32.const 64) (i32.const 0x00544547))
        (call $send (i32.const 64) (i32.const 3) (local.get $p) (local.get $n) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))
        (if (result i32) (i32.load8_u (i32.const 200))
          (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))
          (else (call $ok (i32.load (i32.const 216)) (i32.load (i32.const 220)))))";
    let guest = || Guest { imports: http, call, ..Guest::default() };
    let answer = Value::map([("status", Value::Int(200)), ("body", Value::from("\"there\""))]);
    let (result, asked) =
        ask(guest(), &["net"], "https://a.example/", TestDesk { answer, ..TestDesk::default() }).await;
    assert_eq!(result, Ok("\"there\"".into()));
    assert_eq!(
        asked,
        [r#"net {"method":"GET","url":"https://a.example/","headers":{},"as":"text","expect":"any"}"#]
    );
    let denied = Some(Denied { refused: true, message: "not granted".into() });
    let (result, _) =
        ask(guest(), &["net"], "https://a.example/", TestDesk { denied, ..TestDesk::default() }).await;
    assert_eq!(result, Err(Halt::Failed("not granted".into())));
}

#[tokio::test]
async fn files_travel_as_bytes() {
    let read = r#"(import "ringmail:plugin/files@0.1.0" "read" (func $read (param i32 i32 i32)))"#;
    let call = "(call $read (local.get $p) (local.get $n) (i32.const 200)) (call $ok (i32.load (i32.const 204)) (i32.load (i32.const 208)))";
    let guest = Guest { imports: read, call, ..Guest::default() };
    let desk = TestDesk { answer: Value::from("MTIz"), ..TestDesk::default() };
    let (result, asked) = ask(guest, &["fs"], "inbox:a.txt", desk).await;
    assert_eq!(result, Ok("123".into()));
    assert_eq!(asked, [r#"fs {"op":"read","path":"inbox:a.txt","as":"base64"}"#]);
}

#[tokio::test]
async fn settings_secrets_time_and_chance_come_from_the_desk() {
    let option = "(call $get (local.get $p) (local.get $n) (i32.const 200)) (if (result i32) (i32.load8_u (i32.const 200)) (then (call $ok (i32.load (i32.const 204)) (i32.load (i32.const 208)))) (else (call $err (local.get $p) (local.get $n))))";
    for (import, function, capability, name, expected) in [
        ("secrets", "placeholder", "secret", "bank", "secret:bank:1"),
        ("config", "get", "env", "greeting", "hello"),
    ] {
        let imports = format!(
            r#"(import "ringmail:plugin/{import}@0.1.0" "{function}" (func $get (param i32 i32 i32)))"#
        );
        let guest = || Guest { imports: &imports, call: option, ..Guest::default() };
        assert_eq!(ask(guest(), &[capability], name, TestDesk::default()).await.0, Ok(expected.into()));
        let none = ask(guest(), &[capability], "other", TestDesk::default()).await.0;
        assert_eq!(none, Err(Halt::Failed("other".into())));
    }
    let now = r#"(import "ringmail:plugin/clock@0.1.0" "now" (func $now (result i64)))"#;
    let call = "(i64.store (i32.const 64) (call $now)) (if (i64.ne (i64.load (i32.const 64)) (i64.const 1700000000000)) (then (unreachable))) (call $ok (local.get $p) (local.get $n))";
    let guest = Guest { imports: now, call, ..Guest::default() };
    assert_eq!(ask(guest, &["clock"], "1", TestDesk::default()).await.0, Ok("1".into()));
    let bytes = r#"(import "ringmail:plugin/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#;
    let call = "(call $bytes (i32.const 3) (i32.const 200)) (call $ok (i32.load (i32.const 200)) (i32.load (i32.const 204)))";
    let guest = Guest { imports: bytes, call, ..Guest::default() };
    assert_eq!(ask(guest, &["random"], "1", TestDesk::default()).await.0, Ok("\u{7}\u{7}\u{7}".into()));
    let call = "(call $bytes (i32.const 100000) (i32.const 200)) (unreachable)";
    let guest = Guest { imports: bytes, call, ..Guest::default() };
    let (result, _) = ask(guest, &["random"], "1", TestDesk::default()).await;
    assert!(matches!(result, Err(Halt::Broke(_))), "{result:?}");
}
