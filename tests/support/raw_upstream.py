"""A server that plays Google on the level of bytes: it keeps each request as it was, and sees who hangs up."""

import gzip
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream"
PIECE = 64 * 1024


@dataclass
class RawRequest:
    """One request, byte for byte, and what became of its connection."""

    head: bytes
    body: bytes
    sent: int = 0  # bytes of the answer that the kernel has taken
    gone: threading.Event = field(default_factory=threading.Event)
    gone_at: float = 0.0

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        """Path and query, as they were written."""
        return self.line.split(" ")[1]

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case, and values, in the order in which they came."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for given, value in self.headers if given == name]

    def notice_end(self) -> None:
        """The proxy has closed the connection of this request."""
        self.gone_at = time.monotonic()
        self.gone.set()

    def end_within(self, seconds: float, since: float) -> float:
        """Seconds from `since` to the end of the connection, which must come in time."""
        assert self.gone.wait(max(0.0, since + seconds + 1 - time.monotonic())), "the connection is still open"
        return self.gone_at - since


@dataclass(frozen=True)
class RawAnswer:
    """The bytes of an answer, and what becomes of the connection when all has been sent: it is kept for more.

    One that holds keeps it open and waits; one that closes ends it, by a TCP reset if that is wanted.
    """

    pieces: Iterable[bytes]
    hold: bool = False
    close: bool = False
    reset: bool = False


Script = RawAnswer | Callable[[RawRequest], RawAnswer]
SILENCE = RawAnswer((), hold=True)


def http_answer(
    body: bytes,
    status: int = 200,
    content_type: str = JSON,
    headers: Iterable[tuple[str, str]] = (),
    only: int | None = None,
) -> RawAnswer:
    """A chunked answer; `only` so many bytes of its body are sent, and then nothing more."""
    told = body if only is None else body[:only]

    def pieces() -> Iterator[bytes]:
        yield http_head(status, content_type, headers)
        for start in range(0, len(told), PIECE):
            yield chunk(told[start : start + PIECE])
        if only is None:
            yield b"0\r\n\r\n"

    return RawAnswer(list(pieces()), hold=only is not None)


def gzipped_if_asked(body: bytes, status: int = 200, content_type: str = JSON) -> Callable[[RawRequest], RawAnswer]:
    """An answer that is compressed for those who say that they can open it."""

    def answer(request: RawRequest) -> RawAnswer:
        if not any("gzip" in value for value in request.all("accept-encoding")):
            return http_answer(body, status, content_type)
        return http_answer(gzip.compress(body, 1), status, content_type, [("Content-Encoding", "gzip")])

    return answer


def http_head(status: int, content_type: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A status line and headers, with those that every answer of Google has."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        f"Content-Type: {content_type}",
        "Vary: Origin, Referer, X-Origin",
        "Transfer-Encoding: chunked",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """A piece of a body in HTTP's chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


NOTHING_SCRIPTED = http_answer(b"the test scripted no answer", 418, "text/plain")


class RawUpstream:
    """Answers in the order of the script; the last answer of a script stays for every further request."""

    def __init__(self) -> None:
        self.requests: list[RawRequest] = []
        self.script: deque[Script] = deque([NOTHING_SCRIPTED])
        self.news = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def answers(self, *script: Script) -> None:
        """Forget all that was, and answer the coming requests with these."""
        with self.news:
            self.requests = []
            self.script = deque(script or [NOTHING_SCRIPTED])

    def wait_for(self, count: int, seconds: float = 5) -> list[RawRequest]:
        """The first so many requests, when they have arrived."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.requests) >= count, seconds), (
                f"{len(self.requests)} requests instead of {count} within {seconds} s"
            )
            return self.requests[:count]

    @property
    def request(self) -> RawRequest:
        """The one request that has arrived."""
        (only,) = self.requests
        return only

    @contextmanager
    def running(self) -> Iterator["RawUpstream"]:
        """Serve until the block ends."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as reader:
            try:
                while request := read_request(reader):
                    if not self._answer(connection, request):
                        return
            except OSError:
                return

    def _answer(self, connection: socket.socket, request: RawRequest) -> bool:
        """Whether the connection may carry another request."""
        with self.news:
            self.requests.append(request)
            scripted = self.script.popleft() if len(self.script) > 1 else self.script[0]
            self.news.notify_all()
        answer = scripted if isinstance(scripted, RawAnswer) else scripted(request)
        try:
            for piece in answer.pieces:
                connection.sendall(piece)
                request.sent += len(piece)
            if answer.hold:
                connection.recv(1)
                request.notice_end()
        except OSError:
            request.notice_end()
            return False
        if answer.reset:
            time.sleep(0.1)  # so that what was written is read before the reset throws it away
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not (answer.hold or answer.close or answer.reset)


def read_request(reader) -> RawRequest | None:  # type: ignore[no-untyped-def]
    """The next request of a connection; None at its end."""
    head = b""
    while line := reader.readline():
        if line == b"\r\n":
            break
        head += line
    if not head:
        return None
    request = RawRequest(head, b"")
    if lengths := request.all("content-length"):
        request.body = reader.read(int(lengths[0]))
    elif request.all("transfer-encoding"):
        while size := int(reader.readline(), 16):
            request.body += reader.read(size)
            reader.readline()
        reader.readline()
    return request
