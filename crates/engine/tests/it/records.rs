//! Intents are durable before effects, and no effect happens without one.

use crate::server::{json_answer, serve};
use crate::setup::{PERMIT_ALL, alice, bench, json, shown};
use ringmail_engine::core::doc::Source;
use ringmail_engine::{Engine, LogMark, Note, RecordError, Recorded, Recorder, RunPart, Value};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn project(url: &str) -> String {
    format!(
        "[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"{url}\", methods = [\"POST\"] }}]\n"
    )
}

fn chain(url: &str) -> String {
    format!(
        "chain: t\nlinks:\n  send: {{kind: http, with: {{method: POST, url: '{url}/send', body: {{secret_text: hunter2}}}}}}\noutput: 1"
    )
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect()
}

/// A recorder that cannot record, or that shows when it was asked.
struct Scripted {
    works: bool,
    order: Arc<Mutex<Vec<String>>>,
    /// How often something had to reach the disk.
    synced: Arc<AtomicUsize>,
}

impl Recorder for Scripted {
    fn part(&self, part: RunPart<'_>) -> Result<LogMark, RecordError> {
        let mut order = self.order.lock().unwrap();
        if part.number == 0 {
            order.push(format!("start {} as {}", part.run.chain, part.run.who.name));
        }
        order.extend(part.events.iter().map(|event| event.stage.name().to_string()));
        order.extend(part.intent.map(|intent| format!("intent {}", intent.sinks.join(","))));
        Ok(LogMark(order.len() as u64))
    }

    fn note(&self, _: &Note) -> Result<LogMark, RecordError> {
        Ok(LogMark(0))
    }

    fn durable(&self, mark: LogMark) -> Recorded<'_> {
        assert_eq!(mark.0, self.order.lock().unwrap().len() as u64);
        self.synced.fetch_add(1, Ordering::Relaxed);
        let works = self.works;
        Box::pin(
            async move { if works { Ok(()) } else { Err(RecordError("no space left on device".into())) } },
        )
    }
}

#[tokio::test]
async fn attack_43_no_effect_without_its_record() {
    let server = serve(|_| json_answer("{}")).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let build = |recorder: Option<Scripted>| {
        let builder = Engine::builder()
            .project(Source::new("p.toml", project(&server.url(""))), std::path::Path::new("."))
            .policies(vec![Source::new("p.cedar", PERMIT_ALL)]);
        let engine = match recorder {
            Some(recorder) => builder.recorder(Arc::new(recorder)),
            None => builder,
        };
        engine.build().unwrap().load(&[Source::new("t.yaml", chain(&server.url("")))]).unwrap().remove(0)
    };
    let run =
        async |recorder| shown(&build(recorder).request(json("{}")).unwrap().principal(alice()).run().await);
    assert_eq!(run(None).await, "refused no-recorder: the engine has no recorder, and effects need one");
    let synced = Arc::new(AtomicUsize::new(0));
    let scripted = |works| Scripted { works, order: order.clone(), synced: synced.clone() };
    let broken = scripted(false);
    assert_eq!(run(Some(broken)).await, "refused record-failed: the intent could not be recorded");
    assert!(server.requests().is_empty(), "nothing was sent");
    order.lock().unwrap().clear();
    assert_eq!(run(Some(scripted(true))).await, "1");
    let seen = order.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            "start t as alice",
            "entered",
            "admitted",
            &format!("intent {}", server.url("")),
            "intended",
            "released",
            "answered"
        ]
    );
}

/// An intent reaches the disk before its call, and the end of what acted before anybody hears of it. What only read waits once.
#[tokio::test]
async fn the_disk_is_waited_for_as_often_as_something_can_be_lost() {
    let server = serve(|_| json_answer("{}")).await;
    for (method, times) in [("POST", 2), ("GET", 1)] {
        let (order, synced) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let project = project(&server.url("")).replace("\"POST\"", &format!("\"{method}\""));
        let engine = Engine::builder()
            .project(Source::new("p.toml", project), Path::new("."))
            .policies(vec![Source::new("p.cedar", PERMIT_ALL)])
            .recorder(Arc::new(Scripted { works: true, order, synced: synced.clone() }));
        let chain = format!(
            "chain: t\nlinks:\n  send: {{kind: http, with: {{method: {method}, url: '{}/send'}}}}\noutput: 1",
            server.url("")
        );
        let chain = engine.build().unwrap().load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
        assert_eq!(shown(&chain.request(json("{}")).unwrap().principal(alice()).run().await), "1");
        assert_eq!(synced.load(Ordering::Relaxed), times, "{method}");
    }
}

