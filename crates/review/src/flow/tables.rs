//! What frameworks are, as data: calls that bring data in, parameters that callers of a tool or a door fill, places
//! data must not reach unchecked, and what makes it safe. `*` stands for anything before the last words of a name.

use crate::finding::Certainty;

/// Where data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Request,
    Tool,
    Model,
    /// What another host answered: a page, a document, a server of MCP.
    Remote,
    /// Arguments, input and files of whoever started the program.
    Local,
    /// Passwords and keys; not to be told.
    Secret,
    /// What went wrong, in words of the program.
    Fault,
}

impl Origin {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Origin::Request => "a request",
            Origin::Tool => "an argument of a tool",
            Origin::Model => "the output of a model",
            Origin::Remote => "what another host answered",
            Origin::Local => "whoever starts the program",
            Origin::Secret => "a secret",
            Origin::Fault => "an error and its details",
        }
    }
}

/// Where data must not come unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sink {
    Code,
    Shell,
    Sql,
    Cypher,
    Template,
    SystemPrompt,
    Path,
    Url,
    Log,
    Deserializer,
    Import,
    JsonPath,
    Answer,
    ToolText,
    Redirect,
    /// A condition of a store that is asked: LDAP, IMAP, filters of vector stores.
    Filter,
}

impl Sink {
    /// How sure it is that data of an origin does harm there; nothing where it belongs there.
    pub(crate) fn harm(self, from: Origin) -> Option<Certainty> {
        use Certainty::{High, Low, Medium};
        use Origin::{Fault, Local, Model, Remote, Request, Secret, Tool};
        match (self, from) {
            (Sink::Log, Secret) => Some(High),
            (Sink::Answer, Fault) => Some(Medium),
            (_, Secret | Fault) | (Sink::Log | Sink::Answer, _) => None,
            (Sink::ToolText, Remote) => Some(Medium),
            (Sink::ToolText, _) => None,
            (Sink::Code | Sink::Shell, Local) => Some(Low),
            (Sink::Code | Sink::Shell, _) => Some(High),
            (Sink::Deserializer, Local) => Some(Medium),
            (Sink::Deserializer, _) => Some(High),
            (_, Local) => None,
            (Sink::Sql | Sink::Cypher | Sink::Import | Sink::JsonPath | Sink::Template, _) => Some(High),
            (Sink::SystemPrompt, Request | Tool) => Some(Medium),
            (Sink::SystemPrompt, Model | Remote) => Some(Low),
            (Sink::Path, Request) => Some(High),
            (Sink::Path, Tool | Model) => Some(Medium),
            (Sink::Path, Remote) => Some(Medium),
            (Sink::Url, Request) => Some(High),
            (Sink::Url, Tool | Model) => Some(Medium),
            (Sink::Url, Remote) => Some(Low),
            (Sink::Redirect, Request) => Some(Medium),
            (Sink::Redirect, _) => None,
            (Sink::Filter, _) => Some(High),
        }
    }

    /// How sure it is that a function hands its callers' data on to it; nothing where that is what it is for.
    pub(crate) fn open(self, part: bool, named: Named) -> Option<Certainty> {
        match self {
            Sink::Template if named == Named::Question => Some(Certainty::Medium),
            Sink::Url if named == Named::Address => Some(Certainty::Medium),
            Sink::Path if part && named != Named::Place => Some(Certainty::Medium),
            Sink::Import if named == Named::Question || named == Named::Kind && !part => {
                Some(Certainty::Medium)
            }
            Sink::JsonPath => Some(Certainty::Medium),
            Sink::Sql | Sink::Cypher | Sink::Shell if named == Named::Output => Some(Certainty::Medium),
            Sink::Sql | Sink::Cypher | Sink::Filter if part => Some(Certainty::Medium),
            Sink::Code | Sink::Deserializer => Some(Certainty::Medium),
            Sink::Shell if part => Some(Certainty::Medium),
            Sink::Import | Sink::Template => Some(Certainty::Low),
            _ => None,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Sink::Code => "code that is run",
            Sink::Shell => "a command line",
            Sink::Sql => "a statement of SQL",
            Sink::Cypher => "a query of Cypher",
            Sink::Template => "the text of a template",
            Sink::SystemPrompt => "the instructions of a model",
            Sink::Path => "a path",
            Sink::Url => "an address that is asked",
            Sink::Log => "a log",
            Sink::Deserializer => "a reader that makes objects",
            Sink::Import => "the name of code that is loaded",
            Sink::JsonPath => "a path expression",
            Sink::Answer => "an answer to a caller",
            Sink::ToolText => "the description of a tool",
            Sink::Redirect => "the address of a redirect",
            Sink::Filter => "a condition that a store is asked with",
        }
    }
}

