//! Detectors: finds lie in the text, on the borders of characters; those of one detector do not overlap and do not
//! depend on which others are on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::detect::{DETECTORS, Detectors};
use ringmail_core::label::{TagTable, Tags};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let all = Detectors::all(&mut TagTable::default()).find(text);
    for detector in DETECTORS {
        let ranges: Vec<_> = all
            .iter()
            .filter(|one| one.detector.name == detector.name)
            .map(|one| one.range.clone())
            .collect();
        for range in &ranges {
            assert!(!text.get(range.clone()).expect("a find lies in the text").is_empty());
        }
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{} twice", detector.name);
        let mut alone = Detectors::none();
        alone.tag(detector.name, Tags::ALL);
        let found: Vec<_> = alone.find(text).into_iter().map(|one| one.range).collect();
        assert_eq!(found, ranges, "{} alone finds something else", detector.name);
    }
});
