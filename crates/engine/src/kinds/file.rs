//! `file`: reads and writes in mounted folders. The path is judged where it is opened, not as a text.

use super::{Call, Runs, fail, invalid, known_keys, required, text};
use crate::bound::Called;
use crate::files;
use crate::run::Way;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, FsPermit, Permit, Unchecked};
use ringmail_core::grant::Access;
use ringmail_core::json::{JsonLimits, parse, to_pretty};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::value::Value;

const OPS: &[&str] = &["read", "list", "write", "append", "remove"];
const FORMS: &[&str] = &["text", "json", "lines", "base64"];
const WITH: &[Key] = &[
    Key::required("op", Form::OneOf(OPS), "what to do; `write` replaces the file in one step"),
    Key::required("path", Form::Text, "`MOUNT:path`"),
    Key::new("content", Form::Any, "what to write; a value that is no text is written as JSON"),
    Key::new("as", Form::OneOf(FORMS), "how the content is read or written; default text"),
];

pub(super) static KIND: Kind = Kind {
    name: "file",
    doc: "reads or writes a file of a mounted folder",
    settings: &[],
    with: With::Fields(WITH),
    role: Role::Step,
    source: true,
    patient: false,
    passes: None,
    needs,
    reach: Reach::Fs { path: "path", op: "op" },
};

fn needs(_: &Link, args: &Value) -> Result<Vec<Need>, String> {
    known_keys(args, WITH)?;
    let access = match required(args, "op")? {
        "list" => Access::List,
        "read" => Access::Read,
        "write" | "append" | "remove" => Access::Write,
        _ => return Err(format!("`op` must be one of {}", OPS.join(", "))),
    };
    let (mount, path) = required(args, "path")?.split_once(':').ok_or("the path is not `MOUNT:path`")?;
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { "." } else { path };
    Ok(vec![Need::Fs { mount: mount.into(), path: path.into(), access }])
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, mut call: Call) -> Called {
        let Some(Permit::Fs(permit)) = call.admitted.take_permit() else {
            return fail(Failure::new(FailureKind::File, "the call has no permit"));
        };
        let Some(dir) = way.shared.engine.mounts.get(permit.mount()) else {
            return fail(Failure::new(
                FailureKind::NotFound,
                format!("there is no mount `{}`", permit.mount()),
            ));
        };
        let Some(nonce) = crate::engine::random() else {
            return fail(Failure::new(FailureKind::File, "the operating system gives no randomness"));
        };
        let args = call.admitted.args().clone();
        let task = tokio::task::spawn_blocking(move || act(&dir, &permit, &args, nonce));
        Box::pin(async move {
            match task.await {
                Ok(result) => result.map(Unchecked::new).map_err(Blocked::from),
                Err(_) => {
                    Err(Failure::new(FailureKind::Cancelled, "the file operation was broken off").into())
                }
            }
        })
    }
}

fn act(dir: &cap_std::fs::Dir, permit: &FsPermit, args: &Value, nonce: u128) -> Result<Value, Failure> {
    let form = text(args, "as").map_err(invalid)?.unwrap_or("text");
    if !FORMS.contains(&form) {
        return Err(invalid(format!("`as` must be one of {}", FORMS.join(", "))));
    }
    match required(args, "op").map_err(invalid)? {
        "read" => decode(files::read(dir, permit)?, form),
        "list" => Ok(Value::list(files::list(dir, permit)?.into_iter().map(Value::from))),
        "write" => files::write(dir, permit, &encode(args, form)?, nonce).map(|()| Value::Null),
        "append" => files::append(dir, permit, &encode(args, form)?).map(|()| Value::Null),
        _ => files::remove(dir, permit).map(|()| Value::Null),
    }
}

fn decode(bytes: Vec<u8>, form: &str) -> Result<Value, Failure> {
    if form == "base64" {
        return Ok(Value::from(STANDARD.encode(bytes)));
    }
    if form == "json" {
        let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
        return parse(&bytes, &limits).map_err(|error| invalid(format!("the file is not JSON: {error}")));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| invalid("the file is not UTF-8 text; read it `as: base64`"))?;
    Ok(match form {
        "lines" => Value::list(text.lines().map(Value::from)),
        _ => Value::from(text),
    })
}

fn encode(args: &Value, form: &str) -> Result<Vec<u8>, Failure> {
    let content = args.get("content").ok_or_else(|| invalid("`content` is missing"))?;
    match (form, content) {
        ("base64", Value::Str(text)) => {
            STANDARD.decode(&**text).map_err(|_| invalid("`content` is not base64"))
        }
        ("lines", Value::List(lines)) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            let lines = lines.ok_or_else(|| invalid("`lines` must be strings"))?;
            Ok(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect())
        }
        ("text" | "lines", Value::Str(text)) => Ok(text.as_bytes().to_vec()),
        ("text" | "json", other) => Ok(to_pretty(other).into_bytes()),
        _ => Err(invalid(format!("`content` cannot be written as {form}"))),
    }
}
