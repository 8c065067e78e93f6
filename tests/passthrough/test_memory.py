"""A worker's memory does not grow with what flows through it, nor with how slowly it is taken."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import A_CAT, left_hanging
from tests.support.raw_upstream import SSE, RawAnswer, RawRequest, RawUpstream, chunk, http_head
from tests.support.rig import Start

MODEL = "gemini-2.5-flash-image"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
MIB = 1024 * 1024
LINE = 45 * 1000 * 1000  # bytes of one event's line: a large picture and its signature
BASE64 = b"iVBORw0KGgoAAAANSUhEUgAABAAAAAQA" * 2048
BEFORE, AFTER = b'data: {"candidates": [{"content": {"parts": [{"inlineData": {"data": "', b'"}}]}}]}\r\n\r\n'

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")


@pytest.fixture(scope="module")
def server(start: Start, google: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy with one worker that nothing else uses."""
    return start(tmp_path_factory.mktemp("memory"), GEMINI_BASE_URL=google.url)


def one_line(length: int) -> Iterator[bytes]:
    """An answer that is one event in one line."""
    yield http_head(200, SSE)
    yield chunk(BEFORE)
    left = length - len(BEFORE) - len(AFTER)
    while left:
        piece = BASE64[: min(left, len(BASE64))]
        left -= len(piece)
        yield chunk(piece)
    yield chunk(AFTER)
    yield b"0\r\n\r\n"


class WorkerMemory:
    """The resident memory of a worker: what it is, and the most it was since a mark."""

    def __init__(self, server: ProxyServer) -> None:
        assert server.process is not None
        master = server.process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        (worker,) = children
        self.folder = Path("/proc") / worker
        self.most = 0
        self._stopped = threading.Event()

    def now(self) -> int:
        """Bytes."""
        rollup = (self.folder / "smaps_rollup").read_text()
        return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Rss:"))

    def __enter__(self) -> "WorkerMemory":
        self.before = self.most = self.now()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """Bytes by which the worker has grown at most."""
        return self.most - self.before

    def _look(self) -> None:
        while not self._stopped.wait(0.02):
            self.most = max(self.most, self.now())


def take_all(server: ProxyServer, key: str) -> int:
    """Reads an answer to its end, and returns how many bytes came."""
    length = 0
    with left_hanging(server, STREAM, A_CAT, [("x-goog-api-key", key), ("Connection", "close")]) as connection:
        tail = b""
        while piece := connection.recv(256 * 1024):
            length += len(piece)
            tail = (tail + piece[-64:])[-64:]
    assert tail.endswith(b"0\r\n\r\n"), "the answer was cut off"
    return length


def warm_up(server: ProxyServer, upstream: RawUpstream, key: str) -> None:
    """Some pictures of an ordinary size."""
    upstream.answers(lambda _: RawAnswer(one_line(2_000_000)))
    for _ in range(8):
        take_all(server, key)


def test_a_line_of_45_mb_passes_in_less_than_10_mb(server: ProxyServer, upstream: RawUpstream, key: str) -> None:
    warm_up(server, upstream, key)
    upstream.answers(lambda _: RawAnswer(one_line(LINE)))
    with WorkerMemory(server) as memory:
        received = take_all(server, key)
    assert received > LINE
    assert memory.growth < 10 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"


def test_a_slow_reader_costs_less_than_2_mb_and_slows_the_upstream_down(
    server: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    warm_up(server, upstream, key)
    upstream.answers(lambda _: RawAnswer(one_line(LINE)))
    headers = [("x-goog-api-key", key)]
    with WorkerMemory(server) as memory, left_hanging(server, STREAM, A_CAT, headers, 64 * 1024) as connection:
        (request,) = upstream.wait_for(1)
        started, received = time.monotonic(), 0
        while time.monotonic() < started + 5:
            received += len(connection.recv(16 * 1024))
            time.sleep(max(0.0, started + received / (64 * 1024) - time.monotonic()))
        sent = request.sent
        pace = paced_by_the_reader(request)
        hung_up_at = time.monotonic()
    assert 250 * 1024 < received < 400 * 1024, "the reader was not slow"
    assert memory.growth < 2 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"
    assert sent < LINE / 2, f"{sent} bytes were taken from the upstream for a caller who took {received}"
    assert pace < MIB, f"{pace} bytes were taken from the upstream while the caller took none"
    assert request.end_within(1, since=hung_up_at) < 1


def paced_by_the_reader(request: RawRequest) -> int:
    """Bytes taken from the upstream in a second in which the caller takes none."""
    before = request.sent
    time.sleep(1)
    return request.sent - before


def test_twenty_slow_readers_cost_no_more_than_their_buffers(
    server: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    warm_up(server, upstream, key)
    upstream.answers(lambda _: RawAnswer(one_line(LINE)))
    readers = [left_hanging(server, STREAM, A_CAT, [("x-goog-api-key", key)], 64 * 1024) for _ in range(20)]
    with WorkerMemory(server) as memory:
        connections = [reader.__enter__() for reader in readers]
        upstream.wait_for(20)
        for _ in range(10):
            for connection in connections:
                assert connection.recv(8 * 1024)
            time.sleep(0.1)
        for reader in readers:
            reader.__exit__(None, None, None)
    assert memory.growth < 20 * 2 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"
    assert all(request.gone.wait(2) for request in upstream.requests)


def test_a_slow_reader_is_served_beyond_the_upstreams_time_limit(
    start: Start, google: RawUpstream, upstream: RawUpstream, key: str, tmp_path: Path
) -> None:
    hurried = start(tmp_path, GEMINI_BASE_URL=google.url, UPSTREAM_TIMEOUT_SECONDS="1")
    length = 12_000_000
    upstream.answers(lambda _: RawAnswer(one_line(length)))
    headers = [("x-goog-api-key", key), ("Connection", "close")]
    received = b""
    with left_hanging(hurried, STREAM, A_CAT, headers, 64 * 1024) as connection:
        started = time.monotonic()
        while piece := connection.recv(256 * 1024):
            received += piece
            time.sleep(max(0.0, started + len(received) / 5_000_000 - time.monotonic()))
    assert received.endswith(b"0\r\n\r\n"), f"cut off after {len(received)} of {length} bytes"
