//! The components of examples are what the texts beside them say.

use crate::desk::{TestDesk, WALLS};
use crate::guest::component;
use ringmail_host::{CallLimits, Confined, Granted};
use std::path::{Path, PathBuf};

fn texts() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut out = Vec::new();
    for example in std::fs::read_dir(examples).unwrap() {
        let Ok(plugins) = std::fs::read_dir(example.unwrap().path().join("plugins")) else { continue };
        out.extend(
            plugins.map(|plugin| plugin.unwrap().path().join("plugin.wat")).filter(|path| path.is_file()),
        );
    }
    out
}

#[test]
fn the_components_of_examples_are_what_their_texts_say() {
    let texts = texts();
    assert!(!texts.is_empty());
    for path in texts {
        let built = component(wat::parse_file(&path).unwrap());
        let beside = path.with_extension("wasm");
        if std::env::var_os("RINGMAIL_WRITE_DOCS").is_some() {
            std::fs::write(&beside, &built).unwrap();
        }
        let found = std::fs::read(&beside).unwrap_or_default();
        assert!(found == built, "{} is not what its text says; run `cargo xtask docs`", beside.display());
    }
}

#[tokio::test]
async fn the_mask_leaves_no_digit_in_a_text() {
    let path = texts().into_iter().find(|path| path.parent().unwrap().ends_with("mask")).unwrap();
    let confined =
        Confined::load(&WALLS, &component(wat::parse_file(path).unwrap()), Granted::default()).unwrap();
    for (input, expected) in [
        (r#"{"card": "4111 1111", "cents": 250}"#, r#"{"card": "**** ****", "cents": 250}"#),
        (r#"["a\"1", 2, "\u00411", "\\", 3]"#, r#"["a\"*", 2, "\u0041*", "\\", 3]"#),
        (r#""""#, r#""""#),
    ] {
        let ended = confined.call(input, &CallLimits::default(), TestDesk::default()).await;
        assert_eq!(ended.result.as_deref(), Ok(expected));
    }
}
