//! Texts of a project as they may stand in a program: quoted, in a comment, or as a name.

use std::collections::BTreeSet;

/// How a language writes a character that is not plain ASCII.
#[derive(Clone, Copy)]
pub(super) enum Escape {
    /// `\u{1f600}`
    Braces,
    /// `\U0001f600`
    Eight,
}

/// A literal: plain ASCII whatever the text is.
pub(super) fn quoted(text: &str, escape: Escape) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match (c, escape) {
            ('"' | '\\', _) => out.extend(['\\', c]),
            (' '..='~', _) => out.push(c),
            (_, Escape::Braces) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            (_, Escape::Eight) => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// One line of a comment: no line end that any language knows, nothing invisible, nothing that ends a comment.
pub(super) fn remark(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let plain = |c: char| match c {
        '\u{2028}' | '\u{2029}' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let line: String = text.chars().take(CHARS_MAX).map(plain).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").replace("*/", "* /").replace("/*", "/ *").replace("\"\"\"", "'''")
}

/// Letters, digits and `_` of a text, a letter first.
pub(super) fn identifier(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = text.chars().take(CHARS_MAX).map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("x_{name}") }
}

/// `order_lines` as `OrderLines`.
pub(super) fn type_name(text: &str) -> String {
    let name = identifier(text);
    let words = name.split('_').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

/// Names that are taken.
#[derive(Default)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    pub(super) fn of(words: &[&str]) -> Taken {
        Taken(words.iter().map(|word| (*word).to_string()).collect())
    }

    /// The name, or the next one like it that is free.
    pub(super) fn free(&mut self, wanted: &str) -> String {
        let more = std::iter::once(wanted.to_string()).chain((1..).map(|at: usize| match at {
            1 => format!("{wanted}_"),
            at => format!("{wanted}_{at}"),
        }));
        let name = more.into_iter().find(|name| !self.0.contains(name)).unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place() {
        let hostile = "a\"\\\n\r\u{2028}*/ /* \"\"\" \u{202e}${x}é😀\0";
        assert_eq!(
            quoted(hostile, Escape::Braces),
            r#""a\"\\\u{a}\u{d}\u{2028}*/ /* \"\"\" \u{202e}${x}\u{e9}\u{1f600}\u{0}""#
        );
        assert!(quoted(hostile, Escape::Eight).ends_with(r#"\U0001f600\U00000000""#));
        assert_eq!(remark(hostile), "a\"\\ * / / * ''' ${x}é😀");
        assert_eq!((identifier("1; drop"), identifier("")), ("x_1__drop".into(), "x_".into()));
        assert_eq!(type_name("order_lines"), "OrderLines");
        let mut taken = Taken::of(&["class"]);
        assert_eq!([taken.free("class"), taken.free("class"), taken.free("a")], ["class_", "class_2", "a"]);
    }
}