/// What the name of a parameter says that callers put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// What somebody asked, in words of their own.
    Question,
    /// Where something is that is to be fetched.
    Address,
    /// A file or a folder that whoever calls has chosen.
    Place,
    /// What is to be made, by its name.
    Kind,
    /// What a model wrote.
    Output,
    Other,
}

impl Named {
    pub(crate) fn of(name: &str) -> Named {
        const QUESTIONS: &[&str] = &[
            "query",
            "question",
            "user_input",
            "user_message",
            "user_query",
            "user_prompt",
            "query_str",
            "query_bundle",
            "input_text",
        ];
        const ADDRESSES: &[&str] = &[
            "url",
            "urls",
            "uri",
            "link",
            "links",
            "webpage",
            "web_path",
            "image_url",
            "audio_url",
            "video_url",
            "file_url",
            "media_url",
            "page_url",
            "site_url",
            "website_url",
            "source_url",
            "document_url",
            "pdf_url",
            "download_url",
            "feed_url",
        ];
        const OUTPUTS: &[&str] =
            &["llm_output", "model_output", "llm_response", "generated_sql", "generated_query", "llm_text"];
        const PLACES: &[&str] = &[
            "path",
            "paths",
            "pathname",
            "dir",
            "directory",
            "dirname",
            "folder",
            "root",
            "location",
            "file",
            "files",
            "filename",
            "fullname",
            "cache",
            "resource",
            "package",
            "module",
            "script",
            "dist",
            "src",
            "dst",
            "dest",
            "destination",
            "output",
            "base",
        ];
        const KINDS: &[&str] =
            &["type", "class", "cls", "dotted", "qualname", "ref", "reference", "target", "fqn", "qualified"];
        let has = |words: &[&str]| name.split('_').any(|word| words.contains(&word));
        match name {
            name if QUESTIONS.contains(&name) => Named::Question,
            name if ADDRESSES.contains(&name) => Named::Address,
            name if OUTPUTS.contains(&name) => Named::Output,
            _ if has(PLACES) => Named::Place,
            _ if has(KINDS) => Named::Kind,
            _ => Named::Other,
        }
    }
}

/// Which argument of a call a row is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinkRow {
    pub(crate) call: &'static str,
    pub(crate) at: usize,
    pub(crate) name: &'static str,
    pub(crate) sink: Sink,
    pub(crate) only: Only,
}

/// When a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    Always,
    /// No flags are given, which may say to parse and no more.
    NoFlags,
    /// `shell=True`.
    Shell,
    /// What it is called on is named so: a word in it.
    On(&'static [&'static str]),
}

const fn row(call: &'static str, at: usize, name: &'static str, sink: Sink) -> SinkRow {
    SinkRow { call, at, name, sink, only: Only::Always }
}

const fn on(
    call: &'static str,
    at: usize,
    name: &'static str,
    sink: Sink,
    words: &'static [&'static str],
) -> SinkRow {
    SinkRow { call, at, name, sink, only: Only::On(words) }
}

