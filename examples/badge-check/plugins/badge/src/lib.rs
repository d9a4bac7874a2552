//! Who holds a badge: a JSON Web Token that its issuer signed with Ed25519. What it says counts if the signature is that of
//! the key, and only as long as it says. `alg` of the token is held against the one algorithm there is, and chooses nothing.

use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_compact::{PublicKey, Signature};
use ringmail::plugin::clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "wit", world: "guest", generate_all });

#[derive(Deserialize)]
struct Input {
    token: String,
    /// The issuer's public key, as its JSON Web Key has it under `x`.
    issuer: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    role: String,
    /// Seconds since 1970.
    exp: u64,
}

#[derive(Serialize)]
struct Holder {
    subject: String,
    role: String,
}

fn check(input: &Input) -> Result<Holder, String> {
    let key = bytes(&input.issuer).and_then(|key| PublicKey::from_slice(&key).ok());
    let key = key.ok_or("the issuer's key is no Ed25519 key")?;
    let (signed, signature) = input.token.rsplit_once('.').ok_or("this is no badge")?;
    let (header, claims) = signed.split_once('.').ok_or("this is no badge")?;
    let header: Header = json(header).ok_or("this is no badge")?;
    if header.alg != "EdDSA" {
        return Err("the badge is signed in another way".into());
    }
    let signature = bytes(signature).and_then(|signature| Signature::from_slice(&signature).ok());
    let believed = signature.is_some_and(|signature| key.verify(signed, &signature).is_ok());
    if !believed {
        return Err("the badge was not signed by its issuer".into());
    }
    let claims: Claims = json(claims).ok_or("the badge does not say whose it is")?;
    if claims.exp <= clock::now() / 1000 {
        return Err("the badge has expired".into());
    }
    Ok(Holder { subject: claims.sub, role: claims.role })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

fn json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&bytes(text)?).ok()
}

struct Plugin;

impl Guest for Plugin {
    fn call(input: String) -> Result<String, String> {
        let input = serde_json::from_str(&input).map_err(|error| error.to_string())?;
        serde_json::to_string(&check(&input)?).map_err(|error| error.to_string())
    }
}

export!(Plugin);
