//! TLS: what is shown, who is believed, and certificates that are exchanged.

use crate::setup::{Doors, PERMIT_ALL, Reply, request, within};
use ringmail_server::DevAuthority;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SECURE: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n\
    tls = { certificate = \"certs/server.pem\", key = \"certs/server.key\", clients = \"certs/authority.pem\" }\n\
    accept = [\"key\", \"mtls\"]\n[[principal]]\nname = \"spiffe://example.com/bot\"\nroles = [\"desk\"]\ntenant = \"acme\"\n";

/// What a project needs to serve TLS: an authority, a listener's certificate, two callers'.
pub fn certificates(folder: &Path) {
    let authority = DevAuthority::open(&folder.join("certs")).unwrap();
    authority.issue_server("server", &["localhost".into(), "127.0.0.1".into()]).unwrap();
    authority.issue_client("bot", "spiffe://example.com/bot").unwrap();
    let other = DevAuthority::open(&folder.join("elsewhere")).unwrap();
    other.issue_server("server", &["localhost".into(), "127.0.0.1".into()]).unwrap();
    other.issue_client("bot", "spiffe://example.com/bot").unwrap();
}

/// A caller that trusts the authority of `roots` and shows the certificate `own`.
pub fn caller(folder: &Path, roots: &str, own: Option<&str>, alpn: &[&str]) -> TlsConnector {
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(folder.join(roots).join("authority.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(store);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let certificate = CertificateDer::from_pem_file(folder.join(format!("{own}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(folder.join(format!("{own}.key"))).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

pub async fn connect(address: &str, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn ask(address: &str, connector: &TlsConnector, headers: &[(&str, &str)]) -> Reply {
    let text = request("localhost", "POST", "/chains/who", headers, "");
    let talk = async {
        let mut stream = connect(address, connector).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    within(talk)
        .await
        .map_or_else(|error| Reply::read(error.to_string().as_bytes()), |bytes| Reply::read(&bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_proves_whom_it_names_if_its_authority_is_believed() {
    let doors = Doors::try_open(SECURE, PERMIT_ALL, certificates).await.unwrap();
    assert!(doors.place_of("web").starts_with("https://"));
    let folder = doors.folder.path();
    let bot = ask(doors.address(), &caller(folder, "certs", Some("certs/bot"), &[]), &[]).await;
    assert!(bot.body.contains("\"principal\":\"spiffe://example.com/bot\""), "{bot:?}");
    assert!(bot.body.contains("\"roles\":[\"desk\"]") && bot.body.contains("\"tenant\":\"acme\""), "{bot:?}");
    let nobody = ask(doors.address(), &caller(folder, "certs", None, &[]), &[]).await;
    assert_eq!(nobody.status, 401);
    // The same name under an authority that is not believed.
    let forged = ask(doors.address(), &caller(folder, "certs", Some("elsewhere/bot"), &[]), &[]).await;
    assert_eq!(forged.status, 0, "{forged:?}");
    // Those whom this host knows by itself are nobody's to show, whoever signed that.
    let authority = DevAuthority::open(&folder.join("certs")).unwrap();
    for name in ["webhook:github", "schedule:nightly", "unix:root"] {
        authority.issue_client("spook", name).unwrap();
        let spook = ask(doors.address(), &caller(folder, "certs", Some("certs/spook"), &[]), &[]).await;
        assert_eq!(spook.status, 401, "{name}: {spook:?}");
    }
    // A listener's own certificate is no caller's.
    let turned = ask(doors.address(), &caller(folder, "certs", Some("certs/server"), &[]), &[]).await;
    assert_eq!(turned.status, 0, "{turned:?}");
    // A key stands above a certificate: whoever shows one is judged by it.
    let headers = [("authorization", "Bearer nonsense")];
    let both = ask(doors.address(), &caller(folder, "certs", Some("certs/bot"), &[]), &headers).await;
    assert_eq!(both.status, 401);
    // And the caller knows whom it speaks with.
    assert!(connect(doors.address(), &caller(folder, "elsewhere", None, &[])).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_it_is_asked_for() {
    let doors = Doors::try_open(SECURE, PERMIT_ALL, certificates).await.unwrap();
    let connector = caller(doors.folder.path(), "certs", Some("certs/bot"), &["h2"]);
    let stream = connect(doors.address(), &connector).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let asked = (0..5).map(|_| {
        let request = hyper::Request::post("https://localhost/chains/who").body(String::new()).unwrap();
        sender.send_request(request)
    });
    for reply in asked.collect::<Vec<_>>() {
        let reply = within(reply).await.unwrap();
        assert_eq!(reply.status(), 200);
        let body = http_body_util::BodyExt::collect(reply.into_body()).await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("spiffe://example.com/bot"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_exchanged_and_open_connections_go_on() {
    let doors = Doors::try_open(SECURE, PERMIT_ALL, certificates).await.unwrap();
    let folder = doors.folder.path();
    let connector = caller(folder, "certs", Some("certs/bot"), &[]);
    let mut before = connect(doors.address(), &connector).await.unwrap();
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let first = shown(&before);
    // Half of it is written: the one before goes on.
    std::fs::write(folder.join("certs/server.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(shown(&connect(doors.address(), &connector).await.unwrap()), first);
    let authority = DevAuthority::open(&folder.join("certs")).unwrap();
    authority.issue_server("server", &["localhost".into()]).unwrap();
    within(async {
        while shown(&connect(doors.address(), &connector).await.unwrap()) == first {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let text = request("localhost", "POST", "/chains/who", &[], "");
    before.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    before.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Reply::read(&answer).status, 200);
}

/// Authorities of callers look as if a certificate were needed, where none is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_callers_are_asked_for_or_not_named() {
    for accept in ["accept = [\"key\"]", ""] {
        let text = SECURE.replace("accept = [\"key\", \"mtls\"]", accept);
        let why = Doors::try_open(&text, PERMIT_ALL, certificates).await.err().unwrap();
        assert!(why.contains("`accept` does not name `mtls`"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_stops_the_server_and_says_so() {
    for (change, told) in [
        ("certs/server.pem", "cannot use the certificates in `certs/server.pem`"),
        ("certs/server.key", "cannot use the key in `certs/server.key`"),
        ("certs/authority.pem", "cannot use the certificates in `certs/authority.pem`"),
    ] {
        let spoilt = |folder: &Path| {
            certificates(folder);
            std::fs::write(folder.join(change), "nothing").unwrap();
        };
        let why = Doors::try_open(SECURE, PERMIT_ALL, spoilt).await.err().unwrap();
        assert!(why.contains(told), "{why}");
    }
    let swapped = |folder: &Path| {
        certificates(folder);
        std::fs::copy(folder.join("elsewhere/server.key"), folder.join("certs/server.key")).unwrap();
    };
    let why = Doors::try_open(SECURE, PERMIT_ALL, swapped).await.err().unwrap();
    assert!(why.contains("the key in `certs/server.key`"), "{why}");
}
