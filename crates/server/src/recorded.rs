//! What happened at the doors and never became a run. Who was turned away is written by a thread of its own; a flood is
//! counted, so that nobody fills the disk by knocking. Orders are on disk before they are followed.

use ringmail_core::json::to_string;
use ringmail_core::value::{Str, Value};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait for the disk.
const QUEUE_MAX: usize = 1_024;
/// Lines written in one second; the rest of it is counted.
const LINES_A_SECOND_MAX: u64 = 200;

/// Somebody who was turned away.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    pub(crate) id: Str,
    pub(crate) at_ms: u64,
    pub(crate) listener: Str,
    pub(crate) peer: String,
    /// Nothing, where nobody was proved.
    pub(crate) principal: Option<Str>,
    pub(crate) what: String,
    pub(crate) code: &'static str,
    pub(crate) why: String,
}

/// An order of somebody who steers.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) id: Str,
    pub(crate) at_ms: u64,
    pub(crate) by: Str,
    pub(crate) order: &'static str,
    pub(crate) what: String,
    /// Why it is not followed; nothing if it is.
    pub(crate) refused: Option<String>,
}

#[derive(Debug)]
pub(crate) struct DoorLog {
    /// For lines that nothing may go before.
    file: std::fs::File,
    sender: SyncSender<TurnedAway>,
    lost: std::sync::Arc<AtomicU64>,
}

impl DoorLog {
    pub(crate) fn open(path: &Path) -> std::io::Result<DoorLog> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let own = file.try_clone()?;
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let lost = std::sync::Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        std::thread::Builder::new()
            .name("ringmail-doors".into())
            .spawn(move || write(file, &receiver, &counted))?;
        Ok(DoorLog { file: own, sender, lost })
    }

    /// Ends once the line would survive a crash. Orders are few and stand in no line behind those who knock.
    pub(crate) fn order(&self, ordered: &Ordered) -> std::io::Result<()> {
        let text = format!("{}\n", to_string(&order_line(ordered)));
        (&self.file).write_all(text.as_bytes())?;
        self.file.sync_data()
    }

    pub(crate) fn note(&self, turned: TurnedAway) {
        if self.sender.try_send(turned).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(mut file: std::fs::File, receiver: &Receiver<TurnedAway>, lost: &AtomicU64) {
    let (mut second, mut lines) = (Instant::now(), 0);
    loop {
        let next = match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(turned) => Some(turned),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        };
        let over = second.elapsed() >= Duration::from_secs(1);
        let mut text = String::new();
        if over {
            (second, lines) = (Instant::now(), 0);
            let uncounted = lost.swap(0, Ordering::Relaxed);
            if uncounted > 0 {
                let count = Value::Int(i64::try_from(uncounted).unwrap_or(i64::MAX));
                text.push_str(&to_string(&Value::map([
                    ("stage", Value::from("not-listed")),
                    ("count", count),
                ])));
                text.push('\n');
            }
        }
        match next {
            Some(turned) if lines < LINES_A_SECOND_MAX => {
                lines += 1;
                text.push_str(&to_string(&line(&turned)));
                text.push('\n');
            }
            Some(_) => {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            None => {}
        }
        if !text.is_empty() && file.write_all(text.as_bytes()).is_err() {
            // Nobody was let in; the count is all that can still be told.
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line(turned: &TurnedAway) -> Value {
    Value::map([
        ("stage", Value::from("turned-away")),
        ("at_ms", Value::Int(i64::try_from(turned.at_ms).unwrap_or(i64::MAX))),
        ("id", Value::Str(turned.id.clone())),
        ("listener", Value::Str(turned.listener.clone())),
        ("peer", Value::from(turned.peer.as_str())),
        ("principal", turned.principal.clone().map_or(Value::Null, Value::Str)),
        ("what", Value::from(turned.what.as_str())),
        ("code", Value::from(turned.code)),
        ("why", Value::from(turned.why.as_str())),
    ])
}

fn order_line(ordered: &Ordered) -> Value {
    Value::map([
        ("stage", Value::from(if ordered.refused.is_none() { "ordered" } else { "order-refused" })),
        ("at_ms", Value::Int(i64::try_from(ordered.at_ms).unwrap_or(i64::MAX))),
        ("id", Value::Str(ordered.id.clone())),
        ("principal", Value::Str(ordered.by.clone())),
        ("order", Value::from(ordered.order)),
        ("what", Value::from(ordered.what.as_str())),
        ("why", ordered.refused.as_deref().map_or(Value::Null, Value::from)),
    ])
}
