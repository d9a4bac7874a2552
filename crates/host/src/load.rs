//! From bytes to a guest that can be called: compiled once, linked once, to what was granted and to nothing else.

use crate::cache::ModuleCache;
use crate::call::State;
use crate::capability::{CAPABILITIES, Capability, FREE};
use crate::core_module::as_component;
use crate::dump::Dumps;
use crate::walls::Walls;
use crate::wasi::{self, Given};
use crate::worker::{Isolated, Workers};
use std::borrow::Cow;
use std::sync::Arc;
use thiserror::Error;
use wasmparser::{ComponentExternalKind, ComponentTypeRef, Parser, Payload};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

/// Largest module.
pub const MODULE_BYTES_MAX: usize = 64 << 20;
/// Largest body of one function, and its most local variables.
const FUNCTION_BYTES_MAX: usize = 2 << 20;
const LOCALS_MAX: u64 = 20_000;
/// Most of both together, multiplied: about two seconds of compiling.
const FUNCTION_WORK_MAX: u64 = 2_000_000_000;
/// What a guest exports.
const EXPORT: &str = "call";
/// Imports that hold types and nothing else.
const TYPES: &str = "ringmail:plugin/types@0.1.0";

/// Why a module is no guest.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LoadError {
    #[error("the module is larger than {MODULE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the core module does not fit the plugin world: {0}")]
    CoreModule(String),
    #[error("the file is not WebAssembly that can run here: {0}")]
    Malformed(String),
    #[error("it imports `{0}`, which no capability provides")]
    UnknownImport(String),
    #[error("it imports `{import}`, and `{capability}` is not granted")]
    NotGranted { import: String, capability: &'static str },
    #[error("it does not export `call: func(input: string) -> result<string, string>`")]
    NoExport,
    #[error("function {0} of its code is too much to compile: {1} bytes with {2} local variables")]
    Heavy(usize, usize, u64),
    #[error("it does not link: {0}")]
    Link(String),
}

/// What a component says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// A guest that can be called any number of times, each in an instance of its own.
#[derive(Clone)]
pub struct Confined {
    pub(crate) walls: Arc<Walls>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) export: ComponentExportIndex,
    /// What it gets through WASI, if it imports that.
    pub(crate) wasi: Option<Given>,
    /// Where its calls go, if not into this process.
    pub(crate) isolated: Option<Isolated>,
    /// Whether its crashes leave something.
    pub(crate) dumps: Option<Dumps>,
}

/// What a guest is linked to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Granted<'g> {
    pub capabilities: &'g [&'g str],
    /// Settings, which a guest that imports WASI finds in its environment too.
    pub env: &'g [(String, String)],
    /// Where compiled modules are kept.
    pub cache: Option<&'g ModuleCache>,
    /// The workers its calls go to; without any they stay in this process.
    pub workers: Option<&'g Arc<Workers>>,
    /// That its crashes leave dumps. Those of workers leave none: what must not be in one is nothing that a worker knows.
    pub dumps: Option<&'g Dumps>,
}

impl std::fmt::Debug for Confined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confined").finish_non_exhaustive()
    }
}

/// What a component imports and exports. Runs nothing of it and compiles nothing: nobody has looked at it yet, and what
/// it takes to compile is its maker's choice.
pub fn surface(walls: &Walls, bytes: &[u8]) -> Result<Surface, LoadError> {
    let bytes = sized(walls, bytes)?;
    let (mut out, mut depth) = (Surface::default(), 0_usize);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let import = import.map_err(malformed)?;
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        out.imports.push(import.name.name.into());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    let export = export.map_err(malformed)?;
                    if export.kind != ComponentExternalKind::Type {
                        out.exports.push(export.name.name.into());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(out)
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Malformed(error.to_string())
}

/// Refuses code that takes far longer to compile than it is long: the compiler's work grows with both sizes of a function.
fn bounded(bytes: &[u8]) -> Result<(), LoadError> {
    let mut at = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CodeSectionEntry(body) = payload.map_err(malformed)? else { continue };
        let range = body.range();
        let (size, mut locals) = (range.end.saturating_sub(range.start), 0_u64);
        for declared in body.get_locals_reader().map_err(malformed)? {
            locals += u64::from(declared.map_err(malformed)?.0);
        }
        let work = locals.saturating_mul(size as u64);
        if size > FUNCTION_BYTES_MAX || locals > LOCALS_MAX || work > FUNCTION_WORK_MAX {
            return Err(LoadError::Heavy(at, size, locals));
        }
        at += 1;
    }
    Ok(())
}

