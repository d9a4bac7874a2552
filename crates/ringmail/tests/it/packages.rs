//! Packages from their publisher into a chain, and what must not get in on that way.

use crate::guest::Guest;
use crate::setup::Place;
use crate::shop::{
    LOG, Release, add, archives, bytes, call, done, exists, grant, publisher, shop, sign, trust,
};

/// Nothing came in: no archive, no lock.
fn nothing_came_in(place: &Place) {
    assert_eq!(archives(place), Vec::<String>::new());
    assert!(!exists(place, "ringmail.lock"));
}

#[track_caller]
fn refused(place: &Place, package: &str, why: &str) {
    let before = (archives(place), std::fs::read_to_string(place.path().join("ringmail.lock")).ok());
    let ended = place.run(&["plugin", "install", package]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.err.contains(why), "`{why}` in {}", ended.shown());
    let after = (archives(place), std::fs::read_to_string(place.path().join("ringmail.lock")).ok());
    assert_eq!(before, after, "something was left on disk");
}

#[test]
fn a_package_goes_from_its_folder_into_a_chain_and_out_again() {
    let place = shop();
    let package = Release::default().publish(&place);
    let verify = done(&place, &["plugin", "verify", &package]);
    assert!(verify.out.contains("mask 1.0.0 is signed by acme"), "{}", verify.shown());
    let install = done(&place, &["plugin", "install", &package]);
    assert!(install.out.contains("it may do nothing yet"), "{}", install.shown());
    // Installed is not granted.
    assert_ne!(call(&place).code, 0);
    let granted = grant(&place, &[]);
    assert_eq!(granted.code, 0, "{}", granted.shown());
    let check = done(&place, &["check"]);
    assert_eq!(check.err, "");
    let run = call(&place);
    assert_eq!((run.code, &*run.out), (0, "hello\n"), "{}", run.shown());
    let inspect = done(&place, &["plugin", "inspect", "mask"]);
    assert!(inspect.out.contains("mask 1.0.0"), "{}", inspect.shown());
    done(&place, &["plugin", "remove", "mask"]);
    assert_eq!(archives(&place), Vec::<String>::new());
    assert!(!place.read("ringmail.toml").contains("[plugin"));
    assert_ne!(call(&place).code, 0);
}

#[test]
fn the_same_folder_packs_to_the_same_bytes() {
    let (one, two) = (Place::empty(), Place::empty());
    let release = Release { asks: "[log]\nreason = \"says what it did\"\n", ..Release::default() };
    for place in [&one, &two] {
        place.write("mask-1.0.0/requirements.txt", "left==1.2 # a part\nright>=3\n");
        release.pack(place);
    }
    assert_eq!(bytes(&one, "mask-1.0.0.tar"), bytes(&two, "mask-1.0.0.tar"));
    let text = String::from_utf8_lossy(&bytes(&one, "mask-1.0.0.tar")).into_owned();
    for named in [
        "\"bomFormat\": \"CycloneDX\"",
        "\"left\"",
        "\"1.2\"",
        "\"right\"",
        "requirements.txt",
        "wit-component",
    ] {
        assert!(text.contains(named), "{named}");
    }
}

#[test]
fn attack_17_what_is_signed_comes_in_whole_or_not_at_all() {
    let place = shop();
    let package = Release::default().publish(&place);
    let good = bytes(&place, &package);
    let other =
        Release { guest: Guest::calling("(unreachable)"), ..Release::version("1.0.1") }.publish(&place);
    let other = bytes(&place, &other);
    // The parts of each: manifest, module, bill and signature.
    let (good, other) = (members(&good), members(&other));
    for (index, why) in [
        (0, "its SBOM is of another plugin or version"),
        (1, "its SBOM is of another module"),
        (2, "its SBOM is of"),
        (3, "its signature is for another"),
    ] {
        let mut mixed = good.clone();
        mixed[index] = other[index].clone();
        place.write_bytes("mixed.tar", &tar(&mixed));
        refused(&place, "mixed.tar", why);
    }
    // The module with the bill that fits, under the signature of the one that was there.
    let mixed = [good[0].clone(), other[1].clone(), bill_for(&good[2], &good[1], &other[1]), good[3].clone()];
    place.write_bytes("mixed.tar", &tar(&mixed));
    refused(&place, "mixed.tar", "its signature is for another module");
    let mut manifest = good.clone();
    manifest[0].1 = [manifest[0].1.as_slice(), b"\n[log]\nreason = \"x\"\n"].concat();
    place.write_bytes("mixed.tar", &tar(&manifest));
    refused(&place, "mixed.tar", "its signature is for another manifest");
    place.write_bytes("mixed.tar", &tar(&good[..3]));
    refused(&place, "mixed.tar", "it is not signed");
    place.write_bytes("mixed.tar", &tar(&good[1..]));
    refused(&place, "mixed.tar", "`plugin.wasm` is another module");
    // Each line of the signature is signed.
    let text = String::from_utf8(good[3].1.clone()).unwrap();
    for (line, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        let mut forged = good.clone();
        let changed = if line == "publisher" { "acme2".to_string() } else { flip(value) };
        let text = text.replace(&format!("{line}: {value}\n"), &format!("{line}: {changed}\n"));
        forged[3].1 = text.into_bytes();
        place.write_bytes("forged.tar", &tar(&forged));
        refused(&place, "forged.tar", "");
    }
    nothing_came_in(&place);
}

