//! What tests need of other toolchains: fetched from the package registries once, and kept below the target folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that outlives the tests, for one of them at a time as long as the file is held.
pub fn kept(name: &str) -> (PathBuf, File) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    (folder, lock)
}

/// Where packages of Debian lie, unpacked: those that `choose` names once it is known what there is.
pub fn debian(name: &str, choose: impl FnOnce() -> Vec<String>) -> PathBuf {
    let (folder, _lock) = kept(name);
    let (unpacked, whole) = (folder.join("root"), folder.join("whole"));
    if whole.is_file() {
        return unpacked;
    }
    let run = |program: &str, args: &[&str]| {
        let ended = Command::new(program).args(args).current_dir(&folder).output();
        ended.is_ok_and(|ended| ended.status.success())
    };
    // While one learns what there is, another finds nothing.
    let (_apt, _turn) = kept("apt");
    // Whoever may not do this has to do with what is known already.
    let _updated = run("apt-get", &["update"]);
    let packages = choose();
    let download: Vec<&str> = ["download"].into_iter().chain(packages.iter().map(String::as_str)).collect();
    assert!(run("apt-get", &download), "of Debian's {packages:?} some can neither be found nor fetched");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let package = entry.unwrap().path();
        if package.extension().is_some_and(|end| end == "deb") {
            assert!(run("dpkg-deb", &["-x", package.to_str().unwrap(), "root"]), "{}", package.display());
            std::fs::remove_file(package).unwrap();
        }
    }
    File::create(whole).unwrap();
    unpacked
}

/// The environment that the toolchain of a plugin needs. Puts a compiler of C into its folder.
pub fn of(plugin: &Path) -> Vec<(String, PathBuf)> {
    if plugin.join("plugin.c").is_file() && !plugin.join(".venv").exists() {
        c(plugin);
    }
    if plugin.join("Cargo.toml").is_file() { rust("wasm32-unknown-unknown") } else { Vec::new() }
}

/// The environment in which the binary finds a Rust that builds for a target of WebAssembly. A rustup that has the target does,
/// as it does for a person. Where it has not, Debian has a newer compiler with the sources of its own standard library.
pub fn rust(target: &str) -> Vec<(String, PathBuf)> {
    let libraries = |args: &[&str]| {
        let asked = Command::new("rustc").args(["--print", "target-libdir"]).args(args).output().unwrap();
        PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim())
    };
    // Whatever is built shares what it is made of, the standard library above all.
    let built = ("CARGO_TARGET_DIR".to_string(), kept("rust-plugins").0.join("target"));
    if libraries(&["--target", target]).is_dir() {
        return vec![built];
    }
    let root = debian("rustc-web", || {
        let mut asked = Command::new("apt-cache");
        let needs = asked.args(["depends", "--recurse", "--important", "rustc-web", "rust-web-src"]).output();
        // The compiler and what it is made of; the rest is on any machine that builds Rust.
        let own = |name: &&str| {
            ["rustc-web", "rust-web-src"].contains(name)
                || name.starts_with("libstd-rust-web")
                || name.to_lowercase().starts_with("libllvm")
        };
        let needs = String::from_utf8(needs.unwrap().stdout).unwrap();
        needs.lines().filter(own).chain(["wasi-libc"]).map(String::from).collect()
    });
    let own = |setting: &str| format!("CARGO_TARGET_{}_{setting}", target.to_uppercase().replace('-', "_"));
    let mut flags = String::new();
    if target.contains("wasi") {
        let libc = root.join("usr/lib/wasm32-wasi");
        flags = format!("-L native={} -C link-self-contained=no", libc.display());
    }
    let set = [
        ("RUSTC", root.join("usr/bin/rustc")),
        ("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu")),
        ("RUSTC_BOOTSTRAP", "1".into()),
        ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".into()),
        (&own("LINKER"), libraries(&[]).with_file_name("bin").join("rust-lld")),
        (&own("RUSTFLAGS"), flags.into()),
    ];
    set.into_iter().map(|(name, value)| (name.to_string(), value)).chain([built]).collect()
}

/// Puts the compiler of the C template into a plugin's folder, installed once for all tests but the template's own.
fn c(plugin: &Path) {
    let (folder, _lock) = kept("c");
    let wanted = std::fs::read_to_string(plugin.join("requirements.txt")).unwrap();
    let built = folder.join(wanted.trim());
    let run = |args: &[&str]| {
        let ended =
            Command::new(env!("CARGO_BIN_EXE_ringmail")).args(args).current_dir(&folder).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    if !built.join("plugin.wasm").is_file() {
        let _half = std::fs::remove_dir_all(&built);
        run(&["plugin", "new", wanted.trim(), "--lang", "c"]);
        run(&["plugin", "build", wanted.trim()]);
    }
    std::os::unix::fs::symlink(built.join(".venv"), plugin.join(".venv")).unwrap();
}
