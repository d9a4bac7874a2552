//! Known advisories, as somebody has them who exported them once and is offline since.

use crate::registries::{folder_shop, publish, refused};
use crate::setup::Place;
use crate::shop::{Release, add, archives, call, done, exists, grant, shop};

fn advisory(id: &str, severity: &str, package: [&str; 2], fixed: &str) -> String {
    let [ecosystem, name] = package;
    format!(
        "{{\"id\": \"{id}\", \"summary\": \"reads \\u001b[31mtoo far\", \"database_specific\": {{\"severity\": \"{severity}\"}}, \"affected\": [{{\"package\": {{\"ecosystem\": \"{ecosystem}\", \"name\": \"{name}\"}}, \"ranges\": [{{\"type\": \"ECOSYSTEM\", \"events\": [{{\"introduced\": \"0\"}}, {{\"fixed\": \"{fixed}\"}}]}}]}}]}}"
    )
}

/// A package of `mask` with a part that `requirements.txt` names.
fn with_part(place: &Place, version: &str, part: &str) -> String {
    place.write(&format!("mask-{version}/requirements.txt"), part);
    Release::version(version).publish(place)
}

#[test]
fn what_is_known_of_a_plugin_and_its_parts_is_named() {
    let place = shop();
    let package = with_part(&place, "1.0.0", "left==1.2\nright==3.0\n");
    place.write("osv/PYSEC-1.json", &advisory("PYSEC-1", "MODERATE", ["PyPI", "Left"], "1.3"));
    place.write("osv/deep/npm.json", &advisory("NPM-1", "CRITICAL", ["npm", "left"], "1.3"));
    place.write("osv/deep/right.json", &advisory("PYSEC-2", "CRITICAL", ["PyPI", "right"], "3.0"));
    place.write("osv/.gitattributes", "not an advisory");
    add(&place, "[advisories]\npath = \"osv\"");
    let install = done(&place, &["plugin", "install", &package]);
    let line = "mask 1.0.0: PYSEC-1 (moderate) left 1.2 in PyPI";
    assert!(install.out.contains(line), "{}", install.shown());
    grant(&place, &[]);
    for args in [&["plugin", "list"][..], &["check"]] {
        let told = done(&place, args);
        assert!(told.out.contains(line) && told.out.matches("PYSEC").count() == 1, "{}", told.shown());
        assert!(!told.out.contains("NPM-1") && !told.out.contains("\u{1b}[31mtoo"), "{}", told.shown());
        let json = done(&place, &[args, &["--format", "json"]].concat());
        assert!(json.out.contains("\"id\": \"PYSEC-1\""), "{}", json.shown());
    }
    // It is told, and it runs.
    assert_eq!(call(&place).code, 0);
    // Another export, for once: a list in one file, about the plugin itself.
    let both = [
        advisory("MASK-1", "LOW", ["Ringmail:acme", "mask"], "1.0.1"),
        advisory("MASK-2", "LOW", ["Ringmail:other", "mask"], "1.0.1"),
    ];
    place.write("mask.json", &format!("[{}]", both.join(", ")));
    let list = done(&place, &["plugin", "list", "--advisories", "mask.json"]);
    assert!(list.out.contains("MASK-1 (low) mask 1.0.0 in Ringmail:acme"), "{}", list.shown());
    assert!(!list.out.contains("MASK-2") && !list.out.contains("PYSEC"), "{}", list.shown());
    // One that cannot be read is not one that says nothing.
    place.write("osv/broken.json", "{\"id\": \"X\"}");
    for args in [&["plugin", "list"][..], &["check"]] {
        let ended = place.run(args);
        assert!(ended.code == 1 && ended.err.contains("it is no advisory of OSV"), "{}", ended.shown());
    }
    std::fs::remove_dir_all(place.path().join("osv")).unwrap();
    let ended = place.run(&["check"]);
    assert!(ended.code == 1 && ended.err.contains("cannot read the advisories"), "{}", ended.shown());
}

#[test]
fn a_list_is_neither_too_large_nor_too_deep() {
    let place = shop();
    let package = Release::default().publish(&place);
    let install = |why: &str| {
        let ended = place.run(&["plugin", "install", &package, "--advisories", "osv"]);
        assert!(ended.code == 1 && ended.err.contains(why), "{why}: {}", ended.shown());
    };
    place.write("osv/1/2/3/4/5/6/7/8/9/x.json", "{}");
    install("lies too deep for advisories");
    std::fs::remove_dir_all(place.path().join("osv/1/2")).unwrap();
    let large = place.write("osv/large.json", "[]");
    std::fs::File::options().write(true).open(large).unwrap().set_len((64 << 20) + 1).unwrap();
    install("is larger than 67108864 bytes");
}

#[test]
fn what_is_known_to_be_bad_is_not_installed() {
    let place = shop();
    let package = with_part(&place, "1.0.0", "left==1.2\n");
    place.write("osv/one.json", &advisory("PYSEC-1", "HIGH", ["PyPI", "left"], "1.3"));
    let install =
        |more: &[&str]| place.run(&[&["plugin", "install", &package, "--advisories", "osv"], more].concat());
    let ended = install(&[]);
    assert!(
        ended.code == 1
            && ended.err.contains("`mask` 1.0.0 is not installed: PYSEC-1 (high) left 1.2 in PyPI"),
        "{}",
        ended.shown()
    );
    assert!(archives(&place).is_empty() && !exists(&place, "ringmail.lock"));
    // What mends it comes in.
    let mended = with_part(&place, "1.0.1", "left==1.3\n");
    done(&place, &["plugin", "install", &mended, "--advisories", "osv"]);
    done(&place, &["plugin", "remove", "mask"]);
    add(&place, "[advisories]\npath = \"osv\"\nrefuse = \"never\"");
    assert!(done(&place, &["plugin", "install", &package]).out.contains("PYSEC-1"));
}

#[test]
fn a_list_says_what_registries_have_that_is_newer() {
    let place = folder_shop();
    publish(&place, &Release::default());
    done(&place, &["plugin", "install", "mask"]);
    let outdated = || done(&place, &["plugin", "list", "--outdated", "--offline"]).out;
    assert_eq!(outdated(), "no registry has anything newer\n");
    publish(&place, &Release::version("1.10.0"));
    publish(&place, &Release::version("1.9.0"));
    assert_eq!(outdated(), "mask 1.0.0 -> 1.10.0 in shelf\n");
    let json = done(&place, &["plugin", "list", "--outdated", "--format", "json"]);
    assert!(json.out.contains("\"newest\": \"1.10.0\""), "{}", json.shown());
    let toml = place.read("ringmail.toml").replace("folder = \"shelf\"", "url = \"http://127.0.0.1:9/\"");
    place.write("ringmail.toml", &toml);
    let offline = place.run(&["plugin", "list", "--outdated", "--offline"]);
    assert!(offline.code == 1 && offline.err.contains("`--offline` was said"), "{}", offline.shown());
    refused(&place, &["mask@1.10.0", "--offline"], "`--offline` was said");
}
