//! What a server offers now, for whoever is about to pin it: an ordinary call, judged and recorded, of an engine that may
//! ask this server for its tools and nothing else.

use crate::engine::{Engine, EngineBuilder};
use ringmail_core::doc::Source;
use ringmail_core::grant::{Grant, ToolRule};
use ringmail_core::json::to_string;
use ringmail_core::value::Value;

const CHAIN: &str = "look_at_tools";
const PERMIT: &str = "permit (principal, action, resource);\n";

impl EngineBuilder {
    /// Makes the engine one that [asks a server what it offers](Engine::offers_of), whatever the project grants.
    #[must_use]
    pub fn looking_at(self, server: &str) -> Self {
        let rule = ToolRule {
            upstream: server.into(),
            tools: Vec::new(),
            consequential: false,
            flow: Default::default(),
            label: Default::default(),
        };
        let grant = Grant {
            to: CHAIN.into(),
            reason: "somebody looks at what the server offers".into(),
            tools: vec![rule],
            ..Grant::default()
        };
        self.granted(grant).policies(vec![Source::new("the policy of looking", PERMIT)])
    }
}

impl Engine {
    /// What a server says it offers, as files of pins have it.
    pub async fn offers_of(&self, server: &str) -> Result<Value, String> {
        let named = to_string(&Value::from(server));
        let text =
            format!("chain: {CHAIN}\nlinks:\n  list: {{kind: tool, tool: {named}}}\noutput: ${{list}}\n");
        let checked = self.check_with(&[Source::new("look.yaml", text)], &Default::default(), &[]);
        checked.problems.or(()).map_err(|problems| problems.to_string())?;
        let plan = checked.plans.into_iter().next().ok_or("there is no chain")?;
        self.bind(plan, &Default::default()).ask(Value::Null).await
    }
}
