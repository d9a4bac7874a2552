//! Secrets take the place of their placeholders here and nowhere else: in headers and bodies, towards their host.

use super::Injected;
use crate::secrets::Secrets;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, NetPermit};
use ringmail_core::refusal::{Refusal, Rule};
use std::borrow::Cow;

/// The text with each placeholder of this host's secrets replaced. One of another host's ends the request.
pub(super) fn fill<'t>(
    permit: &NetPermit,
    secrets: &Secrets,
    text: &'t str,
    form: Form,
    used: &mut Vec<Injected>,
) -> Result<Cow<'t, str>, Blocked> {
    let mut filled = Cow::Borrowed(text);
    for secret in permit.secrets() {
        if !filled.contains(&*secret.placeholder) {
            continue;
        }
        let missing =
            || Failure::new(FailureKind::Unavailable, format!("the secret `{}` has no value", secret.name));
        let value = secrets.take(&secret.name).ok_or_else(missing)?;
        filled = Cow::Owned(match form {
            Form::Plain => filled.replace(&*secret.placeholder, &value),
            Form::Json => filled.replace(&*secret.placeholder, &inside_quotes(&value)),
        });
        if !used.iter().any(|(tag, _)| *tag == secret.tag) {
            used.push((secret.tag, value));
        }
    }
    if permit.placeholders().any(|placeholder| filled.contains(&**placeholder)) {
        let message = "a secret of another address would be sent here";
        return Err(Refusal::new(Rule::Clearance, permit.link(), message)
            .towards(permit.target().origin())
            .into());
    }
    Ok(filled)
}

/// What a placeholder stands in.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Plain,
    /// A text in quotes, which a secret must not end.
    Json,
}

fn inside_quotes(text: &str) -> String {
    let quoted = ringmail_core::json::to_string(&ringmail_core::value::Value::from(text));
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_string()
}

/// URLs end up in logs, histories and `Referer` headers.
pub(super) fn refuse_in_url(permit: &NetPermit) -> Result<(), Blocked> {
    let url = permit.target().as_str();
    // A placeholder in a query is percent-encoded, but its random part is not changed by that.
    let inside = permit
        .placeholders()
        .any(|placeholder| placeholder.rsplit(':').next().is_some_and(|random| url.contains(random)));
    if inside {
        let refusal = Refusal::new(Rule::Clearance, permit.link(), "a secret would stand in the URL")
            .towards(permit.target().origin())
            .change("send it in a header");
        return Err(refusal.into());
    }
    Ok(())
}
