//! OpenAPI documents: any JSON is a list of operations or a reason, and no arguments make a request that leads elsewhere
//! than below the address of the project.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::address::Target;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::openapi::operations;
use ringmail_core::value::Value;

fuzz_target!(|bytes: &[u8]| {
    // A document, and after a zero byte a text that every parameter gets.
    let (document, text) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], String::from_utf8_lossy(&bytes[at + 1..])),
        None => (bytes, "../x@evil.example".into()),
    };
    let Ok(document) = parse(document, &JsonLimits::default()) else { return };
    let Ok(found) = operations(&document) else { return };
    let base = Target::parse("https://api.example.com/v1").unwrap();
    for (said, operation) in &found.usable {
        let properties = said.get("inputSchema").and_then(|schema| schema.get("properties")?.as_map());
        let names = properties.into_iter().flat_map(|properties| properties.iter());
        let args = Value::map(names.map(|(name, _)| (name.clone(), Value::from(&*text))));
        if let Ok(asked) = operation.request(&base, &args) {
            assert!(asked.target.as_str().starts_with("https://api.example.com/v1/"), "{:?}", asked.target);
        }
    }
});
