"""Two workers over one database and one store, whose jobs ask an upstream that follows a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
import pytest

from compat.errors import ApiError, Bought, ErrorKind
from compat.gemini_content.error import GEMINI
from compat.openai_images.error import OPENAI
from proxy.caller import Caller
from proxy.jobs import jobs as jobs_module
from proxy.jobs import lanes, queue
from proxy.jobs import records as job_records
from proxy.jobs.attempt import Attempt
from proxy.jobs.jobs import Jobs
from proxy.jobs.queue import Queue
from proxy.jobs.records import JobRecord
from proxy.jobs.request import JobRequest
from proxy.observation.record import Observation
from proxy.pictures.spool import SpoolMemory
from proxy.purchases import keeping, records
from proxy.purchases.call import Made
from proxy.purchases.orders import Order, Render
from proxy.purchases.purchases import Purchases
from proxy.routes.errors import render_error
from proxy.state.database import Database
from tests.proxy.purchases.shop import MIB, Bodies


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for a condition."""
    with gevent.Timeout(seconds):
        while not holds():
            gevent.sleep(0.01)


@dataclass
class Upstream:
    """Sells what it is asked for, in `seconds`, to `places` at once; `troubles` are what the next calls get instead."""

    seconds: float = 0.02
    places: int = 1000
    retry_after: float = 0.1
    troubles: list[ApiError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sold: list[str] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0

    def prepare(self, attempt: Attempt, request: JobRequest) -> None:
        """Reads a stored request, as the routes do."""
        attempt.observation = Observation("id", "POST")
        attempt.make = lambda: self.make(request.body.decode())

    def make(self, prompt: str) -> Made:
        self.asked.append(prompt)
        if self.troubles:
            raise self.troubles.pop(0)
        if self.busy >= self.places:
            raise ApiError(ErrorKind.RATE_LIMITED, "Slow down.", retry_after=self.retry_after)
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        try:
            gevent.sleep(self.seconds)
        finally:
            self.busy -= 1
        self.sold.append(prompt)
        return Made(200, {"Content-Type": "application/json"}, iter([json.dumps({"drawn": prompt}).encode()]))

    def wait_for(self, count: int) -> None:
        """Waits until it has been asked so often."""
        wait_until(lambda: len(self.asked) >= count)


@dataclass(eq=False)
class Worker:
    """A worker of its own: another one than any other, though it runs in this process."""

    jobs: Jobs
    bodies: Bodies

    def submit(
        self, prompt: str, scope: str = "ann", ours: bool = False, key: str | None = None, model: str = "m"
    ) -> JobRecord:
        """A job for a prompt."""
        request = JobRequest("POST", "http", "localhost", "/v1", "", {}, "abc", prompt.encode())
        order = Order(scope, prompt, render("openai"), key=key)
        return self.jobs.accept(order, "openai", model, ours, request, Caller(scope, "abc", OPENAI))[1]

    def find(self, job: JobRecord) -> JobRecord:
        """The job as it is now."""
        found = self.jobs.find(job.id, job.scope, "openai")
        assert found
        return found

    def shown(self, job: JobRecord) -> dict[str, object]:
        """What its caller is shown."""
        shown: dict[str, object] = json.loads(b"".join(self.jobs.write(self.find(job), "openai", "m")))
        return shown

    def wait_for_state(self, job: JobRecord, state: str) -> None:
        """Waits until this state is recorded."""
        wait_until(lambda: self.find(job).state == state)

    def end_of(self, job: JobRecord, seconds: float = 20) -> JobRecord:
        """The job when it is over."""
        ended = self.jobs.wait(job, seconds)
        assert ended.job.is_over, ended
        return ended

    def die(self) -> None:
        """Ends as a killed process does: nothing is recorded, no lease is renewed."""
        self.jobs.queue.stopping = True
        for task in (self.jobs.queue.task, self.jobs.keeping.heart):
            if task:
                task.greenlet.kill()
        for call in list(self.jobs.queue.running.values()):
            call.at_end.clear()
            call.task.greenlet.kill()


def render(surface: str) -> Render:
    dialect = GEMINI if surface == "gemini" else OPENAI
    return lambda error: render_error(error, dialect)


MakeWorker = Callable[..., Worker]


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture
def worker(migrated_url: str, bodies: Bodies, upstream: Upstream) -> Iterator[MakeWorker]:
    """Makes a worker, with a number of jobs at once and the seconds that a job may wait."""
    made: list[Worker] = []
    databases: list[Database] = []

    def make(most: int = 100, job_seconds: int = 60, calls_back: bool = False) -> Worker:
        databases.append(Database(migrated_url))
        purchases = Purchases(databases[-1], bodies, SpoolMemory(64 * MIB), 3600)
        jobs = Jobs(
            Queue(purchases.keeping, purchases.memory, most, job_seconds, True, upstream.prepare, render),
            render,
            calls_back,
        )
        made.append(Worker(jobs, bodies))
        return made[-1]

    yield make
    for one in made:
        one.die()
    gevent.sleep(0.01)
    for database in databases:
        database.close()


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "JOB_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(queue, "LEASE_SECONDS", 0.2)
    monkeypatch.setattr(queue, "LONGEST_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(lanes, "LARGEST_JITTER", 0.02)
    monkeypatch.setattr(jobs_module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(keeping, "HEARTBEAT_SECONDS", 0.1)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which a worker dies: on a busy machine others would lose jobs to so short a lease."""
    for module in (records, job_records):
        monkeypatch.setattr(module, "LEASE_SECONDS", 1.2)


RATE_LIMITED = ApiError(ErrorKind.RATE_LIMITED, "Slow down.", retry_after=0.1)
OVERLOADED = ApiError(ErrorKind.UPSTREAM_UNAVAILABLE, "The model is overloaded.")
UNREACHABLE = ApiError(ErrorKind.UPSTREAM_BROKEN, "The upstream could not be reached.")
EXHAUSTED = ApiError(ErrorKind.QUOTA_EXHAUSTED, "The day's quota is used up.")
TOO_LATE = ApiError(ErrorKind.UPSTREAM_TIMEOUT, "No answer.", bought=Bought.UNKNOWN)
