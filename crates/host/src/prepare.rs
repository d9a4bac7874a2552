//! Starts a module once and for all: calls what it exports as `prepare`, and makes what is in its memory then what each
//! instance begins with. Runs where a module is built, never where it is called. The module has no imports meanwhile.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use thiserror::Error;
use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

const EXPORT: &str = "prepare";
/// What that may take: a hundred times what an interpreter needs.
const FUEL_MAX: u64 = 1_000_000_000;
const MEMORY_BYTES_MAX: usize = 1 << 30;
const WASI: &str = "wasi_snapshot_preview1";
/// What a module gets that wants random numbers, for tables that nobody outside of it reaches.
const RANDOM: u8 = 0x5a;

/// Why a module does not start.
#[derive(Debug, Error)]
#[error("the module cannot be prepared: {0}")]
pub struct PrepareError(String);

impl From<wasmtime::Error> for PrepareError {
    fn from(error: wasmtime::Error) -> Self {
        PrepareError(format!("{error:#}"))
    }
}

/// The module as it is once it has started.
pub fn prepared(module: &[u8]) -> Result<Vec<u8>, PrepareError> {
    let mut config = Config::new();
    config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config)?;
    let mut wizer = Wizer::new();
    wizer.init_func(EXPORT);
    let (about, instrumented) = wizer.instrument(module)?;
    let compiled = Module::new(&engine, instrumented)?;
    let mut store =
        Store::new(&engine, wasmtime::StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build());
    store.limiter(|limits| limits);
    store.set_fuel(FUEL_MAX)?;
    let instance = linker(&engine, &compiled)?.instantiate(&mut store, &compiled)?;
    for (export, needed) in [("_initialize", false), (EXPORT, true)] {
        match instance.get_typed_func::<(), ()>(&mut store, export) {
            Ok(start) => start.call(&mut store, ())?,
            Err(error) if needed => return Err(error.into()),
            Err(_) => {}
        }
    }
    let mut state = State { store, instance, lost: false };
    let taken = {
        let mut taking = pin!(wizer.snapshot(&about, &mut state));
        // Nothing in it waits.
        match taking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => taken?,
            Poll::Pending => return Err(PrepareError("it waits".into())),
        }
    };
    match state.lost {
        true => Err(PrepareError("of what it is made of, not all can be seen".into())),
        false => Ok(taken),
    }
}

/// Whatever it calls ends it, but what tables are seeded with and a clock that stands.
fn linker<T: 'static>(engine: &Engine, module: &Module) -> wasmtime::Result<Linker<T>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(WASI, "random_get", |caller: Caller<'_, T>, at: u32, bytes: u32| {
        filled(caller, at, bytes, RANDOM)
    })?;
    linker.func_wrap(WASI, "clock_time_get", |caller: Caller<'_, T>, _: u32, _: u64, at: u32| {
        filled(caller, at, 8, 0)
    })?;
    linker.define_unknown_imports_as_traps(module)?;
    Ok(linker)
}

/// Fills memory with one byte, and says that all went well.
fn filled<T>(mut caller: Caller<'_, T>, at: u32, bytes: u32, byte: u8) -> wasmtime::Result<u32> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let data = memory.and_then(|memory| {
        let start = at as usize;
        memory.data_mut(&mut caller).get_mut(start..start.checked_add(bytes as usize)?)
    });
    data.ok_or_else(|| wasmtime::format_err!("it asks for more than it has room for"))?.fill(byte);
    Ok(0)
}

struct State<T: 'static> {
    store: Store<T>,
    instance: Instance,
    /// Whether something that is asked for is not there.
    lost: bool,
}

impl<T: Send> InstanceState for State<T> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(bits)) => SnapshotVal::I32(bits),
            Some(Val::I64(bits)) => SnapshotVal::I64(bits),
            Some(Val::F32(bits)) => SnapshotVal::F32(bits),
            Some(Val::F64(bits)) => SnapshotVal::F64(bits),
            Some(Val::V128(bits)) => SnapshotVal::V128(bits.as_u128()),
            _ => {
                self.lost = true;
                SnapshotVal::I32(0)
            }
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => self.lost = true,
        }
    }
}
