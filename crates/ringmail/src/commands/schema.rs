//! `ringmail schema`: schemas for editors and for those who write policies.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::terminal::print;
use ringmail_engine::KINDS;
use ringmail_engine::core::chain::keys::chain_schema;
use ringmail_engine::core::config::layer_schema;
use ringmail_engine::core::plugin::manifest_schema;
use ringmail_engine::core::policy::SCHEMA;
use ringmail_engine::core::project::project_schema;
use ringmail_engine::core::question::tests_schema;

/// Print a schema: of chain files, of `ringmail.toml`, of `plugin.toml`, of policies, or of their tests
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// JSON Schema of a chain file
    Chain,
    /// JSON Schema of `ringmail.toml`
    Project,
    /// JSON Schema of `ringmail.NAME.toml`, the layer of an environment
    Layer,
    /// JSON Schema of `plugin.toml`
    Plugin,
    /// Cedar schema of policies
    Policy,
    /// JSON Schema of `*.test.yaml`, the cases of `ringmail policy test`
    PolicyTests,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Chain => print(&format!("{:#}", chain_schema(KINDS)))?,
            What::Project => print(&format!("{:#}", project_schema()))?,
            What::Layer => print(&format!("{:#}", layer_schema()))?,
            What::Plugin => print(&format!("{:#}", manifest_schema()))?,
            What::Policy => print(SCHEMA)?,
            What::PolicyTests => print(&format!("{:#}", tests_schema()))?,
        }
        Ok(Exit::Done)
    }
}
