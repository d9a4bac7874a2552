//! A package goes to a registry: into its folder, or to an OCI registry. A version that is there already stays as it is.

use super::fetch::Asking;
use super::registry::{Asked, OCI_LAYER, OCI_MANIFEST, OCI_NEEDS, Registry, RegistryError, items, text, v2};
use super::{read_bounded, write_whole};
use ringmail_core::address::Target;
use ringmail_core::json::to_string;
use ringmail_core::package::{PACKAGE_BYTES_MAX, Package, sha256};
use ringmail_core::project::RegistryPlace;
use ringmail_core::value::Value;

const OCI_CONFIG: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
const BYTES: &str = "application/octet-stream";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    New,
    /// The very same was there.
    Already,
}

impl Registry<'_> {
    /// Puts a signed package there. A folder still needs its index.
    pub async fn push(&self, package: &Package, archive: &[u8]) -> Asked<Pushed> {
        let (name, version) = (&package.manifest.name, &package.manifest.version);
        match &self.setting.place {
            RegistryPlace::Folder(folder) => {
                let path = self.root.join(folder).join(format!("{name}-{version}.tar"));
                if std::fs::symlink_metadata(&path).is_ok() {
                    let known = read_bounded(&path, PACKAGE_BYTES_MAX as u64);
                    return self.same(known.map_err(|why| self.asking(why))? == archive, package);
                }
                let written = write_whole(&path, archive);
                let fault = |error| self.asking(format!("cannot write `{}`: {error}", path.display()));
                written.map_err(fault).map(|()| Pushed::New)
            }
            RegistryPlace::Index(_) => {
                Err(self.refused("it is read over `url`: put the package into the folder behind it"))
            }
            RegistryPlace::Oci(url) => self.push_oci(&format!("{}/{name}", v2(url)), package, archive).await,
        }
    }

    fn refused(&self, why: impl Into<String>) -> RegistryError {
        RegistryError::Push { registry: self.setting.name.to_string(), why: why.into() }
    }

    fn same(&self, same: bool, package: &Package) -> Asked<Pushed> {
        let manifest = &package.manifest;
        match same {
            true => Ok(Pushed::Already),
            false => Err(self.refused(format!(
                "it has another `{}` {} already, and a version does not change",
                manifest.name, manifest.version
            ))),
        }
    }

    async fn push_oci(&self, base: &str, package: &Package, archive: &[u8]) -> Asked<Pushed> {
        let url = format!("{base}/manifests/{}", package.manifest.version);
        let known = self.ask(Asking { method: "GET", url: &url, accept: OCI_MANIFEST, body: None }).await?;
        let digest = sha256(archive);
        match known.status {
            404 => {}
            200 => {
                let manifest = self.json(&known.body)?;
                let layers = items(manifest.get("layers"));
                return self.same(layers.iter().any(|layer| text(layer, "digest") == digest), package);
            }
            status => return Err(self.asking(format!("`{url}` answers {status}"))),
        }
        self.blob(base, archive).await?;
        self.blob(base, EMPTY).await?;
        let needs = package.manifest.needs.iter().map(|needed| {
            let range = Value::from(needed.need.range.to_string());
            Value::map([("plugin", Value::Str(needed.need.plugin.clone())), ("version", range)])
        });
        let needs = to_string(&Value::list(needs));
        let part = |kind: &str, bytes: &[u8]| {
            let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            Value::map([
                ("mediaType", Value::from(kind)),
                ("digest", Value::from(sha256(bytes))),
                ("size", Value::Int(size)),
            ])
        };
        let manifest = to_string(&Value::map([
            ("schemaVersion", Value::Int(2)),
            ("mediaType", Value::from(OCI_MANIFEST)),
            ("config", part(OCI_CONFIG, EMPTY)),
            ("layers", Value::list([part(OCI_LAYER, archive)])),
            ("annotations", Value::map([(OCI_NEEDS, Value::from(needs))])),
        ]));
        let body = Some((OCI_MANIFEST, manifest.as_bytes()));
        self.put("PUT", &url, body, 201).await.map(|_| Pushed::New)
    }

    /// Uploads one part, unless it is there.
    async fn blob(&self, base: &str, bytes: &[u8]) -> Asked<()> {
        let digest = sha256(bytes);
        let url = format!("{base}/blobs/{digest}");
        let known = self.ask(Asking { method: "HEAD", url: &url, accept: BYTES, body: None }).await?;
        if known.status == 200 {
            return Ok(());
        }
        let url = format!("{base}/blobs/uploads/");
        let location = self.put("POST", &url, None, 202).await?;
        let target = Target::parse(&url).and_then(|from| {
            let to = from.follow(&location)?;
            match to.origin() == from.origin() {
                true => Ok(to),
                false => Err(format!("it wants the bytes to go to `{}`", to.origin())),
            }
        });
        let target = target.map_err(|why| self.refused(why))?.with_query([("digest", digest)]);
        self.put("PUT", target.as_str(), Some((BYTES, bytes)), 201).await.map(drop)
    }

    /// Sends something that changes the registry; answers with where it says to go on.
    async fn put(&self, method: &str, url: &str, body: Option<(&str, &[u8])>, status: u16) -> Asked<String> {
        let answer = self.ask(Asking { method, url, accept: "*/*", body }).await?;
        match answer.status == status {
            true => Ok(answer.header("location").to_string()),
            false => {
                let path = url.split('?').next().unwrap_or(url);
                Err(self.refused(format!("`{path}` answers {}", answer.status)))
            }
        }
    }
}
