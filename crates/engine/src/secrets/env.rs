//! `env:NAME`: a variable of the process. It is what it was when the process began.

use super::local::BYTES_MAX;
use super::{Keeps, Opens, SecretError, Unit};
use zeroize::Zeroizing;

pub(super) const UNIT: Unit = Unit { name: "env", opens: Opens::Here(|_| Box::new(Env)) };

struct Env;

impl Keeps for Env {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        match std::env::var(item) {
            Ok(value) if !value.is_empty() && value.len() as u64 <= BYTES_MAX => Ok(Zeroizing::new(value)),
            Ok(_) | Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::Unusable(item.into())),
            Err(std::env::VarError::NotPresent) => Err(SecretError::NotSet(item.into())),
        }
    }
}
