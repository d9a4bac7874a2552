//! Programs of a project as links.

use crate::setup::{Bench, PERMIT_ALL, bench, bench_with, shown, stages};
use ringmail_engine::core::doc::Source;
use ringmail_engine::{Engine, KernelWalls, Wall};

fn project(command: &str, grant: &str) -> String {
    format!(
        "[mount.inbox]\npath = \"in\"\n[mount.outbox]\npath = \"out\"\n{command}\n[[grant]]\nto = \"t\"\nreason = \"test\"\n{grant}\n"
    )
}

const CAT: &str = "[command.tool]\nprogram = \"/bin/cat\"\n";
const SH: &str = "[command.tool]\nprogram = \"/bin/sh\"\nargs = [\"-c\"]\n";
const MAY: &str = "command = [{ name = \"tool\", trusted = [\"args\"] }]";

fn chain(with: &str) -> String {
    format!("chain: t\nlinks:\n  c: {{kind: command, command: tool, with: {with}}}\noutput: '${{c}}'")
}

async fn run(bench: &Bench, with: &str) -> String {
    shown(&bench.run(&[&chain(with)], "{\"text\": \"hello\"}").await)
}

#[tokio::test]
async fn a_command_reads_and_answers() {
    let bench = bench(&project(CAT, MAY), PERMIT_ALL);
    assert_eq!(run(&bench, "{stdin: '${input.text}'}").await, r#"{"status":0,"out":"hello","err":""}"#);
    let json = run(&bench, "{stdin: {a: '${input.text}'}, as: json}").await;
    assert_eq!(json, r#"{"status":0,"out":{"a":"hello"},"err":""}"#);
    let lines = run(&bench, "{stdin: \"a\\nb\\n\", as: lines}").await;
    assert_eq!(lines, r#"{"status":0,"out":["a","b"],"err":""}"#);
    assert!(run(&bench, "{stdin: x, as: base64}").await.contains("\"out\":\"eA==\""));
    assert!(run(&bench, "{stdin: x, as: json}").await.contains("not JSON"));
}

#[tokio::test]
async fn a_command_that_ends_badly_is_a_failure_unless_any_end_is_expected() {
    let bench = bench(&project(SH, MAY), PERMIT_ALL);
    assert!(run(&bench, "{args: ['echo no >&2; exit 3']}").await.contains("`tool` ended with 3"));
    let any = run(&bench, "{args: ['echo no >&2; exit 3'], expect: any}").await;
    assert_eq!(any, r#"{"status":3,"out":"","err":"no\n"}"#);
}

#[tokio::test]
async fn attack_28_a_command_needs_a_grant_a_permit_and_its_intent() {
    let alone = bench(&project(CAT, ""), PERMIT_ALL);
    assert!(alone.problems(&chain("{}")).contains("nothing grants `t.c` the use of `command:tool`"));
    let other = project(
        &format!("{CAT}[command.other]\nprogram = \"/bin/cat\"\n"),
        "command = [{ name = \"other\" }]",
    );
    assert!(bench(&other, PERMIT_ALL).problems(&chain("{}")).contains("command:tool"));
    let only_run = "permit (principal, action == Ringmail::Action::\"run\", resource);";
    let unpermitted = bench(&project(CAT, MAY), only_run).problems(&chain("{}"));
    assert!(unpermitted.contains("no policy permits anyone to call `t.c`"), "{unpermitted}");
    let recorded = bench(&project(CAT, MAY), PERMIT_ALL);
    run(&recorded, "{stdin: x}").await;
    let record = recorded.record();
    assert!(record.contains("\"intent\"") && record.contains("command:tool"), "{record}");
}

#[tokio::test]
async fn attack_38_untrusted_data_neither_chooses_arguments_nor_flows_in_unasked() {
    let closed = bench(&project(CAT, "command = [{ name = \"tool\" }]"), PERMIT_ALL);
    for with in ["{stdin: '${input.text}'}", "{args: ['${input.text}']}"] {
        assert!(run(&closed, with).await.starts_with("refused untrusted-argument"), "{with}");
    }
    let open = bench(&project(CAT, "command = [{ name = \"tool\", trusted = [] }]"), PERMIT_ALL);
    assert!(run(&open, "{stdin: '${input.text}'}").await.starts_with("{\"status\":0"));
    assert!(run(&open, "{args: ['${input.text}']}").await.starts_with("refused untrusted-argument"));
    let decided =
        "chain: t\nlinks:\n  c: {kind: command, command: tool, when: 'input.text == \"hello\"'}\noutput: 1";
    let refused = shown(&open.run(&[decided], "{\"text\": \"hello\"}").await);
    assert!(refused.starts_with("refused untrusted-decision"), "{refused}");
}

#[tokio::test]
async fn attack_38_tags_flow_into_a_command_only_if_cleared_and_come_out_again() {
    let tagged = "chain: t\ninput: {type: object, properties: {text: {type: string, x-ringmail-label: [pii]}}}\nlinks:\n  c: {kind: command, command: tool, with: {stdin: '${input.text}'}}\noutput: '${c.out}'";
    let closed = bench(&project(CAT, MAY), PERMIT_ALL);
    let problems = closed.problems(tagged);
    let refused =
        if problems.is_empty() { shown(&closed.run(&[tagged], "{\"text\": \"x\"}").await) } else { problems };
    assert!(refused.contains("pii"), "{refused}");
    let cleared =
        "command = [{ name = \"tool\", trusted = [\"args\"], clearance = [\"pii\"], label = [\"made\"] }]";
    let open = bench(&project(CAT, cleared), PERMIT_ALL);
    let problems = open.problems(tagged);
    let refused =
        if problems.is_empty() { shown(&open.run(&[tagged], "{\"text\": \"x\"}").await) } else { problems };
    assert!(refused.contains("pii") && refused.contains("made"), "to the caller: {refused}");
    let answered = format!("{cleared}\nrespond = {{ clearance = [\"pii\", \"made\"] }}");
    let whole = bench(&project(CAT, &answered), PERMIT_ALL);
    assert_eq!(shown(&whole.run(&[tagged], "{\"text\": \"x\"}").await), "\"x\"");
}

#[tokio::test]
async fn policies_see_what_a_command_is_given() {
    let policy = format!(
        "{PERMIT_ALL}\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.sinks.contains(\"command:tool\") && context.args.hasTag(\"args.0\") && context.args.getTag(\"args.0\") == \"-n\" }};"
    );
    let bench = bench(&project(CAT, MAY), &policy);
    assert!(
        run(&bench, "{stdin: x}").await.starts_with("{\"status\":0"),
        "{}",
        run(&bench, "{stdin: x}").await
    );
    let refused = run(&bench, "{args: ['-n'], stdin: x}").await;
    assert!(refused.starts_with("refused policy-forbids"), "{refused}");
    let read = format!(
        "{PERMIT_ALL}\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.args.hasTag(\"stdin\") && context.args.getTag(\"stdin\") like \"*evil*\" }};"
    );
    let reads = self::bench(&project(CAT, MAY), &read);
    assert!(run(&reads, "{stdin: some evil}").await.starts_with("refused policy-forbids"));
}

#[tokio::test]
async fn every_key_of_a_command_counts() {
    let with = |more: &str| bench(&project(&format!("{SH}{more}"), MAY), PERMIT_ALL);
    let say = async |more: &str, script: &str| {
        let bench = with(more);
        for folder in ["in", "out"] {
            let path = bench.folder.path().join(folder);
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
            std::fs::write(path.join("note"), folder).unwrap();
        }
        run(&bench, &format!("{{args: [{script:?}], expect: any}}")).await
    };
    assert!(say("", "env").await.contains("\"out\":\"PWD=/\\n\""), "{}", say("", "env").await);
    assert!(say("env = [{ name = \"A\", value = \"b\" }]", "echo $A").await.contains("\"out\":\"b\\n\""));
    let reads = "mounts = [{ mount = \"inbox\", access = \"read\" }]";
    assert!(say(reads, "cat note; echo x > new || echo no").await.contains("\"out\":\"inno\\n\""));
    let both = "mounts = [{ mount = \"inbox\", access = \"read\" }, { mount = \"outbox\", access = \"write\" }]\nfolder = \"outbox\"";
    assert!(
        say(both, "cat note ../in/note; echo x > new && cat new").await.contains("\"out\":\"outinx\\n\"")
    );
    let starts = "mounts = [{ mount = \"inbox\", access = \"execute\" }]";
    assert!(say(starts, "cat note").await.contains("\"out\":\"in\""));
    assert!(say("system = false", "true").await.contains("not-found"));
    assert!(say("limits = { time = \"200ms\" }", "sleep 9").await.contains("timeout"));
    assert!(say("limits = { cpu = \"1s\" }", "ulimit -t").await.contains("\"out\":\"1\\n\""));
    assert!(say("limits = { memory = \"64MiB\" }", "ulimit -v").await.contains("\"out\":\"65536\\n\""));
    assert!(say("limits = { processes = 7 }", "ulimit -p").await.contains("\"out\":\"7\\n\""));
    assert!(say("limits = { open_files = 9 }", "ulimit -n").await.contains("\"out\":\"9\\n\""));
    assert!(say("limits = { file = \"1KiB\" }", "ulimit -f").await.contains("\"out\":\"2\\n\""));
    assert!(say("limits = { output = \"10B\" }", "yes").await.contains("too-large"));
    let full = "head -c 100000 /dev/zero > /tmp/x || echo full";
    assert!(say("limits = { scratch = \"16KiB\" }", full).await.contains("full"));
    let pin = "digest = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"";
    assert!(say(pin, "true").await.contains("digest is pinned"));
    let real = ringmail_engine::program_digest(std::path::Path::new("/bin/sh")).unwrap();
    let real: String = real.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(say(&format!("digest = \"sha256:{real}\""), "echo it").await.contains("it"));
}

#[tokio::test]
async fn ports_of_a_command_count() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("import socket\\nsocket.create_connection((\\\"127.0.0.1\\\", {port}))\\nprint(1)");
    for (net, opens) in [(String::new(), false), (format!("net = {{ connect = [{port}] }}"), true)] {
        let command =
            format!("[command.tool]\nprogram = \"/usr/bin/python3\"\nargs = [\"-IBc\", \"{script}\"]\n{net}");
        let bench = bench(&project(&command, MAY), PERMIT_ALL);
        let said = run(&bench, "{expect: any}").await;
        assert_eq!(said.contains("\"status\":0"), opens, "{said}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = format!(
        "import socket\\ns = socket.socket()\\ns.bind((\\\"127.0.0.1\\\", {free}))\\ns.listen()\\nprint(1)"
    );
    let command = format!(
        "[command.tool]\nprogram = \"/usr/bin/python3\"\nargs = [\"-IBc\", \"{script}\"]\nnet = {{ listen = [{free}] }}"
    );
    let bench = bench(&project(&command, MAY), PERMIT_ALL);
    let said = run(&bench, "{expect: any}").await;
    assert!(said.contains("\"status\":0"), "{said}");
}

fn build(text: &str, walls: Option<KernelWalls>) -> String {
    let folder = tempfile::tempdir().unwrap();
    for mount in ["in", "out"] {
        std::fs::create_dir(folder.path().join(mount)).unwrap();
    }
    let mut builder = Engine::builder().project(Source::new("ringmail.toml", text), folder.path());
    if let Some(walls) = walls {
        builder = builder.kernel_walls(walls);
    }
    builder.build().map_or_else(|error| error.to_string(), |_| "built".into())
}

#[test]
fn names_of_commands_that_lead_nowhere_are_problems() {
    for (command, grant, expected) in [
        ("[command.tool]\nprogram = \"/no/such\"", "", "cannot find `/no/such`"),
        (CAT, "command = [{ name = \"tol\" }]", "there is no command `tol`"),
        (
            "[command.tool]\nprogram = \"/bin/cat\"\nmounts = [{ mount = \"x\", access = \"read\" }]",
            "",
            "there is no mount `x`",
        ),
        ("[command.tool]\nprogram = \"/bin/cat\"\nfolder = \"inbox\"", "", "not among its `mounts`"),
        ("[command.tool]\nprogram = \"/bin/cat\"\ndigest = \"abc\"", "", "64 hexadecimal digits"),
        ("[command.tool]\nprogram = \"/bin/cat\"\nlimits = { tme = \"1s\" }", "", "did you mean `time`?"),
        (
            "[command.tool]\nprogram = \"/bin/cat\"\nlimits = { time = \"1s\" }\n[upstream.u]\ncommand = \"tool\"",
            "",
            "say it in `[upstream.u]`: timeout",
        ),
        (
            "[command.tool]\nprogram = \"/bin/cat\"\nlimits = { output = \"1KiB\" }\n[upstream.u]\ncommand = \"tool\"",
            "",
            "say it in `[upstream.u]`: answer",
        ),
        ("[ceiling]\ncommands = []\n[command.tool]\nprogram = \"/bin/cat\"", MAY, "built"),
        (
            "[ceiling]\nmounts = []\n[command.tool]\nprogram = \"/bin/cat\"\nmounts = [{ mount = \"inbox\", access = \"read\" }]",
            "",
            "ceiling does not allow the mount",
        ),
        (
            "[ceiling]\nnet = []\n[command.tool]\nprogram = \"/bin/cat\"\nnet = { connect = [80] }",
            "",
            "the ceiling lists addresses",
        ),
    ] {
        let said = build(&project(command, grant), None);
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let unknown = bench(&project(CAT, MAY), PERMIT_ALL)
        .problems("chain: t\nlinks:\n  c: {kind: command, command: tol}\noutput: 1");
    assert!(unknown.contains("there is no command `tol`"), "{unknown}");
}

#[test]
fn the_ceiling_ends_a_grant_of_a_command() {
    let bench = bench(&project(&format!("[ceiling]\ncommands = []\n{CAT}"), MAY), PERMIT_ALL);
    let problems = bench.problems(&chain("{}"));
    assert!(problems.contains("nothing grants `t.c` the use of `command:tool`"), "{problems}");
}

#[tokio::test]
async fn attack_28_a_command_that_cannot_be_confined_stops_the_engine() {
    let poorer = || KernelWalls::of_this_host().without(Wall::Calls);
    let said = build(&project(CAT, MAY), Some(poorer()));
    assert!(said.contains("`tool` cannot be confined on this host") && said.contains("seccomp"), "{said}");
    let written = format!("{CAT}dangerous = {{ unconfined = true }}");
    let bench = bench_with(&project(&written, MAY), PERMIT_ALL, |builder| builder.kernel_walls(poorer()));
    assert!(run(&bench, "{stdin: x}").await.starts_with("{\"status\":0"));
}

#[tokio::test]
async fn attack_28_a_command_ends_with_its_run() {
    let bench = bench(&project(SH, MAY), PERMIT_ALL);
    let word = format!("sleeps-{}", std::process::id());
    let chain = chain(&format!("{{args: [': {word}; sleep 600 & sleep 600']}}"))
        .replace("{kind", "{timeout: 300ms, kind");
    let report = bench.run(&[&chain], "{}").await;
    assert!(stages(&report).contains("failed(timeout)"), "{}", stages(&report));
    let there = || {
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
        let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(&word)).count()
    };
    for _ in 0..500 {
        if there() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is still there");
}
