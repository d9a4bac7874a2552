//! `ringmail demo`: a story in three runs, told from what really happened. Servers, chains and refusals are real;
//! everything stays on loopback, in one process.

use super::Common;
use super::run::{Ended, execute, fault_of};
use crate::demo::{MAILS, Seen, Town, write};
use crate::exit::{Exit, Fault};
use crate::folder::Folder;
use crate::place::{Place, Wanted, origins};
use crate::progress::Tree;
use crate::snippet;
use crate::terminal::{BOLD, DIM, GREEN, RED, clean, paint, print};
use anyhow::Context;
use ringmail_engine::RunError;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::Value;
use std::path::{Path, PathBuf};

/// Show the main job: a support mail with an injected order to pay
///
/// Starts a mailbox, a ticket desk, a bank and a partner on loopback, runs chains against them and shows what was
/// refused, why, and what the servers really received. Needs no network, no model and no key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// New folder to keep the project in, to look around afterwards
    folder: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let kept = self.folder.as_deref();
        let folder = match kept {
            Some(folder) => {
                super::init::new_folder(folder)?;
                Folder { path: folder.to_path_buf(), kept: true }
            }
            None => Folder::temporary("demo")?,
        };
        let town = Town::start().context("cannot listen on loopback")?;
        write(&folder.path, &town).with_context(|| format!("cannot write to `{}`", folder.path.display()))?;
        let place = Place::open(Some(&folder.path), Path::new(""))?;
        Stage { town, place, told: 0 }.play()?;
        if let Some(folder) = kept {
            let folder = folder.display();
            print(&format!(
                "The project stays in `{folder}`; its servers are gone. Look around:\n  ringmail -C {folder} explain\n  ringmail -C {folder} inspect triage\n  ringmail -C {folder} check\n"
            ))?;
        }
        Ok(Exit::Done)
    }
}

struct Stage {
    town: Town,
    place: Place,
    /// Requests that were told of.
    told: usize,
}

impl Stage {
    fn play(mut self) -> Result<(), Fault> {
        print(&scene(
            "A mail gives orders",
            &format!(
                "A program without supervision reads support mail, opens tickets, and can pay refunds.\nThis mail came in:\n\n{}\n\n",
                quoted(MAILS.0)
            ),
        ))?;
        self.run("triage", "desk-bot")?;
        self.receipts(&["desk", "bank"])?;
        print(
            "\nThe ticket was opened: `queue` is one of three words, and the rest may be anything. Nothing was\npaid: whoever wrote the mail would have chosen the recipient.\n",
        )?;

        print(&scene(
            "The same chain, with an endorsement",
            &format!(
                "The next mail asks for a refund as well. Maria from finance checked it, and policy lets her endorse\nsuch orders up to 500 EUR. She runs the same chain:\n\n{}\n\n",
                quoted(MAILS.1)
            ),
        ))?;
        self.run("triage", "maria")?;
        self.receipts(&["desk", "bank"])?;
        print(
            "\nHer endorsement is signed and on record. The key to the bank was put in on the way out, for the\nbank alone; no link has seen it.\n",
        )?;

        print(&scene(
            "A secret tries to leave",
            "Another chain asks the bank for the balance and sends the answer to a partner. The bank's test\nserver repeats in its answer what it was sent, key included.\n\n",
        ))?;
        self.run("statement", "desk-bot")?;
        self.receipts(&["partner"])?;
        print(&scene(
            "What to remember",
            "Nothing ran that was not granted, no value went where its label may not go, and every step is on\nrecord. Keep this project to look around: ringmail demo FOLDER. Start your own: ringmail init FOLDER\n",
        ))
    }

    /// Runs a chain and tells how it went, with the words `ringmail run` has for it.
    fn run(&self, chain: &str, principal: &str) -> Result<(), Fault> {
        let engine = self.place.engine()?;
        let chains = engine.load(&self.place.chains)?;
        let chain = Wanted::Name(chain.into()).pick(&chains, |chain| chain.plan())?;
        let who = self.place.principal(&engine, Some(principal))?;
        print(&paint(DIM, &format!("$ ringmail run {} --as {principal}", chain.name())))?;
        let report = execute(chain, Value::Null, who, false, false)?;
        let mut tree = Tree::default();
        report.trail.iter().for_each(|event| tree.event(event));
        tree.end();
        print(&tree.text())?;
        let checked = engine.check(&self.place.chains);
        let told = match &report.result {
            Ok(answer) => to_string(answer.value()),
            Err(RunError::Refused(refusal)) => snippet::refusal(refusal, &origins(refusal, &checked)),
            Err(error) => {
                let error = error.clone();
                return Err(fault_of(
                    &Ended { checked: &checked, engine: &engine, chain, report, given: true },
                    &error,
                ));
            }
        };
        print(&format!("\n{told}"))
    }

    /// What servers were sent in this scene.
    fn receipts(&mut self, servers: &[&str]) -> Result<(), Fault> {
        let all = self.town.seen();
        let new = all.get(self.told..).unwrap_or_default();
        let mut out = format!("\n{}\n", paint(BOLD, "what they received"));
        for server in servers {
            let lines: Vec<String> = new.iter().filter(|seen| seen.server == *server).map(receipt).collect();
            if lines.is_empty() {
                out.push_str(&format!("  {server:<8} {}\n", paint(GREEN, "nothing")));
            }
            for line in lines {
                out.push_str(&format!("  {server:<8} {}\n", clean(&line)));
            }
        }
        self.told = all.len();
        print(&out)
    }
}

fn receipt(seen: &Seen) -> String {
    let key = if seen.authorization.is_empty() { "" } else { " with the bank's key" };
    format!("{} {}{key} {}", seen.method, seen.path, seen.body).trim_end().to_string()
}

fn scene(title: &str, text: &str) -> String {
    format!("\n{}\n\n{text}", paint(BOLD, title))
}

fn quoted(text: &str) -> String {
    let mark = paint(RED, "|");
    let lines = text.lines().map(|line| format!("  {mark} {}", clean(line)).trim_end().to_string());
    lines.collect::<Vec<_>>().join("\n")
}
