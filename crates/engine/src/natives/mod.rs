//! Native functions every engine has, for chains in files: pure, total, one row each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::json::{JsonLimits, parse, to_canonical, to_pretty, to_string};
use ringmail_core::value::Value;
use sha2::{Digest, Sha256};

/// A function chains can `call`.
#[derive(Debug)]
pub struct Native {
    pub name: &'static str,
    pub doc: &'static str,
    pub(crate) run: fn(&Value) -> Result<Value, Failure>,
}

pub static LIBRARY: &[Native] = &[
    Native { name: "same", doc: "hands its arguments on", run: |args| Ok(args.clone()) },
    Native { name: "json_parse", doc: "`text` as JSON, strictly", run: json_parse },
    Native { name: "json_text", doc: "`value` as JSON text, indented if `pretty`", run: json_text },
    Native { name: "base64_encode", doc: "`text` as base64", run: base64_encode },
    Native { name: "base64_decode", doc: "the text that base64 `text` holds", run: base64_decode },
    Native {
        name: "sha256",
        doc: "SHA-256 of a `text`, or of the canonical JSON of a `value`, in hexadecimal",
        run: sha256,
    },
    Native { name: "sort", doc: "`list` in order, by the member `by` if given", run: sort },
    Native { name: "sum", doc: "the sum of a `list` of numbers of one type", run: sum },
    Native { name: "merge", doc: "the members of all `maps`, later ones first", run: merge },
    Native { name: "lines", doc: "the lines of `text`, without empty ones", run: lines },
    Native {
        name: "fields",
        doc: "`name: value` pairs of a `text`, one a line, names in lower case",
        run: fields,
    },
];

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Invalid, message)
}

fn text<'v>(args: &'v Value, name: &str) -> Result<&'v str, Failure> {
    args.get(name).and_then(Value::as_str).ok_or_else(|| invalid(format!("`{name}` must be a string")))
}

fn list<'v>(args: &'v Value, name: &str) -> Result<Vec<&'v Value>, Failure> {
    let list =
        args.get(name).and_then(Value::as_list).ok_or_else(|| invalid(format!("`{name}` must be a list")))?;
    Ok(list.iter().collect())
}

fn json_parse(args: &Value) -> Result<Value, Failure> {
    parse(text(args, "text")?.as_bytes(), &JsonLimits::default()).map_err(|error| invalid(error.to_string()))
}

fn json_text(args: &Value) -> Result<Value, Failure> {
    let value = args.get("value").ok_or_else(|| invalid("`value` is missing"))?;
    let pretty = args.get("pretty") == Some(&Value::Bool(true));
    Ok(Value::from(if pretty { to_pretty(value) } else { to_string(value) }))
}

fn base64_encode(args: &Value) -> Result<Value, Failure> {
    Ok(Value::from(STANDARD.encode(text(args, "text")?)))
}

fn base64_decode(args: &Value) -> Result<Value, Failure> {
    let bytes = STANDARD.decode(text(args, "text")?).map_err(|_| invalid("`text` is not base64"))?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| invalid("the decoded bytes are not text"))
}

fn sha256(args: &Value) -> Result<Value, Failure> {
    let digest = match (args.get("text"), args.get("value")) {
        (Some(Value::Str(text)), None) => Sha256::digest(text.as_bytes()),
        (None, Some(value)) => Sha256::digest(to_canonical(value).as_bytes()),
        _ => return Err(invalid("give a string as `text`, or anything as `value`")),
    };
    Ok(Value::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

fn sort(args: &Value) -> Result<Value, Failure> {
    let by = args.get("by").and_then(Value::as_str);
    let mut keyed = Vec::new();
    for item in list(args, "list")? {
        let key = match by {
            Some(name) => item.get(name).ok_or_else(|| invalid(format!("an item lacks `{name}`")))?,
            None => item,
        };
        keyed.push((key, item));
    }
    let texts = keyed.iter().all(|(key, _)| key.as_str().is_some());
    let numbers = keyed.iter().all(|(key, _)| matches!(key, Value::Int(_) | Value::Float(_)));
    if !texts && !numbers {
        return Err(invalid("only strings, or only numbers, can be sorted"));
    }
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (a, b) => as_float(a).total_cmp(&as_float(b)),
    });
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item.clone())))
}

