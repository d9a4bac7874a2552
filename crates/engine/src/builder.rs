//! Chains built in Rust. The builder writes the same document a chain file holds, and closures beside it, so that
//! both are loaded, checked and run the same way.

use crate::bound::NativeRun;
use crate::chain::Chain;
use crate::ctx::Ctx;
use crate::engine::{Engine, Extras};
use crate::middleware::Middleware;
use ringmail_core::doc::{Problems, Source};
use ringmail_core::failure::Failure;
use ringmail_core::json::{IntoValue, to_pretty};
use ringmail_core::value::{Str, Value};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// A chain in the making. Methods about a link mean the link added last.
///
/// Inputs and outputs are any types that serde knows. A link branches with edges, and middleware looks on:
///
/// ```
/// use ringmail_engine::middleware::{CallView, Middleware};
/// use ringmail_engine::{Chain, Engine, Failure, FailureKind};
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     prices: Vec<f64>,
/// }
///
/// struct Counts;
///
/// impl Middleware for Counts {
///     fn before(&self, call: &CallView<'_>) -> Result<(), String> {
///         println!("{} starts", call.link());
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder().build()?;
/// let chain = Chain::builder("order")
///     .middleware("counts", Counts)
///     .link("total", async |ctx| {
///         let order: Order = ctx.args()?;
///         if order.prices.is_empty() {
///             return Err(Failure::new(FailureKind::Native, "nothing was ordered"));
///         }
///         Ok(order.prices.iter().sum::<f64>())
///     })
///     .timeout(Duration::from_secs(5))
///     .edge_if("total > 100.0", "ask")
///     .on_error("sorry")
///     .link("accept", async |ctx| Ok(format!("accepted: {}", ctx.args::<f64>()?)))
///     .blocking("ask", |_| Ok("somebody has to look"))
///     .link("sorry", async |_| Ok("there is nothing to pay"))
///     .output("${done(accept) ? accept : done(ask) ? ask : sorry}")
///     .build(&engine)?;
/// for (prices, expected) in
///     [(vec![1.5, 2.0], "accepted: 3.5"), (vec![200.0], "somebody has to look"), (vec![], "there is nothing to pay")]
/// {
///     assert_eq!(chain.run(Order { prices }).await?.get::<String>()?, expected);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ChainBuilder {
    name: String,
    members: Vec<(Str, Value)>,
    links: Vec<Draft>,
    extras: Extras,
    output: Option<Value>,
    problems: Problems,
}

struct Draft {
    name: Str,
    members: Vec<(Str, Value)>,
    edges: Vec<Value>,
    /// Names the links this one leads to, and whether by success.
    targets: Vec<(Str, bool)>,
}

impl std::fmt::Debug for ChainBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChainBuilder({})", self.name)
    }
}

impl ChainBuilder {
    pub(crate) fn new(name: &str) -> ChainBuilder {
        ChainBuilder {
            name: name.into(),
            members: Vec::new(),
            links: Vec::new(),
            extras: Extras::default(),
            output: None,
            problems: Problems::default(),
        }
    }

    /// Sets any key of a chain file, such as `input`, `returns` or `limits`.
    pub fn set(mut self, key: &str, value: impl IntoValue) -> Self {
        match value.into_value() {
            Ok(value) => self.members.push((key.into(), value)),
            Err(failure) => self.problems.add_bare(format!("`{key}`: {}", failure.message)),
        }
        self
    }

    /// Adds a link that runs an async closure. It must not block; see [`ChainBuilder::blocking`].
    /// Unless [`ChainBuilder::with`] says otherwise it is handed the output of the link before it.
    pub fn link<F, Fut, O>(self, name: &str, run: F) -> Self
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, Failure>> + Send + 'static,
        O: IntoValue,
    {
        self.native(name, NativeRun::from_async(run))
    }

    /// Adds a link that runs a closure which may block: on a thread of its own, so that timeouts hold.
    pub fn blocking<F, O>(self, name: &str, run: F) -> Self
    where
        F: Fn(Ctx) -> Result<O, Failure> + Send + Sync + 'static,
        O: IntoValue,
    {
        self.native(name, NativeRun::from_blocking(run))
    }

    fn native(mut self, name: &str, run: NativeRun) -> Self {
        let call: Str = format!("#{name}").into();
        self.extras.natives.insert(call.clone(), (None, run));
        let members = vec![("kind".into(), Value::from("native")), ("call".into(), Value::Str(call))];
        self.links.push(Draft { name: name.into(), members, edges: Vec::new(), targets: Vec::new() });
        self
    }

