//! Forms and files through the socket: what a client says of a file counts for nothing, its bytes do.

use crate::setup::{Doors, PERMIT_ALL, Reply, WEB, within};
use ringmail_engine::Value;
use ringmail_engine::core::json::to_string;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
const GIF_BASE64: &str = "R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAkQBADs=";
const PDF: &str = "%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj\nxref\n0 1\ntrailer\nstartxref\n42\n%%EOF\n";

const MORE: &[&str] = &[
    "chain: photo
input:
  type: object
  properties:
    title: {type: string, maxLength: 20}
    count: {type: integer}
    photo: {$ref: '#/$defs/picture'}
    called: {type: string, maxLength: 40, x-ringmail-file-name: photo, x-ringmail-check: line}
    tags: {type: array, items: {type: string}}
    either:
      anyOf:
        - {contentEncoding: base64, contentMediaType: image/png}
        - {contentEncoding: base64, contentMediaType: image/gif}
  required: [title]
  $defs: {picture: {type: string, contentEncoding: base64, contentMediaType: image/gif, maxLength: 200}}
output: ${input}
",
    "chain: paper
input:
  type: object
  properties:
    paper: {type: string, contentEncoding: base64, contentMediaType: application/pdf}
    note: {type: string}
  required: [paper]
output: ${input}
",
    // What it answers is held to the same.
    "chain: relay
input: {type: object, properties: {it: {type: string}}, required: [it]}
returns: {type: string, contentEncoding: base64, contentMediaType: image/gif}
output: ${input.it}
",
    // And so is what a link gives.
    "chain: inner
input: {type: object, properties: {it: {type: string}}, required: [it]}
links:
  same:
    kind: native
    call: same
    with: {it: '${input.it}'}
    returns: {type: object, properties: {it: {contentEncoding: base64, contentMediaType: image/gif}}}
output: ${same.it}
",
];

async fn doors(more: &str) -> Doors {
    Doors::open_with(&format!("{WEB}{more}"), PERMIT_ALL, MORE, |_| ()).await.unwrap()
}

