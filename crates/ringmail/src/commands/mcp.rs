//! `ringmail mcp`: the chains of a project as tools of one local client, over this process's own pipes.

use super::Common;
use super::serve::{fault, said, serve_with};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{print_value, say};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_server::serve_stdio;

/// Serve a client of MCP that starts this command and speaks over its pipes
///
/// `--config` prints what the client's configuration needs, in the form that most of them read.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The principal the client calls as; by default `run.as` of the project
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Print the `mcpServers` entry for a client, and end
    #[arg(long)]
    config: bool,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        if self.config {
            print_value(&self.entry(&place)?)?;
            return Ok(Exit::Done);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("cannot start")?;
        let ended = runtime.block_on(self.serve(place));
        // A read of stdin cannot be taken back.
        runtime.shutdown_background();
        ended
    }

    async fn serve(&self, place: Place) -> Result<Exit, Fault> {
        let (data, audit) = (place.data(), place.audit()?);
        let engine = place.engine()?;
        let principal = place.principal(&engine, self.principal.as_deref())?;
        let loaded = serve_with(place, engine)?;
        say(&format!("serving MCP to `{}` over stdin and stdout", principal.subject));
        let pipes = (tokio::io::stdin(), tokio::io::stdout());
        serve_stdio(loaded, principal, (&data, audit, said), pipes).await.map_err(fault)?;
        Ok(Exit::Done)
    }

    /// The entry a client needs to start this command, wherever it is started from.
    fn entry(&self, place: &Place) -> Result<Value, Fault> {
        let command = std::env::current_exe().context("cannot find this program")?;
        let folder = std::fs::canonicalize(&place.root).context("cannot find the project's folder")?;
        let text = |path: &std::path::Path| Value::from(path.display().to_string());
        let mut args = vec![Value::from("mcp"), Value::from("--project"), text(&folder)];
        if let Some(principal) = &self.principal {
            args.extend([Value::from("--as"), Value::from(principal.as_str())]);
        }
        let entry = Value::map([("command", text(&command)), ("args", Value::list(args))]);
        let name = place.project.name.to_string();
        Ok(Value::map([("mcpServers", Value::map([(name, entry)]))]))
    }
}
