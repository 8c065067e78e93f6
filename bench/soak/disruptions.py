"""Disruptions, one after another: a worker is killed, the server is reloaded, the upstream is down for a second."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable

from bench.processes import Process, resident
from bench.soak.callers import SharedState
from bench.soak.leftovers import descriptors
from bench.soak.outcomes import KILL, RELOAD, UPSTREAM_DOWN, Disruption, PossibleEnds

DOWN_SECONDS = 1.0
RELOAD_SECONDS = 30  # within which old workers finish their requests
FETCHED_AGAIN = 10  # pictures, after each disruption
STOP_SECONDS = 0.02


class Disruptor:
    """Runs disruptions, and records what they hit."""

    def __init__(self, process: Process, shared: SharedState):
        self.process = process
        self.shared = shared
        self.spared_worker = 0
        self.killed: set[int] = set()
        self.unfinished: set[str] = set()  # paths left by killed workers; the store sweeps them after an hour

    def run(self, spared: float, end: float, pause: float) -> None:
        """Disruptions until the end. From `spared` on one worker is spared, so that its growth can be measured."""
        disruptions = itertools.cycle((self.reload, self.kill, self.stop_upstream))
        while time.monotonic() + pause < spared:
            self.disrupt_after(pause, next(disruptions))
        self.spared_worker = min(self.workers(), default=0)
        disruptions = itertools.cycle((self.kill, self.stop_upstream))
        while time.monotonic() + 2 * pause < end:
            self.disrupt_after(2 * pause, next(disruptions))

    def disrupt_after(self, pause: float, disrupt: Callable[[], None]) -> None:
        """Wait, disrupt, and check that pictures stored before are still served."""
        time.sleep(pause)
        before = time.monotonic()
        disrupt()
        self.shared.fetch_again(before, FETCHED_AGAIN)

    def workers(self) -> list[int]:
        """The ids of the running workers."""
        return [pid for pid in self.process.workers() if resident(pid)]

    def kill(self) -> None:
        """Kill a worker; it is stopped first, to note which pictures it leaves unfinished."""
        if not (candidates := [pid for pid in self.workers() if pid != self.spared_worker]):
            return
        pid = candidates[-1]
        disruption = self.begin("a kill", KILL)
        self.killed.add(pid)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOP_SECONDS)
        self.unfinished |= {target for target in descriptors(pid) if target.endswith(".part")}
        os.kill(pid, signal.SIGKILL)
        while resident(pid):
            time.sleep(0.01)
        self.end(disruption, "workers killed")

    def reload(self) -> None:
        """Reload the server, and wait until the old workers are gone."""
        old, late = self.workers(), time.monotonic() + RELOAD_SECONDS
        disruption = self.begin("a reload", RELOAD)
        os.kill(self.process.pid, signal.SIGHUP)
        while any(map(resident, old)):
            if time.monotonic() > late:
                self.shared.tally.complain(f"a reload was not over after {RELOAD_SECONDS} s")
                break
            time.sleep(0.05)
        self.end(disruption, "reloads")

    def stop_upstream(self) -> None:
        """Take the upstream down for a second."""
        disruption = self.begin("an upstream that was down", UPSTREAM_DOWN)
        self.shared.upstream.go_down(DOWN_SECONDS)
        self.end(disruption, "times without an upstream")

    def begin(self, name: str, possible_ends: PossibleEnds) -> Disruption:
        """A new disruption that begins now."""
        disruption = Disruption(name, possible_ends, time.monotonic())
        self.shared.disruptions.append(disruption)
        return disruption

    def end(self, disruption: Disruption, name: str) -> None:
        """End a disruption, and count it."""
        disruption.ended = time.monotonic()
        self.shared.tally.count(name)
