//! `ringmail.toml`: any text is a project or a list of problems that can be shown; what is granted can be looked up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::doc::{Problems, Source, toml};
use ringmail_core::grant::Grants;
use ringmail_core::label::TagTable;
use ringmail_core::project::Project;

fuzz_target!(|text: &str| {
    let source = Source::new("ringmail.toml", text);
    let mut tags = TagTable::default();
    let project = toml::parse(&source).and_then(|node| Project::load(&node, &source, &mut tags));
    match project {
        Ok(project) => {
            let links: Vec<_> = project.grants.iter().map(|grant| grant.to.clone()).collect();
            let grants = Grants::new(project.grants, project.ceiling);
            for link in links {
                assert!(!grants.effective(&link).is_empty(), "`{link}` has its own grant");
            }
        }
        Err(problems) => can_be_shown(&problems, text),
    }
});

fn can_be_shown(problems: &Problems, text: &str) {
    assert!(!problems.is_empty());
    assert!(!problems.to_string().is_empty());
    for spot in problems.0.iter().filter_map(|problem| problem.spot.as_ref()) {
        assert!(text.get(spot.span.start..spot.span.end).is_some(), "{:?} leaves the text", spot.span);
    }
}