fn part(name: &str, more: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    [head.as_bytes(), data, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--b--\r\n"].concat()
}

fn head(doors: &Doors, key: &str, chain: &str, kind: &str, more: &str, length: usize) -> String {
    format!(
        "POST /chains/{chain} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
         content-type: {kind}\r\n{more}content-length: {length}\r\n\r\n",
        doors.address()
    )
}

async fn post(doors: &Doors, key: &str, chain: &str, kind: &str, body: &[u8]) -> Reply {
    let head = head(doors, key, chain, kind, "", body.len());
    doors.raw(&[head.as_bytes(), body].concat()).await
}

async fn post_form(doors: &Doors, key: &str, parts: &[Vec<u8>]) -> Reply {
    post(doors, key, "photo", "multipart/form-data; boundary=b", &form(parts)).await
}

fn detail(reply: &Reply) -> String {
    let told = reply.json();
    told.get("detail").and_then(Value::as_str).unwrap_or_default().to_string()
}

fn titled() -> Vec<u8> {
    part("title", "", b"a pixel")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_an_input_like_any_other() {
    let doors = doors("").await;
    let key = doors.alice().await;
    let photo = part("photo", "; filename=\"../../x.gif\"\r\nContent-Type: text/html", GIF);
    let tags = [part("tags", "", b"a"), part("tags", "", b"b")].concat();
    let reply = post_form(&doors, &key, &[titled(), part("count", "", b"7"), photo, tags]).await;
    let json = format!(
        "{{\"title\":\"a pixel\",\"count\":7,\"photo\":\"{GIF_BASE64}\",\"tags\":[\"a\",\"b\"],\"called\":\"../../x.gif\"}}"
    );
    assert_eq!((reply.status, reply.body.as_str()), (200, json.as_str()));
    assert_eq!(doors.post(&key, "photo", &json).await.body, json);
    // The other ways of answering are the same.
    let body = form(&[titled()]);
    for (way, wanted) in [("prefer: respond-async\r\n", 202), ("accept: text/event-stream\r\n", 200)] {
        let head = head(&doors, &key, "photo", "multipart/form-data; boundary=b", way, body.len());
        let reply = doors.raw(&[head.as_bytes(), &body].concat()).await;
        assert_eq!(reply.status, wanted, "{reply:?}");
    }
    let either = post_form(&doors, &key, &[titled(), part("either", "", GIF)]).await;
    assert_eq!(either.status, 200, "{either:?}");
    // No name goes where the schema has no place for it.
    let named = part("either", "; filename=\"secret-name.gif\"", GIF);
    assert!(!post_form(&doors, &key, &[titled(), named]).await.body.contains("secret-name"));
    assert!(!doors.record().contains("secret-name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_file_is_what_its_bytes_are_whichever_way_it_comes_in() {
    let doors = doors("mcp = true\n[listener.lines]\nkind = \"tcp\"\nbind = \"127.0.0.1:0\"\n").await;
    let key = doors.alice().await;
    let page = b"GIF89a\x01\0\x01\0\0\0\0!\xfe\x08<script>\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    let archive = [GIF, b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"].concat();
    let png = b"\x89PNG\r\n\x1a\n";
    for (bytes, why) in [
        (&b"<html>hello</html>"[..], "the value does not begin as one"),
        (&png[..], "the value begins as `image/png` does"),
        (&b""[..], "the value is empty"),
        (&GIF[..30], "the value ends in the middle of a block"),
        (&page[..], "the value holds a tag of a page or a program beside the picture"),
        (&archive, "the value goes on behind its end"),
    ] {
        let photo = part("photo", "; filename=\"x.gif\"\r\nContent-Type: image/gif", bytes);
        let reply = post_form(&doors, &key, &[titled(), photo]).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid-input"), "{why}: {reply:?}");
        let told = detail(&reply);
        assert!(told.contains("`photo`: not `image/gif`") && told.contains(why), "{why}: {told}");
    }
    let text = "PGh0bWw+";
    let reply = doors.post(&key, "photo", &format!("{{\"title\": \"a\", \"photo\": \"{text}\"}}")).await;
    assert!(reply.status == 400 && detail(&reply).contains("not `image/gif`"), "{reply:?}");
    let reply = doors.post(&key, "photo", &format!("{{\"title\": \"a\", \"either\": \"{text}\"}}")).await;
    assert_eq!(reply.code(), "invalid-input");
    let call = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"photo\",\"arguments\":{{\"title\":\"a\",\"photo\":\"{text}\"}},\
         \"_meta\":{{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}"
    );
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "photo"),
    ];
    let reply = doors.ask("POST", "/mcp", &headers, &call).await;
    assert!(reply.body.contains("not `image/gif`") && reply.body.contains("\"isError\":true"), "{reply:?}");
    let line = format!(
        "{{\"chain\": \"photo\", \"input\": {{\"title\": \"a\", \"photo\": \"{text}\"}}, \"key\": \"{key}\"}}"
    );
    let told = crate::frames::lines(crate::frames::tcp(&doors, "lines").await, &[&line]).await;
    assert!(to_string(&told[0]).contains("not `image/gif`"), "{told:?}");
    for chain in ["relay", "inner"] {
        assert_eq!(
            doors.post(&key, chain, &format!("{{\"it\": \"{GIF_BASE64}\"}}")).await.status,
            200,
            "{chain}"
        );
        let reply = doors.post(&key, chain, &format!("{{\"it\": \"{text}\"}}")).await;
        assert_eq!((reply.status, reply.code().as_str()), (500, "invalid"), "{chain}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_form_that_is_none_says_why_and_costs_nothing() {
    let doors = doors("[server]\nbody = \"2MiB\"\npart = \"1KiB\"\nparts = 20\n").await;
    let key = doors.alice().await;
    let many: Vec<Vec<u8>> = (0..10_000).map(|at| part("tags", "", format!("{at}").as_bytes())).collect();
    for (parts, status, code, told) in [
        (vec![titled(), titled()], 400, "invalid-form", "`title` is there twice"),
        (vec![titled(), part("__proto__", "", b"x")], 400, "invalid-form", "part 2 has the name of nothing"),
        (vec![titled(), part("error", "", b"x")], 400, "invalid-form", "part 2 has the name of nothing"),
        (vec![part("headers", "", b"x")], 400, "invalid-form", "part 1 has the name of nothing"),
        (vec![titled(), part("count", "", b"many")], 400, "invalid-form", "`count` is not valid JSON"),
        (vec![part("count", "", b"7")], 400, "invalid-input", "title"),
        (
            vec![titled(), part("photo", "", &[0; 1025])],
            413,
            "too-large",
            "`photo` is larger than a part may be",
        ),
        (many, 413, "too-large", "a form has at most 20 parts"),
        (vec![vec![b'x'; 3 << 20]], 413, "too-large", "a body has at most 2097152 bytes"),
        (vec![part(&"n".repeat(300), "", b"x")], 400, "invalid-form", "part 1 does not say in its head"),
        (
            vec![part("title", "; filename=\"a\nb\"", b"x")],
            400,
            "invalid-form",
            "part 1 does not say in its head",
        ),
        (vec![part("title", "\r\nX: \0", b"x")], 400, "invalid-form", "part 1 does not say in its head"),
    ] {
        let reply = post_form(&doors, &key, &parts).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{told}: {reply:?}");
        assert!(detail(&reply).contains(told), "{told}: {reply:?}");
    }
    let kind = "multipart/form-data; boundary=b";
    let whole = form(&[titled()]);
    for (chain, kind, body, code, told) in [
        ("photo", kind, &whole[..whole.len() - 6], "invalid-form", "the form breaks off"),
        ("photo", kind, &[][..], "invalid-form", "the form breaks off"),
        ("photo", "multipart/form-data", &whole[..], "invalid-form", "which boundary"),
        (
            "photo",
            "multipart/form-data; boundary=c",
            &whole[..],
            "invalid-form",
            "does not begin with its boundary",
        ),
        ("photo", "multipart/mixed; boundary=b", &whole[..], "not-json", "or a form"),
        ("photo", "application/x-www-form-urlencoded", b"title=x", "not-json", "or a form"),
        ("echo", kind, &whole[..], "not-json", "if the input has members"),
    ] {
        let reply = post(&doors, &key, chain, kind, body).await;
        assert_eq!(reply.code(), code, "{told}: {reply:?}");
        assert!(detail(&reply).contains(told), "{told}: {reply:?}");
    }
    for more in ["content-encoding: gzip\r\n", "origin: null\r\n", "origin: https://elsewhere.example\r\n"] {
        let reply = doors
            .raw(&[head(&doors, &key, "photo", kind, more, whole.len()).as_bytes(), &whole].concat())
            .await;
        assert!(matches!(reply.status, 403 | 415), "{more}: {reply:?}");
    }
    assert_eq!(post_form(&doors, &key, &[titled()]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_comes_byte_by_byte_is_the_same() {
    let doors = doors("").await;
    let key = doors.alice().await;
    let body = form(&[titled(), part("photo", "", GIF)]);
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let kind = "multipart/form-data; boundary=\"b\"";
    stream.write_all(head(&doors, &key, "photo", kind, "", body.len()).as_bytes()).await.unwrap();
    for byte in body {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    let reply = Reply::read(&answer);
    assert!(reply.status == 200 && reply.body.contains(GIF_BASE64), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_file_needs_no_form_around_it() {
    let doors = doors("[server]\npart = \"1KiB\"\n").await;
    let key = doors.alice().await;
    for kind in ["application/pdf", "Application/PDF", "application/octet-stream"] {
        let reply = post(&doors, &key, "paper", kind, PDF.as_bytes()).await;
        assert!(reply.status == 200 && reply.body.starts_with("{\"paper\":\"JVBERi0xLjcK"), "{reply:?}");
    }
    for (chain, kind, body, status, told) in [
        ("paper", "application/pdf", GIF, 400, "begins as `image/gif` does"),
        ("paper", "application/pdf", b"", 400, "is empty"),
        ("paper", "image/gif", GIF, 415, ""),
        ("paper", "text/html", b"<p>", 415, ""),
        ("paper", "application/pdf", &[b' '; 1025], 413, "larger than a part may be"),
        // It has more than one file, and needs a title.
        ("photo", "image/gif", GIF, 415, ""),
    ] {
        let reply = post(&doors, &key, chain, kind, body).await;
        assert_eq!(reply.status, status, "{kind}: {reply:?}");
        assert!(detail(&reply).contains(told), "{kind}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_shows_every_form_an_input_may_come_in() {
    let doors = doors("").await;
    let key = doors.alice().await;
    let document = doors.get(&key, "/openapi.json").await.json();
    let at = |path: &str| {
        let found = path.split(' ').try_fold(&document, |inner, step| inner.get(step));
        found.map(to_string).unwrap_or_else(|| panic!("{path} in {document:?}"))
    };
    let body = |chain: &str| format!("paths /chains/{chain} post requestBody content");
    let whole = at(&format!("{} application/json schema", body("photo")));
    assert_eq!(whole, "{\"$ref\":\"#/components/schemas/photo.input\"}");
    let picture = at("components schemas photo.input properties photo");
    assert_eq!(picture, "{\"$ref\":\"#/components/schemas/photo.input/$defs/picture\"}");
    let form = format!("{} multipart/form-data", body("photo"));
    assert_eq!(at(&format!("{form} schema properties photo")), "{\"type\":\"string\"}");
    assert_eq!(at(&format!("{form} schema properties count")), "{\"type\":\"integer\"}");
    assert_eq!(at(&format!("{form} schema required")), "[\"title\"]");
    assert_eq!(
        at(&format!("{form} encoding")),
        "{\"photo\":{\"contentType\":\"image/gif\"},\"either\":{\"contentType\":\"image/png, image/gif\"}}"
    );
    assert_eq!(at(&format!("{} application/pdf", body("paper"))), "{\"schema\":{}}");
    assert_eq!(at("security"), "[{\"bearer\":[]}]");
    // What parts need together stands there, too; and who need not prove anything is told so.
    let anybody = format!("{WEB}dangerous = {{ anonymous = true }}\n");
    let open = Doors::open_with(
        &anybody,
        PERMIT_ALL,
        &[
            "chain: reach\ninput: {type: object, properties: {mail: {type: string}, phone: {type: string}}, anyOf: [{required: [mail]}, {required: [phone]}]}\noutput: 1\n",
        ],
        |_| (),
    );
    let document = open.await.unwrap().ask("GET", "/openapi.json", &[], "").await.json();
    assert_eq!(document.get("security").map(to_string).as_deref(), Some("[{\"bearer\":[]},{}]"));
    let form = "paths|/chains/reach|post|requestBody|content|multipart/form-data|schema|anyOf";
    let form = form.split('|').try_fold(&document, |inner, step| inner.get(step));
    assert_eq!(
        form.map(to_string).as_deref(),
        Some("[{\"required\":[\"mail\"]},{\"required\":[\"phone\"]}]")
    );
}
