//! What a document may contain: one table of keys drives the check of a file, the JSON Schema for editors and the
//! reference pages, so a key that is documented is a key that is checked. Unknown keys are always a problem.

use super::{Data, Node, Problems, Source, Span, suggest};
use serde_json::json;
use std::sync::Arc;

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub form: Form,
    pub required: bool,
    pub doc: &'static str,
}

impl Key {
    pub const fn new(name: &'static str, form: Form, doc: &'static str) -> Key {
        Key { name, form, required: false, doc }
    }

    pub const fn required(name: &'static str, form: Form, doc: &'static str) -> Key {
        Key { name, form, required: true, doc }
    }

    /// What holds where the key is not written, in the words of its line, if they say it.
    pub fn default_words(&self) -> Option<&'static str> {
        let (_, words) = self.doc.split_once("default ").or_else(|| self.doc.split_once("default: "))?;
        Some(words.split(';').next().unwrap_or(words).trim())
    }
}

/// What a value in a document may be.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Any,
    Bool,
    Text,
    /// Lower case letters, digits and `_`, starting with a letter: usable in expressions.
    Name,
    Int {
        min: i64,
        max: i64,
    },
    /// `250ms`, `5s`, `2m`, `1h`, `7d`.
    Duration,
    /// `512B`, `64KiB`, `16MiB`, `1GiB`.
    Size,
    /// A date, `2026-12-31`, or a time, `2026-12-31T12:00:00Z`.
    Date,
    /// One CEL expression, with or without `${...}` around it.
    Expr,
    /// Data in which texts may contain `${...}`.
    Template,
    /// A JSON Schema 2020-12.
    Schema,
    OneOf(&'static [&'static str]),
    List(&'static Form),
    /// A map from names to values of one form.
    Names(&'static Form),
    /// Links by name; what each may hold depends on its kind and is checked when the chain is loaded.
    Links,
    Table(&'static [Key]),
    /// The first form that fits the value's type.
    Either(&'static [Form]),
}

/// Checks a document against a form and reports everything that does not fit.
pub(crate) fn conform(node: &Node, form: &Form, what: &str, source: &Arc<Source>, problems: &mut Problems) {
    Check { source, problems }.node(node, form, what);
}

/// Checks the members of a map against several tables at once; `what` names the map in messages.
pub(crate) fn conform_table(
    node: &Node,
    tables: &[&[Key]],
    what: &str,
    source: &Arc<Source>,
    problems: &mut Problems,
) {
    Check { source, problems }.table(node, tables, what);
}

struct Check<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn node(&mut self, node: &Node, form: &Form, what: &str) {
        let wrong = match (form, &node.data) {
            (Form::Any | Form::Template, _) | (Form::Bool, Data::Bool(_)) | (Form::Text, Data::Text(_)) => {
                None
            }
            (Form::Expr, Data::Text(_) | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Null) => None,
            (Form::Schema, Data::Map(_) | Data::Bool(_)) => None,
            (Form::Name, Data::Text(text)) => name_problem(text),
            (Form::Int { min, max }, Data::Int(int)) => {
                (int < min || int > max).then(|| format!("must lie between {min} and {max}"))
            }
            (Form::Duration, Data::Text(text)) => duration_ms(text).err(),
            (Form::Size, Data::Text(text)) => size_bytes(text).err(),
            (Form::Date, Data::Text(text)) => date_ms(text).err(),
            (Form::OneOf(words), Data::Text(text)) => one_of_problem(text, words),
            (Form::List(inner), Data::List(items)) => {
                items.iter().for_each(|item| self.node(item, inner, what));
                None
            }
            (Form::Names(inner), Data::Map(entries)) => {
                for (key, value) in entries {
                    if let Some(problem) = name_problem(&key.name) {
                        self.problems.add(self.source, key.span, problem);
                    }
                    self.node(value, inner, &format!("`{}`", key.name));
                }
                None
            }
            (Form::Links, Data::Map(_)) => {
                self.node(node, &Form::Names(&Form::Any), what);
                None
            }
            (Form::Table(keys), Data::Map(_)) => {
                self.table(node, &[keys], what);
                None
            }
            (Form::Either(forms), _) => match forms.iter().find(|form| form.takes(&node.data)) {
                Some(form) => {
                    self.node(node, form, what);
                    None
                }
                None => Some(format!("must be {}", form.words())),
            },
            _ => Some(format!("must be {}, not {}", form.words(), node.type_name())),
        };
        if let Some(wrong) = wrong {
            self.problems.add(self.source, node.span, format!("{what} {wrong}"));
        }
    }

    fn table(&mut self, node: &Node, tables: &[&[Key]], what: &str) {
        let Data::Map(entries) = &node.data else {
            self.problems.add(
                self.source,
                node.span,
                format!("{what} must be a map, not {}", node.type_name()),
            );
            return;
        };
        let known = || tables.iter().flat_map(|keys| keys.iter());
        for (key, value) in entries {
            match known().find(|candidate| candidate.name == key.name) {
                Some(candidate) => self.node(value, &candidate.form, &format!("`{}`", key.name)),
                None => {
                    let message = format!("unknown key `{}` in {what}", crate::json::shorten(&key.name));
                    let help = match suggest(&key.name, known().map(|key| key.name)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!(
                            "known keys: {}",
                            known().map(|key| key.name).collect::<Vec<_>>().join(", ")
                        ),
                    };
                    self.problems.add_help(self.source, key.span, message, help);
                }
            }
        }
        for key in known().filter(|key| key.required && node.get(key.name).is_none()) {
            let span = Span { start: node.span.start, end: node.span.start };
            self.problems.add_help(self.source, span, format!("{what} lacks `{}`", key.name), key.doc);
        }
    }
}

impl Form {
    fn takes(&self, data: &Data) -> bool {
        match self {
            Form::Any | Form::Template => true,
            Form::Bool => matches!(data, Data::Bool(_)),
            Form::Int { .. } => matches!(data, Data::Int(_)),
            Form::List(_) => matches!(data, Data::List(_)),
            Form::Names(_) | Form::Links | Form::Table(_) => matches!(data, Data::Map(_)),
            Form::Schema => matches!(data, Data::Map(_) | Data::Bool(_)),
            Form::Either(forms) => forms.iter().any(|form| form.takes(data)),
            Form::Text
            | Form::Name
            | Form::Duration
            | Form::Size
            | Form::Date
            | Form::Expr
            | Form::OneOf(_) => {
                matches!(data, Data::Text(_))
            }
        }
    }

    /// The form in the words of a message or a reference page.
    pub fn words(&self) -> String {
        match self {
            Form::Any => "any value".into(),
            Form::Bool => "true or false".into(),
            Form::Text => "a text".into(),
            Form::Name => "a name".into(),
            Form::Int { min, max: i64::MAX } => format!("a whole number of at least {min}"),
            Form::Int { min, max } => format!("a whole number from {min} to {max}"),
            Form::Duration => "a duration such as `5s`".into(),
            Form::Size => "a size such as `16MiB`".into(),
            Form::Date => "a date such as `2026-12-31`".into(),
            Form::Expr => "an expression".into(),
            Form::Template => "data with `${...}`".into(),
            Form::Schema => "a JSON Schema".into(),
            Form::OneOf(words) => format!(
                "one of {}",
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            ),
            Form::List(inner) => format!("a list, each {}", inner.words()),
            Form::Names(inner) => format!("a map by name, each {}", inner.words()),
            Form::Links => "links by name".into(),
            Form::Table(_) => "a map".into(),
            Form::Either(forms) => forms.iter().map(Form::words).collect::<Vec<_>>().join(", or "),
        }
    }

    /// The form as JSON Schema, for editors.
    pub(crate) fn json_schema(&self) -> serde_json::Value {
        match self {
            Form::Any | Form::Template => json!({}),
            Form::Bool => json!({"type": "boolean"}),
            Form::Text => json!({"type": "string"}),
            Form::Name => json!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}),
            Form::Int { min, max: i64::MAX } => json!({"type": "integer", "minimum": min}),
            Form::Int { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Form::Duration => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
            Form::Size => json!({"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$"}),
            Form::Date => json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}"}),
            Form::Expr => json!({"type": ["string", "boolean", "number", "null"]}),
            Form::Schema => json!({"type": ["object", "boolean"]}),
            Form::OneOf(words) => json!({"enum": words}),
            Form::List(inner) => json!({"type": "array", "items": inner.json_schema()}),
            Form::Names(inner) => json!({
                "type": "object",
                "propertyNames": Form::Name.json_schema(),
                "additionalProperties": inner.json_schema(),
            }),
            Form::Links => json!({"$ref": "#/$defs/links"}),
            Form::Table(keys) => table_schema(&[keys]),
            Form::Either(forms) => json!({"anyOf": forms.iter().map(Form::json_schema).collect::<Vec<_>>()}),
        }
    }
}

