//! Core modules as plugins: wrapped into a component of the plugin world, so that one way of linking, copying and
//! limiting holds for both. What a module says of its own types is not believed, and not even read.

use crate::load::LoadError;
use std::borrow::Cow;
use std::panic::catch_unwind;
use std::sync::LazyLock;
use wasi_preview1_component_adapter_provider as adapter;
use wasmtime::{Engine, Module};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The interfaces plugins may import.
const WIT: &str = include_str!("../../../sdk/wit/ringmail.wit");
const WORLD: &str = "plugin";
/// The eighth byte tells modules and components apart.
const HEAD: &[u8] = b"\0asm\x01\0\0\0";
/// Sections in which toolchains describe what they meant; ours takes their place.
const TYPES: &[u8] = b"component-type";

static PLUGIN: LazyLock<Result<(Resolve, WorldId), String>> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("ringmail.wit", WIT).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| format!("{error:#}"))?;
    Ok((resolve, world))
});

/// The component a module is, or becomes.
pub(crate) fn as_component<'b>(engine: &Engine, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, LoadError> {
    if !bytes.starts_with(HEAD) {
        return Ok(Cow::Borrowed(bytes));
    }
    Module::validate(engine, bytes).map_err(|error| LoadError::Malformed(error.root_cause().to_string()))?;
    let bare = bare(bytes).ok_or_else(|| LoadError::Malformed("a section ends beyond the module".into()))?;
    // The encoder trusts modules more than we do.
    let wrapped = catch_unwind(|| wrap(bare)).unwrap_or_else(|_| Err("it cannot be wrapped".into()));
    wrapped.map(Cow::Owned).map_err(LoadError::CoreModule)
}

fn wrap(mut module: Vec<u8>) -> Result<Vec<u8>, String> {
    let (resolve, world) = PLUGIN.as_ref().map_err(Clone::clone)?;
    embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8)
        .and_then(|()| ComponentEncoder::default().module(&module))
        .and_then(|encoder| {
            let name = adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
            encoder.adapter(name, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// The module without what it says of its types. Nothing if its sections do not add up.
fn bare(module: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = module.split_at_checked(HEAD.len())?;
    let mut out = head.to_vec();
    while let Some((id, after)) = rest.split_first() {
        let (bytes, content) = leb(after)?;
        let (content, next) = content.split_at_checked(bytes)?;
        let described = *id == 0 && {
            let (bytes, named) = leb(content)?;
            named.get(..bytes)?.starts_with(TYPES)
        };
        let (section, _) = rest.split_at_checked(rest.len() - next.len())?;
        if !described {
            out.extend_from_slice(section);
        }
        rest = next;
    }
    Some(out)
}

/// A length, and what comes after it.
fn leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_usize;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((length, bytes.get(at + 1..)?));
        }
    }
    None
}
