//! Values so large that looking at one takes its time.

use ringmail_engine::{Chain, Engine, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The gates looked at whatever size of text on the thread that all runs share.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_09_others_are_answered_while_a_large_text_is_looked_at() {
    let engine = Engine::builder().build().unwrap();
    let chain = Chain::builder("t").link("one", async |_| Ok(1)).build(&engine).unwrap();
    let text = Value::from("AKIA ghp_ eyJhbGciOi sk-ant- 4111-1111 ".repeat(400_000));
    let begun = Arc::new(AtomicBool::new(false));
    let (large, first) = (chain.clone(), begun.clone());
    let large = tokio::spawn(async move {
        first.store(true, Ordering::SeqCst);
        large.run(text).await.unwrap();
    });
    while !begun.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    // The one thread there is has the large one now, and this is for the same.
    tokio::spawn(async move { chain.run(1).await.unwrap() }).await.unwrap();
    assert!(!large.is_finished(), "nobody was answered before the large one was done");
    large.await.unwrap();
}
