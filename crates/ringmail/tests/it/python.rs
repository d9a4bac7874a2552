//! Programs in Python: what they are given, what they may call, and what they cannot do, whatever they try.

use crate::setup::Place;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::{Audit, BuildError, Engine, HostKey, LogLine, LogSink, Principal, Report, RunError};
use std::sync::{Arc, Mutex};

const DOUBLE: &str = "chain: double\ninput: {type: object, properties: {number: {}}, required: [number]}\noutput: ${input.number * 2}";
const NOTE: &str = "chain: note\ninput: {type: object, properties: {text: {type: string}}, required: [text]}\nlinks:\n  say: {kind: log, with: {message: '${input.text}'}}\noutput: noted";
const CARD: &str = "chain: card\noutput: 4111\nreturns: {type: integer, x-ringmail-label: [pii]}";
/// A program that arrives as a value. It has more time than a busy machine takes for what ends by itself.
const ANY: &str = "chain: any\nlinks:\n  p:\n    kind: python\n    with: {code: '${input}'}\n    tools: [double]\n    limits: {time: 25s, memory: 48MiB}\noutput: ${p}";

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl LogSink for Log {
    fn write(&self, line: &LogLine) {
        self.0.lock().unwrap().push(format!("{}: {}", line.link, line.message));
    }
}

struct Bench {
    place: Place,
    engine: Engine,
    log: Arc<Log>,
}

impl Bench {
    /// With both interpreters: whatever holds for one holds for both.
    fn new(project: &str) -> Bench {
        Bench::at(Place::with_fast_python(), project).unwrap_or_else(|error| panic!("{error}"))
    }

    /// With the one that knows the whole language alone.
    fn whole() -> Bench {
        Bench::at(Place::with_python(), "").unwrap_or_else(|error| panic!("{error}"))
    }

    fn at(place: Place, project: &str) -> Result<Bench, BuildError> {
        let grant = "[[grant]]\nto = \"note.say\"\nreason = \"r\"\nlog = {}\n";
        let text = format!("{}{project}\n{grant}", place.read("ringmail.toml"));
        let data = place.path().join(".ringmail");
        let log = Arc::new(Log::default());
        let policy = "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";
        let engine = Engine::builder()
            .project(Source::new("ringmail.toml", text), place.path())
            .policies(vec![Source::new("main.cedar", policy)])
            .recorder(Arc::new(
                Audit::open(&data.join("audit"), &HostKey::open(&data.join("host.key")).unwrap()).unwrap(),
            ))
            .key(HostKey::open(&data.join("host.key")).unwrap())
            .module_cache(data.join("modules"), true)
            .log(log.clone())
            .build()?;
        Ok(Bench { place, engine, log })
    }

    async fn run(&self, chain: &str, input: &str) -> Report {
        let sources = [chain, DOUBLE, NOTE, CARD].map(|text| Source::new("c.yaml", text));
        let chains = self.engine.load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
        let input = parse(input.as_bytes(), &JsonLimits::default()).unwrap();
        chains[0].request(input).unwrap().principal(Principal::host()).run().await
    }

    /// Runs a program that nobody wrote down, and says what came of it.
    async fn any(&self, code: &str) -> String {
        shown(&self.run(ANY, &to_string(&code.into())).await)
    }

    /// The same, stopped after a second.
    async fn hasty(&self, code: &str) -> String {
        shown(&self.run(&ANY.replace("25s", "1s"), &to_string(&code.into())).await)
    }

    fn problems(&self, chain: &str) -> String {
        let sources = [chain, DOUBLE, NOTE, CARD].map(|text| Source::new("c.yaml", text));
        self.engine.check(&sources).problems.to_string()
    }
}

fn shown(report: &Report) -> String {
    match &report.result {
        Ok(answer) => to_string(answer.value()),
        Err(RunError::Refused(refusal)) => format!("refused {}: {}", refusal.rule.id(), refusal.message),
        Err(error) => error.to_string().replace("`any.p` failed: ", ""),
    }
}

