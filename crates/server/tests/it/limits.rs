//! Turns and room: what is shed, and that nobody keeps another waiting.

use crate::control::order;
use crate::setup::{Doors, PERMIT_ALL, WEB, request, within};
use ringmail_engine::Value;
use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::listener::{Per, Rate};
use ringmail_engine::core::project::Project;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

fn rates(text: &str) -> Result<Vec<Rate>, String> {
    let source = Source::new("ringmail.toml", format!("{WEB}{text}"));
    let node = toml::parse(&source).map_err(|problems| problems.to_string())?;
    let project = Project::load(&node, &source, &mut TagTable::default());
    Ok(project.map_err(|problems| problems.to_string())?.server.rates)
}

#[test]
fn a_rate_of_some_chains_stands_beside_the_one_for_all() {
    let of_principals =
        |text: &str| rates(text).unwrap().into_iter().filter(|one| one.per == Per::Principal).count();
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 5\nwithin = \"1h\"\n";
    assert_eq!(of_principals(""), 1);
    assert_eq!(of_principals(rate), 1);
    assert_eq!(of_principals(&format!("{rate}chains = [\"slow\"]\n")), 2);
    for (chains, per, why) in [
        ("[]", "principal", "a rate of no chain counts nothing"),
        ("[\"echo\"]", "address", "counted before it says which chain it wants"),
    ] {
        let text = format!("[[rate]]\nper = \"{per}\"\ncalls = 5\nwithin = \"1h\"\nchains = {chains}\n");
        let told = rates(&text).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_names_chains_that_there_are() {
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 5\nwithin = \"1h\"\nchains = [\"none\"]\n";
    let told = Doors::try_open(&format!("{WEB}{rate}"), PERMIT_ALL, |_| ()).await.map(|_| ()).unwrap_err();
    assert!(told.contains("a rate per principal: there is no chain `none`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_whatever_a_caller_asks_for_counts() {
    let rate = "[[rate]]\nper = \"principal\"\ncalls = 3\nwithin = \"1h\"\n";
    let doors = Doors::open(&format!("{WEB}{rate}")).await;
    let all = [
        ("GET", "/chains"),
        ("GET", "/openapi.json"),
        ("GET", "/approvals"),
        ("GET", "/chains/echo"),
        ("GET", "/runs/none"),
        ("DELETE", "/runs/none"),
        ("POST", "/approvals/none"),
    ];
    for (at, (method, path)) in all.iter().enumerate() {
        let key = doors.key_of(&format!("caller{at}"), None, None);
        doors.known(&key).await;
        let bearer = format!("Bearer {key}");
        for time in 0..4 {
            let reply = doors.ask(method, path, &[("authorization", &bearer)], "").await;
            assert_eq!(reply.status == 429, time == 3, "{method} {path}: {reply:?}");
        }
        assert_eq!(doors.post(&key, "echo", "1").await.status, 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_35_what_goes_on_after_its_head_counts_for_its_address() {
    let rate = "[[rate]]\nper = \"address\"\ncalls = 100000\nwithin = \"1s\"\nat_once = 1\n";
    let doors = Doors::open(&format!("{WEB}{rate}")).await;
    let key = doors.alice().await;
    let let_go = async {
        assert_eq!(doors.get(&key, "/chains").await.code(), "too-many-calls");
        doors.go.notify_one();
        while doors.get(&key, "/chains").await.status == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert_eq!(doors.post_with(&key, "held", &[("prefer", "respond-async")], "").await.status, 202);
    doors.begun(1).await;
    within(let_go).await;
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    let text = request(doors.address(), "POST", "/chains/held", &headers, "");
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    within(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    doors.begun(2).await;
    assert_eq!(doors.get(&key, "/chains").await.code(), "too-many-calls");
    doors.go.notify_one();
    let mut rest = String::new();
    within(stream.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.contains("let go"), "{rest}");
    within(async {
        while doors.get(&key, "/chains").await.status == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}
