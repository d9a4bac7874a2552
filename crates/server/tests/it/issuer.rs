//! An issuer of tokens with real keys of every kind, which hands them out over HTTP, exchanges them, lies and goes away.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaKeyPair, RsaPublicKeyComponents,
};
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub const RESOURCE: &str = "https://api.test";
/// Whose keys lie in a file.
pub const FILED: &str = "https://issuer.test";

pub enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn value(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Signer {
    pub fn rsa() -> Signer {
        let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rsa.pem");
        let key = PrivatePkcs8KeyDer::from_pem_file(pem).unwrap();
        Signer::Rsa(Box::new(RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap()))
    }

    pub fn p256() -> Signer {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Signer::P256(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
    }

    pub fn p384() -> Signer {
        let (kind, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Signer::P384(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
    }

    /// Always the same.
    pub fn ed(seed: u8) -> Signer {
        Signer::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub fn public(&self) -> Vec<u8> {
        match self {
            Signer::Rsa(key) => key.public().as_ref().to_vec(),
            Signer::P256(key) | Signer::P384(key) => key.public_key().as_ref().to_vec(),
            Signer::Ed(key) => key.public_key().as_ref().to_vec(),
        }
    }

    pub fn jwk(&self, id: &str) -> String {
        let public = self.public();
        let point = |curve: &str| {
            let (x, y) = public[1..].split_at(public.len() / 2);
            format!("\"kty\":\"EC\",\"crv\":\"{curve}\",\"x\":\"{}\",\"y\":\"{}\"", b64(x), b64(y))
        };
        let material = match self {
            Signer::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                format!("\"kty\":\"RSA\",\"n\":\"{}\",\"e\":\"{}\"", b64(n), b64(e))
            }
            Signer::P256(_) => point("P-256"),
            Signer::P384(_) => point("P-384"),
            Signer::Ed(_) => format!("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{}\"", b64(&public)),
        };
        format!("{{\"kid\":\"{id}\",\"use\":\"sig\",{material}}}")
    }

    fn sign(&self, algorithm: &str, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Ed(key) => key.sign(signed).as_ref().to_vec(),
            Signer::P256(key) | Signer::P384(key) => key.sign(&random, signed).unwrap().as_ref().to_vec(),
            Signer::Rsa(key) => {
                let kind: &dyn ring::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(kind, &random, signed, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of this head and these claims, as they are written.
    pub fn token(&self, head: &str, claims: &str) -> String {
        let algorithm = head.split("\"alg\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let signed = format!("{}.{}", b64(head), b64(claims));
        format!("{signed}.{}", b64(self.sign(algorithm.unwrap_or_default(), signed.as_bytes())))
    }

    pub fn sign_with(&self, algorithm: &str, id: &str, claims: &Value) -> String {
        self.token(
            &format!("{{\"alg\":\"{algorithm}\",\"kid\":\"{id}\",\"typ\":\"at+jwt\"}}"),
            &to_string(claims),
        )
    }
}

/// Claims that are good, with some in place of others; `null` leaves one out.
pub fn claims(issuer: &str, more: &str) -> Value {
    let standard = format!(
        "{{\"iss\":\"{issuer}\",\"aud\":\"{RESOURCE}\",\"sub\":\"alice\",\"iat\":{},\"exp\":{}}}",
        now(),
        now() + 600
    );
    let mut members: BTreeMap<String, Value> = BTreeMap::new();
    for text in [standard.as_str(), more] {
        for (name, value) in value(text).as_map().unwrap().iter() {
            members.insert(name.to_string(), value.clone());
        }
    }
    Value::map(members.into_iter().filter(|(_, value)| *value != Value::Null))
}

pub fn key_set(keys: &[String]) -> String {
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

/// The sets of keys that `keys` of an issuer may name.
pub fn files(folder: &std::path::Path) {
    for (name, seed) in [("issuer.json", 1), ("other.json", 2)] {
        std::fs::write(folder.join(name), key_set(&[Signer::ed(seed).jwk("one")])).unwrap();
    }
}

/// A token that the keys of `issuer.json` signed.
pub fn filed(more: &str) -> String {
    Signer::ed(1).sign_with("EdDSA", "one", &claims(FILED, more))
}

pub struct TestIssuer {
    pub url: String,
    pages: Arc<Mutex<BTreeMap<String, String>>>,
    down: Arc<AtomicBool>,
    /// Requests for `/keys` so far.
    pub asked: Arc<AtomicUsize>,
}

impl TestIssuer {
    pub async fn start() -> TestIssuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (pages, down, asked) =
            (Arc::<Mutex<BTreeMap<String, String>>>::default(), Arc::default(), Arc::default());
        let issuer = TestIssuer { url: url.clone(), pages, down, asked };
        issuer.page(
            "/.well-known/openid-configuration",
            &format!("{{\"issuer\":\"{url}\",\"jwks_uri\":\"{url}/keys\"}}"),
        );
        issuer.publish(&[Signer::ed(1).jwk("one")]);
        let (pages, down, asked) = (issuer.pages.clone(), issuer.down.clone(), issuer.asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (pages, down, asked) = (pages.clone(), down.clone(), asked.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_string();
                    asked.fetch_add(usize::from(path == "/keys"), Ordering::SeqCst);
                    if down.load(Ordering::SeqCst) {
                        return;
                    }
                    let page = pages.lock().unwrap().get(&path).cloned();
                    let (status, body) = page.map_or((404, String::new()), |page| (200, page));
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _gone = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        issuer
    }

    pub fn page(&self, path: &str, body: &str) {
        self.pages.lock().unwrap().insert(path.into(), body.into());
    }

    pub fn publish(&self, keys: &[String]) {
        self.page("/keys", &key_set(keys));
    }

    pub fn goes_away(&self, away: bool) {
        self.down.store(away, Ordering::SeqCst);
    }

    pub fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A token of the key that it publishes at first.
    pub fn token(&self, more: &str) -> String {
        self.signed(1, "one", more)
    }

    pub fn signed(&self, seed: u8, id: &str, more: &str) -> String {
        Signer::ed(seed).sign_with("EdDSA", id, &claims(&self.url, more))
    }

    /// A project that believes it, with more said of it.
    pub fn project(&self, more: &str) -> String {
        format!("{WEB}[issuer.corp]\nurl = \"{}\"\nresolves_to = [\"127.0.0.1\"]\n{more}", self.url)
    }
}

pub const WEB: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n";
