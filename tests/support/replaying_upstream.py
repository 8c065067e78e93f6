"""A server that plays Google: it answers what a test hands it, breaks where a test wants, and remembers every call."""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.pictures import API_KEY_INVALID, as_google_writes

JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream"


@dataclass(frozen=True)
class Answer:
    """What the upstream says to one call, and where it breaks off.

    `cut_after` ends the transfer after that many bytes of the body: by closing the connection, or, with `reset`,
    by a TCP reset. `silent` breaks before the status line.
    """

    body: Any = b""
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = True
    chunk_size: int = 64 * 1024
    delay: float = 0
    hold: threading.Event | None = None
    cut_after: int | None = None
    stall: float = 0
    reset: bool = False
    silent: bool = False
    hang_up_quietly: bool = False

    def raw_body(self) -> bytes:
        """The bytes of the body; anything that is not bytes is written as Google writes JSON."""
        return self.body if isinstance(self.body, bytes) else as_google_writes(self.body)


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header, or None."""
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def aspect_ratio(self) -> str | None:
        """The ratio that was asked for, or None."""
        return self.json.get("generationConfig", {}).get("imageConfig", {}).get("aspectRatio")


Script = Answer | Callable[[Call], Answer]

NOTHING_SCRIPTED = Answer(
    status=418, body={"error": {"code": 418, "message": "the test scripted no answer", "status": "X"}}
)


@dataclass
class ReplayingUpstream:
    """Answers in the order of the script; the last answer of a script stays for every further call."""

    calls: list[Call] = field(default_factory=list)
    _script: deque[Script] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _called: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def answers(self, *script: Script) -> None:
        """Forget all that was, and answer the coming calls with these."""
        with self._lock:
            self._script = deque(script)
            self.calls = []

    def wait_for_calls(self, count: int, seconds: float = 5) -> None:
        """Return when so many calls have arrived."""
        with self._called:
            assert self._called.wait_for(lambda: len(self.calls) >= count, seconds), f"no {count} calls in {seconds} s"

    def take(self, call: Call) -> Answer:
        """Note the call and find its answer."""
        with self._lock:
            self.calls.append(call)
            if not self._script:
                scripted: Script = NOTHING_SCRIPTED
            else:
                scripted = self._script.popleft() if len(self._script) > 1 else self._script[0]
        with self._called:
            self._called.notify_all()
        return scripted if isinstance(scripted, Answer) else scripted(call)

    @contextmanager
    def running(self) -> Iterator["ReplayingUpstream"]:
        """Listen on a free port until the block ends."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.upstream = self
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: ReplayingUpstream

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A proxy that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        headers = tuple((name, value) for name, value in self.headers.items())
        call = Call(self.command, self.path, headers, self._read_body())
        answer = self.server.upstream.take(call)
        if answer.hold is not None:
            answer.hold.wait(20)
        time.sleep(answer.delay)
        self._write(answer)

    do_GET = do_POST

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write(self, answer: Answer) -> None:
        if answer.silent:
            self._break_off(answer.reset)
            return
        body = answer.raw_body()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Vary", "Origin, Referer, X-Origin")
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body if answer.cut_after is None else body[: answer.cut_after]
        for start in range(0, len(sent), answer.chunk_size):
            piece = sent[start : start + answer.chunk_size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
        if answer.cut_after is not None:
            time.sleep(answer.stall)
            self._break_off(answer.reset)
            return
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")
        # What an idle connection looks like when the other side gave it up without a word.
        self.close_connection = answer.hang_up_quietly

    def _break_off(self, reset: bool) -> None:
        self.wfile.flush()
        if reset:
            time.sleep(0.1)  # so that what was written is read before the reset throws it away
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # http.server's own goodbye would send a FIN first, and its reader would keep the socket open.
            self.rfile.close()
            self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed: the calls are remembered."""


def knows_only(key: str, then: Script) -> Callable[[Call], Answer]:
    """Answer callers that have this key, and tell the others that theirs is not valid."""

    def answer(call: Call) -> Answer:
        if call.header("x-goog-api-key") != key:
            return Answer(API_KEY_INVALID, status=400)
        return then if isinstance(then, Answer) else then(call)

    return answer
