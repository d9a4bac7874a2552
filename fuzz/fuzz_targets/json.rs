//! JSON: whatever parses reads back as the same value, and serde_json agrees on what is JSON unless one of our
//! stricter rules applies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::json::{JsonLimits, parse, to_canonical, to_pretty, to_string};
use ringmail_core::value::Value;

/// Reasons to refuse what serde_json takes: duplicate keys, number range, depth.
const STRICTER: [&str; 3] = ["stands twice", "does not fit", "nested deeper"];

fuzz_target!(|data: &[u8]| {
    let limits = JsonLimits::default();
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    match (parse(data, &limits), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, Value::from(&theirs), "two readings");
            reads_back(&ours, &limits);
        }
        (Ok(ours), Err(error)) => panic!("only we accept {ours:?}: {error}"),
        (Err(error), Ok(theirs)) => {
            let strict = STRICTER.iter().any(|rule| error.reason.contains(rule));
            assert!(strict, "only serde_json accepts {theirs}: {error}");
        }
        (Err(error), Err(_)) => assert!(error.at <= data.len() && error.line > 0 && error.column > 0),
    }
});

fn reads_back(value: &Value, limits: &JsonLimits) {
    let again = |text: &str| parse(text.as_bytes(), limits).expect("what was written is JSON");
    let compact = to_string(value);
    assert_eq!(to_string(&again(&compact)), compact, "types and order are kept");
    assert_eq!(&again(&compact), value);
    assert_eq!(to_string(&again(&to_pretty(value))), compact);
    let canonical = to_canonical(value);
    assert_eq!(&again(&canonical), value);
    assert_eq!(to_canonical(&again(&canonical)), canonical, "one form for equal values");
}
