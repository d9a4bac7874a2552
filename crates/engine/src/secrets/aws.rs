//! AWS Secrets Manager: `PROVIDER:NAME`, or `PROVIDER:NAME#KEY` for a member of a secret that is JSON. Requests are signed
//! with Signature Version 4; the key that signs is sent nowhere.

use super::asker::{Asker, Question};
use super::{Keeps, Opens, SecretError, Unit};
use crate::sign::to_hex;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ringmail_core::address::Target;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::Value;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit = Unit { name: "aws", opens: Opens::Elsewhere(|asker| Box::new(Aws(asker))) };

const TARGET: &str = "secretsmanager.GetSecretValue";
const CONTENT: &str = "application/x-amz-json-1.1";
const SERVICE: &str = "secretsmanager";

struct Aws(Asker);

impl Keeps for Aws {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        let (name, member) = item.split_once('#').map_or((item, None), |(name, key)| (name, Some(key)));
        let url = self.0.at("/");
        let body = to_string(&Value::map([("SecretId", Value::from(name))]));
        let session = self.0.session_for(&url)?;
        let signed = Signed {
            host: &host_of(&self.0.setting.url),
            time: &crate::moment::of_seconds(self.0.now_ms() / 1000),
            region: self.0.text("region"),
            session: session.as_ref().map(|session| session.as_str()),
            body: &body,
        };
        let authorization = signed.authorization(self.0.text("key_id"), &self.0.own()?);
        let mut headers = vec![
            ("content-type", CONTENT),
            ("x-amz-date", "${input.time}"),
            ("x-amz-target", TARGET),
            ("authorization", "${input.authorization}"),
        ];
        let mut secrets = Vec::new();
        if let Some(session) = &session {
            headers.push(("x-amz-security-token", "${secrets.session}"));
            secrets.push(("session", session.as_str()));
        }
        let answer = self.0.ask_any(&Question {
            method: "POST",
            url,
            headers: &headers,
            // A text is sent as it is, and this is what was signed.
            body: Some("'${input.body}'"),
            input: &[("time", signed.time), ("authorization", &authorization), ("body", &body)],
            secrets: &secrets,
            ..Question::default()
        })?;
        if answer.status == 400 {
            let kind = answer.body.get("__type").and_then(Value::as_str).unwrap_or_default();
            let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
            return Err(self.0.wrong(format!("it answers 400: {kind}")));
        }
        let found = self.0.good(answer)?;
        let value = found.get("SecretString").and_then(Value::as_str);
        let value = value.ok_or_else(|| self.0.wrong(format!("`{name}` is no text")))?;
        let Some(member) = member else { return Ok(Zeroizing::new(value.into())) };
        let parsed = parse(value.as_bytes(), &JsonLimits::default()).ok();
        let value = parsed.as_ref().and_then(|all| all.get(member)).and_then(Value::as_str);
        let value = value.ok_or_else(|| self.0.wrong(format!("`{name}` has no text under `{member}`")))?;
        Ok(Zeroizing::new(value.into()))
    }
}

/// What is signed of a request.
struct Signed<'s> {
    host: &'s str,
    time: &'s str,
    region: &'s str,
    session: Option<&'s str>,
    body: &'s str,
}

impl Signed<'_> {
    fn authorization(&self, key_id: &str, secret: &str) -> String {
        let mut headers = vec![("content-type", CONTENT), ("host", self.host), ("x-amz-date", self.time)];
        headers.extend(self.session.map(|session| ("x-amz-security-token", session)));
        headers.push(("x-amz-target", TARGET));
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines = Zeroizing::new(
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<String>(),
        );
        let sum = |text: &str| to_hex(digest(&SHA256, text.as_bytes()).as_ref());
        let canonical = Zeroizing::new(format!("POST\n/\n\n{}\n{names}\n{}", *lines, sum(self.body)));
        let day = self.time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{SERVICE}/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.time, sum(&canonical));
        let mac =
            |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let first = Zeroizing::new(format!("AWS4{secret}"));
        let mut key = mac(first.as_bytes(), day);
        for part in [self.region, SERVICE, "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        let signature = to_hex(mac(key.as_ref(), &text).as_ref());
        format!("AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

/// As egress writes it.
fn host_of(url: &Target) -> String {
    match (url.is_tls(), url.port()) {
        (true, 443) | (false, 80) => url.host().to_string(),
        (_, port) => format!("{}:{port}", url.host()),
    }
}
