//! Packages: any bytes are a package that packs to the same bytes, or a reason that can be shown. What is read is not
//! believed by a project that trusts nobody. The same for what stands beside packages: locks, indexes, advisories.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::doc::Source;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::label::TagTable;
use ringmail_core::package::{Advisory, Lock, Package, Part, Publishers, index_number};

fuzz_target!(|bytes: &[u8]| {
    match Package::read(bytes, &mut TagTable::default()) {
        Ok(package) => {
            assert_eq!(package.bytes(), bytes);
            assert!(Publishers::default().package(package, None).is_err());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert!(Publishers::default().file("name", b"content", bytes, None).is_err());
    let _any = index_number(bytes);
    if let Ok(value) = parse(bytes, &JsonLimits::default())
        && let Ok(Some(advisory)) = Advisory::read(&value)
    {
        let _any = advisory.hits(&Part::plugin("mask", "1.0.0", Some("acme")));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(lock) = Lock::parse(&Source::new("ringmail.lock", text))
    {
        assert_eq!(Lock::parse(&Source::new("ringmail.lock", lock.text())).unwrap(), lock);
    }
});
