//! Who is shown what runs ask persons, and who is told of runs: nobody whom policy lets do nothing about it, and nobody whose
//! key is for something else.

use crate::mcp::at;
use crate::setup::{Doors, Reply, WEB, within};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REFUND: &str = "chain: refund\ninput: {type: object, properties: {cents: {type: integer}}, required: [cents]}\nlinks:\n  yes: {kind: approve, reason: pays back, with: {value: {cents: '${input.cents}', iban: DE89}}}\noutput: ${yes.iban}\n";
const UP_TO_A_EURO: &str = "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);\n\
    permit (principal, action == Ringmail::Action::\"approve\", resource) when\n\
    { principal.name == \"support\" && context.numbers.hasTag(\"value.cents\") && context.numbers.getTag(\"value.cents\") <= 100 };\n";

async fn open(more: &str, policy: &str) -> Doors {
    Doors::open_with(&format!("{WEB}{more}"), policy, &[REFUND], |_| ()).await.unwrap()
}

impl Doors {
    async fn known_key(&self, subject: &str, chains: Option<&[&str]>) -> String {
        let key = self.key_of(subject, None, chains);
        self.known(&key).await;
        key
    }

    /// The question of a run of `refund`, as whoever may see it does.
    async fn asked(&self, key: &str, cents: u32) -> Reply {
        within(async {
            loop {
                let listed = self.get(key, "/approvals").await;
                if listed.body.contains(&format!("\"cents\":{cents}")) {
                    return listed;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    async fn says_yes(&self, key: &str, listed: &Reply) -> u16 {
        let (id, digest) = (at(listed, "approvals.0.id"), at(listed, "approvals.0.value_sha256"));
        let (bearer, yes) =
            (format!("Bearer {key}"), format!("{{\"approve\":true,\"value_sha256\":{digest}}}"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/approvals/{}", id.trim_matches('"'));
        self.ask("POST", &path, &headers, &yes).await.status
    }

    async fn asks_refund(&self, key: &str, cents: u32) -> String {
        let begun = self.post(key, "refund", &format!("{{\"cents\":{cents}}}")).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        begun.header("ringmail-run").unwrap().to_string()
    }

    async fn answered(&self, key: &str, run: &str) {
        within(async {
            while at(&self.get(key, &format!("/runs/{run}")).await, "state") != "\"answered\"" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

/// Whoever had a permit to approve of anything of a link was once shown every value that it asks about, and his no was taken.
#[tokio::test(flavor = "multi_thread")]
async fn attack_38_whoever_may_not_say_yes_is_shown_nothing() {
    let doors = open("", UP_TO_A_EURO).await;
    let (alice, support) = (doors.alice().await, doors.known_key("support", None).await);
    let intern = doors.known_key("intern", None).await;
    let small = doors.asks_refund(&alice, 99).await;
    let large = doors.asks_refund(&alice, 101).await;
    let listed = doors.asked(&support, 99).await;
    // Until both wait.
    doors.doors_say(&large).await;
    within(async {
        while doors.record().matches("\"waiting\"").count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let seen = doors.get(&support, "/approvals").await;
    assert!(seen.body.contains("\"cents\":99") && !seen.body.contains("\"cents\":101"), "{seen:?}");
    assert_eq!(doors.get(&intern, "/approvals").await.body, "{\"approvals\":[]}");
    assert_eq!(doors.says_yes(&intern, &listed).await, 404);
    assert_eq!(doors.says_yes(&support, &listed).await, 200);
    doors.answered(&alice, &small).await;
    let record = doors.record();
    let shown: Vec<&str> = record.lines().filter(|line| line.contains("approvals-shown")).collect();
    assert!(!shown.is_empty() && shown.iter().all(|line| line.contains("support")), "{shown:?}");
    assert!(shown.iter().all(|line| line.contains(&small) && !line.contains(&large)), "{shown:?}");
}

/// A key for other chains was once shown what a chain asks, could say yes to it, and read and end its runs.
#[tokio::test(flavor = "multi_thread")]
async fn attack_34_a_proof_for_other_chains_sees_neither_runs_nor_questions() {
    let doors = open(
        "[listener.greets]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\nchains = [\"greet\"]\n",
        crate::setup::PERMIT_ALL,
    )
    .await;
    let (wide, narrow) = (doors.alice().await, doors.known_key("alice", Some(&["greet"])).await);
    let run = doors.asks_refund(&wide, 7).await;
    let listed = doors.asked(&wide, 7).await;
    let path = format!("/runs/{run}");
    assert_eq!(doors.get(&narrow, "/approvals").await.body, "{\"approvals\":[]}");
    assert_eq!(doors.says_yes(&narrow, &listed).await, 404);
    assert_eq!(doors.get(&narrow, &path).await.status, 404);
    let bearer = |key: &str| format!("Bearer {key}");
    assert_eq!(doors.ask("DELETE", &path, &[("authorization", &bearer(&narrow))], "").await.status, 404);
    let there = doors.place_of("greets").replace("http://", "");
    for (method, path, seen) in [("GET", "/approvals", 200), ("GET", &*path, 404), ("DELETE", &*path, 404)] {
        let request = crate::setup::request(&there, method, path, &[("authorization", &bearer(&wide))], "");
        let mut stream = tokio::net::TcpStream::connect(&there).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        within(stream.read_to_end(&mut answer)).await.unwrap();
        let reply = Reply::read(&answer);
        assert_eq!(reply.status, seen, "{method} {path}: {reply:?}");
        assert!(!reply.body.contains("DE89"), "{reply:?}");
    }
    assert_eq!(doors.says_yes(&wide, &listed).await, 200);
    doors.answered(&wide, &run).await;
}

/// Runs that wait for persons once kept their turns, so that a few of them left no room for anybody.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_whoever_waits_for_persons_keeps_nobody_waiting() {
    let doors = open("[server]\nrequests = 1\nwait = \"100ms\"\n", crate::setup::PERMIT_ALL).await;
    let key = doors.alice().await;
    let run = doors.asks_refund(&key, 7).await;
    let listed = doors.asked(&key, 7).await;
    let greet = async || doors.post(&key, "greet", "{\"name\":\"Ada\"}").await.status;
    within(async {
        while greet().await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let (held, ()) = tokio::join!(doors.post(&key, "held", ""), async {
        doors.begun(1).await;
        assert_eq!(greet().await, 503, "one at a time");
        assert_eq!(doors.says_yes(&key, &listed).await, 200);
        doors.doors_say("\"approval\"").await;
        // It has its yes, and waits for its turn.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(at(&doors.get(&key, &format!("/runs/{run}")).await, "state"), "\"running\"");
        doors.go.notify_one();
    });
    assert_eq!(held.status, 200);
    doors.answered(&key, &run).await;
}
