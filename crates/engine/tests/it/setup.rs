//! Engines and chains for tests.

use ringmail_engine::core::doc::Source;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::trail::{Event, Stage};
use ringmail_engine::{
    Audit, Engine, EngineBuilder, HostKey, LogLine, LogSink, Principal, Report, RunError, Value, transcript,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Permits everything Cedar is asked; grants and labels still decide.
pub const PERMIT_ALL: &str = "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\", Ringmail::Action::\"endorse\", Ringmail::Action::\"declassify\"], resource);";

/// Lines that `log` links wrote.
#[derive(Default)]
pub struct Log(pub Mutex<Vec<LogLine>>);

impl LogSink for Log {
    fn write(&self, line: &LogLine) {
        self.0.lock().unwrap().push(line.clone());
    }
}

/// An engine with a folder of its own.
pub struct Bench {
    pub engine: Engine,
    pub log: Arc<Log>,
    pub folder: tempfile::TempDir,
    pub records: PathBuf,
}

/// An engine for a project text; `PERMIT_ALL` unless `policy` says otherwise.
pub fn bench(project: &str, policy: &str) -> Bench {
    bench_with(project, policy, |builder| builder)
}

pub fn bench_with(project: &str, policy: &str, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Bench {
    bench_in(tempfile::tempdir().unwrap(), project, policy, more)
}

/// In a folder that holds something already.
pub fn bench_in(
    folder: tempfile::TempDir,
    project: &str,
    policy: &str,
    more: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> Bench {
    for mount in ["in", "out"] {
        std::fs::create_dir(folder.path().join(mount)).unwrap();
    }
    let records = folder.path().join("records");
    let log = Arc::new(Log::default());
    let builder = Engine::builder()
        .project(Source::new("ringmail.toml", project), folder.path())
        .policies(vec![Source::new("main.cedar", policy)])
        .recorder(Arc::new(Audit::open(&records, &host_key(folder.path())).unwrap()))
        .log(log.clone());
    let engine = more(builder).build().unwrap();
    Bench { engine, log, folder, records }
}

pub fn host_key(folder: &Path) -> HostKey {
    HostKey::open(&folder.join("host.key")).unwrap()
}

impl Bench {
    /// All that is on record, a line each.
    pub fn record(&self) -> String {
        transcript(&self.records, Some(&host_key(self.folder.path()))).unwrap()
    }

    /// Loads chains and runs the first of them.
    pub async fn run(&self, chains: &[&str], input: &str) -> Report {
        self.run_as(chains, input, alice()).await
    }

    pub async fn run_as(&self, chains: &[&str], input: &str, principal: Principal) -> Report {
        let sources: Vec<_> =
            chains.iter().enumerate().map(|(at, text)| Source::new(format!("{at}.yaml"), *text)).collect();
        let chains = self.engine.load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
        chains[0].request(json(input)).unwrap().principal(principal).run().await
    }

    /// Problems of a chain that cannot be loaded.
    pub fn problems(&self, chain: &str) -> String {
        self.engine.check(&[Source::new("c.yaml", chain)]).problems.to_string()
    }
}

pub fn alice() -> Principal {
    Principal {
        subject: "alice".into(),
        roles: vec!["staff".into()],
        tenant: Some("acme".into()),
        authenticated: "local".into(),
    }
}

pub fn json(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

/// The output as JSON, or why there is none.
pub fn shown(report: &Report) -> String {
    match &report.result {
        Ok(answer) => to_string(answer.value()),
        Err(RunError::Refused(refusal)) => format!("refused {}: {}", refusal.rule.id(), refusal.message),
        Err(error) => error.to_string(),
    }
}

/// The stages of a run, one word each.
pub fn stages(report: &Report) -> String {
    let word = |event: &Event| {
        let link = event.link.rsplit('.').next().unwrap().to_string();
        match &event.stage {
            Stage::Skipped(why) => format!("{link}:skipped({})", why.words()),
            Stage::Took { target } => format!("{link}->{}", target.rsplit('.').next().unwrap()),
            Stage::Failed { failure, .. } => format!("{link}:failed({})", failure.split(':').next().unwrap()),
            stage => format!("{link}:{}", stage.name()),
        }
    };
    report.trail.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// What ended, in order: links that were released or skipped.
pub fn released(report: &Report) -> Vec<String> {
    let done = report.trail.iter().filter(|event| matches!(event.stage, Stage::Released));
    done.map(|event| event.link.rsplit('.').next().unwrap().to_string()).collect()
}
