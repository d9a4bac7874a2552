//! The body of a request as it was given. Who answers before all of it is here still takes what is on the way, within
//! limits: to a peer that still sends, a stream that is taken back or a connection that closes looks like no answer.

use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::runtime::Handle;

/// What is taken of a body that nobody wants, and how long. Who sends more has the answer cut off.
const REST_BYTES_MAX: usize = 256 << 10;
const REST_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Given {
    /// Nothing once it has ended.
    body: Option<Incoming>,
    /// The peer waits to be asked for it.
    waits: bool,
}

impl Given {
    pub(crate) fn of(request: Request<Incoming>) -> Request<Given> {
        let waits = request.headers().contains_key(EXPECT);
        request.map(|body| Given { body: Some(body).filter(|body| !body.is_end_stream()), waits })
    }
}

impl Body for Given {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        // Who was asked for it sends it.
        self.waits = false;
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !self.waits && !body.is_end_stream()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let mut rest = Limited::new(body, REST_BYTES_MAX);
            let taking = async { while let Some(Ok(_)) = rest.frame().await {} };
            let _in_time = tokio::time::timeout(REST_MAX, taking).await;
        });
    }
}
