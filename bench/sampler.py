"""Samples the stack of a process after every millisecond of CPU time.

A deterministic profiler is confused by greenlets, which leave functions in any order; sampling is not.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

CPU_SECONDS = 0.001  # between two samples

Place = tuple[str, int, str]  # file, line, function


class Sampler:
    """Counts the stacks of the main thread of this process."""

    def __init__(self) -> None:
        self.stacks: Counter[tuple[Place, ...]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self.sample)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS, CPU_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def sample(self, _: int, frame: FrameType | None) -> None:
        stack: list[Place] = []
        while frame:
            stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
            frame = frame.f_back
        self.stacks[tuple(stack)] += 1

    def write(self, path: Path) -> None:
        """Write all stacks, innermost function first, with their counts."""
        path.write_text(json.dumps([{"count": count, "stack": stack} for stack, count in self.stacks.items()]))
