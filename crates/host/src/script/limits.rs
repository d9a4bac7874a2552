//! What a script may be and may build, whatever is granted.

/// Largest source.
pub const SCRIPT_BYTES_MAX: usize = 256 << 10;
/// Largest text a script may build.
pub(super) const STRING_BYTES_MAX: usize = 512 << 10;
/// Most items of a list or map, with all that is in them.
pub(super) const ITEMS_MAX: usize = 65_536;
/// Calls inside calls.
pub(super) const CALLS_DEEP_MAX: usize = 64;
/// Expressions inside expressions, at the top and in functions.
pub(super) const EXPRESSIONS_DEEP_MAX: usize = 64;
pub(super) const FUNCTIONS_MAX: usize = 512;
pub(super) const VARIABLES_MAX: usize = 1_024;
/// Levels of what a script gives.
pub(super) const OUTPUT_DEEP_MAX: usize = 64;
