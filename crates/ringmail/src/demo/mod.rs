//! What the demo consists of: a project on disk and the servers that its chains talk to.

mod town;

pub(crate) use town::{Seen, Town};

use std::io::Write;
use std::path::Path;

/// The project's files; `{server}` stands for the address of one.
const FILES: &[(&str, &str)] = &[
    ("ringmail.toml", include_str!("ringmail.toml")),
    ("chains/triage.yaml", include_str!("chains/triage.yaml")),
    ("chains/statement.yaml", include_str!("chains/statement.yaml")),
    ("policies/main.cedar", include_str!("policies/main.cedar")),
];

/// The bank's key, as a file of the project holds it.
const KEY: &str = "demo-key-of-the-bank-4f1c";

/// The texts of the two mails.
pub(crate) const MAILS: (&str, &str) = (town::MAILS.0.2, town::MAILS.1.2);

/// Writes the project with the addresses of running servers in it.
pub(crate) fn write(folder: &Path, town: &Town) -> std::io::Result<()> {
    for (name, text) in FILES {
        let mut text = text.to_string();
        for (server, address) in &town.addresses {
            text = text.replace(&format!("{{{server}}}"), address);
        }
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    write_key(&folder.join("bank.key"))
}

/// A file with a secret is its owner's alone, or it is not read.
fn write_key(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(KEY.as_bytes())
}
