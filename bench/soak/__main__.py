"""`python -m bench.soak [--seconds 600]`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import servers, soak
from bench.processes import exit_on_sigterm, tree
from bench.servers import Server
from bench.soak.budget import SETTINGS, Budget
from bench.soak.callers import TTL, WAYS, Caller, SharedState
from bench.soak.disruptions import Disruptor
from bench.soak.faults import HARMFUL
from bench.soak.growth import MIB, Change, Sample, changes, lived_through, take_sample
from bench.soak.leftovers import SWEPT_AFTER, Held, held_by, in_flight, logged_errors, overdue
from bench.soak.upstream import SoakUpstream

CALLERS = 24
SPARED = (60.0, 0.2)  # seconds, or part of the time, after which nothing is reloaded and one worker is spared
SETTLED = (120.0, 0.4)  # after which nothing may grow
PAUSE = (10.0, 0.04)  # between two disruptions; twice as long once a worker is spared
CONFIGURATION = str(Path(__file__).with_name("short_leases_gunicorn.conf.py"))
LOG = Path(tempfile.gettempdir()) / "twinlens-soak.log"  # of the server, after a soak that failed
SAMPLE_SECONDS = 1.0
REPORT_SECONDS = 30.0
SETTLE_SECONDS = 15  # within which everything that belongs to callers ends
MUST_HAPPEN = (
    *(f"right answers to {way.name}" for way in WAYS),
    *(f"calls with fault {name}" for name in HARMFUL),
    "workers killed",
    "reloads",
    "times without an upstream",
    "pictures fetched again after a disruption",
    "callers that hung up",
    "callers that left for good",
    "answers replayed to a key",
    "promises taken up at the end",
)


class Soak:
    """The server, its upstream, the callers and the disruptions."""

    def __init__(self, server: Server, upstream: SoakUpstream, folder: Path, seconds: float):
        self.process = server.process
        self.upstream = upstream
        self.store = servers.store_of(folder)
        self.shared = SharedState(int(server.url.rpartition(":")[2]), upstream)
        self.disruptor = Disruptor(server.process, self.shared)
        self.at_first = max(self.held(pid).others for pid in self.disruptor.workers())
        self.samples: list[Sample] = []  # once everything has settled
        self.most_overdue = 0
        self.started = time.monotonic()
        self.end = self.started + seconds
        self.spared = self.started + shorter(SPARED, seconds)
        self.settled = self.started + shorter(SETTLED, seconds)
        self.pause = shorter(PAUSE, seconds)
        self.is_short = shorter(SETTLED, seconds) < SETTLED[0]

    def run(self) -> None:
        """Run callers and disruptions until the end. A thread that raises is a finding."""
        threading.excepthook = lambda ended: self.shared.tally.complain(f"the soak itself: {ended.exc_value!r}")
        callers = [Caller(number, self.shared) for number in range(CALLERS)]
        threads = [threading.Thread(target=caller.call_until, args=(self.end,)) for caller in callers]
        threads.append(threading.Thread(target=self.disruptor.run, args=(self.spared, self.end, self.pause)))
        for thread in threads:
            thread.start()
        self.watch()
        for thread in threads:
            thread.join()

    def watch(self) -> None:
        """Take samples of the server, and print the progress."""
        printed = time.monotonic()
        while (now := time.monotonic()) < self.end:
            sample = take_sample(tree(self.process.pid), now - self.started, self.held)
            if now > self.settled:
                self.samples.append(sample)
            self.most_overdue = max(self.most_overdue, overdue(self.store, time.time()))
            if now - printed > REPORT_SECONDS:
                printed = now
                self.print_progress(sample)
            time.sleep(SAMPLE_SECONDS)

    def print_progress(self, sample: Sample) -> None:
        """Print a line with the counts so far."""
        counts = self.shared.tally.snapshot()
        right = sum(count for what, count in counts.items() if what.startswith("right answers"))
        memory, descriptors = max(sample.memory.values()) / MIB, sum(held.all for held in sample.held.values())
        summary = f"{right} right answers, {counts['UNEXPLAINED']} unexplained"
        print(
            f"{sample.seconds:5.0f} s  {summary}; {memory:.0f} MiB in the largest process, {descriptors} descriptors",
            flush=True,
        )

    # Findings

    def verdict(self) -> list[str]:
        """All findings; empty if there is none."""
        found = [f"unexplained: {one}" for one in self.shared.tally.unexplained[:20]]
        found += [f"grown: {change}" for change in self.changes() if change.is_growth]
        found += [f"{name} ended without being killed" for name, pid in self.lasting() if not self.lasted(pid)]
        if self.most_overdue:
            found.append(f"{self.most_overdue} pictures were still there {SWEPT_AFTER} s after they expired")
        found += self.left_behind()
        found += self.shared.ledger.close(Caller(CALLERS, self.shared))
        counts = self.shared.tally.snapshot()
        return found + [f"the soak had no {what}" for what in MUST_HAPPEN if not counts[what]]

    def lasting(self) -> tuple[tuple[str, int], ...]:
        """The processes that must not end."""
        return ("gunicorn", self.process.pid), ("the spared worker", self.disruptor.spared_worker)

    def lasted(self, pid: int) -> bool:
        """Whether a process did not end."""
        return lived_through(self.samples, pid)

    def changes(self) -> list[Change]:
        """What the processes that must not end held early and late."""
        return [
            change
            for name, pid in self.lasting()
            if self.lasted(pid)
            for change in changes(self.samples, name, pid, self.is_short)
        ]

    def left_behind(self) -> list[str]:
        """What remains when all callers are gone, after some seconds to settle."""
        until = time.monotonic() + SETTLE_SECONDS
        while (found := self.remains()) and time.monotonic() < until:
            time.sleep(0.5)
        return found

    def remains(self) -> list[str]:
        """What remains now."""
        found = []
        if calls := in_flight(self.shared.port):
            found.append(f"{calls} calls are still counted as in flight")
        if unfinished := set(map(str, self.store.glob("*.part"))) - self.disruptor.unfinished:
            found.append(f"{len(unfinished)} unfinished pictures remain that no killed worker left")
        for pid in self.disruptor.workers():
            excess = self.held(pid).excess(self.upstream.most_at_once, self.at_first)
            found += [f"worker {pid} still holds {what}" for what in excess]
        return found

    def held(self, pid: int) -> Held:
        """The descriptors of a process."""
        return held_by(pid, self.shared.port, self.upstream.port, self.store)


def shorter(limits: tuple[float, float], seconds: float) -> float:
    """A limit in seconds, or a part of the whole time if that is shorter."""
    limit, part = limits
    return min(limit, part * seconds)


def main() -> int:
    """Run the soak and print the findings. Returns 1 if there are any."""
    exit_on_sigterm()
    parser = argparse.ArgumentParser(prog="make soak", description=soak.__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--budget", action="store_true", help="callers have keys of ours, with a budget (ACCESS=keys)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinlens-soak-") as name, SoakUpstream() as upstream:
        folder = Path(name)
        settings = {"IMAGE_TTL_SECONDS": str(TTL), "UPSTREAM_TIMEOUT_SECONDS": "5"}
        settings["DATABASE_URL"] = f"sqlite:///{folder}/soak.sqlite3"
        budget = Budget(settings["DATABASE_URL"]) if options.budget else None
        settings |= SETTINGS if budget else {}
        with servers.twinlens(folder, upstream, CONFIGURATION, **settings) as server:  # type: ignore[arg-type]
            run = Soak(server, upstream, folder, options.seconds)
            run.run()
            found = run.verdict()
            found += budget.findings(upstream.sales) if budget else []
            errors = logged_errors(server.process, run.disruptor.killed)
            if found or errors:
                shutil.copy(server.process.log, LOG)
                found.append(f"the server's log is in {LOG}")
        found += [f"the server logged: {line}" for line in errors[:10]]
    print("\n".join(f"{count:8}  {what}" for what, count in sorted(run.shared.tally.counts.items()) if count))
    print(f"{upstream.sales:8}  pictures sold")
    print("\n".join(f"{count:8}  {fate}" for fate, count in sorted(run.shared.ledger.fates.items())))
    print("\n".join(["", *map(str, run.changes()), "", *found, "SOAK: " + ("FAILED" if found else "passed")]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
