//! Secrets that lie elsewhere: asked for with what each provider wants to see, and for the one address they are bound to.
//! AWS is a simulator that holds every signature against its own reading. For the others no package has a server that runs
//! here: what stands in for them takes what their documents describe, to the letter, and turns away everything else.

use crate::peer::{Asked, Peer};
use crate::setup::{Ended, Place};
use crate::toolchains::kept;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

const KEPT: &str = "kept-elsewhere-8d1f";
const OWN: &str = "who-asks/with+this&77";

/// A project whose secret `bank` goes to another host, in a header.
pub fn project(bank: &Peer, text: &str) -> Place {
    let place = Place::empty();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    let url = bank.url();
    place.write(
        "chains/pay.yaml",
        &format!("chain: pay\nlinks:\n  ask: {{kind: http, with: {{url: '{url}/', headers: {{x-key: '${{secrets.bank}}'}}}}}}\noutput: ${{ask.status}}\n"),
    );
    secret_file(&place, "own", OWN);
    let grant = format!("[[grant]]\nto = \"pay\"\nreason = \"pays\"\nnet = [{{ address = \"{url}\" }}]\n");
    place.write("ringmail.toml", &format!("{grant}{text}").replace("@BANK@", &url));
    place
}

pub fn secret_file(place: &Place, name: &str, value: &str) {
    let path = place.write(name, value);
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// Whatever it is sent.
pub fn bank() -> Peer {
    Peer::start(|_| (200, "{}".into()))
}

/// The secret came to its host, and lies nowhere in the project.
#[track_caller]
fn arrives(place: &Place, bank: &Peer, expected: &str, others: &[&str]) {
    let ended = place.run(&["run", "pay"]);
    assert_eq!((ended.code, ended.out.trim()), (0, "200"), "{}", ended.shown());
    assert_eq!(bank.asked().last().unwrap().header("x-key"), expected);
    let recorded = place.recorded();
    assert!(recorded.contains("\"chain\":\"request\""), "that a provider was asked is on record: {recorded}");
    // What it was asked with and what it answered is not: the run of the chain is kept to be gone on with, this is not.
    for record in place.records() {
        let of = |chain| record.record.get("chain").and_then(Value::as_str) == Some(chain);
        let sealed = |key| record.sealed.as_ref().and_then(|sealed| sealed.get(key)).is_some();
        assert!(!of("request") || !sealed("began") && !sealed("kept"), "{:?}", record.sealed);
        assert!(!of("pay") || sealed("began") || sealed("kept") || sealed("intent"), "{:?}", record.record);
    }
    for value in others.iter().chain([&expected]) {
        assert!(!recorded.contains(value), "{recorded}");
        assert!(!ended.err.contains(value), "{}", ended.err);
    }
}

#[track_caller]
fn check_says(place: &Place, why: &str) -> Ended {
    let ended = place.run(&["secret", "check"]);
    assert!(ended.code != 0 && ended.shown().contains(why), "`{why}` is not in {}", ended.shown());
    assert!(!ended.shown().contains(OWN) && !ended.shown().contains(KEPT), "{}", ended.shown());
    ended
}

fn denied() -> (u16, String) {
    (403, "{\"errors\":[\"permission denied\"]}".into())
}

fn kv(asked: &Asked, path: &str) -> (u16, String) {
    if asked.method != "GET" || !asked.body.is_empty() || asked.path != path {
        return (404, "{\"errors\":[]}".into());
    }
    (
        200,
        format!("{{\"data\":{{\"data\":{{\"token\":\"{KEPT}\",\"n\":1}},\"metadata\":{{\"version\":3}}}}}}"),
    )
}

const VAULT: &str = "[secret.own]\nfrom = \"file:own\"\nbound_to = [\"@VAULT@\"]\n[secret.bank]\nfrom = \"hq:apps/the bank#token\"\nbound_to = [\"@BANK@\"]\n[provider.hq]\nkind = \"vault\"\nurl = \"@VAULT@\"\nsecret = \"own\"\n";

#[test]
fn vault_is_asked_with_a_token() {
    let vault = Peer::start(|asked| {
        if asked.header("x-vault-request") != "true" || asked.header("x-vault-token") != OWN {
            return denied();
        }
        match &*asked.path {
            "/v1/auth/token/lookup-self" => (200, "{\"data\":{\"ttl\":0,\"renewable\":false}}".into()),
            _ => kv(asked, "/v1/secret/data/apps/the%20bank"),
        }
    });
    let bank = bank();
    let text = VAULT.replace("@VAULT@", &vault.url());
    arrives(&project(&bank, &text), &bank, KEPT, &[OWN]);
    for (from, why) in [
        ("apps/the bank#nothing", "has no text under `nothing`"),
        ("apps/the bank#n", "has no text under `n`"),
        ("apps/other#token", "it answers 404"),
        ("apps/the bank", "is not the path of a secret and a field of it"),
        ("../../sys/raw/x#token", "is not a path"),
        ("apps//bank#token", "is not a path"),
    ] {
        let place = project(&bank, &text.replace("apps/the bank#token", from));
        check_says(&place, why);
    }
    let place = project(&bank, &text);
    secret_file(&place, "own", "somebody-else");
    check_says(&place, "it answers 403");
    assert!(vault.asked().iter().all(|asked| asked.path.starts_with("/v1/")));
}

#[test]
fn vault_lets_a_role_in_and_its_token_is_asked_with() {
    let vault = Peer::start(|asked| {
        if asked.header("x-vault-namespace") != "team/a" {
            return denied();
        }
        if asked.path == "/v1/auth/approle/login" {
            let said = parse(asked.body.as_bytes(), &JsonLimits::default()).unwrap();
            let text = |key| said.get(key).and_then(Value::as_str).unwrap_or_default();
            if asked.method != "POST" || (text("role_id"), text("secret_id")) != ("r-1", OWN) {
                return denied();
            }
            let auth =
                "{\"auth\":{\"client_token\":\"hvs.given\",\"lease_duration\":3600,\"renewable\":true}}";
            return (200, auth.into());
        }
        if asked.header("x-vault-token") != "hvs.given" {
            return denied();
        }
        kv(asked, "/v1/team/kv/data/apps/the%20bank")
    });
    let bank = bank();
    let more = "role_id = \"r-1\"\nnamespace = \"team/a\"\nmount = \"team/kv\"\n";
    let text = VAULT.replace("@VAULT@", &vault.url()) + more;
    arrives(&project(&bank, &text), &bank, KEPT, &[OWN, "hvs.given"]);
    // One login does for all secrets of a reading.
    let before = vault.asked().len();
    let twice = format!("{text}[secret.again]\nfrom = \"hq:apps/the bank#token\"\nbound_to = [\"@BANK@\"]\n");
    assert_eq!(project(&bank, &twice).run(&["secret", "check"]).code, 0);
    let logins = vault.asked().split_off(before);
    assert_eq!(logins.iter().filter(|asked| asked.path.ends_with("login")).count(), 1);
    check_says(&project(&bank, &text.replace("r-1", "r-2")), "it answers 403");
}

#[test]
fn what_says_who_asks_goes_where_it_is_bound_to_and_nowhere_else() {
    let elsewhere = Peer::start(|_| (200, "{}".into()));
    let to = format!("{}/v1/secret/data/x", elsewhere.url());
    let asked = Peer::start(move |_| (307, to.clone()));
    let bank = bank();
    let unbound = VAULT.replace("bound_to = [\"@VAULT@\"]", "bound_to = [\"https://vault.test\"]");
    let place = project(&bank, &unbound.replace("@VAULT@", &asked.url()));
    check_says(&place, "it is asked with the secret `own`, which is not bound to `http://LOOPBACK`");
    assert!(asked.asked().is_empty());
    // The address that was granted is the only one that is asked: not a name that leads to this machine, not where it sends on to.
    let named = VAULT.replace("@VAULT@", &format!("https://localhost:{}", asked.port));
    check_says(&project(&bank, &named), "leads to a loopback address");
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_provider_that_sends_on_elsewhere_is_not_followed() {
    let elsewhere = Peer::start(|_| (200, "{}".into()));
    let to = elsewhere.url();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let answer = format!(
                "HTTP/1.1 302 X\r\nlocation: {to}/v1/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _gone = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    let text = VAULT.replace("@VAULT@", &format!("http://127.0.0.1:{port}"));
    check_says(&project(&bank(), &text), "the provider `hq`");
    assert!(elsewhere.asked().is_empty());
}

/// A simulator of AWS that answers to nobody whose signature does not fit.
struct Moto(Child, u16);

impl Drop for Moto {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

const WANTED: &str = "moto[server]==5.2.5";

fn moto() -> PathBuf {
    let (folder, _lock) = kept("moto");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).unwrap_or_default() != WANTED {
        let done = |program: &Path, args: &[&str]| {
            assert!(Command::new(program).args(args).current_dir(&folder).status().unwrap().success());
        };
        done(Path::new("python3"), &["-m", "venv", "--clear", "venv"]);
        done(&folder.join("venv/bin/pip"), &["install", "--quiet", WANTED]);
        std::fs::write(&stamp, WANTED).unwrap();
    }
    folder.join("venv/bin/python")
}

/// Makes a user, a key of that user and a secret that the user may read, while nobody is asked for a signature yet.
const PREPARE: &str = r#"
import json, sys, threading
from moto.server import ThreadedMotoServer
from moto import settings
import boto3
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"
def client(name):
    return boto3.client(name, endpoint_url=url, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
iam = client("iam")
iam.create_user(UserName="reads")
rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}
iam.put_user_policy(UserName="reads", PolicyName="reads", PolicyDocument=json.dumps(rule))
key = iam.create_access_key(UserName="reads")["AccessKey"]
secrets = client("secretsmanager")
secrets.create_secret(Name="apps/bank", SecretString="kept-elsewhere-8d1f")
secrets.create_secret(Name="apps/json", SecretString=json.dumps({"token": "kept-elsewhere-8d1f", "n": 1}))
import requests
assert requests.post(url + "/moto-api/reset-auth", data="0").ok
print(port, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
threading.Event().wait()
"#;

#[test]
fn aws_is_asked_with_a_signature_that_fits() {
    let mut child = Command::new(moto())
        .args(["-c", PREPARE])
        .env("INITIAL_NO_AUTH_ACTION_COUNT", "100")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [port, id, secret] = words[..] else { panic!("the simulator does not start: {line}") };
    let moto = Moto(child, port.parse().unwrap());
    let bank = bank();
    let text = format!(
        "[secret.own]\nfrom = \"file:own\"\nbound_to = []\n[secret.bank]\nfrom = \"cloud:apps/bank\"\nbound_to = [\"@BANK@\"]\n[provider.cloud]\nkind = \"aws\"\nurl = \"http://127.0.0.1:{}\"\nsecret = \"own\"\nregion = \"eu-central-1\"\nkey_id = \"{id}\"\n",
        moto.1
    );
    let own = |text: &str, value: &str| {
        let place = project(&bank, text);
        secret_file(&place, "own", value);
        place
    };
    arrives(&own(&text, secret), &bank, KEPT, &[secret]);
    arrives(&own(&text.replace("apps/bank", "apps/json#token"), secret), &bank, KEPT, &[secret]);
    check_says(&own(&text.replace("apps/bank", "apps/json#n"), secret), "has no text under `n`");
    check_says(&own(&text.replace("apps/bank", "apps/none"), secret), "there is no such secret");
    // A signature that does not fit is turned away by the simulator itself: with another key, and for another region.
    check_says(&own(&text, "another-key"), "whoever asks may not have it");
    check_says(&own(&text.replace(id, "AKIAIOSFODNN7EXAMPLE"), secret), "whoever asks may not have it");
}

/// The key of a service account, and who verifies what it signs.
pub static SERVICE_KEY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let openssl = |args: &[&str], input: &[u8]| {
        let mut command = Command::new("openssl");
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    let pem = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], b"");
    let public = openssl(&["rsa", "-RSAPublicKey_out", "-outform", "DER"], &pem);
    (String::from_utf8(pem).unwrap(), public)
});

pub fn service_account(login: &str) -> String {
    let pem = SERVICE_KEY.0.replace('\n', "\\n");
    format!(
        "{{\"type\":\"service_account\",\"client_email\":\"reads@p.test\",\"private_key_id\":\"k1\",\"private_key\":\"{pem}\",\"token_uri\":\"{login}\"}}"
    )
}

/// Whether a service account signed that it wants a token from this place, for an hour at most.
fn is_signed(assertion: &str, login: &str) -> bool {
    let Some((said, signature)) = assertion.rsplit_once('.') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, &SERVICE_KEY.1);
    if key.verify(said.as_bytes(), &signature).is_err() {
        return false;
    }
    let part = |at| {
        parse(&URL_SAFE_NO_PAD.decode(said.split('.').nth(at).unwrap()).unwrap(), &JsonLimits::default())
            .unwrap()
    };
    let (head, claims) = (part(0), part(1));
    let text = |value: &Value, key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let (Some(Value::Int(from)), Some(Value::Int(to))) = (claims.get("iat"), claims.get("exp")) else {
        return false;
    };
    (text(&head, "alg"), text(&head, "typ"), text(&head, "kid"))
        == ("RS256".into(), "JWT".into(), "k1".into())
        && text(&claims, "iss") == "reads@p.test"
        && text(&claims, "aud") == login
        && text(&claims, "scope") == "https://www.googleapis.com/auth/cloud-platform"
        && (now - 60..=now + 60).contains(from)
        && *to > now
        && to - from <= 3600
}

