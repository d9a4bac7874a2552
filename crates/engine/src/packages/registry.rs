//! Registries: a folder, an index behind HTTP, or an OCI registry. What they say is data: names are held against what a
//! name may be before anything is made of them, sizes are bounded, and what they send is believed for its signature alone.

use super::fetch::{Asking, Credentials, Fetched, Fetcher};
use super::{ProjectFolders, SIGNATURE, read_bounded};
use crate::sign::from_hex;
use ringmail_core::json::{JsonLimits, parse, shorten};
use ringmail_core::package::{
    IndexDistrust, IndexSigners, Offer, PACKAGE_BYTES_MAX, PluginNeed, SeenIndex, sha256, version_of,
};
use ringmail_core::project::{RegistryPlace, RegistrySetting};
use ringmail_core::value::{Str, Value};
use std::path::PathBuf;
use thiserror::Error;

/// What a folder or an HTTP index lists its packages in.
pub const INDEX_FILE: &str = "index.json";
const INDEX_BYTES_MAX: u64 = 8 << 20;
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;
/// Packages of one index, and versions of one plugin that are looked at.
const LISTED_MAX: usize = 20_000;
const OCI_VERSIONS_MAX: usize = 16;
/// What a package is in an OCI registry.
pub const OCI_LAYER: &str = "application/vnd.ringmail.plugin.v1.tar";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Where an OCI manifest says what the plugin needs.
pub const OCI_NEEDS: &str = "ringmail.needs";

#[derive(Debug, Error)]
pub enum RegistryError {
    #[error("the registry `{registry}` cannot be asked: {why}")]
    Asking { registry: String, why: String },
    #[error("the registry `{registry}` answers what no registry does: {why}")]
    Answer { registry: String, why: String },
    #[error("the registry `{registry}` is not believed: {why}")]
    Index { registry: String, why: IndexDistrust },
    #[error("the registry `{registry}` does not take it: {why}")]
    Push { registry: String, why: String },
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

/// What a registry has, and which of its indexes said so, where that is signed.
#[derive(Debug)]
pub struct Offers {
    pub listed: Vec<Listed>,
    pub seen: Option<SeenIndex>,
}

/// How a registry is asked.
#[derive(Debug)]
pub struct RegistryAccess<'a> {
    pub around: ProjectFolders<'a>,
    pub credentials: Option<Credentials>,
    /// Whether other machines are asked at all.
    pub offline: bool,
    /// Whether something is to be written there.
    pub writes: bool,
    /// The newest index that was seen, and whether an older one does.
    pub seen: Option<SeenIndex>,
    pub older_too: bool,
    pub now_ms: u64,
}

/// One registry of a project.
#[derive(Debug)]
pub struct Registry<'r> {
    pub(super) setting: &'r RegistrySetting,
    pub(super) root: PathBuf,
    fetcher: Option<Fetcher>,
    seen: Option<SeenIndex>,
    older_too: bool,
    now_ms: u64,
}

pub(super) type Asked<T> = Result<T, RegistryError>;