/// Several tables of one map as JSON Schema.
pub(crate) fn table_schema(tables: &[&[Key]]) -> serde_json::Value {
    let keys = || tables.iter().flat_map(|keys| keys.iter());
    let properties: serde_json::Map<String, serde_json::Value> = keys()
        .map(|key| {
            let mut schema = key.form.json_schema();
            if let Some(members) = schema.as_object_mut() {
                members.insert("description".into(), key.doc.into());
            }
            (key.name.to_string(), schema)
        })
        .collect();
    let required: Vec<&str> = keys().filter(|key| key.required).map(|key| key.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn name_problem(text: &str) -> Option<String> {
    const CHARS_MAX: usize = 64;
    let shape = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !shape {
        let shown = crate::json::shorten(text);
        return Some(format!(
            "`{shown}` is not a name: use lower case letters, digits and `_`, a letter first"
        ));
    }
    (text.len() > CHARS_MAX).then(|| format!("is longer than {CHARS_MAX} characters"))
}

fn one_of_problem(text: &str, words: &[&'static str]) -> Option<String> {
    (!words.contains(&text)).then(|| {
        let known = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let shown = crate::json::shorten(text);
        match suggest(text, words.iter().copied()) {
            Some(near) => format!("must be one of {known}, not `{shown}`; did you mean `{near}`?"),
            None => format!("must be one of {known}, not `{shown}`"),
        }
    })
}

/// Milliseconds of a duration such as `5s`.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    quantity(text, &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]).ok_or_else(
        || {
            format!(
                "`{}` is not a duration; write `250ms`, `5s`, `2m`, `1h` or `7d`",
                crate::json::shorten(text)
            )
        },
    )
}

/// Bytes of a size such as `16MiB`.
pub fn size_bytes(text: &str) -> Result<u64, String> {
    quantity(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)]).ok_or_else(|| {
        format!("`{}` is not a size; write `512B`, `64KiB`, `16MiB` or `1GiB`", crate::json::shorten(text))
    })
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u64>().ok()?.checked_mul(*factor)).flatten()
    })
}

