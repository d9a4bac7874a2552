//! Attacks on this very host: small projects, each made to be broken, run by the same engine that runs everything else.
//! An attack says what it tries and how it must end; whether it did is seen, never assumed, and where a setting takes the
//! wall away, it can be seen that the attack gets through then. To add a group: a file and a line in [`groups!`].

mod server;
mod stage;

use crate::exit::Fault;
use ringmail_engine::core::value::Str;
use ringmail_engine::{KernelWalls, Wall};
use stage::Stage;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One attack, or with the number 0 what must go well for the others to mean anything. Its project holds the plugin `p`,
/// if there is a module, and runs the chain `t` once for each input.
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
    /// More chains.
    more: &'static [&'static str],
    inputs: &'static [&'static str],
    /// What may come of every input, by words in it.
    ends: &'static [&'static str],
    /// What names lead to, one look-up after the other; the last one stays.
    names: &'static [&'static str],
    /// Whether its input is trusted, so that nothing but what it tests can stop it.
    vouched: bool,
    /// Whether its program is in Python.
    python: bool,
    /// Where it is tried; by default where its plugin can run.
    modes: &'static [Mode],
    /// What is done instead of running the chain.
    by_hand: Option<ByHand>,
    /// What must be so afterwards.
    after: fn(&Stage) -> Result<(), String>,
    /// What is done to the project once it is written.
    before: fn(&Stage) -> std::io::Result<()>,
    /// What takes its wall away, where a setting can.
    open: Option<Open>,
}

/// What was seen, or how it got through.
type ByHand = fn(&Stage) -> Result<String, String>;

/// A project without the wall that the attack is to meet.
#[derive(Clone, Copy)]
struct Open {
    asks: &'static str,
    granted: &'static str,
    /// Words of the project or the chain, and what stands there instead.
    swaps: &'static [(&'static str, &'static str)],
    /// Whether the plugin is pinned as it is after all that was done to it.
    pinned_late: bool,
}

const OPEN: Open = Open { asks: "", granted: "", swaps: &[], pinned_late: false };

const ATTACK: Attack = Attack {
    class: 0,
    what: "",
    module: "",
    asks: "",
    granted: "",
    project: "",
    files: &[],
    chain: "links:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: ${p}\n",
    more: &[],
    inputs: &["1"],
    ends: &[],
    names: &["127.0.0.1"],
    vouched: false,
    python: false,
    modes: &[],
    by_hand: None,
    after: |_| Ok(()),
    before: |_| Ok(()),
    open: None,
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
    packages,
    scripts,
    programs,
    processes,
}

/// Where what is attacked runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Not a plugin.
    Host,
    /// An instance in this process.
    Instance,
    /// An instance in a worker process.
    Process,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Host => "host",
            Mode::Instance => "instance",
            Mode::Process => "process",
        }
    }
}

/// The interpreter of a project.
#[derive(Clone)]
pub(crate) struct Interpreter {
    pub(crate) path: PathBuf,
    pub(crate) digest: Str,
    /// The project's data folder, where it lies compiled.
    pub(crate) data: PathBuf,
}

/// What attacks are run with.
#[derive(Clone, Default)]
pub(crate) struct Means {
    pub(crate) python: Option<Interpreter>,
    /// Whether the walls are taken away, of the attacks where a setting can.
    pub(crate) open: bool,
}

/// How an attack ended.
pub(crate) enum End {
    Held,
    /// How it did not end as it must.
    Fell(String),
    /// Why it was not tried.
    Untried(String),
}

pub(crate) struct Verdict {
    pub(crate) attack: &'static Attack,
    pub(crate) mode: Mode,
    pub(crate) end: End,
    /// What was seen of the last input.
    pub(crate) seen: String,
    pub(crate) took: Duration,
}

/// Longer than any attack may keep its host busy.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Without its wall, an attack may do what it likes for this long.
const OPEN_TIME_MAX: Duration = Duration::from_secs(3);

/// Runs all attacks, or those of one class.
pub(crate) fn run(class: Option<u8>, means: &Means) -> impl Iterator<Item = Result<Verdict, Fault>> {
    let chosen = attacks().filter(|attack| class.is_none_or(|class| class == attack.class));
    let mut all: Vec<&Attack> = chosen.filter(|attack| !means.open || attack.open.is_some()).collect();
    all.sort_by_key(|attack| attack.class);
    let each = all.into_iter().flat_map(|attack| attack.modes().iter().map(move |mode| (attack, *mode)));
    each.map(|(attack, mode)| attack.judge(mode, means))
}

impl Attack {
    fn modes(&self) -> &'static [Mode] {
        match (self.modes, self.module) {
            ([_, ..], _) => self.modes,
            (_, "") => &[Mode::Host],
            _ => &[Mode::Instance, Mode::Process],
        }
    }

    fn judge(&'static self, mode: Mode, means: &Means) -> Result<Verdict, Fault> {
        let verdict = |end, seen, took| Verdict { attack: self, mode, end, seen, took };
        if let Some(why) = self.lacks(mode, means) {
            return Ok(verdict(End::Untried(why), String::new(), Duration::ZERO));
        }
        let stage = Stage::set(self, mode, means)?;
        let started = Instant::now();
        let (seen, fell) = match self.by_hand {
            Some(by_hand) => match by_hand(&stage) {
                Ok(seen) => (seen, None),
                Err(fell) => (String::new(), Some(fell)),
            },
            None => self.play(&stage, if means.open { OPEN_TIME_MAX } else { TIME_MAX })?,
        };
        let took = started.elapsed();
        let end = match fell.or_else(|| (self.after)(&stage).err()) {
            Some(fell) => End::Fell(fell),
            None => End::Held,
        };
        Ok(verdict(end, seen, took))
    }

    /// Why it cannot be tried on this host.
    fn lacks(&self, mode: Mode, means: &Means) -> Option<String> {
        if self.python && means.python.is_none() {
            return Some("there is no interpreter here; in a project: ringmail python setup".into());
        }
        let walls = KernelWalls::of_this_host();
        let lacking = [Wall::Files, Wall::Calls].into_iter().find(|wall| !walls.has(*wall));
        lacking
            .filter(|_| mode == Mode::Process)
            .map(|wall| format!("this kernel has no {}, and no worker process starts without", wall.name()))
    }

    /// What was seen last, and how it got through.
    fn play(&self, stage: &Stage, time_max: Duration) -> Result<(String, Option<String>), Fault> {
        let mut seen = String::new();
        for input in self.inputs {
            seen = stage.play(input, time_max)?;
            if !self.ends.iter().any(|end| seen.contains(end)) {
                let fell = if self.inputs.len() == 1 { seen.clone() } else { format!("{input}: {seen}") };
                return Ok((seen, Some(fell)));
            }
        }
        Ok((seen, None))
    }
}
