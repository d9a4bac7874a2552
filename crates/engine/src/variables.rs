//! Variables of this process, for settings that are made of them.

use std::env::VarError;

/// The value of a variable, or why there is none.
pub fn variable(name: &str) -> Result<String, &'static str> {
    std::env::var(name).map_err(|error| match error {
        VarError::NotPresent => "is not set",
        VarError::NotUnicode(_) => "is no text",
    })
}
