//! Modules that start once and for all: what each instance begins with, and what ends the start.

use crate::desk::WALLS;
use ringmail_host::{CallLimits, Confined, Granted, NoDesk, prepared};

/// A module that counts what its start did: in memory, in a global, and in how much memory there is.
fn counting(prepare: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
          (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
          (memory (export "memory") 2)
          (global $next (mut i32) (i32.const 4096))
          (global $calls (mut i32) (i32.const 0))
          (data (i32.const 64) "[0,0,0]")
          (func (export "_initialize") (i32.store8 (i32.const 65) (i32.add (i32.load8_u (i32.const 65)) (i32.const 1))))
          (func (export "prepare") {prepare})
          (func $count
            (i32.store8 (i32.const 67) (i32.add (i32.load8_u (i32.const 67)) (i32.const 1)))
            (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $next))
            (global.set $next (i32.add (global.get $next) (local.get 3)))
            (local.get $at))
          (func (export "call") (param i32 i32) (result i32)
            (call $count)
            (i32.store8 (i32.const 69) (i32.add (i32.const 48) (global.get $calls)))
            (i32.store (i32.const 20) (i32.const 64))
            (i32.store (i32.const 24) (i32.const 7))
            (i32.const 16)))"#
    ))
    .unwrap()
}

fn refused(prepare: &str) -> String {
    prepared(&counting(prepare)).unwrap_err().to_string()
}

#[tokio::test]
async fn what_a_module_did_as_it_was_prepared_is_there_in_each_call() {
    let module = prepared(&counting("(call $count) (call $count)")).unwrap();
    let confined = Confined::load(&WALLS, &module, Granted::default()).unwrap();
    for _ in 0..2 {
        // It was initialised once, prepared with two counts, and called once.
        let ended = confined.call("0", &CallLimits::default(), NoDesk).await;
        assert_eq!(ended.result, Ok("[1,3,3]".into()));
    }
    let exports = String::from_utf8_lossy(&module).into_owned();
    assert!(!exports.contains("_initialize") && !exports.contains("prepare"), "it would start again");
}

#[test]
fn the_same_module_is_prepared_to_the_same_bytes() {
    let module = counting("(drop (call $random (i32.const 1024) (i32.const 16)))");
    assert_eq!(prepared(&module).unwrap(), prepared(&module).unwrap());
    assert_ne!(prepared(&module).unwrap(), prepared(&counting("")).unwrap());
}

#[test]
fn a_start_that_asks_the_world_or_does_not_end_is_none() {
    assert!(refused("(drop (call $yield))").contains("sched_yield"));
    assert!(refused("(loop $again (br $again))").contains("fuel"));
    let grown = "(if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then unreachable))";
    assert!(refused(grown).contains("unreachable"));
    assert!(refused("(drop (call $random (i32.const 131072) (i32.const 1)))").contains("room"));
    let without = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    assert!(prepared(&without).unwrap_err().to_string().contains("prepare"));
    assert!(prepared(b"no module").is_err());
}
