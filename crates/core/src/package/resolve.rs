//! Which versions of plugins go together: newest first, each need met, no circle. What cannot be is said with the names
//! of those who want it. The search is bounded, whatever a registry claims.

use super::lock::version_of;
use crate::value::Str;
use semver::{Version, VersionReq};
use std::collections::BTreeMap;
use thiserror::Error;

/// Versions tried before the search gives up.
const TRIES_MAX: usize = 20_000;

/// A plugin that another needs, or that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginNeed {
    pub plugin: Str,
    /// As Cargo writes it: `^1.2`, `>=1, <3`, `*`.
    pub range: VersionReq,
}

/// A version that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub plugin: Str,
    pub version: Str,
    pub needs: Vec<PluginNeed>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum Unsolvable {
    #[error("no version of `{plugin}` does for all: {wants}; there is {has}")]
    Conflict { plugin: Str, wants: String, has: String },
    #[error("plugins need each other in a circle: {0}")]
    Circle(String),
    #[error("it takes more than {TRIES_MAX} tries to find out which versions go together")]
    Tries,
}

/// Whether a version of three numbers lies in a range.
pub(crate) fn in_range(range: &VersionReq, version: &str) -> bool {
    version_of(version).is_some_and(|(major, minor, patch)| range.matches(&Version::new(major, minor, patch)))
}

impl PluginNeed {
    /// From its words, which may have come from anywhere.
    pub fn new(plugin: &str, range: &str) -> Result<PluginNeed, String> {
        let name = plugin.starts_with(|c: char| c.is_ascii_lowercase())
            && plugin.len() <= 64
            && plugin.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !name {
            return Err(format!("`{}` is no name of a plugin", crate::json::shorten(plugin)));
        }
        let parsed = if range.len() <= 100 { range.parse().ok() } else { None };
        let wrong = || format!("`{}` is no range of versions; write `^1.2`", crate::json::shorten(range));
        Ok(PluginNeed { plugin: plugin.into(), range: parsed.ok_or_else(wrong)? })
    }

    pub fn takes(&self, version: &str) -> bool {
        in_range(&self.range, version)
    }
}

impl std::fmt::Display for PluginNeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.plugin, self.range)
    }
}

struct Search<'o> {
    offers: &'o [Offer],
    tries: usize,
    /// Why the try that got furthest failed.
    worst: Option<(usize, Unsolvable)>,
}

type Chosen<'o> = BTreeMap<Str, &'o Offer>;
/// A need with who has it.
type Wanted = (String, PluginNeed);

/// The versions to have, by plugin. `offers` of one plugin are tried in their order.
pub fn resolve(wanted: &[PluginNeed], offers: &[Offer]) -> Result<BTreeMap<Str, Str>, Unsolvable> {
    let wanted: Vec<Wanted> = wanted.iter().map(|need| ("the project".to_string(), need.clone())).collect();
    let mut search = Search { offers, tries: 0, worst: None };
    match search.go(&wanted, &mut Chosen::new()) {
        Some(found) => Ok(found.into_iter().map(|(plugin, offer)| (plugin, offer.version.clone())).collect()),
        None => Err(match search.worst {
            _ if search.tries > TRIES_MAX => Unsolvable::Tries,
            Some((_, why)) => why,
            None => Unsolvable::Tries,
        }),
    }
}

