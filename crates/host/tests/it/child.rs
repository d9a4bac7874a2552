//! Confined processes, attacked by real programs: what they reach, what they leave, what they use up.

use crate::child_world::{
    Place, UID, is_root, processes_with, python, run, said, said_behind, sh, shown, until, walls,
};
use ringmail_host::{
    ChildAccess, ChildError, ChildHalt, ChildNet, ChildSpec, ChildStatus, KernelWalls, Wall, run_child,
};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_program_runs_behind_all_walls() {
    let end = run_child(sh("read word; echo \"$word to you\"; echo hm >&2; exit 3"), b"good day\n", walls());
    let end = end.await.unwrap();
    assert_eq!(String::from_utf8_lossy(&end.out), "good day to you\n");
    assert_eq!(String::from_utf8_lossy(&end.err), "hm\n");
    assert_eq!(end.status, ChildStatus::Code(3));
    assert!(end.figures.memory_peak_bytes > 0 && end.figures.time > Duration::ZERO);
}

/// The host of the tests, and the same as if it gave no namespaces: what is left must do.
fn kernels() -> [(&'static str, Arc<KernelWalls>); 2] {
    [("all walls", walls()), ("no namespaces", Arc::new(walls().without(Wall::Namespaces)))]
}

/// Goes without the limit on processes where nothing but namespaces gives one.
fn anywhere(mut spec: ChildSpec) -> ChildSpec {
    spec.unconfined = !walls().has(Wall::ProcessGroup);
    spec
}

/// Tries things in Python, each of which must fail, and says which did not.
async fn must_fail(tries: &[(&str, &str)], around: impl Fn(ChildSpec) -> ChildSpec) {
    let mut script = String::from("import os, socket, ctypes, signal, sys\nopened = []\n");
    for (name, attempt) in tries {
        let attempt = attempt.replace('\n', "\n    ");
        script += &format!("try:\n    {attempt}\n    opened.append({name:?})\nexcept Exception as e: pass\n");
    }
    script += "print(opened)\n";
    for (kernel, walls) in kernels() {
        let opened = said_behind(anywhere(around(python(&script))), walls).await;
        assert_eq!(opened, "[]\n", "{kernel}");
    }
}

#[tokio::test]
async fn attack_28_no_file_outside_of_its_mounts_is_read() {
    let place = Place::new();
    let (inside, outside) = (place.folder("in"), place.file("secret.txt", "secret"));
    std::fs::write(inside.join("note.txt"), "inside").unwrap();
    let read = format!("open({outside:?}).read()");
    let listed = format!("assert 'secret.txt' in os.listdir({:?})", place.path());
    let up = "open('../secret.txt').read()";
    let tries = [
        ("a file beside", &*read),
        ("through ..", up),
        ("the folder above", &listed),
        ("passwords", "open('/etc/passwd').read()"),
        ("shadow", "open('/etc/shadow').read()"),
        ("root", "os.listdir('/root')"),
        ("sys", "os.listdir('/sys/class')"),
        ("disks", "open('/dev/vda', 'rb').read(1)"),
        ("memory", "open('/dev/mem', 'rb').read(1)"),
        ("kernel log", "open('/dev/kmsg', 'rb').read(1)"),
        ("by handle", "r = ctypes.CDLL(None).open_by_handle_at(0, 0, 0)\nassert r >= 0"),
    ];
    must_fail(&tries, |mut spec| {
        spec.folder = Some(inside.clone());
        shown(spec, &inside, ChildAccess::Read)
    })
    .await;
    let mut spec = shown(sh("cat note.txt; pwd"), &inside, ChildAccess::Read);
    spec.folder = Some(inside.clone());
    assert_eq!(said(spec).await, format!("inside{}\n", inside.display()));
}

#[tokio::test]
async fn attack_28_nothing_is_written_outside_of_its_mounts() {
    let place = Place::new();
    let (read, write) = (place.folder("read"), place.folder("write"));
    let kept = place.file("kept.txt", "kept");
    std::fs::write(read.join("own.txt"), "own").unwrap();
    let tries = [
        ("beside", format!("open({:?}, 'w')", place.path().join("new.txt"))),
        ("over another", format!("open({kept:?}, 'a')")),
        ("in what is read", format!("open({:?}, 'w')", read.join("new.txt"))),
        ("its own file there", format!("open({:?}, 'r+')", read.join("own.txt"))),
        ("cut short", format!("os.truncate({kept:?}, 0)")),
        ("removed", format!("os.remove({kept:?})")),
        ("mode", format!("os.chmod({kept:?}, 0o777)")),
        ("mode of what is read", format!("os.chmod({:?}, 0o777)", read.join("own.txt"))),
        ("times", format!("os.utime({kept:?}, (1, 1))")),
        ("owner", format!("os.chown({kept:?}, 0, 0)")),
        ("hard link", format!("os.link({kept:?}, {:?})", write.join("link"))),
        ("symbolic link", format!("os.symlink('/etc/passwd', {:?})", write.join("link"))),
        ("a pipe", format!("os.mkfifo({:?})", write.join("pipe"))),
        ("a device", format!("os.mknod({:?}, 0o20666, os.makedev(1, 3))", write.join("device"))),
        ("moved away", format!("os.rename({:?}, {:?})", read.join("own.txt"), write.join("own.txt"))),
        ("system", "open('/usr/bin/new', 'w')".into()),
        ("root", "open('/new', 'w')".into()),
        ("devices", "open('/dev/new', 'w')".into()),
        ("a set-user file", format!("open({0:?}, 'w'); os.chmod({0:?}, 0o4755)", write.join("su"))),
        ("made as one", format!("os.open({:?}, os.O_CREAT | os.O_WRONLY, 0o4755)", write.join("su2"))),
    ];
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    must_fail(&tries, |spec| shown(shown(spec, &read, ChildAccess::Read), &write, ChildAccess::Write)).await;
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
    let script =
        format!("mkdir -p {0}/a && echo new > {0}/a/b && cat {0}/a/b && rm -r {0}/a", write.display());
    assert_eq!(said(shown(sh(&script), &write, ChildAccess::Write)).await, "new\n");
}

#[tokio::test]
async fn attack_28_no_link_leads_out_of_a_mount() {
    let place = Place::new();
    let mount = place.folder("mount");
    let secret = place.file("secret.txt", "secret");
    std::os::unix::fs::symlink(&secret, mount.join("file")).unwrap();
    std::os::unix::fs::symlink(place.path(), mount.join("folder")).unwrap();
    let (file, folder) = (mount.join("file"), mount.join("folder"));
    let tries = [
        ("a link to a file", format!("open({file:?}).read()")),
        ("written through", format!("open({file:?}, 'a')")),
        ("a link to a folder", format!("os.listdir({folder:?})[0]")),
        ("a file below that", format!("open({:?}).read()", folder.join("secret.txt"))),
    ];
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    must_fail(&tries, |spec| shown(spec, &mount, ChildAccess::Write)).await;
}

#[tokio::test]
async fn attack_28_what_is_only_read_or_written_does_not_start() {
    let place = Place::new();
    let folder = place.folder("folder");
    std::fs::copy("/bin/true", folder.join("program")).unwrap();
    let program = folder.join("program");
    let script = format!("{} && echo started", program.display());
    for access in [ChildAccess::Read, ChildAccess::Write] {
        for (kernel, walls) in kernels() {
            let end = run_child(anywhere(shown(sh(&script), &folder, access)), b"", walls).await.unwrap();
            assert_eq!((end.out, end.status), (Vec::new(), ChildStatus::Code(126)), "{kernel}");
        }
    }
    assert_eq!(said(shown(sh(&script), &folder, ChildAccess::Execute)).await, "started\n");
}

#[tokio::test]
async fn attack_28_other_processes_are_neither_seen_nor_touched() {
    let own = std::process::id();
    let pid = own.to_string();
    let read = |file: &str| format!("assert {pid} != os.getpid()\nopen('/proc/{pid}/{file}', 'rb').read(1)");
    let c = "c = ctypes.CDLL(None, use_errno=True)\n";
    let checked = |call: &str| format!("{c}r = {call}\nassert r >= 0");
    let first = "assert os.getpid() != 1\nopen('/proc/1/environ', 'rb').read(1)".to_string();
    let tries = [
        ("the first process", first),
        ("environment of the host", read("environ")),
        ("memory of the host", read("mem")),
        ("files of the host", format!("os.listdir('/proc/{pid}/fd')")),
        ("root of the host", format!("os.listdir('/proc/{pid}/root' + os.sep)")),
        ("signal", format!("os.kill({pid}, 0)")),
        ("deadly signal", format!("os.kill({pid}, 19)")),
        ("ptrace", checked(&format!("c.ptrace(16, {pid}, 0, 0)"))),
        ("ptrace of itself", checked("c.ptrace(0, 0, 0, 0)")),
        ("read memory", checked(&format!("c.process_vm_readv({pid}, 0, 0, 0, 0, 0)"))),
        ("limits of the host", format!("import resource\nresource.prlimit({pid}, resource.RLIMIT_NOFILE)")),
        ("priority of the host", format!("os.setpriority(os.PRIO_PROCESS, {pid}, 19)")),
        ("priority of the user", "os.setpriority(os.PRIO_USER, 0, 19)".into()),
        ("affinity of the host", format!("os.sched_setaffinity({pid}, [0])")),
        ("descriptor of another", checked("c.syscall(438, 0, 0, 0)")),
    ];
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    must_fail(&tries, |spec| spec).await;
    let seen = said(sh("echo /proc/[0-9]*; cat /proc/1/environ | tr '\\0' '\\n'")).await;
    assert!(seen.starts_with("/proc/1") && seen.split_whitespace().count() <= 4, "{seen}");
}

#[tokio::test]
async fn attack_28_the_environment_is_what_was_granted() {
    assert!(std::env::vars().count() > 2, "the host has an environment");
    let mut spec = ChildSpec::new(std::fs::canonicalize("/usr/bin/env").unwrap());
    assert_eq!(said(spec.clone()).await, "");
    spec.env = vec![("GREETING".into(), "hello".into())];
    assert_eq!(said(spec).await, "GREETING=hello\n");
}

#[tokio::test]
async fn attack_28_no_descriptor_of_the_host_is_there() {
    let place = Place::new();
    let secret = std::fs::File::open(place.file("secret.txt", "secret")).unwrap();
    // SAFETY: `fcntl` changes a flag of a descriptor that is open.
    #[allow(unsafe_code, reason = "see above")]
    let kept = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&secret), libc::F_SETFD, 0) };
    assert_eq!(kept, 0, "it stays open in what is started");
    let script = "import os\nopened = []\nfor fd in range(0, 1000):\n    try:\n        os.fstat(fd)\n        opened.append(fd)\n    except OSError: pass\nprint(opened)";
    for (kernel, walls) in kernels() {
        assert_eq!(said_behind(anywhere(python(script)), walls).await, "[0, 1, 2]\n", "{kernel}");
    }
}

