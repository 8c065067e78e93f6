"""Whether a process grew: compares what it held early and late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.processes import resident
from bench.soak.leftovers import Held

MIB = 1024 * 1024
PART = 4  # the medians of the first and the last quarter are compared, so that peaks do not count
MORE_MEMORY = 1.15  # times, within six minutes: an allocator's noise. 1 KB lost by each call would exceed it
WARMING_UP = 1.3  # the same in a soak so short that its workers are young
MORE_CONNECTIONS = 24  # one for each caller: all may use the worker that was not killed
MORE_FILES = 8  # pictures being written, which an answer that stalls keeps open for seconds


@dataclass(frozen=True)
class Sample:
    """The server's processes at one moment, by id."""

    seconds: float
    memory: Mapping[int, int]  # resident bytes
    held: Mapping[int, Held]


@dataclass(frozen=True)
class Change:
    """A value early and late, and its limit."""

    what: str
    early: float
    late: float
    most: float

    @property
    def is_growth(self) -> bool:
        """Whether the late value is above the limit."""
        return self.late > self.most

    def __str__(self) -> str:
        return f"{self.what}: {self.early:.1f}, later {self.late:.1f}, at most {self.most:.1f}"


def take_sample(pids: Sequence[int], seconds: float, held: Callable[[int], Held]) -> Sample:
    """Memory and descriptors of some processes; `held` counts the descriptors of one."""
    return Sample(seconds, {pid: resident(pid) for pid in pids}, {pid: held(pid) for pid in pids})


def changes(samples: Sequence[Sample], process: str, pid: int, warming_up: bool = False) -> list[Change]:
    """How memory and descriptors of a process changed; the process is in all samples."""

    def early_and_late(measure: Callable[[Sample], float]) -> tuple[float, float]:
        values = [measure(sample) for sample in samples]
        part = max(1, len(values) // PART)
        return median(values[:part]), median(values[-part:])

    memory = early_and_late(lambda sample: sample.memory[pid] / MIB)
    connections = early_and_late(lambda sample: sample.held[pid].callers + sample.held[pid].upstream)
    files = early_and_late(lambda sample: sample.held[pid].pictures + sample.held[pid].others)
    return [
        Change(f"MiB of {process}", *memory, memory[0] * (WARMING_UP if warming_up else MORE_MEMORY)),
        Change(f"connections of {process}", *connections, connections[0] + MORE_CONNECTIONS),
        Change(f"other descriptors of {process}", *files, files[0] + MORE_FILES),
    ]


def lived_through(samples: Sequence[Sample], pid: int) -> bool:
    """Whether a process is in all samples."""
    return bool(samples) and all(sample.memory.get(pid) for sample in samples)
