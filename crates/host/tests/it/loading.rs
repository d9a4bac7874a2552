//! What becomes a guest, and what it may import.

use crate::desk::{TestDesk, WALLS};
use crate::guest::Guest;
use ringmail_host::{CAPABILITIES, CallLimits, Confined, Granted, LoadError, surface};

#[test]
fn attack_14_an_import_outside_the_grant_is_refused_by_name() {
    let guest = Guest { imports: crate::asks::LOG, call: crate::asks::LOG_INPUT, ..Guest::default() };
    let import = "ringmail:plugin/log@0.1.0".to_string();
    for granted in [&[][..], &["net", "fs", "clock"][..]] {
        let error = guest.load(granted).unwrap_err();
        assert_eq!(error, LoadError::NotGranted { import: import.clone(), capability: "log" });
        assert_eq!(error.to_string(), "it imports `ringmail:plugin/log@0.1.0`, and `log` is not granted");
    }
    guest.load(&["log"]).unwrap();
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
    assert_eq!(load(&Guest::default().module()), LoadError::CoreModule);
    assert!(matches!(load(b""), LoadError::Malformed(_)));
    assert!(matches!(load(b"(component)"), LoadError::Malformed(_)));
    let whole = Guest::default().component();
    assert!(matches!(load(&whole[..whole.len() - 1]), LoadError::Malformed(_)));
    assert_eq!(load(&wat::parse_str("(component)").unwrap()), LoadError::NoExport);
    assert_eq!(load(&vec![0; (64 << 20) + 1]), LoadError::TooLarge);
}

#[test]
fn a_component_shows_what_it_imports() {
    let guest = Guest { imports: crate::asks::LOG, call: crate::asks::LOG_INPUT, ..Guest::default() };
    let surface = surface(&WALLS, &guest.component()).unwrap();
    assert!(surface.imports.contains(&"ringmail:plugin/log@0.1.0".to_string()), "{surface:?}");
    assert_eq!(surface.exports, ["call"]);
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
        let confined = Guest::calling(call).load(&[]).unwrap();
        let ended = confined.call("0", &CallLimits::default(), TestDesk::default()).await;
        assert_eq!(ended.result, Ok(expected.into()));
    }
}
