//! What a person may be asked for, and whether an answer is what was asked: a flat form of texts, numbers, truth values and
//! choices, as MCP has it. Whatever else a schema says is refused, since what is asked has to be checked afterwards to the letter.
//! Called at load for forms that are written down, before somebody is asked, and for each answer.

use crate::doc::form::date_ms;
use crate::json::{shorten, to_string};
use crate::value::{Str, Value};

/// Fields of one form, choices of one field, and bytes of its name.
pub const FIELDS_MAX: usize = 32;
pub const CHOICES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 64;
/// Bytes of all that is shown of a form.
pub const FORM_BYTES_MAX: usize = 64 << 10;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What an answer has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerForm {
    fields: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: Str,
    required: bool,
    takes: Answerable,
}

#[derive(Clone, Debug, PartialEq)]
enum Answerable {
    Text { format: Option<Str>, chars: Bounds },
    Number { whole: bool, least: Option<f64>, most: Option<f64> },
    Truth,
    One(Vec<Str>),
    Many { among: Vec<Str>, items: Bounds },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    min: usize,
    max: usize,
}

impl Bounds {
    fn hold(self, count: usize) -> bool {
        (self.min..=self.max).contains(&count)
    }
}

impl AnswerForm {
    /// Reads a form; says what of it nobody can be asked for.
    pub fn read(schema: &Value) -> Result<AnswerForm, String> {
        only(schema, "the schema", &["$schema", "type", "properties", "required"])?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("the schema says `type: object`".into());
        }
        if to_string(schema).len() > FORM_BYTES_MAX {
            return Err(format!("the schema has more than {FORM_BYTES_MAX} bytes"));
        }
        let properties = schema.get("properties").and_then(Value::as_map);
        let properties = properties.ok_or("the schema has `properties`, one for each field")?;
        if properties.len() > FIELDS_MAX {
            return Err(format!("there are more than {FIELDS_MAX} fields"));
        }
        let required = match schema.get("required") {
            None => Vec::new(),
            Some(required) => texts(required).ok_or("`required` is a list of names")?,
        };
        if let Some(unknown) = required.iter().find(|name| !properties.contains(name)) {
            return Err(format!("`required` names `{}`, which is no field", shorten(unknown)));
        }
        let entry = |(name, of): (&Str, &Value)| {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(format!("the name of a field has 1 to {NAME_BYTES_MAX} bytes"));
            }
            let takes = Answerable::read(of).map_err(|why| format!("`{}`: {why}", shorten(name)))?;
            let required = required.contains(name);
            let entry = Entry { name: name.clone(), required, takes };
            if let Some(default) = of.get("default") {
                entry.fits(default).map_err(|why| format!("the default of {why}"))?;
            }
            Ok(entry)
        };
        Ok(AnswerForm { fields: properties.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Whether an answer is what was asked for, and nothing besides.
    pub fn check(&self, answer: &Value) -> Result<(), String> {
        let map = answer.as_map().ok_or("the answer is an object")?;
        if to_string(answer).len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
        if map.iter().any(|(name, _)| !self.fields.iter().any(|field| field.name == *name)) {
            return Err("the answer has a member that was not asked for".into());
        }
        self.fields.iter().try_for_each(|field| match map.get(&field.name) {
            Some(value) => field.fits(value),
            None if field.required => Err(format!("`{}` is missing", field.name)),
            None => Ok(()),
        })
    }
}

impl Entry {
    /// Words that do not repeat what was answered.
    fn fits(&self, value: &Value) -> Result<(), String> {
        self.takes.fits(value).map_err(|why| format!("`{}` {why}", shorten(&self.name)))
    }
}

impl Answerable {
    fn read(of: &Value) -> Result<Answerable, String> {
        const COMMON: [&str; 4] = ["type", "title", "description", "default"];
        let keys = |more: &[&'static str]| only(of, "a field", &[&COMMON[..], more].concat());
        for key in ["title", "description"] {
            if of.get(key).is_some_and(|words| words.as_str().is_none()) {
                return Err(format!("`{key}` is a text"));
            }
        }
        match of.get("type").and_then(Value::as_str) {
            Some("string") if of.get("oneOf").is_some() => {
                keys(&["oneOf"])?;
                Ok(Answerable::One(titled(of.get("oneOf"))?))
            }
            Some("string") if of.get("enum").is_some() => {
                keys(&["enum", "enumNames"])?;
                let among = plain(of.get("enum"))?;
                let named = of.get("enumNames").map(|names| texts(names).map(|names| names.len()));
                if named.is_some_and(|count| count != Some(among.len())) {
                    return Err("`enumNames` has a text for each choice".into());
                }
                Ok(Answerable::One(among))
            }
            Some("string") => {
                keys(&["minLength", "maxLength", "format"])?;
                let format = of.get("format").map(|format| match format.as_str() {
                    Some(known @ ("email" | "uri" | "date" | "date-time")) => Ok(Str::from(known)),
                    _ => Err("`format` is email, uri, date or date-time"),
                });
                Ok(Answerable::Text {
                    format: format.transpose()?,
                    chars: bounds(of, "minLength", "maxLength")?,
                })
            }
            Some(kind @ ("number" | "integer")) => {
                keys(&["minimum", "maximum"])?;
                let limit = |key: &str| match of.get(key) {
                    None => Ok(None),
                    Some(value) => number(value).map(Some).ok_or(format!("`{key}` is a number")),
                };
                let (least, most) = (limit("minimum")?, limit("maximum")?);
                Ok(Answerable::Number { whole: kind == "integer", least, most })
            }
            Some("boolean") => keys(&[]).map(|()| Answerable::Truth),
            Some("array") => {
                keys(&["items", "minItems", "maxItems"])?;
                let items = of.get("items").ok_or("`items` says among what")?;
                let among = match items.get("anyOf") {
                    Some(choices) => {
                        only(items, "`items`", &["anyOf"]).and_then(|()| titled(Some(choices)))?
                    }
                    None => {
                        only(items, "`items`", &["type", "enum"])?;
                        if items.get("type").and_then(Value::as_str) != Some("string") {
                            return Err("`items` are texts".into());
                        }
                        plain(items.get("enum"))?
                    }
                };
                Ok(Answerable::Many { among, items: bounds(of, "minItems", "maxItems")? })
            }
            _ => Err("a field is a string, number, integer, boolean, or an array of choices".into()),
        }
    }

    fn fits(&self, value: &Value) -> Result<(), &'static str> {
        let holds = |holds: bool, why| if holds { Ok(()) } else { Err(why) };
        match (self, value) {
            (Answerable::Text { format, chars }, Value::Str(text)) => {
                holds(chars.hold(text.chars().count()), "is not as long as it has to be")?;
                holds(format.as_deref().is_none_or(|format| is_of(format, text)), "does not have its format")
            }
            (Answerable::Text { .. }, _) => Err("is not a text"),
            (Answerable::Number { whole, least, most }, value) => {
                let number = number(value).ok_or("is not a number")?;
                holds(!whole || matches!(value, Value::Int(_)), "is not a whole number")?;
                let fits =
                    least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
                holds(fits, "is not within its limits")
            }
            (Answerable::Truth, value) => holds(matches!(value, Value::Bool(_)), "is not true or false"),
            (Answerable::One(among), value) => {
                let text = value.as_str().ok_or("is not a text")?;
                holds(among.iter().any(|known| &**known == text), "is none of the choices")
            }
            (Answerable::Many { among, items }, value) => {
                let chosen = texts(value).ok_or("is not a list of texts")?;
                holds(items.hold(chosen.len()), "has too few choices, or too many")?;
                holds(chosen.iter().all(|one| among.contains(one)), "holds what is none of the choices")?;
                let once = chosen
                    .iter()
                    .enumerate()
                    .all(|(at, one)| !chosen.iter().take(at).any(|known| known == one));
                holds(once, "holds a choice twice")
            }
        }
    }
}

fn only(value: &Value, what: &str, known: &[&str]) -> Result<(), String> {
    let map = value.as_map().ok_or_else(|| format!("{what} is an object"))?;
    match map.iter().find(|(name, _)| !known.contains(&&***name)) {
        Some((name, _)) => Err(format!("{what} has `{}`, and takes {}", shorten(name), known.join(", "))),
        None => Ok(()),
    }
}

fn texts(value: &Value) -> Option<Vec<Str>> {
    let text = |item: &Value| match item {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    };
    value.as_list()?.iter().map(text).collect()
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::Float(float) if float.is_finite() => Some(*float),
        _ => None,
    }
}

