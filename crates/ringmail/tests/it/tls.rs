//! TLS as others speak it: openssl and curl, with each version, with what they are offered, and with certificates of callers.

use crate::serve::{Serving, key_of};
use crate::setup::Place;
use std::process::{Command, Stdio};

/// A project with an authority, a certificate for a caller, and a chain that says who calls.
fn project() -> Place {
    let place = Place::project();
    assert_eq!(place.run(&["cert", "dev"]).code, 0);
    assert_eq!(place.run(&["cert", "dev", "--client", "spiffe://example.com/bot"]).code, 0);
    let certificate = "certificate = \".ringmail/certs/server.pem\"";
    let text = place.read("ringmail.toml").replace("127.0.0.1:8080", "127.0.0.1:0");
    let text =
        text.replace(certificate, &format!("{certificate}, clients = \".ringmail/certs/authority.pem\""));
    let more = "accept = [\"key\", \"mtls\"]\n[[principal]]\nname = \"spiffe://example.com/bot\"\nroles = [\"desk\"]\n";
    place.write("ringmail.toml", &format!("{text}{more}"));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write("chains/who.yaml", "chain: who\noutput: ${run.principal}\n");
    place
}

/// What openssl says of a connection, and whether there was one.
fn s_client(place: &Place, address: &str, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address, "-verify_return_error"]).args(args);
    let output = command.current_dir(place.path()).stdin(Stdio::null()).output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), told.concat())
}

#[test]
fn openssl_agrees_on_each_version_and_on_nothing_older() {
    let place = project();
    let serving = Serving::start(&place, 1);
    let address = serving.urls[0].strip_prefix("https://").unwrap();
    let known = ["-CAfile", ".ringmail/certs/authority.pem"];
    for (version, alpn, wanted) in [
        ("-tls1_3", "h2,http/1.1", ["New, TLSv1.3", "ALPN protocol: h2", "Verify return code: 0 (ok)"]),
        ("-tls1_2", "http/1.1", ["New, TLSv1.2", "ALPN protocol: http/1.1", "Verify return code: 0 (ok)"]),
        ("-tls1_2", "h2", ["New, TLSv1.2", "ALPN protocol: h2", "Acceptable client certificate CA names"]),
    ] {
        let (went, told) = s_client(&place, address, &[&known[..], &[version, "-alpn", alpn]].concat());
        assert!(went && wanted.iter().all(|part| told.contains(part)), "{version} {alpn}: {told}");
    }
    let old = [&known[..], &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]].concat();
    let weak = [&known[..], &["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA"]].concat();
    let other = [&known[..], &["-tls1_3", "-alpn", "spdy/3"]].concat();
    for (args, why) in [(old, "alert"), (weak, "handshake failure"), (other, "no application protocol")] {
        let (went, told) = s_client(&place, address, &args);
        assert!(!went && told.contains(why), "{why}: {told}");
    }
    // Who does not know the authority, or asks for another name, does not go on.
    let other = project();
    let elsewhere = other.path().join(".ringmail/certs/authority.pem").display().to_string();
    let (went, told) = s_client(&place, address, &["-CAfile", &elsewhere]);
    assert!(!went && told.contains("certificate verify failed"), "{told}");
    let named = [&known[..], &["-verify_hostname", "example.com"]].concat();
    let (went, told) = s_client(&place, address, &named);
    assert!(!went && told.contains("ostname mismatch"), "{told}");
}

#[test]
fn curl_calls_with_each_version_of_both_and_with_a_certificate() {
    let place = project();
    let other = project();
    let key = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let url = format!("{}/chains/who", serving.urls[0]);
    let curl = |args: &[&str]| {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--cacert",
            ".ringmail/certs/authority.pem",
            "--json",
            "null",
            "--write-out",
        ]);
        command.args([" %{http_code} %{http_version}", &url]).args(args).current_dir(place.path());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let bearer = format!("authorization: Bearer {key}");
    let shown = ["--header", &bearer];
    for (tls, http, version) in [
        ("1.2", "--http1.1", "1.1"),
        ("1.2", "--http2", "2"),
        ("1.3", "--http1.1", "1.1"),
        ("1.3", "--http2", "2"),
    ] {
        let lowest = format!("--tlsv{tls}");
        let told = curl(&[&shown[..], &[&lowest, "--tls-max", tls, http]].concat());
        assert_eq!(told, (true, format!("\"me\" 200 {version}")), "{tls} {http}");
    }
    let own = |place: &Place| {
        let file = |end: &str| {
            let path = format!(".ringmail/certs/client-spiffe---example.com-bot.{end}");
            place.path().join(path).display().to_string()
        };
        ["--cert".to_string(), file("pem"), "--key".into(), file("key")]
    };
    let with = |own: &[String; 4]| curl(&own.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(with(&own(&place)), (true, "\"spiffe://example.com/bot\" 200 2".into()));
    // A certificate of the same name from another authority is none; without one, somebody else has to prove the caller.
    assert!(!with(&own(&other)).0);
    // Story: a stream whose body was not all here yet was taken back with its answer, and one in three calls heard nothing.
    for _ in 0..20 {
        let (went, told) = curl(&[]);
        assert!(went && told.ends_with("401 2"), "{told}");
    }
}
