//! What confined programs are tried against: scripts in the shell and in Python, programs in C, and a host with things
//! in it that they must not reach.

use ringmail_host::{
    ChildAccess, ChildEnd, ChildFile, ChildHalt, ChildSpec, ChildStatus, KernelWalls, run_child,
};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const UID: u32 = ringmail_host::CHILD_UID;

pub fn walls() -> Arc<KernelWalls> {
    KernelWalls::of_this_host()
}

pub fn sh(script: &str) -> ChildSpec {
    let mut spec = ChildSpec::new("/bin/sh".to_string());
    spec.program = std::fs::canonicalize(&spec.program).unwrap();
    spec.args = vec!["-c".into(), script.into()];
    spec
}

pub fn python(script: &str) -> ChildSpec {
    let mut spec = ChildSpec::new(std::fs::canonicalize("/usr/bin/python3").unwrap());
    spec.args = vec!["-IBc".into(), script.into()];
    spec
}

pub async fn run(spec: ChildSpec) -> Result<ChildEnd, ChildHalt> {
    run_child(spec, b"", walls()).await
}

/// What a script wrote, which must have ended well.
pub async fn said(spec: ChildSpec) -> String {
    said_behind(spec, walls()).await
}

pub async fn said_behind(spec: ChildSpec, walls: Arc<KernelWalls>) -> String {
    let end = run_child(spec, b"", walls).await.unwrap();
    let err = String::from_utf8_lossy(&end.err).into_owned();
    assert_eq!(end.status, ChildStatus::Code(0), "{err}");
    String::from_utf8(end.out).unwrap()
}

/// A folder that confined programs may be shown, whoever they run as.
pub struct Place(tempfile::TempDir);

impl Place {
    /// Not below `/tmp`, of which confined programs have one of their own.
    pub fn new() -> Place {
        let place = Place(tempfile::tempdir_in("/var/tmp").unwrap());
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
        place
    }

    pub fn path(&self) -> PathBuf {
        std::fs::canonicalize(self.0.path()).unwrap()
    }

    /// A folder in it that belongs to whom programs run as.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir(&path).unwrap();
        owned(&path);
        path
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        owned(&path);
        path
    }
}

fn owned(path: &Path) {
    if is_root() {
        chown(path, Some(UID), Some(UID)).unwrap();
    }
}

pub fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

pub fn shown(spec: ChildSpec, path: &Path, access: ChildAccess) -> ChildSpec {
    let mut spec = spec;
    spec.files.push(ChildFile { path: path.to_path_buf(), access });
    spec
}

/// Processes of this host whose command line holds a word.
pub fn processes_with(word: &str) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        })
        .collect()
}

/// Waits, up to a limit, until something is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} is not so after ten seconds");
}
