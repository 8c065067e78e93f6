"""What the server still holds when nobody needs it any more, and what it complains of."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Process

LISTENS, WAITS = "0A", "06"  # states of a connection that hold nobody's call
MORE_FILES = 4  # those of the metrics, which are opened with the first call
SWEPT_AFTER = 75  # seconds from a picture's end: it is looked for once a minute, with some patience
TRACEBACK = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)*.*", re.MULTILINE)
SEVERE = re.compile(r"^.* \[?(?:ERROR|CRITICAL)\]? .*", re.MULTILINE)


@dataclass(frozen=True)
class Held:
    """Descriptors of one process, by what they are for."""

    callers: int  # connections
    upstream: int  # connections
    pictures: int
    others: int

    @property
    def all(self) -> int:
        return self.callers + self.upstream + self.pictures + self.others

    def excess(self, most_at_once: int, at_first: int) -> Iterator[str]:
        """What a worker should not hold at rest, after so many calls upstream at once.

        Only a connection that was once needed beside all others is worth keeping for the next call.
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
    """What a process that serves at `port` holds. One that has ended holds nothing."""
    targets = list(descriptors(pid))
    sockets = {target.removeprefix("socket:[").rstrip("]") for target in targets if target.startswith("socket:")}
    ends = [ports for inode, ports in connections().items() if inode in sockets]
    callers = sum(here == port for here, _ in ends)
    upstream = sum(there == upstream_port for _, there in ends)
    pictures = sum(target.startswith(f"{store}/") for target in targets)
    return Held(callers, upstream, pictures, len(targets) - callers - upstream - pictures)


def descriptors(pid: int) -> Iterator[str]:
    """What the descriptors of a process stand for."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(descriptor)


def connections() -> dict[str, tuple[int, int]]:
    """The ports of all connections over IPv4, here and there, by inode."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9]: (port_of(row[1]), port_of(row[2])) for row in rows if row[3] not in (LISTENS, WAITS)}


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def in_flight(port: int) -> int:
    """How many calls the server believes to be answering."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        page = connection.getresponse().read().decode()
    return sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith("twinlens_in_flight"))


def overdue(store: Path, now: float) -> int:
    """How many pictures are kept though they should have been swept: their names begin with their end."""
    return sum(int(path.name.partition("-")[0], 16) + SWEPT_AFTER < now for path in store.glob("*.png"))


def complaints(process: Process, killed: set[int]) -> list[str]:
    """What the server has written that it should never have to write; that one was killed is no news."""
    text = process.log.read_text(errors="replace")
    lines = SEVERE.findall(text) + TRACEBACK.findall(text)
    return [line for line in lines if not any(f"(pid:{pid}) was sent SIGKILL" in line for pid in killed)]
