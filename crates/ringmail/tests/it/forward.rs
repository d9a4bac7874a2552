//! Records that are sent on: every one arrives, in whatever way receivers and senders end in the middle.

use crate::peer::{Asked, Peer};
use crate::providers::secret_file;
use crate::registries::Served;
use crate::serve::{Serving, call, key_of};
use crate::setup::Place;
use crate::toolchains::debian;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A project with something on record.
fn recorded(forward: &str, runs: usize) -> Place {
    let place = Place::empty();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write("chains/t.yaml", "chain: t\noutput: done\n");
    place.write("ringmail.toml", forward);
    for _ in 0..runs {
        assert_eq!(place.run(&["run", "t"]).code, 0);
    }
    place
}

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn number(value: &Value, key: &str) -> u64 {
    match value.get(key) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap(),
        other => panic!("{key} is {other:?}"),
    }
}

/// The numbers of the records in lines of JSON, each of which says of which log it is.
fn places(lines: &str) -> Vec<u64> {
    let place = |line: &str| {
        let line = read(line);
        assert!(line.get("log").unwrap().as_str().unwrap().starts_with("ringmail/"));
        assert!(line.get("record").unwrap().get("kind").is_some());
        number(&line, "at")
    };
    lines.lines().map(place).collect()
}

fn behind(place: &Place) -> (u64, u64, Option<String>) {
    let told = place.run(&["audit", "forward", "--status", "--format", "json"]);
    let one = read(&told.out).as_list().unwrap().iter().next().unwrap().clone();
    let failed = one.get("failed").and_then(Value::as_str).map(String::from);
    (number(&one, "arrived"), number(&one, "behind"), failed)
}

#[test]
fn a_file_takes_records_in_order_and_begins_anew_when_it_is_full() {
    let text =
        "[forward.a]\nto = \"file\"\naddress = \"out/records\"\nmax = \"<MAX>\"\nkeep = <KEEP>\nbatch = 2\n";
    for (max, keep, files) in [("1MiB", 3, 1), ("1B", 3, 4), ("1B", 1, 2)] {
        let place = recorded(&text.replace("<MAX>", max).replace("<KEEP>", &keep.to_string()), 6);
        assert_eq!(behind(&place), (0, 6, None));
        let ended = place.run(&["audit", "forward"]);
        assert_eq!(
            (ended.code, ended.out.trim()),
            (0, "a  6 records arrived, in 3 sendings"),
            "{}",
            ended.shown()
        );
        let mut all = Vec::new();
        for name in ["records.4", "records.3", "records.2", "records.1", "records"] {
            all.push(std::fs::read_to_string(place.path().join("out").join(name)).unwrap_or_default());
        }
        assert_eq!(all.iter().filter(|text| !text.is_empty()).count(), files, "{max} {keep}");
        let kept = places(&all.concat());
        assert_eq!(kept, (6 - kept.len() as u64..6).collect::<Vec<_>>());
        assert!(kept.len() == if files == 1 { 6 } else { files });
        assert_eq!(behind(&place), (6, 0, None));
        assert_eq!(place.run(&["audit", "forward"]).out.trim(), "a  0 records arrived, in 0 sendings");
    }
}

