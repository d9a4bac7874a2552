//! The program, given a log that was written once and for all: whatever is written from now on, this one still verifies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// The public key of the host that wrote it.
const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

fn said(folder: &Path, args: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ringmail-verify")).args(args).current_dir(folder).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

/// A copy of the log, to be harmed.
fn log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

#[test]
fn a_log_of_the_first_format_verifies() {
    let folder = log();
    let (good, told) = said(folder.path(), &[".", "--key", KEY, "--anchor", "checkpoint"]);
    assert!(good && told.contains("records in 1 files are what was written"), "{told}");
    let (good, told) =
        said(folder.path(), &["--proof", "record.tlog-proof", "--record", "record.json", "--key", KEY]);
    assert!(good && told.contains("the record is number 2 of `ringmail/"), "{told}");
}

#[test]
fn whatever_is_wrong_is_said_and_nothing_else_is_good() {
    let folder = log();
    let other = "00".repeat(32);
    for (args, why) in [
        (&[".", "--key", &other][..], "is not signed by this key"),
        (&[".", "--key", "zz"], "64 hexadecimal digits"),
        (&["."], "--key says it"),
        (&[".", "--key"], "needs a value"),
        (&[".", "--key", KEY, "--fast"], "`--fast` is not known here"),
        (&["none", "--key", KEY], "cannot read `none/checkpoint`"),
        (&["--proof", "checkpoint", "--record", "record.json", "--key", KEY], "no proof as C2SP writes them"),
        (
            &["--proof", "record.tlog-proof", "--record", "checkpoint", "--key", KEY],
            "not the one that was proved",
        ),
        (&[".", "--key", KEY, "--anchor", "record.json"], "this is no checkpoint"),
    ] {
        let (good, told) = said(folder.path(), args);
        assert!(!good && told.contains(why), "{why}: {told}");
    }
    let path = folder.path().join("00000000000000000000.log");
    let text = std::fs::read(&path).unwrap();
    // Each byte of it counts.
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(ringmail_verify::verify(folder.path(), &[]).is_err(), "byte {at}");
    }
    for length in 0..text.len() {
        std::fs::write(&path, &text[..length]).unwrap();
        let checkpoint = std::fs::read_to_string(folder.path().join("checkpoint")).unwrap();
        let checkpoint = ringmail_verify::Checkpoint::parse(&checkpoint).unwrap();
        assert!(ringmail_verify::verify(folder.path(), &[checkpoint]).is_err(), "cut to {length}");
    }
}
