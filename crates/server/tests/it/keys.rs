//! Every key of the doors changes what happens to callers: two documents that differ in it, one thing a caller does, and
//! what it sees of each.

use crate::issuer::{Signer, TestIssuer, filed, now};
use crate::setup::{Doors, PERMIT_ALL, Reply, request};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "../../../engine/tests/it/keys/schema.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod schema;

type Seen<'d> = Pin<Box<dyn Future<Output = String> + Send + 'd>>;

struct Case {
    text: &'static str,
    act: for<'d> fn(&'d Doors, String) -> Seen<'d>,
    ends: [&'static str; 2],
}

/// A status, a code, and what the caller could see besides.
fn told(reply: &Reply) -> String {
    format!("{} {} {}", reply.status, reply.head, reply.body)
}

macro_rules! act {
    (|$doors:ident, $key:ident| $body:expr) => {{
        fn act<'d>($doors: &'d Doors, $key: String) -> Seen<'d> {
            Box::pin(async move { $body })
        }
        act
    }};
}

macro_rules! web {
    ($rest:literal) => {
        concat!("[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n", $rest)
    };
}

macro_rules! hook {
    ($rest:literal) => {
        concat!("[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[secret.shared]\nfrom = \"file:shared.secret\"\nbound_to = []\n[secret.other]\nfrom = \"file:other.secret\"\nbound_to = [\"https://a.example\"]\n[webhook.h]\n", $rest)
    };
}

/// A project that takes tokens whose keys lie in a file.
macro_rules! filed {
    ($rest:literal) => {
        concat!(
            "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n",
            "[issuer.corp]\nurl = \"https://issuer.test\"\nkeys = \"issuer.json\"\n",
            $rest
        )
    };
}

/// The same, of an issuer that is there.
macro_rules! issued {
    ($rest:literal) => {
        concat!(
            "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n",
            "[issuer.corp]\nurl = \"@ISSUER@\"\n",
            $rest
        )
    };
}

/// What a token with these claims comes to.
macro_rules! shows {
    ($claims:literal) => {
        act!(|doors, _key| told(&doors.post(&filed($claims), "who", "").await))
    };
}

