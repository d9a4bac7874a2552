//! `ringmail audit verify`.

use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{Format, clean, print, print_json, say};
use anyhow::Context;
use ringmail_engine::core::project::AnchorAt;
use ringmail_engine::core::value::Value;
use ringmail_engine::lost_records;
use ringmail_verify::{Checkpoint, KeysOfLog, Wrong, public_key, verify};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder of a log, if it is not that of the project
    folder: Option<PathBuf>,
    /// Checkpoints that were kept elsewhere; may be given again. Files of the project's anchors are looked at by themselves
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// Whose signature counts, as 64 hexadecimal digits; by default the host's own
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let folder = self.folder.clone().unwrap_or_else(|| place.audit_folder());
        if !folder.is_dir() {
            let fault = Fault::user(format!("there is no audit log in `{}`", shown(&folder)));
            return Err(fault.hint("run a chain first: ringmail run CHAIN"));
        }
        let key = match &self.key {
            Some(text) => public_key(text)
                .ok_or_else(|| Fault::user("the key is neither 64 hexadecimal digits nor NAME+ID+KEY"))?,
            None => place.host_key()?.public_bytes(),
        };
        let trusted = KeysOfLog::of_log(&folder, key).map_err(|why| Fault::user(clean(&why)))?;
        let own = folder.join("checkpoint");
        let own = own.exists().then_some(&own);
        if own.is_none() {
            say("nobody has signed for this log yet, so its end is not certain: ringmail audit checkpoint");
        }
        let anchors = self.anchors(place);
        let mut checkpoints = trusted.taken_over().to_vec();
        for path in own.into_iter().chain(&anchors) {
            checkpoints.extend(signed(path, &trusted)?);
        }
        let found = verify(&folder, &checkpoints);
        let found = found.and_then(|found| match self.lost(place, &folder) {
            Some(why) => Err(Wrong { record: found.records, file: shown(&folder), line: None, why }),
            None => Ok(found),
        });
        let signed = checkpoints.iter().map(|one| one.size).max().unwrap_or(0);
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        match (self.format, &found) {
            (Format::Json, Ok(found)) => print_json(&Value::map([
                ("good", Value::Bool(true)),
                ("records", number(found.records)),
                ("signed", number(signed)),
                ("files", number(found.files as u64)),
                ("cut", number(found.cut as u64)),
            ]))?,
            (Format::Json, Err(wrong)) => print_json(&Value::map([
                ("good", Value::Bool(false)),
                ("record", number(wrong.record)),
                ("file", Value::from(wrong.file.as_str())),
                ("line", wrong.line.map_or(Value::Null, number)),
                ("why", Value::from(wrong.why.as_str())),
            ]))?,
            (Format::Text, Ok(found)) => {
                print(&format!(
                    "{} records in {} files are what was written; {signed} of them are signed for",
                    found.records, found.files
                ))?;
                if found.cut > 0 {
                    say(&format!("{} crashes cut something off, which lies beside the log", found.cut));
                }
            }
            (Format::Text, Err(_)) => {}
        }
        match found {
            Ok(_) => Ok(Exit::Done),
            Err(_) if self.format == Format::Json => Ok(Exit::User),
            Err(wrong) => Err(Fault::user(format!(
                "the log is not what was written, from {}",
                clean(&wrong.to_string())
            ))),
        }
    }
}

impl Args {
    /// What is to be said where less is here than arrived elsewhere, as the project's data folder knows it.
    fn lost(&self, place: &Place, folder: &Path) -> Option<String> {
        let own = self.folder.is_none().then(|| lost_records(&place.project, &place.data(), folder));
        own.and_then(|lost| lost.unwrap_or_else(Some))
    }

    /// What was named, and for the log of the project the files of its anchors.
    fn anchors(&self, place: &Place) -> Vec<PathBuf> {
        let own = place.project.anchors.iter().filter(|_| self.folder.is_none());
        let files = own.filter_map(|setting| match &setting.at {
            AnchorAt::File(path) => Some(place.root.join(path)),
            AnchorAt::Web { .. } => None,
        });
        let files = files.filter(|path| path.exists());
        self.anchor.iter().cloned().chain(files).collect()
    }
}

fn signed(path: &Path, trusted: &KeysOfLog) -> Result<Vec<Checkpoint>, Fault> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", shown(path)))?;
    let wrong = |why: String| Fault::user(format!("`{}`: {why}", shown(path)));
    let (all, left) = Checkpoint::parse_all(&text);
    if all.is_empty() {
        // Which says what is wrong with it.
        return Checkpoint::parse(&text).map(|one| vec![one]).map_err(wrong);
    }
    if left {
        say(&format!("`{}` holds something that is no checkpoint, too", shown(path)));
    }
    match all.iter().all(|checkpoint| trusted.signed(checkpoint)) {
        true => Ok(all),
        false => {
            Err(wrong("it is not signed by this key".into()).hint("say whose signature counts: --key KEY"))
        }
    }
}
