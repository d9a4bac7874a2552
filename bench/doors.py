"""What a door costs that nobody asks anything, and how long a project of 100 chains takes to its first answer.

    cargo build --release && python3 bench/doors.py [BINARY] [CONNECTIONS]

Talks to loopback alone, and ends by itself.
"""

import atexit
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
CHAINS, STARTS = 100, 9
CHAIN = "chain: c{0}\ninput: {{type: object, properties: {{name: {{type: string}}}}, required: [name]}}\noutput: 'Hello, ${{input.name}}!'\n"
PROJECT = """[project]
name = "doors"
[[principal]]
name = "me"
[listener.web]
kind = "http"
bind = "127.0.0.1:0"
[server]
connections = 20000
address_connections = 20000
idle = "10m"
[[rate]]
per = "address"
calls = 1000000
within = "1s"
"""


def project(folder):
    (folder / "chains").mkdir()
    (folder / "policies").mkdir()
    (folder / "ringmail.toml").write_text(PROJECT)
    (folder / "policies/all.cedar").write_text("permit (principal, action, resource);\n")
    for number in range(CHAINS):
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


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
with tempfile.TemporaryDirectory() as place:
    key = project(pathlib.Path(place))
    start(place, key)
    idle(place)
