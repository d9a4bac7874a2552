//! `ringmail run`: one run of one chain.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::input::From;
use crate::place::{Place, origins};
use crate::progress::Live;
use crate::terminal::{DIM, Format, clean, is_live, paint, print_data, print_json, print_value, say};
use crate::{failure, figures};
use anyhow::Context;
use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::doc::Problem;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::trail::Stage;
use ringmail_engine::core::value::Value;
use ringmail_engine::{CancellationToken, Chain, Checked, Engine, Principal, Report, Request, RunError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Run a chain and print its output
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Chain file, or the name of a chain of the project
    chain: String,
    /// Read the input from stdin
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["input", "input_file"])]
    stdin: Option<String>,
    /// The input as JSON
    #[arg(short, long, value_name = "JSON", conflicts_with = "input_file")]
    input: Option<String>,
    /// File with the input as JSON
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    /// The principal to run as; by default `run.as` of the project
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Show the labels of the output, path by path
    #[arg(long)]
    labels: bool,
    /// Show what plugins, scripts and programs used
    #[arg(long)]
    figures: bool,
    /// Print the pieces of the chain's `stream` link as they come, then the output: one JSON text a line each
    #[arg(long)]
    stream: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Pieces of a stream that wait for a slow reader.
const PIECES_MAX: usize = 64;

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let format = self.format;
        self.run_chain(common).or_else(|fault| match format {
            Format::Json => {
                if let Some(told) = fault.to_value() {
                    print_json(&told)?;
                }
                Err(Fault::silent(fault.exit))
            }
            Format::Text => Err(fault),
        })
    }

    fn run_chain(&self, common: &Common) -> Result<Exit, Fault> {
        let (mut place, wanted) = Place::around(common.project.as_deref(), &self.chain)?;
        let input = self.input().read()?;
        let engine = place.engine()?;
        let _watch = place.watch(&engine)?;
        // A chain that somebody else broke is no reason for this one not to run.
        place.keep_needed(&engine, &wanted)?;
        let chains = engine.load(&place.chains)?;
        let chain = wanted.pick(&chains, |chain| chain.plan())?;
        let principal = place.principal(&engine, self.principal.as_deref())?;
        let report = execute(chain, input, principal, self.stream, is_live())?;
        let checked = engine.check(&place.chains);
        let given = !matches!(self.input(), From::Nowhere);
        let ended = Ended { engine: &engine, chain, checked: &checked, report, given };
        if self.figures && self.format == Format::Text {
            say(&figures::lines(&engine));
        }
        match (&ended.report.result, self.stream, self.format) {
            (Ok(answer), true, Format::Text) => {
                print_data(&to_string(answer.value()))?;
                Ok(Exit::Done)
            }
            _ => finish(&ended, self.labels, self.format),
        }
    }

    fn input(&self) -> From<'_> {
        match (&self.input, &self.input_file, &self.stdin) {
            (Some(text), ..) => From::Argument(text),
            (_, Some(path), _) => From::File(path),
            (_, _, Some(_)) => From::Stdin,
            _ => From::Nowhere,
        }
    }
}

/// Runs to the end or to Ctrl-C.
pub(super) fn execute(
    chain: &Chain,
    input: Value,
    principal: Principal,
    stream: bool,
    progress: bool,
) -> Result<Report, Fault> {
    let request = chain.request(input).map_err(|error| Fault::user(error.to_string()))?;
    carry_out(request.principal(principal), stream, progress)
}

/// The same for a run that was asked for elsewhere.
pub(super) fn carry_out(request: Request, stream: bool, progress: bool) -> Result<Report, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start")?;
    let live = progress.then(|| Arc::new(Live::start()));
    let cancel = CancellationToken::new();
    let mut request = request.cancel(cancel.clone()).alone();
    if let Some(live) = &live {
        request = request.watch(live.clone());
    }
    let (sender, mut receiver) = tokio::sync::mpsc::channel(PIECES_MAX);
    if stream {
        request = request.pieces(sender);
    } else {
        drop(sender);
    }
    let report = runtime.block_on(async move {
        let stopping = Stopping::listen().context("cannot listen for signals")?;
        let stop = cancel.clone();
        tokio::spawn(async move {
            stopping.asked().await;
            stop.cancel();
        });
        let printing = async {
            while let Some(piece) = receiver.recv().await {
                if let Err(fault) = print_data(&to_string(&piece)) {
                    cancel.cancel();
                    return Err(fault);
                }
            }
            Ok(())
        };
        let (report, printed) = tokio::join!(request.run(), printing);
        printed.map(|()| report)
    });
    // A blocking link that does not listen to its cancellation must not hold the terminal.
    runtime.shutdown_background();
    if let Some(live) = &live {
        live.finish();
    }
    report
}

/// Ctrl-C, and the signal that services are stopped with. Listening begins at once: a run that has started can be
/// stopped in order.
pub(super) struct Stopping {
    interrupt: Signal,
    terminate: Signal,
}

