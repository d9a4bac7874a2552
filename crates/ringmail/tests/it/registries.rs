//! Registries of each kind, with real servers behind them, and what they may not do.

use crate::setup::{Ended, Place};
use crate::shop::{Release, add, archives, bytes, call, done, grant, shop, trust};
use crate::toolchains::debian;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server that ends with its test.
pub struct Served(pub Child, pub u16);

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// The folder `shelf` behind Python's own server.
pub fn http_server(place: &Place) -> Served {
    let mut child = Command::new("python3")
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
        .arg(place.path().join("shelf"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_once(" port ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    Served(child, port)
}

pub fn publish(place: &Place, release: &Release<'_>) -> String {
    let package = release.publish(place);
    std::fs::create_dir_all(place.path().join("shelf")).unwrap();
    std::fs::rename(place.path().join(&package), place.path().join("shelf").join(&package)).unwrap();
    done(place, &["plugin", "index", "shelf"]);
    format!("shelf/{package}")
}

fn needing<'r>(plugin: &'r str, version: &'r str, asks: &'r str) -> Release<'r> {
    Release { plugin, version, asks, ..Release::default() }
}

pub fn folder_shop() -> Place {
    let place = shop();
    trust(&place, "more", "[]");
    let toml = place
        .read("ringmail.toml")
        .replace("plugins = [\"mask\"]", "plugins = [\"mask\", \"a\", \"b\", \"c\"]");
    place.write("ringmail.toml", &toml);
    add(&place, "[registry.shelf]\nfolder = \"shelf\"");
    place
}

#[track_caller]
pub fn refused(place: &Place, args: &[&str], why: &str) -> Ended {
    let before = (archives(place), std::fs::read_to_string(place.path().join("ringmail.lock")).ok());
    let ended = place.run(&[&["plugin", "install"], args].concat());
    assert!(ended.code == 1 && ended.err.contains(why), "`{why}` in {}", ended.shown());
    let after = (archives(place), std::fs::read_to_string(place.path().join("ringmail.lock")).ok());
    assert_eq!(before, after, "something was left on disk");
    ended
}

const B: &str = "[[needs]]\nplugin = \"b\"\nversion = \"^1\"\nreason = \"works with it\"\n";

#[test]
fn what_a_plugin_needs_comes_along_and_must_be_granted_too() {
    let place = folder_shop();
    publish(&place, &needing("mask", "1.0.0", B));
    publish(&place, &needing("b", "1.2.0", ""));
    publish(&place, &needing("b", "2.0.0", ""));
    let install = done(&place, &["plugin", "install", "mask", "--offline", "--format", "json"]);
    assert!(
        install.out.contains("\"b\"") && install.out.contains("\"1.2.0\"") && !install.out.contains("2.0.0"),
        "{}",
        install.shown()
    );
    grant(&place, &[]);
    let check = place.run(&["check"]);
    assert!(
        check.code == 1 && check.err.contains("`mask` needs `b` ^1, and the project has none"),
        "{}",
        check.shown()
    );
    done(&place, &["plugin", "grant", "b", "--reason", "mask needs it"]);
    assert_eq!(call(&place).code, 0);
    assert!(done(&place, &["plugin", "install", "mask"]).out.contains("all of it is here already"));
    // One that is too new for the other does not do either.
    done(&place, &["plugin", "install", "b@2"]);
    done(&place, &["plugin", "grant", "b", "--reason", "newer"]);
    let check = place.run(&["check"]);
    assert!(check.err.contains("`mask` needs `b` ^1, and the project has 2.0.0"), "{}", check.shown());
}

#[test]
fn attack_20_circles_and_conflicts_are_named_and_nothing_comes_in() {
    let place = folder_shop();
    publish(&place, &needing("a", "1.0.0", B));
    publish(&place, &needing("b", "1.0.0", "[[needs]]\nplugin = \"c\"\nversion = \"*\"\nreason = \"r\"\n"));
    publish(&place, &needing("c", "1.0.0", "[[needs]]\nplugin = \"a\"\nversion = \"*\"\nreason = \"r\"\n"));
    refused(&place, &["a"], "plugins need each other in a circle: c -> a -> b -> c");
    publish(
        &place,
        &needing("mask", "1.0.0", "[[needs]]\nplugin = \"b\"\nversion = \">=2\"\nreason = \"r\"\n"),
    );
    refused(&place, &["mask"], "no version of `b` does for all: mask 1.0.0 wants >=2; there is 1.0.0");
    refused(&place, &["b@^9"], "the project wants ^9");
    refused(&place, &["../b"], "is no name of a plugin");
    refused(&place, &["b@^^"], "is no range of versions");
}

#[test]
fn an_index_behind_http_brings_what_its_publisher_signed() {
    let place = folder_shop();
    let old = publish(&place, &needing("mask", "1.0.0", ""));
    let server = http_server(&place);
    let toml = place
        .read("ringmail.toml")
        .replace("folder = \"shelf\"", &format!("url = \"http://127.0.0.1:{}/\"", server.1));
    place.write("ringmail.toml", &toml);
    done(&place, &["plugin", "install", "mask"]);
    assert!(place.read("ringmail.lock").contains("source = \"shelf\""));
    grant(&place, &[]);
    assert_eq!(call(&place).code, 0);
    // Gone from disk, and brought back as the lock names it.
    std::fs::remove_dir_all(place.path().join(".ringmail/plugins")).unwrap();
    assert_eq!(call(&place).code, 1);
    refused(&place, &["--offline"], "`--offline` was said");
    assert!(done(&place, &["plugin", "install"]).out.contains("1 brought back"));
    assert_eq!(call(&place).code, 0);
    let new = publish(&place, &needing("mask", "1.1.0", ""));
    let index = place.read("shelf/index.json");
    // Other bytes than it lists; then listed, and not what was signed.
    let good = bytes(&place, &new);
    let mut bad = good.clone();
    let at = bad.windows(5).position(|part| part == b"masks").unwrap();
    bad[at] = b'M';
    place.write_bytes(&new, &bad);
    refused(&place, &["mask"], "is not what it lists");
    let digest = |bytes: &[u8]| ringmail_engine::core::package::sha256(bytes);
    place.write("shelf/index.json", &index.replace(&digest(&good), &digest(&bad)));
    refused(&place, &["mask"], "its signature is for another manifest");
    place.write_bytes(&new, &good);
    // Listed as something that it is not.
    place.write("shelf/index.json", &index.replace("1.1.0\"", "1.2.0\""));
    refused(&place, &["mask"], "lists `mask` as something else than it is");
    place.write("shelf/index.json", &index);
    done(&place, &["plugin", "install", "mask"]);
    // A registry that goes back to the version before takes nobody along.
    std::fs::remove_file(place.path().join(&new)).unwrap();
    done(&place, &["plugin", "index", "shelf"]);
    refused(&place, &["mask"], "`mask` 1.0.0 is older than 1.1.0");
    std::fs::remove_file(place.path().join(&old)).unwrap();
    refused(&place, &["mask"], "answers 404");
    drop(server);
    refused(&place, &["mask"], "the registry `shelf` cannot be asked");
}

#[test]
fn attack_22_what_a_registry_says_is_data() {
    let place = folder_shop();
    publish(&place, &needing("mask", "1.0.0", ""));
    let index = place.read("shelf/index.json");
    for (from, to, why) in [
        ("mask-1.0.0.tar", "../../../etc/passwd", "is no file name"),
        ("mask-1.0.0.tar", "/etc/passwd", "is no file name"),
        ("mask-1.0.0.tar", ".hidden", "is no file name"),
        ("mask-1.0.0.tar", "http:x", "is no file name"),
        ("mask-1.0.0.tar", "a\\u001b[31m\\u0000", "is no file name"),
        ("\"1.0.0\"", "\"../1.0.0\"", "is no version"),
        ("sha256:", "md5:", "is no SHA-256 digest"),
        (
            "\"needs\": []",
            "\"needs\": [{\"plugin\": \"../x\", \"version\": \"*\"}]",
            "is no name of a plugin",
        ),
        (
            "\"needs\": []",
            "\"needs\": [{\"plugin\": \"x\", \"version\": \"$(id)\"}]",
            "is no range of versions",
        ),
        ("\"packages\"", "\"packets\"", "it lists no `packages`"),
        ("{", "{{", "it is not JSON"),
    ] {
        place.write("shelf/index.json", &index.replacen(from, to, 1));
        let ended = refused(&place, &["mask"], why);
        assert!(!ended.err.contains('\u{1b}'));
    }
    place.write("shelf/index.json", &"[".repeat(9 << 20));
    refused(&place, &["mask"], "is larger than 8388608 bytes");
}

#[test]
fn a_plugin_comes_from_where_it_is_said_to_come_from() {
    let place = folder_shop();
    publish(&place, &needing("mask", "1.0.0", ""));
    let base = place.read("ringmail.toml");
    add(&place, "[registry.other]\nfolder = \"shelf\"");
    refused(&place, &["mask"], "`mask` may come from `shelf` or from `other`");
    refused(&place, &["mask", "--from", "shelv"], "did you mean `shelf`?");
    done(&place, &["plugin", "install", "mask", "--from", "shelf"]);
    // From then on it stays with that one.
    publish(&place, &needing("mask", "1.1.0", ""));
    refused(&place, &["mask", "--from", "other"], "`mask` came from `shelf`, and this is from `other`");
    done(&place, &["plugin", "install", "mask"]);
    place.write(
        "ringmail.toml",
        &format!("{base}\n[registry.other]\nfolder = \"shelf\"\nplugins = [\"mask\"]\n"),
    );
    refused(&place, &["mask", "--from", "shelf"], "`mask` comes from `other` and from nowhere else");
    for (text, why) in [
        ("[registry.x]", "`x` needs one of `folder`, `url` and `oci`"),
        ("[registry.x]\nurl = \"http://plugins.example\"", "is asked over `https`"),
        ("[registry.x]\nurl = \"http://10.1.2.3\"", "is asked over `https`"),
        ("[registry.x]\noci = \"http://169.254.1.1/x\"", "is asked over `https`"),
        ("[issuer.x]\nurl = \"http://192.168.1.2\"", "an issuer elsewhere is asked over `https`"),
        ("[registry.x]\noci = \"nonsense\"", "nonsense"),
        ("[registry.x]\nfolder = \"y\"\nsecret = \"z\"", "there is no secret `z`"),
        (
            "[registry.x]\nfolder = \"y\"\nplugins = [\"mask\"]\n[registry.z]\nfolder = \"y\"\nplugins = [\"mask\"]",
            "comes from `x` and from nowhere else",
        ),
    ] {
        place.write("ringmail.toml", &format!("{base}\n{text}\n"));
        refused(&place, &["mask"], why);
    }
}

/// One exchange, without a client that might hide something.
fn exchange(port: u16, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

fn push(port: u16, repository: &str, bytes: &[u8]) -> String {
    let digest = ringmail_engine::core::package::sha256(bytes);
    let (_, begun) = exchange(port, "POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", b"");
    let place = begun.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim().to_string();
    let path = &place[place.find("/v2/").unwrap()..];
    let (status, said) =
        exchange(port, "PUT", &format!("{path}&digest={digest}"), "application/octet-stream", bytes);
    assert_eq!(status, 201, "{said}");
    digest
}

/// The registry of Debian's package `docker-registry`: the one that is installed, or one unpacked for these tests.
fn docker_registry() -> PathBuf {
    const NAME: &str = "docker-registry";
    let known = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&known).map(|folder| folder.join(NAME)).find(|path| path.is_file());
    if let Some(installed) = installed {
        return installed;
    }
    debian(NAME, || vec![NAME.into()]).join("usr/bin").join(NAME)
}

/// A registry that keeps its blobs in the project's folder, with more in its configuration.
pub fn oci_registry(place: &Place, more: &str) -> Served {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
        place.path().join("oci").display()
    );
    let config = place.write("registry.yml", &config);
    let child = Command::new(docker_registry())
        .arg("serve")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let served = Served(child, port);
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    served
}

