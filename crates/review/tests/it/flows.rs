//! Data followed through assignments, containers, calls and files.

use crate::setup::{found, way};

#[test]
fn data_is_followed_across_files_and_the_way_is_told() {
    let files = [
        (
            "app/tools.py",
            "from langchain_core.tools import tool\n\nfrom app.store import Store\n\n\n@tool\ndef lookup(name: str) -> list:\n    store = Store()\n    wanted = {\"name\": name.strip()}\n    return store.find(wanted)\n",
        ),
        (
            "app/store.py",
            "from app.sql import select\n\n\nclass Store:\n    def find(self, wanted):\n        query = select(wanted[\"name\"])\n        self.cursor.execute(query)\n",
        ),
        (
            "app/sql.py",
            "def select(name):\n    return \"SELECT * FROM users WHERE name = '\" + name + \"'\"\n",
        ),
    ];
    insta::assert_snapshot!(found(&files), @"high query-injection app/store.py:7");
    insta::assert_snapshot!(way(&files, "query-injection"));
}

#[test]
fn aliases_and_reexports_do_not_hide_what_is_called() {
    let files = [
        ("a/__init__.py", "from a.inner import run_it\n"),
        ("a/inner.py", "import subprocess as sp\n\n\ndef run_it(line):\n    sp.run(line, shell=True)\n"),
        (
            "b.py",
            "from flask import request as asked\nfrom a import run_it as go\n\n\ndef door():\n    go(asked.args.get(\"line\"))\n",
        ),
    ];
    insta::assert_snapshot!(found(&files), @"high shell-command a/inner.py:5");
}

#[test]
fn checks_and_conversions_end_a_flow() {
    let head = "from agents import function_tool\nimport re, sqlite3\n\nTABLES = {\"a\", \"b\"}\n\n\n@function_tool\ndef find(name: str, count: int):\n    cursor = sqlite3.connect(\"x\").cursor()\n";
    for (body, hit) in [
        ("    cursor.execute(f\"SELECT * FROM {name}\")\n", true),
        ("    cursor.execute(f\"SELECT * FROM t LIMIT {count}\")\n", false),
        ("    cursor.execute(f\"SELECT * FROM t LIMIT {int(name)}\")\n", false),
        (
            "    if name not in TABLES:\n        raise ValueError(name)\n    cursor.execute(f\"SELECT * FROM {name}\")\n",
            false,
        ),
        ("    if name in TABLES:\n        cursor.execute(f\"SELECT * FROM {name}\")\n", false),
        (
            "    if not re.fullmatch(r\"[a-z]+\", name):\n        return None\n    cursor.execute(f\"SELECT * FROM {name}\")\n",
            false,
        ),
        ("    if len(name) > 3:\n        return None\n    cursor.execute(f\"SELECT * FROM {name}\")\n", true),
        ("    cursor.execute(\"SELECT * FROM t WHERE n = ?\", (name,))\n", false),
        (
            "    query = \"SELECT * FROM t\"\n    for one in [name]:\n        query += one\n    cursor.execute(query)\n",
            true,
        ),
        ("    parts = []\n    parts.append(name)\n    cursor.execute(\" \".join(parts))\n", true),
        ("    name = \"fixed\"\n    cursor.execute(f\"SELECT * FROM {name}\")\n", false),
        ("    cursor.execute(\"SELECT * FROM %s\" % name)\n", true),
        ("    cursor.execute(\"SELECT * FROM {}\".format(name))\n", true),
    ] {
        let text = format!("{head}{body}");
        assert_eq!(found(&[("t.py", &text)]).contains("query-injection"), hit, "{body}");
    }
}

#[test]
fn who_fills_a_parameter_decides_how_sure_it_is() {
    let sink = "    eval(expression)\n";
    for (head, certainty) in [
        (
            "from langchain_core.tools import BaseTool\nclass T(BaseTool):\n  def _run(self, expression):\n",
            "high",
        ),
        ("from app.base import Mine\nclass T(Mine):\n  def _run(self, expression):\n", "high"),
        ("class T:\n  def _run(self, expression):\n", "medium"),
        (
            "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP(\"x\")\n@mcp.tool()\ndef f(expression: str):\n",
            "high",
        ),
        (
            "from fastapi import FastAPI\napp = FastAPI()\n@app.post(\"/x\")\ndef f(expression: str):\n",
            "high",
        ),
    ] {
        let base = ("app/base.py", "from crewai.tools import BaseTool\nclass Mine(BaseTool):\n    pass\n");
        let text = format!("{head}{sink}");
        let found = found(&[base, ("t.py", &text)]);
        assert!(found.contains(&format!("{certainty} dynamic-execution")), "{head}: {found}");
    }
}

