//! TLS of a door: its certificate and key, and whose certificates callers may show. Read when a project is loaded;
//! connections that are open keep what they began with.

use ringmail_core::listener::TlsSetting;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::Path;
use std::sync::Arc;

/// What a door shows and asks for. `http` offers both versions of HTTP.
pub(crate) fn configure(
    setting: &TlsSetting,
    folder: &Path,
    http: bool,
) -> Result<Arc<ServerConfig>, String> {
    if !folder.join(&setting.certificate).exists() {
        let why = format!(
            "there is no certificate in `{}`; for development: ringmail cert dev",
            setting.certificate
        );
        return Err(why);
    }
    let certificates = certificates(&folder.join(&setting.certificate), &setting.certificate)?;
    let key = PrivateKeyDer::from_pem_file(folder.join(&setting.key))
        .map_err(|error| format!("cannot use the key in `{}`: {error}", setting.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &setting.clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in self::certificates(&folder.join(path), path)? {
                roots.add(certificate).map_err(|error| format!("cannot use `{path}`: {error}"))?;
            }
            // A caller without a certificate may still prove who it is in another way.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| format!("cannot use `{path}`: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| {
        format!("the certificate in `{}` and the key in `{}`: {error}", setting.certificate, setting.key)
    })?;
    if http {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Arc::new(config))
}

fn certificates(path: &Path, shown: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("cannot use the certificates in `{shown}`: {error}");
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"there is none")) } else { Ok(found) }
}
