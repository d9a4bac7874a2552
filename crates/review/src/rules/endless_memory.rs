//! Memory that never forgets.

use crate::python::{ClassSite, FunctionSite, Thing, has_word, last, names_in, scan, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, Stmt};
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
    owasp: &["LLM09", "ASI06", "MCP10"],
    refusal: None,
    looks: &[Look::Class(class), Look::Class(unset_field), Look::Function(unset)],
};

pub(super) const BASES: &[&str] = &[
    "MemoryBackend",
    "BaseChatMessageHistory",
    "BaseMemory",
    "BaseStorage",
    "BaseChatStore",
    "BaseChatMemory",
    "ChatMessageHistory",
    "FlowPersistence",
    "BasePersistence",
    "StorageBackend",
    "BaseCheckpointSaver",
];
pub(super) const WRITES: &[&str] = &[
    "add",
    "add_message",
    "add_messages",
    "save",
    "save_context",
    "put",
    "set_messages",
    "aadd_messages",
    "save_state",
    "remember",
    "store",
    "persist",
];
/// Words of names that bound how long or how much is kept.
const ENDS: &[&str] = &[
    "ttl",
    "expire",
    "expires",
    "expiry",
    "expiration",
    "retention",
    "maxlen",
    "window",
    "prune",
    "trim",
    "evict",
    "max_messages",
    "max_size",
    "max_items",
    "max_entries",
    "token_limit",
    "max_token",
    "setex",
    "psetex",
    "popleft",
    "ltrim",
    "max_age",
    "keep_last",
];

/// A memory by what it derives from: known classes, and those whose names say so.
pub(super) fn is_memory(bases: &[String]) -> bool {
    const WORDS: &[&str] = &[
        "ConversationMemory",
        "ChatHistory",
        "MessageHistory",
        "ChatMemory",
        "MemoryBackend",
        "MemoryStore",
        "SessionStore",
        "MemoryDriver",
    ];
    bases.iter().any(|base| BASES.contains(&last(base)) || WORDS.iter().any(|word| last(base).contains(word)))
}

/// A bound that is there and that nothing sets: `ttl=None`.
fn unset(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    const KEEPS: &[&str] = &["Memory", "History", "Session", "Checkpoint", "ChatStore", "Db", "Database"];
    let name = site
        .place
        .class
        .and_then(|class| site.place.index.classes.get(class))
        .map(|class| last(&class.name))?;
    let keeps = KEEPS.iter().any(|word| name.contains(word)) && !name.contains("Cache");
    if !keeps || site.def.name.as_str() != "__init__" {
        return None;
    }
    let unset = |one: &&ruff_python_ast::ParameterWithDefault| {
        is_bound(one.parameter.name.as_str())
            && one.default.as_deref().is_some_and(Expr::is_none_literal_expr)
    };
    let one = site.def.parameters.iter_non_variadic_params().find(unset)?;
    Some(Hit::medium(
        span(one.range()),
        format!("`{}` is none where nobody sets it: what is kept has no end", one.parameter.name),
    ))
}

fn is_bound(name: &str) -> bool {
    has_word(name, &["ttl", "expire", "expiration", "expiry"])
        || ["max_runs", "max_messages", "max_history"].contains(&name)
}

/// The same among the fields of a class.
fn unset_field(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let name = site.def.name.as_str();
    let keeps = ["Memory", "History"].iter().any(|word| name.contains(word)) && !name.contains("Cache");
    let field = site.def.body.iter().filter(|_| keeps).find_map(|one| {
        let Stmt::AnnAssign(field) = one else { return None };
        let named = matches!(&*field.target, Expr::Name(name) if is_bound(name.id.as_str()));
        let none = match field.value.as_deref() {
            Some(Expr::Call(call)) => {
                call.arguments.find_argument_value("default", 0).is_some_and(Expr::is_none_literal_expr)
            }
            Some(value) => value.is_none_literal_expr(),
            None => false,
        };
        (named && none).then_some(field)
    })?;
    Some(Hit::medium(span(field.range()), format!("`{name}` keeps everything where nobody says how much")))
}

fn class(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let index = site.place.index;
    let known = index.classes.get(site.class)?;
    let derived = is_memory(&known.bases);
    let name = site.def.name.as_str();
    let transient = ["InMemory", "Base", "Abstract", "Null", "Dummy"].iter().any(|word| name.contains(word));
    let writes: Vec<&&str> = WRITES.iter().filter(|method| known.methods.contains_key(**method)).collect();
    if !derived || transient || writes.is_empty() || !is_written(&site.def.body) {
        return None;
    }
    // Whoever it derives from may bound what is kept.
    let bounded = ends(&site.def.body)
        || known.methods.keys().any(|method| has_word(method, ENDS))
        || index.ancestors(site.class).iter().any(|base| {
            let base = index.class_named(base).and_then(|base| index.classes.get(base));
            base.is_some_and(|base| {
                let fields = base.fields.iter().any(|(field, ..)| has_word(field, ENDS));
                fields
                    || base
                        .methods
                        .values()
                        .filter_map(|at| index.funcs.get(*at))
                        .any(|one| ends(&one.def.body))
            })
        });
    (!bounded)
        .then(|| Hit::medium(span(site.def.name.range()), format!("`{name}` has no end for what it keeps")))
}

/// Whether anything is written at all: a class whose methods raise or pass is a shape for others.
pub(super) fn is_written(body: &[Stmt]) -> bool {
    let mut written = false;
    scan(body, 2, &mut |thing| {
        if let Thing::Stmt(Stmt::FunctionDef(method)) = thing
            && WRITES.contains(&method.name.as_str())
        {
            scan(&method.body, 1, &mut |thing| {
                written |= matches!(
                    thing,
                    Thing::Expr(Expr::Call(_)) | Thing::Stmt(Stmt::Assign(_) | Stmt::AugAssign(_))
                );
            });
        }
    });
    written
}

/// Whether something in a body bounds what is kept: by a name that says so, a slice of the last ones, or a deletion
/// of the first.
fn ends(body: &[Stmt]) -> bool {
    let mut ends = false;
    scan(body, 2, &mut |thing| {
        ends |= match thing {
            Thing::Stmt(Stmt::AnnAssign(assign)) => {
                names_in(&assign.target).iter().any(|name| has_word(name, ENDS))
            }
            Thing::Stmt(Stmt::FunctionDef(method)) => {
                method.parameters.iter().any(|one| has_word(one.name().as_str(), ENDS))
            }
            Thing::Expr(Expr::Name(name)) => has_word(name.id.as_str(), ENDS),
            Thing::Expr(Expr::Attribute(attribute)) => has_word(attribute.attr.as_str(), ENDS),
            Thing::Expr(Expr::Call(call)) => call.arguments.keywords.iter().any(|keyword| {
                keyword.arg.as_ref().is_some_and(|name| {
                    has_word(name.as_str(), ENDS) || ["ex", "px"].contains(&name.as_str())
                })
            }),
            Thing::Expr(Expr::Subscript(part)) => {
                matches!(&*part.slice, Expr::Slice(slice) if matches!(slice.lower.as_deref(), Some(Expr::UnaryOp(_))))
            }
            // Statements that are kept as texts say so, too.
            Thing::Expr(Expr::StringLiteral(text)) => {
                let text = text.value.to_str().to_ascii_lowercase();
                text.len() < 4000
                    && (text.contains("expireafterseconds")
                        || text.contains("_ttl")
                        || text.contains("expires_at"))
            }
            _ => false,
        };
    });
    ends
}
