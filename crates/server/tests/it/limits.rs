//! Turns and room: what is shed, and that nobody keeps another waiting.

use crate::control::order;
use crate::setup::{Doors, WEB, within};
use ringmail_engine::Value;

async fn waiting(doors: &Doors, count: i64) {
    while order(doors, "GET", "/status", "").await.json().get("waiting") != Some(&Value::Int(count)) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_soon_is_sent_away_before_any_work() {
    let doors = Doors::open(&format!("{WEB}[server]\nrequests = 1\nwaiting = 1\nwait = \"20s\"\n")).await;
    let key = doors.alice().await;
    let first = doors.post(&key, "held", "");
    let rest = async {
        doors.begun(1).await;
        let second = doors.post(&key, "echo", "2");
        let ((), second) = tokio::join!(
            async {
                // Once the second waits, there is no room for a third.
                within(waiting(&doors, 1)).await;
                let third = doors.post(&key, "echo", "3").await;
                assert_eq!((third.code().as_str(), third.header("retry-after")), ("overloaded", Some("2")));
                doors.go.notify_one();
            },
            second
        );
        second
    };
    let (first, second) = within(async { tokio::join!(first, rest) }).await;
    assert_eq!((first.body.as_str(), second.body.as_str()), ("\"let go\"", "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_a_crowd_of_one_tenant_keeps_no_other_waiting_at_the_door() {
    let rates = "[[rate]]\nper = \"principal\"\ncalls = 1000000\nwithin = \"1s\"\n[[rate]]\nper = \"tenant\"\ncalls = 1000000\nwithin = \"1s\"\n";
    let doors = Doors::open(&format!("{WEB}[server]\nrequests = 1\nwait = \"50s\"\n{rates}")).await;
    let crowd = doors.key_of("crowd", Some("many"), None);
    let one = doors.key_of("one", Some("few"), None);
    doors.known(&one).await;
    let doors = std::sync::Arc::new(doors);
    let mut calls = Vec::new();
    for _ in 0..30 {
        let (doors, crowd) = (doors.clone(), crowd.clone());
        calls.push(tokio::spawn(async move { doors.post(&crowd, "held", "").await.status }));
    }
    doors.begun(1).await;
    let lone = tokio::spawn({
        let (doors, one) = (doors.clone(), one.clone());
        async move { doors.post(&one, "held", "").await.status }
    });
    // Whoever is let go makes room for the next; the one is next but one at the latest, not the thirty-first.
    let mut gone = 0;
    within(async {
        while !lone.is_finished() {
            doors.begun(gone + 1).await;
            doors.go.notify_one();
            gone += 1;
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(gone < 20, "{gone} of the crowd came first");
    assert_eq!(within(lone).await.unwrap(), 200);
    for call in calls {
        call.abort();
    }
}
