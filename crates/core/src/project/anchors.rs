//! Where checkpoints of the audit log are kept besides, so that a log that was cut or put back is seen.

use super::{Loader, texts};
use crate::address::Target;
use crate::doc::form::{Form, Key, duration_ms};
use crate::doc::{Node, NodeKey};
use crate::value::Str;
use std::path::{Component, Path, PathBuf};

pub const ANCHOR_KEYS: &[Key] = &[
    Key::required(
        "to",
        Form::Text,
        "`file:path`, from the project's own folder and outside of its data folder, or a URL that takes them",
    ),
    Key::new("every", Form::Duration, "how often, if the log has grown; at least 1s; default 1m"),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges its name may lead to"),
    Key::new("secret", Form::Name, "the secret that is shown there as a bearer token"),
];

const EVERY_MS: u64 = 60_000;
const EVERY_MS_MIN: u64 = 1_000;

/// One place for checkpoints.
#[derive(Clone, Debug)]
pub struct AnchorSetting {
    pub name: Str,
    pub at: AnchorAt,
    pub every_ms: u64,
}

#[derive(Clone, Debug)]
pub enum AnchorAt {
    File(String),
    Web { url: Target, resolves_to: Vec<String>, secret: Option<Str> },
}

impl Loader<'_> {
    pub(super) fn anchors(&mut self, node: &Node, data: &str) -> Vec<AnchorSetting> {
        let entries = node.get("anchor").map_or(&[][..], Node::entries);
        entries.iter().filter_map(|(key, item)| self.anchor(key, item, node, data)).collect()
    }

    fn anchor(&mut self, key: &NodeKey, item: &Node, node: &Node, data: &str) -> Option<AnchorSetting> {
        let to = item.get("to")?;
        let every = item.get("every");
        let every_ms = every.and_then(Node::text).and_then(|text| duration_ms(text).ok()).unwrap_or(EVERY_MS);
        if let Some(every) = every.filter(|_| every_ms < EVERY_MS_MIN) {
            self.wrong(every.span, "checkpoints go out once a second at most");
        }
        self.is_secret(item, node);
        self.ranges(item);
        let text = to.text().unwrap_or_default();
        let at = match text.strip_prefix("file:") {
            Some(path) => {
                for (own, _) in item.entries().iter().filter(|(own, _)| is_of_web(&own.name)) {
                    self.wrong(own.span, format!("`{}` is not for a file", own.name));
                }
                if path.is_empty() || goes_back_with(path, data) {
                    self.wrong(
                        to.span,
                        "it lies in the data folder, and would be put back together with the log",
                    );
                    return None;
                }
                AnchorAt::File(path.into())
            }
            None => match Target::parse(text) {
                Ok(url) if !url.is_tls() && !url.is_here() => {
                    self.wrong(to.span, "checkpoints go elsewhere over `https`");
                    return None;
                }
                Ok(url) => AnchorAt::Web {
                    url,
                    resolves_to: texts(Some(item), "resolves_to").map(|(text, _)| text.to_string()).collect(),
                    secret: item.get("secret").and_then(Node::text).map(Str::from),
                },
                Err(message) => {
                    self.wrong(to.span, format!("it is neither `file:path` nor a URL: {message}"));
                    return None;
                }
            },
        };
        Some(AnchorSetting { name: key.name.as_str().into(), at, every_ms })
    }
}

fn is_of_web(key: &str) -> bool {
    matches!(key, "resolves_to" | "secret")
}

/// Whether a path leads into the data folder, as far as the words of both say.
fn goes_back_with(path: &str, data: &str) -> bool {
    plain(path).starts_with(plain(data))
}

fn plain(path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
