//! What one call of a guest may use, and the meter that holds memory to it.

use std::time::Duration;
use wasmtime::ResourceLimiter;

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// All memories and tables of the instance together.
    pub memory_bytes_max: usize,
    /// From the first instruction to the last, host calls counted.
    pub time_max: Duration,
    /// Instructions, roughly.
    pub fuel_max: u64,
    pub output_bytes_max: usize,
    /// Calls of the host.
    pub asks_max: u64,
}

impl Default for CallLimits {
    fn default() -> CallLimits {
        CallLimits {
            memory_bytes_max: 64 << 20,
            time_max: Duration::from_secs(5),
            // More than the time is enough for: the second fence, not the first.
            fuel_max: 100_000_000_000,
            output_bytes_max: 8 << 20,
            asks_max: 1_000,
        }
    }
}

/// Bytes one table element is counted as.
const ELEMENT_BYTES: usize = 16;

/// Counts what an instance has grown to, all its memories and tables together.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes_max: usize,
    bytes: usize,
    /// Whether the guest asked for more than it may have.
    pub(crate) exceeded: bool,
}

impl Meter {
    pub(crate) fn new(bytes_max: usize) -> Meter {
        Meter { bytes_max, bytes: 0, exceeded: false }
    }

    /// Memory never shrinks, so this is the peak.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.bytes
    }

    /// A guest that is told no goes on, and most end in a way that says nothing; so it is stopped.
    fn grow(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let grown = self.bytes.saturating_add(desired.saturating_sub(current));
        if grown > self.bytes_max {
            self.exceeded = true;
            wasmtime::bail!("memory");
        }
        self.bytes = grown;
        Ok(true)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current, desired)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(current.saturating_mul(ELEMENT_BYTES), desired.saturating_mul(ELEMENT_BYTES))
    }
}
