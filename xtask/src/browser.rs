//! A real browser: a page elsewhere calls a listener that names its origin, and one that does not.

use crate::Outcome;
use crate::conformance::start;
use crate::shell::{output, root, say};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

const ALLOWED: &str = "127.0.0.1:8655";
const FOREIGN: &str = "127.0.0.1:8656";
/// What the page writes down: what it was told, that it may not ask, and that what it may send without asking went off.
const WANTED: &str = "<body>200 \"heard\"|blocked|sent</body>";

/// It calls with a head that needs leave, and sends a form, which needs none and must not run anything either.
const PAGE: &str = "<!doctype html><title>elsewhere</title><body>nothing</body><script>(async () => {
const told = [];
for (const place of ['http://ALLOWED', 'http://FOREIGN']) {
  try {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(place + '/chains/said', { method: 'POST', headers, body: '{\"by\": \"page\"}' });
    told.push(answer.status + ' ' + await answer.text());
  } catch { told.push('blocked'); }
}
const form = new FormData();
form.append('by', 'form');
await fetch('http://FOREIGN/chains/said', { method: 'POST', mode: 'no-cors', body: form });
told.push('sent');
document.body.textContent = told.join('|');
})()</script>";

pub(crate) fn judge() -> Outcome {
    say("a browser");
    let folder = root().join("target/tmp/browser");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    // What an earlier run left is no part of this one.
    let _none = std::fs::remove_dir_all(&folder);
    for inner in ["chains", "policies"] {
        std::fs::create_dir_all(folder.join(inner)).map_err(failed)?;
    }
    let pages = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let origin = format!("http://localhost:{}", pages.local_addr().map_err(failed)?.port());
    let listener = |name: &str, bind: &str, more: &str| {
        format!(
            "[listener.{name}]\nkind = \"http\"\nbind = \"{bind}\"\ndangerous = {{ anonymous = true }}\n{more}"
        )
    };
    let project =
        listener("a", ALLOWED, &format!("origins = [\"{origin}\"]\n")) + &listener("b", FOREIGN, "");
    let chain = "chain: said\ninput: {type: object, properties: {by: {type: string}}, required: [by]}\noutput: heard\n";
    let policy = "permit (principal, action, resource);\n";
    for (name, text) in
        [("ringmail.toml", project.as_str()), ("chains/said.yaml", chain), ("policies/main.cedar", policy)]
    {
        std::fs::write(folder.join(name), text).map_err(failed)?;
    }
    std::thread::spawn(move || serve(&pages));
    let project = folder.display().to_string();
    let _server = start("target/debug/ringmail", &["serve", "-C", &project, "--format", "json"], true)?;
    let own = format!("--user-data-dir={}", folder.join("browser").display());
    let flags =
        ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom", &own];
    let seen = output("chromium", &[&flags[..], &[&origin]].concat())
        .map_err(|error| format!("{error}; it is Debian's `chromium`"))?;
    if !seen.contains(WANTED) {
        return Err(format!("the page saw {seen}"));
    }
    let turned = logged(&folder.join(".ringmail/audit")).map_err(failed)?.matches("foreign-origin").count();
    if turned != 2 {
        return Err(format!("{turned} calls of a page elsewhere were turned away, and not 2"));
    }
    println!("who may call was answered, who may not was turned away twice");
    Ok(())
}

/// What anybody may read of an audit log.
fn logged(folder: &Path) -> std::io::Result<String> {
    let mut out = String::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "log") {
            out.push_str(&std::fs::read_to_string(path)?);
        }
    }
    Ok(out)
}

fn serve(pages: &TcpListener) {
    let page = PAGE.replace("ALLOWED", ALLOWED).replace("FOREIGN", FOREIGN);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}",
        page.len()
    );
    for mut stream in pages.incoming().flatten() {
        let _asked = stream.read(&mut [0; 8192]);
        let _gone = stream.write_all(format!("{head}\r\n\r\n{page}").as_bytes());
    }
}
