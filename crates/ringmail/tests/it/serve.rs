//! `ringmail serve` as its users have it: started, called, reloaded, ended.

use crate::setup::Place;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server, and where it listens.
pub struct Serving {
    pub child: Child,
    pub urls: Vec<String>,
    pub told: BufReader<std::process::ChildStderr>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Serving {
    pub fn start(place: &Place, listeners: usize) -> Serving {
        let mut command = place.command(&["serve", "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut urls = Vec::new();
        for _ in 0..listeners {
            let Some(line) = lines.next() else {
                let mut why = String::new();
                told.read_to_string(&mut why).unwrap();
                panic!("it did not serve: {why}");
            };
            let line = line.unwrap();
            let (_, rest) = line.split_once("\"place\":\"").unwrap();
            urls.push(rest.split('"').next().unwrap().to_string());
        }
        Serving { child, urls, told }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Reads what is said until a line holds `wanted`.
    pub fn says(&mut self, wanted: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "`{wanted}` is not in {all}");
            all.push_str(&line);
            if line.contains(wanted) {
                return all;
            }
        }
    }
}

/// A crash of a server once left all of its memory beside the project: the host's key, and every secret.
#[test]
fn attack_40_no_memory_of_a_server_is_left_on_a_disk() {
    let place = project();
    let serving = Serving::start(&place, 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["1", "1"], "{core}");
}

/// A call as any program would make it: status and body.
pub fn call(url: &str, key: &str, body: &str, authority: Option<&str>) -> (u16, String) {
    const CALL: &str = "import ssl, sys, urllib.request, urllib.error\n\
        url, key, body, authority = sys.argv[1:5]\n\
        context = ssl.create_default_context(cafile=authority) if authority else None\n\
        headers = {'authorization': 'Bearer ' + key, 'content-type': 'application/json'}\n\
        request = urllib.request.Request(url, body.encode() or None, headers)\n\
        try:\n    reply = urllib.request.urlopen(request, context=context)\n\
        except urllib.error.HTTPError as error:\n    reply = error\n\
        print(reply.status)\nprint(reply.read().decode(), end='')\n";
    let output =
        Command::new("python3").args(["-c", CALL, url, key, body, authority.unwrap_or("")]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let Some((status, body)) = text.split_once('\n') else {
        return (0, String::from_utf8_lossy(&output.stderr).into_owned());
    };
    (status.parse().unwrap(), body.to_string())
}

pub fn project() -> Place {
    let place = Place::project();
    let text = place.read("ringmail.toml").replace("127.0.0.1:8080", "127.0.0.1:0");
    let plain = text.lines().filter(|line| !line.starts_with("tls = ")).map(|line| format!("{line}\n"));
    place.write("ringmail.toml", &plain.collect::<String>());
    place
}

pub fn key(place: &Place) -> String {
    key_of(place, "me")
}

pub fn key_of(place: &Place, name: &str) -> String {
    let ended = place.run(&["key", "create", name]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let written = std::fs::read_to_string(place.path().join(".ringmail/keys.json")).unwrap();
    let key = ended.out.trim().to_string();
    assert!(key.starts_with("rmk_") && !written.contains(&key));
    key
}

/// The commands of the README.
#[test]
fn a_newcomer_makes_a_call_over_tls_with_a_key() {
    let place = Place::project();
    place.write("ringmail.toml", &place.read("ringmail.toml").replace("127.0.0.1:8080", "127.0.0.1:0"));
    let early = place.run(&["serve"]);
    assert!(early.code == 1 && early.err.contains("for development: ringmail cert dev"), "{}", early.err);
    assert_eq!(place.run(&["cert", "dev"]).code, 0);
    let key = key(&place);
    let serving = Serving::start(&place, 1);
    assert!(serving.urls[0].starts_with("https://127.0.0.1:"), "{}", serving.urls[0]);
    let greet = format!("{}/chains/greet", serving.urls[0]);
    let authority = place.path().join(".ringmail/certs/authority.pem").display().to_string();
    let input = "{\"name\": \"Ada\"}";
    assert_eq!(call(&greet, &key, input, Some(&authority)), (200, "\"Hello, Ada!\"".into()));
    assert_eq!(call(&greet, "rmk_nonsense", input, Some(&authority)).0, 401);
    let (status, why) = call(&greet, &key, input, None);
    assert!(status == 0 && why.contains("CERTIFICATE_VERIFY_FAILED"), "{status} {why}");
}

#[test]
fn attack_36_a_key_that_is_taken_back_lets_nobody_in_within_a_second() {
    let place = project();
    let key = key(&place);
    let serving = Serving::start(&place, 1);
    let chains = format!("{}/chains", serving.urls[0]);
    assert_eq!(call(&chains, &key, "", None).0, 200);
    let listed = place.run(&["key", "list"]);
    let id = listed.out.split(' ').next().unwrap().to_string();
    assert!(listed.out.contains("me · good · roles developer"), "{}", listed.out);
    assert_eq!(place.run(&["key", "revoke", &id]).code, 0);
    let since = Instant::now();
    while call(&chains, &key, "", None).0 != 401 {
        assert!(since.elapsed() < Duration::from_secs(20), "it still works");
    }
    assert!(place.run(&["key", "list"]).out.contains("revoked"));
    assert!(place.run(&["key", "revoke", "none"]).err.contains("there is no key `none`"));
    for wrong in ["5 days", "2001-01-01", "0s"] {
        assert_eq!(place.run(&["key", "create", "me", "--expires", wrong]).code, 1, "{wrong}");
    }
}

#[test]
fn a_project_is_read_anew_and_a_broken_one_changes_nothing() {
    let place = project();
    let key = key(&place);
    let mut serving = Serving::start(&place, 1);
    let one = format!("{}/chains/one", serving.urls[0]);
    assert_eq!(call(&one, &key, "", None).0, 404);
    place.write("chains/one.yaml", "chain: one\noutput: ${nothing}\n");
    serving.signal("HUP");
    let told = serving.says("not reloaded");
    assert!(told.contains("chains/one.yaml:2:11"), "{told}");
    assert_eq!(call(&format!("{}/chains", serving.urls[0]), &key, "", None).0, 200);
    place.write("chains/one.yaml", "chain: one\noutput: 1\n");
    serving.signal("HUP");
    serving.says("reloaded");
    assert_eq!(call(&one, &key, "", None), (200, "{\"name\":\"one\"}".into()));
    assert_eq!(call(&one, &key, "null", None), (200, "1".into()));
    let status = place.run(&["status"]);
    assert!(status.out.contains("\"draining\": false") && status.out.contains("\"one\""), "{}", status.out);
    place.write("policies/main.cedar", "permit (principal;");
    let ended = place.run(&["reload"]);
    assert!(ended.code == 1 && ended.err.contains("policies/main.cedar:1:18"), "{}", ended.err);
    place.write("policies/main.cedar", "permit (principal, action, resource);");
    assert_eq!(place.run(&["reload"]).code, 0);
    assert_eq!(place.run(&["drain"]).code, 0);
    serving.says("nothing new is let in");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert!(place.run(&["status"]).err.contains("no server of this project runs here"));
    let mut again = Serving::start(&place, 1);
    let second = place.run(&["serve"]);
    assert!(second.code == 1 && second.err.contains("another server has this data folder"), "{}", second.err);
    again.signal("TERM");
    again.says("nothing new is let in");
    assert_eq!(again.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_served_says_why() {
    let place = project();
    let text = place.read("ringmail.toml");
    for (from, to, told) in [
        ("[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"", "", "the project has no listener"),
        ("127.0.0.1:0", "0.0.0.0:0", "other machines reach this address, and there is no `tls`"),
        ("127.0.0.1:0", "example.com:80", "`example.com:80` is not an address with a port"),
        ("bind = ", "bnd = ", "did you mean `bind`?"),
        ("kind = \"http\"", "kind = \"htp\"", "did you mean `http`?"),
        ("127.0.0.1:0\"", "127.0.0.1:0\"\nchains = [\"none\"]", "there is no chain `none`"),
        ("127.0.0.1:0\"", "127.0.0.1:0\"\naccept = [\"mtls\"]", "`tls.clients`"),
        ("127.0.0.1:0\"", "127.0.0.1:0\"\naccept = [\"unix\"]", "only a `unix` listener"),
        ("127.0.0.1:0\"", "127.0.0.1:0\"\npath = \"x\"", "only a `unix` listener has a `path`"),
        ("127.0.0.1:0\"", "127.0.0.1:0\"\nproxies = [\"here\"]", "`here` is no address or range"),
    ] {
        assert!(text.contains(from), "{from}");
        place.write("ringmail.toml", &text.replace(from, to));
        let ended = place.run(&["serve"]);
        assert_eq!(ended.code, 1, "{told}");
        assert!(ended.err.contains(told), "{told} is not in {}", ended.err);
    }
}

/// What comes back for a form, as clients of OAuth send it.
fn exchange(url: &str, refresh: &str) -> (u16, String) {
    const SEND: &str = "import sys, urllib.parse, urllib.request, urllib.error\n\
        form = {'grant_type': 'refresh_token', 'refresh_token': sys.argv[2]}\n\
        try:\n    reply = urllib.request.urlopen(sys.argv[1] + '/token', urllib.parse.urlencode(form).encode())\n\
        except urllib.error.HTTPError as error:\n    reply = error\n\
        print(reply.status)\nprint(reply.read().decode(), end='')\n";
    let output = Command::new("python3").args(["-c", SEND, url, refresh]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (status, body) = text.split_once('\n').unwrap();
    (status.parse().unwrap(), body.to_string())
}

#[test]
fn a_token_is_issued_used_exchanged_looked_into_and_taken_back() {
    let place = project();
    place.write("ringmail.toml", &format!("{}accept = [\"jwt\"]\n", place.read("ringmail.toml")));
    let ended = place.run(&["token", "issue", "me", "--refresh", "30d", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let part = |text: &str, name: &str| {
        let (_, rest) =
            text.split_once(&format!("\"{name}\":")).or(text.split_once(&format!("\"{name}\": "))).unwrap();
        rest.trim_start().trim_start_matches('"').split('"').next().unwrap().to_string()
    };
    let (access, refresh) = (part(&ended.out, "access_token"), part(&ended.out, "refresh_token"));
    assert_eq!(place.run(&["token", "issue", "me"]).out.matches('.').count(), 2);
    let serving = Serving::start(&place, 1);
    let greet = format!("{}/chains/greet", serving.urls[0]);
    let input = "{\"name\": \"Ada\"}";
    assert_eq!(call(&greet, &access, input, None), (200, "\"Hello, Ada!\"".into()));
    let (status, told) = exchange(&serving.urls[0], &refresh);
    assert_eq!(status, 200, "{told}");
    let next = part(&told, "access_token");
    assert_eq!(call(&greet, &next, input, None).0, 200);

    let seen = place.run(&["token", "inspect", &next]);
    assert_eq!((seen.code, seen.out.contains("\"sub\": \"me\""), seen.err.contains("good")), (0, true, true));
    assert_eq!(place.run(&["token", "rotate"]).code, 0);
    assert!(place.run(&["token", "list"]).out.contains("me · good · refreshes"));
    let begun = Instant::now();
    assert_eq!(place.run(&["token", "revoke", &next]).code, 0);
    while call(&greet, &access, input, None).0 == 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still lets somebody in");
    }
    let seen = place.run(&["token", "inspect", &next]);
    assert_eq!((seen.code, seen.err.contains("the token was revoked")), (1, true), "{}", seen.err);
    for (wrong, hint) in [
        (&["token", "revoke", "nobody"][..], "token list"),
        (&["token", "issue", "corp|me"], "without `|`"),
        (&["key", "create", "corp|me"], "without `|`"),
        (&["token", "issue", "me", "--expires", "30d"], "--refresh 30d"),
        (&["token", "inspect", "nonsense"], "three parts"),
    ] {
        let ended = place.run(wrong);
        assert_eq!((ended.code, ended.err.contains(hint)), (1, true), "{}", ended.err);
    }
}
