//! What a plugin has of what it asks for, as `explain` tells it: grant, manifest and ceiling held against each other.

use crate::guest::Guest;
use crate::setup::Place;
use crate::shop::done;
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;

const ASKS: &str = "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n[[net]]\naddress = \"https://b.example\"\nmethods = [\"POST\"]\nreason = \"r\"\n[[fs]]\nmount = \"one\"\naccess = \"write\"\nreason = \"r\"\n[[fs]]\nmount = \"two\"\naccess = \"read\"\nreason = \"r\"\n";

/// The lines of what it asks for, under these grants and this ceiling.
fn explained(grants: &str, ceiling: &str) -> String {
    let place = Place::empty();
    let manifest = format!("plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"d\"\n{ASKS}");
    place.write("p/plugin.toml", &manifest);
    place.write_bytes("p/plugin.wasm", &Guest::default().component());
    let read = PluginFolder::read(&place.path().join("p"), &mut TagTable::default()).unwrap();
    std::fs::create_dir(place.path().join("files")).unwrap();
    let mounts = "[mount.one]\npath = \"files\"\n[mount.two]\npath = \"files\"\n";
    let plugin =
        format!("[plugin.p]\npath = \"p\"\ndigest = \"{}\"\nreason = \"r\"\n{grants}\n", read.digest);
    place.write("ringmail.toml", &format!("{mounts}{ceiling}\n{plugin}"));
    let explain = place.run(&["plugin", "explain", "p"]);
    assert_eq!(explain.code, 0, "{}", explain.shown());
    let marked = |line: &&str| line.starts_with("  ✓ ") || line.starts_with("  · ");
    let lines: Vec<&str> =
        explain.out.lines().filter(marked).map(|line| line.trim().trim_end_matches(" r")).collect();
    lines.join(", ")
}

/// It was said that a plugin has an address if it was granted any.
#[test]
fn explain_marks_what_is_left_of_manifest_grant_and_ceiling() {
    let net = "net = [{ address = \"https://*.example\", methods = [\"GET\"] }]";
    let fs = "fs = [{ mount = \"one\", access = \"read\" }, { mount = \"two\", access = \"read\" }]";
    let all = format!("{net}\n{fs}");
    assert_eq!(
        explained(&all, ""),
        "✓ net GET/HEAD https://a.example, · net POST https://b.example, · fs write one, ✓ fs read two"
    );
    assert_eq!(
        explained(&all, "[ceiling]\nnet = [\"https://b.example\"]\nmounts = [\"one\"]"),
        "· net GET/HEAD https://a.example, · net POST https://b.example, · fs write one, · fs read two"
    );
    assert_eq!(
        explained("net = [{ address = \"https://b.example\", methods = [\"POST\"] }]", ""),
        "· net GET/HEAD https://a.example, ✓ net POST https://b.example, · fs write one, · fs read two"
    );
}

/// A plugin in the folder of its version; gives its digest.
fn version(place: &Place, folder: &str, number: &str, asks: &str) -> String {
    let manifest = format!("plugin = \"p\"\nversion = \"{number}\"\ndescription = \"d\"\n{asks}");
    place.write(&format!("{folder}/plugin.toml"), &manifest);
    place.write_bytes(&format!("{folder}/plugin.wasm"), &Guest::default().component());
    let read = PluginFolder::read(&place.path().join(folder), &mut TagTable::default()).unwrap();
    read.digest.to_string()
}