impl Stopping {
    pub(super) fn listen() -> std::io::Result<Stopping> {
        Ok(Stopping {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn asked(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A run that has ended, with what is needed to tell how.
pub(super) struct Ended<'e> {
    pub(super) engine: &'e Engine,
    pub(super) chain: &'e Chain,
    pub(super) checked: &'e Checked,
    pub(super) report: Report,
    /// Whether there was any input.
    pub(super) given: bool,
}

/// Prints how a run ended.
pub(super) fn finish(ended: &Ended<'_>, labels: bool, format: Format) -> Result<Exit, Fault> {
    if format == Format::Json {
        print_json(&as_json(ended, labels))?;
        return match &ended.report.result {
            Ok(_) => Ok(Exit::Done),
            Err(error) => Err(Fault::silent(exit_of(error))),
        };
    }
    let report = &ended.report;
    match &report.result {
        Ok(answer) => {
            print_value(answer.value())?;
            if labels {
                say_labels(report);
            }
            Ok(Exit::Done)
        }
        Err(error) => Err(fault_of(ended, error)),
    }
}

fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Refused(_) => Exit::Refused,
        RunError::Cancelled => Exit::Interrupted,
        RunError::InDoubt(_) | RunError::Left => Exit::Open,
        RunError::Failed { .. } | RunError::Input(_) => Exit::User,
    }
}

pub(super) fn fault_of(ended: &Ended<'_>, error: &RunError) -> Fault {
    let plan = ended.chain.plan();
    match error {
        RunError::Refused(refusal) => Fault::refused(refusal.clone(), origins(refusal, ended.checked))
            .hint(format!("the whole run: ringmail explain {}", ended.report.run)),
        RunError::Failed { link, failure } => {
            let mut help = format!("the whole run: ringmail explain {}", ended.report.run);
            for event in &ended.report.trail {
                match &event.stage {
                    Stage::Dumped { file } => {
                        help.push_str(&format!("\nwhat `{}` was when it crashed: {file}", event.link));
                    }
                    Stage::Undumped { why } => {
                        help.push_str(&format!("\nno core dump of `{}` could be written: {why}", event.link));
                    }
                    _ => {}
                }
            }
            Fault::problem(failure::problem(ended.checked, link, &failure.to_string(), Some(help)))
        }
        RunError::Input(failure) => Fault::problem(Problem {
            spot: None,
            message: failure.message.clone(),
            help: Some(input_help(plan, ended.given)),
        }),
        RunError::InDoubt(refusal) => Fault::refused(refusal.clone(), origins(refusal, ended.checked)).open(),
        RunError::Left => {
            let fault = Fault::user("the run waits for somebody to say yes, and is not over").open();
            fault.hint(format!(
                "see what it asks: ringmail approve; say yes: ringmail approve {} --yes",
                ended.report.run
            ))
        }
        RunError::Cancelled => {
            Fault::interrupted().hint(format!("see it: ringmail explain {}", ended.report.run))
        }
    }
}

fn input_help(plan: &Plan, given: bool) -> String {
    let pass = if given { "" } else { "no input was given: pass it with --input, --input-file or -\n" };
    match &plan.input {
        Some(schema) => format!("{pass}`{}` takes: {}", plan.name, schema.json()),
        None => format!("{pass}`{}` takes anything", plan.name),
    }
}

fn say_labels(report: &Report) {
    let labels = report.labels();
    let wide = labels.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0).max("(whole)".len());
    for (path, words) in labels {
        let path = if path.is_empty() { "(whole)".to_string() } else { path };
        say(&format!("{} {}", paint(DIM, &format!("{:<wide$}", clean(&path))), clean(&words)));
    }
}

fn as_json(ended: &Ended<'_>, labels: bool) -> Value {
    let report = &ended.report;
    let text = |text: &str| Value::from(text);
    let took_us = report.trail.last().map_or(0, |event| event.at_us);
    let mut members = vec![
        ("run", Value::Str(report.run.clone())),
        ("chain", text(ended.chain.name())),
        ("took_us", Value::Int(i64::try_from(took_us).unwrap_or(i64::MAX))),
        ("host_key", text(&ended.engine.public_key())),
    ];
    let counted = ended.engine.figures().all();
    if !counted.is_empty() {
        let counted = counted.iter().map(|(link, figures)| (link.clone(), figures.to_value()));
        members.push(("figures", Value::map(counted)));
    }
    members.extend(figures::members(ended.engine));
    match &report.result {
        Ok(answer) => {
            members.push(("ended", text("answered")));
            members.push(("output", answer.value().clone()));
            if labels {
                let words = report.labels().into_iter().map(|(path, words)| (path, Value::from(words)));
                members.push(("labels", Value::map(words)));
            }
        }
        Err(RunError::Refused(refusal)) => {
            members.push(("ended", text("refused")));
            members.push(("refusal", ringmail_engine::refusal_value(refusal)));
        }
        Err(RunError::Failed { link, failure }) => {
            members.push(("ended", text("failed")));
            let failure = failure.to_value(link);
            members.push(("failure", failure));
        }
        Err(RunError::Input(failure)) => {
            members.push(("ended", text("failed")));
            members.push(("failure", failure.to_value(&ended.chain.plan().name)));
        }
        Err(RunError::InDoubt(refusal)) => {
            members.push(("ended", text("in doubt")));
            members.push(("refusal", ringmail_engine::refusal_value(refusal)));
        }
        Err(RunError::Left) => members.push(("ended", text("waiting"))),
        Err(RunError::Cancelled) => members.push(("ended", text("cancelled"))),
    }
    Value::map(members)
}
