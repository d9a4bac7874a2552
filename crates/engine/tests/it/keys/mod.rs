//! Every key of `plugin.toml` and `ringmail.toml` changes what happens. A case is a pair of documents that differ in one
//! key, and what is seen of each; which key that is, the documents themselves say. A key that is added without a case
//! fails, and so does a case for a key that is gone.

mod commands;
mod detect;
mod grants;
mod guests;
mod manifest;
mod plugins;
mod project;
pub mod schema;
mod upstreams;

use crate::guest::Guest;
use crate::http::{Secure, secure};
use crate::plugins::CHAIN;
use crate::server::{Server, answer, json_answer, serve};
use crate::setup::{Log, PERMIT_ALL, alice, json, shown};
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::{
    Audit, Engine, HostKey, KernelWalls, PLUGIN_FILE, PluginFolder, Principal, Report, Resolve, Resolving,
    Wall,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A project, with `<<one||other>>` where its two documents differ, and what is seen of each.
pub struct Case {
    /// The plugin `p`, if there is one: its imports and the body of its call.
    guest: Option<guests::Does>,
    /// Its manifest, beyond its name if it does not say its name.
    manifest: &'static str,
    /// Its table in the project, beyond what finds and pins it if that is not said.
    grants: &'static str,
    project: &'static str,
    policy: &'static str,
    chain: &'static str,
    inputs: &'static [&'static str],
    /// Who runs with each input; all are alice's where nobody is named.
    by: &'static [&'static str],
    /// What stands in what is seen of one, and not of the other.
    ends: [&'static str; 2],
}

pub const CASE: Case = Case {
    guest: None,
    manifest: "",
    grants: "",
    project: "",
    policy: PERMIT_ALL,
    chain: CHAIN,
    inputs: &["1"],
    by: &[],
    ends: ["", ""],
};

/// Trusts what comes in, besides.
pub const VOUCH: &str = "permit (principal, action, resource);";
const NAMED: &str = "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"a test\"\n";
const PINNED: &str = "path = \"p\"\ndigest = \"@DIGEST@\"\nreason = \"test\"\n";
/// What every project has: a folder, more chains, a second plugin.
const FILES: &[(&str, &str)] = &[
    ("in/a.txt", "\"a text of some length\""),
    ("out/a.txt", "\"out\""),
    (
        "api.json",
        "{\"openapi\": \"3.1.0\", \"paths\": {\"/again\": {\"get\": {\"operationId\": \"echo\", \"parameters\": [{\"name\": \"v\", \"in\": \"query\", \"schema\": {\"type\": \"integer\"}}], \"responses\": {}}}}}",
    ),
    ("one.secret", "first-secret-value"),
    ("two.secret", "second-secret-value"),
];
const MORE: &[&str] = &[
    "chain: double\ninput: {type: integer}\noutput: ${input * 2}",
    "chain: note\ninput: {type: integer}\noutput: ${input}",
];

fn all() -> impl Iterator<Item = &'static Case> {
    [
        manifest::CASES,
        plugins::CASES,
        grants::CASES,
        project::CASES,
        commands::CASES,
        detect::CASES,
        upstreams::CASES,
    ]
    .into_iter()
    .flatten()
}

impl Case {
    fn manifest(&self) -> String {
        if self.manifest.starts_with("plugin = ") {
            self.manifest.into()
        } else {
            format!("{NAMED}{}", self.manifest)
        }
    }

    fn project(&self) -> String {
        let Case { grants, project, guest, .. } = self;
        let pinned = if grants.contains("path = ") { "" } else { PINNED };
        let plugin = guest.map(|_| match grants.contains("[plugin.p]") {
            true => format!("{grants}\n"),
            false => format!("[plugin.p]\n{pinned}{grants}\n"),
        });
        format!("{project}\n{}", plugin.unwrap_or_default())
    }

