"""Calls chains of a Ringmail server.

    client = Client("https://127.0.0.1:8080", key="rmk_...")
    answer = client.NAME({...})            # the output, or a Problem is raised
    for piece in client.NAME.stream({...}):  # pieces as they come; `.output` afterwards
        ...
    run = client.NAME.later({...})         # at once; `run.wait()`, `run.state()`, `run.cancel()`

Bytes anywhere in an input are sent as base64. Nothing is tried again, and no redirect is followed.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import ssl
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Dict, Generic, Iterator, List, Optional, TypeVar, Union, cast

Input = TypeVar("Input")
Output = TypeVar("Output")

#: Longer answers, and longer lines of a stream, are given up.
ANSWER_BYTES_MAX = 64 << 20


class RingmailError(Exception):
    """Why a call brought no output."""


class Problem(RingmailError):
    """What the server says went wrong."""

    def __init__(self, told: Dict[str, Any], retry_after: Optional[int] = None):
        def text(name: str) -> Optional[str]:
            value = told.get(name)
            return value if isinstance(value, str) else None

        self.status: int = told.get("status") if isinstance(told.get("status"), int) else 0  # type: ignore[assignment]
        self.code = text("code") or "unknown"
        self.title = text("title") or "the server says no more"
        self.detail = text("detail")
        self.id = text("id")
        self.retry_after = retry_after
        super().__init__(f"{self.title} ({self.code}{', id ' + self.id if self.id else ''})"
                         f"{': ' + self.detail if self.detail else ''}")


class InvalidInput(Problem):
    """The input does not fit."""


class Unauthenticated(Problem):
    """Who is calling is not proved."""


class NotAllowed(Problem):
    """This may not be done."""


class NotFound(Problem):
    """There is nothing here, or nothing for this caller."""


class TooManyCalls(Problem):
    """There were too many calls; `retry_after` says how many seconds to wait."""


class Failed(Problem):
    """It could not be done."""


class Unreachable(RingmailError):
    """No whole answer came: no connection, not in time, or not as HTTP has it."""


_KINDS = {400: InvalidInput, 413: InvalidInput, 415: InvalidInput, 401: Unauthenticated, 403: NotAllowed,
          404: NotFound, 429: TooManyCalls}


def _problem(told: Any, status: int, retry_after: Optional[str] = None) -> Problem:
    known: Dict[str, Any] = told if isinstance(told, dict) else {}
    known = {**known, "status": status or known.get("status")}
    kind = _KINDS.get(known["status"], Failed)
    return kind(known, int(retry_after) if retry_after and retry_after.isdigit() else None)


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


class _Answer:
    """An answer that is read within its time."""

    def __init__(self, connection: http.client.HTTPConnection, until: Optional[float]):
        self.connection, self.until = connection, until
        self.socket = connection.sock
        self._wait()
        self.response = connection.getresponse()
        self.status = self.response.status

    def _wait(self) -> None:
        if self.until is not None:
            rest = self.until - time.monotonic()
            if rest <= 0:
                raise TimeoutError("the time is up")
            self.socket.settimeout(rest)

    def whole(self) -> bytes:
        parts: List[bytes] = []
        size = 0
        while True:
            self._wait()
            part = self.response.read1(1 << 16)
            if not part:
                return b"".join(parts)
            size += len(part)
            if size > ANSWER_BYTES_MAX:
                raise Unreachable(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
            parts.append(part)

    def lines(self) -> Iterator[str]:
        rest = b""
        while True:
            self._wait()
            part = self.response.read1(1 << 16)
            if not part:
                return
            *whole, rest = (rest + part).split(b"\n")
            if len(rest) > ANSWER_BYTES_MAX:
                raise Unreachable(f"an event is larger than {ANSWER_BYTES_MAX} bytes")
            for line in whole:
                yield line.rstrip(b"\r").decode("utf-8")

    def told(self) -> Any:
        text = self.whole()
        return json.loads(text) if text else None

    def problem(self) -> Problem:
        try:
            told = self.told()
        except ValueError:
            told = None
        return _problem(told, self.status, self.response.getheader("retry-after"))

    def close(self) -> None:
        self.response.close()
        self.connection.close()


class _Client:
    """`timeout` is in seconds, for a whole call, and `None` waits for ever. `context` has certificates."""

    def __init__(self, url: str, key: Optional[str] = None, *, timeout: Optional[float] = 60.0,
                 authority: Optional[str] = None, context: Optional[ssl.SSLContext] = None,
                 dangerous_plaintext: bool = False):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError("the URL is `https://HOST:PORT`, without user or query")
        if parts.scheme == "http" and not dangerous_plaintext and not _is_here(parts.hostname):
            raise ValueError("without TLS only this machine is called, unless `dangerous_plaintext` is set")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base, self._key, self._timeout = parts.path.rstrip("/"), key, timeout
        self._context = context or (ssl.create_default_context(cafile=authority) if self._secure else None)

    def _ask(self, method: str, path: str, headers: Dict[str, str], body: Optional[bytes],
             timeout: Optional[float]) -> _Answer:
        until = None if timeout is None else time.monotonic() + timeout
        if self._secure:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        if self._key is not None:
            headers = {**headers, "authorization": f"Bearer {self._key}"}
        try:
            connection.request(method, self._base + path, body, headers)
            return _Answer(connection, until)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(str(error)) from error

    def _call(self, chain: str, value: Any, headers: Dict[str, str], timeout: Optional[float]) -> _Answer:
        body = json.dumps(value, default=_plain, allow_nan=False).encode("utf-8")
        path = "/chains/" + urllib.parse.quote(chain, safe="")
        return self._ask("POST", path, {**headers, "content-type": "application/json"}, body, timeout)

    def __repr__(self) -> str:
        return f"Client({self._host!r})"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(answer: _Answer, status: int) -> Any:
    try:
        if answer.status != status:
            raise answer.problem()
        return answer.told()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unreachable(str(error)) from error
    finally:
        answer.close()


class Stream(Generic[Output]):
    """Pieces of an output, as they come. Close it, or use `with`, to end the run early."""

    def __init__(self, answer: _Answer):
        self._answer = answer
        self._ended = False
        self._output: Any = None

    def __iter__(self) -> Iterator[Any]:
        try:
            event = ""
            for line in self._answer.lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                    if event == "piece":
                        yield data
                    elif event == "output":
                        self._output, self._ended = data, True
                        return
                    elif event == "problem":
                        raise _problem(data, 0)
            raise Unreachable("the stream broke off")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unreachable(str(error)) from error
        finally:
            self.close()

    @property
    def output(self) -> Output:
        """The output, once all pieces have come."""
        if not self._ended:
            for _ in self:
                pass
        return cast("Output", self._output)

    def close(self) -> None:
        self._answer.close()

    def __enter__(self) -> Stream[Output]:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Run(Generic[Output]):
    """A run that goes on by itself."""

    def __init__(self, client: _Client, id: str):
        self._client, self.id = client, id

    def _ask(self, method: str, status: int) -> Dict[str, Any]:
        path = "/runs/" + urllib.parse.quote(self.id, safe="")
        told = _read(self._client._ask(method, path, {}, None, self._client._timeout), status)
        return cast("Dict[str, Any]", told)

    def state(self) -> str:
        """`running`, `answered` or `ended`."""
        return str(self._ask("GET", 200)["state"])

    def cancel(self) -> None:
        self._ask("DELETE", 202)

    def wait(self, timeout: Optional[float] = None, every: float = 0.5) -> Output:
        """The output, asked for again and again; a problem is raised."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            told = self._ask("GET", 200)
            if told["state"] == "answered":
                return cast("Output", told["output"])
            if told["state"] == "ended":
                raise _problem(told.get("problem"), 0)
            if until is not None and time.monotonic() + every > until:
                raise Unreachable("the run goes on; nobody waits for it any more")
            time.sleep(every)


