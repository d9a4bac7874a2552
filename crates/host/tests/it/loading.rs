//! What becomes a guest, and what it may import.

use crate::desk::{Form, LOG, LOG_INPUT, TestDesk, WALLS};
use crate::guest::Guest;
use ringmail_host::{CAPABILITIES, CallLimits, Confined, Granted, LoadError, surface};

#[test]
fn attack_14_an_import_outside_the_grant_is_refused_by_name() {
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let import = "ringmail:plugin/log@0.1.0".to_string();
    let narrow = [&[][..], &["net", "fs", "clock"][..]];
    for (form, granted) in Form::ALL.iter().flat_map(|form| narrow.map(|granted| (*form, granted))) {
        let error = guest.load(form, granted).unwrap_err();
        assert_eq!(error, LoadError::NotGranted { import: import.clone(), capability: "log" });
        assert_eq!(error.to_string(), "it imports `ringmail:plugin/log@0.1.0`, and `log` is not granted");
    }
    Form::ALL.iter().for_each(|form| drop(guest.load(*form, &["log"]).unwrap()));
    let unknown =
        wat::parse_str(r#"(component (import "evil:host/exec" (instance (export "run" (func)))))"#).unwrap();
    let all: Vec<&str> = CAPABILITIES.iter().map(|capability| capability.name).collect();
    let error =
        Confined::load(&WALLS, &unknown, Granted { capabilities: &all, ..Granted::default() }).unwrap_err();
    assert_eq!(error, LoadError::UnknownImport("evil:host/exec".into()));
}

#[test]
fn what_is_no_guest_is_said() {
    let load = |bytes: &[u8]| Confined::load(&WALLS, bytes, Granted::default()).unwrap_err();
    assert!(matches!(load(b""), LoadError::Malformed(_)));
    assert!(matches!(load(b"(component)"), LoadError::Malformed(_)));
    let whole = Guest::default().component();
    assert!(matches!(load(&whole[..whole.len() - 1]), LoadError::Malformed(_)));
    assert_eq!(load(&wat::parse_str("(component)").unwrap()), LoadError::NoExport);
    assert_eq!(load(&vec![0; (64 << 20) + 1]), LoadError::TooLarge);
}

#[test]
fn a_component_shows_what_it_imports() {
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let surface = surface(&WALLS, &guest.component()).unwrap();
    assert!(surface.imports.contains(&"ringmail:plugin/log@0.1.0".to_string()), "{surface:?}");
    assert_eq!(surface.exports, ["call"]);
}

/// Looking at a module compiled it: 300 KB of one function took twenty seconds and more than a gigabyte.
#[test]
fn attack_19_code_that_is_hard_to_compile_is_looked_at_and_not_loaded() {
    let rounds =
        "(loop (local.set 9 (i32.add (local.get 7) (local.get 8))) (br_if 0 (local.get 9)))".repeat(15_000);
    let locals = |count: usize| format!("(local {})", "i32 ".repeat(count));
    for (count, body) in [(19_000, rounds.as_str()), (20_001, ""), (10, &"(nop)".repeat(2 << 20))] {
        let call = format!("{} {body} (unreachable)", locals(count));
        let guest = Guest::calling(&call).component();
        let started = std::time::Instant::now();
        assert_eq!(surface(&WALLS, &guest).unwrap().exports, ["call"]);
        let error = Confined::load(&WALLS, &guest, Granted::default()).unwrap_err();
        assert!(matches!(error, LoadError::Heavy(..)), "{error}");
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

/// A peer cached a compiled module under its name, and ran B for A.
#[tokio::test]
async fn attack_16_what_was_loaded_last_runs() {
    let say = |word: &str| {
        format!(
            "(i32.store8 (i32.const 64) (i32.const {})) (call $ok (i32.const 64) (i32.const 1))",
            word.as_bytes()[0]
        )
    };
    let (a, b) = (say("1"), say("2"));
    for (call, expected) in [(&a, "1"), (&b, "2"), (&a, "1")] {
        let confined = Guest::calling(call).load(Form::Component, &[]).unwrap();
        let ended = confined.call("0", &CallLimits::default(), TestDesk::default()).await;
        assert_eq!(ended.result, Ok(expected.into()));
    }
}

/// What a module says of its own types, and what it imports besides, opens nothing.
#[test]
fn attack_14_a_core_module_gets_no_more_than_the_world_has() {
    let load = |bytes: &[u8]| {
        let all: Vec<&str> = CAPABILITIES.iter().map(|capability| capability.name).collect();
        Confined::load(&WALLS, bytes, Granted { capabilities: &all, ..Granted::default() })
    };
    let imports = |import: &str, call: &'static str| {
        Guest { imports: &import.replace('\'', "\""), call, ..Guest::default() }.module()
    };
    let refused = |bytes: &[u8], part: &str| match load(bytes) {
        Err(LoadError::CoreModule(why)) => assert!(why.contains(part), "{part}: {why}"),
        other => panic!("{part}: {other:?}"),
    };
    refused(&imports("(import 'env' 'system' (func))", Guest::default().call), "system");
    refused(
        &imports("(import 'evil:host/exec@1.0.0' 'run' (func))", Guest::default().call),
        "evil:host/exec",
    );
    refused(
        &imports("(import 'ringmail:plugin/log@0.1.0' 'write' (func (param i64)))", Guest::default().call),
        "write",
    );
    refused(&imports("(import 'ringmail:plugin/log@0.1.0' 'wipe' (func))", Guest::default().call), "wipe");
    refused(&wat::parse_str("(module)").unwrap(), "call");
    refused(
        &wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"call\") (param i64)))")
            .unwrap(),
        "call",
    );
    // A section that describes another world is left out, and what is described badly does no harm.
    for lie in [&b"\0\x11\x0ecomponent-type\xff\xff"[..], &b"\0\x0f\x0ecomponent-type"[..]] {
        let mut module = Guest::default().module();
        module.extend_from_slice(lie);
        load(&module).unwrap();
    }
    // Cut off anywhere it is an error, or whole but for what a name section says.
    let whole = Guest::default().module();
    let loaded = (0..whole.len()).filter(|cut| load(&whole[..*cut]).is_ok()).count();
    assert!(loaded <= 1, "{loaded}");
}

/// What C and Go compile to: a core module over WASI 0.1.
#[tokio::test]
async fn a_core_module_over_wasi_finds_nothing_behind_it() {
    let imports = r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
    // Prints its input, then tries to open a file of any folder, and answers with what both say.
    let call = r#"(i32.store (i32.const 64) (local.get $p)) (i32.store (i32.const 68) (local.get $n))
        (if (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72)) (then (unreachable)))
        (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (local.get $p) (local.get $n) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 80))) (then (unreachable)))
        (call $ok (local.get $p) (local.get $n))"#;
    let module = Guest { imports, call, ..Guest::default() }.module();
    let confined = Confined::load(&WALLS, &module, Granted::default()).unwrap();
    let ended = confined.call("/etc/passwd", &CallLimits::default(), TestDesk::default()).await;
    assert_eq!((ended.result, &*ended.printed), (Ok("/etc/passwd".into()), "/etc/passwd"));
}
