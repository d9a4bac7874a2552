//! Labels: what is known of a value. A label only ever grows by joining; it shrinks in `gate::release` alone, by
//! the rule of an extract, endorse or declassify link. Nothing here decides whether a flow is allowed.
//! Labels are kept per path: a tag on `order.card` does not taint `order.id`.

use crate::value::{Seg, Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many distinct restriction tags one engine can tell apart.
pub const TAGS_MAX: usize = 128;
/// How many origins a run names one by one; what comes later shares the last bit.
pub const ORIGINS_MAX: usize = 64;

/// A set of restriction tags, as positions in a [`TagTable`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(u128);

impl Tags {
    pub const NONE: Tags = Tags(0);
    pub const ALL: Tags = Tags(u128::MAX);

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn with(self, other: Tags) -> Tags {
        Tags(self.0 | other.0)
    }

    #[must_use]
    pub fn without(self, other: Tags) -> Tags {
        Tags(self.0 & !other.0)
    }

    #[must_use]
    pub fn both(self, other: Tags) -> Tags {
        Tags(self.0 & other.0)
    }

    pub fn within(self, other: Tags) -> bool {
        self.without(other).is_empty()
    }

    fn one(position: usize) -> Tags {
        Tags(1 << position)
    }
}

/// The names behind [`Tags`]: one table for an engine, so that labels mean the same in all its chains.
#[derive(Clone, Debug, Default)]
pub struct TagTable(Vec<Str>);

impl TagTable {
    /// The tag called `name`, added if it is new; nothing once [`TAGS_MAX`] tags exist.
    pub fn intern(&mut self, name: &str) -> Option<Tags> {
        if let Some(known) = self.find(name) {
            return Some(known);
        }
        (self.0.len() < TAGS_MAX).then(|| {
            self.0.push(name.into());
            Tags::one(self.0.len() - 1)
        })
    }

    pub fn find(&self, name: &str) -> Option<Tags> {
        self.0.iter().position(|known| &**known == name).map(Tags::one)
    }

    pub fn names(&self, tags: Tags) -> Vec<Str> {
        let named = self.0.iter().enumerate();
        named.filter(|(at, _)| !tags.both(Tags::one(*at)).is_empty()).map(|(_, name)| name.clone()).collect()
    }
}

/// The tag every value derived from a secret carries.
pub fn secret_tag(name: &str) -> String {
    format!("secret:{name}")
}

/// A set of origins, as positions in an [`OriginTable`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origins(u64);

impl Origins {
    pub const NONE: Origins = Origins(0);

    #[must_use]
    pub fn with(self, other: Origins) -> Origins {
        Origins(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The names behind [`Origins`]: one table for a run, filled as sources answer.
#[derive(Clone, Debug, Default)]
pub struct OriginTable(Vec<Str>);

impl OriginTable {
    pub fn intern(&mut self, name: &Str) -> Origins {
        let at = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            if self.0.len() < ORIGINS_MAX - 1 {
                self.0.push(name.clone());
            } else if self.0.len() == ORIGINS_MAX - 1 {
                self.0.push("other origins".into());
            }
            self.0.len() - 1
        });
        Origins(1 << at)
    }

    pub fn names(&self, origins: Origins) -> Vec<Str> {
        self.0
            .iter()
            .enumerate()
            .filter(|(at, _)| origins.0 >> at & 1 == 1)
            .map(|(_, name)| name.clone())
            .collect()
    }
}

/// Whose data it is. `NONE` belongs to nobody; two tenants join to `MIXED`, which nobody may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tenant(u32);

impl Tenant {
    pub const NONE: Tenant = Tenant(0);
    pub const MIXED: Tenant = Tenant(u32::MAX);

    /// The tenant with this number; 0 and the largest number are taken.
    pub fn number(number: u32) -> Option<Tenant> {
        (number != 0 && number != u32::MAX).then_some(Tenant(number))
    }

    #[must_use]
    pub fn join(self, other: Tenant) -> Tenant {
        if self == Tenant::NONE || self == other {
            other
        } else if other == Tenant::NONE {
            self
        } else {
            Tenant::MIXED
        }
    }
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    pub tags: Tags,
    pub origins: Origins,
    pub tenant: Tenant,
    pub untrusted: bool,
}

impl Label {
    /// Trusted, unrestricted, nobody's, from nowhere: what a chain's author wrote.
    pub const BOTTOM: Label =
        Label { tags: Tags::NONE, origins: Origins::NONE, tenant: Tenant::NONE, untrusted: false };

    /// The label of a value made from both.
    #[must_use]
    pub fn join(self, other: Label) -> Label {
        Label {
            tags: self.tags.with(other.tags),
            origins: self.origins.with(other.origins),
            tenant: self.tenant.join(other.tenant),
            untrusted: self.untrusted | other.untrusted,
        }
    }

    /// Whether everything this label forbids, the other forbids too.
    pub fn within(self, other: Label) -> bool {
        self.join(other) == other
    }
}

/// Labels by path. What a node carries holds for all below it. The size of a pointer: most values share the labels
/// of what they were made from.
#[derive(Clone, Debug, Default)]
pub struct Labels(Option<Arc<Node>>);

#[derive(Debug)]
enum Node {
    Uniform(Label),
    /// A value whose parts differ.
    Split {
        /// Holds for the whole node: its shape, and every part not listed.
        own: Label,
        /// The join over the node and all its parts.
        all: Label,
        parts: Parts,
    },
}

#[derive(Clone, Debug)]
enum Parts {
    Keys(BTreeMap<Str, Labels>),
    Items(Vec<Labels>),
}

impl From<Label> for Labels {
    fn from(label: Label) -> Labels {
        Labels((label != Label::BOTTOM).then(|| Arc::new(Node::Uniform(label))))
    }
}

impl Labels {
    /// A map whose members carry their own labels.
    pub fn keys(own: Label, parts: impl IntoIterator<Item = (Str, Labels)>) -> Labels {
        let parts: BTreeMap<Str, Labels> =
            parts.into_iter().filter(|(_, labels)| !labels.adds_nothing(own)).collect();
        if parts.is_empty() {
            return own.into();
        }
        let all = parts.values().fold(own, |all, part| all.join(part.all()));
        Labels(Some(Arc::new(Node::Split { own, all, parts: Parts::Keys(parts) })))
    }

    /// A list whose items carry their own labels.
    pub fn items(own: Label, parts: Vec<Labels>) -> Labels {
        if parts.iter().all(|labels| labels.adds_nothing(own)) {
            return own.into();
        }
        let all = parts.iter().fold(own, |all, part| all.join(part.all()));
        Labels(Some(Arc::new(Node::Split { own, all, parts: Parts::Items(parts) })))
    }

    fn adds_nothing(&self, own: Label) -> bool {
        match self.0.as_deref() {
            None => true,
            Some(Node::Uniform(label)) => label.within(own),
            Some(Node::Split { .. }) => false,
        }
    }

    /// Whether nothing is known: the label of what a chain's author wrote.
    pub fn is_bottom(&self) -> bool {
        self.0.is_none()
    }

    /// The label of the whole, parts included.
    pub fn all(&self) -> Label {
        match self.0.as_deref() {
            None => Label::BOTTOM,
            Some(Node::Uniform(label) | Node::Split { all: label, .. }) => *label,
        }
    }

    /// The label of the outermost shape alone: which keys there are, how long the list is.
    pub fn own(&self) -> Label {
        match self.0.as_deref() {
            None => Label::BOTTOM,
            Some(Node::Uniform(label) | Node::Split { own: label, .. }) => *label,
        }
    }

    fn parts(&self) -> Option<&Parts> {
        match self.0.as_deref() {
            Some(Node::Split { parts, .. }) => Some(parts),
            _ => None,
        }
    }

    /// One label for the whole, at least `label`: what comes out of a link that mixes all it was handed.
    #[must_use]
    pub(crate) fn flat(&self, label: Label) -> Labels {
        match self.parts() {
            None if label.within(self.own()) => self.clone(),
            _ => self.all().join(label).into(),
        }
    }

    /// The labels of the part at `path`, with what the nodes on the way carry.
    #[must_use]
    pub fn at(&self, path: &[Seg]) -> Labels {
        let mut labels = self;
        let mut above = Label::BOTTOM;
        for seg in path {
            let Some(parts) = labels.parts() else { break };
            above = above.join(labels.own());
            let part = match (parts, seg) {
                (Parts::Keys(parts), Seg::Key(key)) => parts.get(key),
                (Parts::Items(parts), Seg::Index(index)) => parts.get(*index),
                // A path that does not fit the value says nothing about its parts, so it stands for all of them.
                _ => return labels.all().join(above).into(),
            };
            match part {
                Some(part) => labels = part,
                None => return above.into(),
            }
        }
        labels.joined(above)
    }

    /// These labels with `label` joined to the whole.
    #[must_use]
    pub fn joined(&self, label: Label) -> Labels {
        if label.within(self.own()) {
            return self.clone();
        }
        let own = self.own().join(label);
        match self.parts() {
            None => own.into(),
            Some(Parts::Keys(parts)) => {
                Labels::keys(own, parts.iter().map(|(key, part)| (key.clone(), part.clone())))
            }
            Some(Parts::Items(parts)) => Labels::items(own, parts.clone()),
        }
    }

    /// Both labellings of one value.
    #[must_use]
    pub(crate) fn merged(&self, other: &Labels) -> Labels {
        let own = self.own().join(other.own());
        match (self.parts(), other.parts()) {
            (_, None) => self.joined(other.own()),
            (None, _) => other.joined(self.own()),
            (Some(Parts::Keys(left)), Some(Parts::Keys(right))) => {
                let mut parts = left.clone();
                for (key, labels) in right {
                    let merged = parts.get(key).map_or_else(|| labels.clone(), |part| part.merged(labels));
                    parts.insert(key.clone(), merged);
                }
                Labels::keys(own, parts)
            }
            (Some(Parts::Items(left)), Some(Parts::Items(right))) => {
                let longest = left.len().max(right.len());
                let part = |side: &[Labels], at: usize| side.get(at).cloned().unwrap_or_default();
                Labels::items(own, (0..longest).map(|at| part(left, at).merged(&part(right, at))).collect())
            }
            _ => self.all().join(other.all()).into(),
        }
    }

    /// The same paths with each label changed by `change`; used by the lowering rules of the gate.
    #[must_use]
    pub(crate) fn map(&self, change: &impl Fn(Label) -> Label) -> Labels {
        let own = change(self.own());
        match self.parts() {
            None => own.into(),
            Some(Parts::Keys(parts)) => {
                Labels::keys(own, parts.iter().map(|(key, part)| (key.clone(), part.map(change))))
            }
            Some(Parts::Items(parts)) => {
                Labels::items(own, parts.iter().map(|part| part.map(change)).collect())
            }
        }
    }

    /// Every labelled path below this node with its own label, outermost first.
    pub fn paths(&self) -> Vec<(Vec<Seg>, Label)> {
        let mut out = Vec::new();
        self.collect(&mut Vec::new(), Label::BOTTOM, &mut out);
        out
    }

    fn collect(&self, path: &mut Vec<Seg>, above: Label, out: &mut Vec<(Vec<Seg>, Label)>) {
        let here = above.join(self.own());
        out.push((path.clone(), here));
        let parts: Vec<(Seg, &Labels)> = match self.parts() {
            None => return,
            Some(Parts::Keys(parts)) => {
                parts.iter().map(|(key, part)| (Seg::Key(key.clone()), part)).collect()
            }
            Some(Parts::Items(parts)) => {
                parts.iter().enumerate().map(|(at, part)| (Seg::Index(at), part)).collect()
            }
        };
        for (seg, part) in parts {
            path.push(seg);
            part.collect(path, here, out);
            path.pop();
        }
    }

    /// The first path whose label meets `test`, followed down to the innermost part that still does.
    pub fn find(&self, test: &impl Fn(Label) -> bool) -> Option<(Vec<Seg>, Label)> {
        let mut met = self.paths().into_iter().filter(|(_, label)| test(*label));
        let first = met.next()?;
        Some(met.fold(first, |found, next| if next.0.starts_with(&found.0) { next } else { found }))
    }
}

/// A value with its labels.
#[derive(Clone, Debug, Default)]
pub struct Labeled {
    pub value: Value,
    pub labels: Labels,
}

impl Labeled {
    pub fn new(value: Value, labels: impl Into<Labels>) -> Labeled {
        Labeled { value, labels: labels.into() }
    }

    /// The part at `path`, or nothing where the path leaves the data.
    pub fn at(&self, path: &[Seg]) -> Option<Labeled> {
        if path.is_empty() {
            return Some(self.clone());
        }
        let value = self.value.at(path)?.clone();
        Some(Labeled { value, labels: self.labels.at(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::parse_path;

    /// Every label over three tags, two origins and two tenants: 256 of them.
    fn universe() -> Vec<Label> {
        let tenants = [Tenant::NONE, Tenant(1), Tenant(2), Tenant::MIXED];
        let mut all = Vec::new();
        for untrusted in [false, true] {
            for tags in 0..8 {
                for origins in 0..4 {
                    for tenant in tenants {
                        all.push(Label { tags: Tags(tags), origins: Origins(origins), tenant, untrusted });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn lattice_laws_hold_for_every_pair() {
        let all = universe();
        for &a in &all {
            assert_eq!(a.join(a), a, "idempotent");
            assert_eq!(a.join(Label::BOTTOM), a, "bottom is neutral");
            assert!(Label::BOTTOM.within(a));
            for &b in &all {
                assert_eq!(a.join(b), b.join(a), "commutative");
                assert!(a.within(a.join(b)), "join is an upper bound");
                assert_eq!(a.within(b) && b.within(a), a == b, "antisymmetric");
                assert_eq!(a.join(a.join(b)), a.join(b), "absorbing");
            }
        }
    }

    #[test]
    fn lattice_laws_hold_for_every_triple() {
        let all = universe();
        for &a in &all {
            for &b in &all {
                let ab = a.join(b);
                for &c in &all {
                    assert_eq!(ab.join(c), a.join(b.join(c)), "associative");
                    assert!(!(a.within(c) && b.within(c)) || ab.within(c), "join is the least upper bound");
                    assert!(!(a.within(b) && b.within(c)) || a.within(c), "order is transitive");
                }
            }
        }
    }

    #[test]
    fn two_tenants_join_to_one_nobody_reads() {
        assert_eq!(Tenant(1).join(Tenant(2)), Tenant::MIXED);
        assert_eq!(Tenant::MIXED.join(Tenant(1)), Tenant::MIXED);
        assert_eq!(Tenant(1).join(Tenant::NONE), Tenant(1));
        assert_eq!(Tenant::number(0), None);
        assert_eq!(Tenant::number(u32::MAX), None);
    }

    #[test]
    fn a_label_on_one_path_does_not_taint_another() {
        let pii = Label { tags: Tags(1), ..Label::BOTTOM };
        let order = Labels::keys(Label::BOTTOM, [("card".into(), pii.into())]);
        let root = Labels::keys(Label::BOTTOM, [("order".into(), order)]);
        let tags = |path: &str| root.at(&parse_path(path)).all().tags;
        assert_eq!(tags("order.card"), Tags(1));
        assert_eq!(tags("order.card.number"), Tags(1));
        assert_eq!(tags("order.id"), Tags::NONE);
        assert_eq!(tags("order"), Tags(1));
        assert_eq!(root.own(), Label::BOTTOM);
        let inner = root.find(&|label| !label.tags.is_empty()).unwrap().0;
        assert_eq!(crate::value::path_text(&inner), "order.card");
    }

    #[test]
    fn joining_above_reaches_every_part() {
        let untrusted = Label { untrusted: true, ..Label::BOTTOM };
        let tagged = Label { tags: Tags(2), ..Label::BOTTOM };
        let labels = Labels::items(Label::BOTTOM, vec![Labels::default(), tagged.into()]).joined(untrusted);
        assert_eq!(labels.at(&parse_path("0")).all(), untrusted);
        assert_eq!(labels.at(&parse_path("1")).all(), untrusted.join(tagged));
        let merged = labels.merged(&Labels::items(tagged, vec![untrusted.into()]));
        assert_eq!(merged.at(&parse_path("0")).all(), untrusted.join(tagged));
    }

    #[test]
    fn origins_past_the_last_share_a_bit() {
        let mut table = OriginTable::default();
        for number in 0..200 {
            table.intern(&format!("link{number}").into());
        }
        let late = table.intern(&"link150".into());
        assert_eq!(table.names(late), ["other origins".into()]);
        assert_eq!(table.intern(&"link3".into()), Origins(8));
    }

    #[test]
    fn tags_are_refused_past_the_last() {
        let mut table = TagTable::default();
        for number in 0..TAGS_MAX {
            assert!(table.intern(&format!("t{number}")).is_some());
        }
        assert_eq!(table.intern("one too many"), None);
        assert_eq!(table.names(table.find("t127").unwrap()), ["t127".into()]);
    }
}
