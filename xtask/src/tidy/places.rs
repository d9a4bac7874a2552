//! Nothing names a place of one machine: the repository builds anywhere.

use super::File;

const PLACES: &[&str] = &["/home/", "/root/", "/Users/"];
/// The rule itself.
const OWN: &str = "xtask/src/tidy/places.rs";

pub(super) fn check(files: &[File]) -> Vec<String> {
    // Wherever this checkout lies is a place of one machine, too.
    let here = crate::shell::root().display().to_string();
    let places = || PLACES.iter().copied().chain([here.as_str()]);
    let mut out = Vec::new();
    for file in files.iter().filter(|file| file.path != OWN) {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(place) = places().find(|place| line.contains(place)) {
                out.push(format!("{}:{}: names `{place}`", file.path, at + 1));
            }
        }
    }
    out
}