class _Calls(Generic[Output]):
    def __init__(self, client: _Client, name: str):
        self._client, self._name = client, name

    def _within(self, timeout: Optional[float]) -> Optional[float]:
        return self._client._timeout if timeout is None else timeout

    def _whole(self, value: Any, timeout: Optional[float]) -> Output:
        told = _read(self._client._call(self._name, value, {}, self._within(timeout)), 200)
        return cast("Output", told)

    def _stream(self, value: Any, timeout: Optional[float]) -> Stream[Output]:
        headers = {"accept": "text/event-stream"}
        answer = self._client._call(self._name, value, headers, self._within(timeout))
        if answer.status != 200:
            _read(answer, 200)
        return Stream(answer)

    def _later(self, value: Any, timeout: Optional[float]) -> Run[Output]:
        headers = {"prefer": "respond-async"}
        told = _read(self._client._call(self._name, value, headers, self._within(timeout)), 202)
        return Run(self._client, told["run"])


class _Chain(_Calls[Output], Generic[Input, Output]):
    def __call__(self, input: Input, *, timeout: Optional[float] = None) -> Output:
        return self._whole(input, timeout)

    def stream(self, input: Input, *, timeout: Optional[float] = None) -> Stream[Output]:
        return self._stream(input, timeout)

    def later(self, input: Input, *, timeout: Optional[float] = None) -> Run[Output]:
        return self._later(input, timeout)


class _OpenChain(_Calls[Output], Generic[Output]):
    def __call__(self, input: Any = None, *, timeout: Optional[float] = None) -> Output:
        return self._whole(input, timeout)

    def stream(self, input: Any = None, *, timeout: Optional[float] = None) -> Stream[Output]:
        return self._stream(input, timeout)

    def later(self, input: Any = None, *, timeout: Optional[float] = None) -> Run[Output]:
        return self._later(input, timeout)
