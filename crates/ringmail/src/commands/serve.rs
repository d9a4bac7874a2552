//! `ringmail serve`: the chains of a project behind its listeners, until it is told to end.

use super::Common;
use super::run::Stopping;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, print, print_data, say};
use anyhow::Context;
use ringmail_engine::Engine;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::Value;
use ringmail_server::{Loaded, Server, ServerError};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// What a project needs to be served at all.
const FIRST_LISTENER: &str =
    "add to `ringmail.toml`:\n[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:8080\"";

/// Let callers in through the listeners of the project
///
/// SIGHUP reads the project anew: if anything about it is wrong, what was served before goes on. SIGTERM and Ctrl-C let
/// nothing new in and wait for what is under way.
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
        let place = open(chosen.as_deref())?;
        if place.project.server.listeners.is_empty() {
            return Err(Fault::user("the project has no listener").hint(FIRST_LISTENER));
        }
        let data = place.data();
        let loaded = load(place, None)?;
        let (keys, log) = (data.join(KEYS_FILE), data.join(DOORS_FILE));
        let server = Server::start(loaded, &keys, &log).await.map_err(fault)?;
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
        say("serving; Ctrl-C ends it");
        let asked = stopping.asked();
        tokio::pin!(asked);
        loop {
            tokio::select! {
                () = &mut asked => break,
                _ = hangup.recv() => match reload(&server, chosen.as_deref()).await {
                    Ok(()) => say("reloaded"),
                    Err(fault) => say(&format!("{}\nnot reloaded: what was served before goes on", fault.text())),
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

/// Where keys are, and what happened at the doors, in the data folder.
pub(super) const KEYS_FILE: &str = "keys.json";
pub(super) const DOORS_FILE: &str = "doors.jsonl";

fn open(chosen: Option<&Path>) -> Result<Place, Fault> {
    let place = Place::open(chosen, Path::new("."))?;
    if place.is_project() {
        return Ok(place);
    }
    Err(Fault::user("there is no project here").hint("make one: ringmail init my-project"))
}

/// An engine with all chains of the project, where it can be served at all.
fn load(place: Place, before: Option<&Engine>) -> Result<Loaded, Fault> {
    let engine = place.engine_after(before)?;
    engine.load(&place.chains)?;
    let keep = Box::new(place.watch(&engine)?);
    let folder: PathBuf = place.root.clone();
    Ok(Loaded { engine, setting: place.project.server, folder, keep })
}

/// Reading a project takes its time, and others are answered meanwhile.
async fn reload(server: &Server, chosen: Option<&Path>) -> Result<(), Fault> {
    let (engine, chosen) = (server.engine(), chosen.map(Path::to_path_buf));
    let loading = tokio::task::spawn_blocking(move || load(open(chosen.as_deref())?, Some(&engine)));
    let loaded = loading.await.context("the project was not read to its end")??;
    server.reload(loaded).await.map_err(fault)
}

fn fault(error: ServerError) -> Fault {
    Fault::from(anyhow::Error::new(error))
}