#[test]
fn recursion_and_mutual_calls_end() {
    let text = "def a(x):\n    return b(x)\n\n\ndef b(x):\n    return a(x + '!')\n\n\ndef c(x):\n    exec(a(x))\n    return c(c(x))\n";
    assert!(found(&[("loop.py", text)]).contains("dynamic-execution"));
}

#[test]
fn an_allowance_needs_a_reason_and_a_day_and_ends() {
    let line = |comment: &str| {
        format!("import yaml\n\n\ndef f(x):\n    return yaml.load(x, yaml.Loader)  # {comment}\n")
    };
    for (comment, expected) in [
        ("ringmail: allow unsafe-yaml until 2027-01-01: written by ourselves", ""),
        ("ringmail: allow unsafe-yaml until 2026-01-01: written by ourselves", "suppressed-without-reason"),
        ("ringmail: allow unsafe-yaml until 2027-01-01:", "suppressed-without-reason"),
        ("ringmail: allow unsafe-yaml", "suppressed-without-reason"),
        ("ringmail: allow unsafe-yml until 2027-01-01: written by ourselves", "suppressed-without-reason"),
    ] {
        let found = found(&[("f.py", &line(comment))]);
        assert_eq!(found.contains("unsafe-yaml"), !expected.is_empty(), "{comment}: {found}");
        assert!(found.contains(expected), "{comment}: {found}");
    }
}

#[test]
fn elements_of_containers_are_told_apart() {
    let head = "from agents import function_tool\nimport sqlite3\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Ask:\n    text: str\n    table: str\n\n\ndef pick(ask):\n    return ask.table\n\n\ndef both(a, b):\n    return a, b\n\n\n@function_tool\ndef find(name: str):\n    cursor = sqlite3.connect(\"x\").cursor()\n";
    for (body, hit) in [
        (
            "    d = {\"name\": name, \"table\": \"users\"}\n    cursor.execute(f\"SELECT * FROM {d['table']}\")\n",
            false,
        ),
        (
            "    d = {\"name\": name, \"table\": \"users\"}\n    cursor.execute(f\"SELECT * FROM {d['name']}\")\n",
            true,
        ),
        (
            "    d = {\"table\": \"users\"}\n    d[\"table\"] = name\n    cursor.execute(f\"SELECT * FROM {d.get('table')}\")\n",
            true,
        ),
        (
            "    d = {\"table\": name}\n    d[\"table\"] = \"users\"\n    cursor.execute(f\"SELECT * FROM {d['table']}\")\n",
            false,
        ),
        (
            "    d = {\"table\": \"users\"}\n    d[where()] = name\n    cursor.execute(f\"SELECT * FROM {d['table']}\")\n",
            true,
        ),
        (
            "    d = dict(table=\"users\", name=name)\n    cursor.execute(f\"SELECT * FROM {d['table']}\")\n",
            false,
        ),
        (
            "    d = {\"a\": {\"table\": \"users\", \"name\": name}}\n    cursor.execute(f\"SELECT * FROM {d['a']['table']}\")\n",
            false,
        ),
        (
            "    d = {\"a\": {\"table\": \"users\", \"name\": name}}\n    cursor.execute(f\"SELECT * FROM {d['a']['name']}\")\n",
            true,
        ),
        ("    t = (\"users\", name)\n    cursor.execute(f\"SELECT * FROM {t[0]}\")\n", false),
        ("    t = (\"users\", name)\n    cursor.execute(f\"SELECT * FROM {t[-1]}\")\n", true),
        ("    table, value = \"users\", name\n    cursor.execute(f\"SELECT * FROM {table}\")\n", false),
        ("    table, value = both(\"users\", name)\n    cursor.execute(f\"SELECT * FROM {table}\")\n", false),
        ("    table, value = both(\"users\", name)\n    cursor.execute(f\"SELECT * FROM {value}\")\n", true),
        (
            "    ask = Ask(text=name, table=\"users\")\n    cursor.execute(f\"SELECT * FROM {pick(ask)}\")\n",
            false,
        ),
        ("    ask = Ask(\"hello\", name)\n    cursor.execute(f\"SELECT * FROM {pick(ask)}\")\n", true),
        (
            "    rows = [\"users\"]\n    rows.insert(0, name)\n    cursor.execute(f\"SELECT * FROM {rows[0]}\")\n",
            true,
        ),
        (
            "    d = {\"table\": \"users\"}\n    if name:\n        d[\"table\"] = name\n    cursor.execute(f\"SELECT * FROM {d['table']}\")\n",
            true,
        ),
    ] {
        let text = format!("{head}{body}");
        assert_eq!(found(&[("t.py", &text)]).contains("query-injection"), hit, "{body}");
    }
}

