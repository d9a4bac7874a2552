//! Core dumps of guests that crash: there where they were asked for, whole, and without what must not be in them.

use crate::desk::{TestDesk, WALLS};
use crate::guest::Guest;
use ringmail_host::{CallLimits, Confined, DUMP_BYTES_MAX, Dumps, Ended, Granted, Halt};
use std::sync::Arc;
use std::time::Duration;

fn dumps() -> Dumps {
    let hide = |memory: &mut [u8]| {
        for at in 0..memory.len().saturating_sub(6) {
            if &memory[at..at + 6] == b"hidden" {
                memory[at..at + 6].fill(b'*');
            }
        }
    };
    Dumps { name: "crasher".into(), hide: Arc::new(hide) }
}

async fn crash(guest: &Guest<'_>, core: bool, dumps: Option<&Dumps>, limits: CallLimits) -> Ended {
    let bytes = if core { guest.module() } else { guest.component() };
    let granted = Granted { dumps, ..Granted::default() };
    let confined = Confined::load(&WALLS, &bytes, granted).unwrap();
    confined.call("[\"told\"]", &limits, TestDesk::default()).await
}

const CRASHER: Guest<'_> = Guest {
    imports: "",
    more: r#"(data (i32.const 4093) "hidden") (data (i32.const 9000) "a marker") (func $deep (export "deep") (unreachable))"#,
    call: "(call $deep) (unreachable)",
    realloc: r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))"#,
    memory: r#"(memory (export "memory") 2)"#,
};

/// The sections of a module, with their numbers.
fn sections(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn number(bytes: &mut &[u8]) -> usize {
        let (mut out, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            out |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return out;
            }
        }
    }
    assert_eq!(&bytes[..8], b"\0asm\x01\0\0\0");
    bytes = &bytes[8..];
    let mut out = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        bytes = rest;
        let length = number(&mut bytes);
        out.push((*kind, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    out
}

fn named(sections: &[(u8, Vec<u8>)], name: &str) -> bool {
    let starts = |bytes: &[u8]| {
        bytes.strip_prefix(&[name.len() as u8][..]).is_some_and(|rest| rest.starts_with(name.as_bytes()))
    };
    sections.iter().any(|(kind, bytes)| *kind == 0 && starts(bytes))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_crash_leaves_a_core_dump_where_it_was_asked_for() {
    for core in [false, true] {
        let ended = crash(&CRASHER, core, Some(&dumps()), CallLimits::default()).await;
        assert!(matches!(ended.result, Err(Halt::Broke(_))), "{:?}", ended.result);
        let dump = ended.dump.unwrap();
        let sections = sections(&dump);
        for name in ["core", "coremodules", "coreinstances", "corestack"] {
            assert!(named(&sections, name), "{name}");
        }
        const MEMORY: u8 = 5;
        const DATA: u8 = 11;
        assert!(sections.iter().any(|(kind, _)| *kind == MEMORY));
        let data = &sections.iter().find(|(kind, _)| *kind == DATA).unwrap().1;
        assert!(holds(data, "a marker") && holds(data, "told"), "what it had in memory");
        assert!(holds(&dump, "crasher"));
        assert!(ended.printed.is_empty());
        let none = crash(&CRASHER, core, None, CallLimits::default()).await;
        assert!(none.dump.is_none(), "nobody asked");
    }
}

#[tokio::test]
async fn attack_40_what_is_to_be_hidden_is_in_no_dump() {
    // It lies across two pages of the dump, which holds each for itself.
    let dump = crash(&CRASHER, false, Some(&dumps()), CallLimits::default()).await.dump.unwrap();
    for part in ["hidden", "hid", "dden"] {
        assert!(!holds(&dump, part), "{part}");
    }
}

#[tokio::test]
async fn a_dump_is_of_a_crash_and_of_no_more_than_it_may_be() {
    let dumps = dumps();
    let calling = |call| Guest::calling(call);
    let well = crash(&Guest::default(), false, Some(&dumps), CallLimits::default()).await;
    assert!(well.result.is_ok() && well.dump.is_none());
    let failed = crash(
        &calling("(call $err (local.get $p) (local.get $n))"),
        false,
        Some(&dumps),
        CallLimits::default(),
    )
    .await;
    assert!(matches!(failed.result, Err(Halt::Failed(_))) && failed.dump.is_none());
    // Whether the guest or the timer notices first is chance, so neither leaves one.
    let limits = CallLimits { time_max: Duration::from_millis(50), ..CallLimits::default() };
    let slow = crash(&calling("(loop $l (br $l)) (unreachable)"), false, Some(&dumps), limits).await;
    assert!(matches!(slow.result, Err(Halt::Time(_))) && slow.dump.is_none());
    let fuel = CallLimits { fuel_max: 100_000, ..CallLimits::default() };
    let spent = crash(&calling("(loop $l (br $l)) (unreachable)"), false, Some(&dumps), fuel).await;
    assert!(matches!(spent.result, Err(Halt::Fuel(_))) && spent.dump.is_some());
    let pages = DUMP_BYTES_MAX / 65_536 + 1;
    let call = format!("(drop (memory.grow (i32.const {pages}))) (unreachable)");
    let wide = CallLimits { memory_bytes_max: 2 * DUMP_BYTES_MAX, ..CallLimits::default() };
    let large = crash(&calling(&call), false, Some(&dumps), wide).await;
    assert!(matches!(large.result, Err(Halt::Broke(_))) && large.dump.is_none());
}
