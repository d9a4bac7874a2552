//! Pieces of a link's output on their way to the caller while the link still runs. Each passes the gate that the
//! whole output would pass.

use crate::shared::{Shared, aside};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked};
use ringmail_core::label::Label;
use ringmail_core::value::Value;
use std::sync::Arc;

/// The door that pieces of a link's output go through; closed for links the chain does not stream.
#[derive(Clone)]
pub(crate) struct Pieces(Option<Box<PieceGate>>);

#[derive(Clone)]
struct PieceGate {
    shared: Arc<Shared>,
    label: Label,
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pieces({})", self.0.is_some())
    }
}

impl Pieces {
    /// For links that nobody listens to.
    pub(crate) fn none() -> Pieces {
        Pieces(None)
    }

    pub(crate) fn new(shared: Arc<Shared>, label: Label) -> Pieces {
        Pieces(Some(Box::new(PieceGate { shared, label })))
    }

    /// Whether anybody hears them.
    pub(crate) fn are_heard(&self) -> bool {
        self.0.as_ref().is_some_and(|gate| gate.shared.pieces.is_some())
    }

    pub(crate) async fn send(&self, piece: Value) -> Result<(), Blocked> {
        self.send_as(piece, Label::BOTTOM).await
    }

    /// Sends a piece that is made of more than the link was given.
    pub(crate) async fn send_as(&self, piece: Value, more: Label) -> Result<(), Blocked> {
        let Some(PieceGate { shared, label }) = self.0.as_deref() else { return Ok(()) };
        let Some(sender) = &shared.pieces else { return Ok(()) };
        let moment = shared.moment();
        let (label, authority) = (label.join(more), &shared.engine.authority);
        let answer = aside(piece.bytes(), || {
            gate::piece(&shared.answering, piece, label, &mut shared.facts(), authority, moment)
        });
        shared.note();
        let answer = answer.map_err(Blocked::Refused)?;
        let sent = sender.send(answer.value().clone()).await;
        sent.map_err(|_| Failure::new(FailureKind::Cancelled, "nobody listens any more").into())
    }
}