#[test]
fn an_oci_registry_brings_what_its_publisher_signed() {
    let place = folder_shop();
    let served = oci_registry(&place, "");
    let port = served.1;
    let toml = place
        .read("ringmail.toml")
        .replace("folder = \"shelf\"", &format!("oci = \"http://127.0.0.1:{port}/plugins\""));
    place.write("ringmail.toml", &toml);
    let empty = push(port, "plugins/mask", b"{}");
    let upload = |version: &str, package: &[u8], kind: &str| {
        let digest = push(port, "plugins/mask", package);
        let layer =
            format!("{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":{}}}", package.len());
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"{empty}\",\"size\":2}},\"layers\":[{layer}]}}"
        );
        let path = format!("/v2/plugins/mask/manifests/{version}");
        let (status, said) =
            exchange(port, "PUT", &path, "application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
        assert_eq!(status, 201, "{said}");
    };
    let kind = ringmail_engine::packages::OCI_LAYER;
    let package = Release::default().publish(&place);
    upload("1.0.0", &bytes(&place, &package), kind);
    upload("latest", &bytes(&place, &package), kind);
    upload("9.0.0", b"an image", "application/vnd.oci.image.layer.v1.tar");
    let install = done(&place, &["plugin", "install", "mask"]);
    assert!(install.out.contains("mask 1.0.0") && install.out.contains("from shelf"), "{}", install.shown());
    grant(&place, &[]);
    assert_eq!(call(&place).code, 0);
    let unsigned = Release::version("1.1.0").pack(&place);
    upload("1.1.0", &bytes(&place, &unsigned), kind);
    refused(&place, &["mask"], "it is not signed");
    // A tag that lies about the version behind it.
    upload("2.0.0", &bytes(&place, &package), kind);
    let again = done(&place, &["plugin", "install", "mask"]);
    assert!(again.out.contains("all of it is here already"), "{}", again.shown());
    assert!(place.read("ringmail.lock").contains("version = \"1.0.0\""));
}
