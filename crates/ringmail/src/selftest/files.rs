//! Files outside of what was granted.

use super::stage::Stage;
use super::{ATTACK, Attack, OPEN, Open};

/// The file beside the mounts is as it was.
fn untouched(stage: &Stage) -> Result<(), String> {
    match std::fs::read_to_string(stage.path().join("secret.txt")) {
        Ok(text) if text == "secret" => Ok(()),
        _ => Err("a file outside of every mount was changed".into()),
    }
}

const PLACES: &[&str] = &[
    r#"{"path": "in:../secret.txt"}"#,
    r#"{"path": "in:a/../../secret.txt"}"#,
    r#"{"path": "in:/etc/passwd"}"#,
    r#"{"path": "in:link"}"#,
    r#"{"path": "in:folder/secret.txt"}"#,
    r#"{"path": "out:secret.txt"}"#,
    r#"{"path": "/proc/self/environ"}"#,
];

fn links(stage: &Stage) -> std::io::Result<()> {
    std::os::unix::fs::symlink("../secret.txt", stage.path().join("in/link"))?;
    std::os::unix::fs::symlink("..", stage.path().join("in/folder"))
}

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        class: 0,
        what: "a file that was granted",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nfs = [{ mount = \"in\", access = \"read\" }]\n",
        files: &[("in/here.txt", "here")],
        chain: "links:\n  f: {kind: file, with: {op: read, path: '${input.path}'}}\noutput: ${f}\n",
        inputs: &[r#"{"path": "in:here.txt"}"#],
        ends: &["here"],
        ..ATTACK
    },
    Attack {
        class: 13,
        what: "reading past a mount: `..`, absolute paths, symbolic links, /proc",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nfs = [{ mount = \"in\", access = \"read\" }]\n",
        chain: "links:\n  f: {kind: file, with: {op: read, path: '${input.path}'}}\noutput: ${f}\n",
        inputs: PLACES,
        ends: &[
            "refused no-grant",
            "refused bad-address",
            "leads out",
            "symbolic",
            "outside",
            "No such file",
        ],
        before: links,
        open: Some(Open {
            swaps: &[
                ("path = \"out\"", "path = \".\""),
                ("fs = [", "fs = [{ mount = \"out\", access = \"read\" }, "),
            ],
            ..OPEN
        }),
        ..ATTACK
    },
    Attack {
        class: 13,
        what: "writing with leave to read, and past a mount",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nfs = [{ mount = \"in\", access = \"read\" }, { mount = \"out\", access = \"write\", trusted = [] }]\n",
        chain: "links:\n  f: {kind: file, with: {op: write, path: '${input.path}', content: changed}}\noutput: ${f}\n",
        inputs: &[
            r#"{"path": "in:new.txt"}"#,
            r#"{"path": "out:../secret.txt"}"#,
            r#"{"path": "out:folder/secret.txt"}"#,
            r#"{"path": "out:../p/plugin.wasm"}"#,
        ],
        vouched: true,
        ends: &["refused no-grant", "refused bad-address", "`t.f` failed"],
        before: |stage| std::os::unix::fs::symlink("..", stage.path().join("out/folder")),
        after: untouched,
        open: Some(Open { swaps: &[("access = \"read\"", "access = \"write\"")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 13,
        what: "writing to a link that leads out, which is replaced",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nfs = [{ mount = \"out\", access = \"write\" }]\n",
        chain: "links:\n  f: {kind: file, with: {op: write, path: '${input.path}', content: changed}}\noutput: ${f}\n",
        inputs: &[r#"{"path": "out:link"}"#],
        vouched: true,
        ends: &["null"],
        before: |stage| std::os::unix::fs::symlink("../secret.txt", stage.path().join("out/link")),
        after: untouched,
        ..ATTACK
    },
];
