//! A log as it was at some size, in another folder, while others may go on writing to it.

use super::open::new_file;
use super::{LogError, disk, segment};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Copies the first records of a log into a folder that holds none. Those have to be there, and are not looked at: whether
/// they are what was written is for those who verify.
pub fn copy_log(from: &Path, to: &Path, size: u64) -> Result<(), LogError> {
    let failed = disk("copy the log");
    let copy = || -> std::io::Result<u64> {
        std::fs::create_dir_all(to)?;
        let mut next = 0;
        for (first, path) in segment::all(from)? {
            // The one that begins where this copy ends is none of it.
            if first > next || (first >= size && first > 0) {
                break;
            }
            let name = path.file_name().unwrap_or_default();
            let mut file = BufReader::new(File::open(&path)?);
            let mut out = BufWriter::new(new_file(&to.join(name), b"")?);
            let mut line = Vec::new();
            file.read_until(b'\n', &mut line)?;
            out.write_all(&line)?;
            loop {
                line.clear();
                file.read_until(b'\n', &mut line)?;
                let ends = line == segment::SEALED;
                if !line.ends_with(b"\n") || next == size {
                    break;
                }
                out.write_all(&line)?;
                if ends {
                    break;
                }
                next += 1;
            }
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        }
        Ok(next)
    };
    match copy().map_err(failed)? {
        count if count == size => Ok(()),
        count => Err(LogError::Changed(format!("{size} records were signed for, and {count} are there"))),
    }
}
