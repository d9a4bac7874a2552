//! Checks of texts that schemas and `validate` links can ask for by name. Each is linear in the text, says what is
//! wrong without repeating the text, and lets ordinary prose through where prose is meant.

use crate::value::Value;

/// A named check; its name is its keyword value in schemas and in `validate` links.
#[derive(Debug)]
pub struct TextCheck {
    pub name: &'static str,
    pub doc: &'static str,
    test: fn(&Value) -> Result<(), &'static str>,
}

pub static CHECKS: &[TextCheck] = &[
    TextCheck {
        name: "text",
        doc: "readable text: no control characters but tab and line ends, nothing invisible or direction-changing",
        test: |value| text(string(value)?),
    },
    TextCheck {
        name: "line",
        doc: "readable text on one line",
        test: |value| {
            let line = string(value)?;
            text(line)?;
            if line.contains(['\n', '\r']) { Err("has more than one line") } else { Ok(()) }
        },
    },
    TextCheck {
        name: "path",
        doc: "a relative path that stays below its folder; where it really leads is judged again when it is opened",
        test: |value| path(string(value)?),
    },
    TextCheck {
        name: "url",
        doc: "an http or https URL of a public host, without user or password; judged again when it is connected to",
        test: |value| url(string(value)?),
    },
    TextCheck {
        name: "identifier",
        doc: "letters, digits and `_`, a letter or `_` first, at most 64",
        test: |value| identifier(string(value)?),
    },
    TextCheck {
        name: "slug",
        doc: "lower case letters, digits and single `-` between them, at most 64",
        test: |value| slug(string(value)?),
    },
    TextCheck {
        name: "html",
        doc: "text that holds no HTML: nothing a browser would read as a tag, comment or character reference",
        test: |value| html(string(value)?),
    },
    TextCheck {
        name: "sql_value",
        doc: "a scalar that can be bound as an SQL parameter: no NUL; quotes are fine, because values are never pasted",
        test: sql_value,
    },
    TextCheck {
        name: "sql_identifier",
        doc: "a table or column name: as `identifier`, and no SQL keyword",
        test: |value| sql_identifier(string(value)?),
    },
];

impl TextCheck {
    pub fn find(name: &str) -> Option<&'static TextCheck> {
        CHECKS.iter().find(|check| check.name == name)
    }

    pub fn test(&self, value: &Value) -> Result<(), &'static str> {
        (self.test)(value)
    }
}

fn string(value: &Value) -> Result<&str, &'static str> {
    value.as_str().ok_or("is not a string")
}

fn text(text: &str) -> Result<(), &'static str> {
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => {}
            c if c.is_control() => return Err("has a control character"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                return Err("has a character that changes text direction");
            }
            '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{00ad}' | '\u{180e}' | '\u{e0000}'..='\u{e007f}' => {
                return Err("has an invisible character");
            }
            '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fff8}' => {
                return Err("has a character without meaning");
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn path(path: &str) -> Result<(), &'static str> {
    const BYTES_MAX: usize = 1024;
    if path.is_empty() || path.len() > BYTES_MAX {
        return Err("is empty or longer than 1024 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err("has a control character or a backslash");
    }
    if path.starts_with(['/', '~']) {
        return Err("is not relative");
    }
    if path.split('/').any(|step| step == "..") {
        return Err("has a `..` step");
    }
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err("names a drive or a scheme");
    }
    Ok(())
}

fn url(text: &str) -> Result<(), &'static str> {
    let target = crate::address::Target::parse(text)
        .map_err(|_| "is not an http or https URL without user or password")?;
    match target.host().special() {
        Some(_) => Err("names a host that is not public"),
        None => Ok(()),
    }
}

fn identifier(text: &str) -> Result<(), &'static str> {
    const CHARS_MAX: usize = 64;
    let shape = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if shape && text.len() <= CHARS_MAX { Ok(()) } else { Err("is not an identifier") }
}

fn slug(text: &str) -> Result<(), &'static str> {
    const CHARS_MAX: usize = 64;
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if text.len() <= CHARS_MAX && text.split('-').all(word) { Ok(()) } else { Err("is not a slug") }
}

