//! Proof: what a record costs a run, how many durable ones a second there are, beside the bare disk in the same run, and how
//! fast a log is verified. `proof [SECONDS] [RECORDS]`: so many are written first, 300,000 where nothing is said.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool for whoever measures"
)]

use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Audit, AuditReader, DataSubject, HostKey, LogMark, Note, Recorder, Sought};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

fn note() -> Note {
    Note {
        kind: "bench",
        at_ms: 1_700_000_000_000,
        open: vec![("chain", Value::from("greet")), ("padding", Value::from("x".repeat(300)))],
        who: DataSubject { name: "ada".into(), tenant: None },
        sealed: vec![("peer", Value::from("192.0.2.1"))],
    }
}

/// Of whom there is little on record.
fn rare() -> DataSubject {
    DataSubject { name: "bob".into(), tenant: None }
}

/// Goes through what is on record of one principal, as `audit query` does.
fn looked_for(folder: &std::path::Path, key: &HostKey) -> (usize, usize) {
    let mut reader = AuditReader::open(folder, Some(key), 0).unwrap();
    let ids = reader.ids_of(|who| *who == rare()).unwrap();
    let sought = Sought::between(0, None).with("who", ids.iter().map(|id| &**id));
    let (mut found, mut count) = (0, 0);
    for file in reader.files().unwrap() {
        let places = reader.places(file, &sought).unwrap();
        count += places.len();
        reader.look_at(places);
        while reader.next_where(|record| memmem(record, &ids)).unwrap().is_some() {
            found += 1;
        }
    }
    (found, count)
}

fn memmem(record: &[u8], ids: &[Str]) -> bool {
    ids.iter().any(|id| memchr::memmem::find(record, id.as_bytes()).is_some())
}

/// Records a second that writers make durable, each waiting for its own.
fn durable(audit: &Audit, writers: usize, length: Duration) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (count, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|_| {
                let (audit, count) = (audit.clone(), count.clone());
                tokio::spawn(async move {
                    let note = note();
                    while begun.elapsed() < length {
                        let mark = audit.note(&note).unwrap();
                        audit.durable(mark).await.unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// The same with nothing but a file: writers hand in bytes, and whoever finds the disk free syncs for all.
fn bare(folder: &std::path::Path, writers: usize, length: Duration) -> f64 {
    struct Shared {
        state: Mutex<(u64, u64, bool)>,
        wake: Condvar,
        file: Mutex<std::fs::File>,
    }
    let file = std::fs::File::create(folder.join(format!("bare-{writers}"))).unwrap();
    let own = file.try_clone().unwrap();
    let shared = Shared { state: Mutex::new((0, 0, false)), wake: Condvar::new(), file: Mutex::new(file) };
    let (record, begun, count) = (vec![b'x'; 560], Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while begun.elapsed() < length {
                    let mut state = {
                        let mut file = shared.file.lock().unwrap();
                        file.write_all(&record).unwrap();
                        let mut state = shared.state.lock().unwrap();
                        state.0 += 1;
                        state
                    };
                    let own_place = state.0;
                    while state.1 < own_place {
                        if state.2 {
                            state = shared.wake.wait(state).unwrap();
                            continue;
                        }
                        state.2 = true;
                        let end = state.0;
                        drop(state);
                        own.sync_data().unwrap();
                        state = shared.state.lock().unwrap();
                        (state.1, state.2) = (end, false);
                        shared.wake.notify_all();
                    }
                    drop(state);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2);
    let records = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(300_000_u64);
    let length = Duration::from_secs(seconds);
    let folder = tempfile::tempdir().unwrap();
    let key = HostKey::ephemeral();
    let audit = Audit::open(&folder.path().join("audit"), &key).unwrap();
    let note = note();
    let mut last = LogMark(0);
    for round in 0..3 {
        let begun = Instant::now();
        for _ in 0..records / 3 {
            last = audit.note(&note).unwrap();
        }
        audit.note(&Note { who: rare(), ..note.clone() }).unwrap();
        println!(
            "written record, round {round}: {:.2} us",
            begun.elapsed().as_secs_f64() * 3e6 / records as f64
        );
    }
    // As after a kill: nothing was signed for in the end, and what was not is read again.
    let begun = Instant::now();
    drop(Audit::open(&folder.path().join("audit"), &key).unwrap());
    println!("opened beside it in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    for writers in [1, 64, 1_024] {
        let ours = durable(&audit, writers, length);
        // A thread each would measure threads.
        let alone = bare(folder.path(), writers.min(64), length);
        println!(
            "{writers} writers: {ours:.0} durable a second, the bare file {alone:.0}: {:.2}",
            ours / alone
        );
    }
    drop(audit);
    for round in ["the first time", "with lists"] {
        let begun = Instant::now();
        let (found, places) = looked_for(&folder.path().join("audit"), &key);
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        println!("{found} records of one principal in {places} places, {round}: {ms:.1} ms");
    }
    let begun = Instant::now();
    let found = ringmail_verify::verify(&folder.path().join("audit"), &[]).unwrap();
    let rate = found.records as f64 / begun.elapsed().as_secs_f64();
    assert!(found.records > last.0);
    println!("verified {} records, {:.1} million a minute", found.records, rate * 60.0 / 1e6);
}
