//! Refusals made helpful: each rule's message and the smallest changes that would allow the call.

use super::judge::Fault;
use crate::doc::Spot;
use crate::grant::Lacking;
use crate::policy::{Action, Principal, Ruling};
use crate::refusal::{Refusal, Rule};
use crate::value::{Str, path_text};

/// What every refusal of one call has in common.
pub(super) struct Refuser<'a> {
    pub(super) link: &'a Str,
    pub(super) sink: String,
    pub(super) spot: Option<Spot>,
}

impl Refuser<'_> {
    fn refusal(&self, rule: Rule, message: String) -> Refusal {
        Refusal::new(rule, self.link, message).towards(self.sink.clone()).at(self.spot.clone())
    }

    pub(super) fn lacking(&self, lacking: Lacking, grant: &str) -> Refusal {
        let sink = &self.sink;
        match lacking {
            Lacking::Nothing => self
                .refusal(Rule::NoGrant, format!("nothing grants it `{sink}`"))
                .change(format!("add a grant to `ringmail.toml`:\n{grant}")),
            Lacking::Expired(spot) => self
                .refusal(Rule::GrantExpired, format!("the grant for `{sink}` has expired"))
                .change("have the grant reviewed and its `expires` moved on")
                .at(spot.or_else(|| self.spot.clone())),
            Lacking::Ceiling => self
                .refusal(Rule::AboveCeiling, format!("`{sink}` lies above this host's ceiling"))
                .change("raise `[ceiling]` on this host, if its owner agrees"),
            Lacking::But(why, spot) => self
                .refusal(Rule::NoGrant, format!("a grant names `{sink}`, but {why}"))
                .change("widen that grant, or add one:".to_string() + "\n" + grant)
                .at(spot.or_else(|| self.spot.clone())),
        }
    }

    pub(super) fn flow(&self, fault: &Fault, origins: Vec<Str>, tags: &[Str]) -> Refusal {
        let path = path_text(&fault.path);
        let from =
            if origins.is_empty() { String::new() } else { format!(", from `{}`", origins.join("`, `")) };
        let what = if path.is_empty() { "the decision to call".to_string() } else { format!("`{path}`") };
        let mut refusal = match fault.rule {
            Rule::UntrustedArgument => self
                .refusal(fault.rule, format!("{what} must be trusted here and is not{from}"))
                .change(format!("let a principal endorse it: hand {what} through an `endorse` link"))
                .change("or take it through an `extract` link, which lets only a closed range through")
                .change(format!("or, if any value may stand there, list in the grant's `trusted` the arguments that matter, without {what}")),
            Rule::UntrustedDecision => self
                .refusal(fault.rule, format!("untrusted data decides whether this happens{from}"))
                .change("decide on a value taken through an `extract` or `endorse` link"),
            Rule::Clearance => {
                let tags = tags.join("`, `");
                self.refusal(fault.rule, format!("{what} carries `{tags}`, which `{}` may not see{from}", self.sink))
                    .change(format!("leave {what} out of what is sent"))
                    .change(format!("or drop `{tags}` in a `declassify` link, if a principal may"))
                    .change(format!("or add `{tags}` to the grant's `clearance`"))
            }
            rule => self.refusal(rule, format!("{what} belongs to another tenant, or to several{from}")),
        };
        refusal.origins = origins;
        refusal.path = (!path.is_empty()).then_some(path);
        refusal
    }

    pub(super) fn policy(
        &self,
        verdict: &Ruling,
        principal: &Principal,
        action: Action,
        resource: &str,
        spot: Option<Spot>,
    ) -> Refusal {
        let who = &principal.subject;
        let act = action.name();
        let mut refusal = if !verdict.failed.is_empty() {
            self.refusal(
                Rule::PolicyFailed,
                format!("`{}` could not be evaluated", verdict.failed.join("`, `")),
            )
            .change("guard the policy with `has` or `hasTag` before it reads what may be missing")
        } else if verdict.policies.is_empty() {
            let kind = if resource.contains('.') { "Link" } else { "Chain" };
            self.refusal(Rule::PolicySilent, format!("no policy permits `{who}` to `{act}` it")).change(format!(
                "add a policy:\npermit (\n  principal == Ringmail::Principal::\"{who}\",\n  action == Ringmail::Action::\"{act}\",\n  resource == Ringmail::{kind}::\"{resource}\"\n);"
            ))
        } else {
            self.refusal(
                Rule::PolicyForbids,
                format!("`{}` forbids `{who}` to `{act}` it", verdict.policies.join("`, `")),
            )
            .change(format!("meet the conditions of `{}`, or change it", verdict.policies.join("`, `")))
        };
        refusal.policies = verdict.policies.iter().chain(&verdict.failed).cloned().collect();
        refusal.at(spot.or_else(|| self.spot.clone()))
    }
}
