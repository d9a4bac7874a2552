//! Compiled modules on disk.

use crate::desk::TestDesk;
use crate::guest::Guest;
use ringmail_host::{CallLimits, Confined, Granted, Halt, ModuleCache, Walls};
use std::path::{Path, PathBuf};

const ECHO: &str = "(call $ok (local.get $p) (local.get $n))";
const ERR: &str = "(call $err (local.get $p) (local.get $n))";

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Runs a guest through a cache in an engine of its own, as another process would.
async fn run(folder: &Path, secret: u8, writes: bool, call: &str) -> Result<String, Halt> {
    let cache = ModuleCache::new(folder.to_path_buf(), &[secret; 32], writes);
    let module = Guest::calling(call).component();
    let granted = Granted { cache: Some(&cache), ..Granted::default() };
    let confined = Confined::load(&Walls::new().unwrap(), &module, granted).unwrap();
    confined.call("1", &CallLimits::default(), TestDesk::default()).await.result
}

#[tokio::test]
async fn a_module_is_compiled_once_for_each_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), 1, false, ECHO).await, Ok("1".into()));
    assert!(entries(folder.path()).is_empty(), "it may not write");
    assert_eq!(run(folder.path(), 1, true, ECHO).await, Ok("1".into()));
    assert_eq!(run(folder.path(), 1, true, ERR).await, Err(Halt::Failed("1".into())));
    let kept = entries(folder.path());
    let written = |path: &PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = kept.iter().map(written).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(run(folder.path(), 1, true, ECHO).await, Ok("1".into()));
    assert_eq!(kept.iter().map(written).collect::<Vec<_>>(), before, "nothing was compiled again");
}

/// What lies in the cache runs outside of all walls.
#[tokio::test]
async fn attack_19_an_edited_entry_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 1, true, ECHO).await.unwrap();
    let echo = entries(folder.path()).remove(0);
    let whole = std::fs::read(&echo).unwrap();
    let other = tempfile::tempdir().unwrap();
    assert!(run(other.path(), 1, true, ERR).await.is_err());
    let swapped = std::fs::read(entries(other.path()).remove(0)).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let forged: Vec<u8> = [&[0_u8; 32][..], &swapped[32..]].concat();
    for edited in [swapped.clone(), flipped, forged, whole[..40].to_vec(), whole[..10].to_vec(), Vec::new()] {
        std::fs::write(&echo, edited).unwrap();
        assert_eq!(run(folder.path(), 1, false, ECHO).await, Ok("1".into()));
    }
    // Nor is one of another host, and each makes its own anew.
    std::fs::write(&echo, &whole).unwrap();
    assert_eq!(run(folder.path(), 2, true, ECHO).await, Ok("1".into()));
    assert_ne!(std::fs::read(&echo).unwrap()[..32], whole[..32]);
}
