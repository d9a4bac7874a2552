//! What one call may use.

use super::FORM;
use crate::desk::{Form, LOG, LOG_INPUT, TestDesk};
use crate::guest::Guest;
use ringmail_host::{CallLimits, Halt};
use std::time::{Duration, Instant};

const BUDGET: Duration = Duration::from_millis(200);

fn limits() -> CallLimits {
    CallLimits { time_max: BUDGET, fuel_max: u64::MAX >> 1, ..CallLimits::default() }
}

const LOOP: &str = "(loop $l (br $l)) (unreachable)";

#[tokio::test]
async fn a_guest_takes_json_and_gives_json() {
    let ended = Guest::default().run(FORM, r#"{"a": 1}"#, &CallLimits::default()).await;
    assert_eq!(ended.result, Ok(r#"{"a": 1}"#.into()));
    assert!(ended.figures.fuel > 0 && ended.figures.memory_bytes_peak == 2 << 16, "{:?}", ended.figures);
    let ended = Guest::calling("(call $err (local.get $p) (local.get $n))")
        .run(FORM, "no", &CallLimits::default())
        .await;
    assert_eq!(ended.result, Err(Halt::Failed("no".into())));
}

#[tokio::test]
async fn attack_09_a_loop_anywhere_ends_with_its_budget() {
    let start = "(func $loops (loop $l (br $l))) (start $loops)";
    let post = r#"(func (export "cabi_post_call") (param i32) (loop $l (br $l)))"#;
    let realloc = r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (loop $l (br $l)) (unreachable))"#;
    let guests = [
        ("call", Guest::calling(LOOP)),
        ("start", Guest { more: start, ..Guest::default() }),
        ("post-return", Guest { more: post, ..Guest::default() }),
        ("realloc", Guest { realloc, ..Guest::default() }),
    ];
    for (place, guest) in guests {
        let confined = guest.load(FORM, &[]).unwrap();
        let started = Instant::now();
        let ended = confined.call("1", &limits(), TestDesk::default()).await;
        let took = started.elapsed();
        assert_eq!(ended.result, Err(Halt::Time(BUDGET)), "{place}");
        // Another process has to get a processor as well.
        let more = if matches!(FORM, Form::Worker) { Duration::from_millis(100) } else { Duration::ZERO };
        assert!(took >= BUDGET && took < BUDGET * 12 / 10 + more, "{place}: {took:?}");
        let few = CallLimits { fuel_max: 10_000, time_max: Duration::from_secs(60), ..CallLimits::default() };
        let ended = confined.call("1", &few, TestDesk::default()).await;
        assert_eq!(ended.result, Err(Halt::Fuel(10_000)), "{place}");
    }
}

/// One thread for all: the others get their turn because a guest that runs is interrupted, not because it is kind.
#[tokio::test(flavor = "current_thread")]
async fn attack_09_others_answer_while_a_guest_loops() {
    let (mut answered, limits) = (0, limits());
    let loops = Guest::calling(LOOP).load(FORM, &[]).unwrap();
    let echo = Guest::default().load(FORM, &[]).unwrap();
    let looping = loops.call("1", &limits, TestDesk::default());
    tokio::pin!(looping);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut looping => break ended,
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(echo.call("2", &limits, TestDesk::default()).await.result, Ok("2".into()));
        answered += 1;
    };
    assert_eq!(ended.result, Err(Halt::Time(BUDGET)));
    assert!(answered > 10, "{answered}");
}

#[tokio::test]
async fn attack_10_a_host_call_that_waits_counts() {
    let guest = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let desk = TestDesk { hangs: true, ..TestDesk::default() };
    let confined = guest.load(FORM, &["log"]).unwrap();
    let started = Instant::now();
    let ended = confined.call("1", &limits(), desk).await;
    assert_eq!(ended.result, Err(Halt::Time(BUDGET)));
    assert!(started.elapsed() < BUDGET * 12 / 10);
}

#[tokio::test]
async fn attack_11_all_memory_counts() {
    let limits = CallLimits { memory_bytes_max: 4 << 20, ..limits() };
    let stopped = Err(Halt::Memory(4 << 20));
    let grow = "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)";
    let small = "(loop $l (drop (call $alloc (i32.const 16))) (br $l)) (unreachable)";
    let two = r#"(memory $b 1) (func $both
        (loop $l (drop (memory.grow 0 (i32.const 1))) (drop (memory.grow $b (i32.const 1))) (br $l)))"#;
    let table = "(table $t 1 funcref) (func $grows (loop $l (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $l)))";
    let guests = [
        ("growth", Guest::calling(grow)),
        ("small pieces", Guest::calling(small)),
        ("two memories", Guest { more: two, call: "(call $both) (unreachable)", ..Guest::default() }),
        ("a table", Guest { more: table, call: "(call $grows) (unreachable)", ..Guest::default() }),
        ("from the start", Guest { memory: r#"(memory (export "memory") 100)"#, ..Guest::default() }),
    ];
    for (place, guest) in guests {
        let ended = guest.run(FORM, "1", &limits).await;
        assert_eq!(ended.result, stopped, "{place}");
        assert!(ended.figures.memory_bytes_peak <= 4 << 20, "{place}: {:?}", ended.figures);
    }
    let echo = Guest::default().run(FORM, "1", &limits).await;
    assert_eq!(echo.result, Ok("1".into()));
}

#[tokio::test]
async fn attack_11_a_deep_recursion_ends() {
    let deep = Guest {
        more: "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))",
        call: "(call $deep)",
        ..Guest::default()
    };
    assert_eq!(deep.run(FORM, "1", &limits()).await.result, Err(Halt::Stack));
}

#[tokio::test]
async fn attack_12_an_answer_that_lies_is_not_believed() {
    let long =
        Guest::calling("(call $ok (i32.const 0) (i32.const 100000000))").run(FORM, "1", &limits()).await;
    assert!(matches!(long.result, Err(Halt::Broke(_))), "{:?}", long.result);
    let negative = Guest::calling("(call $ok (i32.const 0) (i32.const -1))").run(FORM, "1", &limits()).await;
    assert!(matches!(negative.result, Err(Halt::Broke(_))), "{:?}", negative.result);
    let far = Guest::calling("(i32.const 2147483644)").run(FORM, "1", &limits()).await;
    assert!(matches!(far.result, Err(Halt::Broke(_))), "{:?}", far.result);
    let bytes = "(i32.store (i32.const 64) (i32.const 0xfffefdfc)) (call $ok (i32.const 64) (i32.const 4))";
    let bytes = Guest::calling(bytes).run(FORM, "1", &limits()).await;
    assert!(matches!(&bytes.result, Err(Halt::Broke(why)) if why.contains("utf-8")), "{:?}", bytes.result);
    let large = CallLimits { output_bytes_max: 1000, ..limits() };
    let large = Guest::calling("(call $ok (i32.const 1000) (i32.const 1001))").run(FORM, "1", &large).await;
    assert_eq!(large.result, Err(Halt::Output(1000)));
}

/// The output was read after the guest had freed it, and freed memory holds what an allocator writes there.
#[tokio::test]
async fn an_output_is_read_before_it_is_freed() {
    let frees = r#"(func (export "cabi_post_call") (param i32) (i32.store (i32.load offset=4 (local.get 0)) (i32.const 0x20202020)))"#;
    let guest = Guest { more: frees, ..Guest::default() };
    assert_eq!(guest.run(FORM, "\"whole\"", &limits()).await.result, Ok("\"whole\"".into()));
}

#[tokio::test]
async fn attack_12_what_is_handed_over_at_once_is_measured_first() {
    let large = "(drop (memory.grow (i32.const 200))) (call $ok (i32.const 0) (i32.const 10000000))";
    let few = CallLimits { output_bytes_max: 1 << 20, ..limits() };
    assert_eq!(Guest::calling(large).run(FORM, "1", &few).await.result, Err(Halt::Output(1 << 20)));
    let log = "(drop (memory.grow (i32.const 200))) (call $log (i32.const 0) (i32.const 0) (i32.const 10000000) (i32.const 200)) (unreachable)";
    let guest = Guest { imports: LOG, call: log, ..Guest::default() };
    let desk = TestDesk::default();
    let ended = guest.load(FORM, &["log"]).unwrap().call("1", &few, desk.clone()).await;
    assert_eq!(ended.result, Err(Halt::Output(1 << 20)));
    assert!(desk.asked.lock().unwrap().is_empty());
}

/// A component of many small memories used up the pool, and others failed instead of waiting.
#[tokio::test]
async fn attack_11_nobody_takes_the_room_of_others() {
    let many: String = (0..8).map(|at| format!("(memory $m{at} 0)")).collect();
    let guest = Guest { more: &many, ..Guest::default() };
    assert!(matches!(guest.load(FORM, &[]), Err(ringmail_host::LoadError::Malformed(_))));
    let waits = Guest { imports: LOG, call: LOG_INPUT, ..Guest::default() };
    let waits = waits.load(FORM, &["log"]).unwrap();
    let few = CallLimits { time_max: Duration::from_millis(500), ..limits() };
    let calls = (0..600).map(|_| waits.call("1", &few, TestDesk { hangs: true, ..TestDesk::default() }));
    let ended = futures_util::future::join_all(calls).await;
    assert!(ended.iter().all(|ended| ended.result == Err(Halt::Time(few.time_max))), "{ended:?}");
    assert_eq!(Guest::default().run(FORM, "1", &limits()).await.result, Ok("1".into()));
}

#[tokio::test]
async fn attack_15_nothing_is_left_for_the_next_call() {
    let count = "(i32.store8 (i32.const 100) (i32.add (i32.load8_u (i32.const 100)) (i32.const 49))) (call $ok (i32.const 100) (i32.const 1))";
    let confined = Guest::calling(count).load(FORM, &[]).unwrap();
    for _ in 0..1000 {
        let ended = confined.call("0", &limits(), TestDesk::default()).await;
        assert_eq!(ended.result, Ok("1".into()));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let loops = Guest::calling(LOOP).load(FORM, &[]).unwrap();
    let limits = CallLimits { time_max: Duration::from_secs(60), ..limits() };
    for _ in 0..300 {
        let call = loops.call("1", &limits, TestDesk::default());
        assert!(tokio::time::timeout(Duration::from_millis(3), call).await.is_err());
    }
    // There are fewer slots than that.
    assert_eq!(Guest::default().run(FORM, "1", &limits).await.result, Ok("1".into()));
}