#[tokio::test]
async fn attack_28_nothing_is_connected_to() {
    let place = Place::new();
    let folder = place.folder("sockets");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let _named = UnixListener::bind(folder.join("socket")).unwrap();
    let word = format!("ringmail-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&word);
    let _hidden = UnixListener::bind_addr(&address.unwrap()).unwrap();
    let (tcp, udp) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
    let of = |family: &str, kind: &str, rest: &str| {
        format!("s = socket.socket(socket.AF_{family}, socket.SOCK_{kind})\ns.{rest}")
    };
    let tries = [
        ("tcp", of("INET", "STREAM", &format!("connect(('127.0.0.1', {tcp}))"))),
        ("tcp6", of("INET6", "STREAM", &format!("connect(('::ffff:127.0.0.1', {tcp}))"))),
        ("udp", of("INET", "DGRAM", &format!("sendto(b'x', ('127.0.0.1', {udp}))"))),
        ("unix", of("UNIX", "STREAM", &format!("connect({:?})", folder.join("socket")))),
        ("abstract unix", of("UNIX", "STREAM", &format!("connect('\\0{word}')"))),
        ("raw", of("INET", "RAW", "bind(('127.0.0.1', 0))")),
        ("netlink", of("NETLINK", "RAW", "bind((0, 0))")),
        ("packet", of("PACKET", "RAW", "bind(('lo', 0))")),
        ("listening", of("INET", "STREAM", "listen()")),
        ("a name", "socket.getaddrinfo('localhost.example', 80)".into()),
    ];
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    must_fail(&tries, |spec| shown(spec, &folder, ChildAccess::Write)).await;
    assert_eq!(
        said(python("import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))")).await,
        "b'x'\n"
    );
}

#[tokio::test]
async fn attack_28_a_granted_port_is_the_only_one() {
    let (granted, other) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let net = ChildNet { connect: vec![port(&granted)], bind: Vec::new() };
    let (one, two, three) = (port(&granted), port(&other), udp.local_addr().unwrap().port());
    let tries = [
        ("another port", format!("socket.create_connection(('127.0.0.1', {two}))")),
        (
            "udp",
            format!("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {three}))"),
        ),
        (
            "multipath",
            format!("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(('127.0.0.1', {two}))"),
        ),
        ("with the first packet", format!("socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', {two}))")),
        ("listening", "socket.socket().listen()".into()),
        ("a name of its own", "socket.socket().bind(('127.0.0.1', 0))".into()),
        ("unix", "socket.socket(socket.AF_UNIX)".into()),
    ];
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    must_fail(&tries, |mut spec| {
        spec.net = net.clone();
        spec
    })
    .await;
    let mut spec =
        python(&format!("import socket\nsocket.create_connection(('127.0.0.1', {one}))\nprint('there')"));
    spec.net = net;
    assert_eq!(said(spec.clone()).await, "there\n");
    let none = Arc::new(walls().without(Wall::Ports));
    let refused = run_child(spec, b"", none).await.unwrap_err();
    assert!(refused.to_string().contains("landlock-ports"), "{refused}");
}

#[tokio::test]
async fn attack_28_no_power_of_the_kernel_is_there() {
    let c = "c = ctypes.CDLL(None, use_errno=True)\n";
    let calls = [
        ("a new user namespace", "c.unshare(0x10000000)"),
        ("a namespace of a process", "c.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)"),
        ("another's namespace", "c.setns(0, 0)"),
        ("mount", "c.mount(b'x', b'/tmp', b'tmpfs', 0, 0)"),
        ("mounts, newer", "c.syscall(428, -100, b'/', 1)"),
        ("root", "c.chroot(b'/tmp')"),
        ("bpf", "c.syscall(321, 0, 0, 0)"),
        ("userfaultfd", "c.syscall(323, 1)"),
        ("io_uring", "c.syscall(425, 1, ctypes.create_string_buffer(200))"),
        ("keys", "c.syscall(250, 0, -3, 0)"),
        ("modules", "c.syscall(175, 0, 0, b'')"),
        ("kexec", "c.syscall(246, 0, 0, 0, 0)"),
        ("personality", "c.personality(0x40000)"),
        ("clone3", "c.syscall(435, 0, 0)"),
        ("performance events", "c.syscall(298, 0, 0, 0, 0, 0)"),
        ("a call that is not known yet", "c.syscall(999)"),
        ("numbers of another kind", "c.syscall(0x40000000 + 39)"),
        ("user 0", "c.setuid(0)"),
        ("a session", "c.setsid()"),
        ("a process group", "c.setpgid(0, 0)"),
        ("outliving the host", "c.prctl(1, 0)"),
        ("typing", "c.ioctl(0, 0x5412, b'x')"),
    ];
    let tries: Vec<(&str, String)> =
        calls.iter().map(|(name, call)| (*name, format!("{c}r = {call}\nassert r >= 0"))).collect();
    let tries: Vec<(&str, &str)> = tries.iter().map(|(name, attempt)| (*name, &**attempt)).collect();
    if cfg!(target_arch = "x86_64") {
        must_fail(&tries, |spec| spec).await;
    }
    let status = said(sh("cat /proc/self/status")).await;
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    if is_root() {
        assert_eq!(said(sh("id -u; id -g; id -G")).await, format!("{UID}\n{UID}\n{UID}\n"));
    }
}

#[tokio::test]
async fn attack_28_a_fork_bomb_ends_with_its_call() {
    let word = format!("bomb-{}", std::process::id());
    for (kernel, walls) in kernels()
        .into_iter()
        .filter(|(_, walls)| walls.has(Wall::Namespaces) || walls.has(Wall::ProcessGroup))
    {
        let mut spec = python(&format!(
            "'{word}'\nimport os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        ));
        spec.limits.time_max = Duration::from_millis(500);
        spec.limits.processes_max = 20;
        let running = tokio::spawn(run_child(spec, b"", walls));
        until("the bomb", || processes_with(&word).len() >= 2).await;
        assert!(processes_with(&word).len() <= 20, "{kernel}");
        assert!(matches!(running.await.unwrap(), Err(ChildHalt::Time(_))), "{kernel}");
        assert_eq!(processes_with(&word), [0; 0], "{kernel}");
    }
}

#[tokio::test]
async fn attack_28_no_grandchild_outlives_its_call() {
    let word = format!("orphan-{}", std::process::id());
    let script = format!(
        "'{word}'\nimport os, signal, time\nfor s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\nif os.fork() == 0:\n    try: os.setsid()\n    except OSError: pass\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nos.wait()\nprint('done', flush=True)\n"
    );
    for (kernel, walls) in kernels() {
        assert_eq!(said_behind(anywhere(python(&script)), walls.clone()).await, "done\n", "{kernel}");
        assert_eq!(processes_with(&word), [0; 0], "{kernel}, after its end");
        let mut spec = anywhere(python(&format!("{script}time.sleep(600)")));
        spec.limits.time_max = Duration::from_millis(700);
        let started = Instant::now();
        let halt = run_child(spec, b"", walls).await.unwrap_err();
        assert!(matches!(halt, ChildHalt::Time(_)) && started.elapsed() < Duration::from_secs(5), "{halt}");
        assert_eq!(processes_with(&word), [0; 0], "{kernel}, after its time");
    }
}

#[tokio::test]
async fn attack_28_a_call_that_nobody_waits_for_ends() {
    let word = format!("dropped-{}", std::process::id());
    let script = format!("'{word}'\nimport os, time\nos.fork()\nwhile True: time.sleep(600)");
    for (kernel, walls) in kernels() {
        let running = tokio::spawn(run_child(anywhere(python(&script)), b"", walls));
        until("both processes", || running.is_finished() || processes_with(&word).len() == 2).await;
        assert!(!running.is_finished(), "{kernel}: {:?}", running.await);
        running.abort();
        assert!(running.await.is_err());
        until(kernel, || processes_with(&word).is_empty()).await;
    }
}

#[tokio::test]
async fn attack_28_processes_end_with_their_host() {
    let word = format!("left-{}", std::process::id());
    // A host of its own: this test binary, asked to start one and to be killed.
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::a_host_that_will_be_killed", "--ignored", "--nocapture"])
        .env("RINGMAIL_TEST_WORD", &word)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let script = format!("'{word}'");
    until("the process", || processes_with(&script).len() == 1).await;
    host.kill().unwrap();
    host.wait().unwrap();
    until("the end of the process", || processes_with(&script).is_empty()).await;
}

#[tokio::test]
#[ignore = "the host that another test kills"]
async fn a_host_that_will_be_killed() {
    let word = std::env::var("RINGMAIL_TEST_WORD").unwrap();
    let _end = run(python(&format!("'{word}'\nimport time\ntime.sleep(600)"))).await;
}

#[tokio::test]
async fn attack_28_memory_is_bounded() {
    let mut spec = python(
        "a = []\ntry:\n    while True: a.append(bytearray(1 << 20))\nexcept MemoryError:\n    print(len(a) < 100)",
    );
    spec.limits.memory_bytes_max = 100 << 20;
    assert_eq!(said(spec).await, "True\n");
    if !walls().has(Wall::MemoryGroup) {
        return;
    }
    // Each within its own limit, all together beyond it.
    let script = "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        a = bytearray(60 << 20)\n        time.sleep(600)\nprint(os.wait()[1])";
    let mut spec = python(script);
    spec.limits.memory_bytes_max = 150 << 20;
    assert_eq!(said(spec).await, "9\n", "one of them is killed");
}

#[tokio::test]
async fn attack_28_disks_are_not_filled() {
    let place = Place::new();
    let folder = place.folder("folder");
    let script = "import os, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\ntry:\n    with open(sys.argv[1], 'wb') as f:\n        while True: f.write(bytes(1 << 16))\nexcept OSError: pass\nprint(os.path.getsize(sys.argv[1]))";
    let mut spec = shown(python(script), &folder, ChildAccess::Write);
    spec.limits.file_bytes_max = 1 << 20;
    spec.args.push(folder.join("big").into());
    assert_eq!(said(spec).await, format!("{}\n", 1 << 20));
    let script = "import os\nfor i in range(100):\n    try: open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))\n    except OSError: break\nprint(sum(os.path.getsize(f'/tmp/{n}') for n in os.listdir('/tmp')) <= 3 << 20)";
    let mut spec = python(script);
    spec.limits.scratch_bytes_max = 3 << 20;
    assert_eq!(said(spec).await, "True\n");
    assert!(!Path::new("/tmp/99").exists(), "its own `/tmp` is not that of the host");
}

#[tokio::test]
async fn limits_hold() {
    let mut spec = sh("yes");
    spec.limits.output_bytes_max = 10_000;
    assert!(matches!(run(spec).await.unwrap_err(), ChildHalt::Output(10_000)));
    let mut spec = sh("yes >&2");
    spec.limits.output_bytes_max = 10_000;
    assert!(matches!(run(spec).await.unwrap_err(), ChildHalt::Output(10_000)));
    let mut spec = sh("while :; do :; done");
    spec.limits.cpu_max = Duration::from_secs(1);
    spec.limits.time_max = Duration::from_secs(20);
    let end = run(spec).await.unwrap();
    assert!(matches!(end.status, ChildStatus::Signal(9)), "{:?}", end.status);
    let mut spec =
        python("import os\nn = 0\ntry:\n    while True: os.dup(0); n += 1\nexcept OSError: print(n)");
    spec.limits.files_max = 30;
    assert_eq!(said(spec).await, "27\n");
    let mut spec = sh("sleep 30");
    spec.limits.time_max = Duration::from_millis(200);
    assert!(matches!(run(spec).await.unwrap_err(), ChildHalt::Time(_)));
    let core = said(sh("ulimit -c; ulimit -Hc")).await;
    assert_eq!(core, "0\n0\n");
}

#[tokio::test]
async fn what_is_not_read_and_what_is_much_does_not_block() {
    let input = vec![b'x'; 3 << 20];
    let end = run_child(sh("exit 0"), &input, walls()).await.unwrap();
    assert_eq!(end.status, ChildStatus::Code(0));
    let end = run_child(sh("cat"), &input, walls()).await.unwrap();
    assert_eq!(end.out, input);
}

#[tokio::test]
async fn a_program_that_was_changed_does_not_start() {
    let place = Place::new();
    let program = place.path().join("program");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut spec = ChildSpec::new(&program);
    spec.digest = Some(ringmail_host::program_digest(&program).unwrap());
    assert_eq!(said(spec.clone()).await, "");
    let mut bytes = std::fs::read(&program).unwrap();
    bytes.push(0);
    std::fs::write(&program, bytes).unwrap();
    assert!(matches!(run(spec.clone()).await.unwrap_err(), ChildHalt::Start(ChildError::Digest { .. })));
    let script = place.path().join("script");
    std::fs::write(&script, "#!/bin/sh\necho script").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(said(ChildSpec::new(&script)).await, "script\n");
    spec.program = script;
    let refused = run(spec).await.unwrap_err().to_string();
    assert!(refused.contains("interpreter"), "{refused}");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let place = Place::new();
    let gone = run(ChildSpec::new("/usr/bin/no-such-program")).await.unwrap_err().to_string();
    assert_eq!(gone, "cannot start `/usr/bin/no-such-program`: No such file or directory (os error 2)");
    let mut spec = sh("true");
    spec.system = false;
    let bare = run(spec).await.unwrap_err().to_string();
    assert!(bare.starts_with("cannot start `/usr/bin/dash`"), "without its libraries: {bare}");
    let gone =
        run(shown(sh("true"), &place.path().join("gone"), ChildAccess::Read)).await.unwrap_err().to_string();
    assert!(gone.contains("gone` to it: No such file"), "{gone}");
    let mut spec = sh("true");
    spec.args.push("a\0b".into());
    assert!(run(spec).await.unwrap_err().to_string().contains("zero byte"));
    if is_root() {
        let folder = place.path().join("roots");
        std::fs::create_dir(&folder).unwrap();
        let refused = run(shown(sh("true"), &folder, ChildAccess::Write)).await.unwrap_err();
        assert!(matches!(&refused, ChildHalt::Start(ChildError::Reach { what: "write", .. })), "{refused}");
    }
}

#[tokio::test]
async fn without_a_wall_that_it_needs_nothing_starts() {
    for (gone, named) in [
        (vec![Wall::Files], "landlock-files"),
        (vec![Wall::Calls], "seccomp"),
        (vec![Wall::Namespaces, Wall::Scopes], "landlock-scopes"),
        (vec![Wall::Namespaces, Wall::ProcessGroup], "starting processes without end"),
    ] {
        let poorer = Arc::new(gone.iter().fold((*walls()).clone(), |walls, wall| walls.without(*wall)));
        let refused = run_child(sh("echo ran"), b"", poorer.clone()).await.unwrap_err();
        assert!(matches!(refused, ChildHalt::Start(ChildError::Missing(_))), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
        let mut spec = sh("echo ran");
        spec.unconfined = true;
        assert_eq!(said_behind(spec, poorer).await, "ran\n", "with what there is, as was written");
    }
}

#[test]
fn attack_28_the_walls_hold_for_an_ordinary_user_too() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let tests = place.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let mut user = std::process::Command::new("setpriv");
    user.args(["--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all"]);
    let ended = user.arg(tests).args(["child::", "--test-threads=2"]).current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("attack_28"), "{said}");
}
