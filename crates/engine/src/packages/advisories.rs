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
    if files.is_empty() {
        return Err(format!("`{}` holds no advisories", path.display()));
    }
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
        let json = inner.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        // What a repository or a desktop keeps beside them.
        let hidden = inner.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden && !json {
            continue;
        } else if inner.is_dir() {
            if depth == 0 {
                return Err(format!("`{}` lies too deep for advisories", inner.display()));
            }
            collect(&inner, depth - 1, most, files)?;
        } else if json {
            files.push(inner);
        } else {
            let shown = inner.display();
            return Err(format!(
                "`{shown}` is no advisory: they are files that end in `.json`, each unpacked"
            ));
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

    /// A folder with nothing but an archive in it said that nothing was known of anything.
    #[test]
    fn a_folder_that_is_read_by_half_is_an_error() {
        for (name, expected) in
            [("all.zip", "is no advisory"), ("all.jsonl", "is no advisory"), ("X-1.JSON", "no `id`")]
        {
            let folder = tempfile::tempdir().unwrap();
            assert!(read_advisories(folder.path(), &[]).unwrap_err().contains("holds no advisories"));
            std::fs::write(folder.path().join(".gitignore"), "").unwrap();
            std::fs::write(folder.path().join(name), "{}").unwrap();
            let wrong = read_advisories(folder.path(), &[]).unwrap_err();
            assert!(wrong.contains(expected), "{name}: {wrong}");
        }
    }
}
