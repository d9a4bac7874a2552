//! A log, as whoever appends to it and whoever harms it sees it.

use ringmail_store::{Hash, Log, LogError, LogSettings, Position, Reader, Signs, Tree, leaf};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Signs with nothing, so that what is signed can be read.
#[derive(Debug)]
struct Plain;

impl Signs for Plain {
    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [7; 64]
    }

    fn public(&self) -> [u8; 32] {
        [9; 32]
    }
}

fn settings(file_bytes_max: u64) -> LogSettings {
    LogSettings { file_bytes_max, ..LogSettings::new("here", Arc::new(Plain)) }
}

fn open(folder: &Path) -> Result<Log, LogError> {
    Log::open(folder, settings(400))
}

fn all(folder: &Path) -> Vec<String> {
    let mut reader = Reader::open(folder, 0).unwrap();
    let mut out = Vec::new();
    while let Some(read) = reader.next_record().unwrap() {
        assert_eq!(read.at, out.len() as u64);
        out.push(String::from_utf8(read.record.to_vec()).unwrap());
    }
    out
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|at| format!("{{\"n\":{at}}}")).collect()
}

fn fill(log: &Log, range: std::ops::Range<u64>) {
    for at in range {
        log.append(&[format!("{{\"n\":{at}}}").as_bytes()]).unwrap();
    }
}

fn newest(folder: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max().unwrap()
}

fn root(records: &[String]) -> Hash {
    let mut tree = Tree::default();
    records.iter().for_each(|record| tree.push(leaf(record.as_bytes())));
    tree.root()
}

#[test]
fn what_is_appended_is_there_in_order_over_many_files() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let log = open(folder.path()).unwrap();
        assert_eq!(log.count(), round * 25);
        fill(&log, round * 25..(round + 1) * 25);
        drop(log);
        let note = std::fs::read_to_string(folder.path().join("checkpoint")).unwrap();
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), ("here", &*((round + 1) * 25).to_string(), ""));
        use base64::Engine as _;
        let root = base64::engine::general_purpose::STANDARD.encode(root(&numbers(0..(round + 1) * 25)));
        assert_eq!(lines[2], root);
    }
    assert_eq!(all(folder.path()), numbers(0..100));
    let mut late = Reader::open(folder.path(), 77).unwrap();
    let read = late.next_record().unwrap().unwrap();
    assert_eq!((read.at, read.record), (77, &b"{\"n\":77}"[..]));
}

/// All come at one time, and each hears where its own stands.
#[tokio::test]
async fn what_comes_together_is_written_together_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), settings(1 << 20)).unwrap();
    fill(&log, 0..3);
    let records = numbers(3..40);
    let (mut all_told, mut waiting) = (Vec::new(), Vec::new());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for record in &records {
        let mut told = Box::pin(log.append_together(record.clone().into_bytes()));
        assert!(told.as_mut().poll(&mut context).is_pending());
        waiting.push(told);
    }
    assert_eq!(log.count(), 3, "nobody is told before all had their turn");
    for told in waiting {
        all_told.push(told.await.unwrap().0);
    }
    assert_eq!(all_told, (4..=40).collect::<Vec<u64>>());
    assert_eq!(all(folder.path()), numbers(0..40));
}

/// Whoever should write for all goes away, and one of those it would have written for does, too.
#[tokio::test]
async fn attack_42_a_record_outlives_whoever_should_have_written_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), settings(1 << 20)).unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut come = |record: &str| {
        let mut told = Box::pin(log.append_together(record.as_bytes().to_vec()));
        assert!(told.as_mut().poll(&mut context).is_pending());
        told
    };
    let (first, second, third) = (come("first"), come("second"), come("third"));
    drop(second);
    drop(first);
    assert_eq!(all(folder.path()), ["first", "second", "third"]);
    assert_eq!(third.await.unwrap(), Position(3));
    assert_eq!(log.append_together(b"after".to_vec()).await.unwrap(), Position(4));
    assert!(matches!(log.append_together(b"a\nb".to_vec()).await, Err(LogError::Unfit)));
}

/// More than may wait is written at once, whoever comes.
#[tokio::test]
async fn so_much_waits_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), settings(16 << 20)).unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut told = Box::pin(log.append_together(vec![b'x'; 64 << 10]));
        match told.as_mut().poll(&mut context) {
            std::task::Poll::Ready(written) => drop(written.unwrap()),
            std::task::Poll::Pending => waiting.push(told),
        }
    }
    assert!(log.count() >= 32, "{}", log.count());
    for told in waiting {
        told.await.unwrap();
    }
    assert_eq!(log.count(), 64);
}

#[test]
fn records_are_lines_of_a_bounded_size() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for unfit in [b"a\nb".to_vec(), vec![b'x'; (16 << 20) + 1]] {
        assert!(matches!(log.append(&[b"fits", &unfit]), Err(LogError::Unfit)));
    }
    assert_eq!(log.count(), 0, "all or none");
}