const TOKENS: &[Case] = &[
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n\
               <<[issuer.corp]\nurl = \"https://issuer.test\"\nkeys = \"issuer.json\"\n||>>",
        act: shows!("{}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://<<api||other>>.test\"\n\
               [issuer.corp]\nurl = \"https://issuer.test\"\nkeys = \"issuer.json\"\n",
        act: shows!("{}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n\
               [issuer.corp]\nurl = \"https://<<issuer||other>>.test\"\nkeys = \"issuer.json\"\n",
        act: shows!("{}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://api.test\"\n\
               [issuer.corp]\nurl = \"https://issuer.test\"\nkeys = \"<<issuer||other>>.json\"\n",
        act: shows!("{}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: filed!("audience = [\"<<https://api.test||other>>\"]\n"),
        act: shows!("{}"),
        ends: ["200 ", "401 "],
    },
    Case { text: filed!("algorithms = [\"<<EdDSA||ES256>>\"]\n"), act: shows!("{}"), ends: ["200 ", "401 "] },
    Case {
        text: filed!("leeway = \"<<1h||1s>>\"\n"),
        act: act!(|doors, _key| {
            let ended = format!("{{\"exp\":{}}}", now() - 60);
            told(&doors.post(&filed(&ended), "who", "").await)
        }),
        ends: ["200 ", "401 "],
    },
    Case { text: filed!("type = \"<<at+jwt||JWT>>\"\n"), act: shows!("{}"), ends: ["200 ", "401 "] },
    Case {
        text: filed!("subject_claim = \"<<sub||employee.id>>\"\n"),
        act: shows!("{\"employee\":{\"id\":\"e77\"}}"),
        ends: ["\"corp|alice\"", "\"corp|e77\""],
    },
    Case {
        text: filed!("roles = [\"clerk\"]\nroles_claim = \"<<roles||groups>>\"\n"),
        act: shows!("{\"roles\":[\"clerk\"],\"groups\":[\"other\"]}"),
        ends: ["\"clerk\"", "\"roles\":[]"],
    },
    Case {
        text: filed!("roles = [\"<<clerk||other>>\"]\n"),
        act: shows!("{\"roles\":[\"clerk\",\"admin\"]}"),
        ends: ["\"roles\":[\"clerk\"]", "\"roles\":[]"],
    },
    Case {
        text: filed!("tenant = \"<<acme||globex>>\"\n"),
        act: shows!("{}"),
        ends: ["\"acme\"", "\"globex\""],
    },
    Case {
        text: filed!("tenants = [\"acme\"]\ntenant_claim = \"<<tid||org>>\"\n"),
        act: shows!("{\"tid\":\"acme\",\"org\":\"globex\"}"),
        ends: ["\"acme\"", "401 "],
    },
    Case {
        text: filed!("tenants = [\"<<acme||globex>>\"]\ntenant_claim = \"tid\"\n"),
        act: shows!("{\"tid\":\"acme\"}"),
        ends: ["\"acme\"", "401 "],
    },
    Case {
        text: filed!("<<[[issuer.corp.scope]]\nname = \"read\"\nchains = [\"who\"]\n||>>"),
        act: shows!("{}"),
        ends: ["403 ", "200 "],
    },
    Case {
        text: filed!("[[issuer.corp.scope]]\nname = \"<<read||write>>\"\nchains = [\"who\"]\n"),
        act: shows!("{\"scope\":\"openid read\"}"),
        ends: ["200 ", "403 "],
    },
    Case {
        text: filed!("[[issuer.corp.scope]]\nname = \"read\"\nchains = [\"<<who||echo>>\"]\n"),
        act: shows!("{\"scope\":\"openid read\"}"),
        ends: ["200 ", "404 "],
    },
    Case {
        text: filed!(
            "scope_claim = \"<<scope||scp>>\"\n[[issuer.corp.scope]]\nname = \"read\"\nchains = [\"who\"]\n"
        ),
        act: shows!("{\"scp\":[\"openid\",\"read\"]}"),
        ends: ["403 ", "200 "],
    },
    Case {
        text: filed!("<<[[issuer.corp.claim]]\nname = \"azp\"\nis = [\"web\"]\n||>>"),
        act: shows!("{}"),
        ends: ["401 ", "200 "],
    },
    Case {
        text: filed!("[[issuer.corp.claim]]\nname = \"<<azp||client_id>>\"\nis = [\"web\"]\n"),
        act: shows!("{\"azp\":\"web\"}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: filed!("[[issuer.corp.claim]]\nname = \"azp\"\nis = [\"<<web||app>>\"]\n"),
        act: shows!("{\"azp\":\"web\"}"),
        ends: ["200 ", "401 "],
    },
    Case {
        text: issued!("resolves_to = [\"127.0.0.1\"]\njwks = \"@ISSUER@/<<keys||none>>\"\n"),
        act: act!(|doors, _key| by_token(doors).await),
        ends: ["200 ", "401 "],
    },
    Case {
        text: issued!(
            "jwks = \"http://localhost:@PORT@/keys\"\nresolves_to = [\"<<127.0.0.1||192.0.2.1>>\"]\n"
        ),
        act: act!(|doors, _key| by_token(doors).await),
        ends: ["200 ", "401 "],
    },
    Case {
        text: issued!("resolves_to = [\"127.0.0.1\"]\nagain = \"1ms\"\nrefresh = \"<<1h||1ms>>\"\n"),
        act: act!(|doors, _key| {
            by_token(doors).await;
            let issuer = doors.issuer.as_ref().unwrap();
            issuer.publish(&[Signer::ed(2).jwk("two")]);
            // Fetched anew, its keys are others.
            for _ in 0..40 {
                if by_token(doors).await.starts_with("401") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            by_token(doors).await
        }),
        ends: ["200 ", "401 "],
    },
    Case {
        text: issued!("resolves_to = [\"127.0.0.1\"]\nagain = \"1ms\"\nstale = \"<<1h||1ms>>\"\n"),
        act: act!(|doors, _key| {
            by_token(doors).await;
            doors.issuer.as_ref().unwrap().goes_away(true);
            tokio::time::sleep(Duration::from_millis(20)).await;
            by_token(doors).await
        }),
        ends: ["200 ", "401 "],
    },
    Case {
        text: issued!("resolves_to = [\"127.0.0.1\"]\nagain = \"<<1ms||1h>>\"\n"),
        act: act!(|doors, _key| {
            by_token(doors).await;
            let issuer = doors.issuer.as_ref().unwrap();
            issuer.publish(&[Signer::ed(2).jwk("two")]);
            told(&doors.post(&issuer.signed(2, "two", "{}"), "who", "").await)
        }),
        ends: ["200 ", "401 "],
    },
];

async fn by_token(doors: &Doors) -> String {
    told(&doors.post(&doors.issuer.as_ref().unwrap().token("{}"), "who", "").await)
}

const CASES: &[Case] = &[
    Case {
        text: "<<||[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n>>[project]\nname = \"p\"\n",
        act: act!(|doors, _key| format!("{} listeners", doors.server.bound().len())),
        ends: ["0 listeners", "1 listeners"],
    },
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"<<127.0.0.1:0||[::1]:0>>\"\n",
        act: act!(|doors, _key| doors.address().to_string()),
        ends: ["127.0.0.1:", "[::1]:"],
    },
    Case {
        text: "[listener.web]\nkind = \"<<http||tcp>>\"\nbind = \"127.0.0.1:0\"\n",
        act: act!(|doors, _key| doors.place_of("web")),
        ends: ["http://", "tcp://"],
    },
    Case {
        text: "[listener.web]\nkind = \"tcp\"\nbind = \"127.0.0.1:0\"\nframes = \"<<lines||lengths>>\"\n",
        act: act!(|doors, _key| {
            let mut stream = TcpStream::connect(doors.address()).await.unwrap();
            stream.write_all(b"{}\n ").await.unwrap();
            let mut first = [0; 1];
            let answered = tokio::time::timeout(Duration::from_secs(3), stream.read_exact(&mut first)).await;
            format!("answered {}", matches!(answered, Ok(Ok(_)) if first == *b"{"))
        }),
        ends: ["answered true", "answered false"],
    },
    Case {
        text: "[listener.web]\nkind = \"unix\"\npath = \"<<one||two>>.sock\"\n",
        act: act!(|doors, _key| doors.place_of("web")),
        ends: ["/one.sock", "/two.sock"],
    },
    Case {
        text: "[listener.web]\nkind = \"unix\"\npath = \"one.sock\"\naccept = [\"<<unix||key>>\"]\n",
        act: act!(|doors, _key| {
            let stream = tokio::net::UnixStream::connect(doors.place_of("web")).await.unwrap();
            format!("{:?}", crate::frames::lines(stream, &["{\"chain\": \"echo\", \"input\": 1}"]).await)
        }),
        ends: ["output", "unauthenticated"],
    },
    Case {
        text: web!("<<||tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\" }>>\n"),
        act: act!(|doors, _key| doors.place_of("web")),
        ends: ["http://", "https://"],
    },
    Case {
        text: web!(
            "tls = { certificate = \"<<certs||elsewhere>>/server.pem\", key = \"certs/server.key\" }\n"
        ),
        act: act!(|doors, _key| doors.place_of("web")),
        ends: ["https://", "the key in `certs/server.key`"],
    },
    Case {
        text: web!(
            "tls = { certificate = \"certs/server.pem\", key = \"<<certs||elsewhere>>/server.key\" }\n"
        ),
        act: act!(|doors, _key| doors.place_of("web")),
        ends: ["https://", "the key in `elsewhere/server.key`"],
    },
    Case {
        text: web!(
            "tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"<<certs||elsewhere>>/authority.pem\" }\naccept = [\"mtls\"]\n"
        ),
        act: act!(|doors, _key| {
            let caller = crate::tls::caller(doors.folder.path(), "certs", Some("certs/bot"), &[]);
            let mut stream = crate::tls::connect(doors.address(), &caller).await.unwrap();
            let asked = request("localhost", "POST", "/chains/who", &[], "");
            let _cut = stream.write_all(asked.as_bytes()).await;
            let mut answer = Vec::new();
            let _cut = stream.read_to_end(&mut answer).await;
            told(&Reply::read(&answer))
        }),
        ends: ["spiffe://example.com/bot", "0  "],
    },
    Case {
        text: web!(
            "<<||[control]\nbind = \"127.0.0.1:0\"\ntls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }\n>>"
        ),
        act: act!(|doors, _key| format!("{:?}", doors.server.control().is_some())),
        ends: ["false", "true"],
    },
    Case {
        text: "[control]\nbind = \"<<127.0.0.1||[::1]>>:0\"\ntls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }\n",
        act: act!(|doors, _key| format!("{:?}", doors.server.control())),
        ends: ["127.0.0.1:", "[::1]:"],
    },
    Case {
        text: "[control]\nbind = \"127.0.0.1:0\"\n<<tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }||tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\" }>>\n",
        act: act!(|doors, _key| format!("{:?}", doors.server.control())),
        ends: ["127.0.0.1:", "`tls` needs `clients`"],
    },
    Case {
        text: "[control]\nbind = \"127.0.0.1:0\"\ntls = { certificate = \"<<certs||elsewhere>>/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }\n",
        act: act!(|doors, _key| steered(doors).await),
        ends: ["403", "keys may not be consistent"],
    },
    Case {
        text: "[control]\nbind = \"127.0.0.1:0\"\ntls = { certificate = \"certs/server.pem\", key = \"<<certs||elsewhere>>/server.key\", clients = \"certs/authority.pem\" }\n",
        act: act!(|doors, _key| steered(doors).await),
        ends: ["403", "keys may not be consistent"],
    },
    Case {
        text: "[control]\nbind = \"127.0.0.1:0\"\n<<tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }||>>\n",
        act: act!(|doors, _key| format!("{:?}", doors.server.control())),
        ends: ["127.0.0.1:", "`control` lacks `tls`"],
    },
    Case {
        text: web!(
            "<<||[secret.shared]\nfrom = \"file:shared.secret\"\nbound_to = [\"https://a.example\"]\n[webhook.h]\nchain = \"echo\"\nsecret = \"shared\"\nscheme = \"standard\"\n>>"
        ),
        act: act!(|doors, _key| told(&delivered(doors, "standard", 0).await)),
        ends: ["404 ", "202 "],
    },
    Case {
        text: hook!("chain = \"<<echo||who>>\"\nsecret = \"shared\"\nscheme = \"standard\"\n"),
        act: act!(|doors, _key| told(&delivered(doors, "standard", 0).await)),
        ends: ["\"chain\":\"echo\"", "\"chain\":\"who\""],
    },
    Case {
        text: hook!("chain = \"echo\"\nsecret = \"<<shared||other>>\"\nscheme = \"standard\"\n"),
        act: act!(|doors, _key| told(&delivered(doors, "standard", 0).await)),
        ends: ["202 ", "bound to at least one"],
    },
    Case {
        text: hook!("chain = \"echo\"\nsecret = \"shared\"\nscheme = \"<<standard||slack>>\"\n"),
        act: act!(|doors, _key| told(&delivered(doors, "standard", 0).await)),
        ends: ["202 ", "401 "],
    },
    Case {
        text: hook!(
            "chain = \"echo\"\nsecret = \"shared\"\nscheme = \"standard\"\nwithin = \"<<1h||1m>>\"\n"
        ),
        act: act!(|doors, _key| told(&delivered(doors, "standard", 600).await)),
        ends: ["202 ", "401 "],
    },
    Case {
        text: hook!(
            "chain = \"needs\"\nsecret = \"shared\"\nscheme = \"standard\"\nheaders = [\"<<x-event||x-other>>\"]\n"
        ),
        act: act!(|doors, _key| delivered_and_ended(doors).await),
        ends: ["answered", "failed"],
    },
    Case {
        text: web!("chains = [<<\"echo\"||\"who\">>]\n"),
        act: act!(|doors, key| told(&doors.post(&key, "echo", "1").await)),
        ends: ["200 ", "404 "],
    },
    Case {
        text: web!("hosts = [\"<<localhost||api.example.com>>\"]\n"),
        act: act!(|doors, _key| told(&doors.ask("GET", "/health/live", &[("host", "localhost")], "").await)),
        ends: ["204 ", "421 "],
    },
    Case {
        text: web!("origins = [\"https://<<one||two>>.example\"]\n"),
        act: act!(|doors, _key| told(
            &doors.ask("GET", "/health/live", &[("origin", "https://one.example")], "").await
        )),
        ends: ["204 ", "403 "],
    },
    Case {
        text: web!("mcp = <<true||false>>\n"),
        act: act!(|doors, key| {
            let bearer = format!("Bearer {key}");
            told(&doors.ask("GET", "/mcp", &[("authorization", &bearer)], "").await)
        }),
        ends: ["406 ", "404 "],
    },
    Case {
        text: web!("proxies = [<<\"127.0.0.1\"||\"192.0.2.1\">>]\n"),
        act: act!(|doors, _key| {
            doors.ask("GET", "/chains", &[("x-forwarded-for", "198.51.100.7")], "").await;
            doors.doors_say("turned-away").await
        }),
        ends: ["\"peer\":\"198.51.100.7\"", "\"peer\":\"127.0.0.1\""],
    },
    Case {
        text: web!("dangerous = { anonymous = <<true||false>> }\n"),
        act: act!(|doors, _key| told(&doors.ask("POST", "/chains/who", &[], "").await)),
        ends: ["\"principal\":\"anonymous\"", "401 "],
    },
    Case {
        text: web!("<<dangerous = { anonymous = true }||>>\n"),
        act: act!(|doors, _key| told(&doors.ask("POST", "/chains/who", &[], "").await)),
        ends: ["\"principal\":\"anonymous\"", "401 "],
    },
    Case {
        text: "[listener.web]\nkind = \"http\"\nbind = \"0.0.0.0:0\"\ndangerous = { plaintext = <<true||false>> }\n",
        act: act!(|doors, _key| doors.address().to_string()),
        ends: ["0.0.0.0:", "there is no `tls`"],
    },
    Case {
        text: web!("[server]\nbody = \"<<1KiB||4B>>\"\n"),
        act: act!(|doors, key| told(&doors.post(&key, "echo", "123456").await)),
        ends: ["200 ", "413 "],
    },
    Case {
        text: web!("[server]\npart = \"<<1KiB||2B>>\"\n"),
        act: act!(|doors, key| told(&greet_by_form(doors, &key, &["Ada"]).await)),
        ends: ["200 ", "413 "],
    },
    Case {
        text: web!("[server]\nparts = <<1||2>>\n"),
        act: act!(|doors, key| told(&greet_by_form(doors, &key, &["Ada", "Bob"]).await)),
        ends: ["413 ", "400 "],
    },
    Case {
        text: web!("<<[server]\nbody = \"4B\"\n||>>"),
        act: act!(|doors, key| told(&doors.post(&key, "echo", "123456").await)),
        ends: ["413 ", "200 "],
    },
    Case {
        text: web!("[server]\nhead = \"<<32KiB||8KiB>>\"\n"),
        act: act!(|doors, _key| told(
            &doors.ask("GET", "/health/live", &[("x", &"x".repeat(10_000))], "").await
        )),
        ends: ["204 ", "431 "],
    },
    Case {
        text: web!("[server]\nheaders = <<64||4>>\n"),
        act: act!(|doors, _key| {
            let headers = [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")];
            told(&doors.ask("GET", "/health/live", &headers, "").await)
        }),
        ends: ["204 ", "431 "],
    },
    Case {
        text: web!("[server]\nconnections = <<10||1>>\n"),
        act: act!(|doors, _key| second_connection(doors).await),
        ends: ["204 ", "0  "],
    },
    Case {
        text: web!("[server]\naddress_connections = <<10||1>>\n"),
        act: act!(|doors, _key| second_connection(doors).await),
        ends: ["204 ", "0  "],
    },
    Case {
        text: web!("[server]\nrequests = <<2||1>>\nwait = \"50ms\"\n"),
        act: act!(|doors, key| beside_a_held_one(doors, &key).await),
        ends: ["200 ", "503 "],
    },
    Case {
        text: web!("[server]\nrequests = 1\nwait = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, key| after_a_held_one(doors, &key).await),
        ends: ["200 ", "503 "],
    },
    Case {
        text: web!("[server]\nrequests = 1\nwait = \"1h\"\nwaiting = <<1||0>>\n"),
        act: act!(|doors, key| after_a_held_one(doors, &key).await),
        ends: ["200 ", "503 "],
    },
    Case {
        text: web!("mcp = true\n[server]\ntools = <<1||100>>\n"),
        act: act!(|doors, key| told(&doors.alone(&key, "tools/list", None, "").await)),
        ends: ["\"search_tools\"", "\"greet\""],
    },
    Case {
        text: web!("[server]\nhead_time = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, _key| silent_for(doors, b"").await),
        ends: ["still open", "closed"],
    },
    Case {
        text: web!("[server]\nidle = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, _key| silent_for(doors, b"GET / HTTP/1.1\r\nhost").await),
        ends: ["still open", "closed"],
    },
    Case {
        text: web!("[server]\nbody_time = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, key| {
            let head = format!(
                "POST /chains/echo HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n1"
            );
            silent_for(doors, head.as_bytes()).await
        }),
        ends: ["still open", "closed 408"],
    },
    Case {
        text: web!("[server]\nbody = \"16MiB\"\nstall = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, key| untaken(doors, &key).await),
        ends: ["still there", "let go"],
    },
    Case {
        text: web!("[server]\ndrain = \"<<1h||50ms>>\"\n"),
        act: act!(|doors, key| {
            let held = doors.post(&key, "held", "");
            let ending = async {
                doors.begun(1).await;
                let drained = tokio::time::timeout(Duration::from_secs(5), doors.server.drain()).await;
                if drained.is_ok() { "cut" } else { "waits" }
            };
            tokio::select! { _ = held => "cut".into(), seen = ending => seen.to_string() }
        }),
        ends: ["waits", "cut"],
    },
    Case {
        text: web!("[server]\nruns = <<2||1>>\n"),
        act: act!(|doors, key| {
            let later = [("prefer", "respond-async")];
            doors.post_with(&key, "held", &later, "").await;
            told(&doors.post_with(&key, "held", &later, "").await)
        }),
        ends: ["202 ", "503 "],
    },
    Case {
        text: web!("[server]\nrun_kept = \"<<1h||10ms>>\"\n"),
        act: act!(|doors, key| {
            let later = [("prefer", "respond-async")];
            let place =
                doors.post_with(&key, "echo", &later, "1").await.header("location").unwrap().to_string();
            while doors.get(&key, &place).await.body.contains("running") {}
            tokio::time::sleep(Duration::from_millis(50)).await;
            // What is over is forgotten when another begins.
            doors.post_with(&key, "echo", &later, "2").await;
            told(&doors.get(&key, &place).await)
        }),
        ends: ["200 ", "404 "],
    },
    Case {
        text: web!("<<||[[rate]]\nper = \"principal\"\ncalls = 1\nwithin = \"1h\"\n>>"),
        act: act!(|doors, key| twice(doors, &key).await),
        ends: ["200 ", "429 "],
    },
    Case {
        text: web!("[[rate]]\nper = \"<<tenant||principal>>\"\ncalls = 1\nwithin = \"1h\"\n"),
        act: act!(|doors, key| twice(doors, &key).await),
        ends: ["200 ", "429 "],
    },
    Case {
        text: web!(
            "[[rate]]\nper = \"principal\"\nchains = [\"<<who||echo>>\"]\ncalls = 1\nwithin = \"1h\"\n"
        ),
        act: act!(|doors, key| twice(doors, &key).await),
        ends: ["200 ", "429 "],
    },
    Case {
        text: web!("[[rate]]\nper = \"principal\"\ncalls = <<2||1>>\nwithin = \"1h\"\n"),
        act: act!(|doors, key| twice(doors, &key).await),
        ends: ["200 ", "429 "],
    },
    Case {
        text: web!("[[rate]]\nper = \"principal\"\ncalls = 1\nwithin = \"<<1ms||1h>>\"\n"),
        act: act!(|doors, key| twice(doors, &key).await),
        ends: ["200 ", "429 "],
    },
    Case {
        text: web!("[[rate]]\nper = \"principal\"\ncalls = 99\nwithin = \"1h\"\nat_once = <<2||1>>\n"),
        act: act!(|doors, key| beside_a_held_one(doors, &key).await),
        ends: ["200 ", "429 "],
    },
];

/// What somebody hears who steers from elsewhere.
async fn steered(doors: &Doors) -> String {
    let at = doors.server.control().unwrap().to_string();
    let caller = crate::tls::caller(doors.folder.path(), "certs", Some("certs/bot"), &[]);
    let Ok(mut stream) = crate::tls::connect(&at, &caller).await else { return "nobody".into() };
    stream.write_all(request("control", "GET", "/nothing", &[], "").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    format!("403 or {}", Reply::read(&answer).status)
}

/// A webhook, signed so many seconds ago.
async fn delivered(doors: &Doors, scheme: &str, ago: u64) -> Reply {
    let mut headers = crate::hooks::signed(scheme, "m", crate::hooks::now() - ago, "1");
    headers.push(("x-event".into(), "push".into()));
    crate::hooks::deliver(doors, "h", &headers, "1").await
}

/// How the run of a webhook ended.
async fn delivered_and_ended(doors: &Doors) -> String {
    delivered(doors, "standard", 0).await;
    loop {
        let record = doors.record();
        if record.contains("answered") || record.contains("failed") {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn prepared(folder: &std::path::Path) {
    crate::tls::certificates(folder);
    crate::hooks::secrets(folder);
}

async fn twice(doors: &Doors, key: &str) -> String {
    doors.post(key, "echo", "1").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    told(&doors.post(key, "echo", "1").await)
}

async fn second_connection(doors: &Doors) -> String {
    let mut first = TcpStream::connect(doors.address()).await.unwrap();
    // Once it is answered it is counted.
    first.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    told(&doors.ask("GET", "/health/live", &[], "").await)
}

/// What one sees while another call is under way.
async fn beside_a_held_one(doors: &Doors, key: &str) -> String {
    let held = doors.post(key, "held", "");
    let beside = async {
        doors.begun(1).await;
        let seen = told(&doors.post(key, "echo", "1").await);
        doors.go.notify_one();
        seen
    };
    tokio::join!(held, beside).1
}

/// What one sees that came while another call was under way, and that ends soon.
async fn after_a_held_one(doors: &Doors, key: &str) -> String {
    let held = doors.post(key, "held", "");
    let after = async {
        doors.begun(1).await;
        // Whoever waits as long as it takes is waited for no longer than this.
        let asking = doors.post(key, "echo", "1");
        tokio::pin!(asking);
        let sent_away = tokio::time::timeout(Duration::from_secs(10), &mut asking).await;
        doors.go.notify_one();
        match sent_away {
            Ok(reply) => reply,
            Err(_) => asking.await,
        }
    };
    told(&tokio::join!(held, after).1)
}

/// Whether a connection that goes on no further is closed by the server.
async fn silent_for(doors: &Doors, begun: &[u8]) -> String {
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(begun).await.unwrap();
    let mut rest = Vec::new();
    match tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await {
        Ok(_) => format!("closed {}", Reply::read(&rest).status),
        Err(_) => "still open".into(),
    }
}

/// Whether the server lets go of somebody who takes no answer.
async fn untaken(doors: &Doors, key: &str) -> String {
    let long = format!("\"{}\"", "x".repeat(12 << 20));
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut stream = TcpStream::connect(doors.address()).await.unwrap();
    stream.write_all(request("localhost", "POST", "/chains/echo", &headers, &long).as_bytes()).await.unwrap();
    // What so large a call carried is put on record before anybody is answered.
    let gone = tokio::time::timeout(Duration::from_secs(25), doors.server.drain()).await;
    if gone.is_ok() { "let go".into() } else { "still there".into() }
}

/// `greet`, asked with a form that has a name for each.
async fn greet_by_form(doors: &Doors, key: &str, names: &[&str]) -> Reply {
    let part =
        |name: &&str| format!("--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n");
    let body: String = names.iter().map(part).chain(["--b--".to_string()]).collect();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    doors.ask("POST", "/chains/greet", &headers, &body).await
}

#[test]
fn every_key_of_the_doors_has_a_case() {
    let covered: BTreeSet<String> =
        CASES.iter().chain(TOKENS).flat_map(|case| schema::differing(schema::PROJECT, case.text)).collect();
    let all = schema::keys(schema::PROJECT).into_iter().filter(|key| schema::is_of_the_doors(key));
    let all = all.filter(|key| !schema::is_of_what_runs_on(key));
    let missing: Vec<String> = all.filter(|key| !covered.contains(key)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    for case in CASES.iter().chain(TOKENS) {
        let keys = schema::differing(schema::PROJECT, case.text);
        assert!(
            !keys.is_empty() && keys.len() <= 2,
            "a case differs in one key, not in {keys:?}: {}",
            case.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_the_doors_changes_what_callers_see() {
    let played = CASES.iter().chain(TOKENS).map(|case| {
        tokio::spawn(async move {
            let mut seen = Vec::new();
            for text in schema::variants(case.text) {
                let issuer = TestIssuer::start().await;
                let port = issuer.url.rsplit(':').next().unwrap();
                let text = text.replace("@ISSUER@", &issuer.url).replace("@PORT@", port);
                let prepare = |folder: &std::path::Path| {
                    prepared(folder);
                    crate::issuer::files(folder);
                };
                seen.push(match Doors::try_open(&text, PERMIT_ALL, prepare).await {
                    Err(why) => why,
                    Ok(mut doors) => {
                        doors.issuer = Some(issuer);
                        let key = doors.key();
                        let bound = doors.server.bound();
                        let plain = bound.first().is_some_and(|bound| bound.place.starts_with("http://"));
                        if plain && ["hosts", "0.0.0.0", "jwt"].iter().all(|other| !text.contains(other)) {
                            doors.known(&key).await;
                        }
                        (case.act)(&doors, key).await
                    }
                });
            }
            (case, seen)
        })
    });
    let mut wrong = Vec::new();
    for played in played.collect::<Vec<_>>() {
        let (case, seen) = played.await.unwrap();
        for (end, (seen, other)) in case.ends.iter().zip([(&seen[0], &seen[1]), (&seen[1], &seen[0])]) {
            if !seen.contains(end) || other.contains(end) {
                wrong.push(format!("{}\nwanted `{end}` in one of\n{seen}\n---\n{other}\n", case.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
