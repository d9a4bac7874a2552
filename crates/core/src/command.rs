//! Programs that a project names: what runs, behind which walls. Who may run one, and what may flow into it, is a grant
//! like any other.

use crate::doc::form::{Form, Key, duration_ms, size_bytes};
use crate::doc::{Data, Node, Span};
use crate::value::Str;

/// Keys of `[command.NAME]` in `ringmail.toml`.
pub const COMMAND_KEYS: &[Key] = &[
    Key::required("program", Form::Text, "the program, with its whole path or from the project's folder"),
    Key::new("digest", Form::Text, "`sha256:...` of the program; another one does not start"),
    Key::new("args", Form::List(&Form::Text), "arguments before those of a link"),
    Key::new("env", Form::List(&Form::Table(COMMAND_ENV_KEYS)), "its whole environment; default empty"),
    Key::new(
        "mounts",
        Form::List(&Form::Table(COMMAND_MOUNT_KEYS)),
        "mounts that it sees, at the paths of the host",
    ),
    Key::new("folder", Form::Name, "the mount that it starts in; default the first of `mounts`"),
    Key::new("system", Form::Bool, "whether it sees programs and libraries of the system; default true"),
    Key::new("net", Form::Table(COMMAND_NET_KEYS), "TCP ports it may use; without any there is no network"),
    Key::new("limits", Form::Table(COMMAND_LIMIT_KEYS), "what one call may use"),
    Key::new("dangerous", Form::Table(COMMAND_DANGEROUS_KEYS), "what takes walls away"),
];

pub const COMMAND_ENV_KEYS: &[Key] =
    &[Key::required("name", Form::Text, "the variable"), Key::required("value", Form::Text, "what it holds")];

pub const COMMAND_MOUNT_KEYS: &[Key] = &[
    Key::required("mount", Form::Name, "a mount of `[mount.NAME]`"),
    Key::required(
        "access",
        Form::OneOf(&["read", "execute", "write"]),
        "`execute` is reading and starting what lies there; `write` is reading and writing",
    ),
];

const PORTS: Form = Form::List(&Form::Int { min: 1, max: 65_535 });
pub const COMMAND_NET_KEYS: &[Key] = &[
    Key::new("connect", PORTS, "ports it may connect to, on any host"),
    Key::new("listen", PORTS, "ports it may listen on"),
];

const MANY: Form = Form::Int { min: 1, max: 1_000_000 };
pub const COMMAND_LIMIT_KEYS: &[Key] = &[
    Key::new("time", Form::Duration, "from its start to the end of all it started; default 10s"),
    Key::new("cpu", Form::Duration, "processor time of each process, in whole seconds; default 10s"),
    Key::new(
        "memory",
        Form::Size,
        "address space of each process, and of all together where cgroups allow it; default 512MiB",
    ),
    Key::new("processes", MANY, "processes and threads; default 64"),
    Key::new("open_files", MANY, "open files of each process; default 256"),
    Key::new("file", Form::Size, "largest file it may write; default 8MiB"),
    Key::new("scratch", Form::Size, "all it may keep in its `/tmp`, which ends with it; default 16MiB"),
    Key::new("output", Form::Size, "what it may write to its output, and to its error output; default 8MiB"),
];

pub const COMMAND_DANGEROUS_KEYS: &[Key] = &[Key::new(
    "unconfined",
    Form::Bool,
    "start it even where the kernel lacks walls that it needs, with those that there are",
)];

/// What one call of a program may use, as far as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandUse {
    pub time_ms_max: Option<u64>,
    pub cpu_ms_max: Option<u64>,
    pub memory_bytes_max: Option<u64>,
    pub processes_max: Option<u64>,
    pub open_files_max: Option<u64>,
    pub file_bytes_max: Option<u64>,
    pub scratch_bytes_max: Option<u64>,
    pub output_bytes_max: Option<u64>,
}

/// How a program may use a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandAccess {
    Read,
    Execute,
    Write,
}

