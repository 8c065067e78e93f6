"""`python -m bench.soak [--seconds 600]`; 1 if anything was found."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import servers, soak
from bench.processes import end_in_order, tree
from bench.servers import Server
from bench.soak.callers import TTL, WAYS, Caller, Scene
from bench.soak.faults import HARMFUL
from bench.soak.growth import MIB, Change, Look, changes, lived_through, look_at
from bench.soak.rest import SWEPT_AFTER, Held, complaints, held_by, in_flight, overdue
from bench.soak.trouble import Trouble
from bench.soak.upstream import SoakUpstream

CALLERS = 24
SPARED = (60.0, 0.2)  # seconds, or the part of the time, after which nothing is reloaded and one worker lives on
SETTLED = (120.0, 0.4)  # after which nothing may grow any more
PAUSE = (10.0, 0.04)  # between two blows; afterwards it is twice as long
LOOK_SECONDS = 1.0
TELL_SECONDS = 30.0
REST_SECONDS = 15  # in which everything of callers who are gone ends
WANTED = (
    *(f"right answers to {way.name}" for way in WAYS),
    *(f"calls with fault {name}" for name in HARMFUL),
    "workers killed",
    "reloads",
    "times without an upstream",
    "pictures fetched again after a blow",
    "callers who left in the middle",
)


class Soak:
    """The server, its upstream, and all that is done to them."""

    def __init__(self, server: Server, upstream: SoakUpstream, folder: Path, seconds: float):
        self.process = server.process
        self.upstream = upstream
        self.store = servers.store_of(folder)
        self.scene = Scene(int(server.url.rpartition(":")[2]), upstream)
        self.trouble = Trouble(server.process, self.scene)
        self.at_first = max(self.held(pid).others for pid in self.trouble.workers())
        self.looks: list[Look] = []  # since all has settled
        self.most_overdue = 0
        self.started = time.monotonic()
        self.end = self.started + seconds
        self.spared = self.started + shorter(SPARED, seconds)
        self.settled = self.started + shorter(SETTLED, seconds)
        self.pause = shorter(PAUSE, seconds)
        self.is_short = shorter(SETTLED, seconds) < SETTLED[0]

    def run(self) -> None:
        """Everything at once, until the time is over. A thread that ends before is no caller less, but a finding."""
        threading.excepthook = lambda ended: self.scene.tally.complain(f"the soak itself: {ended.exc_value!r}")
        callers = [Caller(number, self.scene) for number in range(CALLERS)]
        threads = [threading.Thread(target=caller.call_until, args=(self.end,)) for caller in callers]
        threads.append(threading.Thread(target=self.trouble.strike, args=(self.spared, self.end, self.pause)))
        for thread in threads:
            thread.start()
        self.watch()
        for thread in threads:
            thread.join()

    def watch(self) -> None:
        """Looks at the server from time to time, and tells how it goes."""
        told = time.monotonic()
        while (now := time.monotonic()) < self.end:
            look = look_at(tree(self.process.pid), now - self.started, self.held)
            if now > self.settled:
                self.looks.append(look)
            self.most_overdue = max(self.most_overdue, overdue(self.store, time.time()))
            if now - told > TELL_SECONDS:
                told = now
                self.tell(look)
            time.sleep(LOOK_SECONDS)

    def tell(self, look: Look) -> None:
        counts = self.scene.tally.snapshot()
        right = sum(count for what, count in counts.items() if what.startswith("right answers"))
        memory, descriptors = max(look.memory.values()) / MIB, sum(held.all for held in look.held.values())
        told = f"{right} right answers, {counts['UNEXPLAINED']} unexplained"
        print(
            f"{look.seconds:5.0f} s  {told}; {memory:.0f} MiB in the largest process, {descriptors} descriptors",
            flush=True,
        )

    # What is found

    def verdict(self) -> list[str]:
        """What speaks against the server; nothing if all is well."""
        found = [f"unexplained: {one}" for one in self.scene.tally.unexplained[:20]]
        found += [f"grown: {change}" for change in self.changes() if change.is_growth]
        found += [f"{name} ended, and nobody had killed it" for name, pid in self.lasting() if not self.lasted(pid)]
        if self.most_overdue:
            found.append(f"{self.most_overdue} pictures were still kept {SWEPT_AFTER} s after their end")
        counts = self.scene.tally.snapshot()
        found += [f"nothing is known without any {what}" for what in WANTED if not counts[what]]
        return found + self.left_behind()

    def lasting(self) -> tuple[tuple[str, int], ...]:
        """The processes that have to live through it."""
        return ("gunicorn", self.process.pid), ("the worker that was spared", self.trouble.elder)

    def lasted(self, pid: int) -> bool:
        return lived_through(self.looks, pid)

    def changes(self) -> list[Change]:
        """What the lasting processes held early and late."""
        return [change for name, pid in self.lasting() if self.lasted(pid) for change in changes(self.looks, name, pid)]

    def left_behind(self) -> list[str]:
        """What remains of callers who are gone."""
        until = time.monotonic() + REST_SECONDS
        while (found := self.remains()) and time.monotonic() < until:
            time.sleep(0.5)
        return found

    def remains(self) -> list[str]:
        found = []
        if flying := in_flight(self.scene.port):
            found.append(f"{flying} calls are still counted as in flight")
        if unfinished := set(map(str, self.store.glob("*.part"))) - self.trouble.unfinished:
            found.append(f"{len(unfinished)} unfinished pictures were left, and no kill left them")
        for pid in self.trouble.workers():
            excess = self.held(pid).excess(self.upstream.most_at_once, self.at_first)
            found += [f"worker {pid} still holds {what}" for what in excess]
        return found

    def held(self, pid: int) -> Held:
        return held_by(pid, self.scene.port, self.upstream.port, self.store)


def shorter(limits: tuple[float, float], seconds: float) -> float:
    """A limit in seconds, or a part of all the time if that is shorter."""
    limit, part = limits
    return min(limit, part * seconds)


def main() -> int:
    """Soaks, and says what was found."""
    end_in_order()
    parser = argparse.ArgumentParser(prog="make soak", description=soak.__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinlens-soak-") as name, SoakUpstream() as upstream:
        folder = Path(name)
        settings = {"IMAGE_TTL_SECONDS": str(TTL), "UPSTREAM_TIMEOUT_SECONDS": "5"}
        with servers.twinlens(folder, upstream, **settings) as server:  # type: ignore[arg-type]
            run = Soak(server, upstream, folder, options.seconds)
            run.run()
            found = run.verdict()
            errors = complaints(server.process, run.trouble.killed)
        found += [f"the server logged: {line}" for line in errors[:10]]
    print("\n".join(f"{count:8}  {what}" for what, count in sorted(run.scene.tally.counts.items()) if count))
    print("\n".join(["", *map(str, run.changes()), "", *found, "SOAK: " + ("FAILED" if found else "passed")]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
