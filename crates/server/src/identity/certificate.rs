//! Callers that show a certificate. TLS has verified it; here it is read whom it names: its one URI, such as a SPIFFE id,
//! or its one DNS name.

use super::Subjected;
use ringmail_core::issuer::is_nobodys_to_show;
use ringmail_core::listener::Proof;
use rustls::pki_types::CertificateDer;

/// Longer names are nobody's.
const NAME_BYTES_MAX: usize = 512;

/// Whom a certificate names; nobody, if that is not one.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Option<Subjected> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let uris: Vec<&str> = certificate.valid_uri_names().take(2).collect();
    let dns: Vec<&str> = certificate.valid_dns_names().take(2).collect();
    let name = match (uris.as_slice(), dns.as_slice()) {
        ([uri], _) => *uri,
        ([], [dns]) if !dns.contains('*') => *dns,
        _ => return None,
    };
    let plain = name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
    let plain = plain && !is_nobodys_to_show(name);
    plain.then(|| Subjected { name: name.into(), proof: Proof::Mtls })
}
