"""A worker's memory does not grow with what flows through it, nor with how slowly it is taken."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peak_memory import PeakMemory
from tests.support.proxy_server import ProxyServer, Start
from tests.support.raw_caller import A_CAT, left_hanging
from tests.support.upstream import SSE, Answer, Call, ScriptedUpstream, Wire, chunk

MODEL = "gemini-2.5-flash-image"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
MIB = 1024 * 1024
LINE = 45 * 1000 * 1000  # bytes of one event's line: a large picture and its signature
BASE64 = b"iVBORw0KGgoAAAANSUhEUgAABAAAAAQA" * 2048
BEFORE, AFTER = b'data: {"candidates": [{"content": {"parts": [{"inlineData": {"data": "', b'"}}]}}]}\r\n\r\n'

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")


@pytest.fixture(scope="module")
def server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy with one worker that nothing else uses."""
    return start(tmp_path_factory.mktemp("memory"), GEMINI_BASE_URL=google.url)


def one_line(length: int) -> Iterator[bytes]:
    """An answer that is one event in one line."""
    yield Answer(content_type=SSE).head()
    yield chunk(BEFORE)
    left = length - len(BEFORE) - len(AFTER)
    while left:
        piece = BASE64[: min(left, len(BASE64))]
        left -= len(piece)
        yield chunk(piece)
    yield chunk(AFTER)
    yield b"0\r\n\r\n"


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


def warm_up(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    """Some pictures of an ordinary size."""
    upstream.answers(lambda _: Wire(one_line(2_000_000)))
    for _ in range(8):
        take_all(server, key)


def test_a_line_of_45_mb_passes_in_less_than_10_mb(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    warm_up(server, upstream, key)
    upstream.answers(lambda _: Wire(one_line(LINE)))
    with PeakMemory(server) as memory:
        received = take_all(server, key)
    assert received > LINE
    assert memory.growth < 10 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"


def test_a_slow_reader_costs_less_than_2_mb_and_slows_the_upstream_down(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    warm_up(server, upstream, key)
    in_the_kernel = most_buffered()
    upstream.answers(lambda _: Wire(one_line(in_the_kernel + LINE)))
    headers = [("x-goog-api-key", key)]
    with PeakMemory(server) as memory, left_hanging(server, STREAM, A_CAT, headers, 64 * 1024) as connection:
        (request,) = upstream.wait_for(1)
        started, received = time.monotonic(), 0
        while time.monotonic() < started + 3:
            received += len(connection.recv(16 * 1024))
            time.sleep(max(0.0, started + received / (64 * 1024) - time.monotonic()))
        sent = request.sent
        pace = paced_by_the_reader(request)
        hung_up_at = time.monotonic()
    assert 150 * 1024 < received < 280 * 1024, "the reader was not slow"
    assert memory.growth < 2 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"
    assert sent < in_the_kernel + 4 * MIB, f"{sent} bytes came from the upstream for a caller that took {received}"
    assert pace < MIB, f"{pace} bytes came from the upstream while the caller took none"
    assert request.end_within(1, since=hung_up_at) < 1


def most_buffered() -> int:
    """The bytes that the kernel holds at most for one connection in one direction."""
    return sum(int(Path(f"/proc/sys/net/ipv4/{name}").read_text().split()[2]) for name in ("tcp_rmem", "tcp_wmem"))


def paced_by_the_reader(request: Call) -> int:
    """Bytes taken from the upstream in a second in which the caller takes none."""
    before = request.sent
    time.sleep(1)
    return request.sent - before


def test_twenty_slow_readers_cost_no_more_than_their_buffers(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    warm_up(server, upstream, key)
    upstream.answers(lambda _: Wire(one_line(LINE)))
    readers = [left_hanging(server, STREAM, A_CAT, [("x-goog-api-key", key)], 64 * 1024) for _ in range(20)]
    with PeakMemory(server) as memory:
        connections = [reader.__enter__() for reader in readers]
        upstream.wait_for(20)
        for _ in range(10):
            for connection in connections:
                assert connection.recv(8 * 1024)
            time.sleep(0.1)
        for reader in readers:
            reader.__exit__(None, None, None)
    assert memory.growth < 20 * 2 * MIB, f"grew by {memory.growth / MIB:.1f} MiB"
    assert all(request.gone.wait(2) for request in upstream.calls)


def test_a_slow_reader_is_served_beyond_the_upstreams_time_limit(
    start: Start, google: ScriptedUpstream, upstream: ScriptedUpstream, key: str, tmp_path: Path
) -> None:
    hurried = start(tmp_path, GEMINI_BASE_URL=google.url, UPSTREAM_TIMEOUT_SECONDS="1")
    length = 12_000_000
    upstream.answers(lambda _: Wire(one_line(length)))
    headers = [("x-goog-api-key", key), ("Connection", "close")]
    received = b""
    with left_hanging(hurried, STREAM, A_CAT, headers, 64 * 1024) as connection:
        started = time.monotonic()
        while piece := connection.recv(256 * 1024):
            received += piece
            time.sleep(max(0.0, started + len(received) / 5_000_000 - time.monotonic()))
    assert received.endswith(b"0\r\n\r\n"), f"cut off after {len(received)} of {length} bytes"
