"""What is printed while the rows run: each row that did not pass, and from time to time how many are done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from contract.suite.row import State
from contract.suite.run import Result

SECONDS = 5.0  # between two lines that say how many rows are done


def with_progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    """The same results; prints lines on the way."""
    counts: Counter[State] = Counter()
    started = printed = time.monotonic()
    for result in results:
        counts[result.state] += 1
        if result.state is State.FAIL:
            print(f"FAIL {result.row.sdk}, {result.row.group}: {result.row.sentence}\n     {result.reason}")
        if time.monotonic() - printed > SECONDS or counts.total() == total:
            printed = time.monotonic()
            print(f"{counts.total():>4} of {total} rows, {counts[State.FAIL]} failed, {printed - started:.0f} s")
            sys.stdout.flush()
        yield result
