"""A small server of MCP over its pipes: notes of a team, one file each, in the folder that it starts beside."""

import json
import pathlib
import sys

NOTES = pathlib.Path(sys.argv[1])
NAME = {"type": "string", "pattern": "^[a-z]{1,20}$"}
TOOLS = [
    {
        "name": "list_notes",
        "description": "Names of all notes",
        "inputSchema": {"type": "object", "properties": {}},
        "outputSchema": {
            "type": "object",
            "properties": {"names": {"type": "array", "items": {"type": "string"}}},
            "required": ["names"],
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "read_note",
        "description": "The text of one note",
        "inputSchema": {"type": "object", "properties": {"name": NAME}, "required": ["name"]},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "write_note",
        "description": "Writes a note, in place of one of that name",
        "inputSchema": {
            "type": "object",
            "properties": {"name": NAME, "text": {"type": "string"}},
            "required": ["name", "text"],
        },
    },
]


def call(name, arguments):
    if name == "list_notes":
        names = sorted(path.stem for path in NOTES.glob("*.txt"))
        return {"content": [{"type": "text", "text": ", ".join(names)}], "structuredContent": {"names": names}}
    path = NOTES / f"{arguments['name']}.txt"
    if name == "write_note":
        path.write_text(arguments["text"])
        return {"content": [{"type": "text", "text": "written"}]}
    if not path.is_file():
        return {"content": [{"type": "text", "text": "there is no such note"}], "isError": True}
    return {"content": [{"type": "text", "text": path.read_text()}]}


def answer(method, params):
    if method == "initialize":
        version = {"name": "team-notes", "version": "1.0.0"}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": version}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}))
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = answer(message["method"], message.get("params", {}))
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    if result is None:
        reply["error"] = {"code": -32601, "message": "there is no such method"}
    else:
        reply["result"] = result
    print(json.dumps(reply), flush=True)
