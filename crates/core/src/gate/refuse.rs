//! Refusals made helpful: each rule's message and the smallest changes that would allow the call.

use super::judge::Fault;
use crate::detect::{Detectors, is_detector_origin};
use crate::doc::Spot;
use crate::grant::{Lacking, to_add};
use crate::label::Tags;
use crate::policy::{Action, Principal, Ruling};
use crate::refusal::{Refusal, Rule};
use crate::value::{Str, path_text};

/// What every refusal of one call has in common.
pub(crate) struct Refuser<'a> {
    pub(crate) link: &'a Str,
    /// Whom its grants are for.
    pub(crate) power: &'a Str,
    pub(crate) sink: String,
    pub(crate) spot: Option<Spot>,
}

impl Refuser<'_> {
    fn refusal(&self, rule: Rule, message: String) -> Refusal {
        Refusal::new(rule, self.link, message).towards(self.sink.clone()).at(self.spot.clone())
    }

    pub(super) fn lacking(&self, lacking: Lacking, power: &str) -> Refusal {
        let sink = &self.sink;
        match lacking {
            Lacking::Nothing => self
                .refusal(Rule::NoGrant, format!("nothing grants it `{sink}`"))
                .change(to_add(self.power, power)),
            Lacking::Expired(spot) => self
                .refusal(Rule::GrantExpired, format!("the grant for `{sink}` has expired"))
                .change("have the grant reviewed and its `expires` moved on")
                .at(spot.or_else(|| self.spot.clone())),
            Lacking::Ceiling => self
                .refusal(Rule::AboveCeiling, format!("`{sink}` lies above this host's ceiling"))
                .change("raise `[ceiling]` on this host, if its owner agrees"),
            Lacking::But(why, spot) => self
                .refusal(Rule::NoGrant, format!("a grant names `{sink}`, but {why}"))
                .change(format!("widen that grant, or {}", to_add(self.power, power)))
                .at(spot.or_else(|| self.spot.clone())),
        }
    }

    /// `whole` is what there is to call the place without a path.
    pub(super) fn flow(&self, fault: &Fault, whole: &str, origins: Vec<Str>, tags: &[Str]) -> Refusal {
        let path = path_text(&fault.path);
        let places: Vec<Str> = origins.iter().filter(|name| !is_detector_origin(name)).cloned().collect();
        let from =
            if places.is_empty() { String::new() } else { format!(", from `{}`", places.join("`, `")) };
        let what = if path.is_empty() { whole.to_string() } else { format!("`{path}`") };
        let message = match fault.rule {
            Rule::UntrustedArgument => format!("{what} must be trusted here and is not{from}"),
            Rule::UntrustedDecision => format!("untrusted data decides whether this happens{from}"),
            Rule::Clearance => {
                format!("{what} carries `{}`, which `{}` may not see{from}", tags.join("`, `"), self.sink)
            }
            _ => format!("{what} belongs to another tenant, or to several{from}"),
        };
        let mut refusal = self.refusal(fault.rule, message);
        refusal.changes = flow_changes(fault.rule, &what, &places, tags);
        refusal.origins = origins;
        refusal.path = (!path.is_empty()).then_some(path);
        refusal
    }

    pub(crate) fn policy(
        &self,
        verdict: &Ruling,
        principal: &Principal,
        action: Action,
        resource: &str,
        spot: Option<Spot>,
    ) -> Refusal {
        let who = &principal.subject;
        let act = action.name();
        let named = |ids: &[Str]| format!("`{}`", ids.join("`, `"));
        let mut refusal = match verdict.rule() {
            Some(rule @ Rule::PolicyFailed) => self
                .refusal(rule, format!("{} could not be evaluated", named(&verdict.failed)))
                .change("guard the policy with `has` or `hasTag` before it reads what may be missing"),
            Some(rule @ Rule::PolicyForbids) => {
                let ids = named(&verdict.policies);
                self.refusal(rule, format!("{ids} forbids `{who}` to `{act}` it"))
                    .change(format!("meet the conditions of {ids}, or change it"))
            }
            _ => self
                .refusal(Rule::PolicySilent, format!("no policy permits `{who}` to `{act}` it"))
                .change(to_permit(who, action, resource)),
        };
        refusal.policies = verdict.policies.iter().chain(&verdict.failed).cloned().collect();
        refusal.at(spot.or_else(|| self.spot.clone()))
    }
}

impl Refusal {
    /// Names the detectors that tagged what was refused, where they did.
    pub(super) fn detected(mut self, detectors: &Detectors, tags: Tags) -> Refusal {
        let names =
            if self.rule == Rule::Clearance { detectors.among(&self.origins, tags) } else { Vec::new() };
        let Some((first, rest)) = names.split_first() else { return self };
        let word = if rest.is_empty() { "detector" } else { "detectors" };
        self.message.push_str(&format!("; the {word} `{}` tagged it", names.join("`, `")));
        self.change(format!(
            "or, if this project need not hold such data back, say so in `ringmail.toml`:\n[detect]\n{first} = false"
        ))
    }
}

/// The narrowest policy that permits one thing.
fn to_permit(who: &str, action: Action, resource: &str) -> String {
    let kind = match action {
        Action::Run | Action::Vouch => "Chain",
        Action::Control => "Host",
        Action::Call | Action::Endorse | Action::Declassify | Action::Approve => "Link",
    };
    let act = action.name();
    format!(
        "add a policy:\npermit (\n  principal == Ringmail::Principal::\"{who}\",\n  action == Ringmail::Action::\"{act}\",\n  resource == Ringmail::{kind}::\"{resource}\"\n);"
    )
}

/// The smallest changes that would let a flow pass.
pub(crate) fn flow_changes(rule: Rule, what: &str, origins: &[Str], tags: &[Str]) -> Vec<String> {
    let mut changes = match rule {
        Rule::UntrustedArgument => vec![
            format!("let a principal endorse it: hand {what} through an `endorse` link"),
            "or take it through an `extract` link, which lets only a closed range through".into(),
            format!(
                "or, if any value may stand there, list in the grant's `trusted` the arguments that matter, without {what}"
            ),
        ],
        Rule::UntrustedDecision => {
            vec!["decide on a value taken through an `extract` or `endorse` link".into()]
        }
        Rule::Clearance => {
            let tags = tags.join("`, `");
            vec![
                format!("leave {what} out of what is sent"),
                format!("or drop `{tags}` in a `declassify` link, if a principal may"),
                format!("or add `{tags}` to the grant's `clearance`"),
            ]
        }
        _ => Vec::new(),
    };
    let untrusted = matches!(rule, Rule::UntrustedArgument | Rule::UntrustedDecision);
    if untrusted && matches!(origins, [origin] if &**origin == "input") {
        changes.push(
            "or permit the principal to `vouch` for the chain's input, if it answers for all of it".into(),
        );
    }
    changes
}
