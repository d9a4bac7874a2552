//! Secrets sealed into files of the project.

use crate::setup::Place;

const VALUE: &[u8] = b"hunter2-hunter2\n";

#[test]
fn a_sealed_secret_lies_in_the_project_and_opens_on_its_host_alone() {
    let place = Place::project();
    let sealed = place.run_with(&["secret", "seal", "bank"], VALUE);
    assert_eq!(sealed.code, 0, "{}", sealed.err);
    let project = place.read("ringmail.toml");
    let lines = sealed.out.replace("https://...", "https://bank.example.com");
    place.write("ringmail.toml", &format!("{project}\n{lines}"));
    let listed = place.run(&["secret", "list"]);
    let first = "bank  sealed:secrets/bank.sealed  bound to https://bank.example.com\n";
    assert_eq!(listed.out, format!("{first}    age unknown, never used; for nobody\n"));
    let checked = place.run(&["secret", "check"]);
    assert!(checked.code == 0 && checked.out.contains("is there"), "{}", checked.shown());
    let run = || place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    assert_eq!(run().code, 0);
    for told in
        [&sealed.out, &sealed.err, &checked.out, &place.read("secrets/bank.sealed"), &place.recorded()]
    {
        assert!(!told.contains("hunter2"), "{told}");
    }
    // Under another name, as another's file, or on another host it is nothing.
    place.write("ringmail.toml", &format!("{project}\n{}", lines.replace("[secret.bank]", "[secret.shop]")));
    let renamed = place.run(&["secret", "check", "--format", "json"]);
    assert!(
        renamed.code == 1 && renamed.out.contains("was not sealed for this secret"),
        "{}",
        renamed.shown()
    );
    assert!(run().err.contains("was not sealed for this secret"));
    place.write("ringmail.toml", &format!("{project}\n{lines}"));
    std::fs::remove_dir_all(place.path().join(".ringmail")).unwrap();
    assert!(run().err.contains("was not sealed for this secret with the key of this host"));
}

#[test]
fn what_is_no_secret_is_not_sealed() {
    let place = Place::project();
    for (args, input, why) in [
        (&["secret", "seal", "bank"][..], &b""[..], "empty or longer than 48 KiB"),
        (&["secret", "seal", "bank"], &[b'x'; 50_000], "empty or longer than 48 KiB"),
        (&["secret", "seal", "bank"], &[0xff, 0xfe], "the value is no text"),
        (&["secret", "seal", "../bank"], b"x", "letters, digits"),
    ] {
        let ended = place.run_with(args, input);
        assert!(ended.code == 1 && ended.err.contains(why), "{why}: {}", ended.shown());
    }
    assert!(!place.path().join("secrets").exists());
    let project = place.read("ringmail.toml");
    place.write(
        "ringmail.toml",
        &format!("{project}\n[secret.a]\nfrom = \"vault:x\"\nbound_to = [\"https://a.test\"]\n"),
    );
    assert!(
        place.run(&["check"]).err.contains("`env:NAME`, `file:PATH`, `sealed:PATH`, or from `PROVIDER:NAME`")
    );
}