#[test]
fn lines_over_http_arrive_when_the_receiver_says_so() {
    let good = Arc::new(AtomicBool::new(false));
    let taken = good.clone();
    let peer = Peer::start(move |asked| {
        assert_eq!((asked.method.as_str(), asked.header("content-type")), ("POST", "application/x-ndjson"));
        assert_eq!(asked.header("authorization"), "Bearer who-takes-records");
        // An answer need not say anything.
        (if taken.load(Ordering::Relaxed) { 204 } else { 503 }, String::new())
    });
    let text = format!(
        "[secret.own]\nfrom = \"file:own\"\nbound_to = [\"{0}\"]\n[forward.a]\nto = \"http\"\naddress = \"{0}/in\"\nsecret = \"own\"\nbatch = 2\n",
        peer.url()
    );
    let place = recorded(&text, 0);
    secret_file(&place, "own", "who-takes-records");
    (0..5).for_each(|_| assert_eq!(place.run(&["run", "t"]).code, 0));
    let failed = place.run(&["audit", "forward"]);
    assert!(failed.code == 1 && failed.err.contains("it answers 503"), "{}", failed.shown());
    assert_eq!(behind(&place).0, 0);
    good.store(true, Ordering::Relaxed);
    assert_eq!(place.run(&["audit", "forward"]).out.trim(), "a  5 records arrived, in 3 sendings");
    let bodies: Vec<String> = peer.asked().iter().skip(1).map(|asked| asked.body.clone()).collect();
    assert_eq!(places(&bodies.concat()), [0, 1, 2, 3, 4]);
    assert!(!place.recorded().contains("who-takes-records"));
    // A secret that is not bound there is not sent there.
    let elsewhere = place
        .read("ringmail.toml")
        .replace("bound_to = [\"http://127.0.0.1", "bound_to = [\"http://127.0.0.2");
    place.write("ringmail.toml", &elsewhere);
    assert_eq!(place.run(&["run", "t"]).code, 0);
    assert!(place.run(&["audit", "forward"]).err.contains("is not bound to"));
}

/// Holds a body against what OTLP says of logs in JSON; the numbers of the records.
fn otlp(asked: &Asked) -> Vec<u64> {
    assert_eq!((asked.path.as_str(), asked.header("content-type")), ("/v1/logs", "application/json"));
    let body = read(&asked.body);
    let only = |value: &Value, key: &str| {
        let list = value.get(key).unwrap().as_list().unwrap().clone();
        assert_eq!(list.len(), 1);
        list.iter().next().unwrap().clone()
    };
    let resource = only(&body, "resourceLogs");
    let named = only_attribute(resource.get("resource").unwrap(), "service.name");
    assert_eq!(named.get("stringValue").unwrap().as_str(), Some("ringmail"));
    let logs = only(&resource, "scopeLogs").get("logRecords").unwrap().as_list().unwrap().clone();
    let one = |log: &Value| {
        let nanos = log.get("timeUnixNano").unwrap().as_str().unwrap();
        assert!(nanos.len() == 19 && nanos.parse::<u64>().is_ok(), "{nanos}");
        assert!(matches!(log.get("severityNumber"), Some(Value::Int(9))));
        let record = log.get("body").unwrap().get("stringValue").unwrap().as_str().unwrap();
        assert!(read(record).get("at_ms").is_some());
        only_attribute(log, "ringmail.at").get("intValue").unwrap().as_str().unwrap().parse().unwrap()
    };
    logs.iter().map(one).collect()
}

fn only_attribute(of: &Value, key: &str) -> Value {
    let list = of.get("attributes").unwrap().as_list().unwrap().clone();
    let found = list.iter().find(|one| one.get("key").unwrap().as_str() == Some(key));
    found.unwrap().get("value").unwrap().clone()
}

#[test]
fn otlp_takes_records_and_what_it_does_not_take_is_sent_again() {
    let count = AtomicUsize::new(0);
    let peer = Peer::start(move |asked| {
        otlp(asked);
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => {
                (200, "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"full\"}}".into())
            }
            _ => (200, "{\"partialSuccess\":{}}".into()),
        }
    });
    let place = recorded(&format!("[forward.a]\nto = \"otlp\"\naddress = \"{}/v1/logs\"\n", peer.url()), 3);
    assert!(place.run(&["audit", "forward"]).err.contains("it does not take all of them"));
    assert_eq!(behind(&place).0, 0);
    assert_eq!(place.run(&["audit", "forward"]).code, 0);
    assert_eq!(otlp(peer.asked().last().unwrap()), [0, 1, 2]);
}

