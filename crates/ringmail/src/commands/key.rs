//! `ringmail key`: API keys of callers. A key is shown once; what is kept cannot be turned back into it.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{DIM, Format, clean, paint, print, print_data, print_json, say};
use ringmail_engine::core::doc::form::{date_ms, duration_ms};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Clock, SystemClock};
use ringmail_server::{ApiKey, ApiKeyError, KEYS_FILE, KeyStore, NewKey};

/// How long a key holds, unless it is said otherwise.
const STANDARD_LIFE: &str = "90d";

/// Make, list and take back the API keys of callers
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a key; it is shown once
    Create {
        /// The principal it proves: the subject that policies see
        name: String,
        /// A role of the principal; by default those it has in `ringmail.toml`
        #[arg(long, value_name = "ROLE", value_delimiter = ',')]
        role: Vec<String>,
        /// Whose data it may see
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// The chains it is for; by default all that policy allows
        #[arg(long, value_name = "CHAIN", value_delimiter = ',')]
        chain: Vec<String>,
        /// How long it holds, such as `12h`, or until when, such as `2027-01-31`
        #[arg(long, value_name = "TIME", default_value = STANDARD_LIFE)]
        expires: String,
    },
    /// The keys there are
    List,
    /// Take a key back: within a second nobody is let in with it, and what is under way with it ends
    Revoke {
        /// Its id, or the key itself
        key: String,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        place.keep_out()?;
        let store = KeyStore::open(&place.data().join(KEYS_FILE)).map_err(fault)?;
        let now_ms = SystemClock.now_ms();
        match self.what {
            What::Create { name, role, tenant, chain, expires } => {
                let expires_ms = expires_ms(&expires, now_ms)?;
                let (roles, tenant) = known_as(&place, &name, role, tenant);
                let chains = (!chain.is_empty()).then(|| chain.into_iter().map(Str::from).collect());
                let new = NewKey { subject: name.as_str().into(), roles, tenant, chains, expires_ms };
                let issued = store.create(new, now_ms).map_err(fault)?;
                match self.format {
                    Format::Json => {
                        let card = card(&issued.key, now_ms);
                        print_json(&with(&card, "key", issued.text.as_str().into()))?;
                    }
                    Format::Text => {
                        say(&format!("a key for `{}`; it is not shown again", clean(&name)));
                        print_data(&issued.text)?;
                    }
                }
            }
            What::List => {
                let all = store.all();
                match self.format {
                    Format::Json => print_json(&Value::list(all.iter().map(|key| card(key, now_ms))))?,
                    Format::Text if all.is_empty() => say("no keys; make one: ringmail key create NAME"),
                    Format::Text => {
                        for key in all {
                            print(&line(&key, now_ms))?;
                        }
                    }
                }
            }
            What::Revoke { key } => {
                let key = store.revoke(&key, now_ms).map_err(fault)?;
                match self.format {
                    Format::Json => print_json(&card(&key, now_ms))?,
                    Format::Text => {
                        say(&format!("the key {} of `{}` is taken back", key.id, clean(&key.subject)))
                    }
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// Roles and tenant; what is not said is taken from the principal of that name in the project.
pub(super) fn known_as(
    place: &Place,
    name: &str,
    roles: Vec<String>,
    tenant: Option<String>,
) -> (Vec<Str>, Option<Str>) {
    let known = place.project.principals.iter().find(|principal| &*principal.subject == name);
    let own_roles = known.map(|known| known.roles.clone()).unwrap_or_default();
    let said: Vec<Str> = roles.into_iter().map(Str::from).collect();
    let tenant = tenant.map(Str::from).or_else(|| known.and_then(|known| known.tenant.clone()));
    (if said.is_empty() { own_roles } else { said }, tenant)
}

pub(super) fn expires_ms(text: &str, now_ms: u64) -> Result<Option<u64>, Fault> {
    let end = match (duration_ms(text), date_ms(text)) {
        (Ok(ms), _) => now_ms.saturating_add(ms),
        (_, Ok(at)) => at,
        (Err(_), Err(_)) => {
            let message = format!("`{}` is neither a duration nor a date", clean(text));
            return Err(Fault::user(message).hint("write `12h`, `90d` or `2027-01-31`"));
        }
    };
    if end <= now_ms {
        return Err(Fault::user("a key that has expired lets nobody in").hint("write a date that is to come"));
    }
    Ok(Some(end))
}

fn state(key: &ApiKey, now_ms: u64) -> &'static str {
    if key.revoked_ms.is_some() {
        "revoked"
    } else if key.expires_ms.is_some_and(|end| end <= now_ms) {
        "expired"
    } else {
        "good"
    }
}

fn card(key: &ApiKey, now_ms: u64) -> Value {
    with(&key.to_value(), "state", state(key, now_ms).into())
}

/// The same with one member more.
pub(super) fn with(card: &Value, name: &str, value: Value) -> Value {
    card.as_map().map_or(Value::Null, |members| Value::Map(members.with(name, value)))
}

fn line(key: &ApiKey, now_ms: u64) -> String {
    let mut words = vec![format!("{} {}", key.id, clean(&key.subject)), state(key, now_ms).to_string()];
    if !key.roles.is_empty() {
        words.push(format!("roles {}", clean(&key.roles.join(", "))));
    }
    if let Some(tenant) = &key.tenant {
        words.push(format!("tenant {}", clean(tenant)));
    }
    if let Some(chains) = &key.chains {
        words.push(format!("chains {}", clean(&chains.join(", "))));
    }
    if let (Some(end), "good") = (key.expires_ms, state(key, now_ms)) {
        words.push(paint(DIM, &format!("{} days left", end.saturating_sub(now_ms) / 86_400_000)));
    }
    words.join(" · ")
}

fn fault(error: ApiKeyError) -> Fault {
    let hint = match error {
        ApiKeyError::Unknown(_) => Some("see them: ringmail key list"),
        ApiKeyError::Subject(_) => Some("choose a name without `|`"),
        ApiKeyError::Kept(_) => None,
    };
    let fault = Fault::from(anyhow::Error::new(error));
    hint.into_iter().fold(fault, Fault::hint)
}