const DATABASE: &[&str] = &[
    "cursor",
    "cur",
    "conn",
    "connection",
    "session",
    "db",
    "database",
    "engine",
    "pool",
    "sql",
    "postgres",
    "sqlite",
    "mysql",
    "duckdb",
    "snowflake",
    "bigquery",
    "client",
    "spark",
    "warehouse",
];
const GRAPH: &[&str] = &[
    "graph",
    "neo4j",
    "driver",
    "tx",
    "transaction",
    "session",
    "cypher",
    "memgraph",
    "kuzu",
    "age",
    "falkordb",
    "neptune",
    "connection",
    "client",
    "conn",
];
const HTTP: &[&str] =
    &["session", "client", "http", "requests", "aiohttp", "_session", "_client", "httpx", "scraper"];
const LOGGERS: &[&str] = &["logger", "log", "logging", "_logger", "_log"];

pub(crate) const SINKS: &[SinkRow] = &[
    row("eval", 0, "source", Sink::Code),
    row("exec", 0, "source", Sink::Code),
    SinkRow { only: Only::NoFlags, ..row("compile", 0, "source", Sink::Code) },
    row("builtins.eval", 0, "source", Sink::Code),
    row("builtins.exec", 0, "source", Sink::Code),
    row("code.InteractiveInterpreter.runcode", 0, "code", Sink::Code),
    row("pandas.eval", 0, "expr", Sink::Code),
    row("numexpr.evaluate", 0, "ex", Sink::Code),
    row("sympy.sympify", 0, "a", Sink::Code),
    row("sympy.parse_expr", 0, "s", Sink::Code),
    row("os.system", 0, "command", Sink::Shell),
    row("os.popen", 0, "cmd", Sink::Shell),
    row("subprocess.getoutput", 0, "cmd", Sink::Shell),
    row("subprocess.getstatusoutput", 0, "cmd", Sink::Shell),
    on("*.run", 0, "commands", Sink::Shell, &["process", "bash", "bash_process", "shell", "terminal"]),
    row("asyncio.create_subprocess_shell", 0, "cmd", Sink::Shell),
    row("*.exec_command", 0, "command", Sink::Shell),
    SinkRow { only: Only::Shell, ..row("subprocess.run", 0, "args", Sink::Shell) },
    SinkRow { only: Only::Shell, ..row("subprocess.call", 0, "args", Sink::Shell) },
    SinkRow { only: Only::Shell, ..row("subprocess.check_call", 0, "args", Sink::Shell) },
    SinkRow { only: Only::Shell, ..row("subprocess.check_output", 0, "args", Sink::Shell) },
    SinkRow { only: Only::Shell, ..row("subprocess.Popen", 0, "args", Sink::Shell) },
    on("*.execute", 0, "query", Sink::Sql, DATABASE),
    on("*.executemany", 0, "query", Sink::Sql, DATABASE),
    on("*.executescript", 0, "sql_script", Sink::Sql, DATABASE),
    on("*.exec_driver_sql", 0, "statement", Sink::Sql, DATABASE),
    on("*.fetch", 0, "query", Sink::Sql, &["conn", "connection", "pool"]),
    on("*.fetchrow", 0, "query", Sink::Sql, &["conn", "connection", "pool"]),
    on("*.fetchval", 0, "query", Sink::Sql, &["conn", "connection", "pool"]),
    on("*.run_no_throw", 0, "command", Sink::Sql, DATABASE),
    on("*.run", 0, "command", Sink::Sql, &["db", "database", "sql_database"]),
    on("*.command", 0, "cmd", Sink::Sql, &["client", "clickhouse"]),
    on("*.query", 0, "query", Sink::Sql, &["bq_client", "bigquery_client", "bigquery"]),
    on("*.run_sql", 0, "command", Sink::Sql, &["db", "database"]),
    on("*.sql", 0, "query", Sink::Sql, &["spark", "duckdb", "conn", "con", "connection", "db"]),
    row("sqlalchemy.text", 0, "text", Sink::Sql),
    row("sqlalchemy.sql.text", 0, "text", Sink::Sql),
    row("sqlalchemy.sql.expression.text", 0, "text", Sink::Sql),
    row("pandas.read_sql", 0, "sql", Sink::Sql),
    row("pandas.read_sql_query", 0, "sql", Sink::Sql),
    row("django.db.models.expressions.RawSQL", 0, "sql", Sink::Sql),
    on("*.run", 0, "query", Sink::Cypher, &["tx", "transaction", "session", "neo4j"]),
    on(
        "*.query",
        0,
        "query",
        Sink::Cypher,
        &["graph", "neo4j", "memgraph", "kuzu", "graph_store", "falkordb"],
    ),
    on("*.execute_query", 0, "query_", Sink::Cypher, GRAPH),
    on("*.run_cypher", 0, "query", Sink::Cypher, GRAPH),
    on("*.execute_cypher", 0, "query", Sink::Cypher, GRAPH),
    on("*.structured_query", 0, "query", Sink::Cypher, &["store", "graph", "self"]),
    row("jinja2.Template", 0, "source", Sink::Template),
    on(
        "*.from_string",
        0,
        "source",
        Sink::Template,
        &["env", "environment", "jinja", "jinja_env", "_env", "sandboxedenvironment"],
    ),
    row("llama_index.core.prompts.PromptTemplate", 0, "template", Sink::Template),
    row("langchain_core.prompts.PromptTemplate.from_template", 0, "template", Sink::Template),
    row("langchain_core.prompts.ChatPromptTemplate.from_template", 0, "template", Sink::Template),
    row("mako.template.Template", 0, "text", Sink::Template),
    row("flask.render_template_string", 0, "source", Sink::Template),
    row("langchain_core.messages.SystemMessage", 0, "content", Sink::SystemPrompt),
    row("langchain.schema.SystemMessage", 0, "content", Sink::SystemPrompt),
    row("open", 0, "file", Sink::Path),
    row("io.open", 0, "file", Sink::Path),
    row("aiofiles.open", 0, "file", Sink::Path),
    row("os.remove", 0, "path", Sink::Path),
    row("os.unlink", 0, "path", Sink::Path),
    row("os.rmdir", 0, "path", Sink::Path),
    row("os.rename", 1, "dst", Sink::Path),
    row("os.makedirs", 0, "name", Sink::Path),
    row("os.listdir", 0, "path", Sink::Path),
    row("shutil.rmtree", 0, "path", Sink::Path),
    row("shutil.copy", 1, "dst", Sink::Path),
    row("shutil.copyfile", 1, "dst", Sink::Path),
    row("shutil.move", 1, "dst", Sink::Path),
    row("shutil.unpack_archive", 0, "filename", Sink::Path),
    row("flask.send_file", 0, "path_or_file", Sink::Path),
    row("fastapi.responses.FileResponse", 0, "path", Sink::Path),
    row("starlette.responses.FileResponse", 0, "path", Sink::Path),
    row("pandas.read_csv", 0, "filepath_or_buffer", Sink::Path),
    row("pandas.read_excel", 0, "io", Sink::Path),
    row("pandas.read_json", 0, "path_or_buf", Sink::Path),
    row("pandas.read_parquet", 0, "path", Sink::Path),
    row("PIL.Image.open", 0, "fp", Sink::Path),
    row("numpy.load", 0, "file", Sink::Path),
    row("*.to_csv", 0, "path_or_buf", Sink::Path),
    row("*.to_parquet", 0, "path", Sink::Path),
    row("*.to_excel", 0, "excel_writer", Sink::Path),
    row("*.put_object", 99, "Key", Sink::Path),
    row("*.get_object", 99, "Key", Sink::Path),
    row("*.delete_object", 99, "Key", Sink::Path),
    row("imaplib.IMAP4_SSL.select", 0, "mailbox", Sink::Filter),
    row("imaplib.IMAP4_SSL.search", 1, "", Sink::Filter),
    row("imaplib.IMAP4_SSL.search", 2, "", Sink::Filter),
    row("imaplib.IMAP4.search", 1, "", Sink::Filter),
    row("imaplib.IMAP4.search", 2, "", Sink::Filter),
    on(
        "*.search",
        1,
        "search_filter",
        Sink::Filter,
        &["ldap", "ldap_conn", "ldap_connection", "ldap_client"],
    ),
    row("redis.commands.search.query.Query", 0, "query_string", Sink::Filter),
    row("requests.get", 0, "url", Sink::Url),
    row("requests.post", 0, "url", Sink::Url),
    row("requests.put", 0, "url", Sink::Url),
    row("requests.patch", 0, "url", Sink::Url),
    row("requests.delete", 0, "url", Sink::Url),
    row("requests.head", 0, "url", Sink::Url),
    row("requests.request", 1, "url", Sink::Url),
    row("httpx.get", 0, "url", Sink::Url),
    row("httpx.post", 0, "url", Sink::Url),
    row("httpx.put", 0, "url", Sink::Url),
    row("httpx.delete", 0, "url", Sink::Url),
    row("httpx.stream", 1, "url", Sink::Url),
    row("httpx.request", 1, "url", Sink::Url),
    row("urllib.request.urlopen", 0, "url", Sink::Url),
    row("urllib.request.Request", 0, "url", Sink::Url),
    row("urllib.request.urlretrieve", 0, "url", Sink::Url),
    on("*.get", 0, "url", Sink::Url, HTTP),
    on("*.post", 0, "url", Sink::Url, HTTP),
    on("*.put", 0, "url", Sink::Url, HTTP),
    on("*.delete", 0, "url", Sink::Url, HTTP),
    on("*.request", 1, "url", Sink::Url, HTTP),
    on("*.head", 0, "url", Sink::Url, HTTP),
    on("*.stream", 1, "url", Sink::Url, HTTP),
    on("*.arun", 0, "url", Sink::Url, &["crawler"]),
    row("httpx.head", 0, "url", Sink::Url),
    row("httpx.patch", 0, "url", Sink::Url),
    row("aiohttp.request", 1, "url", Sink::Url),
    row("websockets.connect", 0, "uri", Sink::Url),
    row("trafilatura.fetch_url", 0, "url", Sink::Url),
    row("trafilatura.downloads.fetch_url", 0, "url", Sink::Url),
    row("newspaper.article", 0, "url", Sink::Url),
    row("newspaper.Article", 0, "url", Sink::Url),
    row("feedparser.parse", 0, "url_file_stream_or_string", Sink::Url),
    row("pandas.read_html", 0, "io", Sink::Url),
    on("*.goto", 0, "url", Sink::Url, &["page"]),
    on("*.debug", 0, "msg", Sink::Log, LOGGERS),
    on("*.info", 0, "msg", Sink::Log, LOGGERS),
    on("*.warning", 0, "msg", Sink::Log, LOGGERS),
    on("*.error", 0, "msg", Sink::Log, LOGGERS),
    on("*.exception", 0, "msg", Sink::Log, LOGGERS),
    on("*.critical", 0, "msg", Sink::Log, LOGGERS),
    row("print", 0, "", Sink::Log),
    row("pickle.loads", 0, "data", Sink::Deserializer),
    row("pickle.load", 0, "file", Sink::Deserializer),
    row("pickle.Unpickler", 0, "file", Sink::Deserializer),
    row("cPickle.loads", 0, "data", Sink::Deserializer),
    row("cloudpickle.loads", 0, "data", Sink::Deserializer),
    row("cloudpickle.load", 0, "file", Sink::Deserializer),
    row("dill.loads", 0, "str", Sink::Deserializer),
    row("dill.load", 0, "file", Sink::Deserializer),
    row("marshal.loads", 0, "bytes", Sink::Deserializer),
    row("marshal.load", 0, "file", Sink::Deserializer),
    row("shelve.open", 0, "filename", Sink::Deserializer),
    row("jsonpickle.decode", 0, "string", Sink::Deserializer),
    row("jsonpickle.loads", 0, "string", Sink::Deserializer),
    row("joblib.load", 0, "filename", Sink::Deserializer),
    row("pandas.read_pickle", 0, "filepath_or_buffer", Sink::Deserializer),
    row("importlib.import_module", 0, "name", Sink::Import),
    row("__import__", 0, "name", Sink::Import),
    row("runpy.run_path", 0, "path_name", Sink::Import),
    row("runpy.run_module", 0, "mod_name", Sink::Import),
    row("jsonpath_ng.parse", 0, "string", Sink::JsonPath),
    row("jsonpath_ng.ext.parse", 0, "string", Sink::JsonPath),
    row("jsonpath.jsonpath", 1, "expr", Sink::JsonPath),
    row("jmespath.search", 0, "expression", Sink::JsonPath),
    row("jmespath.compile", 0, "expression", Sink::JsonPath),
    row("fastapi.HTTPException", 1, "detail", Sink::Answer),
    row("fastapi.responses.JSONResponse", 0, "content", Sink::Answer),
    row("flask.jsonify", 0, "", Sink::Answer),
    row("flask.redirect", 0, "location", Sink::Redirect),
    row("fastapi.responses.RedirectResponse", 0, "url", Sink::Redirect),
    row("langchain_core.tools.StructuredTool", 99, "description", Sink::ToolText),
    row("langchain_core.tools.StructuredTool.from_function", 99, "description", Sink::ToolText),
    row("langchain.tools.Tool", 99, "description", Sink::ToolText),
];

