//! An authority for development: one key on this machine signs what listeners and callers of a project show. Whoever
//! runs in production has another.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

const AUTHORITY: &str = "Ringmail development authority";
const DAYS: u64 = 90;
const AUTHORITY_DAYS: u64 = 3650;
/// The authority's certificate, and the ending of its own and others' keys.
pub const AUTHORITY_FILE: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority.key";

#[derive(Debug, Error)]
pub enum AuthorityError {
    #[error("`{path}` cannot be read or written: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("no certificate for `{name}`: {cause}")]
    Made { name: String, cause: rcgen::Error },
}

/// The authority of a folder, made when it is first asked.
#[derive(Debug)]
pub struct DevAuthority {
    folder: PathBuf,
    key: KeyPair,
}

/// A certificate and its key, on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> AuthorityError + '_ {
    move |cause| AuthorityError::File { path: path.display().to_string(), cause }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let mut options = std::fs::OpenOptions::new();
    let half = path.with_extension("half");
    let file = options.write(true).create(true).truncate(true).mode(mode).open(&half);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(failed(path))?;
    std::fs::rename(&half, path).map_err(failed(path))
}

/// Valid from yesterday on, so that clocks may differ.
fn params(names: &[String], common: &str, days: u64) -> Result<CertificateParams, AuthorityError> {
    let made = |cause| AuthorityError::Made { name: common.into(), cause };
    let mut params = CertificateParams::default();
    for name in names {
        let san = match (name.parse(), name.contains("://")) {
            (Ok(ip), _) => SanType::IpAddress(ip),
            (_, true) => SanType::URI(name.as_str().try_into().map_err(made)?),
            _ => SanType::DnsName(name.as_str().try_into().map_err(made)?),
        };
        params.subject_alt_names.push(san);
    }
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs() / 86_400);
    let at = |day: u64| {
        let (year, month, day) = civil(day);
        date_time_ymd(year, month, day)
    };
    params.not_before = at(now.saturating_sub(1));
    params.not_after = at(now + days);
    Ok(params)
}

/// Year, month and day of a day since 1970.
pub(crate) fn civil(days: u64) -> (i32, u8, u8) {
    // Years that begin in March end with the day that leap years have more.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    (i32::try_from(year).unwrap_or(9999), month as u8, day as u8)
}

impl DevAuthority {
    pub fn open(folder: &Path) -> Result<DevAuthority, AuthorityError> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(AUTHORITY_KEY);
        let made = |cause| AuthorityError::Made { name: AUTHORITY.into(), cause };
        let key = match std::fs::read_to_string(&path) {
            Ok(text) => KeyPair::from_pem(&text).map_err(made)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(made)?;
                let certificate = DevAuthority::own()?.self_signed(&key).map_err(made)?;
                write(&folder.join(AUTHORITY_FILE), &certificate.pem(), 0o644)?;
                write(&path, &key.serialize_pem(), 0o600)?;
                key
            }
            Err(cause) => return Err(failed(&path)(cause)),
        };
        Ok(DevAuthority { folder: folder.to_path_buf(), key })
    }

    fn own() -> Result<CertificateParams, AuthorityError> {
        let mut own = params(&[], AUTHORITY, AUTHORITY_DAYS)?;
        own.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        own.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(own)
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join(AUTHORITY_FILE)
    }

    /// For a listener that is reached under these names.
    pub fn issue_server(&self, file: &str, names: &[String]) -> Result<Issued, AuthorityError> {
        self.issue(file, names, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a caller of this name: a URI, such as a SPIFFE id, or a DNS name.
    pub fn issue_client(&self, file: &str, name: &str) -> Result<Issued, AuthorityError> {
        self.issue(file, &[name.to_string()], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        file: &str,
        names: &[String],
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Issued, AuthorityError> {
        let common = names.first().map_or("ringmail", String::as_str);
        let made = |cause| AuthorityError::Made { name: common.into(), cause };
        let mut params = params(names, common, DAYS)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(made)?;
        let own = DevAuthority::own()?;
        let issuer = Issuer::from_params(&own, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(made)?;
        let issued = Issued {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        };
        write(&issued.certificate, &certificate.pem(), 0o644)?;
        write(&issued.key, &key.serialize_pem(), 0o600)?;
        Ok(issued)
    }
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_are_dates() {
        for (day, date) in
            [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_779, (2026, 11, 22))]
        {
            assert_eq!(civil(day), date);
        }
    }
}
