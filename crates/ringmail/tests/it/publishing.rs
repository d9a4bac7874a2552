//! Packages on their way into registries, and what registries are told of who sends or asks.

use crate::registries::{Served, folder_shop, oci_registry, refused};
use crate::setup::{Ended, Place};
use crate::shop::{Release, add, archives, call, done, grant, sign};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

const PASSWORD: &str = "open-sesame-7";
/// The password, as `htpasswd -B` writes it.
const HTPASSWD: &str = "ci:$2b$05$wq3Mx9YSwbrl84Rgc7.BAOBDtbvQOfIXvvQeOleEY8KE.S0OGXVSi\n";

fn secret(place: &Place, name: &str, value: &str) {
    let path = place.write(name, value);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The registry under `shelf` is an OCI registry, asked as `ci` with the secret `own`.
fn asks_as_ci(place: &Place, base: &str, port: u16, bound_to: &str) {
    let toml = base.replace(
        "folder = \"shelf\"",
        &format!(
            "oci = \"http://127.0.0.1:{port}/plugins\"\nsecret = \"own\"\nuser = \"ci\"\n[secret.own]\nfrom = \"file:own.secret\"\nbound_to = [{bound_to}]"
        ),
    );
    place.write("ringmail.toml", &toml);
}

#[track_caller]
fn not_pushed(place: &Place, package: &str, why: &str) -> Ended {
    let ended = place.run(&["plugin", "push", package]);
    assert!(ended.code == 1 && ended.err.contains(why), "`{why}` in {}", ended.shown());
    ended
}

/// Nothing that was said or recorded holds any of these.
fn is_nowhere(place: &Place, ended: &[Ended], secrets: &[&str]) {
    let told = ended.iter().map(|ended| ended.shown().to_string());
    for text in told.chain([place.recorded()]) {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_registry_with_passwords_takes_and_gives_to_who_has_one() {
    let place = folder_shop();
    let file = place.write("htpasswd", HTPASSWD);
    let auth = format!("auth:\n  htpasswd:\n    realm: shop\n    path: {}\n", file.display());
    let Served(_, port) = &*Box::new(oci_registry(&place, &auth));
    let base = place.read("ringmail.toml");
    let package = Release::default().publish(&place);
    secret(&place, "own.secret", PASSWORD);
    let here = format!("\"http://127.0.0.1:{port}\"");
    // Nothing is said to it without a secret, and nothing to it that is another's.
    place.write(
        "ringmail.toml",
        &base.replace("folder = \"shelf\"", &format!("oci = \"http://127.0.0.1:{port}/plugins\"")),
    );
    not_pushed(&place, &package, "answers 401");
    asks_as_ci(&place, &base, *port, "\"http://127.0.0.1:1\"");
    not_pushed(&place, &package, "which `http://LOOPBACK` may not see");
    asks_as_ci(&place, &base, *port, &here);
    secret(&place, "own.secret", "open-sesame-8");
    let wrong = not_pushed(&place, &package, "answers 401");
    secret(&place, "own.secret", PASSWORD);
    let pushed = done(&place, &["plugin", "push", &package]);
    assert_eq!(pushed.out, "pushed mask 1.0.0 to shelf\n");
    let again = done(&place, &["plugin", "push", &package]);
    assert_eq!(again.out, "mask 1.0.0 was in shelf already\n");
    let install = done(&place, &["plugin", "install", "mask"]);
    grant(&place, &[]);
    assert_eq!(call(&place).code, 0);
    // A version does not change once it is there, and nothing goes there without a signature.
    sign(&place, &package, "more");
    not_pushed(&place, &package, "it has another `mask` 1.0.0 already, and a version does not change");
    let unsigned = Release::version("1.1.0").pack(&place);
    not_pushed(&place, &unsigned, "is not signed");
    let both = STANDARD.encode(format!("ci:{PASSWORD}"));
    is_nowhere(&place, &[wrong, pushed, again, install], &[PASSWORD, &both]);
}

/// A server of tokens: for whoever says the password, one that the registry believes. Gives its port.
fn token_server(place: &Place) -> u16 {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut about = rcgen::CertificateParams::new(vec!["tokens".to_string()]).unwrap();
    about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = about.self_signed(&key).unwrap();
    place.write("tokens.pem", &certificate.pem());
    let chain = STANDARD.encode(certificate.der());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let signing = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let random = ring::rand::SystemRandom::new();
    let signer = ring::signature::EcdsaKeyPair::from_pkcs8(signing, &key.serialize_der(), &random).unwrap();
    let expected = format!("authorization: basic {}", STANDARD.encode(format!("ci:{PASSWORD}")));
    // Ends with the test's process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let known = request.iter().any(|line| {
                let (name, value) = line.split_once(": Basic ").unwrap_or_default();
                format!("{}: basic {value}", name.to_lowercase()) == expected
            });
            let scope = request[0].split("scope=").nth(1).unwrap_or_default();
            let scope = scope.split([' ', '&']).next().unwrap_or_default().replace("%3A", ":");
            let scope = scope.replace("%2F", "/").replace("%2C", ",");
            let parts: Vec<&str> = scope.split(':').collect();
            let (status, body) = match known {
                false => ("401 X", String::new()),
                true => {
                    let head = format!("{{\"typ\":\"JWT\",\"alg\":\"ES256\",\"x5c\":[\"{chain}\"]}}");
                    let actions: Vec<String> = parts[2].split(',').map(|one| format!("\"{one}\"")).collect();
                    let claims = format!(
                        "{{\"iss\":\"shop\",\"sub\":\"ci\",\"aud\":\"plugins\",\"exp\":4000000000,\"nbf\":1000000000,\"iat\":1000000000,\"jti\":\"1\",\"access\":[{{\"type\":\"repository\",\"name\":\"{}\",\"actions\":[{}]}}]}}",
                        parts[1],
                        actions.join(",")
                    );
                    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
                    let signature = signer.sign(&random, text.as_bytes()).unwrap();
                    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
                    ("200 OK", format!("{{\"token\":\"{token}\"}}"))
                }
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

#[test]
fn a_registry_with_tokens_sends_for_one_and_the_password_goes_where_it_may() {
    let place = folder_shop();
    let tokens = token_server(&place);
    let auth = format!(
        "auth:\n  token:\n    realm: http://127.0.0.1:{tokens}/token\n    service: plugins\n    issuer: shop\n    rootcertbundle: {}\n",
        place.path().join("tokens.pem").display()
    );
    let served = oci_registry(&place, &auth);
    let base = place.read("ringmail.toml");
    let package = Release::default().publish(&place);
    secret(&place, "own.secret", PASSWORD);
    // Where its tokens come from is the registry's word, and the password does not follow it.
    asks_as_ci(&place, &base, served.1, &format!("\"http://127.0.0.1:{}\"", served.1));
    not_pushed(&place, &package, "its tokens come from `http://LOOPBACK`, which its secret is not bound to");
    // The registry itself never needs the password.
    asks_as_ci(&place, &base, served.1, &format!("\"http://127.0.0.1:{tokens}\""));
    secret(&place, "own.secret", "open-sesame-8");
    not_pushed(&place, &package, "where its tokens come from, answers 401");
    secret(&place, "own.secret", PASSWORD);
    let pushed = done(&place, &["plugin", "push", &package]);
    assert_eq!(pushed.out, "pushed mask 1.0.0 to shelf\n");
    let install = done(&place, &["plugin", "install", "mask"]);
    grant(&place, &[]);
    assert_eq!(call(&place).code, 0);
    let both = STANDARD.encode(format!("ci:{PASSWORD}"));
    is_nowhere(&place, &[pushed, install], &[PASSWORD, &both, "eyJ0"]);
}

/// A registry that sends for a token first, and has nothing. Gives its port, and what it was asked with.
fn asks_for_tokens(realm: &'static str, token: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
    let notes = asked.clone();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let realm = realm.replace("PORT", &port.to_string());
            let body = format!("{{\"access_token\": \"{token}\"}}");
            let known = request.iter().any(|line| line.to_lowercase().starts_with("authorization: bearer "));
            let (head, body) = match (request[0].contains("/token"), known) {
                (true, _) => ("200 OK".to_string(), body),
                (_, true) => ("404 X".to_string(), String::new()),
                _ => (
                    format!("401 X\r\nwww-authenticate: bearer realm=\"{realm}\",service=\"s\""),
                    String::new(),
                ),
            };
            notes.lock().unwrap().push(request.join("\n"));
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (port, asked)
}

/// The token is a secret of the chain that asks: it goes to the registry it is for, whatever it looks like.
#[test]
fn a_registry_that_gives_tokens_to_anybody_gets_them_back() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    for (realm, token, why, sent) in [
        ("http://127.0.0.1:PORT/token", jwt.to_string(), "answers 404", true),
        ("http://127.0.0.1:PORT/token", "x".repeat(65 << 10), "its tokens: ", false),
        ("http://127.0.0.2:PORT/token", jwt.to_string(), "which its secret is not bound to", false),
        ("file:///etc/passwd", jwt.to_string(), "is not an http or https URL", false),
    ] {
        let place = folder_shop();
        let (port, asked) = asks_for_tokens(realm, token);
        let toml = place
            .read("ringmail.toml")
            .replace("folder = \"shelf\"", &format!("oci = \"http://127.0.0.1:{port}/plugins\""));
        place.write("ringmail.toml", &toml);
        refused(&place, &["mask"], why);
        let asked = asked.lock().unwrap().join("\n\n");
        assert_eq!(asked.contains(&format!("Bearer {jwt}")), sent, "{realm}: {asked}");
        assert_eq!(asked.contains("/token?service=s"), realm.contains("127.0.0.1"), "{realm}: {asked}");
    }
}

#[test]
fn a_package_is_pushed_into_a_folder_and_its_index() {
    let place = folder_shop();
    std::fs::create_dir(place.path().join("shelf")).unwrap();
    let package = Release::default().publish(&place);
    let pushed = done(&place, &["plugin", "push", &package]);
    assert_eq!(pushed.out, "pushed mask 1.0.0 to shelf\n1 packages in ./shelf/index.json\n");
    done(&place, &["plugin", "install", "mask"]);
    assert!(done(&place, &["plugin", "push", &package]).out.starts_with("mask 1.0.0 was in shelf already"));
    sign(&place, &package, "more");
    not_pushed(&place, &package, "it has another `mask` 1.0.0 already");
    let newer = Release::version("1.1.0").publish(&place);
    add(&place, "[registry.other]\nurl = \"http://127.0.0.1:9/\"");
    let other = place.run(&["plugin", "push", &newer, "--to", "other"]);
    assert!(
        other.code == 1 && other.err.contains("put the package into the folder behind it"),
        "{}",
        other.shown()
    );
    done(&place, &["plugin", "push", &newer, "--to", "shelf"]);
    refused(&place, &["mask@9"], "there is 1.1.0, 1.0.0");
    done(&place, &["plugin", "install", "mask"]);
    assert_eq!(archives(&place).len(), 1);
}
