//! Records that are written in one piece because they came at one time. Whoever comes first lets the others come, and writes for
//! all of them; nobody hears of a record that is not written.

use super::{LogError, Position, Shared};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Bytes that wait for each other. Whoever brings more writes at once.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// What whoever brought a record has to write: nothing, or all there is.
enum Duty {
    None,
    Now,
    Soon,
}

type Told = oneshot::Sender<Result<Position, LogError>>;

#[derive(Debug, Default)]
pub(super) struct Group(Mutex<Brought>);

/// What was brought and is not written.
#[derive(Debug, Default)]
struct Brought {
    records: Vec<(Vec<u8>, Told)>,
    bytes: usize,
    /// Whether somebody will write it.
    led: bool,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, Brought> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bring(&self, record: Vec<u8>, told: Told) -> Duty {
        let mut brought = self.lock();
        brought.bytes += record.len();
        brought.records.push((record, told));
        let led = std::mem::replace(&mut brought.led, true);
        match (brought.bytes > WAITING_BYTES_MAX, led) {
            (true, _) => Duty::Now,
            (false, false) => Duty::Soon,
            (false, true) => Duty::None,
        }
    }
}

/// Whoever writes for all. Goes away only when they are written, also where its run is dropped.
struct Lead<'s>(&'s Shared);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let Brought { records, .. } = std::mem::take(&mut *self.0.group.lock());
        if records.is_empty() {
            return;
        }
        let lines: Vec<&[u8]> = records.iter().map(|(record, _)| &**record).collect();
        let last = self.0.append_to(&mut state, &lines);
        let mut told = Vec::with_capacity(records.len());
        for (before, record) in lines.iter().rev().enumerate() {
            told.push(match &last {
                Ok(last) => Ok(Position(last.0 - before as u64)),
                Err(error) if lines.len() == 1 => Err(error.clone()),
                // One that does not fit must not take the others along.
                Err(_) => self.0.append_to(&mut state, &[record]),
            });
        }
        drop(state);
        for ((_, teller), told) in records.into_iter().rev().zip(told) {
            // Who waited may have gone.
            let _unheard = teller.send(told);
        }
    }
}

/// Ends when the record is written; it outlives this process then.
pub(super) async fn append(shared: &Shared, record: Vec<u8>) -> Result<Position, LogError> {
    let (told, wait) = oneshot::channel();
    match shared.group.bring(record, told) {
        Duty::None => {}
        Duty::Now => drop(Lead(shared)),
        Duty::Soon => {
            let lead = Lead(shared);
            // Whoever is ready to bring something does so now.
            tokio::task::yield_now().await;
            drop(lead);
        }
    }
    wait.await.unwrap_or(Err(LogError::Ended))
}
