//! The gate before a call. Takes the resolved arguments with their labels and what decided the call; gives the
//! evidence the link needs, and what the gate after it will measure the output by.

use super::enter::CALLER;
use super::judge::{Sink, caller_fault, flow_fault, tenant_fault};
use super::look::look_again;
use super::permit::{
    COMMAND_STEERING, CommandPermit, FS_STEERING, FsPermit, NetFault, NetPermit, Permit, ToolPermit,
    judge_net, tool_sink,
};
use super::refuse::Refuser;
use super::{Authority, Moment, TAGS};
use crate::address::Target;
use crate::chain::walk::{CallBody, Ready};
use crate::chain::{Act, Detail, Link, Plan};
use crate::expr::{Budget, Roots, Slot};
use crate::grant::{
    Access, Effective, LOG_POWER, command_power, effect_power, fs_power, net_power, tool_power,
};
use crate::kind::{Need, Reach, Role};
use crate::label::{Label, Labeled, Labels, TagTable, Tags};
use crate::plugin::Plugin;
use crate::policy::{Action, Facts, Resource, Ruling};
use crate::refusal::{Refusal, Rule};
use crate::run::Run;
use crate::trail::Stage;
use crate::upstream::Upstream;
use crate::value::{Seg, Str, Value};
use std::sync::Arc;

/// Evidence that a call passed every layer. Owns the exact arguments that were judged. Cannot be copied, made
/// elsewhere or read from data.
#[derive(Debug)]
pub struct Admitted {
    call: CallBody,
    /// What the call may reach; nothing for a call without a way out.
    power: Option<Box<Power>>,
    special: Option<Box<Special>>,
    /// What comes back carries, where it is new and not made of the arguments.
    source: Option<Box<Label>>,
}

/// What an admitted call may do to the world.
#[derive(Debug, Default)]
struct Power {
    permits: Vec<Permit>,
    sinks: Vec<String>,
    consequential: bool,
    act: Option<ActRecord>,
    /// What detectors added to the arguments.
    found: Label,
}

/// What the output of an admitted call will be measured by.
#[derive(Debug)]
pub struct Due {
    pub(super) link: usize,
    /// What every output of the call carries.
    pub(super) base: Labels,
    /// For kinds that pass an argument on or lower a label.
    pub(super) special: Option<Box<Special>>,
}

#[derive(Debug)]
pub(super) struct Special {
    pub(super) args: Labeled,
    /// What decided that the call happens.
    pub(super) decision: Label,
    /// Whether the principal's endorsement or declassification holds.
    pub(super) acted: bool,
}

/// An endorsement or declassification as it is recorded and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRecord {
    pub action: &'static str,
    pub principal: Str,
    pub link: Str,
    pub reason: Str,
    pub expires_ms: Option<u64>,
    pub drop: Vec<Str>,
    /// SHA-256 of the value in its canonical form.
    pub value_digest: String,
}

impl Admitted {
    /// What the output will be measured by; taken once, before the link has the call.
    pub fn due(&mut self) -> Due {
        let base = match &self.source {
            Some(label) => (**label).into(),
            None => self.call.args.labels.flat(self.call.decision.all()),
        };
        Due { link: self.call.link, base, special: self.special.take() }
    }

    /// Where the link stands in its plan.
    pub fn position(&self) -> usize {
        self.call.link
    }

    pub fn args(&self) -> &Value {
        &self.call.args.value
    }

    /// The arguments, for a link that keeps them.
    pub fn into_args(self) -> Value {
        self.call.args.value
    }

    pub fn labels(&self) -> &Labels {
        &self.call.args.labels
    }

    pub fn decision(&self) -> Label {
        self.call.decision.all()
    }

    /// The label anything that comes out of this call has at least.
    pub fn output_label(&self) -> Label {
        self.source.as_deref().copied().unwrap_or_else(|| self.call.label())
    }

    /// Hands a permit over to the client that uses it up.
    pub fn take_permit(&mut self) -> Option<Permit> {
        self.power.as_mut()?.permits.pop()
    }

