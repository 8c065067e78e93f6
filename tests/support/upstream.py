"""A scripted upstream on a real socket: bytes below, HTTP above.

Below, a `Wire` is the bytes that are sent and what becomes of the connection then. Above, an `Answer` is a status,
headers and a body, from which a `Wire` is made. `ScriptedUpstream` plays either, and keeps each call as it came.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

from tests.support.certificate import certificate
from tests.support.pictures import API_KEY_INVALID, as_google_writes

JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream"
PIECE = 64 * 1024
IDLE_SECONDS = 60  # a connection on which nothing moves for so long is closed
HOLD_SECONDS = 30


@dataclass
class Call:
    """One request, byte for byte, and what became of its connection."""

    connection: int  # counted from 1
    head: bytes
    body: bytes = b""
    sent: int = 0  # bytes of the answer that the kernel has taken
    gone: threading.Event = field(default_factory=threading.Event)  # set when the connection has ended
    gone_at: float = 0.0

    @property
    def request_line(self) -> str:
        """Method, target and version."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request_line.split(" ")[0]

    @property
    def target(self) -> str:
        """Path and query, as they were written."""
        return self.request_line.split(" ")[1]

    @cached_property
    def header_lines(self) -> list[tuple[str, str]]:
        """Names in lower case, and values, in the order in which they came."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:] if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    @property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        return dict(self.header_lines)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for given, value in self.header_lines if given == name]

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def aspect_ratio(self) -> str | None:
        """The ratio that was asked for, or None."""
        return self.json.get("generationConfig", {}).get("imageConfig", {}).get("aspectRatio")

    def end_within(self, seconds: float, since: float) -> float:
        """Seconds from `since` to the end of the connection, which must come in time."""
        assert self.gone.wait(max(0.0, since + seconds + 1 - time.monotonic())), "the connection is still open"
        return self.gone_at - since


# What becomes of a connection when all has been sent. Each returns whether it may carry another call.

End = Callable[[socket.socket], object]


def keep_open(connection: socket.socket) -> bool:
    """Another call may follow."""
    return True


def hang_up(connection: socket.socket) -> bool:
    """Closes the connection."""
    return False


def reset(connection: socket.socket) -> bool:
    """Closes it with a TCP reset, a moment later, so that what was sent is read before the reset discards it."""
    time.sleep(0.1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def wait(connection: socket.socket) -> bool:
    """Sends nothing more, until the other side hangs up."""
    connection.recv(1)
    return False


@dataclass(frozen=True)
class Wire:
    """The bytes of an answer, and what becomes of the connection then.

    An `early` one is sent as soon as anything of a request has come, and the rest of the request is never read.
    """

    pieces: Iterable[bytes] = ()
    then: End = keep_open
    early: bool = False


def and_hang_up(*pieces: bytes) -> Wire:
    """Sends the pieces at once and closes the connection."""
    return Wire((b"".join(pieces),), hang_up)


def and_reset(*pieces: bytes) -> Wire:
    """Sends the pieces at once and resets the connection."""
    return Wire((b"".join(pieces),), reset)


def and_wait_for_goodbye(*pieces: bytes) -> Wire:
    """Sends the pieces at once, then nothing more until the other side hangs up."""
    return Wire((b"".join(pieces),), wait)


def paced(pieces: Iterable[bytes], pause: float) -> Iterator[bytes]:
    """The pieces, with a pause before each."""
    for piece in pieces:
        time.sleep(pause)
        yield piece


def slowly(*pieces: bytes, pause: float, then: End = keep_open) -> Callable[[Call], Wire]:
    """Sends the pieces with a pause before each."""
    return lambda _: Wire(paced(pieces, pause), then)


def head(status: str = "200 OK", *headers: str, content_type: str = "application/json") -> bytes:
    """A status line and headers."""
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {content_type}", *headers, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with its Content-Length."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


def chunked(*pieces: bytes, status: str = "200 OK") -> bytes:
    """A whole answer in chunks."""
    return head(status, "Transfer-Encoding: chunked") + b"".join(map(chunk, pieces)) + LAST_CHUNK


@dataclass(frozen=True)
class Answer:
    """An answer in HTTP. `cut_after` sends so many bytes of the body and no end of it."""

    body: Any = b""  # bytes are sent as they are; anything else is written as Google writes JSON
    status: int = 200
    content_type: str = JSON
    headers: Iterable[tuple[str, str]] = ()
    chunked: bool = True
    length: int | None = None  # what Content-Length says; by default the truth
    cut_after: int | None = None
    then: End | None = None  # by default the connection is kept, or closed where the answer is cut
    delay: float = 0  # seconds until it begins
    hold: threading.Event | None = None  # it begins when this is set

    @property
    def raw_body(self) -> bytes:
        """The bytes of the body."""
        return self.body if isinstance(self.body, bytes) else as_google_writes(self.body)

    @property
    def promised(self) -> bytes:
        """The body as far as its Content-Length counts it."""
        return self.raw_body[: self.length]

    def head(self) -> bytes:
        """Status line and headers, with those that every answer of Google has."""
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Unknown"
        framing = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(self.promised)}"
        lines = ("Vary: Origin, Referer, X-Origin", framing, *(f"{name}: {value}" for name, value in self.headers))
        return head(f"{self.status} {phrase}", *lines, content_type=self.content_type)

    def wire(self) -> Wire:
        """The answer as it is sent."""
        cut = self.cut_after is not None
        return Wire(self.pieces(), self.then or (hang_up if cut else keep_open))

    def pieces(self) -> Iterator[bytes]:
        if self.hold is not None:
            self.hold.wait(HOLD_SECONDS)
        time.sleep(self.delay)
        yield self.head()
        sent = self.raw_body[: self.cut_after]
        for start in range(0, len(sent), PIECE):
            piece = sent[start : start + PIECE]
            yield chunk(piece) if self.chunked else piece
        if self.chunked and self.cut_after is None:
            yield LAST_CHUNK


Reply = bytes | Wire | Answer
Script = Reply | Callable[[Call], Reply]
NO_ANSWER = and_hang_up()
NO_ANSWER_BUT_A_RESET = and_reset()
SILENCE = Wire(then=wait)
NOTHING_SCRIPTED = Answer(b"the test scripted no answer", 418, "text/plain")


def gzipped_if_asked(body: bytes, status: int = 200, content_type: str = JSON) -> Callable[[Call], Answer]:
    """An answer that is compressed for those who say that they can open it."""

    def answer(call: Call) -> Answer:
        if not any("gzip" in value for value in call.all("accept-encoding")):
            return Answer(body, status, content_type)
        return Answer(gzip.compress(body, 1), status, content_type, [("Content-Encoding", "gzip")])

    return answer


def knows_only(key: str, then: Script) -> Callable[[Call], Reply]:
    """An answer for callers that have this key; to the others theirs is not valid."""

    def answer(call: Call) -> Reply:
        if call.headers.get("x-goog-api-key") != key:
            return Answer(API_KEY_INVALID, status=400)
        return then(call) if callable(then) else then

    return answer


class ScriptedUpstream:
    """Answers in the order of the script; the last answer of a script stays for every further call."""

    def __init__(self, *script: Script, certificate: Path | None = None) -> None:
        self.calls: list[Call] = []
        self.connections = 0
        self.hung_up = threading.Semaphore(0)  # released at each connection's end
        self.script: deque[Script] = deque(script or [NOTHING_SCRIPTED])
        self.changed = threading.Condition()
        self.tls: ssl.SSLContext | None = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.port = 0
        self._listen()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    def answers(self, *script: Script) -> None:
        """Forgets all calls, and answers the coming ones with these."""
        with self.changed:
            self.calls = []
            self.script = deque(script or [NOTHING_SCRIPTED])

    def wait_for(self, count: int, seconds: float = 30) -> list[Call]:
        """The first so many calls, when they have arrived."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.calls) >= count, seconds)
            assert arrived, f"{len(self.calls)} calls instead of {count} within {seconds} s"
            return self.calls[:count]

    @property
    def call(self) -> Call:
        """The one call that has arrived."""
        (only,) = self.calls
        return only

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self.listener.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are refused within the block."""
        self.__exit__()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        calls: list[Call] = []
        with suppress(OSError):
            connection.settimeout(IDLE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, self._secured(connection) as talk, talk.makefile("rb") as reader:
                while self._answer(talk, reader, number, calls):
                    pass
        for call in calls:
            call.gone_at = time.monotonic()
            call.gone.set()
        self.hung_up.release()

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    def _answer(self, connection: socket.socket, reader: BufferedReader, number: int, calls: list[Call]) -> bool:
        """Answers the next call of a connection. Returns whether another may follow."""
        following = self.script[0]
        early = isinstance(following, Wire) and following.early
        call = Call(number, connection.recv(PIECE)) if early else read_head(reader, number)
        if not call or not call.head:
            return False
        calls.append(call)
        if not early:
            call.body = read_body(call, reader)
        with self.changed:
            self.calls.append(call)
            scripted = self.script.popleft() if len(self.script) > 1 else self.script[0]
            self.changed.notify_all()
        wire = wire_of(scripted(call) if callable(scripted) else scripted)
        for piece in wire.pieces:
            connection.sendall(piece)
            call.sent += len(piece)
        return bool(wire.then(connection))


def wire_of(reply: Reply) -> Wire:
    if isinstance(reply, Answer):
        return reply.wire()
    return Wire((reply,)) if isinstance(reply, bytes) else reply


def read_head(reader: BufferedReader, connection: int) -> Call | None:
    """The head of the next request of a connection; None at its end."""
    head = b""
    while line := reader.readline():
        if line == b"\r\n":
            break
        head += line
    return Call(connection, head) if head else None


def read_body(call: Call, reader: BufferedReader) -> bytes:
    """The body of a request."""
    if "chunked" not in call.headers.get("transfer-encoding", ""):
        return reader.read(int(call.headers.get("content-length", 0)))
    body = b""
    while size := int(reader.readline().split(b";")[0], 16):
        body += reader.read(size)
        reader.readline()
    reader.readline()
    return body


def read_call(connection: socket.socket, number: int) -> Call | None:
    """The next request of a connection, for a test that answers by hand; None at its end."""
    with connection.makefile("rb") as reader:
        if call := read_head(reader, number):
            call.body = read_body(call, reader)
        return call


@contextmanager
def upstream_that(*script: Script) -> Iterator[ScriptedUpstream]:
    """An upstream with a script, on a free port, until the block ends."""
    with ScriptedUpstream(*script) as upstream:
        yield upstream


@contextmanager
def tls_server(folder: Path, answer: bytes, then: End = hang_up) -> Iterator[str]:
    """The URL of an https upstream with one answer. Its certificate is `certificate.pem` in the folder."""
    with ScriptedUpstream(Wire((answer,), then), certificate=certificate(folder)) as upstream:
        yield upstream.url