fn choices(among: Vec<Str>) -> Result<Vec<Str>, String> {
    if among.is_empty() || among.len() > CHOICES_MAX {
        return Err(format!("there are 1 to {CHOICES_MAX} choices"));
    }
    Ok(among)
}

fn plain(list: Option<&Value>) -> Result<Vec<Str>, String> {
    choices(list.and_then(texts).ok_or("`enum` is a list of texts")?)
}

/// Choices with a title each.
fn titled(list: Option<&Value>) -> Result<Vec<Str>, String> {
    let wrong = "a choice is `const` and `title`, both texts";
    let list = list.and_then(Value::as_list).ok_or(wrong)?;
    let of = |choice: &Value| {
        only(choice, "a choice", &["const", "title"])?;
        choice.get("title").and_then(Value::as_str).ok_or(wrong)?;
        Ok(Str::from(choice.get("const").and_then(Value::as_str).ok_or(wrong)?))
    };
    choices(list.iter().map(of).collect::<Result<_, String>>()?)
}

fn bounds(of: &Value, min: &str, max: &str) -> Result<Bounds, String> {
    let count = |key: &str, otherwise: usize| match of.get(key) {
        None => Ok(otherwise),
        Some(Value::Int(int)) => usize::try_from(*int).map_err(|_| format!("`{key}` is a count")),
        Some(_) => Err(format!("`{key}` is a count")),
    };
    Ok(Bounds { min: count(min, 0)?, max: count(max, usize::MAX)? })
}

