//! Core dumps of the plugins of a project: for the operator who asked, and for nobody else.

use crate::guest::Guest;
use crate::plugins::{CHAIN, Given, HTTP};
use crate::server::{Server, json_answer, serve};
use crate::setup::{Bench, shown};
use ringmail_engine::core::trail::Stage;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const CRASH: &str = "(unreachable)";

fn left(bench: &Bench) -> Vec<PathBuf> {
    let folder = bench.folder.path().join(".ringmail/dumps");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn dumps_of_a_plugin_are_its_operators_alone_and_no_more_than_asked_for() {
    let bench = Given { guest: Guest::calling(CRASH), grants: "dumps = 2", ..Given::default() }.bench();
    let mut named = Vec::new();
    for _ in 0..4 {
        let report = bench.run(&[CHAIN], "\"told\"").await;
        assert!(!shown(&report).contains("dump"), "no caller hears of it: {}", shown(&report));
        named.extend(report.trail.iter().filter_map(|event| match &event.stage {
            Stage::Dumped { file } => Some(PathBuf::from(&**file)),
            _ => None,
        }));
    }
    assert_eq!(named.len(), 2);
    let (mut files, mut expected) = (left(&bench), named);
    files.sort();
    expected.sort();
    assert_eq!(files, expected);
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in &files {
        assert_eq!(mode(file), 0o600);
        let bytes = std::fs::read(file).unwrap();
        assert!(bytes.starts_with(b"\0asm") && bytes.windows(4).any(|part| part == b"told"));
    }
    assert_eq!(mode(&bench.folder.path().join(".ringmail/dumps")), 0o700);
    // One that is taken away makes room.
    std::fs::remove_file(&files[0]).unwrap();
    bench.run(&[CHAIN], "1").await;
    assert_eq!(left(&bench).len(), 2);
}

#[tokio::test]
async fn no_plugin_leaves_a_dump_that_was_not_asked_for() {
    for grants in ["", "dumps = 0"] {
        let bench = Given { guest: Guest::calling(CRASH), grants, ..Given::default() }.bench();
        bench.run(&[CHAIN], "1").await;
        assert_eq!(left(&bench), Vec::<PathBuf>::new());
    }
    let fault = Given { asks: "dumps = 1\n", ..Given::default() }.fault(|_| (), None);
    assert!(fault.contains("unknown key `dumps` in the manifest"), "{fault}");
    let fault = Given { grants: "dumps = 101", ..Given::default() }.fault(|_| (), None);
    assert!(fault.contains("`dumps` must lie between 0 and 100"), "{fault}");
}

fn net(server: &Server) -> (String, String) {
    let url = server.url("");
    let asks =
        format!("[[net]]\naddress = \"{url}\"\nreason = \"r\"\n[[secret]]\nname = \"a\"\nreason = \"r\"\n");
    (asks, format!("dumps = 1\nsecret = [\"a\"]\nnet = [{{ address = \"{url}\" }}]"))
}

/// A server may repeat a secret that it was sent, and then the plugin has it in memory.
#[tokio::test]
async fn attack_40_no_secret_is_in_a_dump() {
    let server = serve(|_| json_answer("\"you sent hunter2-hunter2\"")).await;
    let call = "(i32.store (i32.const 64) (i32.const 0x544547))
        (call $send (i32.const 64) (i32.const 3) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200)) (unreachable)";
    let (asks, grants) = net(&server);
    let project = format!("[secret.a]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{}\"]", server.url(""));
    let guest = Guest { imports: HTTP, call, ..Guest::default() };
    let given = Given { guest, asks: &asks, grants: &grants, project: &project, ..Given::default() };
    let bench = given.bench_with(|builder| builder.secret("a", "hunter2-hunter2"));
    let report = bench.run(&[&CHAIN.replace("${input}", &server.url("/"))], "{}").await;
    assert!(shown(&report).contains("failed"), "{}", shown(&report));
    let [dump] = &left(&bench)[..] else { panic!("{:?}", report.trail) };
    let bytes = std::fs::read(dump).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("you sent ***************") && !holds("hunter2"));
}
