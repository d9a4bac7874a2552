//! `ringmail policy explain`.

use super::super::Common;
use super::{Court, placed};
use crate::exit::{Exit, Fault};
use crate::input::From;
use crate::snippet;
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, clean, paint, print, print_json, say};
use ringmail_engine::Principal;
use ringmail_engine::core::chain::flow::Reached;
use ringmail_engine::core::doc::suggest;
use ringmail_engine::core::policy::{Action, Ruling};
use ringmail_engine::core::question::{Mark, Question};
use ringmail_engine::core::refusal::Refusal;
use ringmail_engine::core::value::{Str, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The chain, or the link as `chain.link`; without it the host is meant
    #[arg(value_name = "CHAIN[.LINK]")]
    on: Option<String>,
    /// Who asks; roles and tenant are those of the `[[principal]]` of that name, unless they are said
    #[arg(long = "as", value_name = "NAME")]
    who: Option<String>,
    /// A role it has
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Its tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// How it proved who it is
    #[arg(long, value_name = "PROOF", default_value = "local")]
    proof: String,
    /// What it asks for; by default `run` of a chain and `call` of its links, `call` of a link, `control` of the host
    #[arg(long, value_parser = ["run", "vouch", "call", "endorse", "declassify", "approve", "control"])]
    action: Option<String>,
    /// The arguments of the call, or the input of the chain, as JSON
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// The arguments are untrusted; of a chain's input that is always so
    #[arg(long)]
    untrusted: bool,
    /// A tag that the arguments carry
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// A tag of what was read before
    #[arg(long, value_name = "TAG")]
    read: Vec<String>,
    /// A link that ended well before
    #[arg(long, value_name = "LINK")]
    called: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A question with its answer.
struct Answered {
    question: Question,
    ruling: Arc<Ruling>,
    refusal: Option<Refusal>,
}

impl Args {
    pub(super) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let court = Court::open(common)?;
        let questions = self.questions(&court)?;
        let answers: Vec<Answered> = court.with_tags(|tags| {
            let answer = |question: Question| {
                let ruling = question.ask(court.policies(), tags);
                let refusal = (!ruling.allowed).then(|| {
                    let changes = question.changes(court.policies(), tags, &court.inventory);
                    question.refusal(&ruling, court.policies(), changes)
                });
                Answered { question, ruling, refusal }
            };
            questions.into_iter().map(answer).collect()
        })?;
        let denied = answers.first().is_some_and(|first| !first.ruling.allowed);
        match self.format {
            Format::Json => print_json(&Value::list(answers.iter().map(|one| as_json(&court, one))))?,
            Format::Text => print(&as_text(&court, &answers))?,
        }
        if denied { Err(Fault::silent(Exit::Refused)) } else { Ok(Exit::Done) }
    }

    fn questions(&self, court: &Court) -> Result<Vec<Question>, Fault> {
        let principal = self.principal(court)?;
        let said = self.action.as_deref().and_then(Action::named);
        let Some(on) = &self.on else {
            if said.is_some_and(|action| action != Action::Control) {
                return Err(Fault::user("name the chain or the link that is meant"));
            }
            return Ok(vec![self.question(court, principal, Action::Control, &court.inventory.host)?]);
        };
        let (name, _) = self.known(court, on)?;
        let is_link = court.inventory.links.contains_key(&name);
        let fits = |action: Action| match action {
            Action::Run | Action::Vouch => !is_link,
            Action::Call | Action::Endorse | Action::Declassify | Action::Approve => is_link,
            Action::Control => false,
        };
        if let Some(action) = said.filter(|action| !fits(*action)) {
            let what = if is_link { "a link" } else { "a chain" };
            return Err(Fault::user(format!("`{}` is not asked of {what}", action.name())));
        }
        let usual = if is_link { Action::Call } else { Action::Run };
        let mut all = vec![self.question(court, principal.clone(), said.unwrap_or(usual), &name)?];
        if !is_link && said.is_none() {
            let inside = |link: &&Str| link.strip_prefix(&*name).is_some_and(|rest| rest.starts_with('.'));
            for link in court.inventory.links.keys().filter(inside) {
                all.push(self.question(court, principal.clone(), Action::Call, link)?);
            }
        }
        Ok(all)
    }

    fn principal(&self, court: &Court) -> Result<Principal, Fault> {
        let name = self.who.as_deref().or(court.place.project.run_as.as_deref()).unwrap_or("host");
        let known = court.engine.principal(name);
        let roles = match (self.role.is_empty(), known) {
            (true, Some(known)) => known.roles.clone(),
            _ => self.role.iter().map(|role| role.as_str().into()).collect(),
        };
        for role in roles.iter().filter(|role| !court.inventory.roles.contains(*role)) {
            let near = suggest(role, court.inventory.roles.iter().map(|known| &**known));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            say(&format!("nobody here has the role `{}`{near}", clean(role)));
        }
        let tenant =
            self.tenant.as_deref().map(Str::from).or_else(|| known.and_then(|known| known.tenant.clone()));
        let authenticated = if name == "host" { "host".into() } else { self.proof.as_str().into() };
        Ok(Principal { subject: name.into(), roles, tenant, authenticated })
    }

    fn known(&self, court: &Court, on: &str) -> Result<(Str, bool), Fault> {
        let inventory = &court.inventory;
        let names = || inventory.chains.iter().chain(inventory.links.keys());
        if let Some(name) = names().find(|name| ***name == *on) {
            return Ok((name.clone(), true));
        }
        let fault = Fault::user(format!("there is no chain or link `{}`", clean(on)));
        Err(match suggest(on, names().map(|name| &**name)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint("a link is named `chain.link`; see them: ringmail inspect CHAIN"),
        })
    }

    fn question(
        &self,
        court: &Court,
        principal: Principal,
        action: Action,
        name: &Str,
    ) -> Result<Question, Fault> {
        let kind = court.inventory.links.get(name).copied();
        let mut question = Question::new(principal, action, name, kind);
        if let Some(args) = &self.args {
            question.args = From::Argument(args).read()?;
        }
        let set = |names: &[String], known: &BTreeSet<Str>, what: &str| -> Result<BTreeSet<Str>, Fault> {
            match names.iter().find(|name| !known.contains(name.as_str())) {
                Some(name) => {
                    let fault = Fault::user(format!("there is no {what} `{}`", clean(name)));
                    let near = suggest(name, known.iter().map(|name| &**name));
                    Err(near
                        .into_iter()
                        .fold(fault, |fault, near| fault.hint(format!("did you mean `{near}`?"))))
                }
                None => Ok(names.iter().map(|name| name.as_str().into()).collect()),
            }
        };
        let tags = &court.inventory.tags;
        let input = matches!(action, Action::Run | Action::Vouch);
        let mark = Mark {
            untrusted: self.untrusted || input,
            tags: set(&self.tag, tags, "tag")?,
            from: if input { vec!["input".into()] } else { Vec::new() },
        };
        question.marks = vec![(Vec::new(), mark)];
        question.history.read = set(&self.read, tags, "tag")?;
        let links: BTreeSet<Str> = court.inventory.links.keys().cloned().collect();
        question.history.called = set(&self.called, &links, "link")?;
        if action == Action::Call {
            // Of a call whose sink only its arguments tell, the worst is taken.
            let worst = || Reached { sinks: vec!["any sink".into()], consequential: true };
            let reached = court.reach(name).unwrap_or_else(worst);
            (question.sinks, question.consequential) = (reached.sinks, reached.consequential);
        }
        Ok(question)
    }
}