/// What hostile programs try, and how each ends.
const HOSTILE: &[(&str, &str)] = &[
    // Walks to whatever else is in the interpreter.
    (
        "result = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['system']('id')",
        "KeyError: 'system'",
    ),
    ("result = '{0.__globals__[os].environ}'.format(double)", "\"environ({})\""),
    (
        "def g():\n  yield 1\nf = g()\nresult = f.gi_frame.f_builtins['open']('/etc/passwd').read()",
        "FileNotFoundError: [Errno 44] No such file or directory: '/etc/p",
    ),
    (
        "import sys\nresult = sorted(sys._getframe().f_back.f_globals['os'].listdir('/'))",
        "FileNotFoundError: [Errno 44] No such file or directory: '/'",
    ),
    (
        "try:\n  1/0\nexcept Exception as e:\n  result = e.__traceback__.tb_frame.f_back.f_globals['host'].call('note', '{}')",
        "it was not granted",
    ),
    (
        "@lambda c: __import__('os').listdir('/')\nclass result: pass",
        "FileNotFoundError: [Errno 44] No such file or directory: '/'",
    ),
    (
        "import gc\nhost = [o for o in gc.get_objects() if getattr(o, '__name__', '') == 'wit_world.imports.tools'][0]\nresult = host.call('note', '{\"text\": \"x\"}')",
        "it was not granted",
    ),
    (
        "import gc\nresult = len([o for o in gc.get_objects() if type(o).__name__ == 'function']) > 100",
        "true",
    ),
    // Imports.
    ("import os\nresult = os.listdir('/')", "FileNotFoundError: [Errno 44] No such file or directory: '/'"),
    ("import os\nresult = dict(os.environ)", "{}"),
    ("import os\nos.system('id')", "AttributeError: module 'os' has no attribute 'system'"),
    ("import os\nos.fork()", "AttributeError: module 'os' has no attribute 'fork'"),
    ("import os\nresult = os.getcwd()", "\"/\""),
    (
        "import os\nos.execv('/bin/sh', ['sh'])",
        "AttributeError: module 'os' has no attribute 'execv'. Did you me",
    ),
    (
        "import subprocess\nresult = subprocess.run(['id']).stdout",
        "ModuleNotFoundError: No module named 'subprocess'",
    ),
    (
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "ModuleNotFoundError: No module named 'socket'",
    ),
    (
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
        "ModuleNotFoundError: No module named 'urllib.request'",
    ),
    (
        "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', 80))",
        "ModuleNotFoundError: No module named 'asyncio'",
    ),
    ("import ctypes\nresult = ctypes.CDLL(None)", "ModuleNotFoundError: No module named 'ctypes'"),
    ("import mmap\nresult = len(mmap.mmap(-1, 10**9))", "ModuleNotFoundError: No module named 'mmap'"),
    ("import signal\nsignal.alarm(1)\nresult = 1", "ModuleNotFoundError: No module named 'signal'"),
    (
        "import pickle\nclass X:\n  def __reduce__(self):\n    import os\n    return os.listdir, ('/',)\nresult = pickle.loads(pickle.dumps(X()))",
        "No such file or directory: '/'",
    ),
    ("import tempfile\nresult = tempfile.mkdtemp()", "ModuleNotFoundError: No module named 'tempfile'"),
    ("import sqlite3\nsqlite3.connect('/tmp/x')", "ModuleNotFoundError: No module named 'sqlite3'"),
    ("import threading\nthreading.Thread(target=print).start()", "RuntimeError: can't start new thread"),
    (
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "ModuleNotFoundError: No module named 'multiprocessing'",
    ),
    // Files by another name.
    (
        "o = open\nresult = o('/etc/passwd').read()",
        "FileNotFoundError: [Errno 44] No such file or directory: '/etc/p",
    ),
    (
        "import io\nresult = io.open('/proc/self/environ').read()",
        "FileNotFoundError: [Errno 44] No such file or directory: '/proc/",
    ),
    (
        "import os\nresult = os.open('/etc/passwd', os.O_RDONLY)",
        "FileNotFoundError: [Errno 44] No such file or directory: '/etc/p",
    ),
    (
        "import pathlib\nresult = pathlib.Path('/etc/passwd').read_text()",
        "FileNotFoundError: [Errno 44] No such file or directory: '/etc/p",
    ),
    ("open('out.txt', 'w').write('x')", "FileNotFoundError: [Errno 44] No such file or directory: 'out.tx"),
    ("import sys\nresult = sys.stdin.read()", "\"\""),
    ("result = [open(n).read() for n in range(3, 20)]", "OSError: [Errno 8] Bad file descriptor"),
    // More than it may use.
    ("result = 10**10**9", "timeout: it ran longer than 1000 ms"),
    ("x = 7\nwhile True: x *= x", "timeout: it ran longer than 1000 ms"),
    ("result = len('a' * 10**10)", "OverflowError: cannot fit 'int' into an index-sized integer"),
    ("x = []\nwhile True: x.append(' ' * 10**6)", "limit: it asked for more than 50331648 bytes of memory"),
    (
        "x = []\nwhile True:\n  try:\n    x.append(' ' * 10**6)\n  except BaseException:\n    pass",
        "limit: it asked for more than 50331648 bytes of memory",
    ),
    ("while True: pass", "timeout: it ran longer than 1000 ms"),
    (
        "while True:\n  try:\n    while True: pass\n  except BaseException:\n    pass",
        "timeout: it ran longer than 1000 ms",
    ),
    ("try:\n  while True: pass\nfinally:\n  result = 'got away'", "timeout: it ran longer than 1000 ms"),
    ("import time\ntime.sleep(1e9)", "timeout: it ran longer than 1000 ms"),
    ("import itertools\nresult = sum(itertools.count())", "timeout: it ran longer than 1000 ms"),
    (
        "def g():\n  while True: yield ' ' * 10**5\nresult = list(g())",
        "limit: it asked for more than 50331648 bytes of memory",
    ),
    ("import re\nresult = bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))", "timeout: it ran longer than 1000 ms"),
    ("result = eval('(' * 100000 + ')' * 100000)", "limit: its stack overflowed"),
    ("result = eval('-' * 1000000 + '1')", "limit: its stack overflowed"),
    (
        "exec('if 1:\\n' + ''.join(' ' * n + 'if 1:\\n' for n in range(1, 200)) + ' ' * 200 + 'pass')",
        "File \"<string>\", line 101",
    ),
    ("def f(n): return f(n + 1)\nf(0)", "RecursionError: maximum recursion depth exceeded"),
    (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
        "limit: it asked for more than 50331648 bytes of memory",
    ),
    (
        "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n  def __del__(self): A()\nA()",
        "limit: its stack overflowed",
    ),
    ("class A:\n  def __repr__(self): return repr(self)\nresult = repr(A())", "limit: its stack overflowed"),
    ("x = []\nx.append(x)\nresult = x", "ValueError: Circular reference detected"),
    ("x = []\nfor _ in range(100000): x = [x]\nresult = x", "limit: its stack overflowed"),
    (
        "import zlib\nresult = len(zlib.decompress(zlib.compress(bytes(10**7)) * 1, bufsize=10**9))",
        "limit: it asked for more than 50331648 bytes of memory",
    ),
    ("result = int('9' * 10**7)", "ValueError: Exceeds the limit"),
    ("result = 'x' * 10**7", "too-large: its output is larger than 8388608 bytes"),
    ("while True: print('x' * 1000)", "timeout: it ran longer than 1000 ms"),
    ("import os\nwhile True: os.write(1, b'x' * 10**6)", "BrokenPipeError: [Errno 64] Broken pipe"),
    // Ways to end.
    ("import sys\nsys.exit(0)", "SystemExit: 0"),
    ("raise SystemExit", "SystemExit"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("import os\nos._exit(0)", "panicked: it left with exit code 0"),
    ("import os\nos.abort()", "panicked: it broke: wasm trap: wasm `unreachable` instruction executed"),
    (
        "import faulthandler\nfaulthandler._sigsegv()",
        "panicked: it broke: wasm trap: wasm `unreachable` instruction executed",
    ),
    ("import sys\ndel sys.modules['json'], sys.modules['sys']\nresult = 1", "1"),
    // Forgeries, which tell nobody but whoever asked for the result.
    ("import runner\nrunner.json.dumps = lambda *a, **k: '\"forged\"'", "\"forged\""),
    (
        "import runner\nrunner.json.dumps = lambda *a, **k: 'no json'",
        "invalid: its output is not JSON: expected `null` at line 1, column 1",
    ),
    (
        "import runner\nrunner.json.dumps = lambda *a, **k: 7",
        "panicked: it broke: wasm trap: wasm `unreachable` instruction executed",
    ),
    ("import runner\nresult = runner.tool('note')(text='x')", "it was not granted"),
    (
        "import wit_world.imports.config as c\nresult = [c.get('module:os'), c.get('PATH'), c.get('module:')]",
        "[null,null,null]",
    ),
    // What JSON has no word for.
    ("result = float('nan')", "ValueError: Out of range float values are not JSON compliant: na"),
    ("result = {1, 2}", "TypeError: the result holds a set, which JSON has no word for"),
    ("result = '\\ud800'", "invalid: its output is not JSON: half of a surrogate pair at line 1, column 3"),
    (
        "result = 10**30",
        "invalid: its output is not JSON: the number does not fit a 64-bit integer at line 1, column 1",
    ),
    (
        "class Evil(dict):\n  def items(self): raise BaseException('x')\nresult = Evil(a=1)",
        "BaseException: x",
    ),
];

#[tokio::test]
async fn attack_26_no_program_does_more_than_the_walls_allow() {
    contained(&Bench::whole()).await;
}

#[tokio::test]
async fn attack_26_nor_does_it_where_there_is_a_fast_interpreter() {
    contained(&Bench::new("")).await;
}

/// What the fast interpreter does otherwise, no worse.
const OTHERWISE: &[(&str, &str)] = &[
    ("import re\nresult = bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))", "false"),
    ("result = int('9' * 10**7)", "timeout: it ran longer than 1000 ms"),
];

async fn contained(bench: &Bench) {
    let wrong: Vec<String> = {
        let mut wrong = Vec::new();
        for (code, expected) in HOSTILE {
            let began = std::time::Instant::now();
            let or = OTHERWISE.iter().find(|(own, _)| own == code).map_or(*expected, |(_, end)| end);
            let endless = [*expected, or].iter().any(|end| end.starts_with("timeout"));
            let ended = if endless { bench.hasty(code).await } else { bench.any(code).await };
            // A program that runs into its time ends there, and none takes longer to be stopped.
            if ![*expected, or].iter().any(|end| ended.contains(end)) || began.elapsed().as_millis() > 20_000
            {
                wrong.push(format!("{code}\n  -> {ended}\n  instead of {expected}"));
            }
        }
        wrong
    };
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!bench.place.path().join("out.txt").exists());
    assert!(bench.log.0.lock().unwrap().is_empty());
    assert_eq!(bench.any("result = 1 + 1").await, "2", "the host lives");
}