/// `a < b` and `R&D` are prose; `<b`, `</b`, `<!--`, `<?` and `&lt;` are what a browser would act on.
fn html(text: &str) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (mark, after) = rest
            .split_at_checked(at)
            .map_or(("", ""), |(_, tail)| tail.split_at_checked(1).unwrap_or(("", "")));
        let tag = mark == "<"
            && after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if tag {
            return Err("holds an HTML tag");
        }
        if mark == "&" && is_reference(after) {
            return Err("holds an HTML character reference");
        }
        rest = after;
    }
    Ok(())
}

fn is_reference(after: &str) -> bool {
    const CHARS_MAX: usize = 32;
    if let Some(code) = after.strip_prefix('#') {
        return code.starts_with(|c: char| c.is_ascii_digit() || matches!(c, 'x' | 'X'));
    }
    let name: String = after.chars().take(CHARS_MAX).take_while(char::is_ascii_alphanumeric).collect();
    // No reference has one letter, so `R&D;` is prose.
    name.len() > 1 && after.get(name.len()..).is_some_and(|rest| rest.starts_with(';'))
}

fn sql_value(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Str(text) if text.contains('\0') => Err("has a NUL character"),
        Value::List(_) | Value::Map(_) => Err("is not a scalar"),
        _ => Ok(()),
    }
}

fn sql_identifier(text: &str) -> Result<(), &'static str> {
    const KEYWORDS: &[&str] = &[
        "all",
        "alter",
        "and",
        "as",
        "between",
        "by",
        "case",
        "create",
        "cross",
        "delete",
        "distinct",
        "drop",
        "else",
        "end",
        "except",
        "exists",
        "false",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "in",
        "inner",
        "insert",
        "intersect",
        "into",
        "is",
        "join",
        "left",
        "like",
        "limit",
        "natural",
        "not",
        "null",
        "offset",
        "on",
        "or",
        "order",
        "outer",
        "right",
        "select",
        "set",
        "table",
        "then",
        "true",
        "truncate",
        "union",
        "update",
        "using",
        "values",
        "when",
        "where",
        "with",
    ];
    identifier(text)?;
    if KEYWORDS.contains(&text.to_ascii_lowercase().as_str()) { Err("is an SQL keyword") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, passes: &[&str], fails: &[&str]) {
        let check = TextCheck::find(name).unwrap();
        for text in passes {
            assert_eq!(check.test(&Value::from(*text)), Ok(()), "{name} of {text:?}");
        }
        for text in fails {
            assert!(check.test(&Value::from(*text)).is_err(), "{name} of {text:?}");
        }
    }

    #[test]
    fn prose_passes_where_prose_is_meant() {
        let prose = [
            "Dear team, please drop the table off at R&D; select * who ordered it -- thanks!",
            "if a < b and b > c then 3 <4 && AT&T; it's 5 o'clock",
            "Größe: 20 €, “quotes”, emoji 👩‍👩‍👧 and العربية",
        ];
        check("text", &prose, &[]);
        check("html", &prose, &[]);
        check("sql_value", &prose, &[]);
    }

    #[test]
    fn hidden_and_active_text_fails() {
        check(
            "text",
            &["two\nlines\tok"],
            &["a\0b", "a\u{202e}b", "zero\u{200b}width", "tag\u{e0041}", "\u{1b}[31m"],
        );
        check("line", &["one"], &["one\ntwo"]);
        check(
            "html",
            &["1 < 2", "& so"],
            &["<b>", "x</p", "<!-- x", "&lt;", "&#60;", "<svg/onload=x>", "&amp;"],
        );
        check("sql_value", &["O'Brien"], &["a\0b"]);
    }

    #[test]
    fn names_paths_and_urls() {
        check("identifier", &["a", "_x9"], &["", "9a", "a-b", "a b", "é"]);
        check("slug", &["a-b-9"], &["", "-a", "a--b", "A"]);
        check("sql_identifier", &["users", "order_items"], &["select", "users; drop", "\"x\"", "Table"]);
        check(
            "path",
            &["a/b.txt", "a/./b", "notes..txt"],
            &["", "/etc/passwd", "../x", "a/../../x", "~/x", "C:/x", "a\\b", "a\0"],
        );
        check(
            "url",
            &["https://example.com/a?b#c"],
            &["ftp://x", "http://127.1/", "https://u:p@example.com/", "//x", "https://[::1]/"],
        );
    }
}
