"""What a door costs that nobody asks anything, how long a project of 100 chains takes to its first answer, and what calls of
tools over MCP cost, at the server itself and through a gateway.

    cargo build --release --workspace --examples --bins && python3 bench/doors.py [BINARY] [CONNECTIONS]

Talks to loopback alone, and ends by itself.
"""

import atexit
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

BINARY = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/ringmail").resolve())
CONNECTIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
# Asks many times a second, which nothing in this file could.
ASKS = str(pathlib.Path(BINARY).parent / "examples/doors")
CHAINS, STARTS = 100, 9
ROUNDS, SECONDS = 5, 2
CHAIN = "chain: c{0}\ninput: {{type: object, properties: {{name: {{type: string}}}}, required: [name]}}\noutput: 'Hello, ${{input.name}}!'\n"
PROJECT = """[project]
name = "doors"
[[principal]]
name = "me"
[listener.web]
kind = "http"
bind = "127.0.0.1:0"
mcp = true
[server]
connections = 20000
address_connections = 20000
idle = "10m"
[[rate]]
per = "address"
calls = 1000000
within = "1s"
[[rate]]
per = "principal"
calls = 1000000
within = "1s"
[[rate]]
per = "tenant"
calls = 1000000
within = "1s"
[[rate]]
per = "chain"
calls = 1000000
within = "1s"
"""
GATEWAY = """
[upstream.back]
url = "http://127.0.0.1:{}/mcp"
bearer = "back"
serve = ["c0"]
prefix = ""
[secret.back]
from = "env:BACK"
bound_to = ["http://127.0.0.1:{}"]
[[grant]]
to = "upstream:back"
reason = "what is measured"
tool = [{{ upstream = "back", tools = ["c0"], consequential = false }}]
"""


def project(folder, more="", chains=CHAINS):
    (folder / "chains").mkdir(parents=True)
    (folder / "policies").mkdir()
    (folder / "ringmail.toml").write_text(PROJECT + more)
    (folder / "policies/all.cedar").write_text("permit (principal, action, resource);\n")
    for number in range(chains):
        (folder / f"chains/c{number}.yaml").write_text(CHAIN.format(number))
    made = subprocess.run([BINARY, "key", "create", "me", "-C", folder], capture_output=True, text=True, check=True)
    return made.stdout.strip().splitlines()[-1]


def serve(folder):
    command = [BINARY, "serve", "-C", folder, "--format", "json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    atexit.register(server.kill)
    return server, int(re.search(r"127\.0\.0\.1:(\d+)", server.stdout.readline()).group(1))


def end(server):
    server.terminate()
    server.wait()


def asked(port, text):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(text)
    answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 20"), answer
    return connection


def kept(server):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text()).group(1))


def idle(folder):
    live = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    server, port = serve(folder)
    held = [asked(port, live) for _ in range(100)]
    time.sleep(1)
    before = kept(server)
    held += [asked(port, live) for _ in range(CONNECTIONS)]
    time.sleep(1)
    each = (kept(server) - before) / CONNECTIONS
    began = time.perf_counter()
    asked(port, live)
    took = (time.perf_counter() - began) * 1000
    print(f"{CONNECTIONS} idle connections: {each:.1f} kB each; one more is answered in {took:.1f} ms")
    end(server)


def start(folder, key):
    times = []
    for number in range(STARTS):
        body = b'{"name":"Ada"}'
        head = f"POST /chains/c{number} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        server, port = serve(folder)
        asked(port, head.encode() + body)
        times.append((time.perf_counter() - began) * 1000)
        end(server)
    print(f"{CHAINS} chains, start to first answer: median {sorted(times)[STARTS // 2]:.0f} ms")


def tool_call(port, key, file):
    era = "2026-07-28"
    meta = {"io.modelcontextprotocol/protocolVersion": era, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": "c0", "arguments": {"name": "Ada"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = f"POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    head += f"accept: application/json, text/event-stream\r\nmcp-protocol-version: {era}\r\nmcp-method: tools/call\r\nmcp-name: c0\r\n"
    file.write_text(head + f"content-length: {len(body)}\r\n\r\n{body}")

    def ask(connections):
        command = [ASKS, "ask", f"127.0.0.1:{port}", str(SECONDS), str(connections), str(file)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [int(figure) for figure in said.split()]

    return ask


def tools(folder, key):
    back, port = serve(folder)
    place = pathlib.Path(folder) / "gateway"
    own = project(place, GATEWAY.format(port, port), 0)
    os.environ["BACK"] = key
    subprocess.run([BINARY, "tool", "pin", "back", "-C", place], check=True, stdout=subprocess.DEVNULL)
    gateway, door = serve(place)
    asks = {"at the server": tool_call(port, key, place / "direct"), "through a gateway": tool_call(door, own, place / "through")}
    hops = []
    seen = {name: [] for name in asks}
    for _ in range(ROUNDS):
        alone = {name: ask(1)[1] for name, ask in asks.items()}
        hops.append(alone["through a gateway"] - alone["at the server"])
        for name, ask in asks.items():
            seen[name].append(ask(16))
    for name, rounds in seen.items():
        rate, p50, p99 = (sorted(column)[ROUNDS // 2] for column in zip(*rounds))
        print(f"tools/call {name}, 16 connections: {rate}/s, p50 {p50} us, p99 {p99} us")
    print(f"a gateway adds {sorted(hops)[ROUNDS // 2]} us (p50, one connection, median of {ROUNDS} rounds)")
    end(gateway)
    end(back)


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
with tempfile.TemporaryDirectory() as place:
    key = project(pathlib.Path(place))
    start(place, key)
    idle(place)
    tools(place, key)
