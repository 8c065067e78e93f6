"""What the server still holds when all callers are gone, and the errors in its log."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Process
from proxy.limits import DATABASE_CONNECTIONS

LISTEN, TIME_WAIT = "0A", "06"  # states of sockets without a call
MORE_FILES = 4 + 3 * DATABASE_CONNECTIONS  # of the metrics, and of SQLite's connections, opened with the first calls
SWEPT_AFTER = 75  # seconds after a picture expires: the sweep runs once a minute
TRACEBACK = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)*.*", re.MULTILINE)
SEVERE = re.compile(r"^.* \[?(?:ERROR|CRITICAL)\]? .*", re.MULTILINE)


@dataclass(frozen=True)
class Held:
    """The descriptors of one process, by purpose."""

    callers: int  # connections
    upstream: int  # connections
    pictures: int
    others: int

    @property
    def all(self) -> int:
        """All descriptors."""
        return self.callers + self.upstream + self.pictures + self.others

    def excess(self, most_at_once: int, at_first: int) -> Iterator[str]:
        """What a worker should not hold without callers, where it had at most `most_at_once` calls upstream.

        More idle connections to the upstream than that were never needed at once.
        """
        if self.callers:
            yield f"{self.callers} connections of callers"
        if self.pictures:
            yield f"{self.pictures} pictures"
        if self.upstream > most_at_once:
            yield f"{self.upstream} connections to an upstream that never had more than {most_at_once} calls at once"
        if self.others > at_first + MORE_FILES:
            yield f"{self.others} other descriptors, of which there were {at_first} before the first call"


def held_by(pid: int, port: int, upstream_port: int, store: Path) -> Held:
    """The descriptors of a process that serves at `port`; none if it has ended."""
    targets = list(descriptors(pid))
    sockets = {target.removeprefix("socket:[").rstrip("]") for target in targets if target.startswith("socket:")}
    ports = [pair for inode, pair in connections().items() if inode in sockets]
    callers = sum(local == port for local, _ in ports)
    upstream = sum(remote == upstream_port for _, remote in ports)
    pictures = sum(target.startswith(f"{store}/") for target in targets)
    return Held(callers, upstream, pictures, len(targets) - callers - upstream - pictures)


def descriptors(pid: int) -> Iterator[str]:
    """The targets of a process's descriptors."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(descriptor)


def connections() -> dict[str, tuple[int, int]]:
    """Local and remote port of all IPv4 connections, by inode."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9]: (port_of(row[1]), port_of(row[2])) for row in rows if row[3] not in (LISTEN, TIME_WAIT)}


def port_of(address: str) -> int:
    """The port of an address in /proc/net/tcp."""
    return int(address.rpartition(":")[2], 16)


def in_flight(port: int) -> int:
    """How many calls the server's metrics count as in flight."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        page = connection.getresponse().read().decode()
    return sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith("twinlens_in_flight"))


def overdue(store: Path, now: float) -> int:
    """How many pictures should have been swept. Their names start with the time at which they expire."""
    return sum(int(path.name.partition("-")[0], 16) + SWEPT_AFTER < now for path in store.glob("*.png"))


def logged_errors(process: Process, killed: set[int]) -> list[str]:
    """Errors and tracebacks in the server's log, but for the workers that were killed on purpose."""
    text = process.log.read_text(errors="replace")
    lines = SEVERE.findall(text) + TRACEBACK.findall(text)
    return [line for line in lines if not any(f"(pid:{pid}) was sent SIGKILL" in line for pid in killed)]