/// Wherever a crash cuts the newest file, the log goes on after the last whole record, and keeps what was cut off.
#[test]
fn attack_42_a_log_that_was_cut_anywhere_goes_on_where_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), settings(1 << 20)).unwrap();
    fill(&log, 0..3);
    let kept = tempfile::tempdir().unwrap();
    // Nobody has signed for anything yet.
    let whole = std::fs::read(newest(folder.path())).unwrap();
    drop(log);
    let name = newest(folder.path()).file_name().unwrap().to_owned();
    for length in 0..=whole.len() {
        let folder = kept.path().join(length.to_string());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(&name), &whole[..length]).unwrap();
        let log = Log::open(&folder, settings(1 << 20)).unwrap();
        let count = log.count();
        log.append(&[b"next"]).unwrap();
        drop(log);
        let mut expected = numbers(0..count);
        expected.push("next".into());
        assert_eq!(all(&folder), expected, "cut to {length}");
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(count, lines.saturating_sub(1), "cut to {length}");
    }
}

/// What is cut off is as secret as the log, and nothing that was put aside before is lost for it.
#[test]
fn attack_42_every_piece_that_is_cut_off_is_kept_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    for piece in ["first", "second", "third"] {
        drop(Log::open(folder.path(), settings(1 << 20)).unwrap());
        let mut file = std::fs::OpenOptions::new().append(true).open(newest(folder.path())).unwrap();
        file.write_all(piece.as_bytes()).unwrap();
    }
    drop(Log::open(folder.path(), settings(1 << 20)).unwrap());
    let all = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let mut cut: Vec<String> = all
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("cut-"))
        .map(|entry| {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::read_to_string(entry.path()).unwrap()
        })
        .collect();
    cut.sort();
    assert_eq!(cut, ["first", "second", "third"]);
}

#[test]
fn attack_41_what_was_signed_for_is_there_or_the_log_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    fill(&log, 0..20);
    drop(log);
    let newest = newest(folder.path());
    let text = std::fs::read(&newest).unwrap();
    let head = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let refused = |expected: &str| {
        let said = open(folder.path()).unwrap_err().to_string();
        assert!(said.contains(expected), "{expected}: {said}");
    };
    for at in head..text.len() {
        let mut other = text.clone();
        other[at] ^= 4;
        std::fs::write(&newest, &other).unwrap();
        refused("the log is not what was written");
    }
    std::fs::write(&newest, &text[..head]).unwrap();
    refused("20 records were signed for");
    std::fs::remove_file(&newest).unwrap();
    // The file before it says that one follows, and a log that goes on there has less than was signed for.
    refused("20 records were signed for");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "log") {
            std::fs::remove_file(path).unwrap();
        }
    }
    refused("none is there");
}

/// Two of them, each with files of its own opened: as two processes would.
#[test]
fn two_who_append_to_one_log_never_fork_it() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()).unwrap(), open(folder.path()).unwrap());
    for round in 0..30 {
        fill(&one, round * 3..round * 3 + 1);
        fill(&two, round * 3 + 1..round * 3 + 3);
    }
    assert_eq!(all(folder.path()), numbers(0..90));
    std::thread::scope(|scope| {
        for log in [&one, &two] {
            scope.spawn(move || (0..50).for_each(|_| assert!(log.append(&[b"x"]).is_ok())));
        }
    });
    drop((one, two));
    let log = open(folder.path()).unwrap();
    assert_eq!(log.count(), 190);
}

#[test]
fn a_log_that_is_changed_while_it_is_written_takes_no_more() {
    for harm in [(|path: &Path| std::fs::remove_file(path).unwrap()) as fn(&Path), |path| {
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(90).unwrap()
    }] {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), settings(1 << 20)).unwrap();
        fill(&log, 0..5);
        harm(&newest(folder.path()));
        for _ in 0..2 {
            let refused = log.append(&[b"more"]).unwrap_err();
            assert!(matches!(refused, LogError::Changed(_)), "{refused}");
        }
    }
}

#[tokio::test]
async fn who_waits_for_the_disk_is_answered_once_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::open(folder.path(), settings(64 << 20)).unwrap());
    let waits = (0..64).map(|at| {
        let log = log.clone();
        tokio::spawn(async move {
            let position = log.append(&[format!("{at}").as_bytes()]).unwrap();
            log.durable(position).await.unwrap();
            position
        })
    });
    let waits: Vec<_> = waits.collect();
    let mut seen = Vec::new();
    for wait in waits {
        seen.push(wait.await.unwrap());
    }
    seen.sort();
    assert_eq!(seen, (1..=64).map(Position).collect::<Vec<_>>());
}