#[tokio::test]
async fn the_file_holds_the_run_and_none_of_its_data() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url("")), PERMIT_ALL);
    let report = bench.run(&[&chain(&server.url(""))], "{}").await;
    assert_eq!(shown(&report), "1");
    let text = bench.record();
    let lines: Vec<Value> = text.lines().map(json).collect();
    let stage = |at: usize| lines[at].get("stage").unwrap().as_str().unwrap().to_string();
    assert_eq!(
        (0..lines.len()).map(stage).collect::<Vec<_>>(),
        ["started", "entered", "admitted", "intent", "intended", "released", "answered"]
    );
    let intent = &lines[3];
    assert_eq!(intent.get("principal"), Some(&"alice".into()));
    assert_eq!(intent.get("sinks"), Some(&Value::list([Value::from(server.url("").as_str())])));
    assert_eq!(intent.get("args_sha256").unwrap().as_str().unwrap().len(), 64);
    assert!(!text.contains("hunter2"));
    assert!(text.contains(&*report.run), "{text}");
    use std::os::unix::fs::PermissionsExt;
    for path in logs(&bench.records) {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_run_that_ends_at_its_door_is_recorded_too() {
    let bench = bench("", PERMIT_ALL);
    let chain = "chain: t\ninput: {type: integer}\noutput: ${input}";
    bench.run(&[chain], "\"text\"").await;
    let text = bench.record();
    let last = json(text.lines().last().unwrap());
    assert_eq!(last.get("stage"), Some(&"failed".into()));
    assert!(last.get("failure").unwrap().as_str().unwrap().starts_with("invalid: the input does not fit"));
}

#[tokio::test]
async fn a_disk_that_is_gone_stops_effects() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url("")), PERMIT_ALL);
    std::fs::remove_dir_all(&bench.records).unwrap();
    let refused = shown(&bench.run(&[&chain(&server.url(""))], "{}").await);
    assert_eq!(refused, "refused record-failed: the intent could not be recorded");
    assert!(server.requests().is_empty());
}

/// Story: the folder was removed and made anew while an engine ran, and its records went into a file that nobody could find.
#[tokio::test]
async fn a_log_that_was_taken_away_stops_effects() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url("")), PERMIT_ALL);
    bench.run(&[&chain(&server.url(""))], "{}").await;
    std::fs::remove_dir_all(&bench.records).unwrap();
    std::fs::create_dir(&bench.records).unwrap();
    let refused = shown(&bench.run(&[&chain(&server.url(""))], "{}").await);
    assert_eq!(refused, "refused record-failed: the intent could not be recorded");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn runs_share_a_file_and_each_line_says_whose_it_is() {
    let bench = bench("", PERMIT_ALL);
    let chain = "chain: t\nlinks:\n  w: {kind: wait, with: {for: 1ms}}\noutput: 1";
    bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap();
    let t = bench.engine.chain("t").unwrap();
    let runs = (0..50).map(|_| tokio::spawn(t.request(json("{}")).unwrap().principal(alice()).run()));
    let mut ids = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        ids.push(run.await.unwrap().run.to_string());
    }
    assert_eq!(logs(&bench.records).len(), 1);
    let lines: Vec<Value> = bench.record().lines().map(json).collect();
    for id in ids {
        let own = lines.iter().filter(|line| line.get("run").and_then(Value::as_str) == Some(&id));
        let stages: Vec<&str> = own.map(|line| line.get("stage").and_then(Value::as_str).unwrap()).collect();
        assert_eq!(stages, ["started", "entered", "admitted", "released", "answered"]);
    }
}
