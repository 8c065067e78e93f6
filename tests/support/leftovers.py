"""What a proxy still holds when no call is left: places in flight, files, connections."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.support.proxy_server import ProxyServer

SECONDS = 3.0
KEPT = 2  # connections to the upstream that ended well and wait for the next call: as many as were used at once
WAKERS = 30  # pipes and the like of one worker: its own few, and two of each thread of gevent's pool
ESTABLISHED, LISTENING = "01", "0A"  # as /proc/net/tcp writes the states of TCP
# What every worker has open from its start, and the database.
ITS_OWN = ("/dev/", "server.log", "twinlens-metrics-", "/wgunicorn-", "twinlens.sqlite3")


@dataclass
class Leftovers:
    """Checks proxies. A test that makes more than two calls upstream at once says so in `kept`.

    One that kills workers says in `unfinished` how many pictures they were storing: those are deleted an hour later.
    """

    kept: int = KEPT
    unfinished: int = 0
    watched: dict[ProxyServer, int] = field(default_factory=dict)  # and the connections that each had before

    def watch(self, server: ProxyServer) -> None:
        """Check this proxy too, from its present state on."""
        self.watched[server] = connections(server)["upstream"]

    def look(self, server: ProxyServer) -> None:
        """Wait until a proxy holds nothing that it should not."""
        before = self.watched.get(server, 0)
        most = max(before, self.kept)
        until(lambda: in_flight(server) == 0, "places in flight")
        until(lambda: len(unfinished(server)) <= self.unfinished, "unfinished pictures")
        until(lambda: not open_files(server), lambda: f"open files: {open_files(server)}")
        until(lambda: not connections(server)["gone"], lambda: f"connections without a caller: {in_words(server)}")
        until(lambda: connections(server)["upstream"] <= most, lambda: f"{in_words(server)}; upstream were {before}")
        until(lambda: wakers(server) <= WAKERS * len(server.workers()), lambda: f"{wakers(server)} pipes and the like")


@pytest.fixture
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[Leftovers]:
    """After the test no proxy that it was given, or has started, holds places, unfinished files or connections.

    All other fixtures of the test are made first, so that none of them is gone when this one looks.
    """
    given = [request.getfixturevalue(name) for name in request.fixturenames if name not in SPECIAL]
    leftovers, known = Leftovers(), len(ProxyServer.started)
    for server in given:
        if isinstance(server, ProxyServer):
            leftovers.watch(server)
    yield leftovers
    for server in {*leftovers.watched, *ProxyServer.started[known:]}:
        if server.is_running():
            leftovers.look(server)


SPECIAL = ("request", "nothing_is_left")


def until(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = SECONDS) -> None:
    """Wait for something that must come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"left behind: {what if isinstance(what, str) else what()}"
        time.sleep(0.05)


def in_flight(server: ProxyServer) -> float:
    """Calls that are being answered, as the metrics count them."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("twinlens_in_flight"))


def unfinished(server: ProxyServer) -> list[Path]:
    """Pictures that are being written, or were."""
    return list(server.pictures.rglob("*.part"))


def descriptors(worker: int) -> list[str]:
    """What a worker has open, as the kernel names it."""
    found = []
    with suppress(OSError):
        for one in Path(f"/proc/{worker}/fd").iterdir():
            with suppress(OSError):
                found.append(os.readlink(one))
    return found


def open_files(server: ProxyServer) -> list[str]:
    """The files that workers have open for a call: pictures, and what is spooled."""
    opened = [name for worker in server.workers() for name in descriptors(worker) if name.startswith("/")]
    return [name for name in opened if not any(own in name for own in ITS_OWN)]


def wakers(server: ProxyServer) -> int:
    """Descriptors that are neither files nor sockets: pipes, event loops, what wakes them."""
    names = [name for worker in server.workers() for name in descriptors(worker)]
    return sum(not name.startswith(("/", "socket:")) for name in names)


def connections(server: ProxyServer) -> Counter[str]:
    """How many sockets of the workers lead to a caller, to a caller that is gone, and anywhere else: upstream."""
    return Counter(kind for worker in server.workers() for kind in kinds_of_sockets(worker, server.port))


def kinds_of_sockets(worker: int, port: int) -> Iterator[str]:
    """The kind of each socket of a worker. One that no table has is closed at both ends, and still held."""
    known: dict[str, tuple[str, str]] = {}
    unix: set[str] = set()
    with suppress(OSError):
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{worker}/net/{table}").read_text().splitlines()[1:]:
                row = line.split()
                known[row[9]] = (row[1].rpartition(":")[2], row[3])
        unix = {line.split()[6] for line in Path(f"/proc/{worker}/net/unix").read_text().splitlines()[1:]}
    for name in descriptors(worker):
        inode = name.removeprefix("socket:[").removesuffix("]")
        if not name.startswith("socket:") or inode in unix:
            continue
        local, state = known.get(inode, ("", ""))
        if state != LISTENING:
            is_callers = bool(local) and int(local, 16) == port
            yield ("caller" if state == ESTABLISHED else "gone") if is_callers else "upstream"


def in_words(server: ProxyServer) -> str:
    """The connections in words."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(connections(server).items()))
