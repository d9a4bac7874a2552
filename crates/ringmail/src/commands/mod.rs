//! The commands, one file each: its arguments and what it does. To add one: a file and a line in `commands!`.

use crate::exit::{Exit, Fault};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

macro_rules! commands {
    ($($module:ident $variant:ident,)*) => {
        $(mod $module;)*

        #[derive(Subcommand)]
        enum Command {
            $($variant($module::Args),)*
        }

        impl Command {
            fn run(self, common: &Common) -> Result<Exit, Fault> {
                match self { $(Command::$variant(args) => args.run(common),)* }
            }
        }
    };
}

commands! {
    init Init,
    demo Demo,
    run Run,
    runs Runs,
    approve Approve,
    replay Replay,
    serve Serve,
    schedule Schedule,
    status Status,
    reload Reload,
    drain Drain,
    mcp Mcp,
    key Key,
    token Token,
    cert Cert,
    client Client,
    check Check,
    review Review,
    lsp Lsp,
    explain Explain,
    audit Audit,
    subject Subject,
    store Store,
    secret Secret,
    policy Policy,
    config Config,
    graph Graph,
    inspect Inspect,
    plugin Plugin,
    tool Tool,
    import Import,
    python Python,
    selftest Selftest,
    sign Sign,
    verify Verify,
    fmt Fmt,
    walls Walls,
    schema Schema,
    completions Completions,
    man Man,
}

/// Runs chains of links nobody has to trust
///
/// Nothing runs that was not granted; no value goes where its label may not go; nothing happens unrecorded.
#[derive(Parser)]
#[command(name = "ringmail", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Folder of the project; by default the nearest one above with a `ringmail.toml`
    #[arg(short = 'C', long, global = true, value_name = "FOLDER", help_heading = "Everywhere")]
    pub(crate) project: Option<PathBuf>,
    /// Environment whose layer, `ringmail.NAME.toml`, is read over `ringmail.toml`; by default `RINGMAIL_ENV`, or `production`
    #[arg(long, global = true, value_name = "NAME", help_heading = "Everywhere")]
    environment: Option<String>,
    /// When to use colour; `NO_COLOR` is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Everywhere")]
    color: clap::ColorChoice,
}

/// The whole command line, for help, completions and manual pages.
pub(crate) fn cli() -> clap::Command {
    let mut codes = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::ALL {
        let _infallible = writeln!(codes, "  {:>3}  {meaning}", *exit as u8);
    }
    Cli::command().after_help(codes.trim_end().to_string())
}

pub(crate) fn main(args: impl Iterator<Item = OsString>) -> Result<Exit, Fault> {
    let parsed = cli()
        .try_get_matches_from(args)
        .and_then(|mut matches| <Cli as clap::FromArgMatches>::from_arg_matches_mut(&mut matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let _unheard = error.print();
            return Err(Fault::silent(Exit::Usage));
        }
        Err(help) => {
            crate::terminal::print(&help.render().ansi().to_string())?;
            return Ok(Exit::Done);
        }
    };
    match cli.common.color {
        clap::ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        clap::ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto.write_global(),
    }
    if let Some(name) = &cli.common.environment {
        crate::layers::choose(name.clone());
    }
    cli.command.run(&cli.common)
}
