//! What a registry has, under the registry's own signature: neither an older state of it nor one that stands still comes in.

use crate::registries::{folder_shop, refused};
use crate::setup::Place;
use crate::shop::{Release, bytes, done, publisher};

/// A registry in the folder `shelf` whose index must be signed.
fn signed_shop(more: &str) -> Place {
    let place = folder_shop();
    let public = publisher(&place, "keeper");
    let toml = place.read("ringmail.toml").replace(
        "folder = \"shelf\"",
        &format!("folder = \"shelf\"\nkeys = [{{ public = \"{public}\" }}]\n{more}"),
    );
    place.write("ringmail.toml", &toml);
    place
}

fn indexed(place: &Place, more: &[&str]) -> String {
    let args = ["plugin", "index", "shelf", "--registry", "shelf", "--key", "keeper.key"];
    done(place, &[&args, more].concat()).out
}

/// Index and signature, as they are now.
fn state(place: &Place) -> [Vec<u8>; 2] {
    ["shelf/index.json", "shelf/index.json.sig"].map(|name| bytes(place, name))
}

fn put(place: &Place, [index, signature]: &[Vec<u8>; 2]) {
    place.write_bytes("shelf/index.json", index);
    place.write_bytes("shelf/index.json.sig", signature);
}

fn shelve(place: &Place, version: &str) {
    let package = Release::version(version).publish(place);
    std::fs::create_dir_all(place.path().join("shelf")).unwrap();
    std::fs::rename(place.path().join(&package), place.path().join("shelf").join(&package)).unwrap();
}

#[test]
fn attack_20_a_registry_that_is_rolled_back_is_caught() {
    let place = signed_shop("");
    shelve(&place, "1.0.0");
    done(&place, &["plugin", "index", "shelf"]);
    refused(&place, &["mask"], "its index is not signed");
    assert!(indexed(&place, &[]).contains("signed with number 1"));
    let first = state(&place);
    done(&place, &["plugin", "install", "mask"]);
    assert!(place.read("ringmail.lock").contains("[[index]]\nregistry = \"shelf\"\nnumber = 1\n"));
    // An index that is signed does not lose that by itself.
    let plain = place.run(&["plugin", "index", "shelf"]);
    assert!(plain.code == 1 && plain.err.contains("is signed"), "{}", plain.shown());
    shelve(&place, "1.1.0");
    assert!(indexed(&place, &[]).contains("2 packages in shelf/index.json, signed with number 2"));
    // It is known even by somebody who then got nothing from it.
    let ended = place.run(&["plugin", "install", "mask@^9"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(place.read("ringmail.lock").contains("number = 2"));
    let second = state(&place);
    put(&place, &first);
    let old =
        refused(&place, &["mask"], "its index has the number 1, and 2 was seen already: it was rolled back");
    assert!(old.err.contains("--dangerous-downgrade"), "{}", old.shown());
    // The same number does not come twice with other words.
    std::fs::remove_file(place.path().join("shelf/mask-1.1.0.tar")).unwrap();
    indexed(&place, &["--number", "2"]);
    refused(&place, &["mask"], "another than the one that was seen with the same number 2");
    indexed(&place, &["--number", "18446744073709551615"]);
    refused(&place, &["mask"], "the number 18446744073709551615 is too large");
    put(&place, &second);
    // Whoever begins anew says so, once.
    put(&place, &first);
    done(&place, &["plugin", "install", "mask", "--dangerous-downgrade"]);
    assert!(place.read("ringmail.lock").contains("number = 1"));
}

#[test]
fn attack_20_a_registry_that_stands_still_is_caught() {
    let place = signed_shop("fresh = \"1d\"");
    shelve(&place, "1.0.0");
    indexed(&place, &[]);
    done(&place, &["plugin", "install", "mask"]);
    let toml = place.read("ringmail.toml");
    place.write("ringmail.toml", &toml.replace("\"1d\"", "\"1ms\""));
    std::thread::sleep(std::time::Duration::from_millis(5));
    refused(&place, &["mask@^1"], "its index was signed longer than 1ms ago");
}

#[test]
fn attack_17_only_the_registrys_key_signs_its_index() {
    let place = signed_shop("");
    shelve(&place, "1.0.0");
    indexed(&place, &[]);
    let [index, signature] = state(&place);
    let words = String::from_utf8(signature.clone()).unwrap();
    let with = |from: &str, to: &str, why: &str| {
        place.write("shelf/index.json.sig", &words.replace(from, to));
        refused(&place, &["mask"], why);
    };
    with("number: 1", "number: 7", "its signature is wrong");
    with("number: 1", "number: 01", "is not written as `ringmail` writes it");
    with("registry: shelf", "registry: other", "its signature is wrong");
    with("ringmail index 1", "ringmail file 1", "the signature does not begin with `ringmail index 1`");
    place.write("shelf/index.json.sig", &format!("{words}{}", " ".repeat(4096)));
    refused(&place, &["mask"], "is larger than 4096 bytes");
    put(&place, &[[index.as_slice(), b" "].concat(), signature.clone()]);
    refused(&place, &["mask"], "its index is not the one that was signed");
    put(&place, &[index, signature]);
    // Of another registry, by the same key; of the publisher, who is another.
    let args = ["plugin", "index", "shelf", "--registry", "other", "--key", "keeper.key"];
    done(&place, &args);
    refused(&place, &["mask"], "its index is signed for the registry `other`");
    done(&place, &["plugin", "index", "shelf", "--registry", "shelf", "--key", "acme.key"]);
    refused(&place, &["mask"], "a key that is none of `shelf`'s");
    indexed(&place, &[]);
    let toml = place.read("ringmail.toml");
    place.write("ringmail.toml", &toml.replace("\" }]\n\n", "\", revoked = \"lost\" }]\n\n"));
    refused(&place, &["mask"], "was revoked: lost");
    for (text, why) in [
        ("[registry.x]\nfolder = \"y\"\nfresh = \"1d\"", "`fresh` is for a signed index"),
        ("[registry.x]\nfolder = \"y\"\nkeys = []", "the registry `x` has no key"),
        ("[registry.x]\noci = \"https://x.example\"\nkeys = []", "an OCI registry has no index"),
        ("[registry.x]\nurl = \"https://x.example\"\nuser = \"me\"", "a `user` needs the `secret`"),
    ] {
        place.write("ringmail.toml", &format!("{toml}\n{text}\n"));
        refused(&place, &["mask"], why);
    }
    place.write("ringmail.toml", &toml);
    done(&place, &["plugin", "install", "mask"]);
}

#[test]
fn a_package_is_pushed_into_a_signed_index() {
    let place = signed_shop("");
    std::fs::create_dir(place.path().join("shelf")).unwrap();
    let package = Release::default().publish(&place);
    let none = place.run(&["plugin", "push", &package]);
    assert!(none.code == 1 && none.err.contains("the index of `shelf` is signed"), "{}", none.shown());
    assert!(!place.path().join("shelf/mask-1.0.0.tar").exists());
    let pushed = done(&place, &["plugin", "push", &package, "--key", "keeper.key"]);
    assert!(pushed.out.contains("signed with number 1"), "{}", pushed.shown());
    done(&place, &["plugin", "install", "mask"]);
}
