//! `file:PATH`: a file that its owner alone may read.

use super::local::{text_of, value_in};
use super::{Keeps, Opens, SecretError, SecretsAround, Unit};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit =
    Unit { name: "file", opens: Opens::Here(|around| Box::new(File(around.clone()))) };

struct File(Arc<SecretsAround>);

impl Keeps for File {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        value_in(item, &text_of(item, &self.0.folder.join(item), true)?)
    }
}
