//! A call on its way: bounded in time, and unable to break more than itself.

use crate::bound::Called;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// A link that is running: within its time, and unable to break more than itself.
pub(crate) struct Running {
    called: Called,
    limit_ms: Option<u64>,
    /// Set only once the link has to be waited for: most end at once and should not pay for a timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Running {
    pub(crate) fn new(called: Called, limit_ms: Option<u64>) -> Running {
        Running { called, limit_ms, timer: None }
    }
}

impl Future for Running {
    type Output = Result<Unchecked, Blocked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match catch_unwind(AssertUnwindSafe(|| this.called.as_mut().poll(cx))) {
            Ok(Poll::Ready(ended)) => return Poll::Ready(ended),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(panicked(&*panic))),
        }
        let Some(limit_ms) = this.limit_ms else { return Poll::Pending };
        let timer =
            this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(limit_ms))));
        timer.as_mut().poll(cx).map(|()| {
            Err(Failure::new(FailureKind::Timeout, format!("it took longer than {limit_ms} ms")).into())
        })
    }
}

/// What a link that panicked leaves behind.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Blocked {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    let text =
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into());
    Failure::new(FailureKind::Panicked, text).into()
}
