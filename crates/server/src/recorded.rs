//! What happened at the doors and never became a run. Who was turned away is written by a thread of its own; a flood is
//! counted, so that nobody fills the disk by knocking. Orders are on disk before they are followed.

use ringmail_core::value::{Str, Value};
use ringmail_engine::{Clock, DataSubject, Note, RecordError, Recorder, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Notes that wait for the disk.
const QUEUE_MAX: usize = 1_024;
/// Notes written in one second; the rest of it is counted.
const NOTES_A_SECOND_MAX: u64 = 200;
/// Whose those are who were not proved.
const UNPROVED: &str = "[unproved]";

/// Somebody who was turned away.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    pub(crate) id: Str,
    pub(crate) at_ms: u64,
    pub(crate) listener: Str,
    pub(crate) peer: String,
    /// Nothing, where nobody was proved.
    pub(crate) who: Option<DataSubject>,
    pub(crate) what: String,
    pub(crate) code: &'static str,
    pub(crate) why: String,
}

/// An order of somebody who steers.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) id: Str,
    pub(crate) at_ms: u64,
    pub(crate) by: DataSubject,
    pub(crate) order: &'static str,
    pub(crate) what: String,
    /// Why it is not followed; nothing if it is.
    pub(crate) refused: Option<String>,
}

/// With where the engine of its time records.
type Noted = Box<(Option<Arc<dyn Recorder>>, TurnedAway)>;

#[derive(Debug)]
pub(crate) struct DoorLog {
    sender: Option<SyncSender<Noted>>,
    writer: Option<JoinHandle<()>>,
    lost: Arc<AtomicU64>,
}

impl DoorLog {
    pub(crate) fn open() -> std::io::Result<DoorLog> {
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        let writer = std::thread::Builder::new()
            .name("ringmail-doors".into())
            .spawn(move || write(&receiver, &counted))?;
        Ok(DoorLog { sender: Some(sender), writer: Some(writer), lost })
    }

    pub(crate) fn note(&self, recorder: Option<&Arc<dyn Recorder>>, turned: TurnedAway) {
        let noted = Box::new((recorder.cloned(), turned));
        let sent = self.sender.as_ref().is_some_and(|sender| sender.try_send(noted).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for DoorLog {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take() {
            // It ends by itself.
            let _ended = writer.join();
        }
    }
}

/// Ends once the order would survive a crash. Orders are few and stand in no line behind those who knock.
pub(crate) async fn order(recorder: Option<&Arc<dyn Recorder>>, ordered: Ordered) -> Result<(), RecordError> {
    let recorder = recorder.ok_or_else(|| RecordError("there is no recorder".into()))?;
    recorder.durable(recorder.note(&order_note(ordered))?).await
}

fn write(receiver: &Receiver<Noted>, lost: &AtomicU64) {
    let (mut second, mut count) = (Instant::now(), 0);
    let mut recorder = None;
    // Nobody was let in; the count is all that can still be told.
    let written = |recorder: &Option<Arc<dyn Recorder>>, note: &Note| {
        recorder.as_ref().is_some_and(|recorder| recorder.note(note).is_ok())
    };
    loop {
        let next = match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(noted) => {
                let (latest, turned) = *noted;
                recorder = latest;
                Some(turned)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if second.elapsed() >= Duration::from_secs(1) {
            (second, count) = (Instant::now(), 0);
            let unlisted = lost.swap(0, Ordering::Relaxed);
            if unlisted > 0 && !written(&recorder, &not_listed(SystemClock.now_ms(), unlisted)) {
                lost.fetch_add(unlisted, Ordering::Relaxed);
            }
        }
        let Some(turned) = next else { continue };
        count += 1;
        if count > NOTES_A_SECOND_MAX || !written(&recorder, &turned_note(turned)) {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn unproved() -> DataSubject {
    DataSubject { name: UNPROVED.into(), tenant: None }
}

fn not_listed(at_ms: u64, count: u64) -> Note {
    let count = Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    Note { kind: "not-listed", at_ms, open: vec![("count", count)], who: unproved(), sealed: Vec::new() }
}

fn turned_note(turned: TurnedAway) -> Note {
    let open = vec![
        ("id", Value::Str(turned.id)),
        ("listener", Value::Str(turned.listener)),
        ("code", turned.code.into()),
    ];
    let sealed = vec![
        ("peer", Value::from(turned.peer)),
        ("what", Value::from(turned.what)),
        ("why", Value::from(turned.why)),
    ];
    let who = turned.who.unwrap_or_else(unproved);
    Note { kind: "turned-away", at_ms: turned.at_ms, open, who, sealed }
}

fn order_note(ordered: Ordered) -> Note {
    let kind = if ordered.refused.is_none() { "ordered" } else { "order-refused" };
    let open = vec![("id", Value::Str(ordered.id)), ("order", ordered.order.into())];
    let why = ordered.refused.map_or(Value::Null, Value::from);
    let sealed = vec![("what", Value::from(ordered.what)), ("why", why)];
    Note { kind, at_ms: ordered.at_ms, open, who: ordered.by, sealed }
}
