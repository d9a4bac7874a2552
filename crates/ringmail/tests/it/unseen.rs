//! What a process says, wherever it says it, is searched for secrets byte by byte: the streams, and every file it wrote.

use crate::peer::Peer;
use crate::providers::secret_file;
use crate::serve::{Serving, call, key_of};
use crate::setup::Place;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::io::Read;
use std::path::Path;

const VALUE: &str = "pläne/of+\"bank\\42&<x>";
const TOKEN: &str = "glpat-Xk3bW9zQ1tYp7Rv2Lm8N";

fn json(text: &str) -> String {
    ringmail_engine::core::json::to_string(&ringmail_engine::Value::from(text))
}

/// The spellings that a text may come in with, none of them labelled: nobody says that these are the secret.
fn spellings(value: &str) -> Vec<String> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unicode: String = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let nested = json(&format!("{{\"k\": {}}}", json(value)));
    vec![
        value.into(),
        json(value),
        nested.clone(),
        json(&nested),
        hex.to_uppercase(),
        hex,
        percent.to_lowercase(),
        percent,
        unicode,
        STANDARD.encode(value),
        STANDARD.encode(format!("user:{value}")),
        URL_SAFE_NO_PAD.encode(format!("{value} and more")),
    ]
}

fn place(bank: &Peer) -> Place {
    let place = Place::empty();
    let url = bank.url();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    for (name, link) in [
        // What came in is logged, quoted in a failure, and named in a refusal.
        ("log", "{kind: log, with: {message: '${input}', fields: {'${input}': '${input}'}}}"),
        ("log2", "{kind: log, with: {message: '${input}'}}"),
        ("fail", "{kind: native, call: json_parse, with: {text: '${input}'}}"),
        ("open", "{kind: file, with: {op: read, path: '${input}:x'}}"),
        ("far", "{kind: http, with: {url: '${\"https://a.test/\" + input}'}}"),
        (
            "near",
            &*format!(
                "{{kind: http, with: {{url: '{url}/', headers: {{x-key: '${{secrets.bank}}'}}, expect: success}}}}"
            ),
        ),
    ] {
        place.write(
            &format!("chains/{name}.yaml"),
            &format!("chain: {name}\ninput: {{}}\nlinks:\n  l: {link}\noutput: done\n"),
        );
    }
    place.write(
        "ringmail.toml",
        &format!("[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[[principal]]\nname = \"me\"\n[secret.bank]\nfrom = \"file:own\"\nbound_to = [\"{url}\"]\n[[grant]]\nto = \"near\"\nreason = \"r\"\nnet = [{{ address = \"{url}\" }}]\n[mount.box]\npath = \"box\"\n[[grant]]\nto = \"open\"\nreason = \"r\"\nfs = [{{ mount = \"box\", access = \"read\" }}]\n[[grant]]\nto = \"log\"\nreason = \"r\"\nlog = {{ clearance = [\"credential\", \"pii\"] }}\n[[grant]]\nto = \"log2\"\nreason = \"r\"\nlog = {{ clearance = [\"credential\", \"pii\"] }}\n"),
    );
    secret_file(&place, "own", VALUE);
    std::fs::create_dir(place.path().join("box")).unwrap();
    place
}

fn search(bytes: &[u8], whose: &str) {
    for needle in spellings(VALUE).iter().chain(&[TOKEN.to_string(), "pläne/of".into(), "hunter2".into()]) {
        let needle = needle.trim_matches('"');
        let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(120)..(at + needle.len() + 40).min(bytes.len())];
            panic!("{whose} has `{needle}`: {}", String::from_utf8_lossy(around));
        }
    }
}

fn search_folder(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search_folder(&path);
        } else if path.is_file() {
            search(&std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

#[test]
fn attack_40_no_byte_that_a_process_wrote_is_of_a_secret() {
    let bank = Peer::start(|asked| (500, format!("{{\"why\": {}}}", json(asked.header("x-key")))));
    let place = place(&bank);
    let mut inputs = spellings(VALUE);
    inputs.push(format!("the token {TOKEN} is new"));
    inputs.push("{\"user\": {\"password\": \"hunter2\"}}".into());
    inputs.push("{\"body\": \"{\\\"password\\\": \\\"hunter2 \\\"}\"}".into());
    for input in &inputs {
        for chain in ["log", "log2", "fail", "open", "far", "near"] {
            let output = place.command(&["run", chain, "--input", &json(input)]).output().unwrap();
            search(&output.stdout, &format!("stdout of {chain}"));
            search(&output.stderr, &format!("stderr of {chain}"));
        }
    }
    // The same over HTTP, where one process answers all.
    let key = key_of(&place, "me");
    // A server begins with no chain that can never run.
    std::fs::remove_file(place.path().join("chains/far.yaml")).unwrap();
    let mut serving = Serving::start(&place, 1);
    for input in &inputs {
        for chain in ["log", "fail", "open", "near"] {
            let told = call(&format!("{}/chains/{chain}", serving.urls[0]), &key, &json(input), None);
            search(told.1.as_bytes(), &format!("the answer of {chain}"));
        }
    }
    serving.signal("TERM");
    assert!(serving.child.wait().unwrap().success());
    search(serving.rest().as_bytes(), "stderr of serve");
    search_folder(&place.path().join(".ringmail"));
    // What is sealed in the log was written by the same rules.
    search(place.recorded().as_bytes(), "the log as its host reads it");
    assert!(place.recorded().contains("[secret:bank]"), "{}", place.recorded());
    for command in [&["audit", "export"][..], &["audit", "query"], &["explain"], &["secret", "check"]] {
        let output = place.command(command).output().unwrap();
        search(&output.stdout, &format!("{command:?}"));
        search(&output.stderr, &format!("{command:?}"));
    }
    // The search finds what is there.
    let seen = bank.asked().iter().any(|asked| asked.header("x-key").contains("/of+"));
    assert!(seen);
    let searched = std::panic::catch_unwind(|| search(format!("x{VALUE}").as_bytes(), "a test"));
    assert!(searched.is_err());
}

impl Serving {
    /// All that is still said.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).unwrap();
        rest
    }
}
