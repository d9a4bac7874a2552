#!/usr/bin/env python3
"""Serves the `server.json` of one example on 127.0.0.1:8600: ./serve.py EXAMPLE

Each "METHOD /path" has a list of answers, used one after another; the last one is repeated. An answer has `status`,
`headers` and `body`; a body that is no text is sent as JSON, in which "$body.NAME" stands for a member of the request.
"""

import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = pathlib.Path(__file__).parent / sys.argv[1]
answers = json.loads((folder / "server.json").read_text())


def filled(value, sent):
    if isinstance(value, dict):
        return {name: filled(member, sent) for name, member in value.items()}
    if isinstance(value, str) and value.startswith("$body."):
        return sent.get(value.removeprefix("$body."))
    return value


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        print(f"{self.command} {self.path} {text}\n", end="", flush=True)
        known = answers.get(f"{self.command} {self.path}", [{"status": 404}])
        answer = known.pop(0) if len(known) > 1 else known[0]
        body, headers = answer.get("body", ""), dict(answer.get("headers", {}))
        if not isinstance(body, str):
            body = json.dumps(filled(body, json.loads(text) if text else {}))
            headers.setdefault("content-type", "application/json")
        body = body.encode()
        self.send_response(answer.get("status", 200))
        for name, value in (headers | {"content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", 8600), Handler).serve_forever()
