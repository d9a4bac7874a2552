//! Workers: what they gave up, and what comes of one that is in somebody's hands.

use crate::desk::{Form, LOG, LOG_INPUT, TestDesk, WALLS, workers};
use crate::guest::Guest;
use ringmail_host::{CallLimits, Confined, Desk, Errand, Granted, Halt, Reply};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A host whose worker is this shell script; its standard input is the socket.
fn confined(script: &str, granted: &[&str]) -> Confined {
    let workers = workers("/bin/sh", &["-c", script]);
    let granted = Granted { capabilities: granted, workers: Some(&workers), ..Granted::default() };
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    Confined::load(&WALLS, &guest.component(), granted).unwrap()
}

const READY: &str = r"printf '\001\000\000\000\000' >&0;";

#[tokio::test]
async fn attack_12_a_worker_that_lies_is_not_believed_and_not_met_again() {
    let limits = CallLimits { time_max: Duration::from_secs(5), ..CallLimits::default() };
    let cases = [
        ("exit 0", "its worker ended"),
        ("head -c 1000000 /dev/zero >&0; sleep 9", "its worker said something that makes no sense"),
        (r"printf '\377\377\377\177' >&0; sleep 9", "its worker sent more than it may"),
        (r"printf '\001\000\000\000\007' >&0; sleep 9", "its worker does not get ready"),
        (&format!("{READY} exit 0"), "its worker ended"),
        // Asks for the time, which was not granted.
        (
            &format!(r"{READY} printf '\001\000\000\000\005' >&0; sleep 9"),
            "its worker asked for what was not granted",
        ),
        // Says that it is ready, once more.
        (
            &format!(r"{READY} printf '\001\000\000\000\000' >&0; sleep 9"),
            "its worker said something that makes no sense",
        ),
        // An end whose output is said to be longer than the frame.
        (
            &format!(
                r"{READY} printf '\021\000\000\000\010\377\377\377\377\377\377\377\377\000\000\000\000\000\000\000\000' >&0; sleep 9"
            ),
            "its worker said something that makes no sense",
        ),
    ];
    for (script, expected) in cases {
        let ended = confined(script, &["log"]).call("1", &limits, TestDesk::default()).await;
        let Err(Halt::Broke(why)) = &ended.result else { panic!("{script}: {:?}", ended.result) };
        assert!(why.starts_with(expected), "{script}: {why}");
    }
}

#[tokio::test]
async fn attack_09_a_worker_that_does_not_answer_is_killed_at_its_time() {
    let limits = CallLimits { time_max: Duration::from_millis(300), ..CallLimits::default() };
    let started = Instant::now();
    let ended =
        confined(&format!("{READY} exec sleep 777"), &["log"]).call("1", &limits, TestDesk::default()).await;
    assert_eq!(ended.result, Err(Halt::Time(limits.time_max)));
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    for _ in 0..200 {
        if !children().iter().any(|(_, command)| command.contains("777")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it lives: {:?}", children());
}

/// A worker could write no file, and that counted for memory that its engine keeps as one: it was killed at the first
/// module whose memory does not begin empty, as those of every toolchain do.
#[tokio::test]
async fn what_a_memory_begins_with_is_there_in_a_worker() {
    let guest = Guest {
        more: r#"(data (i32.const 40000) "[1]")"#,
        ..Guest::calling("(call $ok (i32.const 40000) (i32.const 3))")
    };
    for form in [Form::Component, Form::Worker] {
        let ended =
            guest.load(form, &[]).unwrap().call("1", &CallLimits::default(), TestDesk::default()).await;
        assert_eq!(ended.result, Ok("[1]".into()));
    }
}

/// The processes that this one started, with their command lines.
fn children() -> Vec<(u32, String)> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids: BTreeSet<u32> = lists
        .flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>())
        .collect();
    let command = |id: u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids.into_iter().map(|id| (id, command(id))).collect()
}

#[tokio::test]
async fn attack_28_a_worker_has_given_up_everything_before_it_runs_a_guest() {
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let confined = guest.load(Form::Worker, &["log"]).unwrap();
    let ended = confined.call("1", &CallLimits::default(), TestDesk::default()).await;
    assert_eq!(ended.result, Ok("0".into()));
    let limits = CallLimits { time_max: Duration::from_secs(2), ..CallLimits::default() };
    let hangs = TestDesk { hangs: true, ..TestDesk::default() };
    let call = confined.call("1", &limits, hangs);
    let look = async {
        loop {
            // It has given up everything once it took the call, and it hangs in that for the whole time.
            let status = |id: u32| std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let child = children().into_iter().map(|(id, _)| status(id)).next();
            match child.filter(|status| status.contains("Seccomp:\t2")) {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let (ended, status) = tokio::join!(call, look);
    assert_eq!(ended.result, Err(Halt::Time(limits.time_max)));
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    assert!(!status.contains("Uid:\t0"), "{status}");
}

/// Calls for one party.
#[derive(Clone, Default)]
struct Party(&'static str, Arc<Mutex<Vec<u32>>>);

impl Desk for Party {
    fn ask(&mut self, _: Errand) -> Reply<'_> {
        self.1.lock().unwrap().extend(children().iter().map(|(id, _)| *id));
        Box::pin(async { Ok(ringmail_core::value::Value::Null) })
    }

    fn party(&self) -> String {
        self.0.into()
    }
}

/// Two parties never share a worker, and the calls of one go on with the worker it has.
#[tokio::test]
async fn attack_15_a_worker_serves_one_party_and_is_kept_for_it() {
    let workers = workers(env!("CARGO_BIN_EXE_ringmail-worker"), &[]);
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let granted = Granted { capabilities: &["log"], workers: Some(&workers), ..Granted::default() };
    let confined = Confined::load(&WALLS, &guest.component(), granted).unwrap();
    let mut seen = Vec::new();
    for party in ["a", "b"] {
        for _ in 0..20 {
            let desk = Party(party, Arc::default());
            let ended = confined.call("1", &CallLimits::default(), desk.clone()).await;
            assert_eq!(ended.result, Ok("0".into()));
            seen = desk.1.lock().unwrap().clone();
        }
    }
    // One for each party, and those that wait for another.
    assert!(seen.len() >= 2 && seen.len() <= 4, "{seen:?}");
}

#[tokio::test]
async fn a_worker_that_was_killed_is_replaced() {
    let confined = Guest::default().load(Form::Worker, &[]).unwrap();
    let call = async || confined.call("1", &CallLimits::default(), TestDesk::default()).await.result;
    assert_eq!(call().await, Ok("1".into()));
    for (id, _) in children() {
        // The process is this test's own.
        std::process::Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
    }
    let mut lost = 0;
    while call().await != Ok("1".into()) {
        lost += 1;
        assert!(lost <= 4);
    }
}
