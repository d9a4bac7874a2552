//! A project that trusts the publisher `acme`, and what `acme` publishes.

use crate::guest::Guest;
use crate::setup::{Ended, Place};
use std::path::Path;

pub const LOG: &str = r#"(import "ringmail:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))"#;

/// A version of the plugin `mask`: what it asks for, and what it does.
pub struct Release<'r> {
    pub plugin: &'r str,
    pub version: &'r str,
    pub asks: &'r str,
    pub guest: Guest<'r>,
}

impl Default for Release<'_> {
    fn default() -> Self {
        Release { plugin: "mask", version: "1.0.0", asks: "", guest: Guest::default() }
    }
}

impl<'r> Release<'r> {
    pub fn version(version: &'r str) -> Release<'r> {
        Release { version, ..Release::default() }
    }

    fn manifest(&self) -> String {
        let Release { plugin, version, asks, .. } = self;
        format!("plugin = \"{plugin}\"\nversion = \"{version}\"\ndescription = \"masks\"\n{asks}")
    }

    /// Writes its folder and packs it; gives the package's name.
    pub fn pack(&self, place: &Place) -> String {
        let folder = format!("{}-{}", self.plugin, self.version);
        place.write(&format!("{folder}/plugin.toml"), &self.manifest());
        place.write_bytes(&format!("{folder}/plugin.wasm"), &self.guest.component());
        let name = format!("{folder}.tar");
        done(place, &["plugin", "pack", &folder, "--output", &name]);
        name
    }

    /// Packs it and signs it as `acme`.
    pub fn publish(&self, place: &Place) -> String {
        let name = self.pack(place);
        sign(place, &name, "acme");
        name
    }

    pub fn install(&self, place: &Place) -> Ended {
        let name = self.publish(place);
        place.run(&["plugin", "install", &name])
    }
}

pub fn done(place: &Place, args: &[&str]) -> Ended {
    let ended = place.run(args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.shown());
    ended
}

pub fn sign(place: &Place, package: &str, publisher: &str) {
    done(place, &["plugin", "sign", package, "--publisher", publisher, "--key", &format!("{publisher}.key")]);
}

/// Makes a publisher's key; gives the public one.
pub fn publisher(place: &Place, name: &str) -> String {
    let made = place.command(&["plugin", "keygen", &format!("{name}.key")]).output().unwrap();
    let out = String::from_utf8(made.stdout).unwrap();
    out.split_once("public = \"").unwrap().1.split_once('"').unwrap().0.to_string()
}

pub fn add(place: &Place, text: &str) {
    place.write("ringmail.toml", &format!("{}\n{text}\n", place.read("ringmail.toml")));
}

/// Trusts a publisher with these plugins; gives its public key.
pub fn trust(place: &Place, name: &str, plugins: &str) -> String {
    let public = publisher(place, name);
    add(place, &format!("[publisher.{name}]\nkeys = [{{ public = \"{public}\" }}]\nplugins = {plugins}"));
    public
}

/// A project that trusts `acme` with `mask`, and a chain that calls it.
pub fn shop() -> Place {
    let place = Place::project();
    trust(&place, "acme", "[\"mask\"]");
    place.write(
        "chains/use.yaml",
        "chain: use\nlinks:\n  m: {kind: plugin, plugin: mask, with: '${input}'}\noutput: ${m}\n",
    );
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place
}

pub fn grant(place: &Place, more: &[&str]) -> Ended {
    let mut args = vec!["plugin", "grant", "mask", "--reason", "masks what we log"];
    args.extend(more);
    place.run(&args)
}

pub fn call(place: &Place) -> Ended {
    place.run(&["run", "use", "--input", "\"hello\""])
}

/// Every file among the installed packages.
pub fn archives(place: &Place) -> Vec<String> {
    let folder = place.path().join(".ringmail/plugins");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "held").collect();
    names.sort();
    names
}

pub fn bytes(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.path().join(name)).unwrap()
}

pub fn exists(place: &Place, name: &str) -> bool {
    Path::exists(&place.path().join(name))
}
