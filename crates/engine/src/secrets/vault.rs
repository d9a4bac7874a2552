//! HashiCorp Vault and what speaks as it does: `PROVIDER:PATH#FIELD` of a key-value engine, version 2. Whoever asks has a
//! token, or logs in with AppRole; a token that may be renewed is, before it ends.

use super::asker::{Answer, Asker, Question, part_of_path, seconds, within};
use super::{Keeps, Opens, SecretError, Unit};
use ringmail_core::value::Value;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

pub(super) const UNIT: Unit = Unit {
    name: "vault",
    opens: Opens::Elsewhere(|asker| Box::new(Vault { asker, login: Mutex::default() })),
};

struct Vault {
    asker: Asker,
    /// Held while somebody asks, so that nobody logs in twice.
    login: Mutex<Option<Login>>,
}

/// A token, and when something has to be done about it.
struct Login {
    token: Zeroizing<String>,
    /// What it was made from, which may be another by now.
    made_from: Zeroizing<String>,
    /// Past the middle of its time it is renewed, if it can be.
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Login {
    fn new(token: &str, made_from: Zeroizing<String>, ttl_s: u64, renewable: bool) -> Login {
        let mut login =
            Login { token: Zeroizing::new(token.into()), made_from, renew_at: None, ends_at: None };
        login.lasts(ttl_s, renewable);
        login
    }

    /// A token without an end has 0.
    fn lasts(&mut self, ttl_s: u64, renewable: bool) {
        let (now, ttl) = (Instant::now(), Duration::from_secs(ttl_s));
        self.ends_at = (ttl_s > 0).then(|| now + ttl);
        self.renew_at = (ttl_s > 0 && renewable).then(|| now + ttl / 2);
    }
}

impl Keeps for Vault {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        let (path, field) = item
            .rsplit_once('#')
            .filter(|(path, field)| !path.is_empty() && !field.is_empty())
            .ok_or_else(|| {
                self.asker
                    .wrong(format!("`{item}` is not the path of a secret and a field of it: `PATH#FIELD`"))
            })?;
        let parts: Option<Vec<String>> = path.split('/').map(part_of_path).collect();
        let path = parts.ok_or_else(|| self.asker.wrong(format!("`{path}` is not a path")))?.join("/");
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match self.get(&mut login, &path)? {
            // The token was taken away before its end. A role logs in once more.
            refused if refused.status == 403 && self.has_role() => {
                *login = None;
                self.get(&mut login, &path)?
            }
            answer => answer,
        };
        let found = self.asker.good(answer)?;
        let value = within(&found, &["data", "data", field]).and_then(Value::as_str);
        let value = value.ok_or_else(|| self.asker.wrong(format!("`{path}` has no text under `{field}`")))?;
        Ok(Zeroizing::new(value.into()))
    }
}

impl Vault {
    fn has_role(&self) -> bool {
        self.asker.setting.text("role_id").is_some()
    }

    fn get(&self, login: &mut Option<Login>, path: &str) -> Result<Answer, SecretError> {
        let mount = self.asker.setting.text("mount").unwrap_or("secret");
        let mount: Option<Vec<String>> = mount.trim_matches('/').split('/').map(part_of_path).collect();
        let mount = mount.ok_or_else(|| self.asker.wrong("`mount` is not a path"))?.join("/");
        let token = self.token(login)?;
        self.with_token("GET", &self.asker.at(&format!("/v1/{mount}/data/{path}")), &token)
    }

    /// A token that counts now.
    fn token(&self, held: &mut Option<Login>) -> Result<Zeroizing<String>, SecretError> {
        let now = Instant::now();
        let url = self.asker.at("/v1/");
        let own = self.asker.own_for(&url)?;
        // Another secret id or token was put in its place.
        if held
            .as_ref()
            .is_some_and(|login| *login.made_from != *own || login.ends_at.is_some_and(|end| end <= now))
        {
            *held = None;
        }
        if let Some(login) = held.as_mut()
            && login.renew_at.is_some_and(|renew_at| renew_at <= now)
        {
            self.renew(login)?;
        }
        if held.is_none() {
            *held = Some(self.log_in(own)?);
        }
        held.as_ref().map(|login| login.token.clone()).ok_or_else(|| self.asker.wrong("there is no token"))
    }

    fn log_in(&self, own: Zeroizing<String>) -> Result<Login, SecretError> {
        if !self.has_role() {
            let answer = self.with_token("GET", &self.asker.at("/v1/auth/token/lookup-self"), &own)?;
            // A policy may keep a token from looking at itself; it is used as long as it is taken.
            let (ttl_s, renewable) = match answer.status {
                403 => (0, false),
                _ => {
                    let found = self.asker.good(answer)?;
                    let renewable = within(&found, &["data", "renewable"]) == Some(&Value::Bool(true));
                    (seconds(within(&found, &["data", "ttl"])), renewable)
                }
            };
            let token = own.clone();
            return Ok(Login::new(&token, own, ttl_s, renewable));
        }
        let found = self.asker.ask(&Question {
            method: "POST",
            url: self.asker.at("/v1/auth/approle/login"),
            headers: &self.headers(&[]),
            body: Some("{role_id: '${input.role_id}', secret_id: '${secrets.own}'}"),
            input: &[("role_id", self.asker.text("role_id")), ("namespace", self.asker.text("namespace"))],
            secrets: &[("own", &own)],
            ..Question::default()
        })?;
        let token = within(&found, &["auth", "client_token"]).and_then(Value::as_str);
        let token = token.ok_or_else(|| self.asker.wrong("it lets the role in and gives no token"))?;
        let renewable = within(&found, &["auth", "renewable"]) == Some(&Value::Bool(true));
        Ok(Login::new(token, own, seconds(within(&found, &["auth", "lease_duration"])), renewable))
    }

    /// One that cannot be renewed any more is used to its end; what comes then is a new one, or a problem.
    fn renew(&self, login: &mut Login) -> Result<(), SecretError> {
        let answer = self.with_token("POST", &self.asker.at("/v1/auth/token/renew-self"), &login.token)?;
        if !(200..300).contains(&answer.status) {
            login.renew_at = None;
            return Ok(());
        }
        let renewable = within(&answer.body, &["auth", "renewable"]) == Some(&Value::Bool(true));
        login.lasts(seconds(within(&answer.body, &["auth", "lease_duration"])), renewable);
        Ok(())
    }

    fn with_token(&self, method: &'static str, url: &str, token: &str) -> Result<Answer, SecretError> {
        self.asker.ask_any(&Question {
            method,
            url: url.into(),
            headers: &self.headers(&[("x-vault-token", "${secrets.own}")]),
            body: (method == "POST").then_some("{}"),
            input: &[("namespace", self.asker.text("namespace"))],
            secrets: &[("own", token)],
            ..Question::default()
        })
    }

    fn headers(&self, more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        // Says that nobody was tricked into sending this on.
        let mut headers = vec![("x-vault-request", "true")];
        if self.asker.setting.text("namespace").is_some() {
            headers.push(("x-vault-namespace", "${input.namespace}"));
        }
        headers.extend(more);
        headers
    }
}
