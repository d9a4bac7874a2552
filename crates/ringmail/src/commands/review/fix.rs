//! `--fix`: writes what rules know how to mend, file by file, whole or not at all.

use super::cannot;
use crate::exit::Fault;
use ringmail_review::{Edit, Finding, Review};
use std::collections::BTreeMap;
use std::path::Path;

/// How many findings were mended.
pub(super) fn apply(done: &Review) -> Result<usize, Fault> {
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in done.findings.iter().filter(|finding| !finding.edits.is_empty()) {
        files.entry(finding.path()).or_default().push(finding);
    }
    let mut count = 0;
    for (name, findings) in files {
        let path = Path::new(name);
        let Some(read) = findings.first().map(|finding| finding.source.text.as_str()) else { continue };
        let now = std::fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
        if now != read {
            return Err(
                Fault::user(format!("`{name}` changed while it was reviewed")).hint("review it again")
            );
        }
        let edits = findings.iter().flat_map(|finding| finding.edits.iter()).collect();
        std::fs::write(path, edited(read, edits)).map_err(|error| cannot("write", path, &error))?;
        count += findings.len();
    }
    Ok(count)
}

/// From the end, so that places stay; of edits that overlap, the last one in the file counts.
fn edited(text: &str, mut edits: Vec<&Edit>) -> String {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
    let (mut out, mut end) = (text.to_string(), text.len());
    for edit in edits.into_iter().filter(|edit| edit.span.end <= text.len()) {
        if edit.span.end <= end
            && out.is_char_boundary(edit.span.start)
            && out.is_char_boundary(edit.span.end)
        {
            out.replace_range(edit.span.start..edit.span.end, &edit.text);
            end = edit.span.start;
        }
    }
    out
}
