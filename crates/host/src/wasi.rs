//! WASI 0.2 with nothing behind it. Toolchains import it whether a program needs it or not, so it is there: no files, no
//! network, no arguments, and of the environment what was granted. Without the `clock` capability time stands still, and
//! without `random` every call draws the same numbers. What is printed is kept, up to a limit.

use crate::call::State;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

/// Most bytes one call may print, output and errors apart.
const PRINTED_BYTES_MAX: usize = 64 << 10;
/// The packages that grant nothing by being there. `wasi:http` is not among them.
const PACKAGES: &[&str] =
    &["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// What a guest gets through WASI.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) clock: bool,
    pub(crate) random: bool,
}

/// The WASI side of one call.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    out: MemoryOutputPipe,
    err: MemoryOutputPipe,
}

pub(crate) fn is_known(import: &str) -> bool {
    PACKAGES.iter().any(|package| import.starts_with(package)) && import.contains("@0.2.")
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

impl Wasi {
    pub(crate) fn new(given: &Given) -> Wasi {
        let (out, err) = (MemoryOutputPipe::new(PRINTED_BYTES_MAX), MemoryOutputPipe::new(PRINTED_BYTES_MAX));
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(out.clone()).stderr(err.clone()).envs(&given.env);
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        if !given.clock {
            builder.wall_clock(Standing).monotonic_clock(Standing);
        }
        if !given.random {
            let same = || Deterministic::new((0..=u8::MAX).map(|byte| byte.wrapping_mul(167)).collect());
            builder.secure_random(same()).insecure_random(same()).insecure_random_seed(0);
        }
        Wasi { ctx: builder.build(), table: ResourceTable::new(), out, err }
    }

    /// What was printed, output before errors.
    pub(crate) fn printed(&self) -> String {
        let text = |pipe: &MemoryOutputPipe| String::from_utf8_lossy(&pipe.contents()).into_owned();
        text(&self.out) + text(&self.err).as_str()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&Given::default())));
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// A clock that stands.
struct Standing;

impl HostWallClock for Standing {
    fn resolution(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(1)
    }

    fn now(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
