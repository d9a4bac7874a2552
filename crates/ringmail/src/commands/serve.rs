//! `ringmail serve`: the chains of a project behind its listeners, until it is told to end.

use super::Common;
use super::config::user;
use super::run::Stopping;
use crate::exit::{Exit, Fault};
use crate::layers::environment;
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_data, say};
use crate::versions::{Occasion, Versions};
use anyhow::Context;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Clock, Engine, Forwards, Purges, Sending, SystemClock, hold_against_others};
use ringmail_server::{Loaded, Server, ServerError, Task};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// What a project needs to be served at all.
const FIRST_LISTENER: &str =
    "add to `ringmail.toml`:\n[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:8080\"";

/// Let callers in through the listeners of the project
///
/// SIGHUP and `ringmail reload` read the project anew: if anything about it is wrong, what was served before goes on. SIGTERM, Ctrl-C
/// and `ringmail drain` let nothing new in and wait for what is under way.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("cannot start")?;
        let ended = runtime.block_on(self.serve(common));
        runtime.shutdown_background();
        ended
    }

    async fn serve(&self, common: &Common) -> Result<Exit, Fault> {
        let stopping = Stopping::listen().context("cannot listen for signals")?;
        let mut hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let chosen = common.project.clone();
        let place = Place::project_in(chosen.as_deref())?;
        let setting = &place.project.server;
        if setting.listeners.is_empty() && setting.schedules.is_empty() {
            return Err(Fault::user("the project has no listener and no schedule").hint(FIRST_LISTENER));
        }
        let (data, audit) = (place.data(), place.audit()?);
        let files = place.files();
        let server = Server::start(load(place, None)?, &data).await.map_err(fault)?;
        keep(&data, &files, "start", &user());
        for bound in server.bound() {
            match self.format {
                Format::Text => print(&format!("{} {} ({})", bound.name, bound.place, bound.accepts))?,
                Format::Json => print_data(&to_string(&Value::map([
                    ("listener", Value::Str(bound.name.clone())),
                    ("place", Value::from(bound.place.as_str())),
                    ("accepts", Value::from(bound.accepts.as_str())),
                ])))?,
            }
        }
        match server.resume(audit, said) {
            Ok(0) => {}
            Ok(count) => say(&format!("going on with {count} runs that were left open")),
            Err(error) => say(&format!("runs that were left open stay so: {error}")),
        }
        say("serving; Ctrl-C ends it");
        let asked = stopping.asked();
        tokio::pin!(asked);
        loop {
            tokio::select! {
                () = &mut asked => break,
                _ = hangup.recv() => drop(reload_and_say(&server, chosen.as_deref(), &data, &user()).await),
                task = server.task() => match task {
                    // Whoever asked may have gone.
                    Task::Reload { by, done } => {
                        drop(done.send(reload_and_say(&server, chosen.as_deref(), &data, &by).await));
                    }
                    Task::Drain => break,
                },
            }
        }
        say("ending: nothing new is let in");
        let cut = server.drain().await;
        if cut > 0 {
            say(&format!("{cut} connections were cut"));
        }
        Ok(Exit::Done)
    }
}

pub(super) fn said(what: &str) {
    say(&clean(what));
}

/// An engine with all chains of the project, where it can be served at all.
fn load(place: Place, before: Option<&Engine>) -> Result<Loaded, Fault> {
    let engine = place.engine_after(before)?;
    serve_with(place, engine)
}

pub(super) fn serve_with(place: Place, engine: Engine) -> Result<Loaded, Fault> {
    engine.load(&place.chains)?;
    let told = |what: &str| say(&clean(what));
    let secrets = engine.watch_secrets(told).context("cannot look after secrets")?;
    let project = &place.project;
    let forwards = match project.forwards.is_empty() && project.anchors.is_empty() {
        true => None,
        false => {
            let around = place.forward_around()?;
            hold_against_others(project, &around).map_err(not_anchored)?;
            let all = [Sending::Records, Sending::Checkpoints];
            Some(Forwards::start(&all, project, around, told).map_err(Fault::user)?)
        }
    };
    let purges = match place.project.retention.is_empty() {
        true => None,
        false => Some(
            Purges::start(place.project.retention.clone(), place.audit()?, told).context("cannot purge")?,
        ),
    };
    let keep = Box::new((place.watch(&engine)?, secrets, forwards, purges));
    let folder: PathBuf = place.root.clone();
    Ok(Loaded { engine, setting: place.project.server, folder, keep })
}

/// Nothing runs on a log that is not the one that was signed for.
pub(super) fn not_anchored(why: String) -> Fault {
    Fault::user(clean(&why).into_owned())
        .hint("look first: ringmail audit verify; an anchor that is wrong is taken out of `ringmail.toml`")
}

/// Reads the project anew; says how it went here, and to whoever asked.
async fn reload_and_say(server: &Server, chosen: Option<&Path>, data: &Path, by: &str) -> Result<(), String> {
    let done = reload(server, chosen, data, by)
        .await
        .map_err(|fault| anstream::adapter::strip_str(&fault.text()).to_string());
    match &done {
        Ok(()) => say("reloaded"),
        Err(why) => say(&format!("{why}\nnot reloaded: what was served before goes on")),
    }
    done
}

/// Reading a project takes its time, and others are answered meanwhile.
async fn reload(server: &Server, chosen: Option<&Path>, data: &Path, by: &str) -> Result<(), Fault> {
    let (engine, chosen, kept_in) = (server.engine(), chosen.map(Path::to_path_buf), data.to_path_buf());
    let loading = tokio::task::spawn_blocking(move || {
        let place = Place::project_in(chosen.as_deref())?;
        if place.data() != kept_in {
            let why = "`project.data` is another folder: it takes effect when the server is started anew";
            return Err(Fault::user(why));
        }
        let files = place.files();
        Ok((load(place, Some(&engine))?, files))
    });
    let (loaded, files) = loading.await.context("the project was not read to its end")??;
    server.reload(loaded).await.map_err(fault)?;
    keep(data, &files, "reload", by);
    Ok(())
}

/// Keeps what is served now as a version. That it cannot be kept stops nobody who is served.
fn keep(data: &Path, files: &BTreeMap<String, Vec<u8>>, how: &str, by: &str) {
    let kept = environment().and_then(|environment| {
        let occasion = Occasion { by, how, environment: &environment, at_ms: SystemClock.now_ms() };
        Versions::open(data)?.keep(files, &occasion)
    });
    match kept {
        Ok(Some(id)) => say(&format!("configuration {id}")),
        Ok(None) => {}
        Err(fault) => say(&format!("{}\nthis configuration is not kept as a version", fault.text())),
    }
}

pub(super) fn fault(error: ServerError) -> Fault {
    Fault::from(anyhow::Error::new(error))
}
