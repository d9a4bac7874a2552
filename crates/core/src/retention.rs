//! How long what runs carried can be read, by what is known of it: `[[retention]]`. What was done, and by whom, is not for it to say.

use crate::doc::form::{Form, Key};
use crate::label::Tags;
use crate::value::Str;

pub const RETENTION_KEYS: &[Key] = &[
    Key::new("tag", Form::Text, "what carried this tag; without it, what no other rule is about"),
    Key::required(
        "keep",
        Form::Duration,
        "how long it can be read after the day on which its run began; `1d` at least",
    ),
];

pub const DAY_MS: u64 = 24 * 3_600_000;

#[derive(Clone, Debug)]
pub(crate) struct RetentionRule {
    /// Nothing is for what no other rule is about.
    pub(crate) tag: Option<(Str, Tags)>,
    pub(crate) keep_ms: u64,
}

/// The rules of one project.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    rules: Vec<RetentionRule>,
}

impl Retention {
    pub(crate) fn new(rules: Vec<RetentionRule>) -> Retention {
        Retention { rules }
    }

    /// Which rule it is for data with these tags: of several the one that keeps least. Nothing is what no rule is about.
    pub fn class(&self, tags: Tags) -> Str {
        let about = |rule: &&RetentionRule| match &rule.tag {
            Some((_, tag)) => !tag.both(tags).is_empty(),
            None => false,
        };
        let found = self.rules.iter().filter(about).min_by_key(|rule| rule.keep_ms);
        found.and_then(|rule| rule.tag.as_ref()).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// How long data of a class is kept; nothing is for good.
    pub fn keep_ms(&self, class: &str) -> Option<u64> {
        let named = |rule: &&RetentionRule| rule.tag.as_ref().is_some_and(|(name, _)| &**name == class);
        let rest = |rule: &&RetentionRule| rule.tag.is_none();
        let mut rules = self.rules.iter();
        rules.clone().find(named).or_else(|| rules.find(rest)).map(|rule| rule.keep_ms)
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::TagTable;

    #[test]
    fn what_carries_several_tags_is_kept_as_long_as_the_shortest_says() {
        let mut tags = TagTable::default();
        let [pii, card, other] = ["pii", "card", "other"].map(|name| tags.intern(name).unwrap());
        let rule = |tag: Option<(&str, Tags)>, days: u64| RetentionRule {
            tag: tag.map(|(name, tags)| (name.into(), tags)),
            keep_ms: days * DAY_MS,
        };
        let rules = vec![rule(Some(("pii", pii)), 30), rule(None, 10), rule(Some(("card", card)), 2)];
        let retention = Retention::new(rules);
        let days = |tags: Tags| retention.keep_ms(&retention.class(tags)).map(|ms| ms / DAY_MS);
        assert_eq!(days(pii), Some(30));
        assert_eq!(days(pii.with(card)), Some(2));
        assert_eq!(days(other), Some(10));
        assert_eq!(days(Tags::ALL), Some(2));
        // A rule that is gone leaves its data to the one about the rest.
        assert_eq!(retention.keep_ms("gone"), Some(10 * DAY_MS));
        assert_eq!(Retention::default().keep_ms(""), None);
    }
}
