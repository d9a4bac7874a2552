//! Each rule finds its bad example, and nothing in its good one.

use crate::setup::{all, look};
use ringmail_review::{Area, Finding, RULES, ReviewRule, SeenElsewhere, Terms, owasp_entry};

/// An advisory about the package of the example.
fn asked(rule: &ReviewRule, text: &str) -> Terms {
    let mut ask = all();
    // What the command sees once it loads the project or asks its servers.
    if ["dead-policy", "pin-changed"].contains(&rule.id) && text == rule.bad {
        let told = SeenElsewhere {
            rule: rule.id,
            path: rule.file.into(),
            span: Default::default(),
            message: "seen".into(),
        };
        ask.told.push(told);
    }
    if rule.id == "known-vulnerability" {
        let text = r#"{"id": "OSV-2026-1", "summary": "reads too far", "affected": [{"package": {"ecosystem": "PyPI", "name": "acme-parser"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}]}]}"#;
        let value = ringmail_core::json::parse(text.as_bytes(), &Default::default()).unwrap();
        ask.advisories = ringmail_core::package::Advisory::read(&value).unwrap().into_iter().collect();
    }
    ask
}

fn of<'f>(found: &'f [Finding], rule: &ReviewRule) -> Vec<&'f Finding> {
    found.iter().filter(|one| one.rule.id == rule.id).collect()
}