#[test]
fn functions_inside_of_functions_see_what_is_around_them() {
    let head = "import asyncio\nimport functools\nfrom agents import function_tool\n\n\ndef run(code):\n    return eval(code)\n\n\n@function_tool\nasync def calculate(text: str, pool):\n";
    for (body, hit) in [
        ("    def inner():\n        return eval(text)\n    return inner()\n", true),
        ("    def inner():\n        return text\n    return eval(inner())\n", true),
        ("    def inner(code):\n        return eval(code)\n    return inner(text)\n", true),
        ("    def inner(text):\n        return eval(text)\n    return inner(\"1\")\n", false),
        ("    go = run\n    return go(text)\n", true),
        ("    return await asyncio.to_thread(run, text)\n", true),
        ("    return functools.partial(run, text)()\n", true),
        ("    return pool.submit(run, text)\n", true),
        ("    return list(map(lambda text: text, []))\n", false),
        ("    return (lambda: eval(text))()\n", true),
    ] {
        let text = format!("{head}{body}");
        assert_eq!(found(&[("t.py", &text)]).contains("high dynamic-execution"), hit, "{body}");
    }
}

#[test]
fn what_an_object_is_made_with_is_followed_into_its_methods() {
    let text = "from agents import function_tool\n\n\nclass Job:\n    def __init__(self, code, name):\n        self.code = code\n        self.name = name\n\n    def go(self):\n        return eval(self.code)\n\n    def tell(self):\n        return eval(self.name)\n\n\n@function_tool\ndef calculate(text: str):\n    return Job(text, \"fixed\").go()\n";
    let found = found(&[("t.py", text)]);
    assert!(found.contains("high dynamic-execution t.py:10"), "{found}");
    assert!(!found.contains("high dynamic-execution t.py:13"), "{found}");
}

/// Stores have many methods that run what they are given, and no table has all of them.
#[test]
fn what_reads_like_a_statement_is_one_whatever_runs_it() {
    let store = |body: &str| format!("class Store:\n{body}");
    for (body, hit) in [
        (
            "    def find(self, name):\n        return self.api.go(f\"SELECT * FROM t WHERE n = '{name}'\")\n",
            true,
        ),
        (
            "    def find(self, name):\n        query = 'SELECT * FROM t'\n        if name:\n            query += f\" WHERE n = '{name}'\"\n        return self.api.go(query)\n",
            true,
        ),
        ("    def find(self, name):\n        return self.api.go('delete from t where n = ' + name)\n", true),
        (
            "    def find(self, name):\n        return self.api.go('SELECT * FROM t WHERE n = ?', [name])\n",
            false,
        ),
        (
            "    def find(self, count: int):\n        return self.api.go(f'SELECT * FROM t LIMIT {count}')\n",
            false,
        ),
        (
            "    def find(self, name):\n        self.log.debug(f\"SELECT * FROM t WHERE n = '{name}'\")\n",
            false,
        ),
        (
            "    def find(self, name):\n        return self.llm.invoke(f'Select the best from {name}')\n",
            false,
        ),
        // What only this project calls is looked at where it is called.
        (
            "    def find(self):\n        return self._find('a')\n\n    def _find(self, name):\n        return self.api.go(f\"SELECT * FROM t WHERE n = '{name}'\")\n",
            false,
        ),
        (
            "    def find(self, name):\n        return self._find(name)\n\n    def _find(self, name):\n        return self.api.go(f\"SELECT * FROM t WHERE n = '{name}'\")\n",
            true,
        ),
        (
            "    def find(self, filters):\n        return self.api.go(_where(filters))\n\n\ndef _where(filters):\n    return ' AND '.join([f\"{key} = '{value}'\" for key, value in filters.items()])\n",
            true,
        ),
        ("    def __repr__(self, name):\n        return f\"name = '{name}'\"\n", false),
    ] {
        let text = store(body);
        let all = found(&[("store.py", &text)]);
        assert_eq!(all.contains("query-injection"), hit, "{all}: {text}");
    }
}