impl<'o> Search<'o> {
    fn go(&mut self, wanted: &[Wanted], chosen: &mut Chosen<'o>) -> Option<Chosen<'o>> {
        let broken = wanted.iter().find(|(_, need)| {
            chosen.get(&need.plugin).is_some_and(|offer| !in_range(&need.range, &offer.version))
        });
        if let Some((_, need)) = broken {
            self.failed(chosen.len(), self.conflict(&need.plugin, wanted));
            return None;
        }
        let Some((_, next)) = wanted.iter().find(|(_, need)| !chosen.contains_key(&need.plugin)) else {
            return Some(chosen.clone());
        };
        let plugin = next.plugin.clone();
        let all: &'o [Offer] = self.offers;
        let fits = |offer: &&Offer| {
            offer.plugin == plugin
                && wanted
                    .iter()
                    .filter(|(_, need)| need.plugin == plugin)
                    .all(|(_, need)| in_range(&need.range, &offer.version))
        };
        let mut any = false;
        for offer in all.iter().filter(fits) {
            any = true;
            self.tries += 1;
            if self.tries > TRIES_MAX {
                return None;
            }
            chosen.insert(plugin.clone(), offer);
            match circle(chosen, &plugin) {
                Some(path) => self.failed(chosen.len(), Unsolvable::Circle(path)),
                None => {
                    let by = format!("{plugin} {}", offer.version);
                    let more = offer.needs.iter().map(|need| (by.clone(), need.clone()));
                    let wanted: Vec<Wanted> = wanted.iter().cloned().chain(more).collect();
                    if let Some(found) = self.go(&wanted, chosen) {
                        return Some(found);
                    }
                }
            }
            chosen.remove(&plugin);
        }
        if !any {
            self.failed(chosen.len(), self.conflict(&plugin, wanted));
        }
        None
    }

    fn failed(&mut self, depth: usize, why: Unsolvable) {
        if self.worst.as_ref().is_none_or(|(known, _)| depth > *known) {
            self.worst = Some((depth, why));
        }
    }

    fn conflict(&self, plugin: &Str, wanted: &[Wanted]) -> Unsolvable {
        let wants = wanted.iter().filter(|(_, need)| need.plugin == *plugin);
        let wants: Vec<String> = wants.map(|(by, need)| format!("{by} wants {}", need.range)).collect();
        let has = self.offers.iter().filter(|offer| offer.plugin == *plugin).take(8);
        let has: Vec<&str> = has.map(|offer| &*offer.version).collect();
        let has = if has.is_empty() { "none".to_string() } else { has.join(", ") };
        Unsolvable::Conflict { plugin: plugin.clone(), wants: wants.join(", "), has }
    }
}

/// The way from a plugin back to itself, among those chosen.
fn circle(chosen: &Chosen<'_>, from: &Str) -> Option<String> {
    let mut open: Vec<Vec<&Str>> = vec![vec![from]];
    let mut seen: Vec<&Str> = Vec::new();
    while let Some(path) = open.pop() {
        let at = *path.last()?;
        for need in chosen.get(at).map_or(&[][..], |offer| &offer.needs) {
            if need.plugin == *from {
                let names: Vec<&str> = path.iter().chain([&from]).map(|name| &***name).collect();
                return Some(names.join(" -> "));
            }
            if !seen.contains(&&need.plugin) && chosen.contains_key(&need.plugin) {
                seen.push(&need.plugin);
                open.push(path.iter().copied().chain([&need.plugin]).collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn need(text: &str) -> PluginNeed {
        let (plugin, range) = text.split_once(' ').unwrap();
        PluginNeed { plugin: plugin.into(), range: range.parse().unwrap() }
    }

    fn offer(plugin: &str, version: &str, needs: &[&str]) -> Offer {
        let needs = needs.iter().map(|text| need(text)).collect();
        Offer { plugin: plugin.into(), version: version.into(), needs }
    }

    fn said(wanted: &[&str], offers: &[Offer]) -> String {
        let wanted: Vec<PluginNeed> = wanted.iter().map(|text| need(text)).collect();
        match resolve(&wanted, offers) {
            Ok(found) => found
                .iter()
                .map(|(plugin, version)| format!("{plugin} {version}"))
                .collect::<Vec<_>>()
                .join(", "),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn the_newest_that_go_together_are_chosen() {
        let offers = [
            offer("a", "2.0.0", &["b ^2"]),
            offer("a", "1.0.0", &["b ^1"]),
            offer("b", "2.1.0", &["c ^3"]),
            offer("b", "1.5.0", &[]),
            offer("c", "1.0.0", &[]),
        ];
        // The newest `a` needs a `b` that needs a `c` nobody has.
        assert_eq!(said(&["a *"], &offers), "a 1.0.0, b 1.5.0");
        assert_eq!(said(&["b *", "b <2"], &offers), "b 1.5.0");
    }

    #[test]
    fn attack_20_conflicts_and_circles_are_named() {
        let offers = [
            offer("a", "1.0.0", &["c ^1"]),
            offer("b", "1.0.0", &["c ^2"]),
            offer("c", "1.0.0", &[]),
            offer("c", "2.0.0", &[]),
            offer("x", "1.0.0", &["y *"]),
            offer("y", "1.0.0", &["z *"]),
            offer("z", "1.0.0", &["x *"]),
            offer("self", "1.0.0", &["self *"]),
        ];
        assert_eq!(
            said(&["a *", "b *"], &offers),
            "no version of `c` does for all: a 1.0.0 wants ^1, b 1.0.0 wants ^2; there is 1.0.0, 2.0.0"
        );
        assert_eq!(said(&["x *"], &offers), "plugins need each other in a circle: z -> x -> y -> z");
        assert_eq!(said(&["self *"], &offers), "plugins need each other in a circle: self -> self");
        assert_eq!(
            said(&["q ^1"], &offers),
            "no version of `q` does for all: the project wants ^1; there is none"
        );
        // A registry that wants the search to last for ever does not get that.
        let many = |plugin: &str, needs: &[&str]| -> Vec<Offer> {
            (0..40).map(|minor| offer(plugin, &format!("1.{minor}.0"), needs)).collect()
        };
        let all: Vec<Offer> = [
            many("p", &["q *"]),
            many("q", &["r *"]),
            many("r", &["s *"]),
            many("s", &["t ^9"]),
            many("t", &[]),
        ]
        .concat();
        assert!(said(&["p *"], &all).contains("more than 20000 tries"));
    }

    proptest! {
        /// Against all there is to choose from: a solution is one, and is found if there is any.
        #[test]
        fn the_search_agrees_with_trying_everything(picks in prop::collection::vec((0_usize..3, 1_u64..4, 0_usize..3, 1_u64..4, 0_usize..3), 1..10)) {
            let names = ["a", "b", "c"];
            let mut offers: Vec<Offer> = Vec::new();
            for (plugin, major, other, range, kind) in picks {
                let range = [format!("^{range}"), format!("<={range}"), "*".to_string()][kind].clone();
                let needs = if other == plugin { vec![] } else { vec![format!("{} {range}", names[other])] };
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                let version = format!("{major}.0.0");
                if !offers.iter().any(|known| &*known.plugin == names[plugin] && *known.version == *version) {
                    offers.push(offer(names[plugin], &version, &needs));
                }
            }
            let fits = |chosen: &[&Offer]| {
                let map: Chosen<'_> = chosen.iter().map(|offer| (offer.plugin.clone(), *offer)).collect();
                map.len() == chosen.len()
                    && map.contains_key("a")
                    && chosen.iter().flat_map(|offer| &offer.needs).all(|need| map.get(&need.plugin).is_some_and(|offer| in_range(&need.range, &offer.version)))
                    && map.keys().all(|name| circle(&map, name).is_none())
            };
            let any = (0_u32..1 << offers.len()).any(|bits| {
                let chosen: Vec<&Offer> = offers.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, offer)| offer).collect();
                fits(&chosen)
            });
            let found = resolve(&[need("a *")], &offers);
            prop_assert_eq!(found.is_ok(), any);
            if let Ok(found) = found {
                let chosen: Vec<&Offer> = offers.iter().filter(|offer| found.get(&offer.plugin) == Some(&offer.version)).collect();
                prop_assert!(fits(&chosen));
            }
        }
    }
}
