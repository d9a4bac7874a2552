//! What a project says of detectors: `[detect]`, a tag or `false` for each.

use super::{DETECTORS, Detectors, Gives};
use crate::doc::{Data, Node, Problems, Source};
use crate::label::TagTable;
use crate::schema::is_tag_name;
use std::sync::Arc;

impl Detectors {
    /// The detectors of a project: those that are on where it says nothing, changed by what it says. The keys and the
    /// types of the values were checked.
    pub(crate) fn load(
        node: Option<&Node>,
        source: &Arc<Source>,
        tags: &mut TagTable,
        problems: &mut Problems,
    ) -> Detectors {
        let said = |name: &str| node.and_then(|node| node.get(name));
        let mut all = Detectors::none();
        for detector in DETECTORS {
            let (tag, span) = match (said(detector.name).map(|node| (&node.data, node.span)), detector.gives)
            {
                (Some((Data::Bool(false), _)), _) => continue,
                (_, Gives::Signal) => {
                    all.signal(detector.name);
                    continue;
                }
                (Some((Data::Text(tag), span)), _) => (tag.as_str(), Some(span)),
                (Some((_, span)), _) => {
                    let message = format!("`{}` needs the tag that it gives", detector.name);
                    let help = format!("such as: {} = \"pii\"", detector.name);
                    problems.add_help(source, span, message, help);
                    continue;
                }
                (None, Gives::Tag(Some(tag))) => (tag, None),
                (None, Gives::Tag(None)) => continue,
            };
            let wrong = match tag {
                tag if tag.starts_with("secret:") => {
                    Some("is the tag of a secret, which only the secret gives")
                }
                tag if !is_tag_name(tag) => Some("is not a tag"),
                _ => None,
            };
            match (wrong, tags.intern(tag), span) {
                (None, Some(tag), _) => all.tag(detector.name, tag),
                (Some(why), _, Some(span)) => {
                    let message = format!("`{}` {why}", crate::json::shorten(tag));
                    let help = "a tag is lower case letters, digits, `_`, `-` and `:`, such as `pii`; `false` turns the detector off";
                    problems.add_help(source, span, message, help);
                }
                (_, None, Some(span)) => problems.add(source, span, "too many different tags"),
                (_, _, None) => problems.add_bare("too many different tags"),
            }
        }
        all
    }
}
