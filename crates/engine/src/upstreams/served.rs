//! Tools of servers as chains: what callers of a project get to see runs as any chain does, under the same gates, with
//! grants for `upstream:SERVER`.

use ringmail_core::chain::Plan;
use ringmail_core::doc::Source;
use ringmail_core::json::to_string;
use ringmail_core::upstream::{POWER_OF_SERVER, PinnedTool, Upstream};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;

/// A chain that stands for a tool.
pub(crate) struct Served {
    pub(crate) source: Arc<Source>,
    power: Str,
    card: Value,
}

impl Served {
    pub(super) fn new(upstream: &Upstream, name: &str, card: &PinnedTool) -> Served {
        let server = &upstream.setting.name;
        let quoted = |text: &str| to_string(&Value::from(text));
        let described = card.said.get("description").and_then(Value::as_str).unwrap_or_default();
        let input = card.said.get("inputSchema").map_or_else(|| "{}".into(), to_string);
        let text = format!(
            "chain: {}\ndescription: {}\nmcp: {{content: true}}\ninput: {input}\nstream: call\nlinks:\n  \
             call: {{kind: tool, tool: {}, expect: any, with: '${{input}}'}}\noutput: ${{call}}\n",
            chain_name(name),
            quoted(described),
            quoted(&format!("{server}/{}", card.name)),
        );
        let shown = ["title", "description", "inputSchema", "outputSchema", "annotations"];
        let members = shown.iter().filter_map(|key| Some((Str::from(*key), card.said.get(key)?.clone())));
        let members = [(Str::from("name"), Value::from(name))].into_iter().chain(members);
        Served {
            source: Source::new(format!("{name} of {server}"), text),
            power: format!("{POWER_OF_SERVER}{server}").into(),
            card: Value::map(members.collect::<Vec<_>>()),
        }
    }

    /// The chain under the power of its server, shown as the tool it stands for.
    pub(crate) fn seal(&self, mut plan: Plan) -> Plan {
        for link in &mut plan.links {
            link.power = self.power.clone();
        }
        plan.mcp.card = Some(self.card.clone());
        plan
    }
}

/// A tool's name as chains are called.
fn chain_name(tool: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    tool.chars().map(plain).collect()
}