#[test]
fn every_rule_finds_its_bad_example_and_not_its_good_one() {
    let mut wrong = Vec::new();
    for rule in RULES {
        let ask = asked(rule, rule.bad);
        let bad = look(&[(rule.file, rule.bad)], &ask);
        if !bad.unread.is_empty() || of(&bad.findings, rule).is_empty() {
            wrong.push(format!("{}: not found in its bad example {:?}", rule.id, bad.unread));
        }
        let good =
            look(&[(rule.file, rule.good)], &asked(rule, if rule.good == rule.bad { "" } else { rule.good }));
        for one in of(&good.findings, rule) {
            wrong.push(format!("{}: found in its good example, line {}: {}", rule.id, one.line, one.message));
        }
        if !good.unread.is_empty() {
            wrong.push(format!("{}: its good example is not read: {:?}", rule.id, good.unread));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_would_be_fixed_is_found_no_more() {
    let mut fixed = Vec::new();
    for rule in RULES {
        let bad = look(&[(rule.file, rule.bad)], &asked(rule, rule.bad));
        let mut edits: Vec<_> = of(&bad.findings, rule).iter().flat_map(|one| one.edits.clone()).collect();
        if edits.is_empty() {
            continue;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
        let mut text = rule.bad.to_string();
        for edit in edits {
            text.replace_range(edit.span.start..edit.span.end, &edit.text);
        }
        let again = look(&[(rule.file, &text)], &asked(rule, &text));
        assert!(again.unread.is_empty() && of(&again.findings, rule).is_empty(), "{}: {text}", rule.id);
        fixed.push(format!("{}\n{}", rule.id, text.trim_end()));
    }
    insta::assert_snapshot!(fixed.join("\n\n"));
}

#[test]
fn ids_are_one_each_and_areas_all_have_rules() {
    for area in Area::ALL {
        assert!(RULES.iter().any(|rule| rule.area == area), "{}", area.id());
    }
    for (at, rule) in RULES.iter().enumerate() {
        assert!(RULES[at + 1..].iter().all(|other| other.id != rule.id), "{}", rule.id);
        assert!(ReviewRule::find(rule.id).is_some_and(|found| found.id == rule.id));
        for entry in rule.owasp {
            assert!(owasp_entry(entry).is_some(), "{}: {entry}", rule.id);
        }
        assert!(
            !rule.owasp.is_empty() && rule.bad.ends_with('\n') && rule.good.ends_with('\n'),
            "{}",
            rule.id
        );
    }
}

#[test]
fn the_refusals_that_rules_name_exist() {
    use ringmail_core::refusal::Rule;
    for rule in RULES {
        if let Some(refusal) = rule.refusal {
            assert!(Rule::ALL.iter().any(|known| known.id() == refusal), "{}: {refusal}", rule.id);
        }
    }
}

/// Code of others, in short, that was found once though nothing is wrong with it, and what is beside it.
#[test]
fn what_is_looked_at_another_way_is_not_found() {
    let load = "import importlib\n\n\ndef load(path, root):\n    module, name = path.rsplit('.', 1)\n    found = importlib.import_module(module)\n";
    for (rule, text, hit) in [
        ("registry-unchecked", format!("{load}    if not is_ours(found, root):\n        raise ValueError(path)\n    return getattr(found, name)\n"), false),
        ("registry-unchecked", format!("{load}    if not hasattr(found, name):\n        raise ValueError(path)\n    return getattr(found, name)\n"), true),
        ("registry-unchecked", "import importlib\n\n\ndef load(name):\n    return getattr(importlib.import_module(f'app.nodes.{name}'), name)\n".into(), false),
        ("archive-extracted", "import tarfile\n\n\ndef unpack(tar, to):\n    for one in tar.getmembers():\n        if not (to / one.name).resolve().is_relative_to(to):\n            raise ValueError(one.name)\n    tar.extractall(to)\n".into(), false),
        ("temp-file-left", "import os, tempfile\n\n\ndef write(path, data):\n    file, name = tempfile.mkstemp(dir=path.parent)\n    os.write(file, data)\n    os.replace(name, path)\n".into(), false),
        ("temp-file-left", "import os, tempfile\n\n\ndef write(data):\n    file, name = tempfile.mkstemp()\n    try:\n        return run(name)\n    finally:\n        os.unlink(name)\n".into(), false),
        ("temp-file-left", "import os, tempfile\n\n\ndef write(data):\n    file, name = tempfile.mkstemp()\n    os.unlink('other')\n    return name\n".into(), true),
        ("ssrf", "import requests\nfrom agents import function_tool\n\n\nclass Hub:\n    URL = 'https://hub.example.com/{name}'\n\n    def read(self, name):\n        return requests.get(self.URL.format(name=name), timeout=3)\n\n\n@function_tool\ndef show(name: str):\n    return Hub().read(name)\n".into(), false),
        ("ssrf", "import requests\nfrom agents import function_tool\n\n\n@function_tool\ndef show(host: str):\n    return requests.get('https://{}/a'.format(host), timeout=3)\n".into(), true),
        ("secret-logged", "import logging\n\nlog = logging.getLogger()\n\n\ndef read(path, password):\n    doc = Document(path, password=password)\n    log.warning(\"%s\", doc.title)\n\n\ndef open_it(self):\n    read(\"a\", self.password)\n".into(), false),
        ("secret-logged", "import logging\n\nlog = logging.getLogger()\n\n\ndef read(path, password):\n    log.warning(\"%s\", password.strip())\n\n\ndef open_it(self):\n    read(\"a\", self.password)\n".into(), true),
        ("endless-memory", "class Kept(MemoryBackend):\n    def add(self, message):\n        self.rows.append(message)\n        self.rows = self.rows[-20:]\n".into(), false),
        ("endless-memory", "class Kept(MemoryBackend):\n    def add(self, message):\n        raise NotImplementedError\n".into(), false),
        ("weak-default", "def connect(password: str = 'nebula'):\n    pass\n".into(), true),
        ("weak-default", "def connect(password: str = '${PASSWORD}'):\n    pass\n".into(), false),
        ("weak-default", "DEFAULT = {'username': 'admin', 'password': 'admin'}\n".into(), true),
        ("secret-in-dump", "class Llm:\n    def _identifying_params(self):\n        return {'model': self.model, 'token': self.service_token}\n".into(), true),
        ("secret-in-dump", "class Llm:\n    def _identifying_params(self):\n        return {'model': self.model, 'end': self.eos_token}\n".into(), false),
        ("secret-in-dump", "class Llm:\n    def to_dict(self):\n        return {'key': self.api_key.get_secret_value()}\n".into(), true),
        ("secret-in-dump", "class Llm:\n    def headers(self):\n        return {'key': self.api_key.get_secret_value()}\n".into(), false),
        ("secret-logged", "import logging\n\nlogger = logging.getLogger()\n\n\ndef ask(dsn):\n    logger.info(f'connecting to {dsn}')\n".into(), true),
        ("secret-compared", "class Gate:\n    def lets(self, token):\n        return token == self.api_key\n".into(), true),
        ("secret-compared", "class Gate:\n    def lets(self, token):\n        return self.api_key == 'none'\n".into(), false),
        ("secret-compared", "class Auth:\n    def __eq__(self, other):\n        return self.password == getattr(other, 'password', None)\n".into(), false),
        ("path-from-input", "from pathlib import Path\n\n\ndef read(filename: str):\n    return (Path('/srv') / filename).read_text()\n".into(), false),
        ("token-in-query", "def url(token):\n    return f'https://a.example.com/x?token={token}'\n".into(), true),
        ("tls-off", "import redis\n\nclient = redis.Redis(host='a', ssl=True, ssl_cert_reqs='none')\n".into(), true),
        ("tls-off", "class Settings:\n    secure: bool = False\n".into(), true),
        ("tls-off", "class Settings:\n    secure: bool = True\n".into(), false),
        ("plain-http", "def url(host):\n    return f'http://{host}:80'\n".into(), true),
        ("sandbox-guard", "TOOLS = {\n    'setattr': setattr,\n}\n".into(), false),
        ("exposed-listener", "demo.launch(share=True)\n".into(), true),
        ("exposed-listener", "demo.launch(share=False)\n".into(), false),
        ("tool-text-passed-on", "def mcp_tools(tool):\n    return Tool(description=tool.description)\n".into(), false),
        ("tenant-isolation", "class R:\n    def run(self, filters=None):\n        return self.store.find(filters or self.filters)\n".into(), true),
        ("tenant-isolation", "class R:\n    def run(self, filters=None):\n        return self.store.find({**self.filters, **filters})\n".into(), true),
        ("tenant-isolation", "class R:\n    def run(self, filters=None):\n        return self.store.find({**filters, **self.filters})\n".into(), false),
        ("tenant-isolation", "class R:\n    def __init__(self, filter_policy=FilterPolicy.REPLACE):\n        pass\n".into(), true),
        ("stored-in-plain", "class Kept(MemoryBackend):\n    def add(self, message):\n        self.cursor.execute('INSERT INTO m VALUES (?)', (message,))\n".into(), true),
        ("stored-in-plain", "class Kept(MemoryBackend):\n    def add(self, message):\n        self.cursor.execute('INSERT INTO m VALUES (?)', (self.cipher.encrypt(message),))\n".into(), false),
        ("stored-in-plain", "class Kept(MemoryBackend):\n    def add(self, message):\n        self.rows.append(message)\n".into(), false),
        ("no-timeout", "from urllib.request import urlopen\n\nurlopen('https://a.example.com')\n".into(), true),
        ("no-timeout", "from urllib.request import urlopen\n\nurlopen('https://a.example.com', None, 3)\n".into(), false),
        ("no-timeout", "import requests\n\n\ndef ask(url):\n    session = requests.Session()\n    return session.post(url, json={})\n".into(), true),
        ("no-timeout", "class A:\n    def ask(self, url):\n        return self.client.post(url, json={})\n".into(), true),
        ("no-timeout", "import httpx\n\n\nclass A:\n    def ask(self, url):\n        return self.client.post(url, json={})\n".into(), false),
        ("no-timeout", "import requests\n\n\nclass A:\n    def given(self):\n        return {'url': self.url}\n\n    def ask(self):\n        return requests.post(**self.given())\n".into(), true),
        ("no-timeout", "import requests\n\n\nclass A:\n    def given(self):\n        return {'url': self.url, 'timeout': 3}\n\n    def ask(self):\n        return requests.post(**self.given())\n".into(), false),
        ("temp-file-left", "with open('/tmp/debug.log', 'a') as file:\n    file.write('x')\n".into(), true),
        ("temp-file-left", "with open(f'/tmp/{name}', 'a') as file:\n    file.write('x')\n".into(), false),
        ("template-injection", "from langchain_core.prompts import PromptTemplate\n\n\ndef ask(question, template):\n    return PromptTemplate.from_template(question)\n".into(), true),
        ("template-injection", "from haystack import component\n\n\n@component\nclass Build:\n    def run(self, template: str):\n        return self._env.from_string(template)\n".into(), true),
        ("ssrf", "import requests\n\n\ndef load(url: str):\n    return requests.get(url, timeout=3)\n".into(), true),
        ("ssrf", "import requests\n\n\ndef load(url: str):\n    return requests.get(url, timeout=3)\n\n\ndef models():\n    return load('https://a.example.com/models')\n".into(), false),
        ("ssrf", "import requests\n\n\ndef load(base_url: str):\n    return requests.get(base_url, timeout=3)\n".into(), false),
        ("path-from-input", "from pathlib import Path\nimport shutil\n\n\ndef drop(name: str):\n    shutil.rmtree(Path('/srv/skills') / name)\n".into(), true),
        ("path-from-input", "import shutil\n\n\ndef drop(folder: str):\n    shutil.rmtree(folder)\n".into(), false),
        ("type-from-text", "import importlib\n\n\ndef load(node_type: str):\n    return importlib.import_module(node_type)\n".into(), true),
        ("type-from-text", "import json\n\n\ndef run(self, query: str):\n    asked = json.loads(query)\n    return getattr(self.jira, asked['function'])(1)\n".into(), true),
        ("jsonpath-from-input", "from jsonpath_ng import parse\n\n\ndef read(llm_output: str, value):\n    return parse(llm_output).find(value)\n".into(), true),
        ("jsonpath-from-input", "from jsonpath_ng import parse\n\n\ndef read(value):\n    return parse('$.a').find(value)\n".into(), false),
        ("model-output-executed", "class Ask(BaseTool):\n    def _run(self, query: str):\n        return self.db.run_no_throw(query)\n".into(), false),
        ("query-injection", "class Ask(BaseTool):\n    def _run(self, query: str):\n        return self.db.run_no_throw(query)\n".into(), true),
        ("shell-command", "class Ask(BaseTool):\n    def _run(self, commands: str):\n        return self.process.run(commands)\n".into(), true),
        ("upload-unchecked", "from fastapi import FastAPI, UploadFile\n\napp = FastAPI()\n\n\ndef small(data):\n    if len(data) > 1000 or not data.startswith(b'x') or guess_type(data) != 'a':\n        raise ValueError\n\n\n@app.post('/f')\ndef take(file: UploadFile):\n    small(file)\n".into(), false),
    ] {
        let found = look(&[("app.py", &text)], &all());
        assert!(found.unread.is_empty(), "{text}");
        assert_eq!(found.findings.iter().any(|one| one.rule.id == rule), hit, "{rule}: {text}");
    }
}

/// What readers found in packages that no rule was written for, in short, and what is beside it.
const BLIND: &[(&str, &str, bool)] = &[
    (
        "tenant-isolation",
        "class VectorStore:\n    def search(self, query, namespace=None):\n        return self.client.search(query)\n",
        true,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def search(self, query, namespace=None):\n        return self.client.search(query, namespace=namespace)\n",
        false,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def search(self, query, namespace=None):\n        raise NotImplementedError\n",
        false,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def search(self, query, filters=None):\n        if isinstance(filters, list):\n            log_warning('no lists')\n            filters = None\n        return self.client.search(query, filters)\n",
        true,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def search(self, query, filters=None):\n        if filters is not None:\n            log_warning('no filters')\n        return self.client.search(query)\n",
        true,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def query(self, text, namespace=None, **kwargs):\n        params = {'limit': 3, 'filter': namespace} | kwargs\n        return self.client.search(text, **params)\n",
        true,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def query(self, text, namespace=None, **kwargs):\n        params = kwargs | {'limit': 3, 'filter': namespace}\n        return self.client.search(text, **params)\n",
        false,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def query(self, text, namespace=None, **kwargs):\n        where = dict(namespace=namespace)\n        where.update(kwargs['filter'])\n        return self.client.search(text, where)\n",
        true,
    ),
    (
        "tenant-isolation",
        "class VectorStore:\n    def upsert(self, text, namespace=None, **kwargs):\n        row = dict(namespace=namespace)\n        row.update(kwargs)\n        return self.client.put(row)\n",
        false,
    ),
    (
        "secret-shown",
        "from attrs import define, field\n\n\n@define\nclass Driver:\n    connection_string: str = field(metadata={'serializable': True})\n",
        true,
    ),
    (
        "secret-shown",
        "from attrs import define, field\n\n\n@define\nclass Driver:\n    headers: dict = field(default=lambda key: {'Authorization': f'Bearer {key}'})\n",
        true,
    ),
    (
        "secret-shown",
        "from pydantic import BaseModel, SecretStr\n\n\nclass Driver(BaseModel):\n    api_key: SecretStr\n",
        false,
    ),
    (
        "secret-shown",
        "from pydantic import BaseModel, Field\n\n\nclass Driver(BaseModel):\n    api_key: str = Field(exclude=True)\n",
        false,
    ),
    (
        "secret-shown",
        "from pydantic import BaseModel\n\n\nclass Driver(BaseModel):\n    api_key: str | None = None\n",
        true,
    ),
    ("secret-in-dump", "class Db:\n    def to_dict(self):\n        return {'db_url': self.db_url}\n", true),
    ("tls-off", "import imaplib\n\nclient = imaplib.IMAP4_SSL('a.example.com')\n", true),
    (
        "tls-off",
        "import imaplib\nimport ssl\n\nclient = imaplib.IMAP4_SSL('a.example.com', ssl_context=ssl.create_default_context())\n",
        false,
    ),
    ("tls-off", "import smtplib\n\nclient = smtplib.SMTP('a.example.com')\nclient.login('a', b)\n", true),
    (
        "tls-off",
        "import smtplib\n\nclient = smtplib.SMTP('a.example.com')\nclient.starttls(context=c)\nclient.login('a', b)\n",
        false,
    ),
    (
        "tls-off",
        "import smtplib\n\nclient = smtplib.SMTP('a.example.com')\nclient.starttls()\nclient.login('a', b)\n",
        true,
    ),
    ("tls-off", "import redis\n\nclient = redis.Redis(host='a', password=given)\n", true),
    ("tls-off", "import redis\n\nclient = redis.Redis(host='a', password=given, ssl=True)\n", false),
    (
        "token-in-query",
        "import requests\n\n\nclass A:\n    def ask(self):\n        params = {'key': self.api_key, 'q': 1}\n        return requests.get('https://a.example.com', params=params, timeout=3)\n",
        true,
    ),
    (
        "token-in-query",
        "import requests\n\n\nclass A:\n    def ask(self):\n        headers = {'key': self.api_key, 'q': 1}\n        return requests.get('https://a.example.com', headers=headers, timeout=3)\n",
        false,
    ),
    (
        "token-in-query",
        "import requests\n\n\nclass A:\n    def ask(self, params):\n        params['appid'] = self.api_key\n        return requests.get('https://a.example.com', params=params, timeout=3)\n",
        true,
    ),
    (
        "installed-at-run-time",
        "import subprocess\nimport sys\n\n\ndef install():\n    command = [sys.executable, '-m', 'pip', 'install', '-U', 'acme']\n    subprocess.run(command)\n",
        true,
    ),
    (
        "sandbox-off",
        "def run(docker, code):\n    return docker.containers.run('python', ['python', '-c', code])\n",
        true,
    ),
    (
        "sandbox-off",
        "def run(docker, code):\n    return docker.containers.run('python', ['python', '-c', code], network_mode='none')\n",
        false,
    ),
    (
        "template-injection",
        "from jinja2 import Environment\n\nenv = Environment()\n\n\ndef render(self):\n    return env.from_string(self.text).render()\n",
        true,
    ),
    (
        "template-injection",
        "from jinja2.sandbox import SandboxedEnvironment\n\nenv = SandboxedEnvironment()\n\n\ndef render(self):\n    return env.from_string(self.text).render()\n",
        false,
    ),
    (
        "template-injection",
        "from jinja2 import Template\n\n\ndef render(self):\n    return Template(self.description).render()\n",
        true,
    ),
    (
        "open-without-key",
        "import os\n\n\ndef verify_signature(body, signature):\n    if os.getenv('SKIP_SIGNATURE') == 'true':\n        return True\n    return compare(body, signature)\n",
        true,
    ),
    (
        "open-without-key",
        "def verify_token(token, key):\n    if not token:\n        return False\n    return compare(token, key)\n",
        false,
    ),
    (
        "shared-identity",
        "from attrs import field\nimport uuid\n\n\nclass A:\n    conversation_id: str = field(default=uuid.uuid4().hex)\n",
        true,
    ),
    (
        "shared-identity",
        "from attrs import field\nimport uuid\n\n\nclass A:\n    conversation_id: str = field(factory=lambda: uuid.uuid4().hex)\n",
        false,
    ),
    (
        "endless-memory",
        "class RedisHistory:\n    def __init__(self, ttl=None):\n        self.ttl = ttl\n",
        true,
    ),
    ("endless-memory", "class Memory:\n    max_runs: int | None = None\n", true),
    (
        "endless-memory",
        "class RedisDriver(BaseConversationMemoryDriver):\n    def store(self, runs):\n        self.client.hset('a', runs)\n",
        true,
    ),
    (
        "stored-in-plain",
        "class FileDriver(BaseConversationMemoryDriver):\n    def store(self, runs):\n        self.path.write_text(runs)\n",
        true,
    ),
    (
        "query-injection",
        "class Store:\n    def drop(self, name: str):\n        return self.client.delete(filter=f'name == \"{name}\"')\n",
        true,
    ),
    (
        "query-injection",
        "class Store:\n    def drop(self, filter: str):\n        return self.client.delete(filter=filter)\n",
        false,
    ),
    (
        "query-injection",
        "import imaplib\n\n\n@tool\ndef find(key: str):\n    with imaplib.IMAP4_SSL('a', ssl_context=c) as client:\n        return client.search(None, 'FROM', f'\"{key}\"')\n",
        true,
    ),
    (
        "shell-command",
        "import subprocess\n\n\n@tool\ndef run(args: list):\n    return subprocess.run(args, timeout=3)\n",
        true,
    ),
    (
        "shell-command",
        "import subprocess\n\n\n@tool\ndef run(name: str):\n    return subprocess.run(['git', 'log', name], timeout=3)\n",
        false,
    ),
    (
        "type-from-text",
        "async def learn(self, session):\n    answer = await session.list_tools()\n    for tool in answer.tools:\n        setattr(self, tool.name, run)\n",
        true,
    ),
    (
        "path-from-input",
        "class Files(Toolkit):\n    def __init__(self):\n        super().__init__(tools=[self.save])\n\n    def save(self, place: str, text: str):\n        open(place, 'w').write(text)\n",
        true,
    ),
    (
        "path-from-input",
        "class Files(Toolkit):\n    def __init__(self):\n        super().__init__(tools=[])\n\n    def save(self, place: str, text: str):\n        open(place, 'w').write(text)\n",
        false,
    ),
    (
        "path-from-input",
        "from agents import FunctionTool\n\n\ndef save(place: str, text: str):\n    open(place, 'w').write(text)\n\n\ntool = FunctionTool(fn=save)\n",
        true,
    ),
    (
        "path-from-input",
        "import io\nimport pandas\n\n\n@tool\ndef read(text: str):\n    return pandas.read_csv(io.StringIO(text))\n",
        false,
    ),
    (
        "path-from-input",
        "import pandas\n\n\n@tool\ndef read(text: str):\n    return pandas.read_csv(text)\n",
        true,
    ),
    (
        "ssrf",
        "def optional(name):\n    return importlib.import_module(name)\n\n\n@tool\ndef page(url: str):\n    return optional_import('trafilatura').fetch_url(url)\n",
        true,
    ),
];

#[test]
fn what_was_read_blind_is_found() {
    for (rule, text, hit) in BLIND {
        let found = look(&[("app.py", text)], &all());
        assert!(found.unread.is_empty(), "{text}");
        assert_eq!(found.findings.iter().any(|one| one.rule.id == *rule), *hit, "{rule}: {text}");
    }
}

#[test]
fn a_guard_is_seen_wherever_it_stands() {
    let run = "def ask(question: str):\n    return agent.run(question)\n";
    let router =
        format!("from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.post('/ask')\n{run}");
    let main = |more: &str| {
        format!(
            "from fastapi import Depends, FastAPI\n\nfrom app.routes import router\nfrom app.who import get_db, who_calls\n\napp = FastAPI()\napp.include_router(router{more})\n"
        )
    };
    let who = "from fastapi import Header, HTTPException\n\n\ndef get_db():\n    return open_db()\n\n\ndef who_calls(x_api_key: str = Header()):\n    if x_api_key != KEY:\n        raise HTTPException(401)\n";
    for (name, files, hit) in [
        ("nothing", vec![("app/routes.py", router.clone()), ("app/main.py", main(""))], true),
        (
            "where it is included",
            vec![
                ("app/routes.py", router.clone()),
                ("app/main.py", main(", dependencies=[Depends(who_calls)]")),
            ],
            false,
        ),
        (
            "something else that is needed",
            vec![
                ("app/routes.py", router.clone()),
                ("app/main.py", main(", dependencies=[Depends(get_db)]")),
            ],
            true,
        ),
        (
            "a decorator",
            vec![("app/routes.py", router.replace("def ask", "@login_required\ndef ask"))],
            false,
        ),
        (
            "a hook",
            vec![(
                "app/routes.py",
                format!(
                    "from flask import Flask, abort, request\n\napp = Flask('a')\n\n\n@app.before_request\ndef look():\n    if request.headers.get('Authorization') is None:\n        abort(401)\n\n\n@app.route('/ask')\n{run}"
                ),
            )],
            false,
        ),
        (
            "named elsewhere",
            vec![(
                "app/routes.py",
                format!(
                    "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n{run}\n\napp.add_api_route('/ask', ask, methods=['POST'])\n"
                ),
            )],
            true,
        ),
        (
            "what it calls runs",
            vec![(
                "app/routes.py",
                router.replace("agent.run(question)", "start(question)")
                    + "\n\ndef start(question):\n    return workflow.run(question)\n",
            )],
            true,
        ),
        (
            "nothing runs",
            vec![("app/routes.py", router.replace("agent.run(question)", "question.upper()"))],
            false,
        ),
    ] {
        let mut all_files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        all_files.push(("app/who.py", who));
        let found = look(&all_files, &all());
        assert_eq!(found.findings.iter().any(|one| one.rule.id == "endpoint-without-auth"), hit, "{name}");
    }
}

/// A review began above the folder of a package, and nothing was followed from file to file.
#[test]
fn data_is_followed_from_file_to_file_wherever_the_review_begins() {
    let driver = "import sqlalchemy\n\n\nclass BaseDriver:\n    def ask(self, text):\n        \"\"\"Asks.\"\"\"\n\n\nclass SqlDriver(BaseDriver):\n    def ask(self, text):\n        return self.con.execute(sqlalchemy.text(text))\n";
    let loader = "from app.driver import BaseDriver\n\n\nclass BaseLoader:\n    def load_all(self, source):\n        return self.fetch(source)\n\n    def fetch(self, source):\n        raise NotImplementedError\n\n\nclass SqlLoader(BaseLoader):\n    driver: BaseDriver\n\n    def fetch(self, source):\n        return self.driver.ask(source)\n\n\nclass TextLoader(BaseLoader):\n    def fetch(self, source):\n        return source\n";
    let tool = |loader: &str| {
        format!(
            "from app.loader import {loader}\n\n\nclass Ask(BaseTool):\n    loader: {loader}\n\n    def _run(self, what: str):\n        return self.loader.load_all(what)\n"
        )
    };
    for (folder, class, hit) in [
        ("", "SqlLoader", true),
        ("app-1.2.3/", "SqlLoader", true),
        ("a/b/src/", "SqlLoader", true),
        ("app-1.2.3/", "BaseLoader", true),
        ("app-1.2.3/", "TextLoader", false),
    ] {
        let path = |name: &str| format!("{folder}app/{name}.py");
        let tool = tool(class);
        let files = [
            (path("__init__"), ""),
            (path("driver"), driver),
            (path("loader"), loader),
            (path("tool"), &tool),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let found = look(&files, &all());
        let found =
            found.findings.iter().any(|one| one.rule.id == "query-injection" && !one.steps.is_empty());
        assert_eq!(found, hit, "{folder} {class}");
    }
}
