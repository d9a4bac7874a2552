//! Memory that never forgets.

use crate::python::{ClassSite, last, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "endless-memory",
    area: Area::VectorStores,
    title: "a memory keeps conversations for ever",
    why: "What was said once, personal data and injected orders alike, comes back years later, and nobody can say when it is gone.",
    mend: "give kept messages an end: a TTL, an expiry, a number that is kept",
    file: "memory.py",
    bad: "class RedisMemory(MemoryBackend):\n    def add(self, message):\n        self.client.rpush(self.key, message)\n",
    good: "class RedisMemory(MemoryBackend):\n    ttl_seconds: int = 86400\n\n    def add(self, message):\n        self.client.rpush(self.key, message)\n        self.client.expire(self.key, self.ttl_seconds)\n",
    owasp: &["LLM08", "ASI06", "MCP10"],
    refusal: None,
    looks: &[Look::Class(class)],
};

fn class(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let index = site.place.index;
    let bases = ["MemoryBackend", "BaseChatMessageHistory", "BaseMemory", "BaseStorage", "BaseChatStore"];
    let known = index.classes.get(site.class)?;
    let at = span(site.def.range());
    let text = site.place.program.file.text().get(at.start..at.end)?.to_ascii_lowercase();
    let ends = [
        "ttl",
        "expire",
        "expiry",
        "retention",
        "max_messages",
        "maxlen",
        "window",
        "max_size",
        "prune",
        "trim",
    ];
    let keeps = ["add", "add_message", "add_messages", "save", "save_context", "put", "set_messages"]
        .iter()
        .any(|method| known.methods.contains_key(method));
    let derived = known.bases.iter().any(|base| bases.contains(&last(base)));
    let transient = site.def.name.contains("InMemory") || site.def.name.contains("Base");
    (derived && keeps && !transient && !ends.iter().any(|word| text.contains(word))).then(|| {
        Hit::medium(span(site.def.name.range()), format!("`{}` has no end for what it keeps", site.def.name))
    })
}
