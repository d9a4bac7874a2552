//! `ringmail-verify`: an audit log or a proof, verified on a machine that has nothing else of Ringmail.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use ringmail_verify::{Checkpoint, KeysOfLog, is_proved, public_key, verify};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "Verify an audit log of Ringmail, or a proof that a record is in one

Usage: ringmail-verify FOLDER --key KEY [--anchor FILE]...
       ringmail-verify --proof FILE --record FILE --key KEY

  FOLDER           the folder of the log, with its `checkpoint`
  --key KEY        the public key of the host that signed: 64 hexadecimal digits, or NAME+ID+KEY. Where a host exchanged its
                   key, any of its keys: the log says under both how one took over from the other
  --anchor FILE    checkpoints that were kept elsewhere: they show a log that was cut or rolled back
  --proof FILE     a proof, as `ringmail audit prove` writes it
  --record FILE    the record that it is about, as it stands in the log";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> Result<String, String> {
    let (mut folder, mut key, mut anchors, mut proof, mut record) = (None, None, Vec::new(), None, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut next = || args.next().ok_or_else(|| format!("`{arg}` needs a value\n\n{USAGE}"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(USAGE.into()),
            "--key" => key = Some(next()?),
            "--anchor" => anchors.push(next()?),
            "--proof" => proof = Some(next()?),
            "--record" => record = Some(next()?),
            other if other.starts_with('-') || folder.is_some() => {
                return Err(format!("`{other}` is not known here\n\n{USAGE}"));
            }
            _ => folder = Some(arg),
        }
    }
    let key = key.ok_or_else(|| format!("whose signature counts? --key says it\n\n{USAGE}"))?;
    let key = public_key(&key).ok_or("the key is neither 64 hexadecimal digits nor NAME+ID+KEY")?;
    match (folder, proof, record) {
        (Some(folder), None, None) => log(Path::new(&folder), key, &anchors),
        (None, Some(proof), Some(record)) => {
            let bytes = std::fs::read(&record).map_err(|error| format!("cannot read `{record}`: {error}"))?;
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let (at, checkpoint) = is_proved(bytes, &read(&proof)?, &key)?;
            Ok(format!("the record is number {at} of `{}`", checkpoint.origin))
        }
        _ => Err(USAGE.into()),
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read `{path}`: {error}"))
}

fn log(folder: &Path, key: [u8; 32], anchors: &[String]) -> Result<String, String> {
    let trusted = KeysOfLog::of_log(folder, key)?;
    let own = folder.join("checkpoint").display().to_string();
    let mut checkpoints = trusted.taken_over().to_vec();
    for path in std::iter::once(&own).chain(anchors) {
        let text = read(path)?;
        let (all, _) = Checkpoint::parse_all(&text);
        if all.is_empty() {
            Checkpoint::parse(&text).map_err(|why| format!("`{path}`: {why}"))?;
        }
        if !all.iter().all(|checkpoint| trusted.signed(checkpoint)) {
            return Err(format!("`{path}` is not signed by this key, nor by one it is connected with"));
        }
        checkpoints.extend(all);
    }
    let found = verify(folder, &checkpoints).map_err(|wrong| wrong.to_string())?;
    let signed = checkpoints.iter().map(|one| one.size).max().unwrap_or(0);
    Ok(format!(
        "{} records in {} files are what was written; {signed} of them are signed for",
        found.records, found.files
    ))
}