    /// The one key in which its documents differ; two if a table comes with its only key.
    fn keys(&self) -> BTreeSet<String> {
        let mut keys = schema::differing(schema::MANIFEST, &self.manifest());
        let numbered = self.project().replace("@PORT@", "8").replace("@FREE@", "9");
        keys.extend(schema::differing(schema::PROJECT, &numbered));
        let table_and_key = |(table, key): (&String, &String)| key.starts_with(&format!("{table}."));
        let well =
            keys.len() == 1 || (keys.len() == 2 && keys.first().zip(keys.last()).is_some_and(table_and_key));
        assert!(well, "a case differs in one key, not in {keys:?}");
        keys
    }

    /// All that is seen of one of its documents.
    async fn play(&self, side: usize) -> String {
        let stage = Stage::new().await;
        let folder = stage.folder.path();
        let mut project = schema::variants(&self.project())[side].clone();
        if let Some((imports, call)) = self.guest {
            let manifest = schema::variants(&self.manifest())[side].clone();
            let digest = stage.write(imports, call, &manifest);
            project = project.replace("@DIGEST@", &digest);
        }
        let project = stage.filled(&project);
        let log = Arc::new(Log::default());
        let builder = Engine::builder()
            .project(Source::new("ringmail.toml", project.as_str()), folder)
            .policies(vec![Source::new("main.cedar", self.policy)])
            .recorder(Arc::new(Audit::open(&folder.join("records"), &HostKey::ephemeral()).unwrap()))
            .log(log.clone())
            .kept(folder.join("kept.redb"))
            .resolver(Arc::new(Home))
            .native("act", async |ctx| Ok(ctx.value().clone()))
            .effect("act", "act");
        let poorer = self.project.contains("unconfined");
        let builder = match poorer {
            true => builder.kernel_walls(KernelWalls::of_this_host().without(Wall::Calls)),
            false => builder,
        };
        let engine = match builder.build() {
            Ok(engine) => engine,
            Err(error) => return format!("not loaded: {error}"),
        };
        let chains =
            std::iter::once(stage.filled(self.chain)).chain(MORE.iter().map(|text| (*text).to_string()));
        let sources: Vec<_> =
            chains.enumerate().map(|(at, text)| Source::new(format!("{at}.yaml"), text)).collect();
        let chain = match engine.load(&sources) {
            Ok(mut chains) => chains.remove(0),
            Err(problems) => return format!("not loaded: {problems}"),
        };
        let mut seen = String::new();
        for (at, input) in self.inputs.iter().enumerate() {
            let who = self.by.get(at).map_or("alice", |name| *name);
            let who = Principal { subject: who.into(), ..alice() };
            let request = chain.request(json(&stage.filled(input))).unwrap().principal(who);
            seen.push_str(&told(&request.run().await));
            // Longer than the shortest time that any case sets.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let lines: Vec<String> =
            log.0.lock().unwrap().iter().map(|line| format!("{}: {}", line.link, line.message)).collect();
        let dumps = std::fs::read_dir(folder.join(".ringmail/dumps")).map_or(0, Iterator::count);
        format!("{seen}dumps {dumps}\nlog {lines:?}\nasked {:?}", stage.server.requests())
    }
}

fn told(report: &Report) -> String {
    format!("= {}\nlabels {:?}\ntrail {:?}\n", shown(report), report.labels(), report.trail)
}

/// Every name is at home here.
struct Home;

impl Resolve for Home {
    fn resolve<'r>(&'r self, _: &'r str) -> Resolving<'r> {
        Box::pin(async { Ok(vec!["127.0.0.1".parse().unwrap()]) })
    }
}

/// Where a case is played.
struct Stage {
    folder: tempfile::TempDir,
    server: Server,
    secure: Secure,
    free: u16,
}

impl Stage {
    async fn new() -> Stage {
        let server = serve(|request| match request.split(' ').nth(1) {
            Some("/mcp" | "/auth" | "/keyed") => crate::mcp::web::web(request),
            Some("/big") => json_answer(&format!("\"{}\"", "x".repeat(2000))),
            Some("/none") => answer(404, "", b""),
            _ => json_answer("\"there\""),
        })
        .await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let stage = Stage { folder: tempfile::tempdir().unwrap(), server, secure: secure().await, free };
        let path = stage.folder.path();
        for name in ["in", "out", "p"] {
            std::fs::create_dir(path.join(name)).unwrap();
            // Commands run as whoever they are.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(path.join(name), mode).unwrap();
        }
        crate::mcp::peer(path);
        let ca = ("ca.pem", stage.secure.pem.as_str());
        for (name, text) in FILES.iter().copied().chain([ca]) {
            std::fs::write(path.join(name), text).unwrap();
            if name.ends_with(".secret") {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(path.join(name), mode).unwrap();
            }
        }
        stage
    }

