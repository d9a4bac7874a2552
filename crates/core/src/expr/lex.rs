//! Expression text to tokens. Every token knows its place; strings arrive unescaped.

use super::parse::ParseError;
use crate::doc::Span;
use crate::value::{Str, Value};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Ident(Str),
    Literal(Value),
    /// An operator or bracket.
    Mark(&'static str),
    End,
}

/// Longer marks first: `<=` before `<`.
const MARKS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// Words CEL keeps for itself.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

pub(crate) fn tokens(text: &str, base: usize) -> Result<Vec<(Token, Span)>, ParseError> {
    let mut lexer = Lexer { text, at: 0, base };
    let mut out = Vec::new();
    loop {
        lexer.space();
        let start = lexer.at;
        let token = lexer.token()?;
        let span = lexer.span_from(start);
        let end = token == Token::End;
        out.push((token, span));
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    base: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn span_from(&self, start: usize) -> Span {
        Span { start: self.base + start, end: self.base + self.at }
    }

    fn fail<T>(&self, start: usize, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError { span: self.span_from(start), message: message.into(), help: None })
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(Token::End) };
        if first.is_ascii_digit() {
            return self.number();
        }
        if matches!(first, '"' | '\'') {
            return self.string(false);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            // A member may have any name; only a name that starts a path could be mistaken.
            let after_dot = self.text.get(..start).is_some_and(|before| before.trim_end().ends_with('.'));
            let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            let quoted = self.rest().starts_with(['"', '\'']);
            return match word {
                "r" | "R" if quoted => self.string(true),
                "b" | "B" | "br" | "rb" if quoted => {
                    self.fail(start, "byte strings are not used here: values are JSON")
                }
                "true" => Ok(Token::Literal(Value::Bool(true))),
                "false" => Ok(Token::Literal(Value::Bool(false))),
                "null" => Ok(Token::Literal(Value::Null)),
                "in" => Ok(Token::Mark("in")),
                word if RESERVED.contains(&word) && !after_dot => {
                    self.fail(start, format!("`{word}` is a reserved word"))
                }
                word => Ok(Token::Ident(word.into())),
            };
        }
        match MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
            Some(mark) => {
                self.at += mark.len();
                Ok(Token::Mark(mark))
            }
            None => {
                self.at += first.len_utf8();
                let hint = match first {
                    '=' => "compare with `==`".to_string(),
                    '&' | '|' => format!("write `{first}{first}`"),
                    other => format!("`{}` has no meaning here", other.escape_default()),
                };
                self.fail(start, hint)
            }
        }
    }

    fn number(&mut self) -> Result<Token, ParseError> {
        let start = self.at;
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            return match i64::from_str_radix(digits, 16) {
                Ok(int) => self.whole(start, int),
                Err(_) => self.fail(start, "this number does not fit a 64-bit integer"),
            };
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut real = false;
        if self.rest().starts_with('.') && self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
            real = true;
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            self.at += usize::from(self.rest().starts_with(['+', '-']));
            real = true;
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                return self.fail(start, "the exponent lacks digits");
            }
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        if real {
            return match digits.parse().ok().and_then(Value::float) {
                Some(float) => Ok(Token::Literal(float)),
                None => self.fail(start, "this number does not fit a 64-bit float"),
            };
        }
        // 9223372036854775808 is valid behind a minus sign only, and CEL has no literal for it either.
        match digits.parse() {
            Ok(int) => self.whole(start, int),
            Err(_) => self.fail(start, "this number does not fit a 64-bit integer"),
        }
    }

    fn whole(&mut self, start: usize, int: i64) -> Result<Token, ParseError> {
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return self.fail(start, "unsigned numbers are not used here: values are JSON");
        }
        Ok(Token::Literal(Value::Int(int)))
    }

    /// Reads a string, standing on its opening quote.
    fn string(&mut self, raw: bool) -> Result<Token, ParseError> {
        let start = self.at;
        let rest = self.rest();
        let quote =
            ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote)).unwrap_or("\"");
        self.at += quote.len();
        let mut out = String::new();
        loop {
            if self.rest().starts_with(quote) {
                self.at += quote.len();
                return Ok(Token::Literal(Value::from(out)));
            }
            match self.rest().chars().next() {
                None => return self.fail(start, "the string does not end"),
                Some('\n') if quote.len() == 1 => {
                    return self.fail(start, "the string does not end on its line");
                }
                Some('\\') if !raw => out.push(self.escape()?),
                Some(c) => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.rest().chars().next() else {
            return self.fail(start, "the string does not end");
        };
        self.at += letter.len_utf8();
        let coded = |digits: usize, radix: u32, lexer: &mut Self| {
            let code = lexer.rest().get(..digits).filter(|text| text.chars().all(|c| c.is_digit(radix)));
            let c = code.and_then(|text| u32::from_str_radix(text, radix).ok()).and_then(char::from_u32);
            lexer.at += code.map_or(0, str::len);
            match c {
                Some(c) => Ok(c),
                None => lexer.fail(start, "this escape is not a character"),
            }
        };
        match letter {
            'n' => Ok('\n'),
            't' => Ok('\t'),
            'r' => Ok('\r'),
            'a' => Ok('\u{7}'),
            'b' => Ok('\u{8}'),
            'f' => Ok('\u{c}'),
            'v' => Ok('\u{b}'),
            '\\' | '"' | '\'' | '`' | '?' => Ok(letter),
            'x' | 'X' => coded(2, 16, self),
            'u' => coded(4, 16, self),
            'U' => coded(8, 16, self),
            '0'..='3' => {
                self.at -= 1;
                coded(3, 8, self)
            }
            _ => self.fail(start, "unknown escape in a string"),
        }
    }
}
