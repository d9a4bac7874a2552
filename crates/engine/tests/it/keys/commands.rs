//! Keys of `[command.NAME]` in `ringmail.toml`.

use super::{CASE, Case};

const FED: &str =
    "chain: t\nlinks:\n  c: {kind: command, command: tool, with: {stdin: fed}}\noutput: ${c.out}";

macro_rules! tool {
    ($tool:expr) => {
        concat!(
            "[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\ncommand = [{ name = \"tool\" }]\n",
            $tool
        )
    };
}

/// A shell that is given a script, and what it wrote.
macro_rules! shell {
    ($keys:literal, $script:literal, $one:literal, $other:literal) => {
        Case {
            project: tool!(concat!("[command.tool]\nprogram = \"/bin/sh\"\nargs = [\"-c\"]\n", $keys)),
            chain: concat!(
                "chain: t\nlinks:\n  c:\n    kind: command\n    command: tool\n    with:\n      expect: any\n      args:\n        - |\n          ",
                $script,
                "\noutput: ${c.out}\n"
            ),
            ends: [$one, $other],
            ..CASE
        }
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        project: "[[grant]]\nto = \"t\"\nreason = \"r\"\ncommand = [{ name = \"tool\" }]\n<<[command.tool]\nprogram = \"/bin/cat\"||>>",
        chain: FED,
        ends: ["= \"fed\"", "there is no command `tool`"],
        ..CASE
    },
    Case {
        project: tool!("[command.tool]\nprogram = \"/bin/<<cat||echo>>\""),
        chain: FED,
        ends: ["= \"fed\"", "= \"\\n\""],
        ..CASE
    },
    Case {
        project: tool!(
            "[command.tool]\nprogram = \"/bin/cat\"\ndigest = \"sha256:<<@CAT@||0000000000000000000000000000000000000000000000000000000000000000>>\""
        ),
        chain: FED,
        ends: ["= \"fed\"", "digest is pinned"],
        ..CASE
    },
    Case {
        project: tool!("[command.tool]\nprogram = \"/bin/cat\"\nargs = [<<||\"-n\">>]"),
        chain: FED,
        ends: ["= \"fed\"", "1\\tfed"],
        ..CASE
    },
    shell!("<<env = [{ name = \"A\", value = \"b\" }]||>>", "echo [$A]", "= \"[b]", "= \"[]"),
    shell!("env = [{ name = \"<<A||B>>\", value = \"b\" }]", "echo [$A]", "= \"[b]", "= \"[]"),
    shell!("env = [{ name = \"A\", value = \"<<b||c>>\" }]", "echo [$A]", "= \"[b]", "= \"[c]"),
    shell!(
        "<<mounts = [{ mount = \"in\", access = \"read\" }]||>>",
        "cat a.txt || echo none",
        "a text of",
        "= \"none"
    ),
    shell!(
        "mounts = [{ mount = \"<<in||out>>\", access = \"read\" }]",
        "cat a.txt",
        "a text of",
        "= \"\\\"out"
    ),
    shell!(
        "mounts = [{ mount = \"in\", access = \"<<write||read>>\" }]",
        "echo x > new && echo written || echo none",
        "= \"written",
        "= \"none"
    ),
    shell!(
        "mounts = [{ mount = \"in\", access = \"read\" }, { mount = \"out\", access = \"read\" }]\nfolder = \"<<in||out>>\"",
        "cat a.txt",
        "a text of",
        "= \"\\\"out"
    ),
    shell!("system = <<true||false>>", "echo here", "= \"here", "not-found"),
    shell!(
        "<<net = { connect = [@PORT@] }||>>",
        "exec 2>&1; /usr/bin/python3 -IBc 'import socket; socket.create_connection((\"127.0.0.1\", @PORT@)); print(\"came\")'",
        "= \"came",
        "Error"
    ),
    shell!(
        "net = { connect = [<<@PORT@||1>>] }",
        "exec 2>&1; /usr/bin/python3 -IBc 'import socket; socket.create_connection((\"127.0.0.1\", @PORT@)); print(\"came\")'",
        "= \"came",
        "Error"
    ),
    shell!(
        "net = { listen = [<<@FREE@||1>>] }",
        "exec 2>&1; /usr/bin/python3 -IBc 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", @FREE@)); s.listen(); print(\"came\")'",
        "= \"came",
        "Error"
    ),
    shell!("<<||limits = { cpu = \"1s\" }>>", "ulimit -t", "= \"10\\n", "= \"1\\n"),
    shell!("limits = { time = \"<<10s||100ms>>\" }", "sleep 1; echo late", "= \"late", "failed: timeout"),
    shell!("limits = { cpu = \"<<2s||1s>>\" }", "ulimit -t", "= \"2\\n", "= \"1\\n"),
    shell!("limits = { memory = \"<<128MiB||64MiB>>\" }", "ulimit -v", "= \"131072\\n", "= \"65536\\n"),
    shell!("limits = { processes = <<8||7>> }", "ulimit -p", "= \"8\\n", "= \"7\\n"),
    shell!("limits = { open_files = <<10||9>> }", "ulimit -n", "= \"10\\n", "= \"9\\n"),
    shell!("limits = { file = \"<<2KiB||1KiB>>\" }", "ulimit -f", "= \"4\\n", "= \"2\\n"),
    shell!(
        "limits = { scratch = \"<<1MiB||16KiB>>\" }",
        "head -c 100000 /dev/zero > /tmp/x && echo fits || echo full",
        "= \"fits",
        "= \"full"
    ),
    shell!("limits = { output = \"<<1KiB||4B>>\" }", "echo five5", "= \"five5", "too-large"),
    shell!(
        "<<dangerous = { unconfined = true }||>>",
        "echo here",
        "= \"here",
        "cannot be confined on this host"
    ),
];
