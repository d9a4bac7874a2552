//! Registries: a folder, an index behind HTTP, or an OCI registry. What they say is data: names are held against what a
//! name may be before anything is made of them, sizes are bounded, and what they send is believed for its signature alone.

use super::fetch::{Fetched, Fetcher};
use super::read_bounded;
use crate::sign::from_hex;
use ringmail_core::json::{JsonLimits, parse, shorten};
use ringmail_core::package::{Offer, PACKAGE_BYTES_MAX, PluginNeed, sha256, version_of};
use ringmail_core::project::{RegistryPlace, RegistrySetting};
use ringmail_core::value::{Str, Value};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What a folder or an HTTP index lists its packages in.
pub const INDEX_FILE: &str = "index.json";
const INDEX_BYTES_MAX: u64 = 8 << 20;
/// Packages of one index, and versions of one plugin that are looked at.
const LISTED_MAX: usize = 20_000;
const OCI_VERSIONS_MAX: usize = 16;
/// What a package is in an OCI registry.
pub const OCI_LAYER: &str = "application/vnd.ringmail.plugin.v1.tar";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Where an OCI manifest says what the plugin needs.
pub const OCI_NEEDS: &str = "ringmail.needs";

#[derive(Debug, Error)]
pub enum RegistryError {
    #[error("the registry `{registry}` cannot be asked: {why}")]
    Asking { registry: String, why: String },
    #[error("the registry `{registry}` answers what no registry does: {why}")]
    Answer { registry: String, why: String },
    #[error("the registry `{0}` is not on this machine, and `--offline` was said")]
    Offline(String),
}

/// A package that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub offer: Offer,
    /// A file beside the index, or the digest of a blob.
    file: String,
    /// Of the archive.
    pub package: Str,
}

/// One registry of a project.
#[derive(Debug)]
pub struct Registry<'r> {
    setting: &'r RegistrySetting,
    root: PathBuf,
    fetcher: Option<Fetcher>,
}

type Asked<T> = Result<T, RegistryError>;

