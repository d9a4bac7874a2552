//! Files in mounts.

use crate::setup::{Bench, PERMIT_ALL, bench, shown};
use std::os::unix::fs::symlink;

const PROJECT: &str = "
[mount.inbox]
path = \"in\"
[mount.outbox]
path = \"out\"
[[grant]]
to = \"t\"
reason = \"test\"
fs = [{ mount = \"inbox\", access = \"read\", file_max = \"1KiB\" }, { mount = \"outbox\", access = \"write\", file_max = \"1KiB\", extensions = [\"txt\"], trusted = [] }]
";

async fn run(bench: &Bench, with: &str) -> String {
    let chain =
        "chain: t\nlinks:\n  f: {kind: file, timeout: 5s, with: '${input}'}\noutput: ${f}".to_string();
    // The steering arguments must be trusted, so they are written into the chain.
    let fixed = chain.replace("'${input}'", with);
    shown(&bench.run(&[&fixed], "{\"text\": \"hello\"}").await)
}

#[tokio::test]
async fn reads_writes_appends_lists_and_removes() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let folder = bench.folder.path();
    std::fs::write(folder.join("in/a.json"), r#"{"x": 1}"#).unwrap();
    std::fs::write(folder.join("in/b.txt"), "one\ntwo\n").unwrap();
    assert_eq!(run(&bench, "{op: read, path: 'inbox:a.json', as: json}").await, r#"{"x":1}"#);
    assert_eq!(run(&bench, "{op: read, path: 'inbox:b.txt', as: lines}").await, r#"["one","two"]"#);
    assert_eq!(run(&bench, "{op: list, path: 'inbox:'}").await, r#"["a.json","b.txt"]"#);
    assert_eq!(run(&bench, "{op: write, path: 'outbox:/c.txt', content: '${input.text}'}").await, "null");
    assert_eq!(run(&bench, "{op: append, path: 'outbox:c.txt', content: ' again'}").await, "null");
    assert_eq!(std::fs::read_to_string(folder.join("out/c.txt")).unwrap(), "hello again");
    assert_eq!(run(&bench, "{op: remove, path: 'outbox:c.txt'}").await, "null");
    assert_eq!(run(&bench, "{op: read, path: 'inbox:none.txt'}").await.split(':').nth(1), Some(" not-found"));
}

#[tokio::test]
async fn attack_13_a_read_grant_creates_and_truncates_nothing() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let folder = bench.folder.path();
    std::fs::write(folder.join("in/a.txt"), "kept").unwrap();
    for op in ["write", "append", "remove"] {
        let chain = "chain: t\nlinks:\n  f: {kind: file, with: {op: '${input.op}', path: 'inbox:a.txt', content: x}}\noutput: 1".to_string();
        let refused = shown(&bench.run(&[&chain], &format!("{{\"op\": \"{op}\"}}")).await);
        assert!(
            refused.starts_with("refused no-grant: a grant names `mount:inbox`, but it allows reading only"),
            "{refused}"
        );
        let chain = format!(
            "chain: t\nlinks:\n  f: {{kind: file, with: {{op: {op}, path: 'inbox:new.txt', content: x}}}}\noutput: 1"
        );
        assert!(bench.problems(&chain).contains("nothing grants `t.f` the use of `mount:inbox`"));
    }
    assert_eq!(std::fs::read_to_string(folder.join("in/a.txt")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(folder.join("in")).unwrap().count(), 1);
}

#[tokio::test]
async fn attack_13_no_path_link_or_rename_leads_out() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let folder = bench.folder.path();
    std::fs::write(folder.join("secret.txt"), "s3cr3t").unwrap();
    symlink(folder.join("secret.txt"), folder.join("in/absolute")).unwrap();
    symlink("../secret.txt", folder.join("in/relative")).unwrap();
    symlink("..", folder.join("in/up")).unwrap();
    symlink("/proc/self", folder.join("in/proc")).unwrap();
    symlink("../secret.txt", folder.join("out/link.txt")).unwrap();
    symlink("..", folder.join("out/up")).unwrap();
    std::fs::write(folder.join("in/inside.txt"), "inside").unwrap();
    symlink("inside.txt", folder.join("in/fine")).unwrap();
    for path in ["../secret.txt", "/../secret.txt", "a/../../secret.txt", "..", "~/x", "a\\\\b"] {
        let shown = run(&bench, &format!("{{op: read, path: \"inbox:{path}\"}}")).await;
        assert!(shown.starts_with("refused bad-address"), "{path}: {shown}");
    }
    for path in ["absolute", "relative", "up/secret.txt", "proc/environ", "proc/cmdline"] {
        let shown = run(&bench, &format!("{{op: read, path: 'inbox:{path}'}}")).await;
        assert!(shown.starts_with("`t.f` failed: "), "{path}: {shown}");
        assert!(!shown.contains("s3cr3t"));
    }
    assert_eq!(run(&bench, "{op: read, path: 'inbox:fine'}").await, "\"inside\"");
    assert!(
        run(&bench, "{op: write, path: 'outbox:up/x.txt', content: x}").await.starts_with("`t.f` failed")
    );
    assert!(
        run(&bench, "{op: append, path: 'outbox:link.txt', content: x}").await.starts_with("`t.f` failed")
    );
    assert_eq!(
        run(&bench, "{op: write, path: 'outbox:link.txt', content: x}").await,
        "null",
        "the link itself is replaced"
    );
    assert_eq!(std::fs::read_to_string(folder.join("secret.txt")).unwrap(), "s3cr3t");
    assert!(!folder.join("x.txt").exists());
}

#[tokio::test]
async fn sizes_endings_and_pipes_are_bounded() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let folder = bench.folder.path();
    std::fs::write(folder.join("in/large.txt"), vec![b'x'; 1025]).unwrap();
    assert_eq!(
        run(&bench, "{op: read, path: 'inbox:large.txt'}").await,
        "`t.f` failed: too-large: the file is larger than 1024 bytes"
    );
    let text = "x".repeat(1025);
    assert!(
        run(&bench, &format!("{{op: write, path: 'outbox:l.txt', content: {text}}}"))
            .await
            .contains("too-large")
    );
    assert_eq!(
        run(&bench, &format!("{{op: append, path: 'outbox:l.txt', content: {}}}", "x".repeat(1000))).await,
        "null"
    );
    assert!(
        run(&bench, &format!("{{op: append, path: 'outbox:l.txt', content: {}}}", "x".repeat(25)))
            .await
            .contains("too-large")
    );
    let refused = run(&bench, "{op: write, path: 'outbox:x.sh', content: x}").await;
    assert!(
        refused.starts_with(
            "refused no-grant: a grant names `mount:outbox`, but it does not list files ending in `sh`"
        ),
        "{refused}"
    );
    let status = std::process::Command::new("mkfifo").arg(folder.join("in/pipe")).status().unwrap();
    assert!(status.success());
    assert_eq!(
        run(&bench, "{op: read, path: 'inbox:pipe'}").await,
        "`t.f` failed: file: it is not a regular file"
    );
    assert_eq!(
        run(&bench, "{op: read, path: 'inbox:.'}").await,
        "`t.f` failed: file: it is not a regular file"
    );
}

#[tokio::test]
async fn untrusted_data_cannot_choose_what_is_written_where() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let chain = "chain: t\nlinks:\n  f: {kind: file, with: {op: write, path: 'outbox:${input.name}.txt', content: x}}\noutput: 1";
    let refused = shown(&bench.run(&[chain], r#"{"name": "a"}"#).await);
    assert!(refused.starts_with("refused untrusted-argument: `path` must be trusted"), "{refused}");
    let strict = PROJECT.replace(", trusted = []", "");
    let bench = crate::setup::bench(&strict, PERMIT_ALL);
    assert!(
        run(&bench, "{op: write, path: 'outbox:a.txt', content: '${input.text}'}")
            .await
            .starts_with("refused untrusted-argument: `content`")
    );
}

#[tokio::test]
async fn a_folder_shows_the_files_that_the_grant_lets_touch() {
    let bench = bench(PROJECT, PERMIT_ALL);
    let out = bench.folder.path().join("out");
    std::fs::write(out.join("a.txt"), "a").unwrap();
    std::fs::write(out.join("key.pem"), "b").unwrap();
    std::fs::create_dir(out.join("sub")).unwrap();
    assert_eq!(run(&bench, "{op: list, path: 'outbox:'}").await, r#"["a.txt","sub"]"#);
}

/// A mount of the project's own folder once let a link read the host's key, and write grants and policies of its own.
#[test]
fn attack_13_no_mount_holds_what_decides() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    for name in ["files", "chains", "policies", ".ringmail/audit", "mask"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    symlink(folder, folder.join("files/round")).unwrap();
    let build = |path: &str| {
        let plugin =
            format!("[plugin.mask]\npath = \"mask\"\ndigest = \"{}\"\nreason = \"r\"\n", "0".repeat(64));
        let project = format!("{plugin}[mount.m]\npath = \"{path}\"\n");
        let source = ringmail_engine::core::doc::Source::new("ringmail.toml", project);
        let built = ringmail_engine::Engine::builder().project(source, folder).build();
        built.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(!build("files").contains("decides"), "{}", build("files"));
    for path in [
        ".",
        "..",
        "/",
        "files/..",
        "files/round",
        ".ringmail",
        ".ringmail/audit",
        "policies",
        "chains",
        "mask",
    ] {
        assert!(
            build(path).contains("who may write there decides what may happen here"),
            "{path}: {}",
            build(path)
        );
    }
}
