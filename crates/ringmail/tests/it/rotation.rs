//! Secrets that are exchanged while a server uses them: the new value is taken up, the one before counts for a while, and
//! whoever is asked for them is asked with what still counts.

use crate::peer::Peer;
use crate::providers::{bank, project, secret_file};
use crate::serve::{Serving, call, key_of};
use crate::setup::Place;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const LISTENER: &str =
    "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[[principal]]\nname = \"me\"\n";

fn pay(serving: &Serving, key: &str) {
    let told = call(&format!("{}/chains/pay", serving.urls[0]), key, "null", None);
    assert_eq!(told, (200, "200".into()));
}

#[test]
fn a_server_takes_up_what_a_provider_has_now_and_keeps_its_token_alive() {
    /// What Vault holds, and what it has done.
    #[derive(Default)]
    struct Held {
        value: &'static str,
        logins: usize,
        good: String,
        renewed: bool,
    }
    let held = Arc::new(Mutex::new(Held { value: "the-first-value", ..Held::default() }));
    let state = held.clone();
    let vault = Peer::start(move |asked| {
        let mut held = state.lock().unwrap();
        if asked.path == "/v1/auth/approle/login" {
            held.logins += 1;
            held.good = format!("hvs.token-{}", held.logins);
            let token = &held.good;
            return (
                200,
                format!(
                    "{{\"auth\":{{\"client_token\":\"{token}\",\"lease_duration\":1,\"renewable\":true}}}}"
                ),
            );
        }
        if asked.header("x-vault-token") != held.good {
            return (403, "{\"errors\":[\"permission denied\"]}".into());
        }
        if asked.path == "/v1/auth/token/renew-self" {
            held.renewed = true;
            // What is answered repeats the token, and is used all the same.
            let token = &held.good;
            return (
                200,
                format!(
                    "{{\"auth\":{{\"client_token\":\"{token}\",\"lease_duration\":3600,\"renewable\":true}}}}"
                ),
            );
        }
        // The value changes once the token was renewed.
        let value = if held.renewed { held.value } else { "the-first-value" };
        (200, format!("{{\"data\":{{\"data\":{{\"token\":\"{value}\"}}}}}}"))
    });
    let bank = bank();
    let text = format!(
        "{LISTENER}[secret.own]\nfrom = \"file:own\"\nbound_to = [\"{0}\"]\n[secret.bank]\nfrom = \"hq:apps/bank#token\"\nbound_to = [\"@BANK@\"]\nrefresh = \"60ms\"\n[provider.hq]\nkind = \"vault\"\nurl = \"{0}\"\nsecret = \"own\"\nrole_id = \"r\"\n",
        vault.url()
    );
    let place = project(&bank, &text);
    let key = key_of(&place, "me");
    let mut serving = Serving::start(&place, 1);
    pay(&serving, &key);
    assert_eq!(bank.asked().last().unwrap().header("x-key"), "the-first-value");
    held.lock().unwrap().value = "the-second-value";
    serving.says("the secret `bank` has a new value");
    pay(&serving, &key);
    assert_eq!(bank.asked().last().unwrap().header("x-key"), "the-second-value");
    assert_eq!(held.lock().unwrap().logins, 1, "it was renewed, not made anew");
    // The token is taken away, and the role logs in once more.
    {
        let mut held = held.lock().unwrap();
        (held.good, held.value) = ("none".into(), "the-third-value");
    }
    serving.says("the secret `bank` has a new value");
    assert_eq!(held.lock().unwrap().logins, 2);
    pay(&serving, &key);
    assert_eq!(bank.asked().last().unwrap().header("x-key"), "the-third-value");
    let recorded = place.recorded();
    assert!(recorded.contains("\"stage\":\"secret-rotated\"") && recorded.contains("\"secret\":\"bank\""));
    assert!(!recorded.contains("-value") && !recorded.contains("hvs."), "{recorded}");
}

#[test]
fn what_cannot_be_read_anew_goes_on_as_it_was_and_is_told_once() {
    let bank = bank();
    let text = format!(
        "{LISTENER}[secret.bank]\nfrom = \"file:own\"\nbound_to = [\"@BANK@\"]\nrefresh = \"60ms\"\n"
    );
    let place = project(&bank, &text);
    let key = key_of(&place, "me");
    let mut serving = Serving::start(&place, 1);
    std::fs::rename(place.path().join("own"), place.path().join("aside")).unwrap();
    serving.says("the value of before goes on");
    pay(&serving, &key);
    secret_file(&place, "own", "another-value");
    let told = serving.says("the secret `bank` has a new value");
    assert!(!told.contains("cannot read"), "it is told once: {told}");
}

/// Whether a delivery that is signed with this is taken.
fn taken(serving: &Serving, secret: &str) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    // The same is taken once.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let body = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    let mac = ring::hmac::sign(&key, body.as_bytes());
    let mac: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let address = serving.urls[0].trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /hooks/h HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-hub-signature-256: sha256={mac}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    match answer.split(' ').nth(1) {
        Some("200" | "202") => true,
        Some("401") => false,
        _ => panic!("{answer}"),
    }
}

