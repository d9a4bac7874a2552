//! `ringmail lsp`: what `review` and `check` find, while somebody writes. Speaks the language server protocol over this
//! process's pipes. Reads the folder that the editor names, runs nothing, writes nothing.

mod checked;
mod text;
mod wire;
mod workspace;

use super::Common;
use crate::exit::{Exit, Fault};
use ringmail_engine::core::value::Value;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use wire::Came;
use workspace::Workspace;

/// Messages that wait while the workspace is looked at; an editor that sends more waits.
const WAITING_MAX: usize = 256;

/// Serve an editor that starts this command and speaks the language server protocol over its pipes
///
/// Shows what `review` finds in Python, YAML, TOML, JSON and the other files it knows, and what `check` says of chains, policies and
/// projects, when a file is opened, changed or saved. Offers what `review --fix` would write, and the page of a rule where its
/// finding stands.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let (send, messages) = sync_channel(WAITING_MAX);
        std::thread::spawn(move || {
            let mut from = BufReader::new(std::io::stdin());
            loop {
                let came = wire::read(&mut from);
                let last = !matches!(came, Ok(Some(_)));
                if send.send(came).is_err() || last {
                    break;
                }
            }
        });
        serve(&messages, &mut std::io::stdout().lock())
    }
}

/// A message, the end, or why there can be no more.
type Incoming = Result<Option<Came>, String>;

/// Answers until the editor says to end.
fn serve(messages: &Receiver<Incoming>, to: &mut impl Write) -> Result<Exit, Fault> {
    let mut server = Server { to, workspace: None, shut: false };
    loop {
        // What changed is looked at once nothing more waits.
        let came = match messages.try_recv() {
            Ok(came) => came,
            Err(_) => {
                server.look()?;
                match messages.recv() {
                    Ok(came) => came,
                    Err(_) => return Ok(Exit::User),
                }
            }
        };
        match came {
            Ok(Some(Came::Message(message))) => {
                if let Some(exit) = server.take(&message)? {
                    return Ok(exit);
                }
            }
            Ok(Some(Came::Garbled)) => server.refuse(&Value::Null, -32700, "this is not JSON")?,
            // Whoever goes without a word leaves nothing behind.
            Ok(None) => return Ok(if server.shut { Exit::Done } else { Exit::User }),
            Err(why) => return Err(Fault::user(why)),
        }
    }
}

struct Server<'w, W: Write> {
    to: &'w mut W,
    /// Nothing before `initialize`.
    workspace: Option<Workspace>,
    shut: bool,
}

impl<W: Write> Server<'_, W> {
    fn take(&mut self, message: &Value) -> Result<Option<Exit>, Fault> {
        let Some(method) = message.get("method").and_then(Value::as_str) else { return Ok(None) };
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        match (message.get("id"), method) {
            (None, "exit") => return Ok(Some(if self.shut { Exit::Done } else { Exit::User })),
            (None, _) => self.hear(method, &params),
            (Some(id), _) => {
                let id = id.clone();
                self.answer(&id, method, &params)?;
            }
        }
        Ok(None)
    }

    fn hear(&mut self, method: &str, params: &Value) {
        let Some(workspace) = self.workspace.as_mut().filter(|_| !self.shut) else { return };
        let uri = |params: &Value| params.get("textDocument")?.get("uri")?.as_str().and_then(text::path);
        let text = |value: Option<&Value>| value?.get("text")?.as_str().map(String::from);
        match (method, uri(params)) {
            ("textDocument/didOpen", Some(path)) => {
                if let Some(text) = text(params.get("textDocument")) {
                    workspace.open(path, text);
                }
            }
            ("textDocument/didChange", Some(path)) => {
                // Each change is the whole text, as was agreed on.
                let changes = params.get("contentChanges").and_then(Value::as_list);
                if let Some(text) = changes.and_then(|changes| text(changes.iter().last())) {
                    workspace.change(path, text);
                }
            }
            ("textDocument/didSave", Some(_)) | ("workspace/didChangeWatchedFiles", _) => workspace.saved(),
            ("textDocument/didClose", Some(path)) => workspace.close(&path),
            _ => {}
        }
    }

    fn answer(&mut self, id: &Value, method: &str, params: &Value) -> Result<(), Fault> {
        let result = match (&mut self.workspace, method) {
            _ if self.shut => return self.refuse(id, -32600, "the server is shutting down"),
            (None, "initialize") => {
                self.workspace = Some(Workspace::of(root(params)));
                capabilities()
            }
            (None, _) => return self.refuse(id, -32002, "not initialized"),
            (Some(_), "shutdown") => {
                self.shut = true;
                Value::Null
            }
            (Some(workspace), "textDocument/codeAction") => workspace.actions(params),
            (Some(workspace), "textDocument/hover") => workspace.hover(params),
            (Some(_), "initialize") => return self.refuse(id, -32600, "it is initialized already"),
            _ => return self.refuse(id, -32601, "this method is not served"),
        };
        self.send(&Value::map([("jsonrpc", Value::from("2.0")), ("id", id.clone()), ("result", result)]))
    }

    fn refuse(&mut self, id: &Value, code: i64, message: &str) -> Result<(), Fault> {
        let error = Value::map([("code", Value::Int(code)), ("message", Value::from(message))]);
        self.send(&Value::map([("jsonrpc", Value::from("2.0")), ("id", id.clone()), ("error", error)]))
    }

    /// Looks at what changed, and tells the editor.
    fn look(&mut self) -> Result<(), Fault> {
        let told = self.workspace.as_mut().filter(|_| !self.shut).map_or_else(Vec::new, Workspace::look);
        told.into_iter().try_for_each(|params| {
            self.send(&Value::map([
                ("jsonrpc", Value::from("2.0")),
                ("method", Value::from("textDocument/publishDiagnostics")),
                ("params", params),
            ]))
        })
    }

    fn send(&mut self, message: &Value) -> Result<(), Fault> {
        wire::write(&mut self.to, message).map_err(|error| Fault::from(anyhow::Error::new(error)))
    }
}

/// The folder that the editor has open.
fn root(params: &Value) -> Option<PathBuf> {
    let first = params.get("workspaceFolders").and_then(Value::as_list).and_then(|folders| folders.get(0));
    let uri = first.and_then(|folder| folder.get("uri")).or_else(|| params.get("rootUri"));
    let path = uri.and_then(Value::as_str).and_then(text::path);
    path.or_else(|| params.get("rootPath").and_then(Value::as_str).map(|path| Path::new(path).to_path_buf()))
}

fn capabilities() -> Value {
    // Whole texts at each change: files are read whole, too.
    let sync = [("openClose", Value::Bool(true)), ("change", Value::Int(1)), ("save", Value::Bool(true))];
    let actions = [("codeActionKinds", Value::list([Value::from("quickfix")]))];
    let all = Value::map([
        ("textDocumentSync", Value::map(sync)),
        ("codeActionProvider", Value::map(actions)),
        ("hoverProvider", Value::Bool(true)),
        ("positionEncoding", Value::from("utf-16")),
    ]);
    let info = [("name", Value::from("ringmail")), ("version", Value::from(env!("CARGO_PKG_VERSION")))];
    Value::map([("capabilities", all), ("serverInfo", Value::map(info))])
}