/// Takes syslog as RFC 5424 and 5425 have it; the records of a connection, if all of it is there.
fn syslog(mut bytes: &[u8]) -> Vec<u64> {
    let mut lines = String::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').expect("a length");
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let message = std::str::from_utf8(&bytes[space + 1..space + 1 + length]).unwrap();
        bytes = &bytes[space + 1 + length..];
        let words: Vec<&str> = message.splitn(8, ' ').collect();
        let [head, time, host, app, process, id, data, text] = words[..] else { panic!("{message}") };
        assert_eq!((head, host, app, process, data), ("<109>1", "-", "ringmail", "-", "-"), "{message}");
        assert!(id == "run" || id.starts_with("forward-"), "{message}");
        assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
        lines.push_str(text);
        lines.push('\n');
    }
    places(&lines)
}

struct Receiver {
    port: u16,
    got: Arc<Mutex<Vec<u64>>>,
    /// Connections that are cut off before anything was read to its end.
    cuts: Arc<AtomicUsize>,
}

/// A receiver of syslog; over TLS with this key and certificate.
fn receiver(tls: Option<Arc<rustls::ServerConfig>>) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (got, cuts) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (log, cut) = (got.clone(), cuts.clone());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            if cut.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                // Something is read, and the rest is still on its way: this is how a receiver dies.
                let _some = stream.read(&mut [0; 16]);
                continue;
            }
            let mut bytes = Vec::new();
            let whole = match &tls {
                None => stream.read_to_end(&mut bytes),
                Some(config) => {
                    let talk = rustls::ServerConnection::new(config.clone()).unwrap();
                    rustls::StreamOwned::new(talk, &mut stream).read_to_end(&mut bytes)
                }
            };
            if whole.is_ok() {
                log.lock().unwrap().extend(syslog(&bytes));
            }
        }
    });
    Receiver { port, got, cuts }
}