impl<'r> Registry<'r> {
    pub fn new(setting: &'r RegistrySetting, access: RegistryAccess<'_>) -> Asked<Registry<'r>> {
        let RegistryAccess { around, credentials, offline, writes, seen, older_too, now_ms } = access;
        let fetcher = match &setting.place {
            RegistryPlace::Folder(_) => None,
            _ if offline => return Err(RegistryError::Offline(setting.name.to_string())),
            RegistryPlace::Index(url) | RegistryPlace::Oci(url) => {
                let made = Fetcher::new(url, &setting.resolves_to, around, credentials, writes);
                Some(made.map_err(|why| asking(setting, why))?)
            }
        };
        Ok(Registry { setting, root: around.root.to_path_buf(), fetcher, seen, older_too, now_ms })
    }

    /// What it has of a plugin, newest first.
    pub async fn offers(&self, plugin: &str) -> Asked<Offers> {
        let (mut listed, seen) = match &self.setting.place {
            RegistryPlace::Oci(url) => (self.oci_offers(url, plugin).await?, None),
            RegistryPlace::Folder(_) | RegistryPlace::Index(_) => {
                let (index, seen) = self.index().await?;
                (self.listed(&index, plugin)?, seen)
            }
        };
        listed.sort_by_key(|listed| std::cmp::Reverse(version_of(&listed.offer.version)));
        Ok(Offers { listed, seen })
    }

    /// The index, believed where somebody must sign it.
    async fn index(&self) -> Asked<(Vec<u8>, Option<SeenIndex>)> {
        let index = self.beside("", INDEX_BYTES_MAX).await?;
        let Some(signers) = &self.setting.signers else { return Ok((index.unwrap_or_default(), None)) };
        let signature = self.beside(SIGNATURE, SIGNATURE_BYTES_MAX).await?;
        match self.judged(signers, index, signature) {
            // Somebody may have written a new one in between.
            Err(RegistryError::Index { why: IndexDistrust::Content, .. }) => {
                let signature = self.beside(SIGNATURE, SIGNATURE_BYTES_MAX).await?;
                let index = self.beside("", INDEX_BYTES_MAX).await?;
                self.judged(signers, index, signature)
            }
            judged => judged,
        }
    }

    fn judged(
        &self,
        signers: &IndexSigners,
        index: Option<Vec<u8>>,
        signature: Option<Vec<u8>>,
    ) -> Asked<(Vec<u8>, Option<SeenIndex>)> {
        let index = index.unwrap_or_default();
        let name = &self.setting.name;
        let when = (self.now_ms, self.older_too);
        let seen = signers.judge(name, &index, signature.as_deref(), self.seen.as_ref(), when);
        let seen = seen.map_err(|why| RegistryError::Index { registry: name.to_string(), why })?;
        Ok((index, Some(seen)))
    }

    /// The index, or what stands beside it under its name with something behind; that need not be there.
    async fn beside(&self, ending: &str, bytes_max: u64) -> Asked<Option<Vec<u8>>> {
        let name = format!("{INDEX_FILE}{ending}");
        match &self.setting.place {
            RegistryPlace::Folder(folder) => {
                let path = self.root.join(folder).join(name);
                if !ending.is_empty() && std::fs::symlink_metadata(&path).is_err() {
                    return Ok(None);
                }
                read_bounded(&path, bytes_max).map(Some).map_err(|why| asking(self.setting, why))
            }
            RegistryPlace::Index(url) | RegistryPlace::Oci(url) => {
                let url = format!("{}/{name}", url.trim_end_matches('/'));
                let asking = Asking { method: "GET", url: &url, accept: "application/json", body: None };
                let fetched = self.ask(asking).await?;
                match fetched.status {
                    404 if !ending.is_empty() => Ok(None),
                    200 => Ok(Some(fetched.body)),
                    status => Err(self.asking(format!("`{url}` answers {status}"))),
                }
            }
        }
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

    pub(super) fn asking(&self, why: impl Into<String>) -> RegistryError {
        asking(self.setting, why.into())
    }

    pub(super) async fn ask(&self, request: Asking<'_>) -> Asked<Fetched> {
        let fetcher =
            self.fetcher.as_ref().ok_or_else(|| RegistryError::Offline(self.setting.name.to_string()))?;
        fetcher.ask(request).await.map_err(|why| self.asking(why))
    }

    async fn get(&self, url: &str, accept: &str, status: u16) -> Asked<Fetched> {
        let fetched = self.ask(Asking { method: "GET", url, accept, body: None }).await?;
        match fetched.status == status {
            true => Ok(fetched),
            false => Err(self.asking(format!("`{url}` answers {}", fetched.status))),
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

    pub(super) fn json(&self, bytes: &[u8]) -> Asked<Value> {
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
pub(super) fn v2(url: &str) -> String {
    let slash = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    let (origin, prefix) = (url.get(..slash).unwrap_or(url), url.get(slash..).unwrap_or_default());
    format!("{origin}/v2{}", prefix.trim_end_matches('/'))
}

pub(super) fn items(list: Option<&Value>) -> Vec<&Value> {
    list.and_then(Value::as_list).map_or_else(Vec::new, |list| list.iter().collect())
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn asking(setting: &RegistrySetting, why: String) -> RegistryError {
    RegistryError::Asking { registry: setting.name.to_string(), why }
}
