//! Advisories on disk: an export of OSV, one file or a folder of them. Whatever of it cannot be read is an error: a list
//! of known holes that is read by half says that there are none.

use super::read_bounded;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::package::{Advisory, Part};
use ringmail_core::value::Value;
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 64 << 20;
const FILES_MAX: usize = 1_000_000;
const DEPTH_MAX: usize = 8;

/// The advisories of a file or folder that could be about any of these.
pub fn read_advisories(path: &Path, parts: &[Part]) -> Result<Vec<Advisory>, String> {
    let mut files = Vec::new();
    collect(path, DEPTH_MAX, FILES_MAX, &mut files)?;
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let bytes = read_bounded(&file, FILE_BYTES_MAX)?;
        let wrong = |why: String| format!("`{}`: {why}", file.display());
        let limits = JsonLimits { bytes_max: bytes.len(), ..JsonLimits::default() };
        let read = parse(&bytes, &limits).map_err(|error| wrong(error.to_string()))?;
        let all: Vec<&Value> = read.as_list().map_or_else(|| vec![&read], |list| list.iter().collect());
        for item in all {
            let advisory = Advisory::read(item).map_err(wrong)?;
            out.extend(advisory.filter(|advisory| advisory.names(parts)));
        }
    }
    Ok(out)
}

fn collect(path: &Path, depth: usize, most: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let fault =
        |error: std::io::Error| format!("cannot read the advisories in `{}`: {error}", path.display());
    if !std::fs::metadata(path).map_err(fault)?.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let inner = entry.map_err(fault)?.path();
        let json = inner.extension().is_some_and(|ending| ending == "json");
        if inner.is_dir() {
            if depth == 0 {
                return Err(format!("`{}` lies too deep for advisories", inner.display()));
            }
            collect(&inner, depth - 1, most, files)?;
        } else if json {
            files.push(inner);
        }
        if files.len() > most {
            return Err(format!("`{}` holds more than {most} files", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(format!("{name}.json")), "{}").unwrap();
        }
        let count = |most: usize| {
            let mut files = Vec::new();
            collect(folder.path(), 1, most, &mut files).map(|()| files.len())
        };
        assert_eq!(count(3), Ok(3));
        assert!(count(2).unwrap_err().ends_with("holds more than 2 files"));
    }
}
