//! `ringmail policy`: what policies can match, what they must say, and why they say it.

mod check;
mod diff;
mod explain;
mod test;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::inventory::inventory;
use crate::place::Place;
use ringmail_engine::core::chain::flow::{self, Reached};
use ringmail_engine::core::chain::{Detail, Plan};
use ringmail_engine::core::doc::Spot;
use ringmail_engine::core::gate::KV;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::policy::{Inventory, Policies};
use ringmail_engine::core::value::Value;
use ringmail_engine::{Checked, Clock, Engine, SystemClock};

/// Check policies, test them, and ask them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Hold policies against their schema and against what the project has
    ///
    /// Says of each policy what it can match, and what in it stands for nothing: chains, links, roles, tenants, tags and others
    /// that the project does not have.
    Check(check::Args),
    /// Judge runs that happened by the grants and policies of now, and list what would be different, both ways
    ///
    /// Every run is walked once more with what its calls brought then; nothing is called. Exits with 1 if anything would change.
    Diff(diff::Args),
    /// Run the cases in `policies/*.test.yaml`
    ///
    /// Each case is a question and the answer it must have; the evaluator is that of runs. `ringmail schema policy-tests` prints
    /// what a case can hold.
    Test(test::Args),
    /// Say whether somebody may do something, by which policy, or what would have to be different
    Explain(Box<explain::Args>),
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Check(args) => args.run(common),
            What::Test(args) => args.run(common),
            What::Diff(args) => args.run(common),
            What::Explain(args) => args.run(common),
        }
    }
}

/// A project whose policies can be asked.
struct Court {
    place: Place,
    engine: Engine,
    checked: Checked,
    inventory: Inventory,
}

impl Court {
    fn open(common: &Common) -> Result<Court, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        let engine = place.checker()?;
        let checked = engine.check(&place.chains);
        if checked.plans.len() < place.chains.len() {
            return Err(
                Fault::from(checked.problems).hint("what policies name can be known once all chains load")
            );
        }
        let inventory = inventory(&place, &engine, &checked)?;
        Ok(Court { place, engine, checked, inventory })
    }

    fn policies(&self) -> &Policies {
        &self.engine.authority().policies
    }

    fn with_tags<T>(&self, ask: impl FnOnce(&TagTable) -> T) -> Result<T, Fault> {
        let tags = self.engine.authority().tags.read();
        Ok(ask(&*tags.map_err(|_| Fault::user("the tags cannot be read"))?))
    }

    /// What a call of a link would reach, and whether it is consequential.
    fn reach(&self, name: &str) -> Option<Reached> {
        let find = |name: &str| self.checked.plans.iter().find_map(|plan| Plan::find(plan, name));
        if let Some(link) = find(name) {
            return flow::reach(link, self.engine.authority(), SystemClock.now_ms());
        }
        match &find(name.strip_suffix(&format!(".{KV}"))?)?.detail {
            Detail::Plugin { plugin, .. } => {
                Some(Reached { sinks: vec![format!("{KV}:{}", plugin.manifest.name)], consequential: false })
            }
            _ => None,
        }
    }

    /// Where a policy stands: the file and its line.
    fn place_of(&self, id: &str) -> String {
        self.policies().spot(id).map(|spot| line(&spot)).unwrap_or_default()
    }
}

fn line(spot: &Spot) -> String {
    format!("{}:{}", spot.source.name, spot.source.line_column(spot.span.start).0)
}

fn placed(id: &str, spot: Option<&Spot>) -> Value {
    let mut members = vec![("id", Value::from(id))];
    if let Some(spot) = spot {
        let (line, _) = spot.source.line_column(spot.span.start);
        members.push(("file", Value::from(spot.source.name.as_str())));
        members.push(("line", Value::Int(i64::try_from(line).unwrap_or(i64::MAX))));
    }
    Value::map(members)
}
