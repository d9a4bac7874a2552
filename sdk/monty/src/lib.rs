//! Runs a program of a `python` link, if Monty understands it. What Monty does not understand, or fails at before any tool
//! was called, the host gives to CPython: then nothing has happened yet, and the words of the failure are CPython's.

mod fit;

use monty::{MontyRepl, ReplProgress, ReplStartError};
use monty_types::{
    AssertMessageAnnotations, CompileOptions, DateTimeSource, ExcType, ExtFunctionResult, MontyException,
    MontyObject, NameLookupResult, OsPolicy, PrintWriter, RandomStart, ResourceTracker, SleepMode,
    is_identifier,
};
use ringmail::plugin::tools;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

wit_bindgen::generate!({ path: "wit", world: "interpreter", generate_all });

/// What the host's answer begins with: a result follows, or why there is none.
const RESULT: char = 'r';
const ELSEWHERE: char = 'u';
const MESSAGE_CHARS_MAX: usize = 2000;
const PRINTED_CHARS_MAX: usize = 32 << 10;
/// The snippets that one run feeds: what it starts with, and the program.
const PROGRAM: &str = "<python-input-1>";
const HOST: &str = "__call";

#[derive(Deserialize)]
struct Asked {
    code: String,
    tools: Vec<String>,
    input: Box<serde_json::value::RawValue>,
}

/// Why there is no result.
enum Ended {
    /// CPython may try.
    Elsewhere(String),
    Failed(String),
}

/// One run.
#[derive(Default)]
struct Run {
    printed: String,
    /// Whether a tool was called: from there on nothing is tried again.
    called: bool,
    /// What the last tool that brought nothing said, and in which words CPython would have raised it.
    denied: Option<(&'static str, String)>,
    /// The name that was looked for last and is not there.
    unnamed: Option<String>,
}

impl Run {
    fn whole(&mut self, asked: &Asked) -> Result<String, Ended> {
        fit::judge(&asked.code, &asked.tools).map_err(Ended::Elsewhere)?;
        let policy = OsPolicy {
            datetime: DateTimeSource::CallHost,
            sleep: SleepMode::CallHost,
            random_start: RandomStart::CallHost,
            ..OsPolicy::default()
        };
        let options = CompileOptions {
            assert_message_annotations: AssertMessageAnnotations::Off,
            ..CompileOptions::default()
        };
        let repl = MontyRepl::new("program", ResourceTracker::default(), options).with_os_policy(policy);
        let given =
            [(HOST, MontyObject::function(HOST, None)), ("__given", MontyObject::string(asked.input.get()))];
        let given = given.map(|(name, value)| (name.to_string(), value)).to_vec();
        let (repl, _) = self.feed(repl, &start(asked), given)?;
        let (repl, _) = self.feed(repl, &asked.code, Vec::new())?;
        self.unnamed = None;
        let (_, result) = match self.feed(repl, "__json.dumps(result, allow_nan=False)", Vec::new()) {
            Err(_) if self.unnamed.as_deref() == Some("result") => return Ok("null".into()),
            fed => fed?,
        };
        String::try_from(&result).map_err(|_| Ended::Elsewhere("the result is no text".into()))
    }

    /// Runs one snippet to its end.
    fn feed(
        &mut self,
        repl: MontyRepl,
        code: &str,
        given: Vec<(String, MontyObject)>,
    ) -> Result<(MontyRepl, MontyObject), Ended> {
        let mut went = repl.feed_start(code, given, PrintWriter::collect_string(&mut self.printed));
        loop {
            let progress = went.map_err(|error| self.failed(&error))?;
            went = match progress {
                ReplProgress::Complete { repl, value } => return Ok((repl, value)),
                ReplProgress::FunctionCall(call) if call.function_name != HOST => {
                    let unknown = ExtFunctionResult::NotFound(call.function_name.clone());
                    call.resume(unknown, PrintWriter::collect_string(&mut self.printed))
                }
                ReplProgress::FunctionCall(call) => {
                    let text = |at| call.args.arg(at).and_then(|arg| arg.as_str()).unwrap_or_default();
                    let answer = self.tool(text(0), text(1));
                    let print = PrintWriter::collect_string(&mut self.printed);
                    match answer {
                        Ok(text) => call.resume(MontyObject::string(text), print),
                        Err(error) => call.resume(error, print),
                    }
                }
                ReplProgress::NameLookup(lookup) => {
                    self.unnamed = Some(lookup.name.clone());
                    lookup.resume(NameLookupResult::Undefined, PrintWriter::collect_string(&mut self.printed))
                }
                ReplProgress::OsCall(_) | ReplProgress::ResolveFutures(_) => {
                    return Err(self.ended("it asks for what only CPython has".into()));
                }
            };
        }
    }

