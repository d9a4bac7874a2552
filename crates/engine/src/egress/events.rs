//! Server-sent events of an answer, heard as they come, until the one that ends the exchange.

use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use std::future::Future;
use std::pin::Pin;

/// Hears the data of one event; says whether it was the last that counts.
pub(crate) type Hear =
    Box<dyn FnMut(String) -> Pin<Box<dyn Future<Output = Result<bool, Blocked>> + Send>> + Send>;

pub(crate) struct Events {
    hear: Hear,
    open: Vec<u8>,
    data: Option<String>,
    ended: bool,
}

impl Events {
    pub(crate) fn new(hear: Hear) -> Events {
        Events { hear, open: Vec::new(), data: None, ended: false }
    }

    /// Takes in what came; says whether all that counts is there.
    pub(super) async fn take(&mut self, bytes: &[u8]) -> Result<bool, Blocked> {
        let mut searched = self.open.len();
        self.open.extend_from_slice(bytes);
        let mut start = 0;
        let open = std::mem::take(&mut self.open);
        while let Some(end) = open.get(searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let end = searched + end;
            self.line(open.get(start..end).unwrap_or_default()).await?;
            start = end + 1;
            searched = start;
            if self.ended {
                return Ok(true);
            }
        }
        self.open = open.get(start..).unwrap_or_default().to_vec();
        Ok(false)
    }

    async fn line(&mut self, line: &[u8]) -> Result<(), Blocked> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line)
            .map_err(|_| Failure::new(FailureKind::Invalid, "the answer is not UTF-8 text"))?;
        if line.is_empty() {
            if let Some(data) = self.data.take() {
                self.ended = (self.hear)(data).await?;
            }
            return Ok(());
        }
        if let Some(more) = line.strip_prefix("data:") {
            let more = more.strip_prefix(' ').unwrap_or(more);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(more);
                }
                None => self.data = Some(more.to_string()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn events_are_heard_however_they_are_cut_until_the_last_that_counts() {
        let text = ": hello\r\ndata: one\r\n\r\nevent: message\nid: 3\ndata: two\ndata:three\n\nretry: 5\n\ndata: last\n\ndata: late\n\n";
        for cut in 1..text.len() {
            let heard = Arc::new(Mutex::new(Vec::new()));
            let kept = heard.clone();
            let mut events = Events::new(Box::new(move |data| {
                let last = data == "last";
                kept.lock().unwrap().push(data);
                Box::pin(std::future::ready(Ok(last)))
            }));
            let (one, other) = text.as_bytes().split_at(cut);
            let ended = events.take(one).await.unwrap() || events.take(other).await.unwrap();
            assert!(ended, "{cut}");
            assert_eq!(*heard.lock().unwrap(), ["one", "two\nthree", "last"], "{cut}");
        }
    }
}
