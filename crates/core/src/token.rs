//! Signed tokens, taken apart and verified: one text, three parts in the one form each may have, an algorithm out of a
//! closed list, a key out of a known set. Never asks a token where its key is, and knows no algorithm without a key pair.

use crate::json::{JsonLimits, parse};
use crate::value::{Str, Value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use thiserror::Error;

/// Longer texts are not looked into.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// What one set of keys may be.
pub const KEY_SET_BYTES_MAX: usize = 256 << 10;
const KEYS_MAX: usize = 64;
const KEY_ID_BYTES_MAX: usize = 256;
const PART_DEPTH_MAX: usize = 16;
const PART_VALUES_MAX: usize = 2_000;

/// Why a token proves nobody; for the record, never for whoever showed it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenFault {
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    Large,
    #[error("it is not a signed token: {0}")]
    Shape(&'static str),
    #[error("the {part} of the token is not strict JSON: {why}")]
    Json { part: &'static str, why: String },
    #[error("the token names something critical, and nothing of that is known here")]
    Critical,
    #[error("the token's algorithm is none that its issuer may use")]
    Algorithm,
    #[error("the token is of another type")]
    Kind,
    #[error("the token's issuer is not known")]
    UnknownIssuer,
    #[error("the keys of the issuer are not at hand: {0}")]
    NoKeys(String),
    #[error("no key of the issuer is the token's, or none of that kind")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token says no `{0}`, or none that is one")]
    Missing(&'static str),
    #[error("the token has expired")]
    Expired,
    #[error("the token does not hold yet")]
    NotYet,
    #[error("the token comes from the future")]
    Future,
    #[error("the token's claim `{0}` is not what it must be")]
    Claim(Str),
    #[error("the token is for a tenant that its issuer does not speak for here")]
    Tenant,
    #[error("the token was revoked")]
    Revoked,
}

/// How a token may be signed. There is no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

enum Verifier {
    Rsa(&'static RsaParameters),
    Point(Curve, &'static dyn VerificationAlgorithm),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    Ed25519,
}

impl Algorithm {
    const ALL: [Algorithm; 9] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];
    pub const NAMES: &[&str] =
        &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

    pub fn named(name: &str) -> Option<Algorithm> {
        let all = Algorithm::ALL.into_iter().zip(Algorithm::NAMES);
        all.into_iter().find(|(_, known)| **known == name).map(|(algorithm, _)| algorithm)
    }

    fn verifier(self) -> Verifier {
        match self {
            Algorithm::Rs256 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => Verifier::Point(Curve::P256, &signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::Es384 => Verifier::Point(Curve::P384, &signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDsa => Verifier::Point(Curve::Ed25519, &signature::ED25519),
        }
    }
}

/// A token that was taken apart; nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct SignedToken<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    pub algorithm: Algorithm,
    pub key_id: Option<Str>,
    /// What it says it is, in lower case.
    pub kind: Option<String>,
    pub claims: Value,
}

impl<'t> SignedToken<'t> {
    /// Whether a text is meant to be one: three parts, two dots.
    pub fn is_meant(text: &str) -> bool {
        text.split('.').count() == 3
    }

    pub fn parse(text: &'t str) -> Result<SignedToken<'t>, TokenFault> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Large);
        }
        let three = || TokenFault::Shape("it has not three parts");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(three)?;
        let (head, claims) = signed.split_once('.').ok_or_else(three)?;
        if claims.contains('.') {
            return Err(three());
        }
        let head = json("head", head)?;
        if head.get("crit").is_some() {
            return Err(TokenFault::Critical);
        }
        let algorithm = head.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let algorithm = algorithm.ok_or(TokenFault::Algorithm)?;
        let key_id = match head.get("kid") {
            None => None,
            Some(Value::Str(id)) if id.len() <= KEY_ID_BYTES_MAX => Some(id.clone()),
            Some(_) => return Err(TokenFault::Shape("its `kid` is not one")),
        };
        let kind = match head.get("typ") {
            None => None,
            Some(Value::Str(kind)) => Some(kind.to_ascii_lowercase()),
            Some(_) => return Err(TokenFault::Kind),
        };
        let signature = bytes(signature)?;
        if signature.is_empty() {
            return Err(TokenFault::Signature);
        }
        Ok(SignedToken { signed, signature, algorithm, key_id, kind, claims: json("body", claims)? })
    }

    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether this key signed it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), TokenFault> {
        let signed = self.signed.as_bytes();
        let verified = match (self.algorithm.verifier(), &key.material) {
            (Verifier::Rsa(parameters), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, &self.signature)
            }
            (Verifier::Point(curve, algorithm), Material::Point(own, point)) if curve == *own => {
                UnparsedPublicKey::new(algorithm, point).verify(signed, &self.signature)
            }
            _ => return Err(TokenFault::UnknownKey),
        };
        verified.map_err(|_| TokenFault::Signature)
    }
}

/// Bytes in the one spelling that they have.
fn bytes(text: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Shape("a part is not spelt as it must be"))
}