/// What a manifest asks for beyond is one thing, and what comes of it here another.
#[test]
fn diff_says_what_changes_in_effect_and_what_is_asked_in_vain() {
    let place = Place::empty();
    let ask = |what: &str| format!("{what}reason = \"because\"\n");
    let net = |address: &str| ask(&format!("[[net]]\naddress = \"{address}\"\n"));
    let old = [ask("[log]\n"), net("https://a.example"), "[limits]\ntime = \"2s\"\n".into()].concat();
    let new = [
        net("https://*.example"),
        net("https://evil.test"),
        ask("[clock]\n"),
        ask("[random]\n"),
        ask("[[fs]]\nmount = \"one\"\naccess = \"write\"\n"),
        "[limits]\ntime = \"30s\"\n".into(),
    ]
    .concat();
    let digest = version(&place, "old", "1.0.0", &old);
    let newer = version(&place, "new", "2.0.0", &new);
    let toml = |ceiling: &str, more: &str| {
        let net = "net = [{ address = \"https://*.example\" }]\n";
        let fs = "fs = [{ mount = \"one\", access = \"read\" }]\n";
        let limits = "limits = { time = \"5s\" }\n";
        let grant = format!(
            "[plugin.p]\npath = \"old\"\ndigest = \"{digest}\"\nreason = \"r\"\nlog = {{}}\nclock = true\n{net}{fs}{limits}{more}"
        );
        place.write("ringmail.toml", &format!("[mount.one]\npath = \"old\"\n{ceiling}\n{grant}"));
    };
    let told = || done(&place, &["plugin", "diff", "old", "new"]).out;
    let after = |told: &str| told.split_once("in effect here").unwrap().1.to_string();
    toml("[ceiling]\nnet = [\"https://*.example\"]", "");
    insta::assert_snapshot!(after(&told()).replace(&digest, "OLD"), @r"
    , within grant and ceiling
      + net GET/HEAD https://*.example because
      + fs read one because
      + clock because
      + limit time: 5000 instead of 2000
      - net GET/HEAD https://a.example because
      - log because
    asked for by the newer, and not granted as much
      · net GET/HEAD https://evil.test because
      · fs write one because
      · random because
    the grant is for OLD; the newer has none of it until: ringmail plugin grant p
    ");
    // Under a lower ceiling less of it changes, and more is asked in vain.
    toml("[ceiling]\nnet = [\"https://a.example\"]\nmounts = []", "");
    insta::assert_snapshot!(after(&told()).replace(&digest, "OLD"), @r"
    , within grant and ceiling
      + clock because
      + limit time: 5000 instead of 2000
      - log because
    asked for by the newer, and not granted as much
      · net GET/HEAD https://evil.test because
      · fs write one because
      · random because
    the grant is for OLD; the newer has none of it until: ringmail plugin grant p
    ");
    let json = done(&place, &["plugin", "diff", "old", "new", "--format", "json"]);
    let limits = ringmail_engine::core::json::JsonLimits::default();
    let json = ringmail_engine::core::json::parse(json.out.as_bytes(), &limits).unwrap();
    let effect = json.get("effect").unwrap();
    let first = |key: &str| {
        effect.get(key).unwrap().as_list().unwrap().iter().map(|one| one.get("what").unwrap().clone()).next()
    };
    assert_eq!(effect.get("granted_for").unwrap().as_str(), Some(&*digest));
    assert_eq!(effect.get("holds"), Some(&false.into()));
    assert_eq!(first("new"), Some("net GET/HEAD https://a.example".into()));
    assert_eq!(first("not_granted"), Some("net GET/HEAD https://evil.test".into()));
    toml("", "expires = 2001-01-01\n");
    assert!(after(&told()).contains("nothing: the grant of `p` is over"), "{}", told());
    place.write("ringmail.toml", "");
    assert!(after(&told()).contains("nothing: the project grants `p` nothing"), "{}", told());
    assert_ne!(newer, digest);
}

/// A manifest asked for a day and a gibibyte, the review named no limit, and the grant gave what was asked.
#[test]
fn attack_18_limits_beyond_the_standard_are_shown_and_written() {
    let place = Place::empty();
    place.write("ringmail.toml", "");
    let asks = "[log]\nreason = \"r\"\n[limits]\ntime = \"24h\"\nmemory = \"1GiB\"\nasks = 10\n";
    version(&place, "p", "1.0.0", asks);
    let inspect = done(&place, &["plugin", "inspect", "p"]).out;
    for line in [
        "  limit memory 1GiB more than the 64MiB that every plugin may use\n",
        "  limit time 24h more than the 5s that every plugin may use\n",
        "\nlimits = { memory = \"1GiB\", time = \"24h\" }\n",
    ] {
        assert!(inspect.contains(line), "{inspect}");
    }
    assert!(!inspect.contains("limit asks"), "{inspect}");
    let grant = |more: &[&str]| {
        let args = [&["plugin", "grant", "p", "--reason", "r"], more].concat();
        (done(&place, &args).out, place.read("ringmail.toml"))
    };
    let (told, toml) = grant(&["--only", "limits"]);
    assert!(told.contains("✓ limit memory") && toml.contains("time = \"24h\""), "{told}{toml}");
    let (told, toml) = grant(&["--only", "log"]);
    assert!(told.contains("· limit memory") && !toml.contains("limits"), "{told}{toml}");
    let explain = done(&place, &["plugin", "explain", "p"]).out;
    assert!(explain.contains("64 MiB") && !explain.contains("1 GiB"), "{explain}");
}

/// A description with line breaks printed the end of a review that never was, and a made-up one below it.
#[test]
fn attack_22_a_manifest_cannot_write_lines_of_its_own() {
    let place = Place::empty();
    let forged = "fine\\n  digest     sha256:0\\u001b[2K\\nasks for\\n  nothing\\t";
    let manifest = format!(
        "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"{forged}\"\n[clock]\nreason = \"{forged}\"\n"
    );
    place.write("p/plugin.toml", &manifest);
    place.write_bytes("p/plugin.wasm", &Guest::default().component());
    place.write("ringmail.toml", "");
    for args in [&["plugin", "inspect", "p"][..], &["plugin", "grant", "p", "--reason", "r"]] {
        let told = done(&place, args).out;
        assert!(
            !told.lines().any(
                |line| line.trim() == "nothing" || line.contains("sha256:0") && !line.contains("fine\\n")
            ),
            "{told}"
        );
        assert_eq!(
            told.lines().filter(|line| *line == "asks for").count(),
            usize::from(args[1] == "inspect")
        );
    }
}
