//! Runs a program of a `python` link, if Monty understands it. What Monty does not understand, or fails at before any tool
//! was called, the host gives to CPython: then nothing has happened yet, and the words of the failure are CPython's.

mod fit;
mod given;

use given::Given;
use monty::{MontyRepl, ReplProgress, ReplStartError};
use monty_types::{
    AssertMessageAnnotations, CompileOptions, DateTimeSource, ExcType, ExtFunctionResult, MontyException,
    MontyObject, NameLookupResult, OsPolicy, PrintWriter, RandomStart, ResourceTracker, SleepMode,
    is_identifier,
};
use ringmail::plugin::tools;
use serde::Deserialize;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::mem::forget;

wit_bindgen::generate!({ path: "wit", world: "interpreter", generate_all });

/// What the host's answer begins with: a result follows, or why there is none.
const RESULT: char = 'r';
const ELSEWHERE: char = 'u';
const MESSAGE_CHARS_MAX: usize = 2000;
const PRINTED_CHARS_MAX: usize = 32 << 10;
/// The program among the snippets that one run feeds: it comes after what each run begins with.
const PROGRAM: &str = "<python-input-1>";
const HOST: &str = "__call";
/// Memory that is there before a program needs it: asking for more takes longer than most programs do.
const SPARE_BYTES: usize = 1 << 20;
/// What each run begins with.
const START: &str = "\
import json as __json
__sum = sum
def sum(values, /, start=0):
    total = __sum(values, start)
    if isinstance(total, float):
        __elsewhere()
    return total
def __tool(name):
    def call(**arguments):
        return __json.loads(__call(name, __json.dumps(arguments, allow_nan=False)))
    return call
";
const RESULT_AS_JSON: &str = "__json.dumps(result, allow_nan=False)";

thread_local! {
    /// An interpreter that has started, once `prepare` was called. Whoever builds this calls it, and keeps what is in memory
    /// then as what each instance begins with.
    static READY: RefCell<Option<MontyRepl>> = const { RefCell::new(None) };
}

#[unsafe(export_name = "prepare")]
extern "C" fn prepare() {
    // What is made at its first use is made now, by a run that touches most of it.
    let asked = r#"{"code": "result = [str(n) for n in x if n > 0]", "tools": ["t"], "input": {"x": [1]}}"#;
    let tried = serde_json::from_str(asked).map(|asked| Run::default().whole(asked));
    assert!(matches!(tried, Ok(Ok(_))), "a program does not run");
    drop(black_box(Vec::<u8>::with_capacity(SPARE_BYTES)));
    READY.set(Run::default().begun().ok());
}

#[derive(Deserialize)]
struct Asked {
    code: String,
    tools: Vec<String>,
    input: Given,
}

/// Why there is no result.
enum Ended {
    /// CPython may try.
    Elsewhere(String),
    Failed(String),
    /// The program ran, and put nothing into `result`.
    NoResult,
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
    /// Lines of the program.
    lines: u32,
}

impl Run {
    fn whole(&mut self, asked: Asked) -> Result<String, Ended> {
        fit::judge(&asked.code, &asked.tools).map_err(Ended::Elsewhere)?;
        let repl = READY.take().map_or_else(|| self.begun(), Ok)?;
        self.lines = lines(&asked.code);
        // All in one: what the interpreter does for each snippet takes longer than most programs.
        let whole = format!("{}\n{}\n{RESULT_AS_JSON}", start(&asked), asked.code);
        let given = vec![("input".to_string(), asked.input.0)];
        let (repl, result) = self.feed(repl, &whole, given)?;
        // It ends with its instance.
        forget(repl);
        String::try_from(&result).map_err(|_| Ended::Elsewhere("the result is no text".into()))
    }

    /// An interpreter with what each run begins with.
    fn begun(&mut self) -> Result<MontyRepl, Ended> {
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
        let given = vec![(HOST.to_string(), MontyObject::function(HOST, None))];
        self.feed(repl, START, given).map(|(repl, _)| repl)
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
        // One line stands before the program, and one after it.
        let line = line.map(|line| line.saturating_sub(1));
        let after = line.is_some_and(|line| line > self.lines);
        if after && error.exc_type() == ExcType::NameError && self.unnamed.as_deref() == Some("result") {
            return Ended::NoResult;
        }
        let line = line.filter(|line| (1..=self.lines).contains(line));
        self.ended(line.map_or_else(|| text.clone(), |line| format!("line {line}: {text}")))
    }

    fn ended(&self, why: String) -> Ended {
        if self.called { Ended::Failed(why) } else { Ended::Elsewhere(why) }
    }
}

/// What stands before the program, in one line: its variables and its tools, in the order in which CPython is given them.
fn start(asked: &Asked) -> String {
    let mut out = String::from("__all = input");
    // A member of the input has its own name, unless it is called `input` itself.
    let members = asked.input.0.as_ref().pairs().unwrap_or_default();
    let names = members.iter().filter_map(|(name, _)| name.as_str());
    for name in names.filter(|name| is_identifier(name) && *name != "input") {
        let _infallible = write!(out, "; {name} = __all[{}]", quoted(name));
    }
    for name in &asked.tools {
        let _infallible = write!(out, "; {name} = __tool({})", quoted(name));
    }
    out
}

/// Lines as Python counts them.
fn lines(code: &str) -> u32 {
    let ends = code.replace("\r\n", "\n").matches(['\n', '\r']).count();
    u32::try_from(ends).unwrap_or(u32::MAX).saturating_add(1)
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
        let ended = run.whole(asked);
        if !matches!(ended, Err(Ended::Elsewhere(_))) {
            print!("{}", shortened(&run.printed));
        }
        match ended {
            Ok(result) => Ok(format!("{RESULT}{result}")),
            Err(Ended::Elsewhere(why)) => Ok(format!("{ELSEWHERE}{why}")),
            Err(Ended::NoResult) => Ok(format!("{RESULT}null")),
            Err(Ended::Failed(why)) => Err(why.chars().take(MESSAGE_CHARS_MAX).collect()),
        }
    }
}

export!(Program);
