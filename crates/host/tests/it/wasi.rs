//! WASI is there, because toolchains import it, with nothing behind it.

use crate::desk::{TestDesk, WALLS};
use ringmail_host::{CallLimits, Confined, Granted, Halt, LoadError};

/// A component that asks `function` of `import` for a number, and answers with its bytes made printable.
fn number_of(import: &str, function: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
          (import "{import}" (instance $i (export "{function}" (func (result u64)))))
          (core func $f (canon lower (func $i "{function}")))
          (core module $main
            (import "i" "f" (func $f (result i64)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "call") (param i32 i32) (result i32)
              (i64.store (i32.const 64)
                (i64.or (i64.and (call $f) (i64.const 0x3f3f3f3f3f3f3f3f)) (i64.const 0x4040404040404040)))
              (i32.store8 (i32.const 16) (i32.const 0))
              (i32.store (i32.const 20) (i32.const 64))
              (i32.store (i32.const 24) (i32.const 8))
              (i32.const 16)))
          (core instance $g (instantiate $main (with "i" (instance (export "f" (func $f))))))
          (func (export "call") (param "input" string) (result (result string (error string)))
            (canon lift (core func $g "call") (memory $g "memory") (realloc (func $g "cabi_realloc")))))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

async fn run(component: &[u8], capabilities: &[&str]) -> Result<String, Halt> {
    let confined = Confined::load(&WALLS, component, Granted { capabilities, ..Granted::default() }).unwrap();
    confined.call("1", &CallLimits::default(), TestDesk::default()).await.result
}

#[tokio::test]
async fn without_a_grant_time_stands_and_chance_repeats_itself() {
    for (import, function, capability) in [
        ("wasi:random/random@0.2.0", "get-random-u64", "random"),
        ("wasi:clocks/monotonic-clock@0.2.0", "now", "clock"),
    ] {
        let guest = number_of(import, function);
        let first = run(&guest, &[]).await.unwrap();
        assert_eq!(run(&guest, &[]).await.unwrap(), first, "{capability}");
        assert_ne!(run(&guest, &[capability]).await.unwrap(), first, "{capability}");
    }
}

/// Calls `get-environment` and answers with the value of its first entry.
const ENVIRONMENT: &str = r#"(component
  (import "wasi:cli/environment@0.2.0"
    (instance $i (export "get-environment" (func (result (list (tuple string string)))))))
  (core module $own
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core instance $o (instantiate $own))
  (core func $f (canon lower (func $i "get-environment") (memory $o "memory") (realloc (func $o "cabi_realloc"))))
  (core module $main
    (import "o" "memory" (memory 1))
    (import "i" "f" (func $f (param i32)))
    (func (export "call") (param i32 i32) (result i32)
      (call $f (i32.const 64))
      (i32.store8 (i32.const 16) (i32.eqz (i32.load (i32.const 68))))
      (i32.store (i32.const 20) (i32.load offset=8 (i32.load (i32.const 64))))
      (i32.store (i32.const 24) (i32.load offset=12 (i32.load (i32.const 64))))
      (if (i32.eqz (i32.load (i32.const 68))) (then (i32.store (i32.const 20) (i32.const 0)) (i32.store (i32.const 24) (i32.const 0))))
      (i32.const 16)))
  (core instance $g (instantiate $main (with "o" (instance $o)) (with "i" (instance (export "f" (func $f))))))
  (func (export "call") (param "input" string) (result (result string (error string)))
    (canon lift (core func $g "call") (memory $o "memory") (realloc (func $o "cabi_realloc")))))"#;

#[tokio::test]
async fn the_environment_holds_what_was_granted_and_nothing_of_the_hosts() {
    let guest = wat::parse_str(ENVIRONMENT).unwrap();
    assert_eq!(run(&guest, &[]).await, Err(Halt::Failed(String::new())), "it is empty");
    let env = [("GREETING".to_string(), "hello".to_string())];
    let granted = Granted { capabilities: &["env"], env: &env, ..Granted::default() };
    let confined = Confined::load(&WALLS, &guest, granted).unwrap();
    let ended = confined.call("1", &CallLimits::default(), TestDesk::default()).await;
    assert_eq!(ended.result, Ok("hello".into()));
}

#[test]
fn attack_14_what_would_lead_out_is_not_there() {
    for import in
        ["wasi:http/outgoing-handler@0.2.0", "wasi:random/random@0.3.0", "wasi:keyvalue/store@0.2.0"]
    {
        let text = format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#);
        let error = Confined::load(&WALLS, &wat::parse_str(text).unwrap(), Granted::default()).unwrap_err();
        assert_eq!(error, LoadError::UnknownImport(import.into()));
    }
}
