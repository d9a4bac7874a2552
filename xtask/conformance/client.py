"""What the conformance suite drives as a client of MCP: a project with the suite's server as its upstream, whose tools are pinned and
called by the built binary. The URL is the last argument; what to call stands in the environment, or is made up from schemas."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
BINARY = ROOT / "target/debug/ringmail"
PROJECT = """[project]
name = "client"
[upstream.peer]
url = "{url}"
resolves_to = ["127.0.0.1", "::1"]
timeout = "5s"
[[grant]]
to = "call"
reason = "the suite wants to see it called"
tool = [{{ upstream = "peer", tools = ["*"], trusted = [] }}]
"""
CHAIN = """chain: call
links:
  it: {{kind: tool, tool: 'peer/{tool}', expect: any, with: '${{input}}'}}
output: ${{it}}
"""
MADE_UP = {"string": "text", "number": 2, "integer": 2, "boolean": True, "array": []}


def ringmail(folder, *args):
    ended = subprocess.run([BINARY, *args, "-C", folder], capture_output=True, text=True)
    print(args, ended.returncode, ended.stdout, ended.stderr)
    return ended.returncode == 0


def arguments(tool, tools):
    made_up = {}
    for name, schema in tool["inputSchema"].get("properties", {}).items():
        if name == "schema":
            # The suite looks at whether a schema comes back as it was.
            made_up[name] = tools[0]["inputSchema"]
        elif schema.get("type") in MADE_UP:
            made_up[name] = schema.get("default", MADE_UP[schema["type"]])
    return made_up


def run(folder, url):
    for below in ["chains", "policies"]:
        (folder / below).mkdir()
    (folder / "ringmail.toml").write_text(PROJECT.format(url=url))
    (folder / "policies/main.cedar").write_text("permit (principal, action, resource);\n")
    if not ringmail(folder, "tool", "pin", "peer"):
        return False
    tools = json.loads((folder / "tools/peer.json").read_text())["tools"]
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    asked = context.get("toolCalls") or [{"name": tool["name"], "arguments": arguments(tool, tools)} for tool in tools]
    for call in asked:
        # What is nothing is left out.
        given = {name: value for name, value in call["arguments"].items() if value is not None}
        (folder / "chains/call.yaml").write_text(CHAIN.format(tool=call["name"]))
        ringmail(folder, "run", "call", "--input", json.dumps(given))
    return True


with tempfile.TemporaryDirectory() as folder:
    sys.exit(0 if run(pathlib.Path(folder), sys.argv[-1]) else 1)
