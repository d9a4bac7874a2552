//! What each key of a receiver of records or checkpoints changes in what is sent.

use super::{CASE, Case, alone};
use crate::providers::secret_file;
use crate::setup::Place;

fn recorded() -> Place {
    let place = alone();
    secret_file(&place, "one.secret", "first-secret");
    secret_file(&place, "two.secret", "second-secret");
    place
}

macro_rules! sends {
    ($text:literal) => {
        concat!(
            "[secret.one]\nfrom = \"file:one.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n[secret.two]\nfrom = \"file:two.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n",
            $text
        )
    };
}

const SENDS: Case =
    Case { place: recorded, commands: &[&["run", "t"], &["run", "t"], &["audit", "forward"]], ..CASE };

const ANCHORS: Case = Case { commands: &[&["run", "t"], &["audit", "anchor"]], ..SENDS };

pub(super) const CASES: &[Case] = &[
    Case {
        text: sends!("<<[forward.a]\nto = \"file\"\naddress = \"out.log\"\n||>>"),
        ends: [" arrived, in ", "the project has no receiver of records"],
        ..SENDS
    },
    Case {
        text: sends!("[forward.a]\nto = \"<<http||otlp>>\"\naddress = \"http://127.0.0.1:@PORT@/in\"\n"),
        ends: ["content-type: application/x-ndjson", "content-type: application/json"],
        ..SENDS
    },
    Case {
        text: sends!("[forward.a]\nto = \"http\"\naddress = \"http://127.0.0.1:@PORT@/<<one||two>>\"\n"),
        ends: ["POST /one", "POST /two"],
        ..SENDS
    },
    Case {
        text: sends!(
            "[forward.a]\nto = \"http\"\naddress = \"https://localhost:@PORT@/\"\nresolves_to = [<<\"127.0.0.0/8\", \"::1\"||>>]\n"
        ),
        ends: ["no secure connection", "leads to a loopback address"],
        ..SENDS
    },
    Case {
        text: sends!(
            "[forward.a]\nto = \"http\"\naddress = \"http://127.0.0.1:@PORT@/in\"\nsecret = \"<<one||two>>\"\n"
        ),
        ends: ["Bearer first-secret", "Bearer second-secret"],
        ..SENDS
    },
    Case {
        text: sends!("[forward.a]\nto = \"file\"\naddress = \"out.log\"\nbatch = <<1||500>>\n"),
        ends: ["in 2 sendings", "in 1 sending\n"],
        ..SENDS
    },
    Case {
        text: sends!("<<[anchor.a]\nto = \"file:out.log\"\n||>>"),
        ends: [" arrived, in ", "the project has no receiver of checkpoints"],
        ..ANCHORS
    },
    Case {
        text: sends!("[anchor.a]\nto = \"http://127.0.0.1:@PORT@/<<one||two>>\"\n"),
        ends: ["POST /one", "POST /two"],
        ..ANCHORS
    },
    Case {
        text: sends!(
            "[anchor.a]\nto = \"https://localhost:@PORT@/\"\nresolves_to = [<<\"127.0.0.0/8\", \"::1\"||>>]\n"
        ),
        ends: ["no secure connection", "leads to a loopback address"],
        ..ANCHORS
    },
    Case {
        text: sends!("[anchor.a]\nto = \"http://127.0.0.1:@PORT@/in\"\nsecret = \"<<one||two>>\"\n"),
        ends: ["Bearer first-secret", "Bearer second-secret"],
        ..ANCHORS
    },
];
