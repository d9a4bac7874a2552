//! The plugins of examples, made as their pages say: once for all tests, since a module of Python is long in the making.

use crate::examples::{ADDRESS, copy};
use crate::setup::Place;
use crate::toolchains::{self, kept};
use ringmail_engine::core::python::interpreter_digest;
use std::path::Path;

const MODULE: &str = "plugin.wasm";
/// Compiled modules, and the key that vouches for them.
const COMPILED: &[&str] = &[".ringmail/host.key", ".ringmail/modules"];

/// Makes the plugins of an example, and lets the project have them.
pub fn build(folder: &Path, page: &str, place: &Place) {
    let builds = steps(page, "plugin build");
    if builds.is_empty() {
        return;
    }
    let name = folder.file_name().unwrap().to_str().unwrap();
    let (kept, _lock) = kept(&format!("examples/{name}"));
    let (made, note) = (kept.join("made"), kept.join("made-of"));
    let fresh = Place::empty();
    copy(folder, folder, &fresh, ADDRESS);
    let made_of = interpreter_digest(&texts(fresh.path()));
    if std::fs::read_to_string(&note).ok().as_deref() != Some(&*made_of) {
        let _old = std::fs::remove_dir_all(&made);
        for args in builds.iter().chain(&steps(page, "plugin test")).chain(&steps(page, "plugin grant")) {
            run(&fresh, args);
        }
        // What is compiled now, whatever else comes of it, need not be compiled again.
        let first = steps(page, "run").swap_remove(0);
        fresh.run(&first.iter().map(String::as_str).collect::<Vec<&str>>());
        for args in &builds {
            hand_over(fresh.path(), &made, &Path::new(args.last().unwrap()).join(MODULE));
        }
        COMPILED.iter().for_each(|name| hand_over(fresh.path(), &made, Path::new(name)));
        std::fs::write(&note, &*made_of).unwrap();
    }
    for args in &builds {
        hand_over(&made, place.path(), &Path::new(args.last().unwrap()).join(MODULE));
    }
    COMPILED.iter().for_each(|name| hand_over(&made, place.path(), Path::new(name)));
    steps(page, "plugin grant").iter().for_each(|args| run(place, args));
}

/// The commands of this kind that a page lists.
fn steps(page: &str, what: &str) -> Vec<Vec<String>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("    ringmail "));
    lines.filter(|line| line.starts_with(&format!("{what} "))).map(words).collect()
}

/// Words of a command, as a shell parts them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(String::from)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

fn run(place: &Place, args: &[String]) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = place.command(&args);
    if let ["plugin", "build", plugin] = args[..] {
        command.envs(toolchains::of(&place.path().join(plugin)));
    }
    let ended = place.ended(command.output().unwrap());
    assert_eq!(ended.code, 0, "{args:?}\n{}", ended.shown());
}

/// Copies a file or folder to the same place below another root.
fn hand_over(from: &Path, to: &Path, name: &Path) {
    let (source, target) = (from.join(name), to.join(name));
    if source.is_dir() {
        for entry in std::fs::read_dir(&source).unwrap() {
            hand_over(from, to, &name.join(entry.unwrap().file_name()));
        }
    } else {
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(source, target).unwrap();
    }
}

/// All files of a folder with their names.
fn texts(folder: &Path) -> Vec<u8> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut out = Vec::new();
    for path in paths {
        out.extend_from_slice(path.file_name().unwrap().as_encoded_bytes());
        out.extend(if path.is_dir() { texts(&path) } else { std::fs::read(&path).unwrap() });
    }
    out
}