fn as_float(value: &Value) -> f64 {
    match value {
        #[allow(clippy::cast_precision_loss, reason = "only the order matters")]
        Value::Int(int) => *int as f64,
        Value::Float(float) => *float,
        _ => 0.0,
    }
}

fn sum(args: &Value) -> Result<Value, Failure> {
    let items = list(args, "list")?;
    let mut total = match items.first() {
        Some(Value::Float(_)) => Value::Float(0.0),
        _ => Value::Int(0),
    };
    for item in items {
        total = match (&total, item) {
            (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
            (Value::Float(a), Value::Float(b)) => Value::float(a + b),
            _ => return Err(invalid("`list` must hold numbers of one type")),
        }
        .ok_or_else(|| invalid("the sum does not fit"))?;
    }
    Ok(total)
}

fn merge(args: &Value) -> Result<Value, Failure> {
    let mut members = Vec::new();
    for item in list(args, "maps")? {
        let map = item.as_map().ok_or_else(|| invalid("`maps` must hold maps"))?;
        members.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(Value::map(members))
}

fn lines(args: &Value) -> Result<Value, Failure> {
    let lines = text(args, "text")?.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(Value::list(lines.map(Value::from)))
}

fn fields(args: &Value) -> Result<Value, Failure> {
    let pairs = text(args, "text")?.lines().filter_map(|line| line.split_once(':'));
    let pairs = pairs.map(|(name, value)| (name.trim().to_lowercase(), value.trim()));
    let named = pairs.filter(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    });
    Ok(Value::map(named.map(|(name, value)| (name, Value::from(value)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, args: &str, expected: &str) {
        let native = LIBRARY.iter().find(|native| native.name == name).unwrap();
        let args = parse(args.as_bytes(), &JsonLimits::default()).unwrap();
        let shown = (native.run)(&args).map_or_else(|failure| failure.message, |value| to_string(&value));
        assert_eq!(shown, expected, "{name}");
    }

    #[test]
    fn each_does_what_it_says_and_refuses_the_rest() {
        check("same", r#"{"a":1}"#, r#"{"a":1}"#);
        check("json_parse", r#"{"text":"[1,2]"}"#, "[1,2]");
        check(
            "json_parse",
            r#"{"text":"[1,"}"#,
            "the text ends where a value should start at line 1, column 4",
        );
        check("json_text", r#"{"value":{"a":[1]}}"#, r#""{\"a\":[1]}""#);
        check("base64_encode", r#"{"text":"hé"}"#, r#""aMOp""#);
        check("base64_decode", r#"{"text":"aMOp"}"#, r#""hé""#);
        check("base64_decode", r#"{"text":"/w=="}"#, "the decoded bytes are not text");
        check(
            "sha256",
            r#"{"text":""}"#,
            r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
        );
        check("sort", r#"{"list":[{"n":2},{"n":1.5}],"by":"n"}"#, r#"[{"n":1.5},{"n":2}]"#);
        check("sort", r#"{"list":[1,"a"]}"#, "only strings, or only numbers, can be sorted");
        check("sum", r#"{"list":[1,2]}"#, "3");
        check("sum", r#"{"list":[1,2.5]}"#, "`list` must hold numbers of one type");
        check("sum", r#"{"list":[9223372036854775807,1]}"#, "the sum does not fit");
        check("merge", r#"{"maps":[{"a":1},{"a":2,"b":3}]}"#, r#"{"a":2,"b":3}"#);
        check("lines", r#"{"text":"a\n\n b "}"#, r#"["a","b"]"#);
        check(
            "fields",
            r#"{"text":"IBAN: DE1\nAmount: 5\nno pair here\n"}"#,
            r#"{"iban":"DE1","amount":"5"}"#,
        );
    }
}
