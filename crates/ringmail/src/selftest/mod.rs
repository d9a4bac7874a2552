//! Attacks on this very host: small projects, each made to be broken, run by the same engine that runs everything else.
//! An attack says what it tries and how it must end; whether it did is seen, never assumed. To add a group: a file and a
//! line in [`groups!`].

mod stage;

use crate::exit::Fault;
use stage::Stage;
use std::time::{Duration, Instant};

/// One attack, or with the number 0 what must go well for the others to mean anything. Its project holds the plugin `p`, if there is a module, and runs the chain `t` once for each input.
pub(crate) struct Attack {
    /// Its number in the list of attacks that must fail.
    pub(crate) class: u8,
    pub(crate) what: &'static str,
    /// The plugin, as text.
    module: &'static str,
    /// What its manifest asks for beyond its name.
    asks: &'static str,
    /// What it is granted.
    granted: &'static str,
    /// The rest of the project.
    project: &'static str,
    /// More files of it.
    files: &'static [(&'static str, &'static str)],
    /// Links and output of the chain.
    chain: &'static str,
    inputs: &'static [&'static str],
    /// What may come of every input, by words in it.
    ends: &'static [&'static str],
    /// What must be so afterwards.
    after: fn(&Stage) -> Result<(), String>,
    /// What is done to the project once it is written.
    before: fn(&Stage) -> std::io::Result<()>,
}

const ATTACK: Attack = Attack {
    class: 0,
    what: "",
    module: "",
    asks: "",
    granted: "",
    project: "",
    files: &[],
    chain: "links:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: ${p}\n",
    inputs: &["1"],
    ends: &[],
    after: |_| Ok(()),
    before: |_| Ok(()),
};

macro_rules! groups {
    ($($module:ident,)*) => {
        $(mod $module;)*

        fn attacks() -> impl Iterator<Item = &'static Attack> {
            [$($module::ATTACKS,)*].into_iter().flatten()
        }
    };
}

groups! {
    net,
    files,
    plugins,
    scripts,
    processes,
}

/// How an attack ended.
pub(crate) struct Verdict {
    pub(crate) attack: &'static Attack,
    /// Why it did not end as it must, if so.
    pub(crate) fell: Option<String>,
    /// What was seen of the last input.
    pub(crate) seen: String,
    pub(crate) took: Duration,
}

/// Longer than any attack may keep its host busy.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Runs all attacks, or those of one class.
pub(crate) fn run(class: Option<u8>) -> impl Iterator<Item = Result<Verdict, Fault>> {
    let chosen = attacks().filter(move |attack| class.is_none_or(|class| class == attack.class));
    let mut all: Vec<&Attack> = chosen.collect();
    all.sort_by_key(|attack| attack.class);
    all.into_iter().map(Attack::judge)
}

impl Attack {
    fn judge(&'static self) -> Result<Verdict, Fault> {
        let stage = Stage::set(self)?;
        let started = Instant::now();
        let (mut seen, mut fell) = (String::new(), None);
        for input in self.inputs {
            seen = stage.play(input, TIME_MAX)?;
            if !self.ends.iter().any(|end| seen.contains(end)) {
                fell = Some(match self.inputs.len() {
                    1 => seen.clone(),
                    _ => format!("{input}: {seen}"),
                });
                break;
            }
        }
        let took = started.elapsed();
        let fell = fell.or_else(|| (self.after)(&stage).err());
        Ok(Verdict { attack: self, fell, seen, took })
    }
}
