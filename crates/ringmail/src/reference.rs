//! The reference pages and schemas under `docs/`, written from the tables that the code itself reads. A page that
//! differs from the code fails here; `cargo xtask docs` writes it anew.

use crate::commands::cli;
use crate::exit::Exit;
use ringmail_engine::core::chain::keys::{
    BODY_KEYS, CACHE_KEYS, CASE_KEYS, CHAIN_KEYS, EDGE_KEYS, LIMIT_KEYS, LINK_KEYS, RETRY_KEYS, chain_schema,
};
use ringmail_engine::core::checks::CHECKS;
use ringmail_engine::core::command::{
    COMMAND_DANGEROUS_KEYS, COMMAND_ENV_KEYS, COMMAND_KEYS, COMMAND_LIMIT_KEYS, COMMAND_MOUNT_KEYS,
    COMMAND_NET_KEYS,
};
use ringmail_engine::core::config::{LAYER_KEYS, layer_schema, places};
use ringmail_engine::core::detect::{DETECT_KEYS, DETECTORS, Gives};
use ringmail_engine::core::doc::form::Key;
use ringmail_engine::core::expr::functions;
use ringmail_engine::core::failure::FailureKind;
use ringmail_engine::core::grant::{
    COMMAND_RULE_KEYS, EFFECT_KEYS, FS_KEYS, GRANT_KEYS, LOG_KEYS, NET_KEYS as GRANT_NET_KEYS,
    PLUGIN_FS_KEYS, PLUGIN_NET_KEYS, RESPOND_KEYS,
};
use ringmail_engine::core::kind::{Kind, With};
use ringmail_engine::core::media::MEDIA_TYPES;
use ringmail_engine::core::package::{PUBLISHER_KEYS, TRUSTED_KEY_KEYS};
use ringmail_engine::core::plugin::{
    ASK_FS_KEYS, ASK_NET_KEYS, ENV_KEYS, KV_KEYS, MANIFEST_KEYS, NAMED_KEYS, NEEDS_KEYS, PLUGIN_KEYS,
    QUOTA_KEYS, TOOL_KEYS, USE_KEYS, manifest_schema,
};
use ringmail_engine::core::policy::SCHEMA;
use ringmail_engine::core::project::{
    ADVISORIES_KEYS, ANCHOR_KEYS, CEILING_KEYS, FOLDER_KEYS, FORWARD_KEYS, HOST_LIMIT_KEYS, MOUNT_KEYS,
    NET_KEYS, PRINCIPAL_KEYS, PROJECT_KEYS, PROVIDER_KEYS, REGISTRY_KEYS, RUN_KEYS, SECRET_KEYS,
    project_schema,
};
use ringmail_engine::core::python::{LIBRARY_KEYS, PROGRAM_KEYS, PYTHON_KEYS};
use ringmail_engine::core::question::{
    CASE_LABEL_KEYS, COUNT_KEYS, DECISION_KEYS, HISTORY_KEYS, TEST_KEYS, TESTS_KEYS, WHO_KEYS, tests_schema,
};
use ringmail_engine::core::refusal::Rule;
use ringmail_engine::middleware::SHIPPED;
use ringmail_engine::{CAPABILITIES, KINDS, NATIVES};
use std::fmt::Write;
use std::path::Path;

const WRITTEN: &str = "<!-- Written by `cargo xtask docs` from the code. -->\n\n";

fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("reference/chains.md", chains()),
        ("reference/links.md", links()),
        ("reference/project.md", project()),
        ("reference/plugins.md", plugins()),
        ("reference/policy-tests.md", policy_tests()),
        ("reference/expressions.md", expressions()),
        ("reference/natives.md", natives()),
        ("reference/checks.md", checks()),
        ("reference/media.md", media()),
        ("reference/detectors.md", detectors()),
        ("reference/refusals.md", refusals()),
        ("reference/failures.md", failures()),
        ("reference/review.md", review()),
        ("reference/commands.md", commands()),
        ("reference/chain.schema.json", format!("{:#}\n", chain_schema(KINDS))),
        ("reference/project.schema.json", format!("{:#}\n", project_schema())),
        ("reference/layer.schema.json", format!("{:#}\n", layer_schema())),
        ("reference/plugin.schema.json", format!("{:#}\n", manifest_schema())),
        ("reference/policy-tests.schema.json", format!("{:#}\n", tests_schema())),
        ("reference/policy.cedarschema", SCHEMA.to_string()),
    ]
}

fn page(title: &str, intro: &str) -> String {
    format!("# {title}\n\n{WRITTEN}{intro}\n")
}

