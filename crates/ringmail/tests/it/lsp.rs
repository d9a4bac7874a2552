//! An editor's conversation with `ringmail lsp`, message by message over its pipes.

use crate::setup::Place;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

struct Editor<'p> {
    place: &'p Place,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: i64,
    /// The latest diagnostics that were asked for while something else was waited for.
    heard: Vec<Value>,
}

impl<'p> Editor<'p> {
    fn start(place: &'p Place) -> Editor<'p> {
        let mut command = place.command(&["lsp"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Editor { place, child, to, from, asked: 0, heard: Vec::new() }
    }

    /// One whose folder is open.
    fn greeted(place: &'p Place) -> Editor<'p> {
        let mut editor = Editor::start(place);
        let folder = json!([{"uri": editor.uri(""), "name": "w"}]);
        let told = editor
            .ask("initialize", json!({"processId": null, "capabilities": {}, "workspaceFolders": folder}));
        assert_eq!(told["result"]["capabilities"]["textDocumentSync"]["change"], 1, "{told}");
        editor.tell("initialized", json!({}));
        editor
    }

    fn uri(&self, name: &str) -> String {
        let root = self.place.path().canonicalize().unwrap().display().to_string();
        if name.is_empty() { format!("file://{root}") } else { format!("file://{root}/{name}") }
    }

    fn raw(&mut self, body: &str) {
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.raw(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.raw(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        loop {
            let told = self.next();
            if told["id"] == id {
                return told;
            }
            self.heard.push(told);
        }
    }

    fn next(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the server has gone");
            match line.trim_end() {
                "" => break,
                head => length = head.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// What is told next of a file.
    fn diagnostics(&mut self, name: &str) -> Value {
        let uri = self.uri(name);
        loop {
            let told = if self.heard.is_empty() { self.next() } else { self.heard.remove(0) };
            if told["method"] == "textDocument/publishDiagnostics" && told["params"]["uri"] == *uri {
                return told["params"]["diagnostics"].clone();
            }
        }
    }

    /// What is told of a file once it is so.
    fn until(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let told = self.diagnostics(name);
            if holds(&told) {
                return told;
            }
        }
    }

    fn open(&mut self, name: &str, text: &str) {
        let document = json!({"uri": self.uri(name), "languageId": "any", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    fn change(&mut self, name: &str, text: &str) {
        let document = json!({"uri": self.uri(name), "version": 2});
        let params = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.tell("textDocument/didChange", params);
    }

    fn ended(mut self) -> i32 {
        drop(self.to);
        self.child.wait().unwrap().code().unwrap()
    }
}

fn codes(diagnostics: &Value) -> Vec<String> {
    let all = diagnostics.as_array().unwrap().iter();
    all.map(|one| one["code"].as_str().unwrap_or_default().to_string()).collect()
}

const LOAD: &str =
    "import yaml\n\n\ndef read(text):\n    face = '\u{1f600}'; return yaml.load(text, Loader=yaml.Loader)\n";

#[test]
fn an_editor_sees_findings_mends_them_and_reads_of_their_rules() {
    let place = Place::empty();
    place
        .write("app/run.py", "import subprocess\n\n\ndef run(line):\n    subprocess.run(line, shell=True)\n");
    let mut editor = Editor::greeted(&place);
    editor.open("app/load.py", LOAD);
    let told = editor.diagnostics("app/load.py");
    assert_eq!(codes(&told), ["unsafe-yaml"], "{told}");
    assert_eq!((&told[0]["severity"], &told[0]["source"]), (&json!(1), &json!("ringmail review")));
    // A face is one letter in Unicode and two units in UTF-16.
    let line = LOAD.lines().nth(4).unwrap();
    let column = line[..line.find("yaml.load").unwrap()].encode_utf16().count();
    assert_eq!(told[0]["range"]["start"], json!({"line": 4, "character": column}), "{told}");

    let at = json!({"textDocument": {"uri": editor.uri("app/load.py")}, "position": {"line": 4, "character": column + 2}});
    let page = editor.ask("textDocument/hover", at);
    let page = page["result"]["contents"]["value"].as_str().unwrap().to_string();
    assert!(page.contains("unsafe-yaml") && page.contains("What to do: "), "{page}");
    let beside =
        json!({"textDocument": {"uri": editor.uri("app/load.py")}, "position": {"line": 0, "character": 0}});
    assert_eq!(editor.ask("textDocument/hover", beside)["result"], Value::Null);

    let asked = json!({"textDocument": {"uri": editor.uri("app/load.py")}, "range": told[0]["range"], "context": {"diagnostics": []}});
    let actions = editor.ask("textDocument/codeAction", asked);
    let edits = &actions["result"][0]["edit"]["changes"][editor.uri("app/load.py")];
    let mut text: Vec<Vec<u16>> = LOAD.lines().map(|line| line.encode_utf16().collect()).collect();
    for edit in edits.as_array().unwrap().iter().rev() {
        let unit = |end: &str| usize::try_from(edit["range"][end]["character"].as_u64().unwrap()).unwrap();
        let new: Vec<u16> = edit["newText"].as_str().unwrap().encode_utf16().collect();
        text[4].splice(unit("start")..unit("end"), new);
    }
    let mended: String = text.iter().map(|line| String::from_utf16(line).unwrap() + "\n").collect();
    assert!(mended.contains("yaml.safe_load(text)"), "{mended}");
    editor.change("app/load.py", &mended);
    assert_eq!(editor.diagnostics("app/load.py"), json!([]));

    // What is typed here does harm in a file that is not open.
    editor.open("app/tool.py", "from agents import function_tool\nfrom app.run import run\n\n\n@function_tool\ndef ping(host: str):\n    run(f\"ping {host}\")\n");
    let tool = editor.uri("app/tool.py");
    let steps = |told: &Value| told[0]["relatedInformation"].as_array().map_or(0, Vec::len);
    let told = editor.until("app/run.py", |told| steps(told) > 0);
    let way = told[0]["relatedInformation"].as_array().unwrap();
    assert!(
        codes(&told) == ["shell-command"] && way.iter().any(|step| step["location"]["uri"] == *tool),
        "{told}"
    );
    editor.change("app/tool.py", "from app.run import run\n");
    editor.until("app/run.py", |told| steps(told) == 0);

    editor.change("app/tool.py", "def (\n");
    let told = editor.until("app/tool.py", |told| told != &json!([]));
    assert!(told[0]["message"].as_str().unwrap().starts_with("not reviewed: not valid Python"), "{told}");
    assert_eq!(editor.ask("shutdown", Value::Null)["result"], Value::Null);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.ended(), 0);
}

#[test]
fn an_editor_sees_what_check_says_of_chains_and_policies() {
    let place = Place::project();
    let mut editor = Editor::greeted(&place);
    let chain = place.read("chains/greet.yaml");
    editor.open("chains/greet.yaml", &chain);
    editor.change("chains/greet.yaml", &chain.replace("kind: log", "kind: lgo"));
    let told = editor.diagnostics("chains/greet.yaml");
    let words = told[0]["message"].as_str().unwrap();
    assert!(told[0]["source"] == "ringmail check" && words.contains("lgo"), "{told}");
    editor.change("chains/greet.yaml", &chain);
    assert_eq!(editor.diagnostics("chains/greet.yaml"), json!([]));
    // Of files that are not open, what stands on the disk counts, once it is saved.
    place
        .write("policies/slip.cedar", "forbid (principal, action, resource == Ringmail::Chain::\"gret\");\n");
    let saved = json!({"textDocument": {"uri": editor.uri("chains/greet.yaml")}});
    editor.tell("textDocument/didSave", saved);
    let told = editor.diagnostics("policies/slip.cedar");
    assert!(told[0]["message"].as_str().unwrap().contains("gret"), "{told}");
    let project = place.read("ringmail.toml");
    place.write("ringmail.toml", &project.replace("[run]", "[rnu]"));
    let saved = json!({"textDocument": {"uri": editor.uri("ringmail.toml")}});
    editor.tell("textDocument/didSave", saved);
    let told = editor.diagnostics("ringmail.toml");
    assert!(told[0]["message"].as_str().unwrap().contains("rnu"), "{told}");
    // Whoever leaves without a word is told so by the exit code.
    editor.tell("exit", Value::Null);
    assert_eq!(editor.ended(), 1);
}

#[test]
fn slips_of_an_editor_are_answered_and_what_is_too_long_ends_it() {
    let place = Place::empty();
    let mut editor = Editor::start(&place);
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32002);
    editor.raw("{\"jsonrpc\"");
    assert_eq!(editor.next()["error"]["code"], -32700);
    assert!(editor.ask("initialize", json!({"rootUri": null}))["result"].is_object());
    assert_eq!(editor.ask("initialize", json!({}))["error"]["code"], -32600);
    assert_eq!(editor.ask("textDocument/definition", json!({}))["error"]["code"], -32601);
    // Without a folder each text is for itself.
    editor.open("alone.py", "eval(x)\n");
    assert_eq!(codes(&editor.diagnostics("alone.py")), ["dynamic-execution"]);
    let close = json!({"textDocument": {"uri": editor.uri("alone.py")}});
    editor.tell("textDocument/didClose", close);
    assert_eq!(editor.diagnostics("alone.py"), json!([]));
    let _gone = write!(editor.to, "Content-Length: 99999999999\r\n\r\n");
    assert_eq!(editor.ended(), 1);

    let mut editor = Editor::start(&place);
    let _gone = write!(editor.to, "X: {}", "y".repeat(10_000));
    assert_eq!(editor.ended(), 1);
}