    /// What the call would reach; empty for a call without effects.
    pub fn sinks(&self) -> &[String] {
        self.power.as_ref().map_or(&[], |power| &power.sinks)
    }

    /// Whether the intent must be durable before the call runs.
    pub fn has_effect(&self) -> bool {
        self.power.is_some()
    }

    /// What detectors added to the arguments at the gate: a failure may tell of it, too.
    pub fn found(&self) -> Label {
        self.power.as_ref().map_or(Label::BOTTOM, |power| power.found)
    }

    pub fn is_consequential(&self) -> bool {
        self.power.as_ref().is_some_and(|power| power.consequential)
    }

    pub fn act(&self) -> Option<&ActRecord> {
        self.power.as_ref()?.act.as_ref()
    }
}

/// Where an answer sent a request on to.
#[derive(Debug)]
pub struct Redirect<'r> {
    pub url: &'r str,
    /// Whether method and body stay; otherwise it becomes a `GET` of nothing.
    pub keeps: bool,
    /// Whether it leads to another origin, which the server that answered has no say over.
    pub crosses: bool,
    /// Headers that may go to another origin.
    pub plain_headers: &'r [&'r str],
    /// Tags of secrets that stand in the address.
    pub tags: Tags,
}

impl Admitted {
    /// The call that a redirect asks for, to be judged like any other. The evidence is used up.
    pub fn redirected(self, link: &Link, redirect: &Redirect<'_>, run: &mut Run) -> Ready {
        // The address is an answer, made of all that was sent. A server has a say over its own addresses, and over
        // no others.
        let given = self.call.label();
        let untrusted = redirect.crosses || given.untrusted;
        let origins = given.origins.with(run.origins.intern(&link.full));
        let tags = self.output_label().tags.with(redirect.tags);
        let chosen = Label { untrusted, origins, tags, ..given };
        let Labeled { value, labels } = self.call.args;
        let mut values = vec![("url".into(), Value::from(redirect.url))];
        let mut parts = vec![("url".into(), Labels::from(chosen))];
        for (key, value) in value.as_map().into_iter().flat_map(|map| map.iter()) {
            let value = match &**key {
                "url" | "query" => continue,
                "method" | "body" if !redirect.keeps => continue,
                "headers" => redirect.headers(value),
                _ => value.clone(),
            };
            let mut part = labels.at(&[Seg::Key(key.clone())]);
            if let (Value::Map(map), "headers") = (&value, &**key) {
                // What was left out takes its label along.
                let of = |name: &Str| (name.clone(), part.at(&[Seg::Key(name.clone())]));
                part = Labels::keys(part.own(), map.iter().map(|(name, _)| of(name)).collect::<Vec<_>>());
            }
            parts.push((key.clone(), part));
            values.push((key.clone(), value));
        }
        let args = Labeled { value: Value::map(values), labels: Labels::keys(labels.own(), parts) };
        Ready(CallBody { args, redirected: true, ..self.call })
    }
}

impl Redirect<'_> {
    fn headers(&self, headers: &Value) -> Value {
        let named = |name: &str, known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
        let goes = |name: &str| {
            (self.keeps || !named(name, &["content-type"]))
                && (!self.crosses || named(name, self.plain_headers))
        };
        let all = headers.as_map().into_iter().flat_map(|map| map.iter());
        Value::map(all.filter(|(name, _)| goes(name)).map(|(name, value)| (name.clone(), value.clone())))
    }
}

/// Judges one call by every layer and records the answer.
pub fn admit(
    plan: &Arc<Plan>,
    ready: Ready,
    attempt: u32,
    run: &mut Run,
    authority: &Arc<Authority>,
    moment: Moment,
) -> Result<Admitted, Box<Refusal>> {
    let unknown = || Box::new(Refusal::new(Rule::NoGrant, &plan.name, "the plan has no such link"));
    let Ready(call) = ready;
    let link = plan.link(call.link).ok_or_else(unknown)?;
    let mut case = Case { plan, link, call, run, authority, moment, power: None };
    let judged = case.judge();
    let Case { call, run, power, .. } = case;
    match judged {
        Ok(source) => {
            run.steps += 1;
            run.record(moment.at_us, &link.full, Stage::Admitted { attempt });
            let acted = power.as_ref().is_some_and(|power| power.act.is_some());
            let special = (link.kind.passes.is_some() || link.kind.role == Role::Extract)
                .then(|| Box::new(Special { args: call.args.clone(), decision: call.decision.all(), acted }));
            Ok(Admitted { call, power, special, source: source.map(Box::new) })
        }
        Err(refusal) => {
            run.record(moment.at_us, &link.full, Stage::Refused(refusal.clone()));
            Err(refusal)
        }
    }
}