impl<'r> Registry<'r> {
    pub fn new(
        setting: &'r RegistrySetting,
        (root, records): (&Path, &Path),
        roots: &[String],
        token: Option<&str>,
        offline: bool,
    ) -> Asked<Registry<'r>> {
        let fetcher = match &setting.place {
            RegistryPlace::Folder(_) => None,
            _ if offline => return Err(RegistryError::Offline(setting.name.to_string())),
            RegistryPlace::Index(url) | RegistryPlace::Oci(url) => {
                let made = Fetcher::new(url, &setting.resolves_to, root, records, roots, token);
                Some(made.map_err(|why| asking(setting, why))?)
            }
        };
        Ok(Registry { setting, root: root.to_path_buf(), fetcher })
    }

    /// What it has of a plugin, newest first.
    pub async fn offers(&self, plugin: &str) -> Asked<Vec<Listed>> {
        let mut found = match &self.setting.place {
            RegistryPlace::Folder(folder) => {
                let bytes = read_bounded(&self.root.join(folder).join(INDEX_FILE), INDEX_BYTES_MAX);
                self.listed(&bytes.map_err(|why| asking(self.setting, why))?, plugin)?
            }
            RegistryPlace::Index(url) => {
                let url = format!("{}/{INDEX_FILE}", url.trim_end_matches('/'));
                self.listed(&self.get(&url, "application/json", 200).await?.body, plugin)?
            }
            RegistryPlace::Oci(url) => self.oci_offers(url, plugin).await?,
        };
        found.sort_by_key(|listed| std::cmp::Reverse(version_of(&listed.offer.version)));
        Ok(found)
    }

    /// The archive of one: bytes with the digest that was listed.
    pub async fn fetch(&self, listed: &Listed) -> Asked<Vec<u8>> {
        let bytes = match &self.setting.place {
            RegistryPlace::Folder(folder) => {
                read_bounded(&self.root.join(folder).join(&listed.file), PACKAGE_BYTES_MAX as u64)
                    .map_err(|why| asking(self.setting, why))?
            }
            RegistryPlace::Index(url) => {
                let url = format!("{}/{}", url.trim_end_matches('/'), listed.file);
                self.get(&url, "application/octet-stream", 200).await?.body
            }
            RegistryPlace::Oci(url) => {
                let url = format!("{}/{}/blobs/{}", v2(url), listed.offer.plugin, listed.file);
                self.get(&url, "application/octet-stream", 200).await?.body
            }
        };
        match sha256(&bytes) == *listed.package {
            true => Ok(bytes),
            false => Err(self.answer(format!("`{}` is not what it lists", listed.file))),
        }
    }

    fn answer(&self, why: impl Into<String>) -> RegistryError {
        RegistryError::Answer { registry: self.setting.name.to_string(), why: why.into() }
    }

    async fn get(&self, url: &str, accept: &str, status: u16) -> Asked<Fetched> {
        let fetcher =
            self.fetcher.as_ref().ok_or_else(|| RegistryError::Offline(self.setting.name.to_string()))?;
        let fetched = fetcher.get(url, accept).await.map_err(|why| asking(self.setting, why))?;
        match fetched.status == status {
            true => Ok(fetched),
            false => Err(asking(self.setting, format!("`{url}` answers {}", fetched.status))),
        }
    }

    /// The packages of one plugin in an index.
    fn listed(&self, index: &[u8], plugin: &str) -> Asked<Vec<Listed>> {
        let read = self.json(index)?;
        let all = read
            .get("packages")
            .and_then(Value::as_list)
            .ok_or_else(|| self.answer("it lists no `packages`"))?;
        if all.len() > LISTED_MAX {
            return Err(self.answer(format!("it lists more than {LISTED_MAX} packages")));
        }
        let own = all.iter().filter(|item| text(item, "plugin") == plugin);
        own.map(|item| {
            let (version, file, digest) = (text(item, "version"), text(item, "file"), text(item, "sha256"));
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
            if file.is_empty() || file.starts_with('.') || file.len() > 200 || !file.chars().all(plain) {
                return Err(self.answer(format!("`{}` is no file name", shorten(file))));
            }
            self.one(plugin, version, file, digest, item.get("needs"))
        })
        .collect()
    }

    fn one(
        &self,
        plugin: &str,
        version: &str,
        file: &str,
        digest: &str,
        needs: Option<&Value>,
    ) -> Asked<Listed> {
        if version_of(version).is_none() {
            return Err(self.answer(format!("`{}` is no version", shorten(version))));
        }
        if digest.strip_prefix("sha256:").and_then(from_hex).is_none_or(|bytes| bytes.len() != 32) {
            return Err(self.answer(format!("`{}` is no SHA-256 digest", shorten(digest))));
        }
        let needs = items(needs);
        let needs: Result<Vec<PluginNeed>, RegistryError> = needs
            .iter()
            .map(|need| {
                let made = PluginNeed::new(text(need, "plugin"), text(need, "version"));
                made.map_err(|why| self.answer(why))
            })
            .collect();
        let offer = Offer { plugin: plugin.into(), version: version.into(), needs: needs? };
        Ok(Listed { offer, file: file.into(), package: digest.into() })
    }

    fn json(&self, bytes: &[u8]) -> Asked<Value> {
        let limits = JsonLimits { bytes_max: INDEX_BYTES_MAX as usize, ..JsonLimits::default() };
        parse(bytes, &limits).map_err(|error| self.answer(format!("it is not JSON: {error}")))
    }

    async fn oci_offers(&self, url: &str, plugin: &str) -> Asked<Vec<Listed>> {
        let base = format!("{}/{plugin}", v2(url));
        let tags = self.json(&self.get(&format!("{base}/tags/list"), "application/json", 200).await?.body)?;
        let tags = items(tags.get("tags"));
        let mut versions: Vec<&str> =
            tags.iter().copied().filter_map(Value::as_str).filter(|tag| version_of(tag).is_some()).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version_of(version)));
        let mut out = Vec::new();
        for version in versions.into_iter().take(OCI_VERSIONS_MAX) {
            let manifest = self.get(&format!("{base}/manifests/{version}"), OCI_MANIFEST, 200).await?;
            let manifest = self.json(&manifest.body)?;
            let layers = items(manifest.get("layers"));
            let [layer] = layers.as_slice() else { continue };
            if text(layer, "mediaType") != OCI_LAYER {
                continue;
            }
            let needs = manifest.get("annotations").map_or("", |notes| text(notes, OCI_NEEDS));
            let needs = if needs.is_empty() { None } else { Some(self.json(needs.as_bytes())?) };
            let digest = text(layer, "digest");
            out.push(self.one(plugin, version, digest, digest, needs.as_ref())?);
        }
        Ok(out)
    }
}

/// `https://host/prefix` as the API of its registry.
fn v2(url: &str) -> String {
    let slash = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    let (origin, prefix) = (url.get(..slash).unwrap_or(url), url.get(slash..).unwrap_or_default());
    format!("{origin}/v2{}", prefix.trim_end_matches('/'))
}

fn items(list: Option<&Value>) -> Vec<&Value> {
    list.and_then(Value::as_list).map_or_else(Vec::new, |list| list.iter().collect())
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn asking(setting: &RegistrySetting, why: String) -> RegistryError {
    RegistryError::Asking { registry: setting.name.to_string(), why }
}
