//! What is unsafe in code, workflows and configuration of agents: files in, findings out. Decides nothing about runs
//! and never reads a file, a clock or the network itself; the command line brings texts, the day and the threads.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod allow;
mod baseline;
mod data;
mod file;
mod finding;
mod flow;
mod hands;
mod look;
mod markdown;
mod memory;
mod owasp;
mod pages;
mod python;
mod review;
mod rule;
mod rules;
mod sarif;
mod seen;
mod shown;

pub use baseline::Baseline;
pub use file::{TextFile, is_read};
pub use finding::{Certainty, Edit, Finding, FlowStep};
pub use hands::{Alone, Hands};
pub use markdown::markdown;
pub use memory::ReviewMemory;
pub use owasp::owasp_entry;
pub use pages::{explain, page, rule_page};
pub use review::{Review, SeenElsewhere, Terms, packages, review, review_again};
pub use rule::{Area, Grade, ReviewRule};
pub use rules::RULES;
pub use sarif::sarif;
pub use shown::{annotations, as_value};