/// A value like this one, and not this one.
fn flip(value: &str) -> String {
    let last = value.chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    format!("{}{other}", &value[..value.len() - 1])
}

#[test]
fn attack_17_only_a_key_of_the_publisher_signs_for_it() {
    let place = shop();
    // Trusted, and for something else.
    trust(&place, "other", "[\"tools\"]");
    let package = Release::default().pack(&place);
    refused(&place, &package, "it is not signed");
    sign(&place, &package, "other");
    refused(&place, &package, "`other` may not publish the plugin `mask`");
    done(&place, &["plugin", "sign", &package, "--publisher", "acme", "--key", "other.key"]);
    refused(&place, &package, "a key that is none of `acme`'s");
    publisher(&place, "nobody");
    sign(&place, &package, "nobody");
    refused(&place, &package, "does not know its publisher `nobody`");
    nothing_came_in(&place);
    // There is no mode in which a signature only warns, and none that can be mistyped.
    let before = place.read("ringmail.toml");
    for mode in ["verify = \"warn\"", "signature = \"optinal\"", "require_signature = false"] {
        place.write(
            "ringmail.toml",
            &before.replace("[publisher.acme]", &format!("[publisher.acme]\n{mode}")),
        );
        refused(&place, &package, "unknown key");
    }
}

#[test]
fn attack_17_an_old_version_does_not_come_back() {
    let place = shop();
    let old = Release::version("1.0.0").publish(&place);
    let new = Release::version("1.1.0").publish(&place);
    done(&place, &["plugin", "install", &new]);
    refused(&place, &old, "`mask` 1.0.0 is older than 1.1.0");
    // The same version, signed earlier.
    let again = Release::version("1.1.0").publish(&place);
    let earlier = bytes(&place, &again);
    std::thread::sleep(std::time::Duration::from_millis(5));
    sign(&place, &again, "acme");
    done(&place, &["plugin", "install", &again]);
    place.write_bytes("earlier.tar", &earlier);
    refused(&place, "earlier.tar", "`mask` 1.1.0 was signed before");
    let insisted = place.run(&["plugin", "install", &old, "--dangerous-downgrade"]);
    assert_eq!(insisted.code, 0, "{}", insisted.shown());
    assert!(place.read("ringmail.lock").contains("version = \"1.0.0\""));
}