fn json(part: &'static str, text: &str) -> Result<Value, TokenFault> {
    let limits =
        JsonLimits { bytes_max: TOKEN_BYTES_MAX, depth_max: PART_DEPTH_MAX, values_max: PART_VALUES_MAX };
    let read = parse(&bytes(text)?, &limits);
    let read = read.map_err(|error| TokenFault::Json { part, why: error.to_string() })?;
    match read.as_map() {
        Some(_) => Ok(read),
        None => Err(TokenFault::Json { part, why: "it is not a map".into() }),
    }
}

/// A public key that tokens are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    id: Option<Str>,
    /// The only algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point(Curve, Vec<u8>),
}

impl VerifyingKey {
    /// The public half of an Ed25519 key.
    pub fn ed25519(id: Str, public: &[u8]) -> VerifyingKey {
        let material = Material::Point(Curve::Ed25519, public.to_vec());
        VerifyingKey { id: Some(id), algorithm: Some(Algorithm::EdDsa), material }
    }

    /// A key of a set; nothing if it is for something else, or of a kind that is not known here.
    fn read(value: &Value) -> Option<VerifyingKey> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let part = |name: &str| bytes(text(name)?).ok();
        let for_signatures = text("use").is_none_or(|what| what == "sig");
        let verifies = value
            .get("key_ops")
            .and_then(Value::as_list)
            .is_none_or(|operations| operations.iter().any(|operation| operation.as_str() == Some("verify")));
        if !for_signatures || !verifies {
            return None;
        }
        let algorithm = match value.get("alg") {
            None => None,
            Some(named) => Some(Algorithm::named(named.as_str()?)?),
        };
        let both = |length: usize| {
            let (x, y) = (part("x")?, part("y")?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: part("n")?, e: part("e")? },
            ("EC", Some("P-256")) => Material::Point(Curve::P256, both(32)?),
            ("EC", Some("P-384")) => Material::Point(Curve::P384, both(48)?),
            ("OKP", Some("Ed25519")) => Material::Point(Curve::Ed25519, part("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(VerifyingKey { id: text("kid").map(Str::from), algorithm, material })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match (algorithm.verifier(), &self.material) {
            (Verifier::Rsa(_), Material::Rsa { .. }) => true,
            (Verifier::Point(curve, _), Material::Point(own, _)) => curve == *own,
            _ => false,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

/// The keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    pub fn new(keys: Vec<VerifyingKey>) -> KeySet {
        KeySet(keys)
    }

    /// Reads a JSON Web Key Set. Keys that are not for what is done here are left out; an empty list is an issuer that has none.
    pub fn parse(text: &[u8]) -> Result<KeySet, String> {
        let limits = JsonLimits { bytes_max: KEY_SET_BYTES_MAX, ..JsonLimits::default() };
        let set = parse(text, &limits).map_err(|error| format!("it is not strict JSON: {error}"))?;
        let keys = set.get("keys").and_then(Value::as_list).ok_or("it has no list of `keys`")?;
        if keys.len() > KEYS_MAX {
            return Err(format!("it has more than {KEYS_MAX} keys"));
        }
        let usable: Vec<VerifyingKey> = keys.iter().filter_map(VerifyingKey::read).collect();
        match usable.is_empty() && !keys.is_empty() {
            true => Err("it has no key that verifies tokens".into()),
            false => Ok(KeySet(usable)),
        }
    }

    /// The key that a token means: the one of its name, or the only one there is, where it names none.
    pub fn find(&self, token: &SignedToken<'_>) -> Option<&VerifyingKey> {
        let mut fitting = self.0.iter().filter(|key| key.fits(token.algorithm));
        if let Some(id) = &token.key_id {
            return fitting.find(|key| key.id.as_ref() == Some(id));
        }
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }
}
