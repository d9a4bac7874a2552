//! Programs in Python that look for a way out of their interpreter, and for tools that are not theirs.

use super::{ATTACK, Attack};

macro_rules! program {
    ($class:literal, $what:literal, $tools:literal, $code:literal, $($end:literal),*) => {
        Attack {
            class: $class,
            what: $what,
            python: true,
            chain: concat!(
                "links:\n  p:\n    kind: python\n    with: '${input}'\n    tools: ",
                $tools,
                "\n    limits: {time: 2s, memory: 48MiB}\n    code: |\n      ",
                $code,
                "\noutput: ${p}\n"
            ),
            more: &[
                "chain: double\ninput: {type: object, properties: {number: {}}}\noutput: ${input.number * 2}",
                "chain: note\ninput: {type: object, properties: {text: {}}}\noutput: ${input.text}",
            ],
            ends: &[$($end),*],
            ..ATTACK
        }
    };
}

pub(super) const ATTACKS: &[Attack] = &[
    program!(0, "a program that behaves", "[double]", "result = double(number=21)", "42"),
    program!(
        26,
        "a walk to what else is in the interpreter",
        "[]",
        "result = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['system']('id')",
        "KeyError"
    ),
    program!(
        26,
        "`open` by another name",
        "[]",
        "o = open\n      result = o('/etc/passwd').read()",
        "FileNotFoundError"
    ),
    program!(
        26,
        "`subprocess`",
        "[]",
        "import subprocess\n      subprocess.run(['id'])",
        "No module named 'subprocess'"
    ),
    program!(
        26,
        "`socket`",
        "[]",
        "import socket\n      socket.create_connection(('127.0.0.1', 80))",
        "No module named 'socket'"
    ),
    program!(26, "`ctypes`", "[]", "import ctypes\n      ctypes.CDLL(None)", "No module named 'ctypes'"),
    program!(26, "the environment of the host", "[]", "import os\n      result = dict(os.environ)", "{}"),
    program!(26, "a power of a power", "[]", "result = 10**10**9", "`t.p` failed: timeout"),
    program!(
        26,
        "a loop that catches its end",
        "[]",
        "while True:\n        try:\n          while True: pass\n        except BaseException: pass",
        "`t.p` failed: timeout"
    ),
    program!(
        26,
        "memory that grows",
        "[]",
        "x = []\n      while True: x.append(' ' * 10**6)",
        "`t.p` failed: limit"
    ),
    program!(
        26,
        "brackets in brackets",
        "[]",
        "result = eval('(' * 100000 + ')' * 100000)",
        "`t.p` failed: limit"
    ),
    program!(
        27,
        "a tool that was not granted, found in memory",
        "[]",
        "import gc\n      host = [o for o in gc.get_objects() if getattr(o, '__name__', '') == 'wit_world.imports.tools'][0]\n      result = host.call('note', '{\"text\": \"x\"}')",
        "it was not granted"
    ),
    Attack {
        project: "[[grant]]\nto = \"double.keep\"\nreason = \"selftest\"\nfs = [{ mount = \"out\", access = \"write\" }]\n",
        more: &[
            "chain: double\ninput: {type: object, properties: {number: {type: string}}}\nlinks:\n  keep: {kind: file, with: {op: write, path: 'out:kept.txt', content: '${input.number}'}}\noutput: kept",
        ],
        after: |stage| match stage.path().join("out/kept.txt").exists() {
            true => Err("untrusted data was written".into()),
            false => Ok(()),
        },
        ..program!(
            27,
            "untrusted data for a tool that acts on it",
            "[double]",
            "result = double(number=str(input))",
            "`t.p` failed: native"
        )
    },
];