/// Calls whose result comes from elsewhere.
pub(crate) const SOURCES: &[(&str, Origin)] = &[
    ("input", Origin::Local),
    ("sys.stdin.read", Origin::Local),
    ("sys.stdin.readline", Origin::Local),
    ("*.chat.completions.create", Origin::Model),
    ("*.completions.create", Origin::Model),
    ("*.responses.create", Origin::Model),
    ("*.messages.create", Origin::Model),
    ("*.generate_content", Origin::Model),
    ("litellm.completion", Origin::Model),
    ("litellm.acompletion", Origin::Model),
    ("litellm.responses", Origin::Model),
    ("requests.get", Origin::Remote),
    ("requests.post", Origin::Remote),
    ("requests.request", Origin::Remote),
    ("httpx.get", Origin::Remote),
    ("httpx.post", Origin::Remote),
    ("urllib.request.urlopen", Origin::Remote),
    ("*.list_tools", Origin::Remote),
    ("*.call_tool", Origin::Remote),
    ("*.list_prompts", Origin::Remote),
    ("*.read_resource", Origin::Remote),
    ("*.receive_text", Origin::Request),
    ("*.receive_json", Origin::Request),
    ("*.receive_bytes", Origin::Request),
    ("flask.request.get_json", Origin::Request),
    ("traceback.format_exc", Origin::Fault),
    ("getpass.getpass", Origin::Secret),
];