#[tokio::test]
async fn attack_15_26_nothing_of_one_run_is_left_for_the_next() {
    let bench = Bench::new("");
    let leaves = "import builtins, sys, json, runner\nbuiltins.left = sys.left = json.left = 1\nrunner.PRINTED_CHARS_MAX = 1\nsys.modules['left'] = sys\nresult = 1";
    assert_eq!(bench.any(leaves).await, "1");
    let looks = "import builtins, sys, json, runner\nresult = [hasattr(builtins, 'left'), hasattr(sys, 'left'), hasattr(json, 'left'), runner.PRINTED_CHARS_MAX, 'left' in sys.modules]";
    assert_eq!(bench.any(looks).await, "[false,false,false,32768,false]");
}

#[tokio::test]
async fn attack_26_time_and_chance_are_there_if_granted() {
    let draws = "import random, time, uuid\nresult = [random.random(), str(uuid.uuid4()), time.time()]";
    let bench = Bench::new("");
    let first = bench.any(draws).await;
    assert_eq!(first, bench.any(draws).await, "each run draws the same, and time stands");
    assert!(first.ends_with(",0.0]"), "{first}");
    let bench = Bench::new("clock = true\nrandom = true");
    let (first, second) = (bench.any(draws).await, bench.any(draws).await);
    assert_ne!(first.split(',').next(), second.split(',').next());
    assert!(!first.ends_with(",0.0]"), "{first}");
}

fn chain(link: &str) -> String {
    format!("chain: c\ninput: {{}}\nlinks:\n  p:\n    kind: python\n{link}\noutput: ${{p}}")
}

fn trail(report: &Report) -> String {
    format!("{:?}", report.trail)
}