    /// Adds a link of any kind: `step("fetch", "http", json!({"with": {"url": "https://example.com/"}}))`.
    pub fn step(mut self, name: &str, kind: &str, settings: impl IntoValue) -> Self {
        let mut members: Vec<(Str, Value)> = vec![("kind".into(), Value::from(kind))];
        match settings.into_value() {
            Ok(Value::Map(map)) => {
                members.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())))
            }
            Ok(_) => self.problems.add_bare(format!("the settings of `{name}` must be a map")),
            Err(failure) => self.problems.add_bare(format!("`{name}`: {}", failure.message)),
        }
        self.links.push(Draft { name: name.into(), members, edges: Vec::new(), targets: Vec::new() });
        self
    }

    /// What the link is handed, with `${...}`.
    pub fn with(self, with: impl IntoValue) -> Self {
        self.put("with", with)
    }

    /// Runs the link only if this expression holds.
    pub fn when(self, when: &str) -> Self {
        self.put("when", when)
    }

    /// Links that must have succeeded before.
    pub fn after(self, links: &[&str]) -> Self {
        self.put("after", links)
    }

    /// Declares that the native link has this effect on the world, so that grants and policies decide.
    pub fn effect(mut self, effect: &str) -> Self {
        let call = self.links.last().and_then(|draft| member(draft, "call"));
        if let Some(native) =
            call.and_then(|call| self.extras.natives.get_mut(call.as_str().unwrap_or_default()))
        {
            native.0 = Some(effect.into());
        } else {
            self.problems.add_bare("`effect` belongs to a native link");
        }
        self
    }

    pub fn timeout(self, timeout: Duration) -> Self {
        self.put("timeout", format!("{}ms", timeout.as_millis()))
    }

    /// Sets any key of the link, such as `retry`, `fallback`, `cache` or `returns`.
    pub fn put(mut self, key: &str, value: impl IntoValue) -> Self {
        match (value.into_value(), self.links.last_mut()) {
            (Ok(value), Some(draft)) => draft.members.push((key.into(), value)),
            (Ok(_), None) => self.problems.add_bare(format!("`{key}` stands before any link")),
            (Err(failure), _) => self.problems.add_bare(format!("`{key}`: {}", failure.message)),
        }
        self
    }

    /// After success, goes on at `to` if the expression holds.
    pub fn edge_if(self, when: &str, to: &str) -> Self {
        let edge = Value::map([("if", Value::from(when)), ("to", Value::from(to))]);
        self.edge(edge, to, true)
    }

    /// After a failure, goes on at `to`, which may read `error`.
    pub fn on_error(self, to: &str) -> Self {
        let edge = Value::map([("on", Value::from("error")), ("to", Value::from(to))]);
        self.edge(edge, to, false)
    }

    /// After a refusal, goes on at `to`, which may read `error`.
    pub fn on_refused(self, to: &str) -> Self {
        let edge = Value::map([("on", Value::from("refused")), ("to", Value::from(to))]);
        self.edge(edge, to, false)
    }

    fn edge(mut self, edge: Value, to: &str, success: bool) -> Self {
        match self.links.last_mut() {
            Some(draft) => {
                draft.edges.push(edge);
                draft.targets.push((to.into(), success));
            }
            None => self.problems.add_bare("an edge stands before any link"),
        }
        self
    }

    /// Middleware around every link, after those added before.
    pub fn middleware(mut self, name: &str, middleware: impl Middleware + 'static) -> Self {
        self.extras.middleware.insert(name.into(), Arc::new(middleware));
        let named = Value::from(name);
        match self.members.iter_mut().find(|(key, _)| &**key == "middleware") {
            Some((_, Value::List(list))) => {
                let items: Vec<Value> = list.iter().cloned().chain([named]).collect();
                self.members.retain(|(key, _)| &**key != "middleware");
                self.members.push(("middleware".into(), Value::list(items)));
            }
            _ => self.members.push(("middleware".into(), Value::list([named]))),
        }
        self
    }

    /// What the chain answers, with `${...}`; without this, the output of its last link.
    pub fn output(mut self, output: impl IntoValue) -> Self {
        match output.into_value() {
            Ok(value) => self.output = Some(value),
            Err(failure) => self.problems.add_bare(format!("`output`: {}", failure.message)),
        }
        self
    }

    /// Checks the chain and loads it into the engine, where other chains can call it.
    pub fn build(self, engine: &Engine) -> Result<Chain, Problems> {
        self.problems.clone().or(())?;
        let text = to_pretty(&self.document());
        let source = Source::new(format!("chain `{}` built in Rust", self.name), text);
        let checked = engine.check_with(&[source], &self.extras, &[]);
        checked.problems.or(())?;
        match checked.plans.into_iter().next() {
            Some(plan) => {
                let chain = engine.bind(plan, &self.extras);
                engine.register(&chain);
                Ok(chain)
            }
            None => {
                let mut problems = Problems::default();
                problems.add_bare("the chain could not be loaded");
                Err(problems)
            }
        }
    }

    fn document(&self) -> Value {
        let mut links: Vec<(Str, Value)> = Vec::new();
        let mut before: Option<Str> = None;
        for draft in &self.links {
            let by_success = self.links.iter().flat_map(|other| {
                other
                    .targets
                    .iter()
                    .filter(|(to, _)| *to == draft.name)
                    .map(|(_, success)| (other.name.clone(), *success))
            });
            let led = by_success.last();
            let handed = match (&led, &before) {
                (Some((from, true)), _) => format!("${{{from}}}"),
                (Some((_, false)), _) => "${error}".to_string(),
                (None, Some(before)) => format!("${{{before}}}"),
                (None, None) => "${input}".to_string(),
            };
            let mut members = draft.members.clone();
            let native = member(draft, "kind") == Some(&Value::from("native"));
            if native && member(draft, "with").is_none() {
                members.push(("with".into(), Value::from(handed)));
            }
            if !draft.edges.is_empty() {
                members.push(("edges".into(), Value::list(draft.edges.iter().cloned())));
            }
            links.push((draft.name.clone(), Value::map(members)));
            if led.is_none() {
                before = Some(draft.name.clone());
            }
        }
        let last = before.map_or(Value::Null, |name| Value::from(format!("${{{name}}}")));
        let mut members: Vec<(Str, Value)> = vec![("chain".into(), Value::from(self.name.as_str()))];
        members.extend(self.members.iter().cloned());
        members.push(("links".into(), Value::map(links)));
        members.push(("output".into(), self.output.clone().unwrap_or(last)));
        Value::map(members)
    }
}

fn member<'d>(draft: &'d Draft, key: &str) -> Option<&'d Value> {
    draft.members.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
}
