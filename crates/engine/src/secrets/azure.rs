//! Azure Key Vault: `PROVIDER:NAME`, or `PROVIDER:NAME@VERSION`. A client with a secret of its own is given a token.

use super::asker::{Asker, Pass, Question, field_of_form, part_of_path};
use super::{Keeps, Opens, SecretError, Unit};
use ringmail_core::value::Value;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit =
    Unit { name: "azure", opens: Opens::Elsewhere(|asker| Box::new(Azure { asker, pass: Pass::default() })) };

const API: &str = "7.4";
const SCOPE: &str = "https://vault.azure.net/.default";

struct Azure {
    asker: Asker,
    pass: Pass,
}

impl Keeps for Azure {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        let (name, version) =
            item.split_once('@').map_or((item, None), |(name, version)| (name, Some(version)));
        let version = version.map(part_of_path);
        let (Some(part), false) = (part_of_path(name), version == Some(None)) else {
            return Err(self.asker.wrong(format!("`{item}` is not the name of a secret")));
        };
        let version = version.flatten().map_or_else(String::new, |version| format!("/{version}"));
        let token = self.token()?;
        let found = self.asker.ask(&Question {
            method: "GET",
            url: self.asker.at(&format!("/secrets/{part}{version}?api-version={API}")),
            headers: &[("authorization", "Bearer ${secrets.pass}")],
            secrets: &[("pass", &token)],
            ..Question::default()
        })?;
        let value = found.get("value").and_then(Value::as_str);
        let value = value.ok_or_else(|| self.asker.wrong(format!("`{name}` has no value")))?;
        Ok(Zeroizing::new(value.into()))
    }
}

impl Azure {
    fn token(&self) -> Result<Zeroizing<String>, SecretError> {
        let login = self.asker.text("login");
        let own = self.asker.own_for(login)?;
        let scope = self.asker.setting.text("scope").unwrap_or(SCOPE);
        self.pass.token(&self.asker, own, |own| self.asker.ask(&Question {
            method: "POST",
            url: login.into(),
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: Some(
                "'grant_type=client_credentials&client_id=${input.client}&scope=${input.scope}&client_secret=${secrets.own}'",
            ),
            input: &[("client", &field_of_form(self.asker.text("client_id"))), ("scope", &field_of_form(scope))],
            secrets: &[("own", &field_of_form(own))],
            ..Question::default()
        }))
    }
}