fn as_text(court: &Court, answers: &[Answered]) -> String {
    let mut out = Vec::new();
    for (at, answered) in answers.iter().enumerate() {
        let Answered { question, ruling, refusal } = answered;
        // Of a chain's links only what is denied is told whole.
        if let Some(refusal) = refusal.as_ref().filter(|_| at == 0 || answers.len() == 1) {
            out.push(snippet::refusal(refusal, &[]));
            continue;
        }
        let who = paint(BOLD, &clean(&question.principal.subject));
        let what = paint(BOLD, &clean(&question.name));
        let act = question.action.name();
        let by: Vec<String> = ruling
            .policies
            .iter()
            .map(|id| format!("`{id}` {}", paint(DIM, &clean(&court.place_of(id)))))
            .collect();
        out.push(match (refusal, by.is_empty()) {
            (Some(refusal), _) => {
                format!("{} {who} may not {act} {what}: {}", paint(RED, "✗"), clean(&refusal.message))
            }
            (None, false) => format!("{} {who} may {act} {what}, by {}", paint(GREEN, "✓"), by.join(", ")),
            (None, true) => format!(
                "{} {who} may {act} {what}: it has no way out, so it needs no permit, and nothing forbids it",
                paint(GREEN, "✓")
            ),
        });
    }
    format!("{}\n", out.join("\n"))
}

fn as_json(court: &Court, answered: &Answered) -> Value {
    let Answered { question, ruling, refusal } = answered;
    let text = |texts: &[String]| Value::list(texts.iter().map(|text| Value::from(text.as_str())));
    let roles = question.principal.roles.iter().map(|role| Value::Str(role.clone()));
    let ids = ruling.policies.iter().chain(&ruling.failed);
    Value::map([
        ("principal", Value::Str(question.principal.subject.clone())),
        ("roles", Value::list(roles)),
        ("tenant", question.principal.tenant.clone().map_or(Value::Null, Value::Str)),
        ("action", Value::from(question.action.name())),
        ("on", Value::Str(question.name.clone())),
        ("sinks", text(&question.sinks)),
        ("consequential", Value::Bool(question.consequential)),
        ("allowed", Value::Bool(ruling.allowed)),
        ("rule", ruling.rule().map_or(Value::Null, |rule| Value::from(rule.id()))),
        ("policies", Value::list(ids.map(|id| placed(id, court.policies().spot(id).as_ref())))),
        ("message", refusal.as_ref().map_or(Value::Null, |refusal| Value::from(refusal.message.as_str()))),
        ("changes", text(refusal.as_ref().map_or(&[], |refusal| &refusal.changes))),
    ])
}