fn tls_of(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> rustls::ServerConfig {
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap()
}

#[test]
fn syslog_goes_over_tls_to_whom_the_project_believes() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let receiver = receiver(Some(Arc::new(tls_of(&made))));
    let text = format!(
        "[forward.a]\nto = \"syslog\"\naddress = \"tls://localhost:{}\"\nresolves_to = [\"127.0.0.0/8\", \"::1\"]\n",
        receiver.port
    );
    let place = recorded(&text, 4);
    let stranger = place.run(&["audit", "forward"]);
    assert!(stranger.code == 1 && stranger.err.contains("UnknownIssuer"), "{}", stranger.shown());
    place.write("ca.pem", &made.cert.pem());
    place.write("ringmail.toml", &format!("{text}[net]\nextra_roots = [\"ca.pem\"]\n"));
    let ended = place.run(&["audit", "forward"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert_eq!(*receiver.got.lock().unwrap(), [0, 1, 2, 3]);
    let hidden = format!("{text}[net]\nextra_roots = [\"ca.pem\"]\n")
        .replace("resolves_to = [\"127.0.0.0/8\", \"::1\"]\n", "");
    place.write("ringmail.toml", &hidden);
    assert_eq!(place.run(&["run", "t"]).code, 0);
    let special = place.run(&["audit", "forward"]);
    assert!(special.err.contains("leads to a loopback address"), "{}", special.err);
}

#[test]
fn attack_42_nothing_is_lost_when_receiver_and_sender_are_cut_off_in_the_middle() {
    let receiver = receiver(None);
    let text =
        format!("[forward.a]\nto = \"syslog\"\naddress = \"tcp://127.0.0.1:{}\"\nbatch = 3\n", receiver.port);
    let place = recorded(&text, 0);
    let mut seed = 7_u32;
    for round in 0..6 {
        receiver.cuts.store(round % 3, Ordering::Relaxed);
        let mut command = place.command(&["audit", "forward", "--follow"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..4 {
            assert_eq!(place.run(&["run", "t"]).code, 0);
        }
        // At any moment of what it does.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(std::time::Duration::from_millis(u64::from(seed >> 25)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    receiver.cuts.store(0, Ordering::Relaxed);
    let ended = place.run(&["audit", "forward"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let got: BTreeSet<u64> = receiver.got.lock().unwrap().iter().copied().collect();
    let (arrived, behind, _) = behind(&place);
    assert_eq!((got, behind), ((0..arrived).collect(), 0));
    assert!(arrived >= 24);
}

#[test]
fn a_server_answers_while_a_receiver_is_gone_and_tells_how_far_behind_it_is() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let text = format!(
        "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[[principal]]\nname = \"me\"\n[forward.a]\nto = \"syslog\"\naddress = \"tcp://127.0.0.1:{port}\"\n"
    );
    let place = recorded(&text, 1);
    let key = key_of(&place, "me");
    let mut serving = Serving::start(&place, 1);
    serving.says("records do not arrive at `a`");
    for _ in 0..3 {
        assert_eq!(
            call(&format!("{}/chains/t", serving.urls[0]), &key, "null", None),
            (200, "\"done\"".into())
        );
    }
    let (arrived, missing, why) = behind(&place);
    assert!(arrived == 0 && missing >= 4 && why.unwrap().contains("refused"), "{missing}");
    let text = place.run(&["audit", "forward", "--status"]).out;
    assert!(text.starts_with("a  0 arrived, ") && text.contains(" behind: "), "{text}");
    // It is there again, in its old place.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    stream.flush().unwrap();
    drop(stream);
    let got = syslog(&bytes);
    assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>());
    assert!(got.len() >= 4);
    serving.says("records arrive at `a` again");
    let recorded = place.recorded();
    assert!(
        recorded.contains("\"stage\":\"forward-behind\"")
            && recorded.contains("\"stage\":\"forward-resumed\"")
    );
}

#[test]
fn what_a_receiver_cannot_take_is_told_at_once() {
    for (text, why) in [
        ("to = \"syslog\"\naddress = \"tcp://logs.test:514\"", "records go elsewhere over `tls`"),
        ("to = \"syslog\"\naddress = \"tls://logs.test\"", "a receiver of syslog is a host and a port"),
        ("to = \"syslog\"\naddress = \"udp://127.0.0.1:514\"", "is `tls://host:port`"),
        ("to = \"http\"\naddress = \"http://logs.test/\"", "records go elsewhere over `https`"),
        ("to = \"file\"\naddress = \"x\"\nsecret = \"own\"", "`secret` is not for `to = \"file\"`"),
        ("to = \"otlp\"\naddress = \"https://logs.test/\"\nsecret = \"none\"", "there is no secret `none`"),
        (
            "to = \"otlp\"\naddress = \"https://logs.test/\"\nresolves_to = [\"all\"]",
            "`all` is not an address",
        ),
    ] {
        let told = recorded(&format!("[forward.a]\n{text}\n"), 0).run(&["check"]);
        assert!(told.code == 1 && told.err.contains(why), "{why}: {}", told.shown());
    }
    let none = recorded("", 0).run(&["audit", "forward"]);
    assert!(none.code == 1 && none.err.contains("the project has no receiver of records"), "{}", none.err);
}

/// The first time, it answers with what is no TLS once it was told that this is the end.
#[test]
fn what_a_receiver_says_after_the_end_ends_nothing() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let config = Arc::new(tls_of(&made));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let got = Arc::new(Mutex::new(Vec::new()));
    let log = got.clone();
    std::thread::spawn(move || {
        for (at, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut bytes = Vec::new();
            let mut talk = rustls::ServerConnection::new(config.clone()).unwrap();
            let whole = rustls::Stream::new(&mut talk, &mut stream).read_to_end(&mut bytes);
            if at == 0 {
                let _gone = stream.write_all(&[0xff; 64]);
            } else if whole.is_ok() {
                log.lock().unwrap().extend(syslog(&bytes));
            }
        }
    });
    let text = format!(
        "[forward.a]\nto = \"syslog\"\naddress = \"tls://localhost:{port}\"\nresolves_to = [\"127.0.0.0/8\", \"::1\"]\n[net]\nextra_roots = [\"ca.pem\"]\n"
    );
    let place = recorded("", 3);
    place.write("ca.pem", &made.cert.pem());
    place.write("ringmail.toml", &text);
    let mut command = place.command(&["audit", "forward", "--follow"]);
    let sender = Served(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), 0);
    until("all arrived", || [0, 1, 2].iter().all(|at| got.lock().unwrap().contains(at)));
    drop(sender);
    assert!(place.recorded().contains("\"stage\":\"forward-behind\""));
}

/// Waits for something that takes no minute on any machine.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 60, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The one of Debian, with all it is made of.
fn rsyslog(place: &Place, port: u16) -> Served {
    const PACKAGES: &[&str] = &["rsyslog", "rsyslog-openssl", "libestr0", "libfastjson4"];
    let root = debian("rsyslog", || PACKAGES.iter().map(|name| name.to_string()).collect());
    let folder = place.path().display();
    let text = format!(
        "global(workDirectory=\"{folder}\" maxMessageSize=\"256k\" defaultNetstreamDriverCAFile=\"{folder}/ca.pem\" \
         defaultNetstreamDriverCertFile=\"{folder}/ca.pem\" defaultNetstreamDriverKeyFile=\"{folder}/key.pem\")\n\
         module(load=\"imtcp\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
         template(name=\"whole\" type=\"string\" string=\"%syslogseverity% %app-name% %msgid% %msg%\\n\")\n\
         ruleset(name=\"here\") {{ action(type=\"omfile\" file=\"{folder}/got\" template=\"whole\") }}\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\" ruleset=\"here\")\n"
    );
    let conf = place.write("rsyslog.conf", &text);
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let child = std::process::Command::new(root.join("usr/sbin/rsyslogd"))
        .arg("-n")
        .arg("-f")
        .arg(conf)
        .args(["-i", &format!("{folder}/rsyslog.pid"), "-M"])
        .arg(libraries.join("rsyslog"))
        .env("LD_LIBRARY_PATH", &libraries)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.path().join("rsyslog.err")).unwrap())
        .spawn()
        .unwrap();
    let served = Served(child, port);
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let began = std::time::Instant::now();
    while !listens() {
        assert!(began.elapsed().as_secs() < 60, "{}", place.read("rsyslog.err"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    served
}

#[test]
fn attack_42_a_receiver_of_syslog_that_ends_and_comes_back_misses_nothing() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[forward.a]\nto = \"syslog\"\naddress = \"tls://localhost:{port}\"\nresolves_to = [\"127.0.0.0/8\", \"::1\"]\nbatch = 4\n[net]\nextra_roots = [\"ca.pem\"]\n"
    );
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    let place = recorded("", 0);
    place.write("ca.pem", &made.cert.pem());
    place.write("key.pem", &made.signing_key.serialize_pem());
    place.write("ringmail.toml", &text);
    let mut command = place.command(&["audit", "forward", "--follow"]);
    let sender = Served(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), 0);
    let got = place.path().join("got");
    let read_so_far = || std::fs::read_to_string(&got).unwrap_or_default();
    for _ in 0..3 {
        let receiver = rsyslog(&place, port);
        let before = read_so_far().len();
        for _ in 0..5 {
            assert_eq!(place.run(&["run", "t"]).code, 0);
        }
        // It takes some, and ends at any moment of that; what it has taken, it writes.
        until("something came", || read_so_far().len() > before);
        let mut receiver = receiver;
        let ended = std::process::Command::new("kill").arg(receiver.0.id().to_string()).status();
        assert!(ended.unwrap().success());
        receiver.0.wait().unwrap();
        assert_eq!(place.run(&["run", "t"]).code, 0);
    }
    let _receiver = rsyslog(&place, port);
    until("all was sent", || behind(&place).1 == 0);
    let arrived = behind(&place).0;
    drop(sender);
    let written = || -> BTreeSet<u64> {
        let text = read_so_far();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let record = |line: &str| {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let [severity, app, _, record] = words[..] else { panic!("{line}") };
            assert_eq!((severity, app), ("5", "ringmail"), "{line}");
            record.to_string() + "\n"
        };
        places(&whole.lines().map(record).collect::<String>()).into_iter().collect()
    };
    // What it has in its memory, it writes.
    until("all was written", || (0..arrived).all(|at| written().contains(&at)));
    assert!(arrived >= 18);
}