/// Milliseconds since 1970 of a date (its first moment, UTC) or of an RFC 3339 time in UTC.
pub fn date_ms(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{}` is not a date; write `2026-12-31` or `2026-12-31T12:00:00Z`",
            crate::json::shorten(text)
        )
    };
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00Z"));
    let numbers = |text: &str, mark: char, count: usize| -> Option<Vec<u64>> {
        let parts: Vec<&str> = text.split(mark).collect();
        let plain = |part: &&str| {
            !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        (parts.len() == count && parts.iter().all(plain))
            .then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
    };
    let day = numbers(day, '-', 3).ok_or_else(wrong)?;
    let time = time.strip_suffix('Z').and_then(|time| numbers(time, ':', 3)).ok_or_else(wrong)?;
    let ([year, month, day], [hour, minute, second]) = (day.as_slice(), time.as_slice()) else {
        return Err(wrong());
    };
    let days = days_since_1970(*year, *month, *day).ok_or_else(wrong)?;
    if *hour > 23 || *minute > 59 || *second > 59 {
        return Err(wrong());
    }
    Ok((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if !(1970..=9999).contains(&year) || day == 0 || day > length {
        return None;
    }
    let years = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u64>();
    let months = lengths.iter().take(usize::try_from(month - 1).ok()?).sum::<u64>();
    Some(years + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    const RETRY: &[Key] = &[
        Key::required("attempts", Form::Int { min: 1, max: 100 }, "how often"),
        Key::new("backoff", Form::Duration, "first wait"),
        Key::new("on", Form::List(&Form::OneOf(&["timeout", "status"])), "which failures"),
    ];
    const LINK: &[Key] = &[
        Key::new("retry", Form::Table(RETRY), "again"),
        Key::new("name", Form::Name, "name"),
        Key::new("size", Form::Either(&[Form::Int { min: 0, max: 9 }, Form::Size]), "size"),
        Key::new("until", Form::Date, "end"),
    ];

    fn check(text: &str, expected: &[&str]) {
        let source = Source::new("t", text);
        let node = yaml::parse(&source).unwrap();
        let mut problems = Problems::default();
        conform(&node, &Form::Table(LINK), "the link", &source, &mut problems);
        let shown: Vec<String> = problems.to_string().lines().map(String::from).collect();
        assert_eq!(shown, expected, "for {text}");
    }

    #[test]
    fn attack_29_all_problems_at_once_with_suggestions() {
        check("retry: {attempts: 3, backoff: 100ms, on: [timeout]}\nname: a_1\nsize: 2MiB", &[]);
        check(
            "retyr: 1\nretry: {backoff: 5, on: [timeuot], attempts: -1}\nname: A-b",
            &[
                "t:1:1: unknown key `retyr` in the link (did you mean `retry`?)",
                "t:2:18: `backoff` must be a duration such as `5s`, not a whole number",
                "t:2:26: `on` must be one of `timeout`, `status`, not `timeuot`; did you mean `timeout`?",
                "t:2:46: `attempts` must lie between 1 and 100",
                "t:3:7: `name` `A-b` is not a name: use lower case letters, digits and `_`, a letter first",
            ],
        );
        check(
            "retry: {}\nsize: true\nuntil: 2026-02-30",
            &[
                "t:1:8: `retry` lacks `attempts` (how often)",
                "t:2:7: `size` must be a whole number from 0 to 9, or a size such as `16MiB`",
                "t:3:8: `until` `2026-02-30` is not a date; write `2026-12-31` or `2026-12-31T12:00:00Z`",
            ],
        );
    }

    #[test]
    fn quantities_need_units_and_do_not_overflow() {
        assert_eq!(duration_ms("250ms"), Ok(250));
        assert_eq!(duration_ms("7d"), Ok(604_800_000));
        assert_eq!(size_bytes("16MiB"), Ok(16 << 20));
        for wrong in ["5", "s", "-5s", "5 s", "1.5s", "99999999999999999999s", "18446744073709551615d", "5S"]
        {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date_ms("1970-01-01"), Ok(0));
        assert_eq!(date_ms("2024-02-29T23:59:59Z"), Ok(1_709_251_199_000));
        assert_eq!(date_ms("2026-11-21"), Ok(1_795_219_200_000));
        for wrong in
            ["2023-02-29", "2026-13-01", "2026-1-", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+01:00"]
        {
            assert!(date_ms(wrong).is_err(), "{wrong}");
        }
    }
}
