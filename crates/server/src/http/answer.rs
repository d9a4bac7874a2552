//! Answers as HTTP has them: data, pieces as they come, or a problem.

use super::One;
use crate::problem::Problem;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, SizeHint};
use ringmail_core::json::to_string;
use ringmail_core::value::{Str, Value};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

pub(crate) const RUN_HEADER: HeaderName = HeaderName::from_static("ringmail-run");

pub(crate) type Answer = Response<Either<Full<Bytes>, Pieces>>;

/// Events of a run on their way out. Whoever stops listening cancels the run.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) events: mpsc::Receiver<Bytes>,
    pub(crate) _cancel: DropGuard,
    /// Whatever lasts as long as it does.
    pub(crate) held: Option<One>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Problem {
    pub(crate) fn answer(&self, id: &Str) -> Answer {
        let mut answer = json(self.status, &self.to_value(id));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1).min(86_400)));
        }
        answer
    }
}

/// Data as JSON.
pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(to_string(value)))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = status;
    answer
}
