//! The `ringmail` command: arguments in, one command, an exit code out. Decides nothing about chains; results go to
//! stdout, talk goes to stderr, and every error is printed in one place.

mod client;
mod commands;
mod demo;
mod draw;
mod edit;
mod exit;
mod failure;
mod figures;
mod folder;
mod input;
mod inventory;
mod layers;
mod layout;
mod place;
mod progress;
mod records;
#[cfg(test)]
mod reference;
mod rollback;
mod selftest;
mod snippet;
mod steer;
mod terminal;
mod toolchain;
mod versions;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Every call makes and drops small values, on every thread; and scripts are held to what is counted.
#[global_allocator]
static ALLOCATOR: ringmail_engine::Metered<mimalloc::MiMalloc> = ringmail_engine::Metered(mimalloc::MiMalloc);

/// What the program is started with to be a worker of itself.
pub(crate) const WORKER: &str = "worker";

fn main() -> ExitCode {
    // Keys and secrets lie in memory.
    if let Err(error) = ringmail_engine::without_core_dumps() {
        let fault =
            exit::Fault::user(format!("this host does not let it keep its memory to itself: {error}"));
        return ExitCode::from(fault.print() as u8);
    }
    if std::env::args_os().skip(1).eq([WORKER]) {
        return ringmail_engine::serve_as_worker();
    }
    // A broken step of a chain is caught by the engine and reported there; only our own panics are news.
    std::panic::set_hook(Box::new(|_| {}));
    let ended = catch_unwind(AssertUnwindSafe(|| commands::main(std::env::args_os())));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(fault)) => fault.print(),
        Err(panic) => exit::Fault::internal(&*panic).print(),
    };
    ExitCode::from(exit as u8)
}
