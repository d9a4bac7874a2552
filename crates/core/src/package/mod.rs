//! Packages: what a publisher hands out. One archive holds manifest, module, SBOM and one signature over all of them;
//! [`Package::read`] takes it apart and believes nothing, [`Publishers`] says whether its publisher is trusted.

mod advisory;
mod diff;
mod index;
mod lock;
mod resolve;
mod sbom;
mod statement;
mod tar;
mod trust;

pub use self::{
    advisory::{Advisory, Part, Severity, parts},
    diff::{Change, changes, effect_changes},
    index::{IndexDistrust, IndexSigners, SeenIndex, index_number},
    lock::{LOCK_FILE, Lock, Locked, Rollback, version_of},
    resolve::{Offer, PluginNeed, Unsolvable, resolve},
    sbom::{Component, sbom},
    statement::{Signed, Statement, sha256},
    trust::{Distrust, PUBLISHER_KEYS, Publishers, TRUSTED_KEY_KEYS, Vouched},
};

use crate::doc::{Source, toml};
use crate::label::TagTable;
use crate::plugin::{Manifest, digest};
use crate::value::Str;
use statement::{PACKAGE_STATEMENT, STATEMENT_BYTES_MAX};
use thiserror::Error;

const MANIFEST_BYTES_MAX: usize = 1 << 20;
const MODULE_BYTES_MAX: usize = 64 << 20;
const SBOM_BYTES_MAX: usize = 4 << 20;
/// No package is larger; readers need not look further.
pub const PACKAGE_BYTES_MAX: usize = 70 << 20;

const MEMBERS: &[(&str, usize)] = &[
    ("plugin.toml", MANIFEST_BYTES_MAX),
    ("plugin.wasm", MODULE_BYTES_MAX),
    ("sbom.json", SBOM_BYTES_MAX),
    ("signature", STATEMENT_BYTES_MAX),
];
/// A package that is not yet signed has one member less.
const UNSIGNED: usize = 3;

/// Why bytes are no package.
#[derive(Debug, Error)]
pub enum PackageError {
    #[error("{0}")]
    Archive(String),
    #[error("its manifest is wrong:\n{0}")]
    Manifest(crate::doc::Problems),
    #[error("its module is called `{0}` in the manifest; a package's is `plugin.wasm`")]
    Module(String),
    #[error("its SBOM {0}")]
    Sbom(String),
    #[error("{0}")]
    Signature(String),
    #[error("its signature is for another {0}")]
    Other(&'static str),
}

/// A package, taken apart. That it is signed does not say that anybody trusts the signature.
#[derive(Debug)]
pub struct Package {
    pub manifest: Manifest,
    pub manifest_bytes: Vec<u8>,
    pub module: Vec<u8>,
    pub sbom: Vec<u8>,
    pub signed: Option<Signed>,
}

impl Package {
    /// Takes an archive apart.
    pub fn read(bytes: &[u8], tags: &mut TagTable) -> Result<Package, PackageError> {
        let members = tar::read(bytes, MEMBERS, UNSIGNED).map_err(PackageError::Archive)?;
        let part = |name: &str| members.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
        let own = |name: &str| part(name).unwrap_or_default().to_vec();
        let signed = part("signature").map(|bytes| Signed::parse(bytes, PACKAGE_STATEMENT));
        let signed = signed.transpose().map_err(PackageError::Signature)?;
        Package::new(own("plugin.toml"), own("plugin.wasm"), own("sbom.json"), signed, tags)
    }

    /// Puts one together, and holds its parts against each other.
    pub fn new(
        manifest_bytes: Vec<u8>,
        module: Vec<u8>,
        sbom: Vec<u8>,
        signed: Option<Signed>,
        tags: &mut TagTable,
    ) -> Result<Package, PackageError> {
        let parts = [&manifest_bytes, &module, &sbom].map(Vec::len);
        for ((name, most), bytes) in MEMBERS.iter().zip(parts) {
            if bytes > *most {
                let message = format!("`{name}` has {bytes} bytes, more than {most}");
                return Err(PackageError::Archive(message));
            }
        }
        let text = String::from_utf8(manifest_bytes.clone());
        let text = text.map_err(|_| PackageError::Archive("`plugin.toml` is not UTF-8 text".into()))?;
        let source = Source::new("plugin.toml", text);
        let manifest = toml::parse(&source).and_then(|node| Manifest::load(&node, &source, tags));
        let manifest = manifest.map_err(PackageError::Manifest)?;
        if manifest.module != "plugin.wasm" {
            return Err(PackageError::Module(crate::json::shorten(&manifest.module)));
        }
        sbom::check(&sbom, &manifest, &module).map_err(PackageError::Sbom)?;
        let package = Package { manifest, manifest_bytes, module, sbom, signed };
        if let Some(signed) = &package.signed {
            package.is_of(&signed.statement)?;
        }
        Ok(package)
    }

    /// Whether a statement is about this package and no other.
    fn is_of(&self, statement: &Statement) -> Result<(), PackageError> {
        let said = [
            ("plugin", &*self.manifest.name),
            ("version", &*self.manifest.version),
            ("manifest", &sha256(&self.manifest_bytes)),
            ("module", &sha256(&self.module)),
            ("sbom", &sha256(&self.sbom)),
        ];
        let other = said.iter().find(|(line, value)| statement.get(line) != *value);
        other.map_or(Ok(()), |(line, _)| Err(PackageError::Other(line)))
    }

    /// What a publisher signs.
    pub fn statement(&self, publisher: &str, issued_ms: u64) -> Result<Statement, String> {
        let manifest = &self.manifest;
        let parts = [&*self.manifest_bytes, &*self.module, &*self.sbom];
        Statement::package([&manifest.name, &manifest.version, publisher], issued_ms, parts)
    }

    /// The archive: the same bytes for the same package, always.
    pub fn bytes(&self) -> Vec<u8> {
        let signed = self.signed.as_ref().map(|signed| signed.text().into_bytes());
        let parts = [Some(&self.manifest_bytes), Some(&self.module), Some(&self.sbom), signed.as_ref()];
        let members = MEMBERS.iter().zip(parts);
        let members: Vec<tar::Member<'_>> =
            members.filter_map(|((name, _), part)| Some((*name, part?.as_slice()))).collect();
        tar::write(&members)
    }

    /// What a project pins.
    pub fn digest(&self) -> Str {
        digest(&self.manifest_bytes, &self.module)
    }
}