fn form(asked: &Asked) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let url = format!("http://x/{text}");
        let bytes = url.trim_start_matches("http://x/").as_bytes().to_vec();
        let (mut out, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            match bytes[at] {
                b'%' => {
                    out.push(
                        u8::from_str_radix(std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap(), 16).unwrap(),
                    );
                    at += 3;
                }
                b'+' => {
                    out.push(b' ');
                    at += 1;
                }
                byte => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        String::from_utf8(out).unwrap()
    };
    let pairs = asked.body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

#[test]
fn google_is_asked_by_a_service_account_that_signs() {
    let login = Peer::start(|asked| {
        let form = form(asked);
        let said = |key: &str| form.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value);
        let url = format!("http://{}/token", asked.header("host"));
        let fits = asked.method == "POST"
            && asked.header("content-type") == "application/x-www-form-urlencoded"
            && said("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            && is_signed(said("assertion"), &url);
        if !fits {
            return (400, "{\"error\":\"invalid_grant\"}".into());
        }
        (200, "{\"access_token\":\"ya29.given\",\"expires_in\":3599,\"token_type\":\"Bearer\"}".into())
    });
    let manager = Peer::start(|asked| {
        if asked.header("authorization") != "Bearer ya29.given" || asked.method != "GET" {
            return (401, "{}".into());
        }
        let sum = |right: bool| if right { 56_281_703_u32 } else { 1 };
        let (value, sum) = match &*asked.path {
            "/v1/projects/p-1/secrets/bank/versions/latest:access" => (KEPT, sum(true)),
            "/v1/projects/p-1/secrets/bank/versions/2:access" => ("the-second", 0),
            "/v1/projects/p-1/secrets/torn/versions/latest:access" => (KEPT, sum(false)),
            _ => return (404, "{}".into()),
        };
        let sum = if sum == 0 { String::new() } else { format!(",\"dataCrc32c\":\"{sum}\"") };
        (200, format!("{{\"name\":\"x\",\"payload\":{{\"data\":\"{}\"{sum}}}}}", STANDARD.encode(value)))
    });
    let bank = bank();
    let url = format!("{}/token", login.url());
    let text = format!(
        "[secret.own]\nfrom = \"file:own\"\nbound_to = []\n[secret.bank]\nfrom = \"cloud:bank\"\nbound_to = [\"@BANK@\"]\n[provider.cloud]\nkind = \"google\"\nurl = \"{}\"\nlogin = \"{url}\"\nsecret = \"own\"\nproject = \"p-1\"\n",
        manager.url()
    );
    let signing = |text: &str, file: &str| {
        let place = project(&bank, text);
        secret_file(&place, "own", file);
        place
    };
    let file = service_account(&url);
    arrives(&signing(&text, &file), &bank, KEPT, &["ya29.given", "PRIVATE KEY"]);
    arrives(&signing(&text.replace("cloud:bank", "cloud:bank@2"), &file), &bank, "the-second", &[]);
    check_says(&signing(&text.replace("cloud:bank", "cloud:torn"), &file), "its sum does not fit");
    check_says(&signing(&text.replace("p-1", "p-2"), &file), "it answers 404");
    // The file is not believed about where what it signs is sent.
    check_says(
        &signing(&text, &service_account("https://elsewhere.test/token")),
        "is not the `login` of the provider",
    );
    check_says(&signing(&text, "{}"), "`own` is no key file: it has no `token_uri`");
    check_says(&signing(&text, &file.replace("reads@", "writes@")), "it answers 400");
}

#[test]
fn azure_is_asked_by_a_client_with_a_secret() {
    let login = Peer::start(|asked| {
        let form = form(asked);
        let wanted = [
            ("grant_type", "client_credentials"),
            ("client_id", "c-1"),
            ("client_secret", OWN),
            ("scope", "https://vault.azure.net/.default"),
        ];
        let fits = |(key, value): &(&str, &str)| form.iter().any(|(name, said)| name == key && said == value);
        let right = asked.path == "/t-1/oauth2/v2.0/token" && asked.method == "POST" && form.len() == 4;
        if !right || !wanted.iter().all(fits) {
            return (401, "{\"error\":\"invalid_client\"}".into());
        }
        (200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ.given\"}".into())
    });
    let vault = Peer::start(|asked| {
        if asked.header("authorization") != "Bearer eyJ.given" {
            return (401, "{}".into());
        }
        match &*asked.path {
            "/secrets/bank?api-version=7.4" => (200, format!("{{\"value\":\"{KEPT}\",\"id\":\"x\"}}")),
            "/secrets/bank/v2?api-version=7.4" => (200, "{\"value\":\"the-second\"}".into()),
            _ => (404, "{}".into()),
        }
    });
    let bank = bank();
    let text = format!(
        "[secret.own]\nfrom = \"file:own\"\nbound_to = [\"{}\"]\n[secret.bank]\nfrom = \"cloud:bank\"\nbound_to = [\"@BANK@\"]\n[provider.cloud]\nkind = \"azure\"\nurl = \"{}\"\nlogin = \"{}/t-1/oauth2/v2.0/token\"\nsecret = \"own\"\nclient_id = \"c-1\"\n",
        login.url(),
        vault.url(),
        login.url()
    );
    arrives(&project(&bank, &text), &bank, KEPT, &[OWN, "eyJ.given"]);
    arrives(&project(&bank, &text.replace("cloud:bank", "cloud:bank@v2")), &bank, "the-second", &[OWN]);
    check_says(&project(&bank, &text.replace("c-1", "c-2")), "it answers 401");
    check_says(&project(&bank, &text.replace("cloud:bank", "cloud:none")), "it answers 404");
}

#[test]
fn a_dotenv_counts_for_a_developer_and_never_in_production() {
    let bank = bank();
    let text = "[secret.bank]\nfrom = \"dotenv:BANK\"\nbound_to = [\"@BANK@\"]\n";
    let place = project(&bank, text);
    secret_file(&place, ".env", &format!("# mine\nBANK=\"{KEPT}\"\n"));
    place.write("ringmail.dev.toml", "");
    check_says(&place, "`.env` is for development, and this is production");
    let dev = ["--environment", "dev", "run", "pay"];
    let ended = place.run(&dev);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert_eq!(bank.asked().last().unwrap().header("x-key"), KEPT);
    secret_file(&place, ".env", "OTHER=1\n");
    assert!(place.run(&dev).err.contains("`.env` has no `BANK`"));
    std::fs::set_permissions(place.path().join(".env"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    assert!(place.run(&dev).err.contains("can be read by others"));
}

#[test]
fn what_a_provider_lacks_or_cannot_take_is_told_at_once() {
    let text = "[secret.own]\nfrom = \"file:own\"\nbound_to = [\"https://a.test\"]\n[secret.far]\nfrom = \"cloud:x\"\nbound_to = [\"https://a.test\"]\n\
        [provider.cloud]\nkind = \"aws\"\nurl = \"http://10.1.2.3\"\nsecret = \"far\"\nmount = \"x\"\nresolves_to = [\"all\"]\n[provider.env]\nkind = \"vault\"\nurl = \"https://a.test\"\nsecret = \"none\"\n[secret.lost]\nfrom = \"hq:x\"\nbound_to = [\"https://a.test\"]\n";
    let told = project(&bank(), text).run(&["check"]);
    for why in [
        "a provider of the kind `aws` needs `region`",
        "a provider of the kind `aws` needs `key_id`",
        "`mount` is not for a provider of the kind `aws`",
        "a provider elsewhere is asked over `https`",
        "`far` must be kept on this host to ask for others",
        "`env:` says where on this host a secret is kept",
        "there is no secret `none`",
        "`all` is not an address",
        "a secret comes from",
    ] {
        assert!(told.err.contains(why), "`{why}` is not in {}", told.err);
    }
}
