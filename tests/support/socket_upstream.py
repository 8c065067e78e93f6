"""An upstream on a real socket that answers byte for byte what a test says, and breaks where a test wants."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Play = Callable[[socket.socket], bool]  # writes an answer; says whether the connection stays open
Scene = bytes | Play


@dataclass
class Call:
    """One request as it arrived."""

    connection: int
    head: bytes
    body: bytes

    @property
    def request_line(self) -> str:
        """Method, target and version."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


@dataclass
class SocketUpstream:
    """Plays its scenes in order, one for each call; the last one stays for every further call."""

    scenes: list[Scene]
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # once a connection's end
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        """Accepts connections until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection, self.connections), daemon=True).start()

    def talk(self, connection: socket.socket, number: int) -> None:
        """Answers the calls of one connection."""
        with connection, suppress(OSError):
            connection.settimeout(10)
            while call := read_call(connection, number):
                with self._lock:
                    self.calls.append(call)
                    scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
                if isinstance(scene, bytes):
                    connection.sendall(scene)
                elif not scene(connection):
                    break
        self.hung_up.release()


def read_call(connection: socket.socket, number: int) -> Call | None:
    """The next request of a connection; None when the other side has hung up."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (piece := connection.recv(65536)):
            return None
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    call = Call(number, head, body)
    length = int(call.headers.get("content-length", "0"))
    while len(call.body) < length:
        call.body += connection.recv(65536)
    return call


@contextmanager
def upstream_that(*scenes: Scene) -> Iterator[SocketUpstream]:
    """An upstream that listens on a free port until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        upstream = SocketUpstream(list(scenes), url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=upstream.serve, args=(listener,), daemon=True)
        thread.start()
        yield upstream
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with its Content-Length."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


def chunked(*pieces: bytes, status: str = "200 OK") -> bytes:
    """A whole answer in chunks."""
    return head(status, "Transfer-Encoding: chunked") + b"".join(map(chunk, pieces)) + b"0\r\n\r\n"


def head(status: str = "200 OK", *headers: str) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def and_hang_up(*pieces: bytes) -> Play:
    """Writes the pieces and closes the connection."""

    def play(connection: socket.socket) -> bool:
        connection.sendall(b"".join(pieces))
        return False

    return play


def and_reset(*pieces: bytes) -> Play:
    """Writes the pieces and resets the connection."""

    def play(connection: socket.socket) -> bool:
        connection.sendall(b"".join(pieces))
        # Give what was written time to be read before the reset throws it away.
        threading.Event().wait(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return play


def slowly(*pieces: bytes, pause: float) -> Play:
    """Writes the pieces with a pause before each."""

    def play(connection: socket.socket) -> bool:
        for piece in pieces:
            threading.Event().wait(pause)
            connection.sendall(piece)
        return True

    return play


def and_wait_for_goodbye(*pieces: bytes) -> Play:
    """Writes the pieces, then nothing more; ends when the other side hangs up."""

    def play(connection: socket.socket) -> bool:
        connection.sendall(b"".join(pieces))
        connection.recv(1)
        return False

    return play


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
