"""What is done from outside: a worker is killed, the server reloaded, the upstream gone for a moment, in turns."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable

from bench.processes import Process, resident
from bench.soak.callers import Scene
from bench.soak.judgement import AWAY, KILL, RELOAD, Blow, Leads
from bench.soak.rest import descriptors

AWAY_SECONDS = 1.0
RELOAD_SECONDS = 30  # in which old workers end what they have begun
FETCHED_AGAIN = 10  # pictures, after each blow
STOP_SECONDS = 0.02


class Trouble:
    """Blows, and what they have met."""

    def __init__(self, process: Process, scene: Scene):
        self.process = process
        self.scene = scene
        self.elder = 0  # the worker that is spared
        self.killed: set[int] = set()
        self.unfinished: set[str] = set()  # paths that the killed left; a sweep takes them after an hour

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
        """Kills a worker, held fast for a moment to see which pictures it leaves unfinished."""
        if not (doomed := [pid for pid in self.workers() if pid != self.elder]):
            return
        pid = doomed[-1]
        blow = self.begin("a kill", KILL)
        self.killed.add(pid)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOP_SECONDS)
        self.unfinished |= {target for target in descriptors(pid) if target.endswith(".part")}
        os.kill(pid, signal.SIGKILL)
        while resident(pid):
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
