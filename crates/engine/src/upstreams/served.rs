//! Tools of servers as chains: what callers of a project get to see runs as any chain does, under the same gates, with
//! grants for `upstream:SERVER`.

use ringmail_core::chain::Plan;
use ringmail_core::doc::{Node, Source};
use ringmail_core::json::to_pretty;
use ringmail_core::upstream::{POWER_OF_SERVER, PinnedTool, Upstream};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;

/// A chain that stands for a tool.
pub(crate) struct Served {
    pub(crate) node: Node,
    pub(crate) source: Arc<Source>,
    power: Str,
    card: Value,
}

impl Served {
    pub(super) fn new(upstream: &Upstream, name: &str, card: &PinnedTool) -> Served {
        let server = &upstream.setting.name;
        let said = |key: &'static str| Some((Str::from(key), card.said.get(key)?.clone()));
        let call = [
            ("kind", Value::from("tool")),
            ("tool", Value::from(format!("{server}/{}", card.name))),
            ("expect", Value::from("any")),
            ("with", Value::from("${input}")),
        ];
        let chain = [
            (Str::from("chain"), Value::from(chain_name(name))),
            ("mcp".into(), Value::map([("content", Value::Bool(true))])),
            ("input".into(), card.said.get("inputSchema").cloned().unwrap_or_default()),
            ("stream".into(), Value::from("call")),
            ("links".into(), Value::map([("call", Value::map(call))])),
            ("output".into(), Value::from("${call}")),
        ];
        let chain = Value::map(chain.into_iter().chain(said("description")).collect::<Vec<_>>());
        let shown = ["title", "description", "inputSchema", "outputSchema", "annotations"];
        let card =
            [(Str::from("name"), Value::from(name))].into_iter().chain(shown.into_iter().filter_map(said));
        Served {
            node: Node::of(&chain),
            source: Source::new(format!("{name} of {server}"), to_pretty(&chain)),
            power: format!("{POWER_OF_SERVER}{server}").into(),
            card: Value::map(card.collect::<Vec<_>>()),
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
