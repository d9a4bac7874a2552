//! `plugin.toml`: any text is a manifest or a list of problems that can be shown; what it asks for can be looked up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::address::Target;
use ringmail_core::doc::{Source, toml};
use ringmail_core::grant::Access;
use ringmail_core::label::TagTable;
use ringmail_core::plugin::{Asked, Manifest};

fuzz_target!(|text: &str| {
    let source = Source::new("plugin.toml", text);
    let manifest =
        toml::parse(&source).and_then(|node| Manifest::load(&node, &source, &mut TagTable::default()));
    match manifest {
        Ok(manifest) => {
            assert!(!manifest.module.contains('/'), "`{}` leads out of its folder", manifest.module);
            for ask in &manifest.asks {
                match &ask.what {
                    Asked::Net(pattern, _) => assert!(pattern.meets(pattern), "{}", pattern.as_str()),
                    Asked::Fs(mount, access) => assert!(manifest.asks_fs(mount, *access)),
                    _ => {}
                }
                assert!(!ask.what.capability().is_empty() && ask.what.words().len() <= text.len() + 64);
            }
            let nowhere = Target::parse("https://nowhere.example/").unwrap();
            assert!(!manifest.asks_net(&nowhere, "TRACE") && !manifest.asks_fs("no mount", Access::Read));
        }
        Err(problems) => {
            assert!(!problems.is_empty() && !problems.to_string().is_empty());
            for spot in problems.0.iter().filter_map(|problem| problem.spot.as_ref()) {
                assert!(text.get(spot.span.start..spot.span.end).is_some(), "{:?}", spot.span);
            }
        }
    }
});