impl Confined {
    /// Compiles a component and links it to the capabilities that were granted. Runs nothing of it.
    pub fn load(walls: &Arc<Walls>, bytes: &[u8], granted: Granted<'_>) -> Result<Confined, LoadError> {
        let bytes = sized(walls, bytes)?;
        let component = match granted.cache.and_then(|cache| cache.get(walls, &bytes)) {
            Some(component) => component,
            None => {
                let component = compile(walls, &bytes)?;
                granted.cache.iter().for_each(|cache| cache.put(walls, &bytes, &component));
                component
            }
        };
        let confined = Confined::link(walls, &component, granted)?;
        let Some(workers) = granted.workers else { return Ok(confined) };
        let code = component.serialize().map_err(|error| LoadError::Link(format!("{error:#}")))?;
        let isolated = Isolated::new(workers, granted.capabilities, granted.env, code);
        let isolated = isolated.ok_or(LoadError::TooLarge)?;
        Ok(Confined { isolated: Some(isolated), ..confined })
    }

    /// A guest from code that was compiled already.
    ///
    /// # Safety
    /// The code must be what [`Component::serialize`] made, unchanged.
    #[allow(unsafe_code, reason = "passes on what `deserialize` wants")]
    pub(crate) unsafe fn from_code(
        walls: &Arc<Walls>,
        code: &[u8],
        granted: Granted<'_>,
    ) -> Result<Confined, LoadError> {
        // SAFETY: the caller's.
        let component = unsafe { Component::deserialize(&walls.engine, code) };
        let component = component.map_err(|error| LoadError::Link(format!("{error:#}")))?;
        Confined::link(walls, &component, granted)
    }

    fn link(walls: &Arc<Walls>, component: &Component, granted: Granted<'_>) -> Result<Confined, LoadError> {
        let mut linker = Linker::new(&walls.engine);
        let imports = read(walls, component).imports;
        let wasi = imports.iter().any(|import| wasi::is_known(import));
        if wasi {
            wasi::link(&mut linker).map_err(|error| LoadError::Link(format!("{error:#}")))?;
        }
        let has = |name: &str| granted.capabilities.contains(&name);
        for import in imports.iter().filter(|import| *import != TYPES && !wasi::is_known(import)) {
            let capability = provider(import)?;
            if !has(capability.name) && capability.name != FREE {
                return Err(LoadError::NotGranted { import: import.clone(), capability: capability.name });
            }
            (capability.link)(&mut linker).map_err(|error| LoadError::Link(format!("{error:#}")))?;
        }
        let export = component.get_export_index(None, EXPORT).ok_or(LoadError::NoExport)?;
        let pre = linker.instantiate_pre(component);
        let pre = pre.map_err(|error| LoadError::Link(format!("{error:#}")))?;
        let given = Given { env: granted.env.to_vec(), clock: has("clock"), random: has("random") };
        Ok(Confined {
            walls: walls.clone(),
            pre,
            export,
            wasi: wasi.then_some(given),
            isolated: None,
            dumps: granted.dumps.cloned(),
        })
    }
}

fn provider(import: &str) -> Result<&'static Capability, LoadError> {
    let found = CAPABILITIES.iter().find(|capability| capability.import == import);
    found.copied().ok_or_else(|| LoadError::UnknownImport(import.into()))
}

/// The component that a file holds, as it is or wrapped around its core module.
fn sized<'b>(walls: &Walls, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, LoadError> {
    match bytes.len() > MODULE_BYTES_MAX {
        true => Err(LoadError::TooLarge),
        false => as_component(&walls.engine, bytes),
    }
}

fn compile(walls: &Walls, bytes: &[u8]) -> Result<Component, LoadError> {
    bounded(bytes)?;
    Component::from_binary(&walls.engine, bytes)
        .map_err(|error| LoadError::Malformed(error.root_cause().to_string()))
}

fn read(walls: &Walls, component: &Component) -> Surface {
    let kind = component.component_type();
    let name = |(name, item): (&str, ComponentItem)| match item {
        ComponentItem::Type(_) => None,
        _ => Some(name.to_string()),
    };
    let imports = kind.imports(&walls.engine).filter_map(|(import, item)| name((import, item.ty)));
    let exports = kind.exports(&walls.engine).filter_map(|(export, item)| name((export, item.ty)));
    Surface { imports: imports.collect(), exports: exports.collect() }
}
