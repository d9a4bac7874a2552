//! Callers that show signed tokens: attack 33 member by member, and what becomes of tokens while keys come and go.

use crate::issuer::{FILED, Signer, TestIssuer, WEB, b64, claims, filed, files, key_set, now, value};
use crate::setup::{Doors, PERMIT_ALL, Reply, within};
use ringmail_engine::Value;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::token::{KeySet, SignedToken};
use ringmail_server::{ACCESS_LIFE_MS_MAX, NewToken, TOKENS_FILE, TokenStore};
use std::time::Duration;

const ALL: &str = "algorithms = [\"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\", \"EdDSA\"]\n";

async fn open(issuer: &TestIssuer, more: &str) -> Doors {
    Doors::open(&issuer.project(more)).await
}

/// A project whose issuer's keys lie in a file.
async fn open_filed(more: &str) -> Doors {
    let text = format!("{WEB}[issuer.corp]\nurl = \"{FILED}\"\nkeys = \"issuer.json\"\n{more}");
    Doors::try_open(&text, PERMIT_ALL, files).await.unwrap()
}

/// Waits until a token is taken.
async fn comes_in(doors: &Doors, token: &str) {
    within(async {
        while doors.get(token, "/chains").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Turned away as all are; answers what the record says of it.
async fn turned_away(doors: &Doors, reply: &Reply) -> String {
    assert_eq!(reply.status, 401, "{reply:?}");
    let id = reply.json().get("id").and_then(Value::as_str).unwrap().to_string();
    let told = reply.body.replace(&id, "ID");
    assert_eq!(
        told,
        "{\"type\":\"urn:ringmail:problem:unauthenticated\",\"title\":\"who is calling is not proved\",\"status\":401,\"code\":\"unauthenticated\",\"id\":\"ID\"}"
    );
    assert_eq!(
        reply.header("www-authenticate"),
        Some(
            "Bearer realm=\"ringmail\", resource_metadata=\"https://api.test/.well-known/oauth-protected-resource\""
        )
    );
    let said = doors.doors_say(&id).await;
    let line = value(said.lines().find(|line| line.contains(&id)).unwrap());
    line.get("why").and_then(Value::as_str).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_that_may_be_named_lets_in_whoever_has_the_key() {
    let issuer = TestIssuer::start().await;
    let (rsa, p256, p384, ed) = (Signer::rsa(), Signer::p256(), Signer::p384(), Signer::ed(1));
    issuer.publish(&[rsa.jwk("r"), p256.jwk("a"), p384.jwk("b"), ed.jwk("e")]);
    let doors = open(&issuer, ALL).await;
    let all = [("r", &rsa, &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..])];
    let others: [(&str, &Signer, &[&str]); 3] =
        [("a", &p256, &["ES256"]), ("b", &p384, &["ES384"]), ("e", &ed, &["EdDSA"])];
    for (id, signer, algorithms) in all.into_iter().chain(others) {
        for algorithm in algorithms {
            let token = signer.sign_with(algorithm, id, &claims(&issuer.url, "{}"));
            let who = doors.post(&token, "who", "").await;
            assert_eq!(who.status, 200, "{algorithm}: {who:?}");
            // What chains learn of a caller is who it is, and never what it showed.
            assert!(who.body.contains("\"principal\":\"corp|alice\""), "{}", who.body);
            assert!(!who.body.contains(&token), "{}", who.body);
        }
    }
    assert_eq!(issuer.times_asked(), 1);
}

/// Everything that is no token of ours, and why.
fn forgeries() -> Vec<(&'static str, String)> {
    let ed = Signer::ed(1);
    let good = claims(FILED, "{}");
    let plain = to_string(&good);
    let with = |more: &str| ed.sign_with("EdDSA", "one", &claims(FILED, more));
    let head = |head: &str| ed.token(head, &plain);
    let none =
        |alg: &str| format!("{}.{}.", b64(format!("{{\"alg\":\"{alg}\",\"typ\":\"at+jwt\"}}")), b64(&plain));
    let hs256 = {
        let signed =
            format!("{}.{}", b64("{\"alg\":\"HS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}"), b64(&plain));
        let public = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rsa.pem")).unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
        format!("{signed}.{}", b64(ring::hmac::sign(&key, signed.as_bytes())))
    };
    let stranger = Signer::ed(9);
    let jwk = stranger.jwk("one");
    let token = filed("{}");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let zero = |length: usize| format!("{signed}.{}", b64(vec![0; length]));
    let es = |signature: &[u8]| {
        let head = b64("{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"at+jwt\"}");
        format!("{head}.{}.{}", b64(&plain), b64(signature))
    };
    let algorithm = "the token's algorithm is none that its issuer may use";
    let key = "no key of the issuer is the token's, or none of that kind";
    let wrong = "the token's signature is wrong";
    let spelling = "a part is not spelt as it must be";
    let three = "this listener does not take what was shown";
    vec![
        (algorithm, hs256),
        (algorithm, head("{\"alg\":\"EDDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}")),
        (algorithm, head("{\"kid\":\"one\",\"typ\":\"at+jwt\"}")),
        (algorithm, head("{\"alg\":[\"EdDSA\"],\"kid\":\"one\",\"typ\":\"at+jwt\"}")),
        // Named by the token, and not by the project.
        (algorithm, Signer::rsa().sign_with("PS512", "rsa", &good)),
        (algorithm, none("none")),
        (algorithm, none("None")),
        (algorithm, none("NONE")),
        (algorithm, none("nOnE")),
        (wrong, none("EdDSA")),
        (key, stranger.sign_with("EdDSA", "../../../../dev/null", &good)),
        (key, stranger.sign_with("EdDSA", "one' OR '1'='1", &good)),
        (key, stranger.sign_with("EdDSA", "https://evil.example/keys", &good)),
        (key, ed.sign_with("ES256", "one", &good)),
        // The key of another kind under the same name.
        (key, Signer::p256().sign_with("ES256", "rsa", &good)),
        (wrong, stranger.sign_with("EdDSA", "one", &good)),
        (wrong, stranger.token(&format!("{{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\",\"jwk\":{jwk}}}"), &plain)),
        (key, stranger.token(&format!("{{\"alg\":\"EdDSA\",\"kid\":\"two\",\"typ\":\"at+jwt\",\"jwk\":{jwk}}}"), &plain)),
        (wrong, stranger.token("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\",\"jku\":\"https://evil.example/k\",\"x5u\":\"https://evil.example/c\"}", &plain)),
        ("the token names something critical, and nothing of that is known here", head("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\",\"crit\":[\"b64\"],\"b64\":false}")),
        ("stands twice", head("{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}")),
        ("stands twice", ed.token("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}", &plain.replace('{', "{\"sub\":\"root\","))),
        ("the token is of another type", head("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"JWT\"}")),
        ("the token is of another type", head("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"dpop+jwt\"}")),
        ("the token is of another type", head("{\"alg\":\"EdDSA\",\"kid\":\"one\"}")),
        ("its `kid` is not one", head(&format!("{{\"alg\":\"EdDSA\",\"kid\":\"{}\",\"typ\":\"at+jwt\"}}", "k".repeat(257)))),
        ("its `kid` is not one", head("{\"alg\":\"EdDSA\",\"kid\":1,\"typ\":\"at+jwt\"}")),
        ("the token is for somebody else", with("{\"aud\":\"https://other.test\"}")),
        ("the token is for somebody else", with("{\"aud\":[\"https://api.test/x\",\"api.test\"]}")),
        ("the token is for somebody else", with("{\"aud\":\"https://api.test/mcp\"}")),
        ("the token is for somebody else", with("{\"aud\":null}")),
        ("the token's issuer is not known", with("{\"iss\":\"https://evil.example\"}")),
        ("the token's issuer is not known", with("{\"iss\":\"https://issuer.test/\"}")),
        ("the token says no `iss`, or none that is one", with("{\"iss\":null}")),
        ("the token has expired", with(&format!("{{\"exp\":{}}}", now() - 31))),
        ("the token has expired", with("{\"exp\":-1e300}")),
        ("the token has expired", with("{\"exp\":-9223372036854775808}")),
        ("the token says no `exp`, or none that is one", with("{\"exp\":null}")),
        ("the token says no `exp`, or none that is one", with("{\"exp\":\"never\"}")),
        ("the token does not hold yet", with(&format!("{{\"nbf\":{}}}", now() + 90))),
        ("the token comes from the future", with(&format!("{{\"iat\":{}}}", now() + 90))),
        ("the token says no `subject`, or none that is one", with("{\"sub\":\"\"}")),
        ("the token says no `subject`, or none that is one", with("{\"sub\":[\"alice\"]}")),
        ("the token says no `subject`, or none that is one", with("{\"sub\":\"a\\u0000b\"}")),
        (
            "the token says no `subject`, or none that is one",
            with(&format!("{{\"sub\":\"{}\"}}", "x".repeat(257))),
        ),
        ("is not strict JSON", with(&format!("{{\"x\":[{}0]}}", "0,".repeat(2_000)))),
        ("a tenant that its issuer does not speak for", with("{\"tid\":\"globex\"}")),
        ("a tenant that its issuer does not speak for", with("{\"tid\":null}")),
        (wrong, zero(64)),
        (wrong, zero(63)),
        (wrong, es(&[0; 64])),
        (wrong, es(&[255; 64])),
        (wrong, es(&[1; 70])),
        (wrong, Signer::p256().sign_with("ES256", "p256", &good)),
        // One of the two on the curve is not the other.
        (wrong, Signer::p256().sign_with("ES256", "off-curve", &good)),
        (spelling, format!("{token}=")),
        (spelling, format!("{signed}.+{}", &signature[1..])),
        (spelling, format!("{token}%00")),
        (spelling, last_bits(&token)),
        (three, format!("{token}.{token}")),
        (three, format!("{token}.")),
        (three, signed.to_string()),
        ("it is not a map", ed.token("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}", "[1]")),
        ("is not strict JSON", ed.token("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}", &format!("{plain} x"))),
        ("is not strict JSON", ed.token("{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}", &"[".repeat(4_000))),
        ("the token is longer than 16384 bytes", with(&format!("{{\"x\":\"{}\"}}", "x".repeat(16 << 10)))),
    ]
}

/// The same bytes in another spelling: bits of the last digit that mean nothing.
fn last_bits(token: &str) -> String {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (body, last) = token.split_at(token.len() - 1);
    let at = digits.find(last).unwrap();
    format!("{body}{}", &digits[at ^ 1..][..1])
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_no_forged_token_lets_anybody_in() {
    let text = format!(
        "{WEB}[server]\nhead = \"64KiB\"\n[issuer.corp]\nurl = \"{FILED}\"\nkeys = \"all.json\"\ntenant_claim = \"tid\"\ntenants = [\"acme\"]\n"
    );
    let prepare = |folder: &std::path::Path| {
        let off = Signer::p256().jwk("off-curve");
        let zero = b64([7_u8; 32]);
        let x = off.split("\"x\":\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        let off = off.replace(&x, &zero);
        let keys = [Signer::ed(1).jwk("one"), Signer::rsa().jwk("rsa"), Signer::p256().jwk("p256"), off];
        std::fs::write(folder.join("all.json"), key_set(&keys)).unwrap();
    };
    let doors = Doors::try_open(&text, PERMIT_ALL, prepare).await.unwrap();
    for (why, token) in forgeries() {
        let reply = doors.get(&token, "/chains").await;
        let said = turned_away(&doors, &reply).await;
        assert!(said.contains(why), "{said}\nand not: {why}\n{token}");
    }
    let good = filed("{\"tid\":\"acme\"}");
    assert_eq!(doors.get(&good, "/chains").await.status, 200);
    // In the address it is none, and is nowhere written down.
    let reply = doors.ask("GET", &format!("/chains?access_token={good}"), &[], "").await;
    assert_eq!(turned_away(&doors, &reply).await, "nothing was shown");
    // A megabyte is not read to its end.
    assert_eq!(doors.get(&"x".repeat(1 << 20), "/chains").await.status, 431);
    let written = doors.doors_say("turned-away").await;
    assert!(!written.contains(&good) && !written.contains("/dev/null"), "{written}");
    assert_eq!(doors.get(&good, "/chains").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_no_two_proofs_give_one_principal() {
    let two = "[issuer.corp]\nurl = \"https://one.test\"\nkeys = \"issuer.json\"\n[issuer.corp_b]\nurl = \"https://two.test\"\nkeys = \"other.json\"\n";
    let doors = Doors::try_open(&format!("{WEB}{two}"), PERMIT_ALL, files).await.unwrap();
    let who = async |seed: u8, url: &str, subject: &str| {
        let claims = claims(url, &format!("{{\"sub\":\"{subject}\",\"roles\":[\"admin\"]}}"));
        let reply = doors.post(&Signer::ed(seed).sign_with("EdDSA", "one", &claims), "who", "").await;
        (reply.status, reply.json().get("principal").and_then(Value::as_str).unwrap_or_default().to_string())
    };
    assert_eq!(who(1, "https://one.test", "alice").await, (200, "corp|alice".into()));
    assert_eq!(who(2, "https://two.test", "alice").await, (200, "corp_b|alice".into()));
    assert_eq!(who(1, "https://one.test", "_b|alice").await, (200, "corp|_b|alice".into()));
    assert_eq!(who(1, "https://one.test", "unix:root").await, (200, "corp|unix:root".into()));
    // One signs for the other.
    assert_eq!(who(2, "https://one.test", "alice").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_an_issuer_exchanges_are_exchanged_here() {
    let issuer = TestIssuer::start().await;
    let doors = open(&issuer, "again = \"1ms\"\n").await;
    let (old, new) = (issuer.token("{}"), issuer.signed(2, "two", "{}"));
    assert_eq!(doors.get(&old, "/chains").await.status, 200);
    assert!(turned_away(&doors, &doors.get(&new, "/chains").await).await.contains("no key of the issuer"));
    issuer.publish(&[Signer::ed(1).jwk("one"), Signer::ed(2).jwk("two")]);
    for token in [&old, &new, &old] {
        assert_eq!(doors.get(token, "/chains").await.status, 200);
    }
    // What the issuer takes back holds no longer, not even what was verified before.
    issuer.publish(&[Signer::ed(2).jwk("two")]);
    assert_eq!(doors.get(&issuer.signed(3, "three", "{}"), "/chains").await.status, 401);
    assert_eq!(doors.get(&old, "/chains").await.status, 401);
    assert_eq!(doors.get(&new, "/chains").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_are_read_again_when_it_changes() {
    let doors = open_filed("").await;
    let (old, new) = (filed("{}"), Signer::ed(2).sign_with("EdDSA", "one", &claims(FILED, "{}")));
    assert_eq!(doors.get(&old, "/chains").await.status, 200);
    // What is no set of keys changes nothing; what comes after it shows that it was read.
    let path = doors.folder.path().join("issuer.json");
    std::fs::write(&path, "{\"keys\":").unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(doors.get(&old, "/chains").await.status, 200);
    std::fs::copy(doors.folder.path().join("other.json"), &path).unwrap();
    comes_in(&doors, &new).await;
    assert_eq!(doors.get(&old, "/chains").await.status, 401);
}

/// Whoever leaves no key in a file, or no file, means that nobody comes in by it.
#[tokio::test(flavor = "multi_thread")]
async fn attack_36_keys_that_are_taken_out_of_a_file_let_nobody_in() {
    let doors = open_filed("").await;
    let token = filed("{}");
    let path = doors.folder.path().join("issuer.json");
    let set = std::fs::read(&path).unwrap();
    for gone in [true, false] {
        comes_in(&doors, &token).await;
        match gone {
            true => std::fs::remove_file(&path).unwrap(),
            false => std::fs::write(&path, "{\"keys\": []}").unwrap(),
        }
        within(async {
            while doors.get(&token, "/chains").await.status != 401 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        std::fs::write(&path, &set).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_tokens_that_name_unknown_keys_do_not_make_us_ask_again_and_again() {
    let issuer = TestIssuer::start().await;
    let doors = open(&issuer, "").await;
    let tokens: Vec<String> = (0..40).map(|at| issuer.signed(1, &format!("k{at}"), "{}")).collect();
    let asked = tokens.iter().map(|token| doors.get(token, "/chains"));
    let mut all = Vec::new();
    for call in asked {
        all.push(call.await.status);
    }
    assert!(all.iter().all(|status| *status == 401));
    assert_eq!(issuer.times_asked(), 1);
    assert_eq!(doors.get(&issuer.token("{}"), "/chains").await.status, 200);
    assert_eq!(issuer.times_asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_is_done_without_for_a_while_and_no_longer() {
    let issuer = TestIssuer::start().await;
    let times = "refresh = \"1ms\"\nagain = \"1ms\"\nstale = \"2s\"\n";
    let doors = open(&issuer, &format!("jwks = \"{}/keys\"\n{times}", issuer.url)).await;
    let token = issuer.token("{}");
    assert_eq!(doors.get(&token, "/chains").await.status, 200);
    issuer.goes_away(true);
    let asked = issuer.times_asked();
    // It is asked in the background, and its keys are used meanwhile.
    within(async {
        while issuer.times_asked() == asked {
            assert_eq!(doors.get(&token, "/chains").await.status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let gone = within(async {
        loop {
            let reply = doors.get(&token, "/chains").await;
            if reply.status != 200 {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(turned_away(&doors, &gone.await).await.contains("the keys of the issuer are not at hand"));
    issuer.goes_away(false);
    comes_in(&doors, &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_33_a_discovery_document_that_lies_is_not_believed() {
    let other = TestIssuer::start().await;
    for (said, why) in [
        ("{\"issuer\":\"https://evil.example\",\"jwks_uri\":\"@OWN@/keys\"}", "that of another issuer"),
        ("{\"issuer\":\"@OWN@/\",\"jwks_uri\":\"@OWN@/keys\"}", "that of another issuer"),
        ("{\"issuer\":\"@OWN@\",\"jwks_uri\":\"@OTHER@/keys\"}", "which is not the issuer"),
        ("{\"issuer\":\"@OWN@\",\"jwks_uri\":\"http://169.254.169.254/keys\"}", "which is not the issuer"),
        ("{\"issuer\":\"@OWN@\",\"jwks_uri\":\"file:///etc/passwd\"}", "not an http or https URL"),
        ("{\"issuer\":\"@OWN@\"}", "does not say where its keys are"),
        ("{\"issuer\":\"@OWN@\",\"jwks_uri\":\"@OWN@/gone\"}", "404"),
        ("nonsense", "its discovery document"),
    ] {
        let issuer = TestIssuer::start().await;
        let said = said.replace("@OWN@", &issuer.url).replace("@OTHER@", &other.url);
        issuer.page("/.well-known/openid-configuration", &said);
        let doors = open(&issuer, "").await;
        let reply = doors.get(&issuer.token("{}"), "/chains").await;
        let recorded = turned_away(&doors, &reply).await;
        assert!(recorded.contains(why), "{recorded}\nand not: {why}");
    }
    assert_eq!(other.times_asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_keys_is_small_and_verifies() {
    let many: Vec<String> = (0..65).map(|at| Signer::ed(1).jwk(&format!("k{at}"))).collect();
    let large = format!("{{\"keys\":[{}],\"x\":\"{}\"}}", Signer::ed(1).jwk("one"), "x".repeat(300 << 10));
    let sets = [
        (key_set(&many), "more than 64 keys"),
        (large, "not at hand"),
        ("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"one\",\"k\":\"AAAA\"}]}".into(), "no key that verifies"),
        (key_set(&[Signer::ed(1).jwk("one").replace("\"sig\"", "\"enc\"")]), "no key that verifies"),
        ("[]".into(), "no list of `keys`"),
    ];
    for (set, why) in sets {
        let issuer = TestIssuer::start().await;
        issuer.page("/keys", &set);
        let doors = open(&issuer, "").await;
        let reply = doors.get(&issuer.token("{}"), "/chains").await;
        let recorded = turned_away(&doors, &reply).await;
        assert!(recorded.contains(why), "{recorded}\nand not: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_before_a_reload_is_used_after_it() {
    let issuer = TestIssuer::start().await;
    let doors = open(&issuer, "").await;
    assert_eq!(doors.get(&issuer.token("{}"), "/chains").await.status, 200);
    issuer.goes_away(true);
    doors.reload(&issuer.project(""), PERMIT_ALL, &[]).await.unwrap();
    assert_eq!(doors.get(&issuer.token("{\"jti\":\"2\"}"), "/chains").await.status, 200);
    // One that is believed no longer is not.
    doors.reload(WEB, PERMIT_ALL, &[]).await.unwrap();
    assert_eq!(doors.get(&issuer.token("{}"), "/chains").await.status, 401);
}

/// The store that another process has of the same tokens.
fn store(doors: &Doors) -> TokenStore {
    TokenStore::open(&doors.folder.path().join(TOKENS_FILE)).unwrap()
}

fn new(subject: &str) -> NewToken {
    NewToken {
        subject: subject.into(),
        roles: vec!["desk".into()],
        tenant: Some("acme".into()),
        chains: None,
        audience: None,
        access_ms: 600_000,
        refresh_ms: Some(3_600_000),
    }
}

fn now_ms() -> u64 {
    now() as u64 * 1_000
}

async fn exchange(doors: &Doors, refresh: &str) -> Reply {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    doors.ask("POST", "/token", &form, &format!("grant_type=refresh_token&refresh_token={refresh}")).await
}

fn part(reply: &Reply, name: &str) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json().get(name).and_then(Value::as_str).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn own_tokens_prove_whom_they_were_issued_for_and_refresh_once() {
    let doors = Doors::open(WEB).await;
    let issued = store(&doors).issue(new("bob"), now_ms()).unwrap();
    comes_in(&doors, &issued.access).await;
    let who = doors.post(&issued.access, "who", "").await.body;
    assert!(who.contains("\"principal\":\"bob\",\"roles\":[\"desk\"],\"tenant\":\"acme\""), "{who}");
    let first = issued.refresh.unwrap();
    let kept = std::fs::read_to_string(doors.folder.path().join(TOKENS_FILE)).unwrap();
    assert!(!kept.contains(&first[17..40]) && !kept.contains(&issued.access[..40]), "{kept}");
    let reply = exchange(&doors, &first).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let (access, second) = (part(&reply, "access_token"), part(&reply, "refresh_token"));
    assert_eq!(doors.get(&access, "/chains").await.status, 200);
    let third = exchange(&doors, &second).await;
    assert_eq!(doors.get(&part(&third, "access_token"), "/chains").await.status, 200);
    // Nor is a refresh token one to call with, or the other way about.
    assert_eq!(doors.get(&part(&third, "refresh_token"), "/chains").await.status, 401);
    assert!(exchange(&doors, &access).await.body.contains("invalid_grant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_36_a_refresh_token_that_comes_twice_ends_its_family() {
    let doors = Doors::open(WEB).await;
    let issued = store(&doors).issue(new("bob"), now_ms()).unwrap();
    let bystander = store(&doors).issue(new("eve"), now_ms()).unwrap();
    comes_in(&doors, &bystander.access).await;
    let first = issued.refresh.unwrap();
    let reply = exchange(&doors, &first).await;
    let (access, second) = (part(&reply, "access_token"), part(&reply, "refresh_token"));
    let again = exchange(&doors, &first).await;
    assert_eq!((again.status, again.body.contains("\"error\":\"invalid_grant\"")), (400, true), "{again:?}");
    let recorded = doors.doors_say("was used before").await;
    assert!(!recorded.contains(&first[17..40]), "{recorded}");
    assert_eq!(exchange(&doors, &second).await.status, 400);
    for token in [&issued.access, &access] {
        assert_eq!(doors.get(token, "/chains").await.status, 401);
    }
    assert_eq!(doors.get(&bystander.access, "/chains").await.status, 200);
    // Whoever makes one up ends nothing.
    let mut forged = bystander.refresh.clone().unwrap();
    forged.replace_range(20..24, "0000");
    assert_eq!(exchange(&doors, &forged).await.status, 400);
    assert_eq!(exchange(&doors, bystander.refresh.as_ref().unwrap()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_36_two_who_use_a_refresh_token_at_once_both_end_with_nothing() {
    let doors = Doors::open(WEB).await;
    for _ in 0..5 {
        let issued = store(&doors).issue(new("bob"), now_ms()).unwrap();
        let refresh = issued.refresh.unwrap();
        let (one, other) = tokio::join!(exchange(&doors, &refresh), exchange(&doors, &refresh));
        let mut all = [one, other];
        all.sort_by_key(|reply| reply.status);
        assert_eq!([all[0].status, all[1].status], [200, 400]);
        assert_eq!(doors.get(&part(&all[0], "access_token"), "/chains").await.status, 401);
        assert_eq!(exchange(&doors, &part(&all[0], "refresh_token")).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_36_revoked_tokens_end_within_a_second_with_what_is_under_way() {
    let doors = Doors::open(WEB).await;
    let issued = store(&doors).issue(new("bob"), now_ms()).unwrap();
    comes_in(&doors, &issued.access).await;
    let call = async {
        let reply = doors.post(&issued.access, "held", "").await;
        (reply.status, reply.code())
    };
    let revoking = async {
        doors.begun(1).await;
        store(&doors).revoke(&issued.access, now_ms()).unwrap();
    };
    let (reply, ()) = within(async { tokio::join!(call, revoking) }).await;
    assert_eq!(reply, (503, "cancelled".to_string()));
    assert_eq!(
        turned_away(&doors, &doors.get(&issued.access, "/chains").await).await,
        "the token was revoked"
    );
    assert_eq!(exchange(&doors, &issued.refresh.unwrap()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_keys_are_exchanged_and_others_can_verify_with_them() {
    let doors = Doors::open(WEB).await;
    let old = store(&doors).issue(new("bob"), now_ms()).unwrap();
    store(&doors).rotate(now_ms()).unwrap();
    let new = store(&doors).issue(new("bob"), now_ms()).unwrap();
    comes_in(&doors, &new.access).await;
    assert_eq!(doors.get(&old.access, "/chains").await.status, 200);
    let published = doors.ask("GET", "/.well-known/jwks.json", &[], "").await;
    let keys = KeySet::parse(published.body.as_bytes()).unwrap();
    let read = |token: &str| {
        let token = SignedToken::parse(token).unwrap();
        token.verify(keys.find(&token).unwrap()).unwrap();
        token.key_id.clone()
    };
    assert_ne!(read(&old.access), read(&new.access));
    assert!(!published.body.contains("pkcs8"));
    // Once no token of it can hold, the old one is gone.
    store(&doors).rotate(now_ms() + ACCESS_LIFE_MS_MAX + 1).unwrap();
    within(async {
        while doors.get(&old.access, "/chains").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_for_a_token_is_told_so() {
    let doors = Doors::open(WEB).await;
    let form = "application/x-www-form-urlencoded";
    let long = "x".repeat(5_000);
    for (kind, body, word) in [
        ("application/json", "{}", "invalid_request"),
        (form, "grant_type=password&username=a&password=b", "unsupported_grant_type"),
        (form, "grant_type=refresh_token", "invalid_request"),
        (form, "grant_type=refresh_token&refresh_token=rmr_1&refresh_token=rmr_2", "invalid_request"),
        (form, "grant_type=refresh_token&refresh_token=rmr_0_0_00", "invalid_grant"),
        (form, long.as_str(), "invalid_request"),
    ] {
        let reply = doors.ask("POST", "/token", &[("content-type", kind)], body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.body.contains(&format!("\"error\":\"{word}\"")), "{body}: {}", reply.body);
    }
    // Where no tokens are taken, none are given.
    let doors = Doors::open(crate::setup::WEB).await;
    for (method, path) in [("POST", "/token"), ("GET", "/.well-known/jwks.json"), ("GET", METADATA)] {
        assert_eq!(doors.ask(method, path, &[], "").await.status, 401, "{path}");
    }
}

const METADATA: &str = "/.well-known/oauth-protected-resource";

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_whose_tokens_are_taken_and_what_they_lack() {
    let doors = open_filed("[[issuer.corp.scope]]\nname = \"chains:who\"\nchains = [\"who\"]\n").await;
    let said = doors.ask("GET", METADATA, &[], "").await;
    assert_eq!(
        (said.status, said.body.as_str()),
        (
            200,
            "{\"resource\":\"https://api.test\",\"bearer_methods_supported\":[\"header\"],\"authorization_servers\":[\"https://issuer.test\"],\"scopes_supported\":[\"chains:who\"]}"
        )
    );
    let said = doors.ask("GET", &format!("{METADATA}/mcp"), &[], "").await;
    assert!(said.body.contains("\"resource\":\"https://api.test/mcp\""), "{said:?}");
    assert_eq!(doors.ask("GET", &format!("{METADATA}/x"), &[], "").await.status, 401);
    let said = doors.ask("POST", "/mcp", &[], "").await;
    assert!(
        said.header("www-authenticate").unwrap().ends_with("/.well-known/oauth-protected-resource/mcp\"")
    );
    // A token for the one door is not one for the other.
    let mcp = filed("{\"aud\":\"https://api.test/mcp\",\"scope\":\"chains:who\"}");
    assert_eq!(doors.get(&mcp, "/mcp").await.status, 404);
    assert_eq!(doors.get(&mcp, "/chains").await.status, 401);
    assert_eq!(doors.get(&filed("{}"), "/mcp").await.status, 404);

    let lacking = doors.post(&filed("{\"scope\":\"chains:other\"}"), "who", "").await;
    assert_eq!((lacking.status, lacking.code()), (403, "insufficient-scope".into()));
    assert_eq!(
        lacking.header("www-authenticate"),
        Some(
            "Bearer realm=\"ringmail\", error=\"insufficient_scope\", scope=\"chains:who\", resource_metadata=\"https://api.test/.well-known/oauth-protected-resource\""
        )
    );
    assert_eq!(doors.post(&filed("{\"scope\":\"chains:who\"}"), "who", "").await.status, 200);
    // What no scope is good for is not there.
    assert_eq!(doors.post(&filed("{\"scope\":\"chains:who\"}"), "echo", "1").await.status, 404);
    let listed = doors.get(&filed("{\"scope\":\"chains:who\"}"), "/chains").await.body;
    assert!(listed.contains("who") && !listed.contains("echo"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_never_run_a_chain_does_not_hear_of_its_scope() {
    let text = format!(
        "{WEB}[issuer.corp]\nurl = \"{FILED}\"\nkeys = \"issuer.json\"\n[[issuer.corp.scope]]\nname = \"s\"\nchains = [\"who\"]\n"
    );
    let policy = "permit (principal == Ringmail::Principal::\"nobody\", action, resource);\n";
    let doors = Doors::try_open(&text, policy, files).await.unwrap();
    assert_eq!(doors.post(&filed("{}"), "who", "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_38_no_chain_and_no_record_of_a_run_sees_the_token() {
    let doors = open_filed("").await;
    let token = filed("{}");
    let reply = doors.post_with(&token, "echo", &[("x-forwarded-authorization", &token)], "1").await;
    let who = doors.post(&token, "who", "").await;
    assert_eq!((reply.status, who.status), (200, 200));
    let signature = token.rsplit('.').next().unwrap();
    let record = doors.record();
    assert!(record.contains("\"who\"") && !record.contains(signature), "{record}");
    assert!(!format!("{}{}{}{}", reply.head, reply.body, who.head, who.body).contains(signature));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_about_issuers_is_told() {
    for (said, why) in [
        ("", "nothing says whom tokens of `corp` must be for here"),
        ("resource = \"https://api.test/x\"\n", "a `resource` is an origin"),
        ("resource = \"https://api.test/\"\n", "a `resource` is an origin"),
    ] {
        let text = format!(
            "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\n{said}[issuer.corp]\nurl = \"{FILED}\"\nkeys = \"issuer.json\"\n"
        );
        let told = Doors::try_open(&text, PERMIT_ALL, files).await.map(|_| ()).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    for (said, why) in [
        ("url = \"http://elsewhere.test\"\n", "asked over `https`"),
        ("url = \"https://a.test\"\njwks = \"https://a.test\"\nkeys = \"issuer.json\"\n", "not from both"),
        ("url = \"https://a.test\"\nkeys = \"none.json\"\n", "none.json"),
        (
            "url = \"https://a.test\"\nkeys = \"issuer.json\"\nrefresh = \"1s\"\nstale = \"1s\"\n",
            "`stale` is for keys that are fetched",
        ),
        ("url = \"https://a.test\"\nresolves_to = [\"x\"]\n", "no address or range"),
        (
            "url = \"https://a.test\"\ntenant = \"a\"\ntenant_claim = \"t\"\ntenants = [\"a\"]\n",
            "either all have one",
        ),
        ("url = \"https://a.test\"\ntenant_claim = \"t\"\n", "needs the `tenants`"),
        ("url = \"https://a.test\"\ntenants = [\"t\"]\n", "is for a `tenant_claim`"),
        ("url = \"https://a.test\"\naudience = []\n", "nobody is ever let in"),
        ("url = \"https://a.test\"\nalgorithms = [\"none\"]\n", "none"),
        ("url = \"https://a.test\"\nalgorithms = [\"HS256\"]\n", "HS256"),
        (
            "url = \"https://a.test\"\n[[issuer.corp.scope]]\nname = \"s\"\nchains = [\"gone\"]\n",
            "there is no chain `gone`",
        ),
        ("url = \"https://a.test\"\n[issuer.two]\nurl = \"https://a.test\"\n", "have one `url`"),
    ] {
        let told = Doors::try_open(&format!("{WEB}[issuer.corp]\n{said}"), PERMIT_ALL, files).await;
        let told = told.map(|_| ()).unwrap_err();
        assert!(told.contains(why), "{told}\nand not: {why}");
    }
}