    /// Writes the plugin; gives what pins it.
    fn write(&self, imports: &str, call: &str, manifest: &str) -> String {
        let path = self.folder.path().join("p");
        let guest = Guest { imports, call, ..Guest::default() };
        std::fs::write(path.join(PLUGIN_FILE), self.filled(manifest)).unwrap();
        std::fs::write(path.join("plugin.wasm"), guest.component()).unwrap();
        std::fs::write(path.join("other.wasm"), Guest::calling("(unreachable)").component()).unwrap();
        // One that cannot be read is refused by the engine as well.
        PluginFolder::read(&path, &mut TagTable::default())
            .map_or("none".into(), |read| read.digest.to_string())
    }

    /// A text with what is different each time filled in.
    fn filled(&self, text: &str) -> String {
        let cat = ringmail_engine::program_digest(Path::new("/bin/cat")).unwrap();
        let script = self.folder.path().join("peer/peer.py").canonicalize().unwrap();
        let cat: String = cat.iter().map(|byte| format!("{byte:02x}")).collect();
        text.replace("@URL@", &self.server.url(""))
            .replace("@PORT@", &self.server.address.port().to_string())
            .replace("@TLS@", &self.secure.port.to_string())
            .replace("@PRINT@", &self.secure.print)
            .replace("@FREE@", &self.free.to_string())
            .replace("@CAT@", &cat)
            .replace("@SCRIPT@", &script.display().to_string())
    }
}

async fn prove(cases: &[Case]) {
    let mut faults = String::new();
    for case in cases {
        let keys = case.keys();
        let seen = [case.play(0).await, case.play(1).await];
        assert!(case.ends.iter().any(|end| !end.is_empty()), "{keys:?}: nothing is said of what is seen");
        for (at, end) in case.ends.iter().enumerate() {
            let [this, other] = [&seen[at], &seen[1 - at]];
            // Where one side shows nothing of its own, that it lacks what the other shows says enough.
            if !end.is_empty() && (!this.contains(end) || other.contains(end)) {
                faults.push_str(&format!("{keys:?}: `{end}` is not in\n{this}\nor is in\n{other}\n\n"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test]
async fn every_key_of_a_manifest_changes_what_happens() {
    prove(manifest::CASES).await;
}

#[tokio::test]
async fn every_key_of_a_plugin_changes_what_happens() {
    prove(plugins::CASES).await;
}

#[tokio::test]
async fn every_key_of_a_grant_changes_what_happens() {
    prove(grants::CASES).await;
}

#[tokio::test]
async fn every_key_of_a_project_changes_what_happens() {
    prove(project::CASES).await;
}

#[tokio::test]
async fn every_key_of_a_program_changes_what_happens() {
    prove(commands::CASES).await;
}

#[tokio::test]
async fn every_key_of_an_upstream_changes_what_happens() {
    prove(upstreams::CASES).await;
}

#[tokio::test]
async fn every_key_of_detect_changes_what_happens() {
    prove(detect::CASES).await;
}

#[test]
fn every_key_of_the_published_schemas_has_a_case() {
    let known: BTreeSet<String> =
        [schema::MANIFEST, schema::PROJECT].into_iter().flat_map(schema::keys).collect();
    let mut shown: BTreeSet<String> = schema::OF_THE_BINARY.iter().map(|key| (*key).to_string()).collect();
    shown.extend(schema::keys(schema::PROJECT).into_iter().filter(|key| schema::is_of_the_doors(key)));
    shown.extend(all().flat_map(Case::keys));
    let missing: Vec<&String> = known.difference(&shown).collect();
    assert!(missing.is_empty(), "nothing shows what these keys change: {missing:#?}");
    let gone: Vec<&String> = shown.difference(&known).collect();
    assert!(gone.is_empty(), "cases for keys that are not there: {gone:#?}");
}
