//! A desk that answers guests, and the walls they stand behind.

use crate::guest::Guest;
use ringmail_core::value::Value;
use ringmail_host::{
    CallLimits, Confined, Denied, Desk, Ended, Errand, Granted, LoadError, Reply, ToolCard, Walls,
    WorkerCommand, Workers,
};
use std::sync::{Arc, LazyLock, Mutex};

pub static WALLS: LazyLock<Arc<Walls>> = LazyLock::new(|| Walls::new().unwrap());

pub const LOG: &str = r#"(import "ringmail:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32)))"#;
/// Logs the input as a warning and answers with the first byte of the result: 0 for done, 1 for an error.
pub const LOG_INPUT: &str = "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 200)) (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load8_u (i32.const 200)))) (call $ok (i32.const 64) (i32.const 1))";

/// How a plugin comes, and where it runs. What holds for one holds for all.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Component,
    CoreModule,
    Worker,
}

/// Workers that are the shipped program for them.
pub static WORKERS: LazyLock<Arc<Workers>> =
    LazyLock::new(|| workers(env!("CARGO_BIN_EXE_ringmail-worker"), &[]));

pub fn workers(program: &str, args: &[&str]) -> Arc<Workers> {
    Workers::new(WorkerCommand { program: program.into(), args: args.iter().map(Into::into).collect() })
}

impl Form {
    pub const ALL: &[Form] = &[Form::Component, Form::CoreModule, Form::Worker];
}

impl Guest<'_> {
    pub fn load(&self, form: Form, granted: &[&str]) -> Result<Confined, LoadError> {
        let bytes = match form {
            Form::Component => self.component(),
            Form::CoreModule => self.module(),
            Form::Worker => self.component(),
        };
        let workers = matches!(form, Form::Worker).then(|| {
            WORKERS.warm().unwrap();
            &*WORKERS
        });
        Confined::load(&WALLS, &bytes, Granted { capabilities: granted, workers, ..Granted::default() })
    }

    pub async fn run(&self, form: Form, input: &str, limits: &CallLimits) -> Ended {
        self.load(form, &[]).unwrap().call(input, limits, TestDesk::default()).await
    }
}

/// Answers everything with one value, and remembers what it was asked.
#[derive(Clone, Default)]
pub struct TestDesk {
    pub asked: Arc<Mutex<Vec<String>>>,
    pub answer: Value,
    pub denied: Option<Denied>,
    /// Never answers.
    pub hangs: bool,
}

impl Desk for TestDesk {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        let line = format!("{} {}", asked.capability, ringmail_core::json::to_string(&asked.args));
        self.asked.lock().unwrap().push(line);
        let result = self.denied.clone().map_or(Ok(self.answer.clone()), Err);
        let hangs = self.hangs;
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            result
        })
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        (name == "bank").then(|| "secret:bank:1".into())
    }

    fn setting(&mut self, key: &str) -> Option<String> {
        (key == "greeting").then(|| "hello".into())
    }

    fn now_ms(&mut self) -> u64 {
        1_700_000_000_000
    }

    fn random(&mut self, into: &mut [u8]) -> bool {
        into.fill(7);
        true
    }

    fn tools(&mut self) -> Vec<ToolCard> {
        vec![ToolCard { name: "find".into(), ..ToolCard::default() }]
    }
}