#[test]
fn a_key_counts_while_it_is_good_and_never_once_it_is_revoked() {
    let place = Place::project();
    let (first, second) = (publisher(&place, "acme"), publisher(&place, "next"));
    let base = place.read("ringmail.toml");
    let keys = |first_more: &str, second_more: &str| {
        let keys = format!(
            "keys = [{{ public = \"{first}\"{first_more} }}, {{ public = \"{second}\"{second_more} }}]"
        );
        place.write("ringmail.toml", &format!("{base}\n[publisher.acme]\n{keys}\nplugins = [\"mask\"]\n"));
    };
    keys("", "");
    let package = Release::default().publish(&place);
    let verify = |why: &str| {
        let ended = place.run(&["plugin", "verify", &package]);
        assert!(
            ended.err.contains(why) && ended.code == i32::from(!why.is_empty()),
            "{why}: {}",
            ended.shown()
        );
    };
    verify("");
    keys(", not_after = 2020-01-01", "");
    verify("was signed when the key of `acme` could not sign");
    keys(", not_before = 2090-01-01", "");
    verify("was signed when the key of `acme` could not sign");
    keys(", not_before = 2020-01-01, not_after = 2090-01-01", "");
    verify("");
    keys(", revoked = \"a stolen laptop\"", "");
    verify("was revoked: a stolen laptop");
    // While one key takes over from the other both count.
    done(&place, &["plugin", "sign", &package, "--publisher", "acme", "--key", "next.key"]);
    verify("");
    done(&place, &["plugin", "install", &package]);
    grant(&place, &[]);
    done(&place, &["plugin", "list"]);
    // What is installed ends with the key that signed it.
    let granted = place.read("ringmail.toml");
    place.write(
        "ringmail.toml",
        &granted.replace(&format!("\"{second}\""), &format!("\"{second}\", revoked = \"gone\"")),
    );
    let list = place.run(&["plugin", "list"]);
    assert!(list.code == 1 && list.err.contains("was revoked: gone"), "{}", list.shown());
    place.write("ringmail.toml", &granted.replace(&second, &first.replace(['0', '1', '2', '3'], "4")));
    let list = place.run(&["plugin", "list"]);
    assert!(list.err.contains("a key that is none of `acme`'s"), "{}", list.shown());
}

#[test]
fn attack_18_grants_are_for_one_digest_and_what_is_wider_is_shown() {
    let place = shop();
    Release { asks: "[log]\nreason = \"says what it did\"\n", ..Release::default() }.install(&place);
    add(&place, "# kept\n");
    let granted = grant(&place, &["--approved-by", "maria", "--expires", "2090-01-01"]);
    assert!(granted.out.contains("✓ log"), "{}", granted.shown());
    let toml = place.read("ringmail.toml");
    for kept in
        ["# kept", "log = {}", "approved_by = \"maria\"", "expires = \"2090-01-01\"", "publisher = \"acme\""]
    {
        assert!(toml.contains(kept), "{kept} in {toml}");
    }
    let asks = "[log]\nreason = \"says what it did\"\n[[net]]\naddress = \"https://evil.example\"\nmethods = [\"POST\"]\nreason = \"telemetry\"\n[limits]\ntime = \"9s\"\n";
    let wider = Release { asks, ..Release::version("1.1.0") };
    let install = wider.install(&place);
    assert_eq!(install.code, 0, "{}", install.shown());
    assert!(install.out.contains("+ net POST https://evil.example telemetry"), "{}", install.shown());
    assert!(install.out.contains("it may do nothing yet"), "{}", install.shown());
    // The version that was granted goes on as it was.
    assert_eq!(place.read("ringmail.toml"), toml);
    assert_eq!((call(&place).code, archives(&place).len()), (0, 2));
    let diff = done(&place, &["plugin", "diff", "mask"]);
    for line in ["+ net POST https://evil.example telemetry", "+ limit time: 9000 instead of 5000"] {
        assert!(diff.out.contains(line), "{}", diff.shown());
    }
    // What is looked at is what would be granted, and not what was.
    let inspect = done(&place, &["plugin", "inspect", "mask"]);
    for part in ["mask 1.1.0", "https://evil.example", "granted now is another\n  1.0.0 sha256:"] {
        assert!(inspect.out.contains(part), "{part}: {}", inspect.shown());
    }
    let granted = grant(&place, &["--only", "log"]);
    for part in ["  version: 1.1.0 instead of 1.0.0\n", "  digest: sha256:"] {
        assert!(granted.out.contains(part) && diff.out.contains(part), "{part}: {}", granted.shown());
    }
    assert!(granted.out.contains("· net POST https://evil.example was not granted"), "{}", granted.shown());
    assert!(granted.out.contains("+ net POST https://evil.example"), "{}", granted.shown());
    let toml = place.read("ringmail.toml");
    // Neither the approver nor the end of the grant before is taken over.
    assert!(
        !toml.contains("approved_by = \"maria\"") && !toml.contains("2090") && !toml.contains("evil"),
        "{toml}"
    );
    let same_version = Release {
        asks: "",
        guest: Guest::calling("(call $ok (local.get $p) (local.get $n)) (nop)"),
        ..Release::version("1.1.0")
    };
    assert_eq!(same_version.install(&place).code, 0);
    let list = done(&place, &["plugin", "list", "--format", "json"]);
    assert!(list.out.contains("\"log\""), "{}", list.shown());
    // A pin that is edited to the new digest finds that it must be granted what it has.
    done(&place, &["plugin", "revoke", "mask"]);
    assert!(!place.read("ringmail.toml").contains("[plugin.mask]"));
    assert_ne!(call(&place).code, 0);
}

