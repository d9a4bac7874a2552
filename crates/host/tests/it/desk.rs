//! A desk that answers guests, and the walls they stand behind.

use crate::guest::Guest;
use ringmail_core::value::Value;
use ringmail_host::{
    CallLimits, Confined, Denied, Desk, Ended, Errand, Granted, LoadError, Reply, ToolCard, Walls,
};
use std::sync::{Arc, LazyLock, Mutex};

pub static WALLS: LazyLock<Arc<Walls>> = LazyLock::new(|| Walls::new().unwrap());

impl Guest<'_> {
    pub fn load(&self, granted: &[&str]) -> Result<Confined, LoadError> {
        Confined::load(&WALLS, &self.component(), Granted { capabilities: granted, ..Granted::default() })
    }

    pub async fn run(&self, input: &str, limits: &CallLimits) -> Ended {
        self.load(&[]).unwrap().call(input, limits, TestDesk::default()).await
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
