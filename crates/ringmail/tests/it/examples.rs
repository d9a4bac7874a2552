//! Every project under `examples/`: the commands of its page print, send and write what its `runs.json` says.

use crate::example_plugins;
use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse, to_pretty, to_string};
use ringmail_engine::core::value::parse_path;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The address that stands in the files of examples.
pub const ADDRESS: &str = "127.0.0.1:8600";

/// Folders that come into being where somebody tries an example.
const MADE: &[&str] = &[".ringmail", ".venv", "node_modules", "target", "__pycache__"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The folders of all examples by name.
fn examples() -> BTreeMap<String, PathBuf> {
    let folders = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir());
    folders.map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), path)).collect()
}

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn read_json(path: &Path) -> Option<Value> {
    std::fs::read_to_string(path).ok().map(|text| json(&text))
}

/// The members of a list, or none.
fn items<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    value.get(name).and_then(Value::as_list).map_or_else(Vec::new, |list| list.iter().collect())
}

fn member<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}` in {value:?}"))
}

/// One request as the server received it.
struct Received {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Received {
    fn read(stream: &TcpStream) -> Option<Received> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_string());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Received { method, path, headers, body: String::from_utf8(body).unwrap() })
    }

    /// In the form of `runs.json`, with those headers that are asked for.
    fn shown(&self, headers: Option<&Value>) -> String {
        let mut members = vec![("method", self.method.as_str().into()), ("path", self.path.as_str().into())];
        if !self.body.is_empty() {
            members.push(("body", json(&without_nonce(&self.body))));
        }
        if let Some(asked) = headers {
            let asked = asked.as_map().unwrap().iter().map(|(name, expected)| {
                let sent = self.headers.get(&**name).map_or(Value::Null, |sent| sent.as_str().into());
                let any = *expected == Value::from("*") && sent != Value::Null;
                (name.clone(), if any { expected.clone() } else { sent })
            });
            members.push(("headers", Value::map(asked)));
        }
        to_string(&Value::map(members))
    }
}

/// A handle's nonce differs from run to run.
fn without_nonce(text: &str) -> String {
    let mut parts = text.split("handle:");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |out, part| {
        let (name, rest) = part.split_at(32);
        assert!(name.chars().all(|c| c.is_ascii_hexdigit()), "{part}");
        format!("{out}handle:*{rest}")
    })
}

/// Answers what `server.json` says, one answer after the other, the last one again and again.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    fn start(answers: &Value) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: BTreeMap<String, Vec<Value>> = answers
            .as_map()
            .unwrap()
            .iter()
            .map(|(name, list)| (name.to_string(), list.as_list().unwrap().iter().cloned().collect()))
            .collect();
        let answers = Arc::new(Mutex::new(answers));
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, seen) = (answers.clone(), seen.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &answers, &seen));
            }
        });
        Server { address, received }
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

fn serve(
    mut stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Vec<Value>>>,
    seen: &Mutex<Vec<Received>>,
) -> Option<()> {
    let request = Received::read(&stream)?;
    let answer = match answers.lock().unwrap().get_mut(&format!("{} {}", request.method, request.path)) {
        None => Value::map([("status", Value::Int(404))]),
        Some(list) if list.len() > 1 => list.remove(0),
        Some(list) => list[0].clone(),
    };
    let sent = request.body.clone();
    seen.lock().unwrap().push(request);
    let mut headers = String::new();
    for (name, value) in answer.get("headers").and_then(Value::as_map).into_iter().flat_map(|map| map.iter())
    {
        headers.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    let body = match answer.get("body") {
        None => String::new(),
        Some(Value::Str(text)) => text.to_string(),
        Some(body) => {
            headers.push_str("content-type: application/json\r\n");
            to_string(&filled(body, &sent))
        }
    };
    let status = match answer.get("status") {
        Some(Value::Int(status)) => *status,
        _ => 200,
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).ok()
}

/// `$body.NAME` stands for a member of the request's body.
fn filled(body: &Value, sent: &str) -> Value {
    let name = body.as_str().and_then(|text| text.strip_prefix("$body."));
    match (body, name) {
        (_, Some(name)) => json(sent).get(name).cloned().unwrap_or_default(),
        (Value::Map(map), None) => {
            Value::map(map.iter().map(|(name, value)| (name.clone(), filled(value, sent))))
        }
        _ => body.clone(),
    }
}

/// An example in a folder of its own, with the server that its files name.
struct Stage {
    place: Place,
    server: Server,
}

impl Stage {
    fn of(folder: &Path) -> Stage {
        let answers = read_json(&folder.join("server.json"));
        let server = Server::start(&answers.unwrap_or_else(|| Value::map::<&str>([])));
        let place = Place::empty();
        copy(folder, folder, &place, &server.address.to_string());
        // What its page has whoever tries it do first.
        let page = place.read("README.md");
        if page.contains("    ringmail python setup\n") {
            place.add_python();
        }
        example_plugins::build(folder, &page, &place);
        Stage { place, server }
    }

    /// What differs between a run and its entry in `runs.json`.
    fn run(&self, entry: &Value) -> Vec<String> {
        let command = member(entry, "command");
        let mut words: Vec<&str> = command.split(' ').collect();
        let start = words.iter().position(|word| *word == "ringmail").unwrap();
        let args = words.split_off(start + 1);
        let files = entry.get("files").and_then(Value::as_map);
        for (name, _) in files.into_iter().flat_map(|map| map.iter()) {
            // A file left by somebody who tried the example is no proof.
            let _absent = std::fs::remove_file(self.place.path().join(&**name));
        }
        let mut process = self.place.command(&args);
        process.envs(words[..start].iter().map(|word| word.split_once('=').unwrap()));
        let ended = self.place.ended(process.output().unwrap());
        let mut wrong = Vec::new();
        let mut same = |what: &str, expected: String, found: String| {
            if expected != found {
                wrong
                    .push(format!("{command}: {what}\nexpected {expected}\nfound    {found}\n{}", ended.err));
            }
        };
        same("exit code", to_string(entry.get("exit").unwrap()), ended.code.to_string());
        let lines = items(entry, "stdout");
        let expected: String = lines.iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect();
        same("stdout", expected, ended.out.clone());
        let refused = |text: &str| text.split("refused[").nth(1)?.split(']').next().map(str::to_string);
        let rule = entry.get("refused").and_then(Value::as_str).map(str::to_string);
        same("rule", format!("{rule:?}"), format!("{:?}", refused(&ended.err)));
        for part in items(entry, "stderr") {
            let part = part.as_str().unwrap();
            same("stderr", format!("{part}: true"), format!("{part}: {}", ended.err.contains(part)));
        }
        let (expected, found) = self.requests(entry);
        same("requests", expected, found);
        for (name, content) in
            entry.get("files").and_then(Value::as_map).into_iter().flat_map(|map| map.iter())
        {
            let written = read_json(&self.place.path().join(&**name));
            same("file", to_pretty(content), written.map_or("nothing".into(), |written| to_pretty(&written)));
        }
        wrong
    }

    /// The requests a run should have sent, and those it did.
    fn requests(&self, entry: &Value) -> (String, String) {
        let listed = items(entry, "requests");
        let mut received = self.server.take();
        let any_order = entry.get("any_order") == Some(&Value::Bool(true));
        if any_order {
            received.sort_by(|a, b| (&a.method, &a.path).cmp(&(&b.method, &b.path)));
        }
        let mut found: Vec<String> = Vec::new();
        for (at, request) in received.iter().enumerate() {
            found.push(request.shown(listed.get(at).and_then(|listed| listed.get("headers"))));
        }
        let mut expected: Vec<String> = listed.iter().map(|request| to_string(request)).collect();
        if any_order {
            expected.sort();
            found.sort();
        }
        (expected.join("\n"), found.join("\n"))
    }
}

pub fn copy(root: &Path, folder: &Path, place: &Place, address: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !MADE.iter().any(|made| path.ends_with(made)) {
            copy(root, &path, place, address);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            match String::from_utf8(std::fs::read(&path).unwrap()) {
                Ok(text) => place.write(name, &text.replace(ADDRESS, address)),
                Err(binary) => place.write_bytes(name, binary.as_bytes()),
            };
        }
    }
}

fn runs(folder: &Path) -> Vec<Value> {
    let runs = read_json(&folder.join("runs.json")).unwrap_or_default();
    runs.as_list().map_or_else(Vec::new, |list| list.iter().cloned().collect())
}

#[test]
fn every_example_runs_as_its_page_says() {
    let mut wrong = Vec::new();
    for (name, folder) in examples() {
        let stage = Stage::of(&folder);
        for entry in runs(&folder) {
            wrong.extend(stage.run(&entry).into_iter().map(|wrong| format!("{name}: {wrong}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_passes_check_and_fmt() {
    for (name, folder) in examples() {
        let stage = Stage::of(&folder);
        for args in [&["check"][..], &["policy", "check", "--strict"], &["fmt", "--check"]] {
            let ended = stage.place.run(args);
            assert_eq!(ended.code, 0, "{name} {args:?}\n{}", ended.shown());
        }
    }
}

#[test]
fn a_page_lists_exactly_the_commands_that_are_run() {
    let index = std::fs::read_to_string(root().join("README.md")).unwrap();
    for (name, folder) in examples() {
        assert!(index.contains(&format!("[{name}]({name}/README.md)")), "`{name}` is not in the table");
        let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let commands = page.lines().filter_map(|line| line.strip_prefix("    "));
        let tried = |line: &&str| {
            ["run ", "approve ", "policy ", "tool ", "review "]
                .iter()
                .any(|what| line.contains(&format!("ringmail {what}")))
        };
        let commands: Vec<&str> = commands.filter(tried).collect();
        let runs = runs(&folder);
        let listed: Vec<&str> = runs.iter().map(|entry| member(entry, "command")).collect();
        assert!(!listed.is_empty(), "`{name}` lists no run");
        assert_eq!(commands, listed, "{name}");
        assert_eq!(page.contains("serve.py"), folder.join("server.json").is_file(), "{name}");
    }
}

#[test]
fn every_kind_of_link_stands_in_an_example() {
    let schema = json(&Place::empty().run(&["schema", "chain"]).out);
    let links = schema.get("$defs").and_then(|defs| defs.get("links")).unwrap();
    let kind = links.at(&parse_path("additionalProperties.properties.kind")).unwrap();
    let kinds = items(kind, "enum");
    assert!(!kinds.is_empty());
    let mut chains = String::new();
    for folder in examples().into_values() {
        for entry in std::fs::read_dir(folder.join("chains")).unwrap() {
            chains.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    let used: Vec<&str> = chains.lines().filter_map(|line| line.trim().strip_prefix("kind: ")).collect();
    for kind in kinds {
        let kind = kind.as_str().unwrap();
        assert!(used.contains(&kind), "no example has a link of kind `{kind}`");
    }
}
