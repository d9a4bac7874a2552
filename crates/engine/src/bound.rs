//! A plan bound to its engine: for each link what runs it, its semaphore, cache and middleware. Frozen with the plan.

use crate::ctx::Ctx;
use crate::engine::{Engine, Extras};
use crate::kinds::{Runs, runner};
use crate::middleware::Middleware;
use crate::middleware::cache::Results;
use crate::scripts::Slot;
use ringmail_core::chain::{Detail, Link, Plan};
use ringmail_core::failure::Failure;
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::json::IntoValue;
use ringmail_core::value::{Str, Value};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub(crate) type Called = Pin<Box<dyn Future<Output = Result<Unchecked, Blocked>> + Send>>;

/// A native function.
#[derive(Clone)]
pub(crate) enum NativeRun {
    Async(Arc<dyn Fn(Ctx) -> Called + Send + Sync>),
    Blocking(Arc<dyn Fn(Ctx) -> Result<Value, Failure> + Send + Sync>),
    Pure(fn(&Value) -> Result<Value, Failure>),
}

impl NativeRun {
    pub(crate) fn from_async<F, Fut, O>(run: F) -> NativeRun
    where
        F: Fn(Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, Failure>> + Send + 'static,
        O: IntoValue,
    {
        NativeRun::Async(Arc::new(move |ctx| {
            let call = run(ctx);
            Box::pin(async move { Ok(Unchecked::new(call.await?.into_value()?)) })
        }))
    }

    pub(crate) fn from_blocking<F, O>(run: F) -> NativeRun
    where
        F: Fn(Ctx) -> Result<O, Failure> + Send + Sync + 'static,
        O: IntoValue,
    {
        NativeRun::Blocking(Arc::new(move |ctx| run(ctx).and_then(IntoValue::into_value)))
    }
}

/// A plan with what its links run on.
pub(crate) struct Bound {
    pub(crate) plan: Arc<Plan>,
    pub(crate) links: Vec<BoundLink>,
}

pub(crate) struct BoundLink {
    pub(crate) runner: &'static dyn Runs,
    pub(crate) native: Option<NativeRun>,
    pub(crate) script: Option<Arc<Slot>>,
    pub(crate) slots: Option<Arc<Semaphore>>,
    /// Earlier results, for `cache`.
    pub(crate) cache: Option<Results>,
    /// Earlier effects, for `idempotency_key`.
    pub(crate) once: Option<Results>,
    /// With their names, outermost first.
    pub(crate) middleware: Vec<(Str, Arc<dyn Middleware>)>,
    /// The bodies of the link, in their order.
    pub(crate) bodies: Vec<Arc<Bound>>,
    /// Whether the link needs to know what it sees while it runs.
    pub(crate) needs_frame: bool,
    /// One attempt and nothing around it: no retry, fallback, limit, cache or key.
    pub(crate) plain: bool,
}

impl Bound {
    pub(crate) fn new(plan: &Arc<Plan>, engine: &Engine, extras: &Extras) -> Bound {
        Bound::within(plan, engine, extras, &plan.middleware)
    }

    fn within(plan: &Arc<Plan>, engine: &Engine, extras: &Extras, outer: &[Str]) -> Bound {
        let links = plan.links.iter().map(|link| BoundLink::new(link, engine, extras, outer)).collect();
        Bound { plan: plan.clone(), links }
    }

    pub(crate) fn link(&self, at: usize) -> Option<(&Link, &BoundLink)> {
        Some((self.plan.link(at)?, self.links.get(at)?))
    }
}

impl BoundLink {
    /// Whether an earlier result may stand for a call.
    pub(crate) fn remembers(&self) -> bool {
        self.cache.is_some() || self.once.is_some()
    }

    /// The moment an attempt starts, if anybody will ask for it.
    pub(crate) fn starts(&self) -> Option<tokio::time::Instant> {
        (!self.middleware.is_empty()).then(tokio::time::Instant::now)
    }

    fn new(link: &Link, engine: &Engine, extras: &Extras, outer: &[Str]) -> BoundLink {
        let inner = &engine.0;
        let native = match &link.detail {
            Detail::Native { call, .. } => {
                extras.natives.get(call).or_else(|| inner.natives.get(call)).map(|(_, native)| native.clone())
            }
            _ => None,
        };
        let named = outer.iter().chain(&link.middleware);
        let middleware = named.filter_map(|name| {
            let found = extras.middleware.get(name).or_else(|| inner.middleware.get(name))?;
            Some((name.clone(), found.clone()))
        });
        let bodies = link.bodies();
        BoundLink {
            runner: runner(link.kind.name),
            native,
            script: match &link.detail {
                Detail::Script(scripted) => inner.scripts.slot(scripted),
                _ => None,
            },
            slots: link.concurrency.map(|most| Arc::new(Semaphore::new(most as usize))),
            cache: link.cache.map(|cache| Results::new(Some(cache.ttl_ms), cache.entries_max)),
            once: link
                .idempotency_key
                .as_ref()
                .map(|_| Results::new(None, crate::middleware::cache::ONCE_MAX)),
            middleware: middleware.collect(),
            needs_frame: !bodies.is_empty() || link.fallback.is_some() || link.idempotency_key.is_some(),
            plain: link.retry.attempts == 1
                && link.fallback.is_none()
                && link.concurrency.is_none()
                && link.cache.is_none()
                && link.idempotency_key.is_none(),
            bodies: bodies
                .into_iter()
                .map(|body| Arc::new(Bound::within(body, engine, extras, outer)))
                .collect(),
        }
    }
}