/// Attributes and subscripts that hold what came in.
pub(crate) const SOURCE_NAMES: &[(&str, Origin)] = &[
    ("flask.request.args", Origin::Request),
    ("flask.request.form", Origin::Request),
    ("flask.request.json", Origin::Request),
    ("flask.request.data", Origin::Request),
    ("flask.request.values", Origin::Request),
    ("flask.request.files", Origin::Request),
    ("flask.request.headers", Origin::Request),
    ("sys.argv", Origin::Local),
];

/// Methods that ask a model, on what is named so.
pub(crate) const MODEL_METHODS: &[&str] = &[
    "invoke",
    "ainvoke",
    "predict",
    "apredict",
    "complete",
    "acomplete",
    "chat",
    "achat",
    "generate",
    "agenerate",
    "stream_chat",
    "generate_text",
    "run_sync",
];
pub(crate) const MODEL_WORDS: &[&str] =
    &["llm", "model", "chat_model", "language_model", "agent", "chatbot", "assistant", "lm"];

/// Methods that make a parameter what a caller of a tool says: the class that is derived from, the method, and its
/// first parameters that are none.
pub(crate) const TOOL_METHODS: &[(&[&str], &[&str])] = &[
    (
        &["BaseTool", "StructuredTool", "Tool", "BaseToolkit", "BraveSearchToolBase", "BaseTracedTool"],
        &["_run", "_arun", "forward", "__call__", "call", "acall"],
    ),
    (&["Node", "ConnectionNode", "BaseNode"], &["execute", "run_async", "execute_async"]),
    (&["AsyncBaseTool", "BaseTool"], &["call", "acall"]),
    (&["Link", "Component"], &["run", "execute", "process"]),
];
/// Decorators of classes that are steps of somebody's pipeline, and the methods that it calls.
pub(crate) const TOOL_CLASSES: &[(&str, &[&str])] = &[("component", &["run", "run_async"])];
/// Classes that list the methods that are tools.
pub(crate) const TOOL_SPECS: &[&str] = &["BaseToolSpec"];

