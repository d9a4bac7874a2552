//! The reviewer: whatever a file holds and whatever it is called, it is looked at or told, every finding lies in its
//! text, what would be mended can be, and what was remembered is what was seen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_review::{Alone, Certainty, ReviewMemory, Terms, TextFile, as_value, review_again, sarif};
use std::collections::BTreeMap;
use std::sync::Mutex;

const NAMES: &[&str] = &[
    "app/main.py",
    "app/tools.py",
    "flow.yaml",
    "tools.json",
    "ringmail.toml",
    "uv.lock",
    "requirements.txt",
    "Dockerfile",
    ".env",
    "policies/main.cedar",
];

#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, String>>);

impl ReviewMemory for Kept {
    fn recall(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn keep(&self, key: &str, text: &str) {
        self.0.lock().unwrap().insert(key.into(), text.into());
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Files with a zero byte between them; the first byte of each chooses its name.
    let files = || {
        bytes.split(|byte| *byte == 0).take(4).filter_map(|part| {
            let (name, text) = part.split_first()?;
            let path = NAMES[usize::from(*name) % NAMES.len()].to_string();
            Some(TextFile { path, text: String::from_utf8_lossy(text).into_owned() })
        })
    };
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    files().for_each(|file| drop(all.insert(file.path, file.text)));
    let files =
        || all.iter().map(|(path, text)| TextFile { path: path.clone(), text: text.clone() }).collect();
    let terms = Terms { certainty_min: Certainty::Low, tests: true, ..Terms::default() };
    let kept = Kept::default();
    let seen = review_again(files(), &terms, &Alone, &kept);
    for finding in &seen.findings {
        assert!(finding.source.text.get(finding.span.start..finding.span.end).is_some());
        for edit in &finding.edits {
            assert!(finding.source.text.get(edit.span.start..edit.span.end).is_some());
        }
    }
    let again = review_again(files(), &terms, &Alone, &kept);
    assert_eq!(as_value(&seen), as_value(&again));
    sarif(&seen, "0.0.0");
});
