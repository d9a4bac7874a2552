//! Whatever stands in a layer without a head, and whatever the environment of the process holds, what is allowed is what the
//! lowest file says.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use ringmail_core::config::Config;
use ringmail_core::doc::Source;
use ringmail_core::json::to_string;
use ringmail_core::value::Value;

/// Tables with their keys, and what each may be set to. Those of the first half bear authority.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("run", "as", &["\"a\"", "\"b\"", "\"${A}\""]),
    ("ceiling", "net", &["[]", "[\"https://a.test\"]", "[\"${A}\"]"]),
    ("project", "policies", &["\"lax\"", "\"${A}\""]),
    ("project", "require_signed", &["true", "false"]),
    ("secret.s", "bound_to", &["[\"https://a.test\"]", "[\"https://b.test\"]"]),
    ("listener.w", "accept", &["[\"key\"]", "[\"mtls\"]", "[\"${A}\"]"]),
    ("listener.w", "dangerous", &["{ anonymous = true }", "{ plaintext = true }"]),
    ("detect", "token", &["false", "\"t\""]),
    ("net", "extra_roots", &["[\"a.pem\"]", "[\"${A}\"]"]),
    ("principal", "list", &["a", "b"]),
    ("project", "name", &["\"x\"", "\"${A}${B}\"", "\"$${A}\""]),
    ("secret.s", "from", &["\"env:A\"", "\"file:${A}\""]),
    ("listener.w", "bind", &["\"127.0.0.1:0\"", "\"127.0.0.1:${A}\""]),
    ("server", "headers", &["5", "\"${A}\"", "\"${B}\""]),
    ("mount.m", "path", &["\"x\"", "\"${B}\""]),
];
const AUTHORITY: usize = 10;

type Setting = (&'static str, &'static str, &'static str);

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    subsequence(KEYS, 0..6).prop_flat_map(|keys: Vec<(&str, &str, &[&str])>| {
        let keys: Vec<&'static (&'static str, &'static str, &'static [&'static str])> = keys
            .iter()
            .filter_map(|(table, key, _)| KEYS.iter().find(|known| (known.0, known.1) == (*table, *key)))
            .collect();
        keys.into_iter()
            .map(|&(table, key, values)| (Just(table), Just(key), select(values)))
            .collect::<Vec<_>>()
    })
}

fn text(settings: &[Setting]) -> String {
    let mut tables: Vec<&str> = settings.iter().map(|(table, ..)| *table).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut out = String::new();
    for table in tables {
        if table == "principal" {
            settings.iter().filter(|(known, ..)| *known == table).for_each(|(_, _, name)| {
                out.push_str(&format!("[[principal]]\nname = \"{name}\"\nroles = [\"{name}\"]\n"));
            });
            continue;
        }
        out.push_str(&format!("[{table}]\n"));
        for (_, key, value) in settings.iter().filter(|(known, ..)| *known == table) {
            out.push_str(&format!("{key} = {value}\n"));
        }
    }
    out
}

fn load(layers: &[String], a: &str, b: &str) -> Option<Config> {
    let sources: Vec<_> =
        layers.iter().enumerate().map(|(at, text)| Source::new(format!("layer{at}"), text.clone())).collect();
    let variables = |name: &str| match name {
        "A" => Ok(a.to_string()),
        _ => Ok(b.to_string()),
    };
    let problems = match Config::load(&sources, &variables) {
        Ok(config) => return Some(config),
        Err(problems) => problems,
    };
    for spot in problems.0.iter().filter_map(|problem| problem.spot.as_ref()) {
        assert!(spot.source.text.get(spot.span.start..spot.span.end).is_some(), "{spot:?} leaves its text");
    }
    None
}

/// All that bears authority, as text.
fn allowed(config: &Config) -> Vec<String> {
    let keys = KEYS.iter().take(AUTHORITY).map(|(table, key, _)| {
        let table = table.split('.').try_fold(&config.node, |node, step| node.get(step));
        let node = if *key == "list" { table } else { table.and_then(|table| table.get(key)) };
        to_string(&node.map_or(Value::Null, |node| node.to_value()))
    });
    keys.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn authority_is_what_the_lowest_file_says(
        base in settings(),
        layer in settings(),
        values in (".{0,9}", "[0-9]{1,3}"),
    ) {
        let (base, layer) = (text(&base), text(&layer));
        let Some(alone) = load(std::slice::from_ref(&base), "1", "2") else { return Ok(()) };
        if let Some(both) = load(&[base.clone(), layer], &values.0, &values.1) {
            prop_assert_eq!(allowed(&both), allowed(&alone));
        }
        if let Some(other) = load(&[base], &values.0, &values.1) {
            prop_assert_eq!(allowed(&other), allowed(&alone));
        }
    }
}