/// Last words of decorators that make a function a tool.
pub(crate) const TOOL_DECORATORS: &[&str] = &[
    "tool",
    "function_tool",
    "tool_plain",
    "kernel_function",
    "ai_function",
    "as_tool",
    "register_for_llm",
    "beta_tool",
    "activity",
    "agent_tool",
    "register_tool",
    "mcp_tool",
    "ai_callable",
];
/// Classes whose methods are tools if they are handed on where an object is made.
pub(crate) const TOOLKITS: &[&str] =
    &["Toolkit", "ToolKit", "BaseToolkit", "FunctionToolset", "ToolCollection"];
/// Last words of calls that make a tool of a function.
pub(crate) const TOOL_MAKERS: &[&str] = &[
    "FunctionTool",
    "StructuredTool",
    "Tool",
    "SimpleTool",
    "from_function",
    "from_defaults",
    "function_tool",
    "register_tool",
    "add_tool",
    "create_tool",
];
/// Names of arguments that are conditions, whoever is asked.
pub(crate) const CONDITIONS: &[&str] = &[
    "filter",
    "filter_string",
    "filter_str",
    "filter_expr",
    "filter_expression",
    "filter_query",
    "expr",
    "where",
    "where_clause",
    "where_filter",
    "search_filter",
    "ldap_filter",
    "query_filter",
];
/// Last words of decorators that make a function a door.
pub(crate) const ROUTES: &[&str] =
    &["get", "post", "put", "patch", "delete", "route", "websocket", "api_route", "options", "head"];

