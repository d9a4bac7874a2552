//! Requests out: addresses, redirects, sizes, times.

use crate::server::{answer, json_answer, serve, serve_slowly};
use crate::setup::{PERMIT_ALL, bench, bench_with, shown};
use ringmail_engine::{Resolve, Resolving};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn grant(rules: &str) -> String {
    format!("[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{rules}]\n")
}

fn get(url: &str) -> String {
    format!(
        "chain: t\nlinks:\n  get: {{kind: http, timeout: 2s, with: {{url: '{url}'}}}}\noutput: ${{get.body}}"
    )
}

#[tokio::test]
async fn answers_are_read_by_their_type_or_as_asked() {
    let server = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/json" => json_answer(r#"{"a": [1, 2.5]}"#),
        "/text" => answer(200, "content-type: text/plain\r\n", "hé\n".as_bytes()),
        "/missing" => answer(404, "", b"no"),
        "/busy" => answer(503, "", b""),
        "/bad" => answer(200, "content-type: application/json\r\n", br#"{"a": 1, "a": 2}"#),
        _ => answer(200, "", b"\xff\xfe"),
    })
    .await;
    let bench = bench(&grant(&format!("{{ address = \"{}\" }}", server.url(""))), PERMIT_ALL);
    let run = async |path: &str, more: &str| {
        let chain = format!(
            "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}'{more}}}}}\noutput: ${{get.body}}",
            server.url(path)
        );
        shown(&bench.run(&[&chain], "{}").await)
    };
    assert_eq!(run("/json", "").await, r#"{"a":[1,2.5]}"#);
    assert_eq!(run("/json", ", as: text").await, r#""{\"a\": [1, 2.5]}""#);
    assert_eq!(run("/text", ", as: lines").await, r#"["hé"]"#);
    assert_eq!(run("/bytes", ", as: base64").await, r#""//4=""#);
    assert_eq!(
        run("/bytes", "").await,
        "`t.get` failed: invalid: the answer is not UTF-8 text; read it `as: base64`"
    );
    assert_eq!(
        run("/bad", "").await,
        "`t.get` failed: invalid: the answer is not JSON: a key stands twice at line 1, column 10"
    );
    assert_eq!(
        run("/missing", "").await,
        format!("`t.get` failed: status: `{}` answered 404", server.url(""))
    );
    assert_eq!(run("/missing", ", expect: any").await, "\"no\"");
    assert_eq!(
        run("/busy", "").await,
        format!("`t.get` failed: unavailable: `{}` answered 503", server.url(""))
    );
}

#[tokio::test]
async fn a_body_is_bytes_where_its_link_says_so() {
    let server = serve(|request| answer(200, "content-type: text/plain\r\n", request.as_bytes())).await;
    let net = format!("{{ address = \"{}\", methods = [\"POST\"] }}", server.url(""));
    let bench = bench(&grant(&net), PERMIT_ALL);
    let run = async |with: &str| {
        let chain = format!(
            "chain: t\nlinks:\n  post: {{kind: http, with: {{method: POST, url: '{}', {with}}}}}\noutput: ${{post.body}}",
            server.url("/")
        );
        shown(&bench.run(&[&chain], "{}").await)
    };
    let sent = run("body: eC15, body_as: base64").await;
    assert!(sent.contains("content-type: application/octet-stream") && sent.ends_with("x-y\""), "{sent}");
    let sent = run("body: eC15").await;
    assert!(sent.contains("content-type: text/plain") && sent.ends_with("eC15\""), "{sent}");
    assert!(run("body: 'x y', body_as: base64").await.contains("`body` is not base64, as `body_as` says"));
    assert!(run("body: [1], body_as: base64").await.contains("`body` must be a text"));
}

#[tokio::test]
async fn a_request_says_what_was_written_and_connections_are_kept() {
    let server = serve(|_| json_answer("{}")).await;
    let bench =
        bench(&grant(&format!("{{ address = \"{}\", methods = [\"POST\"] }}", server.url(""))), PERMIT_ALL);
    let chain = format!(
        "chain: t\nlinks:\n  post: {{kind: http, with: {{method: POST, url: '{}', query: {{q: 'a&b', n: [1, 2]}}, headers: {{x-one: 1}}, body: {{a: [true]}}}}}}\noutput: ${{post.status}}",
        server.url("/p?x=1")
    );
    assert_eq!(shown(&bench.run(&[&chain], "{}").await), "200");
    assert_eq!(shown(&bench.run(&[&chain], "{}").await), "200");
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /p?x=1&q=a%26b&n=1&n=2 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)) && request.contains("x-one: 1\r\n"));
    assert!(request.ends_with("\r\n\r\n{\"a\":[true]}"), "{request}");
}