fn hooked(setting: &str) -> Place {
    let text = format!(
        "{LISTENER}[secret.hook]\nfrom = \"file:own\"\nbound_to = []\n{setting}\n[webhook.h]\nchain = \"took\"\nsecret = \"hook\"\nscheme = \"github\"\n"
    );
    let place = project(&bank(), &text);
    place.write("chains/took.yaml", "chain: took\noutput: took\n");
    std::fs::remove_file(place.path().join("chains/pay.yaml")).unwrap();
    secret_file(&place, "own", "shared-before");
    place
}

#[test]
fn the_secret_before_counts_for_the_overlap_and_a_server_reads_anew_after_its_time() {
    for (setting, counts) in [("refresh = \"60ms\"", true), ("refresh = \"60ms\"\noverlap = \"0s\"", false)] {
        let place = hooked(setting);
        let mut serving = Serving::start(&place, 1);
        assert!(taken(&serving, "shared-before") && !taken(&serving, "shared-after"));
        secret_file(&place, "own", "shared-after");
        serving.says("the secret `hook` has a new value");
        assert!(taken(&serving, "shared-after"));
        let place = place.path().display();
        assert_eq!(taken(&serving, "shared-before"), counts, "{setting} in {place}");
    }
}

#[test]
fn what_is_rotated_here_is_taken_up_at_once_and_old_and_new_count_after_a_reload() {
    let place = hooked("");
    // It is read anew in five minutes, which nobody waits for.
    let mut serving = Serving::start(&place, 1);
    let rotated = place.run_with(&["secret", "rotate", "hook"], b"shared-after\n");
    assert!(rotated.code == 0 && rotated.err.contains("goes on with the new value"), "{}", rotated.shown());
    serving.says("reloaded");
    assert!(taken(&serving, "shared-after") && taken(&serving, "shared-before"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.path().join("own")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    drop(serving);
    let again = place.run_with(&["secret", "rotate", "hook"], b"shared-last");
    assert!(again.err.contains("whoever reads it from now on has the new value"), "{}", again.err);
    for (args, input, why) in [
        (["secret", "rotate", "none"], &b"x"[..], "there is no secret `none`"),
        (["secret", "rotate", "hook"], b"", "empty or longer than 48 KiB"),
    ] {
        let ended = place.run_with(&args, input);
        assert!(ended.code == 1 && ended.err.contains(why), "{}", ended.shown());
    }
    let elsewhere = place.read("ringmail.toml").replace("file:own", "env:PATH");
    place.write("ringmail.toml", &elsewhere);
    let ended = place.run_with(&["secret", "rotate", "hook"], b"x");
    assert!(ended.code == 1 && ended.err.contains("is not kept here but by `env`"), "{}", ended.err);
}

#[test]
fn a_sealed_secret_is_rotated_in_its_place() {
    let bank = bank();
    let place =
        project(&bank, "[secret.bank]\nfrom = \"sealed:secrets/bank.sealed\"\nbound_to = [\"@BANK@\"]\n");
    assert_eq!(place.run_with(&["secret", "seal", "bank"], b"sealed-one").code, 0);
    for value in ["sealed-one", "sealed-two"] {
        if value == "sealed-two" {
            assert_eq!(place.run_with(&["secret", "rotate", "bank"], value.as_bytes()).code, 0);
        }
        assert_eq!(place.run(&["run", "pay"]).code, 0);
        assert_eq!(bank.asked().last().unwrap().header("x-key"), value);
    }
}

#[test]
fn a_list_says_how_old_a_secret_is_when_it_was_used_and_who_may() {
    let bank = bank();
    let text = "[secret.bank]\nfrom = \"file:own\"\nbound_to = [\"@BANK@\"]\n[secret.other]\nfrom = \"file:own\"\nbound_to = [\"https://other.test\"]\n";
    let place = project(&bank, text);
    let listed = place.run(&["secret", "list"]).out;
    assert!(listed.contains("age unknown, never used; for pay\n"), "{listed}");
    assert!(listed.ends_with("age unknown, never used; for nobody\n"), "{listed}");
    assert_eq!(place.run(&["run", "pay"]).code, 0);
    let listed = place.run(&["secret", "list"]).out;
    assert!(listed.contains(" old, used ") && listed.contains(" old, never used; for nobody"), "{listed}");
    let since = |name: &str| {
        let cards = place.run(&["secret", "list", "--format", "json"]).out;
        let cards = ringmail_engine::core::json::parse(cards.as_bytes(), &Default::default()).unwrap();
        let cards = cards.as_list().unwrap().clone();
        let card =
            cards.iter().find(|card| card.get("name").unwrap().as_str() == Some(name)).unwrap().clone();
        match (card.get("since_ms"), card.get("used_ms")) {
            (Some(ringmail_engine::Value::Int(since)), used) => (*since, used.cloned().unwrap()),
            other => panic!("{other:?}"),
        }
    };
    let (before, used) = since("bank");
    assert!(matches!(used, ringmail_engine::Value::Int(_)));
    assert_eq!(place.run(&["run", "pay"]).code, 0);
    assert_eq!(since("bank").0, before, "the same value is as old as it was");
    secret_file(&place, "own", "a-new-value");
    assert_eq!(place.run(&["run", "pay"]).code, 0);
    assert!(since("bank").0 > before);
    let kept = place.read(".ringmail/secrets.json");
    assert!(!kept.contains("new-value") && !kept.contains("who-asks"), "{kept}");
}
