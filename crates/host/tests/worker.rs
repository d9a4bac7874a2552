//! A worker that puts walls around itself: this program, which starts itself twice, once from outside of all walls and
//! once from behind those of a confined process.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

use ringmail_host::{
    ChildAccess, ChildFile, ChildSpec, KernelWalls, WorkerWalls, confine_this_process, run_child,
};
use std::path::{Path, PathBuf};

const NAME: &str = "attack_28_a_worker_that_confined_itself_can_only_compute";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, kept, other, role] = &*args
        && role == "worker"
    {
        return worker(Path::new(kept), Path::new(other));
    }
    if args.iter().any(|arg| arg == "--list") {
        if !args.iter().any(|arg| arg == "--ignored") {
            println!("{NAME}: test");
        }
        return;
    }
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (kept, other) = (folder.path().join("kept.txt"), folder.path().join("other.txt"));
    std::fs::write(&kept, "kept").unwrap();
    std::fs::write(&other, "other").unwrap();
    let expected = "before: true true, a thread too many: true, confined: true, kept: true, other: false, started: false, forked: false, socket: false, thread: true, written: false, dumpable: false\n";
    let itself = std::env::current_exe().unwrap();
    let outside = std::process::Command::new(&itself).arg(&kept).arg(&other).arg("worker").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&outside.stdout),
        expected,
        "{}",
        String::from_utf8_lossy(&outside.stderr)
    );
    let mut spec = ChildSpec::new(std::fs::canonicalize(itself).unwrap());
    spec.args = vec![kept.clone().into(), other.clone().into(), "worker".into()];
    spec.files = vec![ChildFile { path: folder.path().to_path_buf(), access: ChildAccess::Read }];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inside = runtime.block_on(run_child(spec, b"", KernelWalls::of_this_host())).unwrap();
    assert_eq!(String::from_utf8_lossy(&inside.out), expected, "{}", String::from_utf8_lossy(&inside.err));
    println!("test {NAME} ... ok");
}

fn worker(kept: &Path, other: &Path) {
    let reads = |path: &Path| std::fs::read(path).is_ok();
    print!("before: {} {}, ", reads(kept), reads(other));
    let keeps = WorkerWalls {
        files: vec![ChildFile { path: kept.to_path_buf(), access: ChildAccess::Read }],
        ..WorkerWalls::default()
    };
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv().is_err());
    print!("a thread too many: {}, ", confine_this_process(&keeps).is_err());
    drop(end);
    thread.join().unwrap();
    let confined = confine_this_process(&keeps);
    if let Err(error) = &confined {
        eprintln!("{error}");
    }
    let started = std::process::Command::new("/bin/true").spawn().is_ok();
    // SAFETY: the copy ends at once.
    #[allow(unsafe_code, reason = "see above")]
    let forked = unsafe {
        match libc::fork() {
            0 => libc::_exit(0),
            pid => pid > 0,
        }
    };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
    let thread = std::thread::Builder::new().spawn(|| 1).map(|thread| thread.join().unwrap());
    let written =
        std::fs::write(PathBuf::from("/tmp/worker"), "").is_ok() || std::fs::write(kept, "").is_ok();
    // SAFETY: the call takes numbers and gives one.
    #[allow(unsafe_code, reason = "see above")]
    let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } != 0;
    println!(
        "confined: {}, kept: {}, other: {}, started: {started}, forked: {forked}, socket: {socket}, thread: {}, written: {written}, dumpable: {dumpable}",
        confined.is_ok(),
        reads(kept),
        reads(other),
        thread.is_ok(),
    );
}