#[test]
fn attack_19_an_archive_holds_what_a_package_holds_and_nothing_else() {
    let place = shop();
    let package = Release::default().publish(&place);
    let good = members(&bytes(&place, &package));
    assert_eq!(tar(&good), bytes(&place, &package));
    let try_it = |bytes: &[u8], why: &str| {
        place.write_bytes("bad.tar", bytes);
        refused(&place, "bad.tar", why);
        let inspect = place.run(&["plugin", "inspect", "bad.tar"]);
        assert!(inspect.code == 1 && inspect.err.contains(why), "{}", inspect.shown());
    };
    let with = |name: &str, kind: u8, link: &str| {
        let mut whole = tar(&good[..3]);
        whole.truncate(whole.len() - 1024);
        whole.extend(header(name, kind, link, 0));
        whole.resize(whole.len() + 1024, 0);
        whole
    };
    try_it(&with("signature", b'2', "/etc/passwd"), "`signature` is a link");
    try_it(&with("signature", b'1', "plugin.wasm"), "`signature` is a link");
    try_it(&with("signature", b'3', ""), "`signature` is a device");
    try_it(&with("extra", b'5', ""), "`extra` is a folder");
    try_it(&with("../../.ssh/authorized_keys", b'0', ""), "leads out of the package");
    try_it(&with("/etc/cron.d/x", b'0', ""), "leads out of the package");
    try_it(&with("..\\x", b'0', ""), "leads out of the package");
    try_it(&with("plugin.toml", b'0', ""), "`plugin.toml` is in it twice");
    try_it(&with("second.wasm", b'0', ""), "`second.wasm` is another module");
    try_it(&with("setup.sh", b'0', ""), "`setup.sh` has no place in a package");
    let whole = tar(&good);
    try_it(&[&whole[..], b"more"].concat(), "something follows its end");
    try_it(&[&whole[..], &[0; 512]].concat(), "something follows its end");
    try_it(&whole[..whole.len() - 512], "it ends too early");
    try_it(&whole[..700], "it ends too early");
    try_it(b"", "it ends too early");
    try_it(&vec![b'x'; 4096], "it is not a package");
    // A bomb is not unpacked: nothing is.
    try_it(&[&[0x1f, 0x8b, 8, 0][..], &[0; 2048]].concat(), "it is compressed, and packages are not");
    try_it(&[&b"PK\x03\x04"[..], &[0; 2048]].concat(), "it is compressed, and packages are not");
    let mut huge = whole.clone();
    huge[..512].copy_from_slice(&header("plugin.toml", b'0', "", 0o77777777777));
    try_it(&huge, "more than 1048576");
    let mut owned = whole.clone();
    owned[108..115].copy_from_slice(b"0001750");
    try_it(&owned, "was not packed by `ringmail plugin pack`");
    // Between the end of a member and the next block something could hide.
    let mut hidden = whole.clone();
    let end = 512 + good[0].1.len();
    hidden[end] = 1;
    try_it(&hidden, "something hidden behind `plugin.toml`");
    nothing_came_in(&place);
}

#[test]
fn attack_19_an_edited_copy_among_the_installed_is_not_loaded() {
    let place = shop();
    Release::default().install(&place);
    grant(&place, &[]);
    assert_eq!(call(&place).code, 0);
    let name = format!(".ringmail/plugins/{}", archives(&place)[0]);
    let mut copy = bytes(&place, &name);
    let good = copy.clone();
    let at = copy.windows(5).position(|part| part == b"masks").unwrap();
    copy[at] = b'M';
    place.write_bytes(&name, &copy);
    for command in [&["check"][..], &["run", "use", "--input", "\"x\""], &["plugin", "list"]] {
        let ended = place.run(command);
        assert!(
            ended.code == 1 && ended.err.contains("its bytes are not those of `ringmail.lock`"),
            "{}",
            ended.shown()
        );
    }
    place.write_bytes(&name, &good);
    assert_eq!(call(&place).code, 0);
    // Neither is a lock that names the edited copy: its signature is held against it.
    let lock = place.read("ringmail.lock");
    let line = lock.lines().find(|line| line.starts_with("package = ")).unwrap();
    let digest = |bytes: &[u8]| ringmail_engine::core::package::sha256(bytes);
    place.write("ringmail.lock", &lock.replace(line, &format!("package = \"{}\"", digest(&copy))));
    place.write_bytes(&format!(".ringmail/plugins/{}.tar", &digest(&copy)[7..]), &copy);
    let ended = call(&place);
    assert!(
        ended.code == 1 && ended.err.contains("its signature is for another manifest"),
        "{}",
        ended.shown()
    );
    for (from, to, why) in [
        ("issued = ", "issued = 1", "`ringmail.lock` says something else of it"),
        ("publisher = \"acme\"", "publisher = \"acne\"", "it was published by `acne`"),
        ("version = 1", "versoin = 1", "unknown key"),
        ("package = \"sha256:", "package = \"md5:", "is not a SHA-256 digest"),
    ] {
        place.write("ringmail.lock", &lock.replacen(from, to, 1));
        let ended = call(&place);
        assert!(ended.code == 1 && ended.err.contains(why), "{why}: {}", ended.shown());
    }
}

