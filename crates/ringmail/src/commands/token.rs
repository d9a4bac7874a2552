//! `ringmail token`: tokens of this project's own. An access token holds for a short time; a refresh token is good for
//! one exchange at `POST /token`.

use super::Common;
use super::key::{expires_ms, known_as, with};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_data, print_json, say};
use ringmail_engine::core::doc::form::duration_ms;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::token::SignedToken;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Clock, SystemClock};
use ringmail_server::{ACCESS_LIFE_MS_MAX, NewToken, TOKENS_FILE, TokenError, TokenFamily, TokenStore};

/// Issue, look into and take back tokens of this project's own
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum What {
    /// Issue an access token, and a refresh token where it says how long; both are shown once
    Issue {
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
        /// Whom it is for: the `resource` of a listener; by default any listener of this project
        #[arg(long, value_name = "RESOURCE")]
        audience: Option<String>,
        /// How long each access token holds, such as `15m`; at most a day
        #[arg(long, value_name = "TIME", default_value = "15m")]
        expires: String,
        /// How long refresh tokens may follow on each other, such as `30d`, or until when
        #[arg(long, value_name = "TIME")]
        refresh: Option<String>,
    },
    /// The tokens that were issued; those that came of one issue stand together
    List,
    /// What a token says, and whether this project believes it
    Inspect {
        /// The token; `-` reads it from standard input
        token: String,
    },
    /// Take tokens back: within a second all that came of one issue let nobody in, and what is under way with them ends
    Revoke {
        /// Their id, or one of the tokens
        token: String,
    },
    /// Sign with a new key from now on; tokens of the one before hold until they end
    Rotate,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        place.keep_out()?;
        let store = TokenStore::open(&place.data().join(TOKENS_FILE)).map_err(fault)?;
        let now_ms = SystemClock.now_ms();
        match self.what {
            What::Issue { name, role, tenant, chain, audience, expires, refresh } => {
                let access_ms = access_ms(&expires)?;
                let refresh = refresh.map(|refresh| expires_ms(&refresh, now_ms)).transpose()?.flatten();
                let (roles, tenant) = known_as(&place, &name, role, tenant);
                let new = NewToken {
                    subject: name.as_str().into(),
                    roles,
                    tenant,
                    chains: (!chain.is_empty()).then(|| chain.into_iter().map(Str::from).collect()),
                    audience: audience.map(Str::from),
                    access_ms,
                    refresh_ms: refresh.map(|end| end.saturating_sub(now_ms)),
                };
                let issued = store.issue(new, now_ms).map_err(fault)?;
                match self.format {
                    Format::Json => print_json(&issued.answer(now_ms))?,
                    Format::Text => {
                        say(&format!(
                            "tokens {} for `{}`; they are not shown again",
                            issued.family.id,
                            clean(&name)
                        ));
                        print_data(&issued.access)?;
                        if let Some(refresh) = &issued.refresh {
                            print_data(refresh)?;
                        }
                    }
                }
            }
            What::List => {
                let all = store.all();
                match self.format {
                    Format::Json => print_json(&Value::list(all.iter().map(|family| card(family, now_ms))))?,
                    Format::Text if all.is_empty() => say("no tokens; issue one: ringmail token issue NAME"),
                    Format::Text => {
                        for family in all {
                            print(&line(&family, now_ms))?;
                        }
                    }
                }
            }
            What::Inspect { token } => return inspect(&store, &token, now_ms, self.format),
            What::Revoke { token } => {
                let family = store.revoke(&token, now_ms).map_err(fault)?;
                match self.format {
                    Format::Json => print_json(&card(&family, now_ms))?,
                    Format::Text => {
                        say(&format!(
                            "the tokens {} of `{}` are taken back",
                            family.id,
                            clean(&family.subject)
                        ));
                    }
                }
            }
            What::Rotate => {
                store.rotate(now_ms).map_err(fault)?;
                say("tokens are signed with a new key from now on");
            }
        }
        Ok(Exit::Done)
    }
}

fn access_ms(text: &str) -> Result<u64, Fault> {
    match duration_ms(text) {
        Ok(ms) if (1..=ACCESS_LIFE_MS_MAX).contains(&ms) => Ok(ms),
        Ok(_) => Err(Fault::user("an access token holds at most a day")
            .hint("for longer, add `--refresh 30d`, or make a key: ringmail key create NAME")),
        Err(_) => Err(Fault::user(format!("`{}` is no duration", clean(text))).hint("write `15m` or `1h`")),
    }
}

/// What a token says stands on standard output; what is thought of it decides the exit code.
fn inspect(store: &TokenStore, text: &str, now_ms: u64, format: Format) -> Result<Exit, Fault> {
    let mut read = String::new();
    let text = if text == "-" {
        let from = std::io::Read::take(std::io::stdin(), 64 << 10);
        std::io::read_to_string(from)
            .map(|whole| read = whole)
            .map_err(|error| Fault::user(error.to_string()))?;
        read.trim()
    } else {
        text
    };
    let token = SignedToken::parse(text).map_err(|error| {
        Fault::user(error.to_string()).hint("an access token has three parts with dots between them")
    })?;
    let (state, exit) = match store.inspect(&token, now_ms) {
        Some(Ok(_)) => ("good".to_string(), Exit::Done),
        Some(Err(fault)) => (fault.to_string(), Exit::User),
        None => ("not of this project; its signature was not looked at".to_string(), Exit::Done),
    };
    match format {
        Format::Json => print_json(&Value::map([
            ("state", Value::from(state.as_str())),
            ("key", token.key_id.clone().map_or(Value::Null, Value::Str)),
            ("claims", token.claims.clone()),
        ]))?,
        Format::Text => {
            print_data(&to_pretty(&token.claims))?;
            say(&state);
        }
    }
    Ok(exit)
}

fn state(family: &TokenFamily, now_ms: u64) -> &'static str {
    if family.revoked_ms.is_some() {
        "revoked"
    } else if family.expires_ms <= now_ms {
        "expired"
    } else {
        "good"
    }
}

fn card(family: &TokenFamily, now_ms: u64) -> Value {
    let card = with(&family.to_value(), "refreshes", Value::Bool(family.refreshes()));
    with(&card, "state", state(family, now_ms).into())
}

fn line(family: &TokenFamily, now_ms: u64) -> String {
    let mut words =
        vec![format!("{} {}", family.id, clean(&family.subject)), state(family, now_ms).to_string()];
    if let Some(tenant) = &family.tenant {
        words.push(format!("tenant {}", clean(tenant)));
    }
    if family.refreshes() {
        words.push("refreshes".into());
    }
    words.join(" · ")
}

fn fault(error: TokenError) -> Fault {
    let hint = match error {
        TokenError::Unknown(_) => Some("see them: ringmail token list"),
        TokenError::Subject(_) => Some("choose a name without `|`"),
        _ => None,
    };
    let fault = Fault::from(anyhow::Error::new(error));
    hint.into_iter().fold(fault, Fault::hint)
}
