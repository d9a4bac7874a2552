//! What can be said of a script without running it: that it parses, that every name it uses is there, that nothing of
//! it runs by being loaded.

use super::engine;
use super::limits::SCRIPT_BYTES_MAX;
use rhai::{AST, ASTNode, Engine, Expr, ParseErrorType, Position};
use ringmail_core::doc::suggest;
use std::collections::{BTreeMap, BTreeSet};

/// Something wrong with a script. Lines and columns count from 1; a line of 0 means the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFault {
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

impl ScriptFault {
    fn whole(message: String) -> ScriptFault {
        ScriptFault { line: 0, column: 0, message, help: None }
    }

    fn at(position: Position, message: String) -> ScriptFault {
        let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(1));
        ScriptFault { line, column: column.max(1), message, help: None }
    }
}

/// Functions that are part of the language.
const KEYWORDS: &[&str] = &["type_of", "Fn", "call", "curry", "is_def_var", "is_def_fn"];

/// Parses a script whose function `entry` is to be called with one argument. Runs nothing of it.
pub(super) fn compile(source: &str, entry: &str) -> Result<AST, Vec<ScriptFault>> {
    if source.len() > SCRIPT_BYTES_MAX {
        let message = format!("the script is larger than {SCRIPT_BYTES_MAX} bytes");
        return Err(vec![ScriptFault::whole(message)]);
    }
    let engine = engine();
    let ast = engine.compile(source).map_err(|error| {
        let ParseErrorType::VariableUndefined(name) = error.err_type() else {
            return vec![ScriptFault::at(error.position(), said(error.err_type()))];
        };
        let message = format!("there is no variable `{name}` here");
        let help = "functions see their parameters and nothing else; a closure is handed more with `curry`:\n\
                    list.filter((|least, item| item > least).curry(least))";
        vec![ScriptFault { help: Some(help.into()), ..ScriptFault::at(error.position(), message) }]
    })?;
    let mut faults = Vec::new();
    for statement in ast.statements() {
        let message = "a script is made of functions; this would run by being loaded".into();
        let help = Some(format!("put it into `fn {entry}(input) {{ ... }}`"));
        faults.push(ScriptFault { help, ..ScriptFault::at(statement.position(), message) });
    }
    if let Some(fault) = unfit(&ast, entry) {
        faults.push(fault);
    }
    faults.extend(unknown(engine, &ast));
    if faults.is_empty() { Ok(ast) } else { Err(faults) }
}

/// The parser's words in ours where they would puzzle.
fn said(kind: &ParseErrorType) -> String {
    let text = kind.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect::<String>().replace('\'', "`")
}

fn unfit(ast: &AST, entry: &str) -> Option<ScriptFault> {
    let functions: Vec<_> = ast.iter_functions().filter(|function| !is_anonymous(function.name)).collect();
    let found = functions.iter().find(|function| function.name == entry);
    match found.map(|function| function.params.len()) {
        Some(1) => None,
        Some(count) => {
            let message = format!("`{entry}` is called with one argument, and takes {count}");
            Some(ScriptFault::whole(message))
        }
        None => {
            let near = suggest(entry, functions.iter().map(|function| function.name));
            let help = match near {
                Some(near) => format!("did you mean `{near}`? Say so: `entry: {near}`"),
                None => format!("it begins with `fn {entry}(input) {{ ... }}`"),
            };
            let message = format!("there is no function `{entry}`");
            Some(ScriptFault { help: Some(help), ..ScriptFault::whole(message) })
        }
    }
}

fn is_anonymous(name: &str) -> bool {
    name.starts_with("anon$")
}

/// Calls of functions that are not there. A method may be a function that a map holds, so those are left to the run.
fn unknown(engine: &Engine, ast: &AST) -> Vec<ScriptFault> {
    let natives = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
    let natives: BTreeSet<String> = natives.into_iter().collect();
    let mut own: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for function in ast.iter_functions() {
        own.entry(function.name.into()).or_default().insert(function.params.len());
    }
    let mut faults = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        let Some(ASTNode::Expr(Expr::FnCall(call, position))) = nodes.last() else { return true };
        let name = call.name.as_str();
        let known = call.op_token.is_some() || KEYWORDS.contains(&name) || natives.contains(name);
        let takes = own.get(name);
        if known || takes.is_some_and(|takes| takes.contains(&call.args.len())) {
            return true;
        }
        let names = natives.iter().chain(own.keys()).map(String::as_str);
        let names = names.filter(|name| name.starts_with(|letter: char| letter.is_ascii_alphabetic()));
        let (message, help) = match takes.and_then(|takes| takes.first()) {
            Some(count) => {
                (format!("`{name}` takes {count} arguments, and is called with {}", call.args.len()), None)
            }
            None => {
                let near = suggest(name, names);
                (format!("there is no function `{name}`"), near.map(|near| format!("did you mean `{near}`?")))
            }
        };
        faults.push(ScriptFault { help, ..ScriptFault::at(*position, message) });
        true
    });
    faults
}
