//! Types that are text: UTF-8, and of the form they say.

use crate::json::{JsonLimits, parse};

pub(super) fn plain(bytes: &[u8]) -> Result<(), &'static str> {
    text(bytes).map(drop)
}

fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    if text.chars().any(odd) { Err("has a control character") } else { Ok(text) }
}

pub(super) fn json(bytes: &[u8]) -> Result<(), &'static str> {
    parse(bytes, &JsonLimits::default()).map(drop).map_err(|_| "is not valid JSON")
}

/// Records of equally many fields; a field with quotes in it is in quotes, and they are doubled.
pub(super) fn csv(bytes: &[u8]) -> Result<(), &'static str> {
    const QUOTES: &str = "has a quote where none may be";
    let text = text(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chars = text.chars().peekable();
    let (mut expected, mut fields) = (None, 1_usize);
    if chars.peek().is_none() {
        return Err("is empty");
    }
    while chars.peek().is_some() {
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    None => return Err(QUOTES),
                    Some('"') if chars.next_if_eq(&'"').is_none() => break,
                    Some(_) => {}
                }
            }
        } else {
            while chars.next_if(|c| !matches!(c, ',' | '\n' | '\r' | '"')).is_some() {}
        }
        match chars.next() {
            Some(',') => {
                fields += 1;
                // An empty field may be the last thing there is.
                if chars.peek().is_some() {
                    continue;
                }
            }
            Some('\n') | None => {}
            Some('\r') if chars.next_if_eq(&'\n').is_some() => {}
            Some('\r') => return Err("has half of a line end"),
            Some(_) => return Err(QUOTES),
        }
        if *expected.get_or_insert(fields) != fields {
            return Err("has records with more fields than others");
        }
        fields = 1;
    }
    Ok(())
}