#[test]
fn attack_22_what_a_package_says_is_data() {
    let place = shop();
    let description = "a\\u001b[31m\\u0007\\\"../../x\\n$(touch owned) 'quote";
    let asks = format!("[log]\nreason = \"\\u001b]0;owned\\u0007 {}\"\n", "x".repeat(100_000));
    let release = Release { asks: &asks, ..Release::default() };
    release.pack(&place);
    let toml = place.read("mask-1.0.0/plugin.toml").replace("\"masks\"", &format!("\"{description}\""));
    place.write("mask-1.0.0/plugin.toml", &toml);
    done(&place, &["plugin", "pack", "mask-1.0.0", "--output", "said.tar"]);
    sign(&place, "said.tar", "acme");
    for args in [
        &["plugin", "inspect", "said.tar"][..],
        &["plugin", "install", "said.tar"],
        &["plugin", "grant", "mask", "--reason", "r"],
        &["plugin", "list"],
        &["plugin", "explain", "mask"],
        &["plugin", "diff", "said.tar", "mask"],
    ] {
        let ended = done(&place, args);
        let told = format!("{}{}", ended.out, ended.err);
        assert!(!told.contains('\u{1b}') && !told.contains('\u{7}'), "{args:?}: {told:.500}");
    }
    assert!(!exists(&place, "owned"));
    // Names that are no names do not get as far as a path.
    for name in ["../../x", "a b", "A", "x/y", "\\u0000"] {
        place.write(
            "mask-1.0.0/plugin.toml",
            &toml.replace("plugin = \"mask\"", &format!("plugin = \"{name}\"")),
        );
        let ended = place.run(&["plugin", "pack", "mask-1.0.0", "--output", "named.tar"]);
        assert!(ended.code == 1 && !exists(&place, "named.tar"), "{}", ended.shown());
    }
    for publisher in ["a\nplugin: other", "", "\u{1b}[31m"] {
        let args = ["plugin", "sign", "said.tar", "--publisher", publisher, "--key", "acme.key"];
        assert_eq!(place.run(&args).code, 1);
    }
}

