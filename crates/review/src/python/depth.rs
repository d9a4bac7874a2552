//! How deep a program nests, looked at before it is parsed: what walks or drops a tree needs stack for each level.

/// Deeper ones are not reviewed.
pub(super) const DEPTH_MAX: usize = 400;

struct Look<'t> {
    bytes: &'t [u8],
    at: usize,
    /// Per open bracket, how deep the expression in it may be so far.
    open: Vec<usize>,
    total: usize,
    deepest: usize,
    indents: Vec<usize>,
}

/// Whether no tree of this text is deeper than is safe. Counts what can nest and forgets at commas and statements, so
/// that long lists are no deeper than short ones.
pub(super) fn is_safe(text: &str) -> bool {
    let mut look =
        Look { bytes: text.as_bytes(), at: 0, open: vec![0], total: 0, deepest: 0, indents: vec![] };
    look.line();
    while look.at < look.bytes.len() && look.deepest <= DEPTH_MAX {
        look.step();
    }
    look.deepest <= DEPTH_MAX
}

impl Look<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn deepen(&mut self) {
        self.total += 1;
        if let Some(top) = self.open.last_mut() {
            *top += 1;
        }
        self.deepest = self.deepest.max(self.total + self.indents.len());
    }

    /// What came before at this level is beside, not above.
    fn beside(&mut self) {
        if let Some(top) = self.open.last_mut() {
            self.total -= *top;
            *top = 0;
        }
    }

    fn step(&mut self) {
        match self.byte(self.at) {
            b'#' => self.skip_to(b'\n'),
            b'\\' => self.at += 2,
            b'\'' | b'"' => self.quoted(),
            b'\n' => {
                self.at += 1;
                self.line();
            }
            b'(' | b'[' | b'{' => {
                self.deepen();
                self.open.push(0);
                self.at += 1;
            }
            b')' | b']' | b'}' => {
                if self.open.len() > 1 {
                    self.beside();
                    self.open.pop();
                }
                self.at += 1;
            }
            b',' | b';' => {
                self.beside();
                self.at += 1;
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^' | b'~' | b'<' | b'>' | b'.' => {
                self.deepen();
                self.at += 1;
            }
            first if first.is_ascii_alphabetic() => self.word(),
            _ => self.at += 1,
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self.byte(self.at).is_ascii_alphanumeric() || matches!(self.byte(self.at), b'_' | 0x80..) {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        if matches!(word, b"not" | b"lambda" | b"if" | b"else" | b"await" | b"yield" | b"for") {
            self.deepen();
        }
    }

    fn skip_to(&mut self, byte: u8) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += memchr::memchr(byte, rest).unwrap_or(rest.len());
    }

    fn quoted(&mut self) {
        let quote = self.byte(self.at);
        let triple = self.byte(self.at + 1) == quote && self.byte(self.at + 2) == quote;
        self.at += if triple { 3 } else { 1 };
        while self.at < self.bytes.len() {
            match self.byte(self.at) {
                b'\\' => self.at += 2,
                byte if byte == quote && !triple => {
                    self.at += 1;
                    return;
                }
                byte if byte == quote
                    && self.byte(self.at + 1) == quote
                    && self.byte(self.at + 2) == quote =>
                {
                    self.at += 3;
                    return;
                }
                b'\n' if !triple => return,
                _ => self.at += 1,
            }
        }
    }

    /// A new line: a new statement, unless a bracket is open; then only one that starts a definition at the margin is.
    fn line(&mut self) {
        let start = self.at;
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\x0c') {
            self.at += 1;
        }
        let (indent, rest) = (self.at - start, self.bytes.get(self.at..).unwrap_or_default());
        if matches!(rest.first(), None | Some(b'\n' | b'\r' | b'#')) {
            return;
        }
        let defines = [&b"def "[..], b"class ", b"import ", b"from ", b"async def ", b"@"];
        let again = indent == 0 && defines.iter().any(|word| rest.starts_with(word));
        if self.open.len() > 1 && !again {
            return;
        }
        self.open = vec![0];
        self.total = 0;
        while self.indents.last().is_some_and(|last| *last >= indent) {
            self.indents.pop();
        }
        self.indents.push(indent);
        self.deepest = self.deepest.max(self.indents.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_counts_and_what_is_long_does_not() {
        for (text, safe) in [
            ("x = ".to_string() + &"(".repeat(1000), false),
            ("x = ".to_string() + &"-".repeat(1000) + "1", false),
            ("x = ".to_string() + &"not ".repeat(1000) + "1", false),
            ("x = ".to_string() + &"lambda: ".repeat(1000) + "1", false),
            ("x = a".to_string() + &".a".repeat(1000), false),
            ("x = a".to_string() + &"()".repeat(1000), false),
            ("x = [".to_string() + &"f(1) + 2, ".repeat(10_000) + "]", true),
            ("x = 1 + 2\n".repeat(10_000), true),
            ((0..1000).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect(), false),
            ("x = '((((((((((' + \"))\"\n".repeat(1000), true),
        ] {
            assert_eq!(is_safe(&text), safe, "{}", text.chars().take(40).collect::<String>());
        }
    }
}