fn is_of(format: &str, text: &str) -> bool {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match format {
        "email" => text
            .rsplit_once('@')
            .is_some_and(|(who, host)| plain && !who.is_empty() && !host.is_empty() && !who.contains('@')),
        "uri" => text.split_once(':').is_some_and(|(scheme, rest)| {
            let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
            plain
                && !rest.is_empty()
                && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(word)
        }),
        "date" => text.len() == 10 && date_ms(text).is_ok(),
        _ => text.contains('T') && date_ms(text).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, parse};

    fn value(text: &str) -> Value {
        parse(text.as_bytes(), &JsonLimits::default()).unwrap()
    }

    fn form(properties: &str) -> Result<AnswerForm, String> {
        AnswerForm::read(&value(&format!("{{\"type\":\"object\",\"properties\":{{{properties}}}}}")))
    }

    #[test]
    fn an_answer_is_what_was_asked_for() {
        let check = |field: &str, answer: &str| {
            let form = form(&format!("\"a\":{field}")).unwrap_or_else(|why| panic!("{field}: {why}"));
            form.check(&value(&format!("{{\"a\":{answer}}}"))).is_ok()
        };
        let one = "{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}";
        let named = "{\"type\":\"string\",\"enum\":[\"x\",\"y\"],\"enumNames\":[\"X\",\"Y\"]}";
        let titled = "{\"type\":\"string\",\"oneOf\":[{\"const\":\"x\",\"title\":\"X\"}]}";
        let many = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"string\",\"enum\":[\"x\",\"y\",\"z\"]}}";
        let chosen = "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"const\":\"x\",\"title\":\"X\"}]}}";
        let text = "{\"type\":\"string\",\"title\":\"t\",\"description\":\"d\",\"minLength\":2,\"maxLength\":3,\"default\":\"ab\"}";
        let whole = "{\"type\":\"integer\",\"minimum\":0,\"maximum\":9}";
        let of = |format: &str| format!("{{\"type\":\"string\",\"format\":\"{format}\"}}");
        let fitting = [
            (one, "\"x\""),
            (named, "\"y\""),
            (titled, "\"x\""),
            (many, "[\"x\",\"z\"]"),
            (chosen, "[]"),
            (text, "\"äöü\""),
            (whole, "9"),
            ("{\"type\":\"number\"}", "2.5"),
            ("{\"type\":\"number\"}", "2"),
            ("{\"type\":\"boolean\"}", "false"),
            (&of("email"), "\"a@b\""),
            (&of("uri"), "\"urn:x\""),
            (&of("date"), "\"2026-02-28\""),
            (&of("date-time"), "\"2026-02-28T01:02:03Z\""),
        ];
        for (field, answer) in fitting {
            assert!(check(field, answer), "{field} {answer}");
        }
        let others = [
            (one, "\"z\""),
            (one, "1"),
            (titled, "\"X\""),
            (many, "[]"),
            (many, "[\"x\",\"y\",\"z\"]"),
            (many, "[\"x\",\"x\"]"),
            (many, "[\"w\"]"),
            (chosen, "\"x\""),
            (text, "\"a\""),
            (text, "\"abcd\""),
            (text, "null"),
            (whole, "10"),
            (whole, "-1"),
            (whole, "1.5"),
            (whole, "\"1\""),
            ("{\"type\":\"boolean\"}", "\"true\""),
            (&of("email"), "\"a b@c\""),
            (&of("uri"), "\"nowhere\""),
            (&of("date"), "\"2026-02-30\""),
            (&of("date-time"), "\"2026-02-28\""),
            ("{\"type\":\"string\"}", "{\"b\":1}"),
        ];
        for (field, answer) in others {
            assert!(!check(field, answer), "{field} {answer}");
        }
        let required =
            value("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}},\"required\":[\"a\"]}");
        let form = AnswerForm::read(&required).unwrap();
        assert!(form.check(&value("{}")).is_err() && form.check(&value("{\"a\":true,\"b\":1}")).is_err());
        assert!(form.check(&value("[]")).is_err());
    }

    #[test]
    fn a_form_holds_nothing_that_cannot_be_checked() {
        let bad = [
            "\"a\":{\"type\":\"object\",\"properties\":{}}",
            "\"a\":{\"type\":\"string\",\"pattern\":\"x\"}",
            "\"a\":{\"type\":\"string\",\"format\":\"ipv4\"}",
            "\"a\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
            "\"a\":{\"type\":\"string\",\"enum\":[]}",
            "\"a\":{\"type\":\"string\",\"enum\":[\"x\"],\"default\":\"y\"}",
            "\"a\":{\"type\":\"string\",\"enum\":[\"x\"],\"enumNames\":[]}",
            "\"a\":{\"type\":\"integer\",\"default\":1.5}",
            "\"a\":{\"type\":\"string\",\"title\":1}",
            "\"a\":{}",
            "\"\":{\"type\":\"boolean\"}",
            "\"a\":{\"type\":\"string\",\"minLength\":-1}",
        ];
        for properties in bad {
            assert!(form(properties).is_err(), "{properties}");
        }
        for schema in [
            "{}",
            "{\"type\":\"object\"}",
            "{\"type\":\"object\",\"properties\":{},\"required\":[\"a\"]}",
            "{\"type\":\"object\",\"properties\":{},\"allOf\":[]}",
        ] {
            assert!(AnswerForm::read(&value(schema)).is_err(), "{schema}");
        }
    }

    #[test]
    fn forms_and_answers_are_bounded() {
        let fields = |count: usize| {
            let all: Vec<String> =
                (0..count).map(|at| format!("\"f{at}\":{{\"type\":\"boolean\"}}")).collect();
            form(&all.join(","))
        };
        assert!(fields(FIELDS_MAX).is_ok() && fields(FIELDS_MAX + 1).is_err());
        let choices = |count: usize| {
            let all: Vec<String> = (0..count).map(|at| format!("\"c{at}\"")).collect();
            form(&format!("\"a\":{{\"type\":\"string\",\"enum\":[{}]}}", all.join(",")))
        };
        assert!(choices(CHOICES_MAX).is_ok() && choices(CHOICES_MAX + 1).is_err());
        let long = |bytes: usize| {
            form(&format!("\"a\":{{\"type\":\"boolean\",\"description\":\"{}\"}}", "x".repeat(bytes)))
        };
        assert!(long(FORM_BYTES_MAX / 2).is_ok() && long(FORM_BYTES_MAX).is_err());
        assert!(form(&format!("\"{}\":{{\"type\":\"boolean\"}}", "n".repeat(NAME_BYTES_MAX + 1))).is_err());
        let text = form("\"a\":{\"type\":\"string\"}").unwrap();
        let answer = |bytes: usize| text.check(&value(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes))));
        assert!(answer(ANSWER_BYTES_MAX - 8).is_ok() && answer(ANSWER_BYTES_MAX - 7).is_err());
    }
}