#[test]
fn a_grant_gives_what_is_asked_and_says_what_not() {
    let place = shop();
    let asks = "[clock]\nreason = \"c\"\n[random]\nreason = \"r\"\n[[env]]\nname = \"GREETING\"\nreason = \"e\"\n[[env]]\nname = \"OTHER\"\nreason = \"e\"\n[[fs]]\nmount = \"inbox\"\naccess = \"read\"\nreason = \"f\"\n[[net]]\naddress = \"https://api.example\"\nreason = \"n\"\n";
    Release { asks, ..Release::default() }.install(&place);
    // A grant that would not load is not written.
    let toml = place.read("ringmail.toml");
    let granted = grant(&place, &[]);
    assert!(granted.code == 1 && granted.err.contains("there is no mount `inbox`"), "{}", granted.shown());
    assert_eq!(place.read("ringmail.toml"), toml);
    std::fs::create_dir(place.path().join("in")).unwrap();
    add(&place, "[mount.inbox]\npath = \"in\"");
    let granted = grant(&place, &["--env", "GREETING=a \"b\"", "--format", "json"]);
    for told in [
        "fs read inbox",
        "net GET/HEAD https://api.example",
        "env GREETING",
        "\"not_granted\": [\n    \"env OTHER\"",
    ] {
        assert!(granted.out.contains(told), "{told} in {}", granted.shown());
    }
    let explain = done(&place, &["plugin", "explain", "mask"]);
    assert!(explain.out.contains("env GREETING = a \"b\""), "{}", explain.shown());
    for (more, why) in [
        (&["--only", "log"][..], "does not ask for `log`"),
        (&["--env", "X=1"], "does not ask for the setting `X`"),
        (&["--env", "X"], "is not a setting"),
        (&["--expires", "soon"], "`soon` is not a date"),
    ] {
        let ended = grant(&place, more);
        assert!(ended.code == 1 && ended.err.contains(why), "{why}: {}", ended.shown());
    }
    // A folder is granted in the same way.
    place.write("ringmail.toml", &toml);
    let ended = place.run(&["plugin", "grant", "mask-1.0.0", "--reason", "r", "--only", "clock"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(place.read("ringmail.toml").contains("path = \"mask-1.0.0\""));
    done(&place, &["plugin", "list"]);
    let writes = Release { guest: Guest { imports: LOG, ..Guest::default() }, ..Release::version("1.2.0") };
    writes.install(&place);
    let diff = done(&place, &["plugin", "diff", "mask-1.0.0.tar", "mask-1.2.0.tar"]);
    assert!(diff.out.contains("+ ringmail:plugin/log"), "{}", diff.shown());
}

#[test]
fn two_at_once_and_one_that_is_killed_leave_a_project_that_works() {
    let place = shop();
    let packages = ["1.0.0", "1.0.1"].map(|version| Release::version(version).publish(&place));
    let both = packages.each_ref().map(|package| {
        place
            .command(&["plugin", "install", package])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    });
    for mut one in both {
        one.wait().unwrap();
    }
    assert!(place.read("ringmail.lock").contains("version = \"1.0.1\""));
    assert_eq!(archives(&place).len(), 1);
    grant(&place, &[]);
    for version in 0..24_u64 {
        let release = format!("1.1.{version}");
        let package = Release::version(&release).publish(&place);
        let mut one = place
            .command(&["plugin", "install", &package])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(version * 400));
        one.kill().unwrap();
        one.wait().unwrap();
        assert_eq!(call(&place).code, 0, "killed after {} us", version * 400);
        let listed = done(&place, &["plugin", "list"]);
        assert!(listed.out.contains("mask 1.0.1"), "{}", listed.shown());
    }
    // What somebody left behind is cleared away.
    place.write(".ringmail/plugins/.half.tar.77.new", "half");
    assert_eq!(Release::version("1.2.0").install(&place).code, 0);
    assert!(archives(&place).len() == 2 && !exists(&place, ".ringmail/plugins/.half.tar.77.new"));
}

#[test]
fn a_private_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = shop();
    let path = place.path().join("acme.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = place.run(&["plugin", "keygen", "acme.key"]);
    assert!(again.code == 1 && again.err.contains("never written over"), "{}", again.shown());
    let package = Release::default().pack(&place);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let args = ["plugin", "sign", &package, "--publisher", "acme", "--key", "acme.key"];
    let open = place.run(&args);
    assert!(open.code == 1 && open.err.contains("others than its owner can read"), "{}", open.shown());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.write("acme.key", "ringmail publisher key 1\n00\n");
    assert!(place.run(&args).err.contains("is not a publisher's key"));
}

/// A run of a plugin that loops, and what is done to the project meanwhile; ends with what the run said.
fn while_it_loops(name: &str, place: &Place, change: impl FnOnce()) -> String {
    use std::process::Stdio;
    let mut run = place.command(&["run", "use", "--input", "1"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It is under way once the run is on record.
    let count = || place.recorded().matches("\"started\"").count();
    let (before, begun) = (count(), std::time::Instant::now());
    while count() <= before && begun.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(run.try_wait().unwrap().is_none(), "{name}: it ended by itself");
    change();
    let since = std::time::Instant::now();
    let ended = place.ended(run.wait_with_output().unwrap());
    assert!(since.elapsed().as_secs_f64() < 1.0, "{name}: {:?}", since.elapsed());
    assert_eq!(ended.code, 20, "{name}: {}", ended.shown());
    ended.err
}

#[test]
fn attack_21_what_is_revoked_stops_while_it_runs() {
    let place = shop();
    let guest = Guest::calling("(loop $l (br $l)) (unreachable)");
    let release = Release { guest, asks: "[limits]\ntime = \"60s\"\n", ..Release::default() };
    release.install(&place);
    let granted = || {
        assert_eq!(grant(&place, &[]).code, 0);
        place.read("ringmail.toml")
    };
    granted();
    let said = while_it_loops("revoke", &place, || drop(done(&place, &["plugin", "revoke", "mask"])));
    assert!(said.contains("`mask` was revoked: its grant was revoked"), "{said}");
    let toml = granted();
    let said = while_it_loops("narrower", &place, || {
        place.write(
            "ringmail.toml",
            &toml.replace("reason = \"masks what we log\"", "reason = \"x\"\nexpires = 2000-01-01"),
        );
    });
    assert!(said.contains("its grant was changed"), "{said}");
    place.write("ringmail.toml", &toml);
    let said = while_it_loops("key", &place, || {
        place.write("ringmail.toml", &toml.replace("\" }]\nplugins", "\", revoked = \"stolen\" }]\nplugins"));
    });
    assert!(said.contains("was revoked: stolen"), "{said}");
    place.write("ringmail.toml", &toml);
    let said = while_it_loops("publisher", &place, || {
        place.write("ringmail.toml", &toml.replace("plugins = [\"mask\"]", "plugins = []"));
    });
    assert!(said.contains("`acme` may not publish the plugin `mask`"), "{said}");
    place.write("ringmail.toml", &toml);
    // What made the whole file wrong once took nothing away: a publisher, its keys, or the file itself.
    let (publisher, rest) = (toml.find("[publisher.acme]").unwrap(), toml.find("[plugin.mask]").unwrap());
    assert!(publisher < rest, "{toml}");
    let gone = format!("{}{}", &toml[..publisher], &toml[rest..]);
    let keys = toml.find("keys = [").unwrap();
    let keyless =
        format!("{}keys = [{}", &toml[..keys], &toml[keys + toml[keys..].find("]\nplugins").unwrap()..]);
    let beside = format!("{}\n[unheard_of]\nkey = 1\n", &toml[..rest]);
    for (name, text, why) in [
        ("no publisher", Some(&gone), "acme"),
        ("no keys", Some(&keyless), "acme"),
        ("no plugin, and an error beside", Some(&beside), "its grant was revoked"),
        ("no file", None, "its grant was revoked"),
    ] {
        let said = while_it_loops(name, &place, || match text {
            Some(text) => drop(place.write("ringmail.toml", text)),
            None => std::fs::remove_file(place.path().join("ringmail.toml")).unwrap(),
        });
        assert!(said.contains("`mask` was revoked") && said.contains(why), "{name}: {said}");
        place.write("ringmail.toml", &toml);
    }
    // A file that is half written takes nothing away, and says so.
    let said = while_it_loops("broken", &place, || {
        place.write("ringmail.toml", "[plugin");
        std::thread::sleep(std::time::Duration::from_millis(500));
        place.write("ringmail.toml", &toml.replace("[plugin.mask]", "[plugin.mask]\nclock = true"));
    });
    assert!(
        said.contains("what was granted before holds") && said.contains("its grant was changed"),
        "{said}"
    );
}

#[test]
fn a_project_that_requires_it_loads_signed_chains_alone() {
    let place = shop();
    place.write("chains/greet.yaml", "chain: greet\nlinks: {}\noutput: hello\n");
    place.write("chains/use.yaml", "chain: use\nlinks: {}\noutput: hello\n");
    let open = place.read("ringmail.toml").replace(
        "[[grant]]\nto = \"greet.note\"\nreason = \"notes each greeting in the log\"\nlog = {}\n",
        "",
    );
    let closed = open.replace("[project]", "[project]\nrequire_signed = true");
    assert_ne!(open, closed);
    place.write("ringmail.toml", &closed);
    let run = |why: &str| {
        let ended = place.run(&["run", "chains/use.yaml"]);
        assert_eq!(ended.code, i32::from(!why.is_empty()), "{why}: {}", ended.shown());
        assert!(ended.err.contains(why), "{why}: {}", ended.shown());
        let verify = place.run(&["verify", "chains/use.yaml"]);
        assert!(verify.code == ended.code && verify.err.contains(why), "{why}: {}", verify.shown());
    };
    run("it is not signed");
    let sign = |file: &str| done(&place, &["sign", file, "--publisher", "acme", "--key", "acme.key"]);
    sign("chains/use.yaml");
    run("`acme` may not sign files");
    place.write("ringmail.toml", &closed.replace("plugins = [\"mask\"]", "files = true"));
    run("");
    // Whoever cannot sign cannot break another's run, and `check` names each file.
    let check = place.run(&["check"]);
    assert!(
        check.code == 1 && check.err.contains("`chains/greet.yaml` is not loaded: it is not signed"),
        "{}",
        check.shown()
    );
    assert!(!check.err.contains("`chains/use.yaml`"), "{}", check.shown());
    sign("chains/greet.yaml");
    done(&place, &["check"]);
    // Two signed files do not change places, and a signature is not that of a package.
    let signature = place.read("chains/use.yaml.sig");
    place.write("chains/use.yaml.sig", &place.read("chains/greet.yaml.sig"));
    run("its signature is for the file `greet.yaml`");
    place.write("chains/use.yaml.sig", &signature.replace("ringmail file 1", "ringmail package 1"));
    run("the signature does not begin with `ringmail file 1`");
    place.write("chains/use.yaml.sig", &signature.replace("publisher: acme", "publisher: acne"));
    run("does not know its publisher `acne`");
    place.write("chains/use.yaml.sig", &signature.replace("issued: ", "issued: 1"));
    run("its signature is wrong");
    place.write("chains/use.yaml.sig", &signature);
    run("");
    place.write("chains/use.yaml", "chain: use\nlinks: {}\noutput: other\n");
    run("its signature is for other content");
    // A script is a file like any other.
    place.write(
        "chains/use.yaml",
        "chain: use\nlinks:\n  s: {kind: script, file: s.rhai, with: 1}\noutput: ${s}\n",
    );
    place.write("s.rhai", "fn main(input) { input + 1 }");
    sign("chains/use.yaml");
    let script = place.run(&["run", "chains/use.yaml"]);
    assert!(
        script.code == 1 && script.err.contains("`s.rhai` is not loaded: it is not signed"),
        "{}",
        script.shown()
    );
    sign("s.rhai");
    assert_eq!(done(&place, &["run", "chains/use.yaml"]).out, "2\n");
    place.write("s.rhai", "fn main(input) { input + 2 }");
    let script = place.run(&["run", "chains/use.yaml"]);
    assert!(
        script.code == 1 && script.err.contains("its signature is for other content"),
        "{}",
        script.shown()
    );
    // The cases beside a script are not signed, so none of them is a script.
    place.write("s.test.json", "fn main(input) { input + 3 }");
    place.write("chains/use.yaml", &place.read("chains/use.yaml").replace("s.rhai", "s.test.json"));
    sign("chains/use.yaml");
    let cases = place.run(&["run", "chains/use.yaml"]);
    assert!(
        cases.code == 1 && cases.err.contains("`s.test.json` is not loaded: it is not signed"),
        "{}",
        cases.shown()
    );
    place.write("chains/use.yaml", "chain: use\nlinks: {}\noutput: other\n");
    place.write("ringmail.toml", &open);
    assert_eq!(place.run(&["run", "chains/use.yaml"]).out, "other\n");
}

type Member = (String, Vec<u8>);

/// The members of an archive, taken apart by its block structure alone.
fn members(archive: &[u8]) -> Vec<Member> {
    let (mut at, mut out) = (0, Vec::new());
    while archive[at] != 0 {
        let name = archive[at..at + 100].split(|byte| *byte == 0).next().unwrap();
        let size = std::str::from_utf8(&archive[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        out.push((String::from_utf8(name.to_vec()).unwrap(), archive[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    out
}

fn header(name: &str, kind: u8, link: &str, size: usize) -> [u8; 512] {
    let mut out = [0_u8; 512];
    let size = format!("{size:011o}\0");
    let parts: [(usize, &[u8]); 10] = [
        (0, name.as_bytes()),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (148, b"        "),
        (156, &[kind]),
        (157, link.as_bytes()),
        (257, b"ustar\x0000"),
    ];
    for (at, bytes) in parts {
        out[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let sum: u32 = out.iter().map(|byte| u32::from(*byte)).sum();
    out[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out
}

fn tar(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in members {
        out.extend(header(name, b'0', "", bytes.len()));
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A bill with another module's digest in it.
fn bill_for(bill: &Member, old: &Member, new: &Member) -> Member {
    let digest = |member: &Member| ringmail_engine::core::package::sha256(&member.1)[7..].to_string();
    let text = String::from_utf8(bill.1.clone()).unwrap();
    (bill.0.clone(), text.replace(&digest(old), &digest(new)).into_bytes())
}
