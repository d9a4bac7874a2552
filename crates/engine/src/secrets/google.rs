//! Google Secret Manager: `PROVIDER:NAME`, or `PROVIDER:NAME@VERSION`. A service account signs for who it is, and is given
//! a token for an hour; its key is sent nowhere.

use super::asker::{Asker, Pass, Question, field_of_form, part_of_path, within};
use super::{Keeps, Opens, SecretError, Unit};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::Value;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit = Unit {
    name: "google",
    opens: Opens::Elsewhere(|asker| Box::new(Google { asker, pass: Pass::default() })),
};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long what was signed counts; it is used at once.
const SIGNED_S: u64 = 600;

struct Google {
    asker: Asker,
    pass: Pass,
}

impl Keeps for Google {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        let asker = &self.asker;
        let (name, version) = item.split_once('@').unwrap_or((item, "latest"));
        let parts = [asker.text("project"), name, version].map(part_of_path);
        let [Some(project), Some(name), Some(version)] = parts else {
            return Err(asker.wrong(format!("`{item}` is not the name of a secret")));
        };
        let token = self.token()?;
        let found = asker.ask(&Question {
            method: "GET",
            url: asker.at(&format!("/v1/projects/{project}/secrets/{name}/versions/{version}:access")),
            headers: &[("authorization", "Bearer ${secrets.pass}")],
            secrets: &[("pass", &token)],
            ..Question::default()
        })?;
        let data = within(&found, &["payload", "data"]).and_then(Value::as_str);
        let data = data.and_then(|data| STANDARD.decode(data).ok()).map(Zeroizing::new);
        let data = data.ok_or_else(|| asker.wrong(format!("`{name}` has no value")))?;
        let sum = within(&found, &["payload", "dataCrc32c"]).and_then(Value::as_str);
        if sum.is_some_and(|sum| sum.parse() != Ok(crc32c(&data))) {
            return Err(asker.wrong(format!("`{name}` is not what was sent: its sum does not fit")));
        }
        let value = std::str::from_utf8(&data).map_err(|_| asker.wrong(format!("`{name}` is no text")))?;
        Ok(Zeroizing::new(value.into()))
    }
}

impl Google {
    fn token(&self) -> Result<Zeroizing<String>, SecretError> {
        let own = self.asker.own()?;
        self.pass.token(&self.asker, own, |own| self.asker.ask(&Question {
            method: "POST",
            url: self.asker.text("login").into(),
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: Some(
                "'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=${secrets.signed}'",
            ),
            secrets: &[("signed", &field_of_form(&self.assertion(own)?))],
            ..Question::default()
        }))
    }

    /// What the service account says of itself, signed.
    fn assertion(&self, file: &str) -> Result<Zeroizing<String>, SecretError> {
        let wrong =
            |what: &str| self.asker.wrong(format!("`{}` is no key file: {what}", self.asker.setting.secret));
        let read = parse(file.as_bytes(), &JsonLimits::default()).map_err(|_| wrong("it is no JSON"))?;
        let text = |key: &str| {
            read.get(key).and_then(Value::as_str).ok_or_else(|| wrong(&format!("it has no `{key}`")))
        };
        let login = self.asker.text("login");
        // Whoever is given the file decides what is signed for, and the project where it goes.
        if text("token_uri")? != login {
            return Err(wrong("its `token_uri` is not the `login` of the provider"));
        }
        let pem = text("private_key")?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| wrong("its `private_key` is no PEM"))?;
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map_err(|_| wrong("its `private_key` is not of RSA"))?;
        let now = i64::try_from(self.asker.now_ms() / 1000).unwrap_or(i64::MAX);
        let head = Value::map([
            ("alg", Value::from("RS256")),
            ("typ", Value::from("JWT")),
            ("kid", Value::from(text("private_key_id")?)),
        ]);
        let claims = Value::map([
            ("iss", Value::from(text("client_email")?)),
            ("scope", Value::from(SCOPE)),
            ("aud", Value::from(login)),
            ("iat", Value::Int(now)),
            ("exp", Value::Int(now.saturating_add(SIGNED_S as i64))),
        ]);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(to_string(value));
        let said = format!("{}.{}", part(&head), part(&claims));
        let mut signature = vec![0; key.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        let signed = key.sign(&RSA_PKCS1_SHA256, &random, said.as_bytes(), &mut signature);
        signed.map_err(|_| wrong("nothing can be signed with it"))?;
        Ok(Zeroizing::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums_are_those_of_castagnoli() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