fn keys(out: &mut String, title: &str, keys: &[Key]) {
    out.push_str(&format!("\n## {title}\n\n| key | value | meaning |\n| --- | --- | --- |\n"));
    rows(out, keys);
}

fn rows(out: &mut String, keys: &[Key]) {
    for key in keys {
        let needed = if key.required { " (required)" } else { "" };
        let _infallible =
            writeln!(out, "| `{}`{needed} | {} | {} |", key.name, cell(&key.form.words()), cell(key.doc));
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn chains() -> String {
    let mut out = page(
        "Chain files",
        "A chain file is YAML: one document, no tags, no duplicate keys. Unknown keys are errors.\nAn editor that reads [the JSON Schema](chain.schema.json) completes and checks the keys.",
    );
    keys(&mut out, "A chain", CHAIN_KEYS);
    keys(&mut out, "A link", LINK_KEYS);
    out.push_str("\nWhat a link takes besides depends on its kind: see [links](links.md).\n");
    out.push_str("\n## `middleware`\n\n| name | what it does |\n| --- | --- |\n");
    for middleware in SHIPPED {
        let _infallible = writeln!(out, "| `{}` | {} |", middleware.name, cell(middleware.doc));
    }
    out.push_str(
        "\nA program that embeds the engine adds its own with `Engine::builder().middleware(...)`.\n",
    );
    keys(&mut out, "`limits`", LIMIT_KEYS);
    keys(&mut out, "`edges`, each", EDGE_KEYS);
    keys(&mut out, "`retry`", RETRY_KEYS);
    keys(&mut out, "`cache`", CACHE_KEYS);
    keys(&mut out, "`do`", BODY_KEYS);
    keys(&mut out, "`cases`, each", CASE_KEYS);
    out
}

fn links() -> String {
    let mut out = page(
        "Link kinds",
        "What a link of each kind takes, besides the [keys of every link](chains.md#a-link).",
    );
    for kind in KINDS {
        out.push_str(&format!("\n## {}\n\n{}.\n", kind.name, capital(kind.doc)));
        if kind.source {
            out.push_str("What it returns comes from outside: untrusted, with the link as its origin.\n");
        }
        if !kind.settings.is_empty() {
            out.push_str("\n| key | value | meaning |\n| --- | --- | --- |\n");
            rows(&mut out, kind.settings);
        }
        with(&mut out, kind);
    }
    out
}

fn with(out: &mut String, kind: &Kind) {
    match kind.with {
        With::Nothing if kind.may_name_chain() => {
            out.push_str("\nIt takes `with` beside `chain` only, as the input of that chain.\n");
        }
        With::Nothing => out.push_str("\nIt takes no `with`.\n"),
        With::Anything => out.push_str("\n`with` is anything.\n"),
        With::Fields(fields) => {
            out.push_str("\n| in `with` | value | meaning |\n| --- | --- | --- |\n");
            rows(out, fields);
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn project() -> String {
    let mut out = page(
        "The project file",
        "`ringmail.toml` says who may run chains and what links were granted. Unknown keys are errors, and all\nproblems are reported at once. Paths are taken from the file's folder. An editor that reads\n[the JSON Schema](project.schema.json) completes and checks the keys.",
    );
    let tables: &[(&str, &[Key])] = &[
        ("The file", PROJECT_KEYS),
        ("`[project]`", FOLDER_KEYS),
        ("`[run]`", RUN_KEYS),
        ("`[limits]`", HOST_LIMIT_KEYS),
        ("`[[principal]]`", PRINCIPAL_KEYS),
        ("`[secret.NAME]`", SECRET_KEYS),
        ("`[provider.NAME]`", PROVIDER_KEYS),
        ("`[forward.NAME]`", FORWARD_KEYS),
        ("`[anchor.NAME]`", ANCHOR_KEYS),
        ("`[mount.NAME]`", MOUNT_KEYS),
        ("`[[grant]]`", GRANT_KEYS),
        ("`net` of a grant, each", GRANT_NET_KEYS),
        ("`fs` of a grant, each", FS_KEYS),
        ("`log` of a grant", LOG_KEYS),
        ("`effect` of a grant, each", EFFECT_KEYS),
        ("`command` of a grant, each", COMMAND_RULE_KEYS),
        ("`respond` of a grant", RESPOND_KEYS),
        ("`[plugin.NAME]`", PLUGIN_KEYS),
        ("`net` of a plugin, each", PLUGIN_NET_KEYS),
        ("`fs` of a plugin, each", PLUGIN_FS_KEYS),
        ("`env` of a plugin, each", ENV_KEYS),
        ("`kv` of a plugin", KV_KEYS),
        ("`limits` of a plugin", USE_KEYS),
        ("`quota` of a plugin", QUOTA_KEYS),
        ("`[command.NAME]`", COMMAND_KEYS),
        ("`env` of a command, each", COMMAND_ENV_KEYS),
        ("`mounts` of a command, each", COMMAND_MOUNT_KEYS),
        ("`net` of a command", COMMAND_NET_KEYS),
        ("`limits` of a command", COMMAND_LIMIT_KEYS),
        ("`dangerous` of a command", COMMAND_DANGEROUS_KEYS),
        ("`[python]`", PYTHON_KEYS),
        ("`limits` of `[python]`", PROGRAM_KEYS),
        ("`libraries` of `[python]`, each", LIBRARY_KEYS),
        ("`[publisher.NAME]`", PUBLISHER_KEYS),
        ("`keys` of a publisher, each", TRUSTED_KEY_KEYS),
        ("`[registry.NAME]`", REGISTRY_KEYS),
        ("`[advisories]`", ADVISORIES_KEYS),
        ("`[detect]`", DETECT_KEYS),
        ("`[ceiling]`", CEILING_KEYS),
        ("`[net]`", NET_KEYS),
    ];
    for (title, table) in tables {
        keys(&mut out, title, table);
    }
    out.push_str(
        "\n# Layers\n\n`ringmail.NAME.toml` is the layer of the environment NAME. It holds the same tables, each only as far as it says something else,\nand this head:\n",
    );
    keys(&mut out, "`[layer]`", LAYER_KEYS);
    out.push_str("\nVariables (`${NAME}`) are taken in these settings, and a layer may change these without a word in its head:\n\n");
    for place in places() {
        let _infallible = writeln!(out, "- `{place}`");
    }
    out
}

fn plugins() -> String {
    let mut out = page(
        "The manifest of a plugin",
        "`plugin.toml` lies beside a plugin's component and says what it is and what it asks for, each with its reason.\nAsking grants nothing: what an operator grants stands in [the project file](project.md#pluginname), and a plugin\ngets what stands in both. An editor that reads [the JSON Schema](plugin.schema.json) completes and checks the keys.",
    );
    let tables: &[(&str, &[Key])] = &[
        ("The file", MANIFEST_KEYS),
        ("`needs`, each", NEEDS_KEYS),
        ("`net`, each", ASK_NET_KEYS),
        ("`fs`, each", ASK_FS_KEYS),
        ("`secret` and `env`, each", NAMED_KEYS),
        ("`tool`, each", TOOL_KEYS),
        ("`limits`", USE_KEYS),
    ];
    for (title, table) in tables {
        keys(&mut out, title, table);
    }
    out.push_str("\n## Capabilities\n\n| capability | what a guest imports |\n| --- | --- |\n");
    for capability in CAPABILITIES {
        let _infallible = writeln!(out, "| `{}` | `{}` |", capability.name, capability.import);
    }
    out.push_str("\nThe interfaces stand in `sdk/wit/ringmail.wit`.\n");
    out
}

fn policy_tests() -> String {
    let mut out = page(
        "Tests of policies",
        "`ringmail policy test` runs the cases in `*.test.yaml` in the folder of policies. Each is a question, put to the\nevaluator that runs ask, and the answer it must have. Unknown keys are errors. An editor that reads\n[the JSON Schema](policy-tests.schema.json) completes and checks the keys.",
    );
    let tables: &[(&str, &[Key])] = &[
        ("The file", TESTS_KEYS),
        ("`tests`, each", TEST_KEYS),
        ("`as`", WHO_KEYS),
        ("`labels`, each", CASE_LABEL_KEYS),
        ("`decision`", DECISION_KEYS),
        ("`history`", HISTORY_KEYS),
        ("`counts` of `history`, each", COUNT_KEYS),
    ];
    for (title, table) in tables {
        keys(&mut out, title, table);
    }
    out
}

fn expressions() -> String {
    let mut out = page("Expressions", include_str!("reference/expressions.md"));
    out.push_str("\n## Functions\n\n| function | gives |\n| --- | --- |\n");
    for (written, doc) in functions() {
        let _infallible = writeln!(out, "| `{written}` | {} |", cell(doc));
    }
    out
}

fn natives() -> String {
    let mut out = page(
        "Native functions",
        "What a `native` link can `call` in a chain file. Each takes its arguments from `with`. A program that embeds\nthe engine adds its own with `Engine::builder().native(...)`.",
    );
    out.push_str("\n| function | what it does |\n| --- | --- |\n");
    for native in NATIVES {
        let _infallible = writeln!(out, "| `{}` | {} |", native.name, cell(native.doc));
    }
    out
}

fn checks() -> String {
    let mut out = page(
        "Text checks",
        "Named checks for `x-ringmail-check` in schemas and for `validate` links. Each is linear in the text.",
    );
    out.push_str("\n| check | lets through |\n| --- | --- |\n");
    for check in CHECKS {
        let _infallible = writeln!(out, "| `{}` | {} |", check.name, cell(check.doc));
    }
    out
}

fn media() -> String {
    let mut out = page(
        "Media types",
        "What `contentMediaType` in a schema can say of a string: its content is held against it, whatever a client says of\nit. With `contentEncoding: base64` the string is base64 of it; without, the string itself is it, and only text can be.\nFor several types, list them in `anyOf`. A picture with an archive, a document or a page inside of it is none, and\nneither is a file that goes on behind its end.",
    );
    out.push_str("\n| type | what it must have |\n| --- | --- |\n");
    for kind in MEDIA_TYPES {
        let _infallible = writeln!(out, "| `{}` | {} |", kind.name, cell(kind.doc));
    }
    out
}

fn detectors() -> String {
    let mut out = page(
        "Detectors",
        "What is looked for in input, in what links make, in what calls with a way out are given, and in answers. What a\ndetector finds gives the part its tag. `[detect]` in [the project file](project.md#detect) names another tag, or\nturns a detector off with `false`. Signals are advice: they stand in the record of the run and in `context.signals`.",
    );
    out.push_str("\n| detector | finds | gives |\n| --- | --- | --- |\n");
    for detector in DETECTORS {
        let gives = match detector.gives {
            Gives::Tag(Some(tag)) => format!("`{tag}`"),
            Gives::Tag(None) => "the tag that `[detect]` names; off without".into(),
            Gives::Signal => "a signal".into(),
        };
        let _infallible = writeln!(out, "| `{}` | {} | {gives} |", detector.name, cell(detector.doc));
    }
    out
}

fn refusals() -> String {
    let mut out = page(
        "Refusals",
        "A refusal is a gate's no. It names the rule, the link, the place, where the data came from, and the smallest\nchange that would allow it. `ringmail explain` shows the refusals of a run.",
    );
    for rule in Rule::ALL {
        let _infallible =
            write!(out, "\n## {}\n\n{} layer: {}.\n", rule.id(), capital(rule.layer().name()), rule.doc());
    }
    out
}

fn review() -> String {
    let mut out = page(
        "Review rules",
        "What `ringmail review` looks for, by area. The area says how bad a finding is; each finding says besides how sure it\nis. `ringmail review explain RULE` tells the same in the terminal. OWASP: the lists for language models (LLM), agents\n(ASI) and MCP.",
    );
    out.push_str(&ringmail_review::page());
    out
}

fn failures() -> String {
    let mut out = page(
        "Failures",
        "A failure is why a call that was allowed brought no result. `retry.on` selects by kind, and an edge can read\n`error.kind`. The public text is all that a caller hears; the cause is in the record of the run.",
    );
    out.push_str("\n| kind | public text |\n| --- | --- |\n");
    for kind in FailureKind::ALL {
        let _infallible = writeln!(out, "| `{}` | {} |", kind.id(), kind.public());
    }
    out
}

fn commands() -> String {
    let mut out = page(
        "Commands",
        "Results go to stdout, talk to stderr. Colour and progress only on a terminal; `NO_COLOR` is honoured.",
    );
    out.push_str("\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n");
    for (exit, meaning) in Exit::ALL {
        let _infallible = writeln!(out, "| {} | {meaning} |", *exit as u8);
    }
    let mut cli = cli().term_width(100);
    cli.build();
    for command in cli.get_subcommands_mut() {
        if command.get_name() == "help" {
            continue;
        }
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _infallible =
            write!(out, "\n## {}\n\n```text\n{}\n```\n", command.get_name(), lines.join("\n").trim());
    }
    out
}

#[test]
fn reference_pages_are_what_the_code_says() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let pages = pages();
    if std::env::var_os("RINGMAIL_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(docs.join("reference")).unwrap();
        pages.iter().for_each(|(name, text)| std::fs::write(docs.join(name), text).unwrap());
    }
    for (name, text) in &pages {
        let found = std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(found == *text, "docs/{name} is not what the code says; run `cargo xtask docs`");
    }
    for entry in std::fs::read_dir(docs.join("reference")).unwrap() {
        let name = format!("reference/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(pages.iter().any(|(page, _)| *page == name), "docs/{name} is written by no code");
    }
}
