//! The smallest changes that would turn a no into a yes: the same question with one thing different, asked again.

use super::Question;
use crate::label::TagTable;
use crate::policy::{Inventory, Policies};
use crate::value::Str;
use std::collections::BTreeSet;

/// More are not tried, and no more than a few are told.
const TRIED_MAX: usize = 2_000;
const TOLD_MAX: usize = 5;

impl Question {
    /// What alone would have it allowed, in words.
    pub fn changes(&self, policies: &Policies, tags: &TagTable, inventory: &Inventory) -> Vec<String> {
        let mut out = Vec::new();
        for (words, other) in self.others(inventory).into_iter().take(TRIED_MAX) {
            let ruling = other.ask(policies, tags);
            if !ruling.allowed || out.len() == TOLD_MAX {
                continue;
            }
            let by = match &*ruling.policies {
                [] => String::new(),
                [one, ..] => format!(", which `{one}` permits"),
            };
            out.push(format!("it would be allowed {words}{by}"));
        }
        out
    }

    /// This question, each time with one thing different.
    fn others(&self, inventory: &Inventory) -> Vec<(String, Question)> {
        let mut out: Vec<(String, Question)> = Vec::new();
        let mut push = |words: String, change: &dyn Fn(&mut Question)| {
            let mut other = self.clone();
            change(&mut other);
            out.push((words, other));
        };
        let who = &self.principal.subject;
        for role in inventory.roles.iter().filter(|role| !self.principal.roles.contains(role)) {
            push(format!("if `{who}` had the role `{role}`"), &|other| {
                other.principal.roles.push(role.clone())
            });
        }
        for tenant in
            inventory.tenants.iter().filter(|tenant| self.principal.tenant.as_ref() != Some(*tenant))
        {
            push(format!("if `{who}` were of the tenant `{tenant}`"), &|other| {
                other.principal.tenant = Some(tenant.clone());
            });
        }
        if self.marks.iter().any(|(_, mark)| mark.untrusted) {
            push("if its arguments were trusted".into(), &|other| {
                other.marks.iter_mut().for_each(|(_, mark)| mark.untrusted = false);
            });
        }
        if self.decision.untrusted {
            push("if no untrusted data decided that it happens".into(), &|other| {
                other.decision.untrusted = false
            });
        }
        let tags: BTreeSet<&Str> = self.marks.iter().flat_map(|(_, mark)| &mark.tags).collect();
        for tag in tags {
            push(format!("if nothing in its arguments carried `{tag}`"), &|other| {
                other.marks.iter_mut().for_each(|(_, mark)| mark.tags.retain(|known| known != tag));
            });
        }
        for tag in &self.history.read {
            push(format!("if nothing with `{tag}` had been read before"), &|other| {
                other.history.read.remove(tag);
            });
        }
        for link in &self.history.called {
            push(format!("if `{link}` had not been called before"), &|other| {
                other.history.called.remove(link);
                other.history.counts.remove(link);
            });
        }
        for signal in &self.history.signals {
            push(format!("if no `{signal}` had been found before"), &|other| {
                other.history.signals.retain(|known| known != signal);
            });
        }
        for link in inventory.links.keys().filter(|link| !self.history.called.contains(*link)) {
            push(format!("if `{link}` had ended well before"), &|other| {
                other.history.called.insert(link.clone());
            });
        }
        out
    }
}