#[tokio::test]
async fn attack_01_02_what_is_not_granted_is_not_called() {
    let server = serve(|_| json_answer("{}")).await;
    let port = server.address.port();
    let bench = bench(
        &grant(&format!(
            "{{ address = \"http://127.0.0.1:{port}\" }}, {{ address = \"https://*.example.com\" }}"
        )),
        PERMIT_ALL,
    );
    let refused = async |url: &str| {
        let chain = "chain: t\nlinks:\n  get: {kind: http, with: {url: '${input}'}}\noutput: 1";
        let shown = shown(&bench.run(&[chain], &format!("\"{url}\"")).await);
        shown.split(':').next().unwrap().to_string()
    };
    for url in [
        "https://evilexample.com/",
        "https://example.com/",
        "http://a.example.com/",
        "https://a.example.com:22/",
        "http://localhost/",
        "http://[::1]/",
        "https://127.0.0.1/",
    ] {
        assert_eq!(refused(url).await, "refused no-grant", "{url}");
    }
    for url in [
        "https://a.example.com@evil.test/",
        "ftp://a.example.com/",
        "https://a.example.com/ x",
        "nonsense",
        "https://u:p@a.example.com/",
    ] {
        assert_eq!(refused(url).await, "refused bad-address", "{url}");
    }
    assert_eq!(
        refused(&format!("http://127.1:{port}/")).await,
        "1",
        "another spelling of the granted address"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn attack_03_every_redirect_is_judged_anew_and_credentials_stay_behind() {
    let other = serve(|_| json_answer(r#""other""#)).await;
    let target = other.url("/landed");
    let server = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/away" => answer(302, &format!("location: {target}\r\n"), b""),
        "/keep" => answer(307, &format!("location: {target}\r\n"), b""),
        "/inner" => answer(302, "location: /away2\r\n", b""),
        "/away2" => json_answer(r#""inner""#),
        "/file" => answer(302, "location: file:///etc/passwd\r\n", b""),
        "/loop" => answer(302, "location: /loop\r\n", b""),
        _ => answer(302, "location: http://169.254.169.254/latest\r\n", b""),
    })
    .await;
    let one = format!("{{ address = \"{}\", methods = [\"GET\", \"POST\"], trusted = [] }}", server.url(""));
    let both =
        format!("{one}, {{ address = \"{}\", methods = [\"GET\", \"POST\"], trusted = [] }}", other.url(""));
    let narrow = bench(&grant(&one), PERMIT_ALL);
    let wide = bench(&grant(&both), PERMIT_ALL);
    let chain = |path: &str, method: &str| {
        format!(
            "chain: t\nlinks:\n  get: {{kind: http, with: {{method: {method}, url: '{}', headers: {{authorization: 'Basic x', cookie: c}}{}}}}}\noutput: ${{get.body}}",
            server.url(path),
            if method == "POST" { ", body: {secret: 1}" } else { "" }
        )
    };
    assert!(shown(&narrow.run(&[&chain("/away", "GET")], "{}").await).starts_with("refused no-grant"));
    assert!(other.requests().is_empty());
    assert_eq!(shown(&wide.run(&[&chain("/away", "GET")], "{}").await), "\"other\"");
    assert!(
        !other.requests()[0].contains("authorization") && !other.requests()[0].contains("cookie"),
        "{}",
        other.requests()[0]
    );
    assert_eq!(shown(&wide.run(&[&chain("/inner", "GET")], "{}").await), "\"inner\"");
    assert!(
        shown(&wide.run(&[&chain("/keep", "POST")], "{}").await)
            .starts_with("refused bad-address: a redirect would send the body on")
    );
    assert_eq!(shown(&wide.run(&[&chain("/away", "POST")], "{}").await), "\"other\"");
    assert!(!other.requests()[1].contains("secret"), "a 302 drops the body");
    assert!(shown(&wide.run(&[&chain("/file", "GET")], "{}").await).starts_with("refused bad-address"));
    assert!(shown(&wide.run(&[&chain("/metadata", "GET")], "{}").await).starts_with("refused no-grant"));
    assert_eq!(
        shown(&wide.run(&[&chain("/loop", "GET")], "{}").await),
        "`t.get` failed: status: more than 5 redirects"
    );
    assert_eq!(other.requests().len(), 2);
}

/// A resolver that answers from a list, one answer after the other, and counts what it is asked.
struct Scripted {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Scripted> {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Scripted { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

impl Resolve for Scripted {
    fn resolve<'r>(&'r self, _: &'r str) -> Resolving<'r> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { Vec::new() } else { answers.remove(0) };
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn attack_04_05_the_checked_address_is_the_one_connected_to() {
    let server = serve(|_| json_answer(r#""reached""#)).await;
    let port = server.address.port();
    let named = format!("{{ address = \"http://name.test:{port}\" }}");
    let url = format!("http://name.test:{port}/");
    for ips in [
        &["127.0.0.1"][..],
        &["10.0.0.1"],
        &["93.184.216.34", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
    ] {
        let resolver = Scripted::new(&[ips]);
        let bench = bench_with(&grant(&named), PERMIT_ALL, |builder| builder.resolver(resolver));
        let refused = shown(&bench.run(&[&get(&url)], "{}").await);
        assert!(refused.starts_with("refused special-address: `http://name.test:"), "{ips:?}: {refused}");
    }
    assert!(server.requests().is_empty());
    // Asked once, and what it answered is connected to: an answer that changes afterwards changes nothing.
    let resolver = Scripted::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let granted = format!("{{ address = \"http://name.test:{port}\", resolves_to = [\"127.0.0.0/8\"] }}");
    let bench = bench_with(&grant(&granted), PERMIT_ALL, |builder| builder.resolver(resolver.clone()));
    assert_eq!(shown(&bench.run(&[&get(&url)], "{}").await), "\"reached\"");
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn attack_06_a_name_outside_the_grant_is_never_looked_up() {
    let resolver = Scripted::new(&[]);
    let bench = bench_with(&grant("{ address = \"https://a.example.com\" }"), PERMIT_ALL, |builder| {
        builder.resolver(resolver.clone())
    });
    let chain = "chain: t\nlinks:\n  get: {kind: http, with: {url: '${input}'}}\noutput: 1";
    assert!(
        shown(&bench.run(&[chain], r#""https://leaked-data.evil.test/""#).await)
            .starts_with("refused no-grant")
    );
    assert_eq!(resolver.asked.load(Ordering::Relaxed), 0);
    assert_eq!(
        shown(&bench.run(&[chain], r#""https://a.example.com/""#).await),
        "`t.get` failed: unavailable: `a.example.com` has no address"
    );
}

#[tokio::test]
async fn attack_07_large_packed_and_trickling_answers_are_cut() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        gzip.write_all(&vec![0_u8; 1 << 20]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    let server = serve_slowly(
        move |request| match request.split(' ').nth(1).unwrap() {
            "/bomb" => vec![answer(200, "content-encoding: gzip\r\n", &bomb)],
            "/zstd" => vec![answer(200, "content-encoding: zstd\r\n", b"x")],
            "/twice" => vec![answer(200, "content-encoding: gzip, gzip\r\n", b"x")],
            "/broken" => vec![answer(200, "content-encoding: gzip\r\n", b"not gzip")],
            "/large" => vec![answer(200, "", &vec![b'x'; (1 << 20) + 1])],
            "/endless" => (0..5000).map(|_| b"HTTP/1.1 200 X\r\n\r\n".to_vec()).collect(),
            _ => std::iter::once(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n".to_vec())
                .chain((0..1000).map(|_| b"x".to_vec()))
                .collect(),
        },
        1,
    )
    .await;
    let bench = bench(
        &grant(&format!("{{ address = \"{}\", response_max = \"1MiB\" }}", server.url(""))),
        PERMIT_ALL,
    );
    let too_large = "`t.get` failed: too-large: the answer is larger than 1048576 bytes";
    assert_eq!(shown(&bench.run(&[&get(&server.url("/bomb"))], "{}").await), too_large);
    assert_eq!(shown(&bench.run(&[&get(&server.url("/large"))], "{}").await), too_large);
    assert_eq!(
        shown(&bench.run(&[&get(&server.url("/zstd"))], "{}").await),
        "`t.get` failed: status: the answer is packed as `zstd`, which was not asked for"
    );
    assert!(shown(&bench.run(&[&get(&server.url("/twice"))], "{}").await).contains("packed as `gzip, gzip`"));
    assert_eq!(
        shown(&bench.run(&[&get(&server.url("/broken"))], "{}").await),
        "`t.get` failed: invalid: the answer cannot be unpacked"
    );
    let slow = get(&server.url("/slow")).replace("timeout: 2s", "timeout: 100ms");
    assert_eq!(
        shown(&bench.run(&[&slow], "{}").await),
        "`t.get` failed: timeout: it took longer than 100 ms"
    );
}

#[tokio::test]
async fn attack_08_headers_cannot_split_a_request_or_speak_for_the_connection() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&grant(&format!("{{ address = \"{}\" }}", server.url(""))), PERMIT_ALL);
    let chain = format!(
        "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}', headers: '${{input}}'}}}}\noutput: 1",
        server.url("/")
    );
    for headers in [
        r#"{"x": "a\r\nhost: evil"}"#,
        r#"{"x": "a\nb"}"#,
        r#"{"x\r\ny": "a"}"#,
        r#"{"host": "evil"}"#,
        r#"{"Content-Length": "0"}"#,
        r#"{"transfer-encoding": "chunked"}"#,
        r#"{"x y": "a"}"#,
        r#"{"": "a"}"#,
        r#"{"x": "a\u0000"}"#,
        r#"{"proxy-authorization": "x"}"#,
    ] {
        let refused = shown(&bench.run(&[&chain], headers).await);
        assert!(refused.starts_with("refused bad-address"), "{headers}: {refused}");
    }
    assert!(server.requests().is_empty());
    assert_eq!(shown(&bench.run(&[&chain], r#"{"x": "a b", "Accept": "text/*"}"#).await), "1");
}

#[tokio::test]
async fn two_links_with_different_grants_gain_nothing_from_each_other() {
    let (a, b) = (serve(|_| json_answer("1")).await, serve(|_| json_answer("2")).await);
    let project = format!(
        "[[grant]]\nto = \"t.a\"\nreason = \"r\"\nnet = [{{ address = \"{}\" }}]\n[[grant]]\nto = \"t.b\"\nreason = \"r\"\nnet = [{{ address = \"{}\" }}]\n",
        a.url(""),
        b.url("")
    );
    let bench = bench(&project, PERMIT_ALL);
    let chain = |first: &str, second: &str| {
        format!(
            "chain: t\nlinks:\n  a: {{kind: http, with: {{url: '{first}'}}}}\n  b: {{kind: http, after: [a], with: {{url: '{second}'}}}}\noutput: ${{[a.body, b.body]}}"
        )
    };
    assert_eq!(shown(&bench.run(&[&chain(&a.url("/"), &b.url("/"))], "{}").await), "[1,2]");
    assert!(bench.problems(&chain(&a.url("/"), &a.url("/"))).contains("nothing grants `t.b` the use of"));
}

#[tokio::test]
async fn lines_are_passed_on_as_they_come() {
    let server = serve_slowly(
        |_| {
            vec![
                b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
                b"6\r\none\ntw\r\n".to_vec(),
                b"7\r\no\nthree\r\n".to_vec(),
                b"0\r\n\r\n".to_vec(),
            ]
        },
        5,
    )
    .await;
    let bench = bench(&grant(&format!("{{ address = \"{}\" }}", server.url(""))), PERMIT_ALL);
    let chain = format!(
        "chain: t\nstream: get\nlinks:\n  get: {{kind: http, with: {{url: '{}', as: lines}}}}\noutput: ${{size(get.body)}}",
        server.url("/")
    );
    let chain =
        bench.engine.load(&[ringmail_engine::core::doc::Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let run = tokio::spawn(
        chain
            .request(crate::setup::json("{}"))
            .unwrap()
            .principal(crate::setup::alice())
            .pieces(sender)
            .run(),
    );
    let mut pieces = Vec::new();
    while let Some(piece) = receiver.recv().await {
        pieces.push(piece.as_str().unwrap().to_string());
    }
    assert_eq!(pieces, ["one", "two", "three"]);
    assert_eq!(shown(&run.await.unwrap()), "3");
}

/// Runs the chain `t` and gives the pieces and the end.
async fn streamed(bench: &crate::setup::Bench, chain: &str, input: &str) -> (Vec<String>, String) {
    let source = ringmail_engine::core::doc::Source::new("t.yaml", chain);
    let chain = bench.engine.load(&[source]).unwrap().remove(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let request = chain.request(crate::setup::json(input)).unwrap().principal(crate::setup::alice());
    let run = tokio::spawn(request.pieces(sender).run());
    let mut pieces = Vec::new();
    while let Some(piece) = receiver.recv().await {
        pieces.push(piece.as_str().unwrap().to_string());
    }
    (pieces, shown(&run.await.unwrap()))
}

/// A server that repeated a key in the middle of its answer got it past the gate line by line: the tag was put on
/// only once the answer had ended.
#[tokio::test]
async fn attack_38_a_line_that_repeats_a_secret_is_not_passed_on() {
    let server = serve(|_| answer(200, "", b"one\nyour key: hunter2-hunter2\nthree\n")).await;
    let project = format!(
        "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n{1}",
        server.url(""),
        grant(&format!("{{ address = \"{}\" }}", server.url("")))
    );
    let bench =
        crate::setup::bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", "hunter2-hunter2"));
    let chain = format!(
        "chain: t\nstream: get\nlinks:\n  get: {{kind: http, with: {{url: '{}', as: lines, headers: {{x-key: '${{secrets.key}}'}}}}}}\noutput: ${{get.body}}",
        server.url("/")
    );
    let (pieces, end) = streamed(&bench, &chain, "{}").await;
    assert_eq!(pieces, ["one"]);
    assert!(end.starts_with("refused clearance"), "{end}");
}

#[tokio::test]
async fn a_piece_that_the_caller_may_not_see_refuses_the_run() {
    let server = serve(|_| answer(200, "", b"one\ntwo\n")).await;
    let project = grant(&format!("{{ address = \"{}\", clearance = [\"pii\"] }}", server.url("")));
    let chain = format!(
        "chain: t\nstream: get\ninput: {{type: object, properties: {{k: {{type: string, x-ringmail-label: [pii]}}}}}}\nlinks:\n  get: {{kind: http, with: {{url: '{}', as: lines, query: {{all: '${{json(input)}}'}}}}}}\noutput: 1",
        server.url("/")
    );
    let bench = bench(&project, PERMIT_ALL);
    let (pieces, end) = streamed(&bench, &chain, r#"{"k": "x"}"#).await;
    assert_eq!(pieces, Vec::<String>::new());
    assert!(end.starts_with("refused clearance"), "{end}");
    assert_eq!(streamed(&bench, &chain, "{}").await.1, "1");
    let native = crate::setup::bench_with("", PERMIT_ALL, |builder| {
        builder.native("emit", async |ctx| {
            ctx.emit(ctx.value().clone()).await?;
            Ok(1)
        })
    });
    let chain = "chain: t\nstream: say\ninput: {type: object, properties: {k: {type: string, x-ringmail-label: [pii]}}}\nlinks:\n  say: {kind: native, call: emit, with: '${json(input)}'}\noutput: 1";
    let (pieces, end) = streamed(&native, chain, r#"{"k": "x"}"#).await;
    assert_eq!(pieces, Vec::<String>::new());
    assert!(end.starts_with("refused clearance"), "{end}");
}

/// A server behind a certificate for `name.test`.
pub struct Secure {
    pub port: u16,
    pub pem: String,
    /// SHA-256 of its certificate.
    pub print: String,
}

fn print(der: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<String>>().join(":")
}

pub async fn secure() -> Secure {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let made = rcgen::generate_simple_self_signed(vec!["name.test".to_string()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut buffer = [0_u8; 4096];
                let _read = stream.read(&mut buffer).await;
                let _sent = stream.write_all(&json_answer(r#""safe""#)).await;
            }
        }
    });
    Secure { port, pem: made.cert.pem(), print: print(made.cert.der()) }
}

#[tokio::test]
async fn tls_is_verified_against_the_roots_of_the_project() {
    let Secure { port, pem, print: own } = secure().await;
    let rule = grant(&format!("{{ address = \"https://name.test:{port}\", resolves_to = [\"127.0.0.1\"] }}"));
    let url = format!("https://name.test:{port}/");
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.1"]];
    let unknown = bench_with(&rule, PERMIT_ALL, |builder| builder.resolver(Scripted::new(answers)));
    let refused = shown(&unknown.run(&[&get(&url)], "{}").await);
    assert!(refused.starts_with("`t.get` failed: unavailable: no secure connection"), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let project = format!("{rule}[net]\nextra_roots = [\"{}\"]\n", folder.path().join("ca.pem").display());
    let known = bench_with(&project, PERMIT_ALL, |builder| builder.resolver(Scripted::new(answers)));
    assert_eq!(shown(&known.run(&[&get(&url)], "{}").await), "\"safe\"");
    // A certificate that is trusted, and not one of those that are pinned.
    for (pins, expected) in [
        (format!("\"{}\", \"{own}\"", print(b"other")), "\"safe\""),
        (format!("\"{}\"", print(b"other")), "`t.get` failed: unavailable: `https://name.test:"),
    ] {
        let pinned = project.replace("resolves_to", &format!("pins = [{pins}], resolves_to"));
        let pinned = bench_with(&pinned, PERMIT_ALL, |builder| builder.resolver(Scripted::new(answers)));
        let ended = shown(&pinned.run(&[&get(&url)], "{}").await);
        assert!(ended.starts_with(expected), "{ended}");
    }
}
