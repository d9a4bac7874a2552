//! Chains built in Rust.

use crate::setup::{PERMIT_ALL, bench, released, shown, stages};
use ringmail_engine::{Chain, Engine, Failure, FailureKind, RunError, Value};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u32,
    prices: Vec<f64>,
}

fn engine() -> Engine {
    Engine::builder().build().unwrap()
}

#[tokio::test]
async fn typed_links_hand_on_their_outputs() {
    let chain = Chain::builder("order")
        .link("total", async |ctx| {
            let order: Order = ctx.args()?;
            Ok(order.prices.iter().sum::<f64>())
        })
        .blocking("line", |ctx| Ok(format!("total {}", ctx.args::<f64>()?)))
        .build(&engine())
        .unwrap();
    let output = chain.run(Order { id: 7, prices: vec![1.5, 2.0] }).await.unwrap();
    assert_eq!(output.get::<String>().unwrap(), "total 3.5");
}

#[tokio::test]
async fn branches_and_handlers_take_what_led_to_them() {
    let chain = Chain::builder("branch")
        .link("number", async |ctx| {
            let number: i64 = ctx.args()?;
            if number < 0 { Err(Failure::new(FailureKind::Native, "negative")) } else { Ok(number) }
        })
        .edge_if("number > 10", "large")
        .on_error("broken")
        .link("small", async |ctx| Ok(format!("small {}", ctx.args::<i64>()?)))
        .link("large", async |ctx| Ok(format!("large {}", ctx.args::<i64>()?)))
        .link("broken", async |ctx| {
            Ok(format!("broken: {}", ctx.get("message").and_then(Value::as_str).unwrap_or_default()))
        })
        .output("${done(small) ? small : done(large) ? large : broken}")
        .build(&engine())
        .unwrap();
    for (input, expected) in [(5, "small 5"), (11, "large 11"), (-1, "broken: negative")] {
        assert_eq!(chain.run(input).await.unwrap().get::<String>().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_refusal_goes_its_own_way() {
    let project = "[[grant]]\nto = \"guarded\"\nreason = \"r\"\neffect = [{ name = \"mail\" }]\n";
    let bench = bench(project, PERMIT_ALL);
    let chain = Chain::builder("guarded")
        .link("send", async |_| Ok("sent"))
        .effect("mail")
        .on_error("failed")
        .on_refused("told")
        .link("failed", async |_| Ok("failed"))
        .link("told", async |ctx| {
            Ok(format!("told: {}", ctx.get("rule").and_then(Value::as_str).unwrap_or_default()))
        })
        .output("${done(send) ? send : done(failed) ? failed : told}")
        .build(&bench.engine)
        .unwrap();
    let output = chain.run(Value::Null).await.unwrap();
    assert_eq!(output.get::<String>().unwrap(), "told: untrusted-argument");
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_link() {
    let chain = Chain::builder("panics")
        .link("boom", async |_| -> Result<(), _> { panic!("out of paper") })
        .build(&engine())
        .unwrap();
    let error = chain.run(Value::Null).await.unwrap_err();
    assert_eq!(error.to_string(), "`panics.boom` failed: panicked: out of paper");
    assert_eq!(error.public(), "the step broke");
    let chain = Chain::builder("panics_blocking")
        .blocking("boom", |_| -> Result<(), _> { panic!("{}", "jam") })
        .build(&engine())
        .unwrap();
    assert_eq!(
        chain.run(Value::Null).await.unwrap_err().to_string(),
        "`panics_blocking.boom` failed: panicked: jam"
    );
}

#[tokio::test]
async fn a_timeout_holds_for_waiting_and_for_blocking_code() {
    let chain = Chain::builder("slow")
        .link("never", async |ctx| {
            ctx.cancelled().await;
            std::future::pending::<()>().await;
            Ok(())
        })
        .timeout(Duration::from_millis(50))
        .build(&engine())
        .unwrap();
    assert!(chain.run(Value::Null).await.unwrap_err().to_string().contains("timeout"));

    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let chain = Chain::builder("blocked")
        .blocking("spin", move |ctx| {
            while !ctx.is_cancelled() {
                std::thread::yield_now();
            }
            sender.lock().unwrap().send(()).unwrap();
            Ok(())
        })
        .timeout(Duration::from_millis(50))
        .build(&engine())
        .unwrap();
    assert!(chain.run(Value::Null).await.unwrap_err().to_string().contains("timeout"));
    receiver.recv_timeout(Duration::from_secs(20)).expect("the blocked link was told");
}

#[tokio::test]
async fn a_chain_that_cannot_work_is_refused_when_it_is_built() {
    let problems =
        Chain::builder("bad").link("a", async |_| Ok(1)).with("${inptu}").build(&engine()).unwrap_err();
    assert!(problems.to_string().contains("unknown name `inptu` (did you mean `input`?)"), "{problems}");
    let problems =
        Chain::builder("bad").link("a", async |_| Ok(1)).put("tiemout", "5s").build(&engine()).unwrap_err();
    assert!(problems.to_string().contains("did you mean `timeout`?"), "{problems}");
    let problems =
        Chain::builder("bad").link("a", async |_| Ok(1)).effect("mail").build(&engine()).unwrap_err();
    assert!(problems.to_string().contains("nothing grants `bad.a` the use of `effect:mail`"), "{problems}");
}

#[tokio::test]
async fn what_does_not_fit_is_said_not_coerced() {
    let chain = Chain::builder("typed")
        .set("input", serde_json_like())
        .link("n", async |ctx| ctx.args::<i64>())
        .with("${input.n}")
        .build(&engine())
        .unwrap();
    let error = chain.run(Value::map([("n", Value::from("1"))])).await.unwrap_err();
    assert_eq!(
        error,
        RunError::Input(Failure::new(
            FailureKind::Invalid,
            "the input does not fit its schema: `n`: the value is not of type \"integer\""
        ))
    );
    assert_eq!(chain.run(Value::map([("n", Value::Int(1))])).await.unwrap().get::<i64>().unwrap(), 1);
    assert!(chain.request(u64::MAX).is_err(), "a number past 64 bits is refused");
}

fn serde_json_like() -> Value {
    Value::map([
        ("type", Value::from("object")),
        ("properties", Value::map([("n", Value::map([("type", Value::from("integer"))]))])),
    ])
}

#[tokio::test]
async fn forty_runs_at_once_each_see_their_own() {
    let chain = Chain::builder("isolated")
        .link("pause", async |ctx| {
            tokio::task::yield_now().await;
            Ok(ctx.value().clone())
        })
        .link("again", async |ctx| Ok(ctx.args::<i64>()? * 2))
        .build(&engine())
        .unwrap();
    let runs = (0..40_i64).map(|number| {
        let chain = chain.clone();
        tokio::spawn(async move { (number, chain.run(number).await.unwrap().get::<i64>().unwrap()) })
    });
    for run in futures_util::future::join_all(runs).await {
        let (number, doubled) = run.unwrap();
        assert_eq!(doubled, number * 2);
    }
}

#[tokio::test]
async fn cancelling_reaches_the_link_and_dropping_leaves_a_mark() {
    let (started, wait) = tokio::sync::oneshot::channel();
    let started = std::sync::Arc::new(std::sync::Mutex::new(Some(started)));
    let chain = Chain::builder("cancelled")
        .link("waits", move |ctx| {
            let started = started.clone();
            async move {
                started.lock().unwrap().take().unwrap().send(()).unwrap();
                ctx.cancelled().await;
                Ok(())
            }
        })
        .build(&engine())
        .unwrap();
    let cancel = ringmail_engine::CancellationToken::new();
    let run = tokio::spawn(chain.request(Value::Null).unwrap().cancel(cancel.clone()).run());
    wait.await.unwrap();
    cancel.cancel();
    let report = run.await.unwrap();
    assert_eq!(report.result.as_ref().unwrap_err(), &RunError::Cancelled);
    assert!(stages(&report).ends_with("cancelled:cancelled"), "{}", stages(&report));
}

#[tokio::test]
async fn pieces_come_before_the_end_and_a_slow_listener_slows_the_link() {
    let chain = Chain::builder("streams")
        .set("stream", "words")
        .link("words", async |ctx| {
            for word in ["one", "two", "three"] {
                ctx.emit(word).await?;
            }
            Ok("all")
        })
        .build(&engine())
        .unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let run = tokio::spawn(chain.request(Value::Null).unwrap().pieces(sender).run());
    let mut pieces = Vec::new();
    while let Some(piece) = receiver.recv().await {
        pieces.push(piece.as_str().unwrap().to_string());
    }
    assert_eq!(pieces, ["one", "two", "three"]);
    assert_eq!(shown(&run.await.unwrap()), "\"all\"");
}

#[tokio::test]
async fn independent_links_run_at_the_same_time() {
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let (a, b) = (barrier.clone(), barrier);
    let chain = Chain::builder("parallel")
        .link("a", move |_| {
            let barrier = a.clone();
            async move { Ok(barrier.wait().await.is_leader()) }
        })
        .with(Value::Null)
        .link("b", move |_| {
            let barrier = b.clone();
            async move { Ok(barrier.wait().await.is_leader()) }
        })
        .with(Value::Null)
        .output("${[a, b]}")
        .build(&engine())
        .unwrap();
    let report = tokio::time::timeout(Duration::from_secs(20), chain.request(Value::Null).unwrap().run())
        .await
        .unwrap();
    assert_eq!(released(&report).len(), 2);
}