/// A program as a project names it.
#[derive(Debug)]
pub struct CommandSetting {
    pub name: Str,
    pub program: String,
    /// Hexadecimal SHA-256.
    pub digest: Option<String>,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub mounts: Vec<(Str, CommandAccess)>,
    pub folder: Option<Str>,
    pub system: bool,
    pub connect: Vec<u16>,
    pub listen: Vec<u16>,
    pub limits: CommandUse,
    pub unconfined: bool,
    /// Where its program stands in the file.
    pub span: Span,
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = node.get(key).map_or(&[][..], Node::items).iter();
    items.filter_map(|item| item.text().map(str::to_string)).collect()
}

fn int(node: &Node) -> Option<u64> {
    match node.data {
        Data::Int(int) => u64::try_from(int).ok(),
        _ => None,
    }
}

fn truth(node: Option<&Node>, otherwise: bool) -> bool {
    match node.map(|node| &node.data) {
        Some(Data::Bool(truth)) => *truth,
        _ => otherwise,
    }
}

impl CommandSetting {
    pub(crate) fn read(name: &str, node: &Node) -> Result<CommandSetting, (Span, String)> {
        let text =
            |node: &Node, key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_string();
        let items = |key: &str| node.get(key).map_or(&[][..], Node::items).iter();
        let ports = |key: &str| {
            let list = node.get("net").and_then(|net| net.get(key)).map_or(&[][..], Node::items).iter();
            list.filter_map(|port| int(port).and_then(|port| u16::try_from(port).ok())).collect()
        };
        let digest = match node.get("digest") {
            None => None,
            Some(pin) => match pin.text().and_then(|pin| pin.strip_prefix("sha256:")) {
                Some(hex) if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    Some(hex.to_ascii_lowercase())
                }
                _ => return Err((pin.span, "a digest is `sha256:` and 64 hexadecimal digits".into())),
            },
        };
        for variable in items("env") {
            let name = text(variable, "name");
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err((variable.span, "a variable has a name without `=`".into()));
            }
        }
        let mounts: Vec<(Str, CommandAccess)> = items("mounts")
            .map(|item| {
                let access = match item.get("access").and_then(Node::text) {
                    Some("write") => CommandAccess::Write,
                    Some("execute") => CommandAccess::Execute,
                    _ => CommandAccess::Read,
                };
                (text(item, "mount").into(), access)
            })
            .collect();
        let folder = node.get("folder").and_then(Node::text).map(Str::from);
        if let (Some(folder), Some(at)) = (&folder, node.get("folder"))
            && !mounts.iter().any(|(mount, _)| mount == folder)
        {
            return Err((at.span, format!("it starts in `{folder}`, which is not among its `mounts`")));
        }
        Ok(CommandSetting {
            name: name.into(),
            program: text(node, "program"),
            digest,
            args: texts(node, "args"),
            env: items("env").map(|item| (text(item, "name"), text(item, "value"))).collect(),
            folder: folder.or_else(|| mounts.first().map(|(mount, _)| mount.clone())),
            mounts,
            system: truth(node.get("system"), true),
            connect: ports("connect"),
            listen: ports("listen"),
            limits: limits(node.get("limits")),
            unconfined: truth(node.get("dangerous").and_then(|dangerous| dangerous.get("unconfined")), false),
            span: node.get("program").map_or(node.span, |program| program.span),
        })
    }
}

fn limits(node: Option<&Node>) -> CommandUse {
    let get = |key: &str| node.and_then(|node| node.get(key));
    let size = |key: &str| get(key).and_then(Node::text).and_then(|text| size_bytes(text).ok());
    let time = |key: &str| get(key).and_then(Node::text).and_then(|text| duration_ms(text).ok());
    CommandUse {
        time_ms_max: time("time"),
        cpu_ms_max: time("cpu"),
        memory_bytes_max: size("memory"),
        processes_max: get("processes").and_then(int),
        open_files_max: get("open_files").and_then(int),
        file_bytes_max: size("file"),
        scratch_bytes_max: size("scratch"),
        output_bytes_max: size("output"),
    }
}
