//! Python: what a project says of its interpreter. Nothing is parsed or run here.

use crate::doc::form::{Form, Key};
use crate::doc::{Data, Node, Span};
use crate::plugin::{USE_KEYS, Use, usage};
use crate::value::Str;
use sha2::{Digest, Sha256};

/// Keys of `[python]` in `ringmail.toml`.
pub const PYTHON_KEYS: &[Key] = &[
    Key::required("interpreter", Form::Text, "the interpreter's file, from the project's own folder"),
    Key::required("digest", Form::Text, "what `ringmail python setup` built; nothing else runs"),
    Key::new(
        "fast",
        Form::Table(FAST_KEYS),
        "a second interpreter for programs that are simple enough for it",
    ),
    Key::new(
        "libraries",
        Form::List(&Form::Table(LIBRARY_KEYS)),
        "folders of pure Python that programs may import",
    ),
    Key::new("clock", Form::Bool, "whether programs may know the time; otherwise it stands"),
    Key::new("random", Form::Bool, "whether programs draw real chance; otherwise each run draws the same"),
    Key::new("limits", Form::Table(PROGRAM_KEYS), "what one run of a program may use at most"),
];

/// What one run of a program may use: what plugins may, but for what only requests of the net use.
pub const PROGRAM_KEYS: &[Key] = USE_KEYS.split_at(5).0;

pub const FAST_KEYS: &[Key] = &[
    Key::required("interpreter", Form::Text, "its file, from the project's own folder"),
    Key::required("digest", Form::Text, "what `ringmail python setup --fast` built; nothing else runs"),
];

pub const LIBRARY_KEYS: &[Key] = &[
    Key::required("path", Form::Text, "the folder, from the project's own"),
    Key::required("digest", Form::Text, "its modules, as `ringmail python inspect` tells it"),
];

/// What a project says of Python.
#[derive(Debug)]
pub struct PythonSetting {
    pub interpreter: Pinned,
    pub fast: Option<Pinned>,
    pub libraries: Vec<LibrarySetting>,
    pub clock: bool,
    pub random: bool,
    pub limits: Use,
}

/// An interpreter's file, and which one it has to be.
#[derive(Debug)]
pub struct Pinned {
    pub path: String,
    pub digest: Str,
    pub span: Span,
}

#[derive(Debug)]
pub struct LibrarySetting {
    pub path: String,
    pub digest: Str,
    pub span: Span,
}

impl PythonSetting {
    pub(crate) fn read(node: &Node) -> PythonSetting {
        let truth = |key: &str| matches!(node.get(key).map(|node| &node.data), Some(Data::Bool(true)));
        let library = |item: &Node| LibrarySetting {
            path: text(item, "path").into(),
            digest: text(item, "digest").into(),
            span: item.span,
        };
        let libraries = node.get("libraries").map_or(&[][..], Node::items);
        PythonSetting {
            interpreter: Pinned::read(node),
            fast: node.get("fast").map(Pinned::read),
            libraries: libraries.iter().map(library).collect(),
            clock: truth("clock"),
            random: truth("random"),
            limits: usage(node.get("limits")),
        }
    }
}

impl Pinned {
    fn read(node: &Node) -> Pinned {
        Pinned {
            path: text(node, "interpreter").into(),
            digest: text(node, "digest").into(),
            span: node.get("digest").map_or(node.span, |digest| digest.span),
        }
    }
}

fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    node.get(key).and_then(Node::text).unwrap_or_default()
}

/// What is pinned of an interpreter.
pub fn interpreter_digest(module: &[u8]) -> Str {
    let mut whole = Sha256::new();
    whole.update(b"ringmail python 1\n");
    whole.update(Sha256::digest(module));
    hex(whole)
}

/// What is pinned of a library: every module by name, in the order of names.
pub fn library_digest<'m>(modules: impl Iterator<Item = (&'m str, bool, &'m str)>) -> Str {
    let mut whole = Sha256::new();
    whole.update(b"ringmail python library 1\n");
    for (name, package, text) in modules {
        whole.update(Sha256::digest(name));
        whole.update([u8::from(package)]);
        whole.update(Sha256::digest(text));
    }
    hex(whole)
}

fn hex(whole: Sha256) -> Str {
    let hex: String = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}").into()
}

/// Words of Python that no function can be called by, among those a chain can.
pub const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