    fn tool(&mut self, name: &str, arguments: &str) -> Result<String, MontyException> {
        self.called = true;
        tools::call(name, arguments).map_err(|error| {
            let kind = if error.refused { "ToolRefused" } else { "ToolError" };
            let message = format!("{name}: {}", error.message);
            self.denied = Some((kind, message.clone()));
            MontyException::new(ExcType::RuntimeError, Some(message))
        })
    }

    fn failed(&self, failed: &ReplStartError) -> Ended {
        let error = &failed.error;
        let denied = self.denied.as_ref().filter(|(_, message)| error.message() == Some(message));
        let text = denied.map_or_else(|| error.summary(), |(kind, message)| format!("{kind}: {message}"));
        let line =
            error.traceback().iter().rfind(|frame| frame.filename == PROGRAM).map(|frame| frame.start.line);
        self.ended(line.map_or_else(|| text.clone(), |line| format!("line {line}: {text}")))
    }

    fn ended(&self, why: String) -> Ended {
        if self.called { Ended::Failed(why) } else { Ended::Elsewhere(why) }
    }
}

/// What stands before the program: its variables and its tools, in the order in which CPython is given them.
fn start(asked: &Asked) -> String {
    let mut out = String::from(
        "import json as __json\n\
         __sum = sum\n\
         def sum(values, /, start=0):\n    \
             total = __sum(values, start)\n    \
             if isinstance(total, float):\n        \
                 __elsewhere()\n    \
             return total\n\
         def __tool(name):\n    \
             def call(**arguments):\n        \
                 return __json.loads(__call(name, __json.dumps(arguments, allow_nan=False)))\n    \
             return call\n\
         input = __json.loads(__given)\n\
         __all = input\n",
    );
    // A member of the input has its own name, unless it is called `input` itself.
    let names: BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(asked.input.get()).unwrap_or_default();
    let names = names.keys().filter(|name| is_identifier(name) && *name != "input");
    for name in names {
        let _infallible = writeln!(out, "{name} = __all[{}]", quoted(name));
    }
    for name in &asked.tools {
        let _infallible = writeln!(out, "{name} = __tool({})", quoted(name));
    }
    out
}

/// What is printed, up to a limit; the rest is dropped, as the runner of CPython does it.
fn shortened(printed: &str) -> Cow<'_, str> {
    let end = printed.char_indices().nth(PRINTED_CHARS_MAX - 1);
    match end.and_then(|(at, last)| printed.get(..at + last.len_utf8())) {
        Some(start) => Cow::Owned(format!("{start} ...\n")),
        None => Cow::Borrowed(printed),
    }
}

/// A text as Python writes it, which is as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

struct Program;

impl Guest for Program {
    fn call(input: String) -> Result<String, String> {
        let asked: Asked = serde_json::from_str(&input).map_err(|error| error.to_string())?;
        let mut run = Run::default();
        let ended = run.whole(&asked);
        if !matches!(ended, Err(Ended::Elsewhere(_))) {
            print!("{}", shortened(&run.printed));
        }
        match ended {
            Ok(result) => Ok(format!("{RESULT}{result}")),
            Err(Ended::Elsewhere(why)) => Ok(format!("{ELSEWHERE}{why}")),
            Err(Ended::Failed(why)) => Err(why.chars().take(MESSAGE_CHARS_MAX).collect()),
        }
    }
}

export!(Program);