/// Types of parameters that hold no text of a caller's.
pub(crate) const HARMLESS_TYPES: &[&str] = &[
    "int",
    "float",
    "bool",
    "UUID",
    "UUID4",
    "datetime",
    "date",
    "timedelta",
    "Decimal",
    "Literal",
    "Enum",
    "IPvAnyAddress",
    "Request",
    "Response",
    "BackgroundTasks",
    "AsyncSession",
    "Session",
    "Callable",
    "RunContext",
    "Context",
    "RunnableConfig",
    "CallbackManagerForToolRun",
    "AsyncCallbackManagerForToolRun",
    "ToolContext",
    "Path",
    "WebSocket",
];
pub(crate) const HARMLESS_PARAMS: &[&str] = &[
    "self",
    "cls",
    "config",
    "ctx",
    "context",
    "run_manager",
    "callbacks",
    "runtime",
    "state",
    "db",
    "session",
    "current_user",
];

/// Calls whose result tells nothing that a caller wrote.
pub(crate) const HARMLESS: &[&str] = &[
    "int",
    "float",
    "bool",
    "len",
    "isinstance",
    "hash",
    "id",
    "type",
    "uuid.UUID",
    "uuid.uuid4",
    "hasattr",
    "callable",
    "ord",
    "round",
    "abs",
    "sum",
    "range",
    "datetime.datetime.fromisoformat",
    "datetime.date.fromisoformat",
    "ipaddress.ip_address",
    "hashlib.sha256",
    "hashlib.md5",
    "hashlib.sha1",
    "hashlib.sha512",
    "time.time",
    "decimal.Decimal",
    "issubclass",
];
/// Last words of calls that say yes or no.
pub(crate) const HARMLESS_METHODS: &[&str] = &[
    "startswith",
    "endswith",
    "isdigit",
    "isidentifier",
    "isalnum",
    "exists",
    "is_file",
    "is_dir",
    "hexdigest",
    "count",
    "index",
    "find",
    "add_argument",
    "model_json_schema",
    "is_relative_to",
];

