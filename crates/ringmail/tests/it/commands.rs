//! Programs as links, from the binary.

use crate::setup::Place;

const PROJECT: &str = "[run]\nas = \"a\"\n[[principal]]\nname = \"a\"\n[command.sort]\nprogram = \"/usr/bin/sort\"\nenv = [{ name = \"LC_ALL\", value = \"C\" }]\nlimits = { time = \"2s\", memory = \"256MiB\" }\n[[grant]]\nto = \"names.sorted\"\nreason = \"lists of names are kept in order\"\ncommand = [{ name = \"sort\", trusted = [\"args\"] }]\n";

#[test]
fn the_command_of_the_guide_runs() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide.md")).unwrap();
    let section = guide.split("\n## Commands\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let block = |language: &str| {
        let text = section.split(&format!("```{language}\n")).nth(1).unwrap();
        text.split("```").next().unwrap().to_string()
    };
    let place = Place::empty();
    let who = "[run]\nas = \"a\"\n[[principal]]\nname = \"a\"\n";
    place.write("ringmail.toml", &format!("{who}{}", block("toml")));
    let input = "input: {type: object, properties: {names: {type: string}}, required: [names]}\n";
    place.write(
        "chains/names.yaml",
        &format!("chain: names\n{input}{}output: '${{sorted.out}}'\n", block("yaml")),
    );
    place.write("policies/main.cedar", "permit (principal, action, resource);");
    let ran = place.run_with(&["run", "names", "-"], b"{\"names\": \"b\\na\\nb\\n\"}");
    assert_eq!((ran.code, &*ran.out), (0, "[\n  \"a\",\n  \"b\"\n]\n"), "{}", ran.shown());
}

#[test]
fn walls_are_shown_with_what_is_not_there() {
    let place = Place::empty();
    let shown = place.run(&["walls"]);
    assert_eq!(shown.code, 0, "{}", shown.shown());
    for wall in ["landlock-files", "landlock-ports", "seccomp", "namespaces", "cgroup-memory"] {
        assert!(shown.out.contains(wall), "{}", shown.out);
    }
    let json = place.run(&["walls", "--format", "json"]);
    assert!(json.out.contains("\"wall\": \"seccomp\",\n    \"there\": true"), "{}", json.out);
}

#[test]
fn a_command_that_is_wrong_is_shown_where_it_stands() {
    let place = Place::empty();
    place.write("ringmail.toml", &PROJECT.replace("/usr/bin/sort", "/usr/bin/no-such-sort"));
    place.write("policies/main.cedar", "permit (principal, action, resource);");
    place.write(
        "chains/names.yaml",
        "chain: names\nlinks:\n  sorted:\n    kind: command\n    command: sort\n",
    );
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("cannot find `/usr/bin/no-such-sort`"), "{}", checked.shown());
    assert!(checked.err.contains("ringmail.toml:6"), "{}", checked.shown());
}
