//! Streams, exit codes, and what happens when the world is unkind.

use crate::setup::Place;
use std::io::Read;
use std::process::Stdio;

const WAITS: &str = "chain: waits\nlinks:\n  pause: {kind: wait, with: {for: 50s}}\noutput: 1\n";

#[test]
fn results_go_to_stdout_and_talk_to_stderr() {
    let place = Place::project();
    let ended = place.run(&["run", "greet", "--input", r#"{"name": "Ada"}"#]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "Hello, Ada!\n"));
    assert_eq!(ended.err, "info greet.note: greeted: Hello, Ada!\n");
}

#[test]
fn colour_only_where_it_is_wanted() {
    let place = Place::project();
    let colours = |args: &[&str], env: &[(&str, &str)]| {
        let output = place.command(args).envs(env.iter().copied()).output().unwrap();
        let escape = |bytes: &[u8]| bytes.contains(&0x1b);
        escape(&output.stdout) || escape(&output.stderr)
    };
    assert!(!colours(&["run", "gret"], &[]), "a pipe is no terminal");
    assert!(colours(&["run", "gret", "--color", "always"], &[]));
    assert!(!colours(&["run", "gret", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colours(&["run", "gret"], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    assert!(colours(&["explain", "clearance", "--color", "always"], &[]));
}

#[test]
fn a_reader_that_has_gone_ends_the_command_with_3() {
    let place = Place::project();
    let mut child =
        place.command(&["schema", "chain"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(3), ""));
}

#[test]
fn a_full_disk_is_said() {
    let place = Place::project();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place.command(&["schema", "chain"]).stdout(full).output().unwrap();
    let ended = place.ended(output);
    insta::assert_snapshot!(ended.shown());
}

#[test]
fn a_data_folder_that_cannot_be_used_is_said_before_anything_runs() {
    let place = Place::project();
    place.write(".ringmail", "a file");
    let ended = place.run(&["run", "greet", "--input", r#"{"name": "Ada"}"#]);
    insta::assert_snapshot!(ended.shown());
}

/// Starts a run and waits until its record says that it has begun.
#[allow(clippy::zombie_processes, reason = "whoever asked for the child waits for it")]
fn started(place: &Place) -> std::process::Child {
    place.write("waits.yaml", WAITS);
    let mut command = place.command(&["run", "waits.yaml"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    loop {
        if place.recorded().contains("started") {
            return child;
        }
        std::thread::yield_now();
    }
}

#[test]
fn ctrl_c_ends_a_run_with_130_and_leaves_a_record() {
    let place = Place::empty();
    let child = started(&place);
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = place.ended(child.wait_with_output().unwrap());
    insta::assert_snapshot!(ended.shown());
    let explained = place.run(&["explain"]);
    assert!(explained.out.contains("cancelled"), "{}", explained.shown());
}

#[test]
fn a_killed_run_can_be_explained_as_far_as_it_came() {
    let place = Place::empty();
    let mut child = started(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    let explained = place.run(&["explain"]);
    assert_eq!(explained.code, 0, "{}", explained.shown());
    assert!(explained.out.contains("of waits as host"), "{}", explained.shown());
}

#[test]
fn what_files_say_reaches_no_terminal_as_a_command() {
    let place = Place::empty();
    place.write(
        "evil.yaml",
        "chain: evil\ndescription: \"\\e[2J\\u202egone\"\nlinks:\n  \"\\e[31mred\": {kind: native}\n",
    );
    for args in [
        &["check", "evil.yaml"][..],
        &["inspect", "evil.yaml"],
        &["graph", "evil.yaml", "--format", "mermaid"],
    ] {
        let ended = place.run(args);
        let shown = ended.shown();
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{args:?}: {shown:?}");
    }
}