/// Calls that call a function they are given: which argument that is, and where its own begin.
pub(crate) const HANDED_ON: &[(&str, usize, usize)] = &[
    ("asyncio.to_thread", 0, 1),
    ("anyio.to_thread.run_sync", 0, 1),
    ("starlette.concurrency.run_in_threadpool", 0, 1),
    ("fastapi.concurrency.run_in_threadpool", 0, 1),
    ("functools.partial", 0, 1),
    ("map", 0, 1),
    ("*.run_in_executor", 1, 2),
    ("*.submit", 0, 1),
    ("*.add_task", 0, 1),
];

/// Calls that make a value safe for some sinks.
pub(crate) const CLEANERS: &[(&str, &[Sink])] = &[
    ("shlex.quote", &[Sink::Shell]),
    ("psycopg2.sql.Identifier", &[Sink::Sql]),
    ("psycopg.sql.Identifier", &[Sink::Sql]),
    ("psycopg2.sql.Literal", &[Sink::Sql]),
    ("psycopg.sql.Literal", &[Sink::Sql]),
    ("*.quote_identifier", &[Sink::Sql]),
    ("*.quote_ident", &[Sink::Sql]),
    ("*.quote_name", &[Sink::Sql]),
    ("*.escape_string", &[Sink::Sql]),
    ("re.escape", &[Sink::Sql, Sink::JsonPath]),
    ("os.path.basename", &[Sink::Path]),
    ("*BytesIO", &[Sink::Path, Sink::Url]),
    ("*StringIO", &[Sink::Path, Sink::Url]),
    ("werkzeug.utils.secure_filename", &[Sink::Path]),
    ("html.escape", &[Sink::Template]),
    ("markupsafe.escape", &[Sink::Template]),
    ("urllib.parse.quote", &[Sink::Url, Sink::Path]),
    ("urllib.parse.quote_plus", &[Sink::Url, Sink::Path]),
    ("ast.literal_eval", &[Sink::Code]),
    ("json.dumps", &[Sink::Code]),
];

/// Words in the name of a function of the project that says that it checks or cleans, and what for.
pub(crate) const CLEANER_WORDS: &[(&[&str], &[Sink])] = &[
    (
        &["sanitize", "sanitise"],
        &[Sink::Sql, Sink::Cypher, Sink::Path, Sink::Shell, Sink::Log, Sink::Template, Sink::JsonPath],
    ),
    (
        &["validate", "check", "ensure", "verify", "assert"],
        &[Sink::Sql, Sink::Cypher, Sink::Path, Sink::Url, Sink::JsonPath, Sink::Import, Sink::Shell],
    ),
    (&["escape", "quote"], &[Sink::Sql, Sink::Cypher, Sink::Shell, Sink::Template]),
    (&["mask", "redact", "obfuscate"], &[Sink::Log]),
    (&["resolve_path", "safe_join", "safe_path", "secure_path"], &[Sink::Path]),
    (
        &["is_safe", "is_allowed", "is_valid", "_is_local", "allowlist", "whitelist"],
        &[Sink::Url, Sink::Path, Sink::Sql, Sink::Cypher, Sink::Shell, Sink::Import],
    ),
];

/// Whether a dotted name is the one of a row.
pub(crate) fn is(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.ends_with(end),
        None => pattern == name,
    }
}
