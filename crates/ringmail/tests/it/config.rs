//! The settings of a project: layers, variables, and where each value came from.

use crate::setup::{Ended, Place};
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;

const PROJECT: &str = r#"[project]
name = "desk-${REGION}"

[run]
as = "bot"

[[principal]]
name = "bot"
roles = ["clerk"]

[[principal]]
name = "eve"

[limits]
steps = 50

[mount.outbox]
path = "outbox"

[[grant]]
to = "note.write"
reason = "keeps notes"
fs = [{ mount = "outbox", access = "write", trusted = ["path"] }]
"#;

fn desk() -> Place {
    let place = Place::empty();
    place.write("ringmail.toml", PROJECT);
    place.write(
        "chains/note.yaml",
        "chain: note\nlinks:\n  write:\n    kind: file\n    with: {op: write, path: 'outbox:note.txt', content: '${run.principal}'}\noutput: ${run.principal}\n",
    );
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    for folder in ["outbox", "elsewhere"] {
        std::fs::create_dir(place.path().join(folder)).unwrap();
    }
    place
}

fn run(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = place.command(args);
    command.env_remove("RINGMAIL_ENV").env("REGION", "eu").envs(variables.iter().copied());
    place.ended(command.output().unwrap())
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn the_environment_chooses_a_layer_and_production_is_meant_otherwise() {
    let place = desk();
    place.write("ringmail.staging.toml", "[mount.outbox]\npath = \"elsewhere\"\n");
    assert_eq!(run(&place, &["run", "note"], &[]).code, 0);
    assert!(place.path().join("outbox/note.txt").is_file());
    std::fs::remove_file(place.path().join("outbox/note.txt")).unwrap();
    for (args, variables) in [
        (&["run", "note", "--environment", "staging"][..], &[][..]),
        (&["run", "note"], &[("RINGMAIL_ENV", "staging")]),
        (&["run", "note", "--environment", "staging"], &[("RINGMAIL_ENV", "production")]),
    ] {
        let ended = run(&place, args, variables);
        assert_eq!(ended.code, 0, "{}", ended.shown());
        std::fs::remove_file(place.path().join("elsewhere/note.txt")).unwrap();
        assert!(!place.path().join("outbox/note.txt").exists());
    }
    // Production has a layer, too, where there is one.
    place.write("ringmail.production.toml", "[mount.outbox]\npath = \"elsewhere\"\n");
    assert_eq!(run(&place, &["run", "note"], &[]).code, 0);
    assert!(place.path().join("elsewhere/note.txt").is_file());
}

/// A slip in the name of an environment is not production, and no name relaxes anything by itself.
#[test]
fn an_environment_without_a_layer_is_none() {
    let place = desk();
    place.write("ringmail.staging.toml", "");
    let ended = run(&place, &["check", "--environment", "stagin"], &[]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["there is no `ringmail.stagin.toml`", "did you mean the environment `staging`?"]);
    let ended = run(&place, &["check"], &[("RINGMAIL_ENV", "development")]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["there is no `ringmail.development.toml`"]);
    for name in ["../x", "A", "a/b", ".", "a\n"] {
        let ended = run(&place, &["check", "--environment", name], &[]);
        assert_eq!(ended.code, 1);
        holds(&ended.err, &["is not the name of an environment"]);
    }
    assert_eq!(run(&place, &["check", "--environment", "production"], &[]).code, 0);
    assert_eq!(run(&place, &["check"], &[("RINGMAIL_ENV", "")]).code, 0);
}

#[test]
fn a_layer_widens_nothing_in_silence() {
    let place = desk();
    place.write("ringmail.lax.toml", "\n[run]\nas = \"eve\"\n");
    let ended = run(&place, &["run", "note", "--environment", "lax"], &[]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!(ended.shown(), @r#"
    --- err
    error: the layer changes what is allowed or who is believed: `run`
     --> ringmail.lax.toml:3:1
      |
    3 | as = "eve"
      | ^^
      |
      = help: if it is meant, say so at the head:
              [layer]
              authority = ["run"]
    --- exit 1
    "#);
    place.write("ringmail.lax.toml", "[layer]\nauthority = [\"run\"]\n[run]\nas = \"eve\"\n");
    let ended = run(&place, &["run", "note", "--environment", "lax"], &[]);
    assert_eq!((ended.code, ended.out.trim()), (0, "eve"), "{}", ended.shown());
    assert_eq!(run(&place, &["run", "note"], &[]).out.trim(), "bot");
}

#[test]
fn problems_stand_in_the_file_they_come_from() {
    let place = desk();
    place.write("ringmail.lax.toml", "[limits]\nsteps = 0\n[serve]\n");
    place.write("ringmail.toml", &PROJECT.replace("steps = 50", "steps = 50\ntime = \"soon\""));
    let ended = run(&place, &["check", "--environment", "lax"], &[]);
    assert_eq!(ended.code, 1);
    holds(
        &ended.err,
        &["ringmail.lax.toml:2:9", "ringmail.toml:16:8", "did you mean `server`?", "3 problems"],
    );
    // So do grants, which problems of chains point at.
    place.write("ringmail.toml", PROJECT);
    place.write(
        "ringmail.lax.toml",
        "[layer]\nauthority = [\"grant\"]\n\n[[grant]]\nto = \"note.wrte\"\nreason = \"r\"\nlog = {}\n",
    );
    let ended = run(&place, &["check", "--environment", "lax"], &[]);
    holds(&ended.err, &["ringmail.lax.toml:4:1", "did you mean `note.write`?"]);
}

#[test]
fn a_variable_that_is_not_set_is_an_error_with_its_place() {
    let place = desk();
    let mut command = place.command(&["run", "note"]);
    let ended = place.ended(command.env_remove("REGION").output().unwrap());
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["the variable `REGION` is not set", "ringmail.toml:2:8"]);
    // What a value holds is no text of the file.
    let ended = run(&place, &["config", "show"], &[("REGION", "\"\n[run]\nas = \"eve")]);
    holds(&ended.out, &[r#"project.name = "desk-\"\n[run]\nas = \"eve""#, "run.as = \"bot\""]);
    // Chains have `${...}` of their own.
    assert_eq!(run(&place, &["run", "note"], &[("run", "x")]).out.trim(), "bot");
}

#[test]
fn show_says_where_every_value_came_from() {
    let place = desk();
    place.write("ringmail.staging.toml", "[limits]\nsteps = \"${STEPS}\"\n");
    let ended = run(&place, &["config", "show", "--environment", "staging"], &[("STEPS", "7")]);
    insta::assert_snapshot!(ended.shown(), @r#"
    --- out
    project.name = "desk-eu"  ringmail.toml:2 from REGION
    run.as = "bot"  ringmail.toml:5
    limits.steps = 7  ringmail.staging.toml:2 from STEPS over ringmail.toml:15
    principal.0.name = "bot"  ringmail.toml:8
    principal.0.roles = ["clerk"]  ringmail.toml:9
    principal.1.name = "eve"  ringmail.toml:12
    mount.outbox.path = "outbox"  ringmail.toml:18
    grant.0.to = "note.write"  ringmail.toml:21
    grant.0.reason = "keeps notes"  ringmail.toml:22
    grant.0.fs.0.mount = "outbox"  ringmail.toml:23
    grant.0.fs.0.access = "write"  ringmail.toml:23
    grant.0.fs.0.trusted = ["path"]  ringmail.toml:23
    --- err
    environment staging: ringmail.staging.toml over ringmail.toml
    --- exit 0
    "#);
    let ended = run(&place, &["config", "show", "--resolved"], &[]);
    holds(
        &ended.out,
        &[
            "project.chains = chains  default",
            "limits.time = 1m  default",
            "server.headers = 64  default",
            "limits.steps = 50  ringmail.toml:15",
        ],
    );
    let data = run(&place, &["config", "show", "--format", "json"], &[]).out;
    let data = parse(data.as_bytes(), &JsonLimits::default()).unwrap();
    assert_eq!(data.get("environment").and_then(Value::as_str), Some("production"));
    let first = data.get("values").unwrap().as_list().unwrap().get(0).unwrap().clone();
    assert_eq!(first.get("value").and_then(Value::as_str), Some("desk-eu"));
    assert_eq!(first.get("from").unwrap().get("line"), Some(&Value::Int(2)));
    assert_eq!(first.get("variables").unwrap().as_list().unwrap().len(), 1);
}

#[test]
fn attack_40_show_shows_no_secret() {
    let place = desk();
    place.write(
        "ringmail.toml",
        &format!(
            "{PROJECT}\n[registry.main]\nurl = \"https://${{REGISTRY_TOKEN}}.test\"\n[advisories]\npath = \"${{OTHER}}\"\n[secret.bank]\nfrom = \"env:BANK\"\nbound_to = [\"https://bank.test\"]\n[registry.two]\nurl = \"https://${{PGPASSWORD}}.test\"\n[registry.three]\nurl = \"https://${{DBPASS}}.test\"\n[registry.four]\nurl = \"https://${{my_apikey2}}.test\"\n"
        ),
    );
    let variables = [
        ("PGPASSWORD", "hunter2hunter2"),
        ("DBPASS", "hunter2hunter2"),
        ("my_apikey2", "hunter2hunter2"),
        ("REGISTRY_TOKEN", "hunter2hunter2"),
        ("OTHER", "https://user:hunter2hunter2@shelf.test"),
        ("BANK", "hunter2hunter2"),
    ];
    for format in ["text", "json"] {
        let ended = run(&place, &["config", "show", "--resolved", "--format", format], &variables);
        assert!(!ended.shown().contains("hunter2"), "{}", ended.shown());
        holds(&ended.out, &["registry.main.url", "advisories.path"]);
    }
}

/// Whoever grants, revokes or looks on has all layers before its eyes.
#[test]
fn commands_that_write_the_project_know_the_layers() {
    let place = desk();
    place.write("ringmail.toml", &PROJECT.replace("steps = 50", "steps = \"${STEPS}\""));
    place.write(
        "ringmail.staging.toml",
        "[layer]\nauthority = [\"plugin\"]\n[plugin.mask]\ndigest = \"sha256:0\"\nreason = \"r\"\npath = \"plugins/mask\"\n",
    );
    let args = ["plugin", "revoke", "mask", "--environment", "staging"];
    let ended = run(&place, &args, &[("STEPS", "7")]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    holds(&ended.err, &["`ringmail.staging.toml` grants `plugin.mask`", "take `[plugin.mask]` out of"]);
    place.write(
        "ringmail.toml",
        &format!(
            "{PROJECT}\n[plugin.mask]\npath = \"plugins/mask\"\ndigest = \"sha256:1\"\nreason = \"r\"\n"
        ),
    );
    let ended = run(&place, &args, &[("STEPS", "7")]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    holds(&ended.err, &["`ringmail.staging.toml` changes `plugin.mask`"]);
    holds(&place.read("ringmail.toml"), &["[plugin.mask]"]);
    let ended = run(&place, &["plugin", "revoke", "mask"], &[("STEPS", "7")]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(!place.read("ringmail.toml").contains("[plugin.mask]"));
}