#[tokio::test]
async fn a_program_gets_variables_calls_tools_and_gives_a_result() {
    let bench = Bench::new("");
    let link = "    code: |\n      import math\n\n      result = {\"double\": double(number=a), \"same\": input[\"a\"] == a, \"root\": math.sqrt(16)}\n    with: {a: '${input}'}\n    tools: [double]";
    let report = bench.run(&chain(link), "21").await;
    assert_eq!(shown(&report), r#"{"double":42,"same":true,"root":4.0}"#);
    assert!(trail(&report).contains("c.p.tool_double"), "{}", trail(&report));
    assert_eq!(report.labels(), [(String::new(), "untrusted · from input".to_string())]);
    let whole = bench.run(&chain("    code: result = input\n    with: '${input}'"), "[1, null]").await;
    assert_eq!(shown(&whole), "[1,null]");
    let nothing = bench.run(&chain("    code: pass"), "1").await;
    assert_eq!((shown(&nothing), nothing.labels()[0].1.as_str()), ("null".into(), "trusted"));
    let figures = [bench.engine.python_figures(), bench.engine.fast_python_figures()].map(Option::unwrap);
    assert_eq!(
        figures.iter().map(|all| (all.calls, all.asks)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (3, 1)
    );
}

/// Programs, what they give, and whether the fast interpreter is enough.
const FITTING: &[(&str, &str, bool)] = &[
    ("result = 1 + 1", "2", true),
    ("result = {k: len(k) for k in ['a', 'bc'] if k}", r#"{"a":1,"bc":2}"#, true),
    ("result = sum(n * n for n in range(10))", "285", true),
    ("result = sum([0.1] * 10)", "1.0", false),
    ("result = round(2.675, 2)", "2.67", false),
    ("result = sorted([3, 1, 2], key=lambda n: -n)", "[3,2,1]", true),
    ("def fib(n):\n  return n if n < 2 else fib(n - 1) + fib(n - 2)\nresult = fib(10)", "55", true),
    (
        "try:\n  [][1]\nexcept IndexError as error:\n  result = str(error)",
        "\"list index out of range\"",
        true,
    ),
    (
        "import json, re\nresult = [json.loads('[1]'), re.findall('[0-9]+', 'a1b22')]",
        r#"[[1],["1","22"]]"#,
        true,
    ),
    ("result = f'{1.5:.2f} {10**20} {7 // -2}'", "\"1.50 100000000000000000000 -4\"", true),
    ("result = double(number=21)", "42", true),
    ("result = [double(number=n) for n in [1, 2]]", "[2,4]", true),
    ("pass", "null", true),
    // Made bit by bit, the second value would never be asked for.
    ("result = next(1 // n for n in [1, 0])", "1", false),
    ("result = any(double(number=n) for n in [1, 2])", "true", false),
    ("def g():\n  yield 1\nresult = list(g())", "[1]", false),
    (
        "class A(Exception): pass\ntry:\n  raise A('x')\nexcept A as a:\n  result = repr(a)",
        "\"A('x')\"",
        false,
    ),
    ("import statistics\nresult = statistics.mean([1, 2])", "1.5", false),
    ("import random, time\nresult = [random.random() < 1, time.time()]", "[true,0.0]", false),
    ("try:\n  double(number=[])\nexcept ToolError:\n  result = 1", "1", false),
    ("result = 'hello'.__class__.__name__", "\"str\"", false),
];

/// What the two must not differ in, wherever it runs.
const SAME: &[&str] = &[
    "result = [1, 2, 3, 4, 5][::-2] + [*'ab'] + list('hello'[1:-1])",
    "result = {**{'a': 1, 'b': 2}, 'a': 3}",
    "a, *b, c = range(5)\nresult = [a, b, c]",
    "result = [f'{x!r:>8}|{x:<6}|{x:^7}' for x in ['a', 'bc']]",
    "result = [f'{n:+,} {n:08.3f} {n:.2e} {n:%}' for n in [1234.5, -0.125]]",
    "result = [0.1 + 0.2, 1e16, 1e-7, 5.0, -0.0, 2**0.5, 1/3, 123456789.123456789, 1e22, 1e300 * 1e8]",
    "result = [str(n) for n in [0.1 + 0.2, 1e16, 1e-7, 5.0, -0.0, 2**0.5, float('inf')]]",
    "result = [7 // 2, -7 // 2, 7 % -3, -7 % 3, divmod(-7, 2), 2**10, 7.5 // 2, -7.5 % 2]",
    "result = [round(n) for n in [0.5, 1.5, 2.5, -0.5]] + [round(2.675, 2), round(1234, -2)]",
    "result = [int('ff', 16), int(' 42 '), int(-3.9), bin(10), hex(255), oct(8), 0b11 ^ 0x5, ~7, 1 << 40]",
    "result = ['a,b,,c'.split(','), ' a  b '.split(), 'a-b-c'.rsplit('-', 1), 'x'.join('abc'), 'aXbX'.replace('X', '', 1)]",
    "result = ['Hello World'.swapcase(), 'hello world'.title(), 'abc'.upper(), 'ß'.upper(), 'İ'.lower(), 'x'.center(5, '*'), '7'.zfill(3)]",
    "result = ['straße'.casefold(), 'a\\tb'.expandtabs(4), 'abcabc'.find('c'), 'abcabc'.rfind('c'), 'abc'.partition('b'), 'é'.encode().hex()]",
    "result = ['a1'.isalnum(), '１'.isdigit(), 'abc'.isalpha(), 'A'.isupper(), ' '.isspace(), 'a_1'.isidentifier()]",
    "result = [sorted(['b', 'A', 'c'], key=str.lower), sorted([(1, 'b'), (1, 'a')], key=lambda p: p[0]), sorted({3, 1, 2}, reverse=True)]",
    "result = [list(zip('ab', [1, 2, 3])), list(enumerate('ab', 1)), list(reversed([1, 2])), list(map(str, [1, 2])), list(filter(None, [0, 1]))]",
    "result = [all([]), any([]), min([3, 1]), max('ab', key=ord), sum([0.1] * 10), sum([[1], [2]], [])]",
    "result = [bool(x) for x in [0, '', [], {}, (), 0.0, None, 'a', [0]]]",
    "result = [1 < 2 < 3, 1 == 1.0, True + 1, 'a' < 'b', [1, 2] < [1, 3], None is None, 3 in [1, 2], 'k' in {'k': 1}]",
    "def f(a, b=2, *args, c=3, **more):\n  return [a, b, list(args), c, more]\nresult = [f(1), f(1, 2, 3, c=4, d=5), f(*[1], **{'b': 9})]",
    "def counter():\n  n = 0\n  def up():\n    nonlocal n\n    n += 1\n    return n\n  return up\nup = counter()\nresult = [up(), up()]",
    "fs = [lambda: i for i in range(3)]\nresult = [f() for f in fs]",
    "n = 1\ndef f():\n  global n\n  n = 2\nf()\nresult = n",
    "out = []\nfor i in range(5):\n  if i == 1: continue\n  if i == 4: break\n  out.append(i)\nelse:\n  out.append('else')\nresult = out",
    "x = 10\nout = []\nwhile (x := x - 3) > 0: out.append(x)\nresult = out",
    "def kind(v):\n  match v:\n    case {'a': x}: return ['map', x]\n    case [x, *rest]: return ['list', x, rest]\n    case str() as s: return s\n    case 1 | 2: return 'small'\n    case _: return None\nresult = [kind({'a': 1}), kind([1, 2]), kind('s'), kind(2), kind(5)]",
    "out = []\nfor source in ['x', '1', None]:\n  try:\n    out.append(int(source))\n  except (ValueError, TypeError) as e:\n    out.append([type(e).__name__, str(e)])\n  finally:\n    out.append('f')\nresult = out",
    "def f():\n  try:\n    return 1\n  finally:\n    pass\nresult = f()",
    "d = {}\nfor w in 'a b a'.split(): d[w] = d.get(w, 0) + 1\nresult = [d, d.pop('a'), list(d.items()), d.setdefault('z', [])]",
    "s = {1, 2} | {3}\nresult = [sorted(s & {2, 3}), sorted(s - {1}), sorted(s ^ {1, 9}), s >= {1}, len(frozenset([1, 1]))]",
    "a = [3, 1, 2]\na.sort()\na.insert(1, 9)\na.extend([7])\na[1:2] = [4, 5]\ndel a[0]\nresult = [a, a.index(4), a.count(7), a.pop(), a]",
    "import json\nresult = [json.dumps({'b': [1, None, True, 1.5], 'a': 'é\"'}), json.dumps([1], indent=2), json.dumps({'b': 1, 'a': 2}, sort_keys=True), json.loads('{\"a\": [1e2, \"\\\\u00e9\"]}')]",
    "import re\nresult = [re.sub(r'(\\w)(\\d)', r'\\2\\1', 'a1 b2'), re.split(r'[,;]\\s*', 'a, b;c'), [m.span() for m in re.finditer('a+', 'aa ba')], re.match(r'(?P<n>\\d+)', '42x').group('n')]",
    "import re\nresult = [bool(re.search(p, 'Hello\\nWorld', f)) for p, f in [('^world$', re.I | re.M), ('o.W', re.S), ('o.W', 0)]]",
    "import math\nresult = [math.floor(-1.5), math.ceil(1.2), math.gcd(12, 18), math.factorial(20), math.isclose(0.1 + 0.2, 0.3), round(math.sin(1), 12), math.inf > 1, math.comb(5, 2), math.trunc(-1.7)]",
    "from datetime import datetime, date, timedelta, timezone\nd = datetime(2024, 2, 28, 23, 30) + timedelta(hours=1, days=1)\nresult = [str(d), d.isoformat(), d.strftime('%Y/%m/%d %H:%M %j %a'), (date(2024, 3, 1) - date(2024, 2, 1)).days, d.weekday(), str(timedelta(seconds=90061)), datetime.fromisoformat('2024-01-02T03:04:05+00:00').timestamp()]",
    "from collections import Counter, defaultdict, deque\nc = Counter('abca')\nd = defaultdict(list)\nd['x'].append(1)\nq = deque([1, 2], maxlen=2)\nq.append(3)\nresult = [c.most_common(1), dict(d), list(q)]",
    "from functools import reduce\nresult = reduce(lambda a, b: a * b, [1, 2, 3, 4])",
    "import itertools\nresult = [list(itertools.chain([1], [2])), list(itertools.permutations('ab')), list(itertools.accumulate([1, 2, 3])), [[k, list(g)] for k, g in itertools.groupby('aab')]]",
    "from decimal import Decimal\nresult = [str(Decimal('0.1') + Decimal('0.2')), str(Decimal('1') / Decimal('3')), str(round(Decimal('2.675'), 2))]",
    "import base64, hashlib\nresult = [base64.b64encode(b'hi').decode(), hashlib.sha256(b'x').hexdigest()[:8], b'\\x00\\xff'.hex()]",
    "import copy\na = [[1], 2]\nb = copy.deepcopy(a)\nb[0].append(9)\nresult = [a, b]",
    "import csv, io\nresult = list(csv.reader(io.StringIO('a,\"b,c\"\\n1,2')))",
    "result = [chr(0x1F600), ord('é'), ascii('é'), repr('a\\'b'), repr([1, 'x', None, (1,)]), str({'a': {1}})]",
    "result = '%s is %d and %.2f %r %5d|%-5s|' % ('a', 3, 2.5, 'x', 42, 'b')",
    "result = '{} {1}'.format(1, 2) if False else '{0[a]} {b:>3} {c!r}'.format({'a': 1}, b=2, c='x')",
    "result = [list(range(10, 0, -3)), len(range(0, 10, 3)), 5 in range(10), range(3)[-1], slice(1, 3).start]",
    "result = [isinstance(True, int), isinstance([], (list, tuple)), type(1).__name__, callable(len), issubclass(bool, int)]",
    "result = [hasattr('a', 'upper'), getattr('a', 'nope', 1), 'a'.__class__.__name__, len.__name__]",
    "result = [chr(0xd800)]",
    "import json\nresult = json.loads('\"\\\\uD83D\\\\uDE00\"')",
    "result = b'a\\xffb'.decode('utf-8', 'replace')",
    "result = [10**25, -(2**63), 2**63]",
    "result = [10**15, -(2**62), 3 * 10**17]",
    "result = {1: 'a', None: 'b', 1.5: 'd', True: 1, False: 2} if False else {1: 'a', None: 'b', 1.5: 'd', False: 2}",
    "import math\nresult = [math.fsum([0.1] * 10), math.prod([1, 2]), math.sqrt(2), math.hypot(3, 4), math.log(8, 2), math.dist([0], [1])]",
    "result = [sum([1, 2], 3), sum([1.5, 2]), sum([True, 2]), sum([], start=1)]",
    "result = [f'{x:.2f}' for x in [2.675, 0.125, 0.375, 1e-9]] + [f'{2.5:.0f}', f'{1e6:g}', f'{123456789:g}']",
    "result = [float('1e400') > 1, float('nan') != float('nan'), 1e400 - 1e400 != 0, 3.0 == 3, hash(1) == hash(1.0)]",
    "result = ['%.1f' % 0.25, '%.0f' % 0.5, '%e' % 12345.678, str(1e15), str(1e17), repr(100000000000000000.0)]",
    "result = (1, (2, 3))",
    "result = 1j",
    "raise ValueError('no')",
    "assert 1 == 2, 'unequal'",
    "assert [1] == [2]",
    "result = undefined_name_in_a_call(1)",
    "x = {}\nx['a']['b'] = 1",
    "def f(a): return a\nf()",
    "'abc' + 1",
    "[1, 2][5]",
    "result = sorted([1, 'a'])",
    "print('x')\nresult = print('y', 1, None, sep='-', end='')",
];

#[tokio::test]
async fn both_interpreters_say_the_same() {
    let (both, whole) = (Bench::new(""), Bench::whole());
    let mut differ = Vec::new();
    for code in SAME {
        let (one, other) = (both.any(code).await, whole.any(code).await);
        if one != other {
            differ.push(format!("{code}\n  fast  {one}\n  whole {other}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    let fast = both.engine.fast_python_figures().unwrap().calls as usize;
    assert!(fast * 2 > SAME.len(), "only {fast} of {} ran in the fast one", SAME.len());
}

#[tokio::test]
async fn a_program_runs_where_it_fits_and_gives_the_same() {
    let (both, whole) = (Bench::new(""), Bench::whole());
    let fast = || both.engine.fast_python_figures().unwrap().calls;
    for (code, expected, fits) in FITTING {
        let before = fast();
        assert_eq!((both.any(code).await.as_str(), fast() > before), (*expected, *fits), "{code}");
        assert_eq!(whole.any(code).await, *expected, "{code}");
    }
    assert_eq!(whole.engine.fast_python_figures(), None);
}

/// The second run would call the tool again.
#[tokio::test]
async fn a_program_that_called_a_tool_is_not_run_twice() {
    let bench = Bench::new("[[grant]]\nto = \"c.p\"\nreason = \"r\"\nlog = {}");
    let link =
        |code: &str| chain(&format!("    code: |\n      note(text='once')\n      {code}\n    tools: [note]"));
    for (code, expected) in [
        ("result = 1 // 0", "`c.p` failed: native: c.yaml:8: ZeroDivisionError: division by zero"),
        ("result = {1}", "`c.p` failed: native: TypeError: "),
        ("result = 'x' * 10**9", "`c.p` failed: limit: it asked for more than"),
    ] {
        let ended = shown(&bench.run(&link(code), "1").await);
        assert!(ended.starts_with(expected), "{code}: {ended}");
        assert_eq!(bench.log.0.lock().unwrap().drain(..).count(), 1, "{code}");
    }
    // What a gate says no to is raised as in the other one.
    let told = "chain: c\ninput: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}}}\nlinks:\n  p:\n    kind: python\n    code: note(text='nothing of it')\n    with: {card: '${input.card}'}\n    tools: [note]\noutput: 1";
    let report = bench.run(told, r#"{"card": "4111"}"#).await;
    assert!(trail(&report).contains("carries `pii`, which `log` may not see"), "{}", trail(&report));
    assert_eq!(bench.engine.fast_python_figures().unwrap().calls, 4);
}

/// What the first interpreter left of a budget is all that the second one has.
#[tokio::test]
async fn two_interpreters_share_one_budget() {
    let bench = Bench::new("");
    let link = |fuel: u64| {
        let code = "for n in range(200000): pass\n      result = [n for n in 'ab'].no_such_method() if False else list(map(str, [1]))\n      1 // 0";
        chain(&format!("    code: |\n      {code}\n    limits: {{fuel: {fuel}, time: 60s}}"))
    };
    let fuel = async |bench: &Bench| {
        let ended = shown(&bench.run(&link(1_000_000_000_000), "1").await);
        assert!(ended.contains("ZeroDivisionError"), "{ended}");
        bench.engine.python_figures().unwrap().fuel
    };
    let alone = fuel(&Bench::whole()).await;
    assert!(fuel(&bench).await > alone + 1_000_000, "what the first attempt used counts, too");
    let ended = shown(&bench.run(&link(alone + 1_000_000), "1").await);
    assert_eq!(ended, format!("`c.p` failed: limit: it used more than {} units of fuel", alone + 1_000_000));
}

#[tokio::test]
async fn a_failure_names_the_line_of_the_file() {
    let bench = Bench::new("");
    let link = "    code: |\n      def f(x):\n          return 1 / x\n\n      result = f(0)";
    let report = bench.run(&chain(link), "1").await;
    assert_eq!(shown(&report), "`c.p` failed: native: c.yaml:8: ZeroDivisionError: division by zero");
    let failed = "    code: |\n      try:\n          double(number=[])\n      except ToolRefused:\n          result = 'refused'\n      except ToolError as error:\n          result = str(error)\n    tools: [double]";
    assert_eq!(shown(&bench.run(&chain(failed), "1").await), "\"double: an expression has no value\"");
}

#[tokio::test]
async fn attack_27_a_tool_that_was_not_granted_is_refused_and_recorded() {
    let bench = Bench::new("");
    let code = "import runner\nresult = runner.tool('note')(text='x')";
    let report = bench.run(ANY, &to_string(&code.into())).await;
    assert_eq!(shown(&report), "native: line 2: runner.ToolRefused: note: it was not granted");
    let trail = trail(&report);
    assert!(
        trail.contains("any.p.tool_note") && trail.contains("nothing grants it the tool `note`"),
        "{trail}"
    );
    assert!(trail.contains("add it to the link's `tools`: [note]"), "{trail}");
    assert!(bench.log.0.lock().unwrap().is_empty());
    let records = bench.place.recorded();
    assert!(records.contains("no-grant") && records.contains("any.p.tool_note"), "{records}");
}

#[tokio::test]
async fn attack_27_what_a_program_was_told_taints_what_it_sends() {
    let bench = Bench::new("");
    let tagged = "chain: c\ninput: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}}}\nlinks:\n  p:\n    kind: python\n    code: |\n      try:\n          note(text='nothing of it')\n      except ToolRefused:\n          pass\n    with: {card: '${input.card}'}\n    tools: [note]\noutput: 1";
    let report = bench.run(tagged, r#"{"card": "4111"}"#).await;
    assert!(trail(&report).contains("carries `pii`, which `log` may not see"), "{}", trail(&report));
    assert!(bench.log.0.lock().unwrap().is_empty());
    // What a tool answered counts as well: the second call carries what the first one told.
    let told = chain(
        "    code: |\n      try:\n          card()\n          note(text='nothing of it')\n      except ToolRefused:\n          pass\n    tools: [card, note]",
    );
    let report = bench.run(&told.replace("${p}", "1"), "1").await;
    assert!(trail(&report).contains("carries `pii`, which `log` may not see"), "{}", trail(&report));
    assert!(bench.log.0.lock().unwrap().is_empty());
    let untagged = tagged.replace(", x-ringmail-label: [pii]", "");
    let report = bench.run(&untagged, r#"{"card": "4111"}"#).await;
    assert_eq!((shown(&report), bench.log.0.lock().unwrap().len()), ("1".into(), 1), "{}", trail(&report));
}

#[tokio::test]
async fn attack_38_a_program_that_a_stranger_wrote_taints_what_it_makes() {
    let bench = Bench::new("");
    let report = bench.run(ANY, "\"result = 1\"").await;
    assert_eq!(report.labels(), [(String::new(), "untrusted · from input".to_string())]);
}

#[tokio::test]
async fn what_a_program_prints_goes_to_the_log_if_it_may() {
    let quiet = "    code: print('hello')";
    let loud = format!("{quiet}\n    log: true");
    let bench = Bench::new("");
    bench.run(&chain(quiet), "1").await;
    assert!(bench.log.0.lock().unwrap().is_empty());
    let problems = bench.problems(&chain(&loud));
    assert!(problems.contains("nothing grants `c.p.log` the use of `log`"), "{problems}");
    let bench = Bench::new("[[grant]]\nto = \"c.p\"\nreason = \"r\"\nlog = {}");
    bench.run(&chain(&loud), "1").await;
    assert_eq!(*bench.log.0.lock().unwrap(), ["c.p.log: hello"]);
    let flood = "    code: 'print(\"x\" * 100000)'\n    log: true";
    bench.run(&chain(flood), "1").await;
    let longest = bench.log.0.lock().unwrap().last().unwrap().len();
    assert!((32_000..33_000).contains(&longest), "{longest}");
}

#[tokio::test]
async fn what_a_program_cannot_do_is_known_before_it_runs() {
    let bench = Bench::new("");
    for (link, expected) in [
        (
            "    code: |\n      x = 1\n      result = (x +",
            "c.yaml:8:16: this is no Python: '(' was never closed",
        ),
        ("    code: result = lookup(1)", "c.yaml:6:20: nothing gives the program the name `lookup`"),
        ("    code: result = duble(number=1)\n    tools: [double]", "did you mean `double`?"),
        (
            "    code: result = 1\n    tools: [double]",
            "`double` is among its tools, and the program never names it",
        ),
        ("    code: result = tripel(1)\n    tools: [triple]", "there is no chain `triple`"),
        ("    code: pass\n    tools: [import]", "`import` means something else in a program"),
        ("    code: double()\n    tools: [double, double]", "the tool `double` stands twice"),
        ("    with: {a: 1}", "the link has no program"),
        ("    code: pass\n    with: {code: pass}", "a program stands in one of"),
        ("    file: ../x.py", "`../x.py` does not lie in the project's folder"),
        ("    file: /etc/passwd", "`/etc/passwd` does not lie in the project's folder"),
        ("    file: gone.py", "gone.py"),
        ("    code: pass\n    limits: {tim: 1s}", "unknown key `tim`"),
    ] {
        let problems = bench.problems(&chain(link));
        assert!(problems.contains(expected), "{link}\n{problems}");
    }
    for code in [
        "result = [x for x in range(3) if (y := x)]",
        "def f(*a, k=1, **b):\n          return lambda z: (a, k, b, z)\n      class A(Exception): pass\n      try:\n          f()\n      except A as e:\n          print(e)",
        "import os.path as p, math\n      match p:\n          case {'a': b, **c}: print(b, c)\n          case [d, *e]: print(d, e)\n      print(math, __name__)",
        "exec('x = 1')\n      result = x",
        "try:\n          unicode\n      except NameError:\n          pass",
    ] {
        let problems = bench.problems(&chain(&format!("    code: |\n      {code}")));
        assert_eq!(problems, "", "{code}");
    }
}

#[tokio::test]
async fn a_program_may_be_a_file() {
    let bench = Bench::new("");
    bench.place.write("python/score.py", "import math\nresult = math.floor(a)\n");
    let link = "    file: python/score.py\n    with: {a: '${input}'}";
    assert_eq!(shown(&bench.run(&chain(link), "1.5").await), "1");
    bench.place.write("python/score.py", "result = 1\nresult = (\n");
    let problems = bench.problems(&chain(link));
    assert!(problems.contains("python/score.py:2:10: this is no Python"), "{problems}");
    std::os::unix::fs::symlink("/etc/passwd", bench.place.path().join("python/out.py")).unwrap();
    let problems = bench.problems(&chain("    file: python/out.py"));
    assert!(problems.contains("does not lie in the project's folder"), "{problems}");
}

#[tokio::test]
async fn the_narrower_limit_holds() {
    let spin = |limits: &str| chain(&format!("    code: 'while True: pass'\n    limits: {{{limits}}}"));
    let bench = Bench::new("limits = { time = \"300ms\", asks = 2 }");
    let ended = shown(&bench.run(&spin("time: 5s"), "1").await);
    assert!(ended.contains("it ran longer than 300 ms"), "{ended}");
    let ended = shown(&bench.run(&spin("time: 100ms"), "1").await);
    assert!(ended.contains("it ran longer than 100 ms"), "{ended}");
    let ended = shown(&bench.run(&spin("fuel: 10000000"), "1").await);
    assert!(ended.contains("units of fuel"), "{ended}");
    let asks = chain("    code: '[double(number=n) for n in range(3)]'\n    tools: [double]");
    let ended = shown(&bench.run(&asks, "1").await);
    assert!(ended.contains("it asked the host more than 2 times"), "{ended}");
    let large = chain("    code: result = 'x' * 2000\n    limits: {output: 1KiB}");
    let ended = shown(&bench.run(&large, "1").await);
    assert!(ended.contains("larger than 1024 bytes"), "{ended}");
}

#[tokio::test]
async fn programs_import_what_lies_in_a_pinned_folder() {
    let place = Place::with_python();
    place.write("vendor/shop/__init__.py", "from .tax import VAT\n");
    place.write("vendor/shop/tax.py", "VAT = 0.2\ndef wrong():\n    raise ValueError('no')\n");
    place.write("vendor/notes.txt", "no module");
    let inspect = place.run(&["python", "inspect", "vendor"]);
    assert!(inspect.out.contains("  shop\n  shop.tax\n"), "{}", inspect.shown());
    let libraries = inspect.out.lines().last().unwrap().to_string();
    let bench = Bench::at(place, &libraries).unwrap_or_else(|error| panic!("{error}"));
    let uses = "    code: |\n      import shop, shop.tax as tax\n      result = [shop.VAT, tax.__name__]";
    assert_eq!(shown(&bench.run(&chain(uses), "1").await), r#"[0.2,"shop.tax"]"#);
    let fails = "    code: |\n      import shop.tax\n      shop.tax.wrong()";
    let failed = shown(&bench.run(&chain(fails), "1").await);
    assert!(failed.contains("c.yaml:8: ValueError: no"), "{failed}");
    // Whatever lies in the folder after it was pinned is not what was reviewed.
    let place = Place::with_python();
    place.write("vendor/shop/__init__.py", "VAT = 0\n");
    let fault = Bench::at(place, &libraries).err().unwrap().to_string();
    assert!(fault.contains("the library in `vendor` is not what was reviewed"), "{fault}");
    let place = Place::with_python();
    place.write("vendor/a.so", "");
    let fault = Bench::at(place, &libraries).err().unwrap().to_string();
    assert!(fault.contains("is machine code"), "{fault}");
}

#[tokio::test]
async fn attack_17_an_edited_interpreter_is_refused() {
    let place = Place::with_python();
    let path = place.path().join(".ringmail/python/interpreter.wasm");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let fault = Bench::at(place, "").err().unwrap().to_string();
    assert!(fault.contains("the Python interpreter is not what was set up"), "{fault}");
}

#[test]
fn a_program_without_an_interpreter_is_a_problem_with_its_remedy() {
    let place = Place::project();
    place.write("chains/p.yaml", &chain("    code: result = 1"));
    let check = place.run(&["check"]);
    assert_eq!(check.code, 1);
    assert!(check.err.contains("`c.p` needs a Python interpreter"), "{}", check.shown());
    assert!(check.err.contains("ringmail python setup"), "{}", check.shown());
    let built = Place::with_python();
    let from = built.path().join(".ringmail/python/interpreter.wasm").display().to_string();
    place.add_python();
    let again = place.run(&["python", "setup", "--from", &from]);
    assert_eq!(again.code, 0, "{}", again.shown());
    assert_eq!(place.read("ringmail.toml").matches("[python]").count(), 1);
    assert_eq!(place.run(&["check"]).code, 0);
    let outside = Place::empty().run(&["python", "setup"]);
    assert!(outside.err.contains("there is no project here"), "{}", outside.shown());
}

#[test]
fn the_fast_interpreter_stands_beside_the_other() {
    let ended = Place::project().run(&["python", "setup", "--fast"]);
    assert!(
        ended.code == 1 && ended.err.contains("set that up first: ringmail python setup"),
        "{}",
        ended.shown()
    );
}