/// One call on its way through the layers.
struct Case<'c> {
    plan: &'c Arc<Plan>,
    link: &'c Link,
    call: CallBody,
    run: &'c mut Run,
    authority: &'c Arc<Authority>,
    moment: Moment,
    power: Option<Box<Power>>,
}

type Judged<T> = Result<T, Box<Refusal>>;

impl Case<'_> {
    /// The layers in their order; what is left is the label of an answer from outside.
    fn judge(&mut self) -> Judged<Option<Label>> {
        self.budget()?;
        self.tenant()?;
        self.look();
        let needs = (self.link.kind.needs)(self.link, &self.call.args.value).map_err(|message| {
            self.refuser("")
                .bad_address(self.unless_restricted(message, "the arguments are not what the kind takes"))
        })?;
        let mut tags = Tags::NONE;
        if needs.is_empty() {
            self.veto()?;
        } else {
            let effective = self.authority.grants.effective(&self.link.power);
            for need in needs {
                tags = tags.with(self.need(need, &effective)?);
            }
            self.policy(Action::Call)?;
        }
        match (&self.link.detail, self.link.kind.role) {
            (Detail::Act(act), Role::Endorse) => self.act(act, Action::Endorse)?,
            (Detail::Act(act), _) => self.act(act, Action::Declassify)?,
            (Detail::Extract(..), _) => self.extract()?,
            (Detail::Plugin { plugin, .. }, _) => self.plugin(plugin)?,
            _ => {}
        }
        if !self.link.kind.source {
            return Ok(None);
        }
        let given = self.call.label();
        let origins = given.origins.with(self.run.origins.intern(&self.link.full));
        let tags = given.tags.without(self.injected()).with(tags);
        Ok(Some(Label { tags, origins, untrusted: true, ..given }))
    }

    /// What expressions put together for a way out, nobody has looked at.
    fn look(&mut self) {
        let pure = matches!(self.link.detail, Detail::Native { effect: None, .. });
        // Where a server sends a call on to, it could have told the other side itself.
        if pure || self.call.redirected || self.link.kind.reach == Reach::Nothing {
            return;
        }
        let (link, detectors) = (&self.link.full, &self.authority.detectors);
        let found = look_again(&self.call.args, link, detectors, self.run, self.moment);
        if !found.is_bottom() {
            self.power().found = found.all();
            self.call.args.labels = self.call.args.labels.merged(&found);
        }
    }

    /// The address in words, unless it is made of restricted data.
    fn origin_of(&self, target: &Target) -> String {
        let made_of = self.call.args.labels.at(&[Seg::Key("url".into())]).all().tags;
        if made_of.is_empty() { target.origin() } else { "an address made of restricted data".into() }
    }

    /// Words that may hold arguments, unless the arguments are restricted.
    fn unless_restricted(&self, words: String, otherwise: &str) -> String {
        // A placeholder tells nothing of its secret.
        let tags = self.call.args.labels.all().tags.without(self.injected());
        if tags.is_empty() { words } else { otherwise.to_string() }
    }

    fn power(&mut self) -> &mut Power {
        self.power.get_or_insert_default()
    }

    fn sinks(&self) -> &[String] {
        self.power.as_ref().map_or(&[], |power| &power.sinks)
    }

    fn refuser(&self, sink: impl Into<String>) -> Refuser<'_> {
        Refuser {
            link: &self.link.full,
            power: &self.link.power,
            sink: sink.into(),
            spot: self.plan.spot(self.link.span),
        }
    }

    fn budget(&self) -> Judged<()> {
        let limits = self.run.limits;
        let refuse = |rule, message| {
            let refusal = Refusal::new(rule, &self.link.full, message).at(self.plan.spot(self.link.span));
            let refusal = refusal.change("raise the limit under `limits`, if this much is meant");
            Err(Box::new(refusal.labelled(self.run.spent())))
        };
        if self.run.steps >= limits.steps_max {
            return refuse(
                Rule::StepBudget,
                format!("the run has made {} steps, which is its limit", limits.steps_max),
            );
        }
        if self.moment.at_us / 1000 >= limits.time_ms_max {
            return refuse(
                Rule::TimeBudget,
                format!("the run has lasted {} ms, which is its limit", limits.time_ms_max),
            );
        }
        Ok(())
    }

    fn tenant(&self) -> Judged<()> {
        match tenant_fault(&self.call.args.labels, self.call.decision.all(), self.run.tenant()) {
            Some(fault) => Err(self.flow_refusal("", &fault)),
            None => Ok(()),
        }
    }

    fn flow_refusal(&self, sink: &str, fault: &super::judge::Fault) -> Box<Refusal> {
        let origins = self.run.origins.names(fault.label.origins);
        let tags = self.authority.tags.read().map(|tags| tags.names(fault.label.tags)).unwrap_or_default();
        let span = if fault.path.is_empty() { self.link.span } else { self.link.with.span_at(&fault.path) };
        let refuser = Refuser {
            link: &self.link.full,
            power: &self.link.power,
            sink: sink.to_string(),
            spot: self.plan.spot(span),
        };
        let mut refusal = refuser.flow(fault, "the decision to call", origins, &tags);
        let declined = self.run.trail().iter().rev().find(|event| matches!(event.stage, Stage::Declined));
        if let Some(declined) = declined.filter(|_| fault.rule == Rule::UntrustedArgument) {
            let change = format!("run as a principal whom policy permits to endorse at `{}`", declined.link);
            refusal.changes.insert(0, change);
        }
        Box::new(refusal.detected(&self.authority.detectors, fault.label.tags))
    }

    /// Judges one need; gives the tags that what comes back will carry.
    fn need(&mut self, need: Need, effective: &Arc<Effective>) -> Judged<Tags> {
        match need {
            Need::Net { method, target } => self.net(method, target, effective),
            Need::Fs { mount, path, access } => self.fs(&mount, &path, access, effective),
            Need::Log => {
                let fit = effective
                    .log(self.moment.now_ms)
                    .map_err(|lacking| Box::new(self.refuser("log").lacking(lacking, LOG_POWER)))?;
                let sink = Sink { flow: fit.rule, also: Tags::NONE, consequential: false, steering: &[] };
                self.flow(&sink, "log".into())?;
                self.power().permits.push(Permit::Log);
                Ok(Tags::NONE)
            }
            Need::Caller => self.caller(),
            Need::Command { name } => self.command(name, effective),
            Need::Tool { upstream, tool } => self.tool(upstream, tool, effective),
            Need::Effect { name } => {
                let fit = effective.effect(&name, self.moment.now_ms).map_err(|lacking| {
                    Box::new(self.refuser(format!("effect:{name}")).lacking(lacking, &effect_power(&name)))
                })?;
                let sink =
                    Sink { flow: &fit.rule.flow, also: Tags::NONE, consequential: true, steering: &[] };
                self.flow(&sink, format!("effect:{name}"))?;
                self.power().consequential = true;
                self.power().permits.push(Permit::Effect);
                Ok(Tags::NONE)
            }
        }
    }

    /// The caller sees a question as it sees an answer: what the run's own chain may say to it.
    fn caller(&mut self) -> Judged<Tags> {
        let (labels, decision) = (&self.call.args.labels, self.call.decision.all());
        if let Some(fault) = caller_fault(labels, decision, self.run, self.authority, self.moment) {
            return Err(self.flow_refusal(CALLER, &fault));
        }
        self.power().sinks.push(CALLER.into());
        self.power().permits.push(Permit::Caller);
        Ok(Tags::NONE)
    }

    /// What a program makes of its arguments nobody knows, so running one is always an effect.
    fn command(&mut self, name: Str, effective: &Arc<Effective>) -> Judged<Tags> {
        let sink_name = format!("command:{name}");
        let fit = effective.command(&name, self.moment.now_ms).map_err(|lacking| {
            Box::new(self.refuser(sink_name.clone()).lacking(lacking, &command_power(&name)))
        })?;
        let (flow, label) = (&fit.rule.flow, fit.rule.label);
        self.flow(
            &Sink { flow, also: Tags::NONE, consequential: true, steering: COMMAND_STEERING },
            sink_name,
        )?;
        self.power().consequential = true;
        self.power().permits.push(Permit::Command(CommandPermit { name }));
        Ok(label)
    }

    /// A call of a tool reaches its server and nothing else; what the server is, the project says.
    fn tool(
        &mut self,
        upstream: Arc<Upstream>,
        tool: Option<Str>,
        effective: &Arc<Effective>,
    ) -> Judged<Tags> {
        let sink_name = tool_sink(&upstream.setting.name, tool.as_deref());
        let fit = effective.tool(&upstream.setting.name, tool.as_deref(), self.moment.now_ms);
        let fit = fit.map_err(|lacking| {
            let power = tool_power(&upstream.setting.name, tool.as_deref().unwrap_or("*"));
            Box::new(self.refuser(sink_name.clone()).lacking(lacking, &power))
        })?;
        let (consequential, label) = (fit.rule.consequential && tool.is_some(), fit.rule.label);
        let also = upstream.bound_tags(&self.authority.secrets);
        self.flow(&Sink { flow: &fit.rule.flow, also, consequential, steering: &[] }, sink_name)?;
        self.power().consequential |= consequential;
        let (link, authority) = (self.link.full.clone(), self.authority.clone());
        self.power().permits.push(Permit::Tool(Box::new(ToolPermit { link, upstream, tool, authority })));
        Ok(label)
    }

    fn flow(&mut self, sink: &Sink<'_>, name: String) -> Judged<()> {
        match flow_fault(sink, &self.call.args.labels, self.call.decision.all(), self.run.tenant()) {
            Some(fault) => Err(self.flow_refusal(&name, &fault)),
            None => {
                self.power().sinks.push(name);
                Ok(())
            }
        }
    }

    fn net(&mut self, method: &'static str, target: Box<Target>, effective: &Arc<Effective>) -> Judged<Tags> {
        let labels = &self.call.args.labels;
        let (decision, tenant, now_ms) = (self.call.decision.all(), self.run.tenant(), self.moment.now_ms);
        let rule =
            match judge_net(effective, self.authority, &target, method, labels, decision, tenant, now_ms) {
                Ok(fit) => fit.rule.clone(),
                Err(NetFault::Flow(fault)) => {
                    let origin = self.origin_of(&target);
                    return Err(self.flow_refusal(&origin, &fault));
                }
                Err(NetFault::Lacking(lacking)) => {
                    let origin = self.origin_of(&target);
                    let power = net_power(&origin, method);
                    return Err(Box::new(self.refuser(origin).lacking(lacking, &power)));
                }
            };
        self.power().consequential |= rule.is_consequential(method);
        self.power().sinks.push(target.origin());
        let label = rule.label;
        let permit = NetPermit {
            link: self.link.full.clone(),
            target,
            method,
            rule,
            authority: self.authority.clone(),
        };
        self.power().permits.push(Permit::Net(Box::new(permit)));
        Ok(label)
    }

    fn fs(&mut self, mount: &Str, path: &Str, access: Access, effective: &Arc<Effective>) -> Judged<Tags> {
        let name = format!("mount:{mount}");
        crate::checks::path(path)
            .map_err(|why| self.refuser(name.clone()).bad_address(format!("the path {why}")))?;
        let fit = effective.fs(mount, path, access, self.moment.now_ms).map_err(|lacking| {
            Box::new(self.refuser(name.clone()).lacking(lacking, &fs_power(mount, access)))
        })?;
        let consequential = access == Access::Write;
        let sink = Sink { flow: &fit.rule.flow, also: Tags::NONE, consequential, steering: FS_STEERING };
        let rule = fit.rule.clone();
        self.flow(&sink, name)?;
        self.power().consequential |= consequential;
        let label = rule.label;
        self.power().permits.push(Permit::Fs(FsPermit {
            mount: mount.clone(),
            path: path.clone(),
            access,
            rule,
        }));
        Ok(label)
    }

    fn policy(&self, action: Action) -> Judged<()> {
        let ruling = self.ruling(action);
        if ruling.allowed { Ok(()) } else { Err(self.denied(action, &ruling)) }
    }

    /// A call without a way out needs nobody's leave, but a policy may still forbid it.
    fn veto(&self) -> Judged<()> {
        let veto = |tags: &TagTable| {
            self.authority.policies.veto(&self.run.principal, self.resource(), &self.facts(tags))
        };
        let ruling = match self.authority.tags.read() {
            Ok(tags) => veto(&tags),
            Err(_) => Some(Ruling::failed(TAGS)),
        };
        ruling.map_or(Ok(()), |ruling| Err(self.denied(Action::Call, &ruling)))
    }

    fn ruling(&self, action: Action) -> Arc<Ruling> {
        let Ok(tags) = self.authority.tags.read() else { return Ruling::failed(TAGS) };
        self.authority.policies.decide(&self.run.principal, action, self.resource(), &self.facts(&tags))
    }

    fn denied(&self, action: Action, ruling: &Ruling) -> Box<Refusal> {
        let spot = ruling.policies.first().and_then(|id| self.authority.policies.spot(id));
        let sink = self.sinks().first().cloned().unwrap_or_default();
        let refusal = self.refuser(sink).policy(ruling, &self.run.principal, action, &self.link.full, spot);
        // Policies look at history.
        Box::new(refusal.labelled(self.run.spent()))
    }

    fn resource(&self) -> Resource<'_> {
        Resource { name: &self.link.full, chain: self.plan.chain(), kind: Some(self.link.kind.name) }
    }

    fn facts<'f>(&'f self, tags: &'f TagTable) -> Facts<'f> {
        Facts {
            args: &self.call.args,
            decision: self.call.decision.all(),
            sinks: self.sinks(),
            consequential: self.power.as_ref().is_some_and(|power| power.consequential),
            run: self.run,
            elapsed_ms: self.moment.at_us / 1000,
            tags,
        }
    }

    /// An endorsement or declassification holds if it has not expired, the value lies in its scope, untrusted data
    /// does not choose what is declassified, and policy lets the principal act.
    fn act(&mut self, act: &Act, action: Action) -> Judged<()> {
        let value = self.call.args.at(&crate::value::parse_path("value")).unwrap_or_default();
        let refuse = |rule: Rule, message: String| {
            Box::new(Refusal::new(rule, &self.link.full, message).at(self.plan.spot(self.link.span)))
        };
        if act.expires_ms.is_some_and(|end| self.moment.now_ms >= end) {
            return Err(refuse(Rule::ActExpired, format!("the right to {} here has expired", action.name()))
                .map_change("review it and move `expires` on"));
        }
        let chosen = value.labels.all().join(self.call.decision.all());
        if action == Action::Declassify && chosen.untrusted {
            let origins = self.run.origins.names(chosen.origins);
            let mut refusal =
                refuse(Rule::UntrustedDeclassify, "untrusted data chooses what would be declassified".into())
                    .map_change("endorse the value first, or declassify what untrusted data cannot reach");
            refusal.origins = origins;
            return Err(refusal);
        }
        if let Some(scope) = &act.scope {
            let holds = scope.holds(&ScopeValue(&value), &mut Budget::default());
            if holds != Ok(true) {
                let why = holds.err().map_or(String::new(), |error| format!(": {}", error.message));
                return Err(refuse(Rule::OutOfScope, format!("the value is not within `scope`{why}"))
                    .map_change("a value within the scope passes; the scope is the chain's to widen"));
            }
        }
        let allowed = self.ruling(action).allowed;
        if !allowed && !act.required {
            self.run.record(self.moment.at_us, &self.link.full, Stage::Declined);
            return Ok(());
        }
        self.policy(action)?;
        let drop = self.authority.tags.read().map(|tags| tags.names(act.drop)).unwrap_or_default();
        let record = ActRecord {
            action: action.name(),
            principal: self.run.principal.subject.clone(),
            link: self.link.full.clone(),
            reason: act.reason.clone(),
            expires_ms: act.expires_ms,
            drop,
            value_digest: digest(&value.value),
        };
        self.power().act = Some(record);
        Ok(())
    }

    fn plugin(&self, plugin: &Plugin) -> Judged<()> {
        if let Some(why) = plugin.revoked.get() {
            return Err(Box::new(Refusal::revoked(&self.link.full, &plugin.manifest.name, why)));
        }
        if plugin.expires_ms.is_none_or(|end| self.moment.now_ms < end) {
            return Ok(());
        }
        let refusal = Refusal::expired(&self.link.full, &plugin.manifest.name);
        Err(Box::new(refusal.at(self.plan.spot(self.link.span))))
    }

    /// Dropping a tag is a declassification, however small the range; the list that ids are looked up in must itself
    /// be trusted.
    fn extract(&mut self) -> Judged<()> {
        let Detail::Extract(_, drop) = &self.link.detail else { return Ok(()) };
        if !drop.both(self.call.args.labels.all().tags).is_empty() {
            self.policy(Action::Declassify)?;
        }
        let path = crate::value::parse_path("among");
        let among = self.call.args.labels.at(&path).all();
        if !among.untrusted || self.call.args.value.at(&path).is_none() {
            return Ok(());
        }
        let fault = super::judge::Fault { rule: Rule::UntrustedArgument, path, label: among };
        Err(self.flow_refusal("", &fault))
    }

    /// Tags of secrets that are in the arguments only as placeholders: the answer does not derive from their values.
    fn injected(&self) -> Tags {
        let tagged = self.call.args.labels.all().tags;
        let mut only = Tags::NONE;
        for secret in self.authority.secrets.iter().filter(|secret| !secret.tag.both(tagged).is_empty()) {
            let stands_in = |path: &[crate::value::Seg]| {
                self.call.args.value.at(path).is_none_or(|value| leaves_hold(value, &secret.placeholder))
            };
            let carriers = self.call.args.labels.paths();
            let innermost = carriers.iter().filter(|(path, label)| {
                !secret.tag.both(label.tags).is_empty()
                    && !carriers.iter().any(|(other, inner)| {
                        other.len() > path.len()
                            && other.starts_with(path)
                            && !secret.tag.both(inner.tags).is_empty()
                    })
            });
            if innermost.map(|(path, _)| path).all(|path| stands_in(path)) {
                only = only.with(secret.tag);
            }
        }
        only
    }
}

