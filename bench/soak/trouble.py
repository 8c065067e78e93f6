"""What is done from outside: a worker is killed, the server reloaded, the upstream gone for a moment, in turns."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from bench.processes import Process, resident
from bench.soak.callers import Scene
from bench.soak.judgement import AWAY, KILL, RELOAD, Blow, Leads

AWAY_SECONDS = 1.0
RELOAD_SECONDS = 30  # in which old workers end what they have begun
FETCHED_AGAIN = 10  # pictures, after each blow
FILE_SECONDS = 10  # that a picture can have been on its way into the store when its worker was killed


class Trouble:
    """Blows, and what they have met."""

    def __init__(self, process: Process, scene: Scene):
        self.process = process
        self.scene = scene
        self.elder = 0  # the worker that is spared
        self.killed: dict[int, float] = {}  # when, by id

    def strike(self, spared: float, end: float, pause: float) -> None:
        """One blow after another, until the end. From `spared` on none meets the elder, whose growth is looked for."""
        blows = itertools.cycle((self.reload, self.kill, self.leave))
        while time.monotonic() + pause < spared:
            self.strike_after(pause, next(blows))
        self.elder = min(self.workers(), default=0)
        blows = itertools.cycle((self.kill, self.leave))
        while time.monotonic() + 2 * pause < end:
            self.strike_after(2 * pause, next(blows))

    def strike_after(self, pause: float, blow: Callable[[], None]) -> None:
        """A blow, and then a look whether pictures that were announced before are still there."""
        time.sleep(pause)
        before = time.monotonic()
        blow()
        self.scene.fetch_again(before, FETCHED_AGAIN)

    def workers(self) -> list[int]:
        """The workers that live."""
        return [pid for pid in self.process.workers() if resident(pid)]

    def kill(self) -> None:
        if not (doomed := [pid for pid in self.workers() if pid != self.elder]):
            return
        blow = self.begin("a kill", KILL)
        self.killed[doomed[-1]] = time.time()
        os.kill(doomed[-1], signal.SIGKILL)
        while resident(doomed[-1]):
            time.sleep(0.01)
        self.end(blow, "workers killed")

    def reload(self) -> None:
        old, late = self.workers(), time.monotonic() + RELOAD_SECONDS
        blow = self.begin("a reload", RELOAD)
        os.kill(self.process.pid, signal.SIGHUP)
        while any(map(resident, old)):
            if time.monotonic() > late:
                self.scene.tally.complain(f"a reload was not over after {RELOAD_SECONDS} s")
                break
            time.sleep(0.05)
        self.end(blow, "reloads")

    def leave(self) -> None:
        blow = self.begin("no upstream", AWAY)
        self.scene.upstream.leave(AWAY_SECONDS)
        self.end(blow, "times without an upstream")

    def begin(self, name: str, leads_to: Leads) -> Blow:
        blow = Blow(name, leads_to, time.monotonic())
        self.scene.blows.append(blow)
        return blow

    def end(self, blow: Blow, name: str) -> None:
        blow.ended = time.monotonic()
        self.scene.tally.count(name)

    def of_the_killed(self, path: Path) -> bool:
        """Whether a killed worker may have left the unfinished file, which the sweep takes after an hour."""
        written = path.stat().st_mtime
        return any(0 <= moment - written + 1 < FILE_SECONDS for moment in self.killed.values())
