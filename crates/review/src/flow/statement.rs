//! Whether a text reads like a statement of SQL or Cypher. People are written to as well as databases: a word of prose alone makes none.

use super::tables::Sink;
use crate::python::HOLE;

/// How a statement begins, and what comes later in it; nothing, where the beginning says enough.
const STATEMENTS: &[(Sink, &str, &[&str])] = &[
    (Sink::Sql, "select", &["from"]),
    (Sink::Sql, "with", &["select"]),
    (Sink::Sql, "insert into", &["values", "select", "("]),
    (Sink::Sql, "replace into", &["values", "select"]),
    (Sink::Sql, "merge into", &["using"]),
    (Sink::Sql, "update", &["set"]),
    (Sink::Sql, "delete from", &[]),
    (Sink::Sql, "drop table", &[]),
    (Sink::Sql, "drop index", &[]),
    (Sink::Sql, "drop schema", &[]),
    (Sink::Sql, "truncate table", &[]),
    (Sink::Sql, "alter table", &[]),
    (Sink::Sql, "create table", &[]),
    (Sink::Sql, "create index", &[]),
    (Sink::Cypher, "match", &["return", "set", "delete", "merge", "with"]),
    (Sink::Cypher, "merge", &["set", "on create", "return"]),
    (Sink::Cypher, "unwind", &["as"]),
    (Sink::Cypher, "optional match", &["return"]),
];
/// What nothing runs that it is given: words in the name of what is called.
const TALKS: &[&str] = &[
    "log",
    "debug",
    "info",
    "warn",
    "error",
    "exception",
    "critical",
    "print",
    "trace",
    "echo",
    "write",
    "append",
    "prompt",
    "message",
    "template",
    "format",
    "join",
    "dedent",
    "strip",
    "invoke",
    "generate",
    "chat",
    "complete",
    "embed",
    "document",
    "emit",
    "callback",
    "describe",
    "raise",
    "assert",
    "split",
    "search",
    "match",
    "len",
    "str",
];

/// What a text is that a call is given, if it is data that somebody runs.
pub(super) fn statement_of(text: &str, called: &str) -> Option<Sink> {
    let called = called.to_ascii_lowercase();
    if called.split(['_', '.']).any(|word| TALKS.iter().any(|talk| word.starts_with(talk))) {
        return None;
    }
    let text = text.trim_start_matches([' ', '\n', '\t', '\r', '(']);
    STATEMENTS.iter().find(|(_, begins, later)| reads(text, begins, later)).map(|(sink, ..)| *sink)
}

fn reads(text: &str, begins: &str, later: &[&str]) -> bool {
    let Some((head, rest)) = text.split_at_checked(begins.len()) else { return false };
    // Who writes to people begins with one large letter.
    let shouts = head == begins.to_ascii_uppercase();
    if !shouts && head != begins {
        return false;
    }
    let ends = |c: char| !c.is_alphanumeric() && c != '_' && !matches!(c, '-' | '\'' | ':' | ',');
    if !rest.starts_with(ends) || !rest.contains(HOLE) && !rest.contains('{') {
        return false;
    }
    let word = |word: &str| if shouts { word.to_ascii_uppercase() } else { word.to_string() };
    later.is_empty()
        || later.iter().map(|one| word(one)).any(|one| {
            rest.match_indices(&one).any(|(at, _)| {
                let (before, after) =
                    (rest.get(..at).unwrap_or_default(), rest.get(at + one.len()..).unwrap_or_default());
                before.ends_with(ends) && (one == "(" || after.is_empty() || after.starts_with(ends))
            })
        })
}

/// Words in the names of functions that make conditions.
const MAKERS: &[&str] = &[
    "filter",
    "filters",
    "where",
    "clause",
    "condition",
    "conditions",
    "predicate",
    "comparison",
    "expr",
    "expression",
];

pub(super) fn makes_clauses(name: &str) -> bool {
    name.to_ascii_lowercase().split('_').any(|word| MAKERS.contains(&word))
}

/// Whether a text compares something with data between quotes, and is no statement of its own.
pub(super) fn is_clause(text: &str) -> bool {
    const QUOTED: &[&str] = &["'\0", "\"\0", "'{", "\"{"];
    let compares = |before: &str| {
        let before = before.trim_end_matches([' ', '(']);
        before.ends_with(['=', '<', '>'])
            || ["LIKE", "like", "IN", "in", "CONTAINS", " eq", " ne"]
                .iter()
                .any(|word| before.ends_with(word))
    };
    let statement = STATEMENTS.iter().any(|(_, begins, later)| reads(text.trim_start(), begins, later));
    !statement
        && QUOTED
            .iter()
            .flat_map(|quoted| text.match_indices(quoted))
            .any(|(at, _)| text.get(..at).is_some_and(compares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_compare_with_what_stands_between_quotes() {
        for (text, is) in [
            ("\0 = '\0'", true),
            ("metadata.\0 == \"\0\"", true),
            ("n.\0 IN ('\0')", true),
            ("\0 eq '\0'", true),
            ("\0 = \0", false),
            ("'\0'", false),
            ("it is '\0'", false),
            ("SELECT a FROM t WHERE b = '\0'", false),
        ] {
            assert_eq!(is_clause(text), is, "{text}");
        }
        assert!(
            makes_clauses("to_lance_filter") && makes_clauses("_build_where") && !makes_clauses("__repr__")
        );
    }

    #[test]
    fn statements_are_told_from_prose() {
        for (text, called, sink) in [
            ("SELECT a FROM \0", "run", Some(Sink::Sql)),
            ("\n    select v, score(v) from \0 v", "client.query", Some(Sink::Sql)),
            ("delete from \0 where zid='\0'", "run", Some(Sink::Sql)),
            ("INSERT INTO {} VALUES ({})", "db.push", Some(Sink::Sql)),
            ("MATCH (n:\0) RETURN n", "db.go", Some(Sink::Cypher)),
            ("SELECT a FROM t", "run", None),
            ("SELECT a FROM \0", "logger.debug", None),
            ("SELECT a FROM \0", "_debug_output", None),
            ("Select the best answer from \0", "run", None),
            ("selected \0 from it", "run", None),
            ("update the set of \0", "llm_chat.chat", None),
            ("with \0 we go", "run", None),
            ("match \0 to what they say", "run", None),
        ] {
            assert_eq!(statement_of(text, called), sink, "{text}");
        }
    }
}
