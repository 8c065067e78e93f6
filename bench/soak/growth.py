"""Whether a process grew: what it held at the end of a while, compared with what it held at its beginning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.processes import resident
from bench.soak.rest import Held

MIB = 1024 * 1024
PART = 4  # the medians of the first and of the last quarter of the time are compared: peaks are no growth
MORE_MEMORY = 1.15  # times, of six minutes: an allocator's noise. A leak of 1 KB for each call would be as much
WARMING_UP = 1.3  # the same of a soak that is so short that its workers are young
MORE_CONNECTIONS = 24  # one for each caller, who may all gather at the worker that was not killed
MORE_FILES = 8  # pictures on their way, which an answer that stalls holds open for seconds


@dataclass(frozen=True)
class Look:
    """The server's processes at one moment, by id."""

    seconds: float
    memory: Mapping[int, int]  # resident bytes
    held: Mapping[int, Held]


@dataclass(frozen=True)
class Change:
    """What something was at first and later, and how much it may be."""

    what: str
    early: float
    late: float
    most: float

    @property
    def is_growth(self) -> bool:
        return self.late > self.most

    def __str__(self) -> str:
        return f"{self.what}: {self.early:.1f}, later {self.late:.1f}, at most {self.most:.1f}"


def look_at(pids: Sequence[int], seconds: float, held: Callable[[int], Held]) -> Look:
    """A look at some processes; `held` tells what one holds."""
    return Look(seconds, {pid: resident(pid) for pid in pids}, {pid: held(pid) for pid in pids})


def changes(looks: Sequence[Look], process: str, pid: int, warming_up: bool = False) -> list[Change]:
    """How memory and descriptors of a process changed that is in all looks."""

    def early_and_late(measure: Callable[[Look], float]) -> tuple[float, float]:
        values = [measure(look) for look in looks]
        part = max(1, len(values) // PART)
        return median(values[:part]), median(values[-part:])

    memory = early_and_late(lambda look: look.memory[pid] / MIB)
    connections = early_and_late(lambda look: look.held[pid].callers + look.held[pid].upstream)
    files = early_and_late(lambda look: look.held[pid].pictures + look.held[pid].others)
    return [
        Change(f"MiB of {process}", *memory, memory[0] * (WARMING_UP if warming_up else MORE_MEMORY)),
        Change(f"connections of {process}", *connections, connections[0] + MORE_CONNECTIONS),
        Change(f"other descriptors of {process}", *files, files[0] + MORE_FILES),
    ]


def lived_through(looks: Sequence[Look], pid: int) -> bool:
    """Whether a process was there at each look."""
    return bool(looks) and all(look.memory.get(pid) for look in looks)
