"""What is seen while the rows run: a table that stays in its place, or plain lines where there is no terminal."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TextIO

from contract.suite.row import Row, State
from contract.suite.run import Result

MARKS = {State.PASS: "✓", State.FAIL: "✗", State.UNSUPPORTED: "∅", State.SKIPPED: "·"}
COLOURS = {State.PASS: "32", State.FAIL: "31", State.UNSUPPORTED: "33", State.SKIPPED: "90"}
REFRESH_SECONDS = 0.1
BAR = 18
LINES_BELOW = 5  # what is running, the seconds, and the line of the cursor


class PlainLines:
    """One line for each row, for logs and pipes."""

    def __init__(self, rows: Sequence[Row], out: TextIO) -> None:
        self.out = out

    def started(self, row: Row) -> None:
        """Nothing is told before there is a result."""

    def ended(self, result: Result) -> None:
        """One row's line."""
        row = result.row
        why = f" ({result.reason})" if result.reason else ""
        told = f"{result.state:<11} {row.sdk:<18} {row.group}: {row.sentence}{why}"
        print(f"{told} {result.seconds:.2f} s", file=self.out, flush=True)

    def close(self) -> None:
        """All has been said."""


class LiveTable:
    """A line for each group with its counts, and below it what is running now."""

    def __init__(self, rows: Sequence[Row], out: TextIO) -> None:
        self.out = out
        self.totals = Counter((row.api, row.group) for row in rows)
        self.states: dict[tuple[str, str], Counter[State]] = {place: Counter() for place in self.totals}
        self.running: dict[str, str] = {}
        self.lines = 0
        self.drawn = 0.0
        self.begun = time.monotonic()
        self.lock = threading.Lock()

    def started(self, row: Row) -> None:
        """A row is on its way."""
        with self.lock:
            self.running[row.id] = row.sentence
            self._draw()

    def ended(self, result: Result) -> None:
        """A row has ended; one that failed stays to be read above the table."""
        with self.lock:
            self.running.pop(result.row.id, None)
            self.states[result.row.api, result.row.group][result.state] += 1
            if result.state is State.FAIL:
                self._erase()
                mark = painted(MARKS[State.FAIL], State.FAIL)
                self._write(f"{mark} {result.row.sdk}: {result.row.sentence}")
                self._write(f"    {result.reason}")
                self.lines = 0
                self.drawn = 0
            self._draw()

    def close(self) -> None:
        """Draw the last state."""
        with self.lock:
            self.drawn = 0
            self.running.clear()
            self._draw()

    def _draw(self) -> None:
        if time.monotonic() - self.drawn < REFRESH_SECONDS:
            return
        self._erase()
        table = list(self._table())
        for text in table:
            self._write(text)
        self.lines = len(table)
        self.drawn = time.monotonic()
        self.out.flush()

    def _table(self) -> Iterable[str]:
        for place in self._shown():
            total, counts = self.totals[place], self.states[place]
            done = counts.total()
            bar = "█" * round(BAR * done / total)
            told = "  ".join(painted(f"{MARKS[state]} {counts[state]}", state) for state in State if counts[state])
            yield f"{place[0]:<7} {place[1]:<29} {bar:<{BAR}} {done:>3}/{total:<3}  {told}"
        for sentence in list(self.running.values())[:2]:
            yield f"\x1b[2m… {sentence}\x1b[0m"
        yield f"\x1b[2m{time.monotonic() - self.begun:.0f} s\x1b[0m"

    def _shown(self) -> list[tuple[str, str]]:
        """The groups that fit into the terminal: those that are done go first."""
        room = max(shutil.get_terminal_size().lines - LINES_BELOW, 1)
        places = list(self.totals)
        done = [place for place in places if self.states[place].total() == self.totals[place]]
        hidden = set(done[: max(len(places) - room, 0)])
        return [place for place in places if place not in hidden][:room]

    def _write(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.out.write(f"\x1b[2K{cut(text, width)}\n")

    def _erase(self) -> None:
        if self.lines:
            self.out.write(f"\x1b[{self.lines}F\x1b[0J")
            self.lines = 0


def cut(text: str, width: int) -> str:
    """A line that does not wrap; what it is painted with is not counted."""
    shown, plain, index = "", 0, 0
    while index < len(text) and plain < width:
        if text[index] == "\x1b":
            end = next(place for place in range(index, len(text)) if text[place].isalpha())
            shown += text[index : end + 1]
            index = end + 1
            continue
        shown += text[index]
        plain, index = plain + 1, index + 1
    return shown + "\x1b[0m"


def painted(text: str, state: State) -> str:
    """A text in the colour of a state."""
    return f"\x1b[{COLOURS[state]}m{text}\x1b[0m"


def make_table(rows: Sequence[Row], out: TextIO = sys.stdout) -> LiveTable | PlainLines:
    """The table that suits where it is shown."""
    return LiveTable(rows, out) if out.isatty() else PlainLines(rows, out)
