"""Where the CPU time of a process goes: a look at the running stack after every millisecond of CPU time.

A deterministic profiler would lose its way between greenlets, which leave functions in no order; a look at the stack
does not care.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

CPU_SECONDS = 0.001  # between two looks

Place = tuple[str, int, str]  # file, line, function


class Sampler:
    """Counts the stacks that are seen in the main thread of this process."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[Place, ...]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS, CPU_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def look(self, _: int, frame: FrameType | None) -> None:
        stack: list[Place] = []
        while frame:
            stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
            frame = frame.f_back
        self.seen[tuple(stack)] += 1

    def write(self, path: Path) -> None:
        """All stacks, innermost place first, and how often each was seen."""
        path.write_text(json.dumps([{"count": count, "stack": stack} for stack, count in self.seen.items()]))
