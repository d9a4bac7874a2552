//! Refusals: a gate's "no" as a value. It names the layer and rule that decided, the place, what tainted the value
//! and the smallest change that would allow it. A refusal is not an error and never holds the refused data.

use crate::doc::Spot;
use crate::label::Label;
use crate::value::Str;
use std::fmt;

/// Which layer said no; each can only narrow what the one before left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    Budget,
    Grant,
    Flow,
    Policy,
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Layer::Budget => "budget",
            Layer::Grant => "grant",
            Layer::Flow => "flow",
            Layer::Policy => "policy",
        }
    }
}

macro_rules! rules {
    ($($variant:ident $id:literal $layer:ident $doc:literal,)*) => {
        /// Every reason a gate can give. The kebab id is what output, records and documentation use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $doc] $variant,)*
        }

        impl Rule {
            pub const ALL: &[Rule] = &[$(Rule::$variant,)*];

            pub fn id(self) -> &'static str {
                match self { $(Rule::$variant => $id,)* }
            }

            pub fn layer(self) -> Layer {
                match self { $(Rule::$variant => Layer::$layer,)* }
            }

            pub fn doc(self) -> &'static str {
                match self { $(Rule::$variant => $doc,)* }
            }
        }
    };
}

rules! {
    StepBudget "step-budget" Budget "the run has made as many steps as it may",
    TimeBudget "time-budget" Budget "the run has lasted as long as it may",
    DepthBudget "depth-budget" Budget "chains are nested as deep as they may be",
    ByteBudget "byte-budget" Budget "the run holds as much data as it may",
    Quota "quota" Budget "the plugin has used as much as it may, in one call or within a time",
    NoGrant "no-grant" Grant "nothing grants this link the power it needs",
    GrantExpired "grant-expired" Grant "the grant that would allow this has expired",
    GrantRevoked "grant-revoked" Grant "the grant that would allow this was revoked while the engine ran",
    ToolChanged "tool-changed" Grant "the tool is not the one that was looked at: what it takes, gives or does has changed, or it is gone",
    AboveCeiling "above-ceiling" Grant "a grant allows this, and this host's ceiling does not",
    SpecialAddress "special-address" Grant "the address is private, loopback or otherwise special, and no grant names it",
    BadAddress "bad-address" Grant "the URL or path is malformed or could be read in two ways",
    NoRecorder "no-recorder" Grant "effects need a recorder, and there is none",
    RecordFailed "record-failed" Grant "the intent could not be recorded, so the effect may not happen",
    InDoubt "in-doubt" Grant "a crash left open whether the effect happened, so it is not done again by itself",
    Clearance "clearance" Flow "the value carries a restriction tag that the sink may not see",
    UntrustedArgument "untrusted-argument" Flow "untrusted data chooses an argument that must be trusted",
    UntrustedDecision "untrusted-decision" Flow "untrusted data decides whether an effect happens",
    ForeignTenant "foreign-tenant" Flow "the value belongs to another tenant, or to more than one",
    UntrustedDeclassify "untrusted-declassify" Flow "untrusted data chooses what would be declassified",
    OutOfScope "out-of-scope" Flow "the value lies outside the scope of the endorsement or declassification",
    ActExpired "act-expired" Flow "the endorsement or declassification has expired",
    NotApproved "not-approved" Policy "somebody who may approve said no, or not enough did in time",
    PolicyForbids "policy-forbids" Policy "a forbid policy matched",
    PolicySilent "policy-silent" Policy "no permit policy matched, and nothing matched means deny",
    PolicyFailed "policy-failed" Policy "a policy could not be evaluated, so the answer is no",
}

/// A gate's "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: Rule,
    /// The link that was refused, or the chain at its entry.
    pub link: Str,
    /// What the call wanted to reach: an address, a mount, the log.
    pub sink: Option<String>,
    /// The argument that decided, as a path.
    pub path: Option<String>,
    /// Where the tainting data came from.
    pub origins: Vec<Str>,
    /// One sentence without data from the run.
    pub message: String,
    /// The smallest changes that would allow it, best first.
    pub changes: Vec<String>,
    /// The policies that decided.
    pub policies: Vec<Str>,
    /// Where to look: in the chain, the grant or the policy.
    pub spot: Option<Spot>,
    /// That it was refused tells something of data with this label.
    pub label: Label,
}

impl Refusal {
    /// Of a plugin whose grant ended while the engine ran, before a call of it or in the middle of one.
    pub fn revoked(link: &Str, plugin: &str, why: &str) -> Refusal {
        let refusal = Refusal::new(Rule::GrantRevoked, link, format!("`{plugin}` was revoked: {why}"));
        refusal.change(format!("look at it again, and `ringmail plugin grant {plugin}`"))
    }

    /// Of a plugin whose leave to run is over, before a call of it or in the middle of one.
    pub fn expired(link: &Str, plugin: &str) -> Refusal {
        let message = format!("the leave to run `{plugin}` has expired");
        let refusal = Refusal::new(Rule::GrantExpired, link, message);
        refusal.change("have the plugin reviewed and its `expires` moved on")
    }

    pub fn new(rule: Rule, link: &Str, message: impl Into<String>) -> Refusal {
        Refusal {
            rule,
            link: link.clone(),
            sink: None,
            path: None,
            origins: Vec::new(),
            message: message.into(),
            changes: Vec::new(),
            policies: Vec::new(),
            spot: None,
            label: Label::BOTTOM,
        }
    }

    /// Whether both say no to the same, whoever they came to since.
    pub fn is_same(&self, other: &Refusal) -> bool {
        (self.rule, &self.link, &self.message) == (other.rule, &other.link, &other.message)
    }

    #[must_use]
    pub fn labelled(mut self, label: Label) -> Refusal {
        self.label = self.label.join(label);
        self
    }

    #[must_use]
    pub fn change(mut self, change: impl Into<String>) -> Refusal {
        self.changes.push(change.into());
        self
    }

    #[must_use]
    pub fn at(mut self, spot: Option<Spot>) -> Refusal {
        self.spot = spot;
        self
    }

    #[must_use]
    pub fn towards(mut self, sink: impl Into<String>) -> Refusal {
        let sink = sink.into();
        self.sink = (!sink.is_empty()).then_some(sink);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` refused by {} ({}): {}",
            self.link,
            self.rule.layer().name(),
            self.rule.id(),
            self.message
        )
    }
}
