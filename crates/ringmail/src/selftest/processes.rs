//! Programs that look around, hold on and spread. Where the kernel lacks a wall, none of them starts, and the engine says so.

use super::{ATTACK, Attack};

/// What is said where a program cannot be confined, which is as good as holding it.
const NOT_HERE: &str = "cannot be confined on this host";

macro_rules! program {
    ($class:literal, $what:literal, $does:literal, $end:literal) => {
        Attack {
            class: $class,
            what: $what,
            project: "[command.sh]\nprogram = \"/bin/sh\"\nargs = [\"-c\"]\nlimits = { time = \"1s\", memory = \"64MiB\", output = \"64KiB\" }\n[[grant]]\nto = \"t\"\nreason = \"selftest\"\ncommand = [{ name = \"sh\" }]\n",
            chain: concat!(
                "links:\n  s:\n    kind: command\n    command: sh\n    with:\n      expect: any\n      args:\n        - |\n          ",
                $does,
                "\noutput: ${s}\n"
            ),
            ends: &[$end, NOT_HERE],
            ..ATTACK
        }
    };
}

pub(super) const ATTACKS: &[Attack] = &[
    program!(0, "a program that behaves", "echo here", "\"out\":\"here\\n\""),
    program!(
        28,
        "files of the host, and the environment of its first process",
        "cat /etc/shadow 2>&- || cat /proc/1/environ 2>&- | grep -q PATH || echo nothing",
        "\"out\":\"nothing\\n\""
    ),
    program!(
        28,
        "the environment of whoever runs this",
        "env | grep -q ^HOME= || echo nothing",
        "\"out\":\"nothing\\n\""
    ),
    Attack {
        after: |_| match std::path::Path::new("/tmp/ringmail-selftest-was-here").exists() {
            true => Err("a file was written to the host".into()),
            false => Ok(()),
        },
        ..program!(
            28,
            "writing where everybody may",
            "echo x 2>&- > /tmp/ringmail-selftest-was-here; echo done",
            "\"out\":\"done\\n\""
        )
    },
    program!(
        28,
        "what other processes were started with",
        "grep -l 'selftes[t]' /proc/[0-9]*/cmdline 2>&- || echo nothing",
        "\"out\":\"nothing\\n\""
    ),
    program!(
        28,
        "a program that ignores its end",
        "trap '' TERM INT; while :; do :; done",
        "`t.s` failed: timeout"
    ),
    program!(28, "more and more processes", "f() { f | f & }; f; while :; do :; done", "`t.s` failed: "),
    program!(28, "output without end", "while :; do echo flood; done", "`t.s` failed: "),
];
