//! Proofs that a record is in a log, as C2SP writes them (tlog-proof): made from the files of a log, and verified with nothing
//! but the record and the key of whoever signed.

use crate::note::Checkpoint;
use crate::tree::{Growing, Root, hash_leaf, leads_to, siblings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const FIRST: &str = "c2sp.org/tlog-proof@v1";

/// The proof for the record at `index`, in the log that `checkpoint` is of. `records` are all of the log, in order; nothing
/// if there are fewer than the checkpoint says, or the record is not among them.
pub fn prove<R: AsRef<[u8]>>(
    index: u64,
    checkpoint: &str,
    records: impl IntoIterator<Item = R>,
) -> Result<Option<String>, String> {
    let size = Checkpoint::parse(checkpoint)?.size;
    if index >= size {
        return Ok(None);
    }
    let mut parts: Vec<_> =
        siblings(index, size).into_iter().map(|range| (range, Growing::default())).collect();
    let mut count = 0;
    for record in records.into_iter().take(usize::try_from(size).unwrap_or(usize::MAX)) {
        if let Some((_, part)) = parts.iter_mut().find(|(range, _)| range.contains(&count)) {
            part.add(hash_leaf(record.as_ref()));
        }
        count += 1;
    }
    if count < size {
        return Ok(None);
    }
    let mut out = format!("{FIRST}\nindex {index}\n");
    for (_, part) in &parts {
        out.push_str(&format!("{}\n", STANDARD.encode(part.root())));
    }
    Ok(Some(format!("{out}\n{checkpoint}")))
}

/// Holds a record against a proof; answers where in which log it stands.
pub fn is_proved(record: &[u8], proof: &str, key: &[u8; 32]) -> Result<(u64, Checkpoint), String> {
    let wrong = || "this is no proof as C2SP writes them".to_string();
    let (head, checkpoint) = proof.split_once("\n\n").ok_or_else(wrong)?;
    let mut lines = head.lines().peekable();
    if lines.next() != Some(FIRST) {
        return Err(wrong());
    }
    // What others add is not looked at.
    lines.next_if(|line| line.starts_with("extra "));
    let index: u64 =
        lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok()).ok_or_else(wrong)?;
    let hashes = lines.map(|line| STANDARD.decode(line).ok().and_then(|hash| Root::try_from(hash).ok()));
    let hashes: Vec<Root> = hashes.collect::<Option<_>>().ok_or_else(wrong)?;
    let checkpoint = Checkpoint::parse(checkpoint)?;
    if !checkpoint.is_signed_by(key) {
        return Err("the checkpoint in it is not signed by this key".into());
    }
    match leads_to(index, checkpoint.size, hash_leaf(record), &hashes) {
        Some(root) if root == checkpoint.root => Ok((index, checkpoint)),
        _ => Err("this record is not the one that was proved".into()),
    }
}
