//! The walls, attacked by guests that are written out instruction by instruction.
#![allow(
    clippy::duplicate_mod,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests"
)]

mod cache;
mod child;
mod child_lasts;
mod child_world;
mod desk;
mod dumps;
mod examples;
mod guest;
mod loading;
mod prepare;
mod scripts;
mod wasi;
mod workers;

macro_rules! forms {
    ($($module:ident $form:ident,)*) => {$(
        #[path = "."]
        mod $module {
            const FORM: crate::desk::Form = crate::desk::Form::$form;
            mod asks;
            mod limits;
        }
    )*};
}

forms! {
    component Component,
    core_module CoreModule,
    worker Worker,
}

/// Scripts are held to what this counts.
#[global_allocator]
static ALLOCATOR: ringmail_host::Metered<std::alloc::System> = ringmail_host::Metered(std::alloc::System);
