//! Records, in batches, to whoever takes them.

use super::web::Post;
use super::{ForwardAround, Sends, Sent, file, syslog, web};
use crate::audit::LogLines;
use ringmail_core::project::{ForwardAt, ForwardSetting, Project};
use std::sync::Arc;

/// Bytes of records that are sent at once, whatever their number.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A record as it goes out: its number in the log, and its text.
#[derive(Clone, Debug)]
pub(super) struct Going {
    pub(super) at: u64,
    pub(super) record: String,
}

impl Going {
    /// One line of JSON.
    pub(super) fn line(&self, origin: &str) -> String {
        format!("{{\"log\":\"{origin}\",\"at\":{},\"record\":{}}}", self.at, self.record)
    }
}

/// Someone who takes records, and answers once they are there.
pub(super) trait Takes: Send {
    fn take(&mut self, records: &[Going]) -> Result<(), String>;
}

pub(super) struct Records {
    batch: usize,
    receiver: Box<dyn Takes>,
    around: Arc<ForwardAround>,
}

impl Records {
    pub(super) fn new(
        setting: &ForwardSetting,
        project: &Project,
        around: &Arc<ForwardAround>,
    ) -> Result<Records, String> {
        let origin = around.log.origin().to_string();
        let receiver: Box<dyn Takes> = match &setting.at {
            ForwardAt::File { path, bytes_max, keep } => {
                let path = around.secrets.folder.join(path);
                Box::new(file::Files::new(&path, *bytes_max, *keep, &origin))
            }
            ForwardAt::Syslog(at) => Box::new(syslog::Syslog::new(at, project, around)?),
            ForwardAt::Web { otlp, url, resolves_to, secret } => {
                let post = Post::new(project, around, url, resolves_to, secret.as_ref());
                Box::new(web::Web { otlp: *otlp, post, origin })
            }
        };
        Ok(Records { batch: setting.batch, receiver, around: around.clone() })
    }
}

impl Sends for Records {
    fn send(&mut self, arrived: u64) -> Result<Option<Sent>, String> {
        let lines = LogLines::open(&self.around.audit, arrived).map_err(|error| error.to_string())?;
        let (mut going, mut bytes) = (Vec::new(), 0);
        for line in lines.take(self.batch) {
            let (at, record) = line.map_err(|error| error.to_string())?;
            let record = String::from_utf8(record).map_err(|_| format!("record {at} is no text"))?;
            bytes += record.len();
            going.push(Going { at, record });
            if bytes >= BATCH_BYTES_MAX {
                break;
            }
        }
        let Some(last) = going.last().map(|going| going.at) else { return Ok(None) };
        self.receiver.take(&going)?;
        // A crash of the machine takes back nothing that is said to have arrived.
        self.around.log.settle().map_err(|error| error.to_string())?;
        Ok(Some(Sent { count: going.len(), arrived: last + 1 }))
    }
}