/// Whether every text in a value contains the placeholder.
fn leaves_hold(value: &Value, placeholder: &str) -> bool {
    match value {
        Value::Str(text) => text.contains(placeholder),
        Value::List(list) => list.iter().all(|item| leaves_hold(item, placeholder)),
        Value::Map(map) => map.iter().all(|(_, item)| leaves_hold(item, placeholder)),
        _ => false,
    }
}

struct ScopeValue<'v>(&'v Labeled);

impl Roots for ScopeValue<'_> {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        (slot == Slot(0)).then_some(self.0)
    }

    fn control(&self, _: Slot) -> Label {
        Label::BOTTOM
    }
}

trait MapChange {
    fn map_change(self, change: &str) -> Self;
}

impl MapChange for Box<Refusal> {
    fn map_change(mut self, change: &str) -> Self {
        self.changes.push(change.to_string());
        self
    }
}

impl Refuser<'_> {
    fn bad_address(&self, message: String) -> Box<Refusal> {
        let refusal = Refusal::new(Rule::BadAddress, self.link, message).at(self.spot.clone());
        Box::new(if self.sink.is_empty() { refusal } else { refusal.towards(self.sink.clone()) })
    }
}

/// SHA-256 of a value's canonical form.
pub(super) fn digest(value: &Value) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(crate::json::to_canonical(value).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
