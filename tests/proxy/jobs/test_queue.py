"""Jobs wait for their turn, wait out what passes, and end truly whatever happens to their worker."""

from __future__ import annotations

import gevent
import pytest

from compat.errors import ApiError, Bought
from proxy.jobs.queue import Queue
from proxy.jobs.records import JobRecord, Waiting
from proxy.state.database import Database, DatabaseUnavailable
from tests.proxy.jobs.conftest import EXHAUSTED, OVERLOADED, RATE_LIMITED, TOO_LATE, UNREACHABLE, MakeWorker, Upstream
from tests.proxy.purchases.shop import Bodies


def test_a_job_is_carried_out_and_its_request_forgotten(worker: MakeWorker, upstream: Upstream, bodies: Bodies):
    one = worker()
    job = one.submit("a cat")
    assert one.shown(job)["status"] == "queued"
    ended = one.end_of(job)
    assert (ended.state, ended.bought) == ("done", Bought.YES)
    assert one.shown(job)["result"] == {"drawn": "a cat"}
    assert list(bodies.kept) == [ended.body]
    assert not one.jobs.queue.callers and not one.jobs.keeping.leased


def test_many_jobs_of_which_the_upstream_takes_few_at_once(
    worker: MakeWorker, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    started: list[str] = []
    start = Queue.start

    def note(queue: Queue, job: JobRecord, waiting: Waiting) -> None:
        started.append(job.id)
        start(queue, job, waiting)

    monkeypatch.setattr(Queue, "start", note)
    upstream.places, upstream.retry_after, upstream.seconds = 3, 0.05, 0.01
    one = worker()
    prompts = [f"{number:03}" for number in range(20)]
    jobs = [one.submit(prompt) for prompt in prompts]
    assert {one.end_of(job, 60).state for job in jobs} == {"done"}
    assert sorted(upstream.sold) == prompts
    assert list(dict.fromkeys(started)) == [job.id for job in jobs], "first attempts start in order of arrival"
    assert len(upstream.asked) < 60, "jobs do not hammer an upstream that refuses them"


def test_callers_take_turns(worker: MakeWorker, upstream: Upstream):
    one = worker(most=1)
    jobs = [one.submit(f"ann {number}", "ann") for number in range(6)]
    jobs += [one.submit(f"bob {number}", "bob") for number in range(2)]
    for job in jobs:
        one.end_of(job)
    bobs = [position for position, prompt in enumerate(upstream.asked) if prompt.startswith("bob")]
    assert max(bobs) <= 4, upstream.asked
    assert [prompt for prompt in upstream.asked if prompt.startswith("ann")] == [f"ann {n}" for n in range(6)]


def test_no_more_than_the_limit_run_at_once(worker: MakeWorker, upstream: Upstream):
    one = worker(most=3)
    for job in [one.submit(str(number)) for number in range(12)]:
        one.end_of(job)
    assert upstream.most_busy == 3


@pytest.mark.parametrize("trouble", [RATE_LIMITED, OVERLOADED, UNREACHABLE], ids=lambda one: one.kind.name)
def test_what_passes_is_waited_out(worker: MakeWorker, upstream: Upstream, trouble: ApiError):
    upstream.troubles = [trouble, trouble]
    one = worker()
    assert one.end_of(one.submit("a cat")).state == "done"
    assert (len(upstream.asked), upstream.sold) == (3, ["a cat"])


def test_after_a_429_all_jobs_of_the_key_and_model_rest_and_others_do_not(worker: MakeWorker, upstream: Upstream):
    upstream.troubles = [ApiError(RATE_LIMITED.kind, "Slow down.", retry_after=30)]
    one = worker(most=1)
    first, second = one.submit("first"), one.submit("second")
    upstream.wait_for(1)
    other, other_model = one.submit("bob's", "bob"), one.submit("of m2", model="m2")
    one.end_of(other)
    one.end_of(other_model)
    assert upstream.sold == ["bob's", "of m2"]
    one.jobs.queue.lane(("ann", "m")).rests_until = 0
    one.jobs.queue.wake.set()
    one.end_of(second)
    one.end_of(first)
    assert upstream.asked == ["first", "bob's", "of m2", "first", "second"]


@pytest.mark.parametrize(("trouble", "state"), [(EXHAUSTED, "released"), (TOO_LATE, "done")])
def test_what_does_not_pass_fails_at_once(worker: MakeWorker, upstream: Upstream, trouble: ApiError, state: str):
    upstream.troubles = [trouble]
    one = worker()
    job = one.end_of(one.submit("a cat", key="k"))
    assert (job.state, one.shown(job)["status"], len(upstream.asked)) == (state, "failed", 1)
    again = one.submit("a cat", key="k")
    assert (again.id == job.id) == (trouble is TOO_LATE), "only what may have been bought keeps its key"


def test_a_job_does_not_wait_forever(worker: MakeWorker, upstream: Upstream):
    upstream.troubles = [OVERLOADED] * 1000
    one = worker(job_seconds=1)
    error = one.shown(one.end_of(one.submit("a cat")))["error"]
    assert isinstance(error, dict)
    assert error["code"] in ("service_unavailable", "server_is_overloaded") and "JOB_SECONDS" in error["message"]
    upstream.troubles = [ApiError(RATE_LIMITED.kind, "Slow down.", retry_after=60)]
    assert one.end_of(one.submit("a dog")).bought is Bought.NO  # the upstream asks for more than there is


@pytest.mark.usefixtures("short_leases")
def test_a_worker_that_is_killed_after_it_asked_leaves_an_unknown_outcome(worker: MakeWorker, upstream: Upstream):
    upstream.seconds = 60
    one, other = worker(), worker()
    for ours in (True, False):
        other.jobs.queue.start_looking()
        job = one.submit("a cat", ours=ours, key=f"k{ours}")
    upstream.wait_for(2)
    one.die()
    ended = other.end_of(job)
    assert (other.shown(ended)["status"], ended.is_unknown) == ("failed", True)
    other.wait_for_state(job, "unknown")
    assert len(upstream.asked) == 2
    error = other.shown(job)["error"]
    assert isinstance(error, dict) and error["code"] == "outcome_unknown"
    assert other.submit("a cat", key="kFalse").id == job.id, "its key never buys again"


@pytest.mark.usefixtures("short_leases")
def test_between_two_attempts_a_job_goes_on_elsewhere_if_its_key_is_the_operators(
    worker: MakeWorker, upstream: Upstream
):
    upstream.troubles = [ApiError(OVERLOADED.kind, "Later.", retry_after=1)] * 2
    one, other = worker(), worker()
    ours, own = one.submit("ours", ours=True), one.submit("own", key="k")
    upstream.wait_for(2)
    for job in (ours, own):
        one.wait_for_state(job, "queued")
    one.die()
    other.jobs.queue.start_looking()
    assert other.end_of(ours).state == "done"
    assert other.end_of(own).job.status == "failed"
    error = other.shown(own)["error"]
    assert isinstance(error, dict) and error["code"] == "job_lost" and "Nothing was bought" in error["message"]
    other.wait_for_state(own, "unsent")
    assert other.submit("own", key="k").id != own.id, "its key may buy"
    assert upstream.sold == ["ours"]


def test_a_worker_that_stops_lets_running_jobs_end_and_starts_no_more(worker: MakeWorker, upstream: Upstream):
    upstream.seconds = 0.3
    one, other = worker(most=1), worker()
    running, own, ours = one.submit("running"), one.submit("own"), one.submit("ours", ours=True)
    upstream.wait_for(1)
    one.jobs.queue.stop()
    assert one.jobs.queue.ended.wait(20)
    assert one.find(own).state == "unsent"
    assert one.end_of(running).state == "done"
    other.jobs.queue.start_looking()
    assert other.end_of(ours).state == "done"
    assert upstream.sold == ["running", "ours"]


def test_a_job_that_is_ended(worker: MakeWorker, upstream: Upstream):
    upstream.seconds = 60
    one, other = worker(most=1), worker()
    running, waiting, third = one.submit("running"), one.submit("waiting"), one.submit("third", key="k")
    upstream.wait_for(1)
    upstream.seconds = 0.01
    assert other.jobs.cancel(other.find(waiting)).bought is Bought.NO
    ended = other.jobs.cancel(other.find(running))
    assert (ended.job.status, ended.bought) == ("cancelled", Bought.UNKNOWN)
    assert one.end_of(third).state == "done"
    assert one.find(running).state == "cancelled"
    assert upstream.asked == ["running", "third"]
    assert other.jobs.cancel(other.find(third)).state == "done", "what is over stays as it is"
    assert set(one.bodies.kept) == {one.find(third).body}


@pytest.mark.usefixtures("short_leases")
def test_while_the_database_is_away_nothing_is_lost(
    worker: MakeWorker, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    upstream.seconds = 0.3
    one = worker()
    job = one.submit("a cat")
    upstream.wait_for(1)
    real = Database.transaction

    def away(*_: object) -> None:
        raise DatabaseUnavailable("The database cannot be reached.")

    monkeypatch.setattr(Database, "transaction", away)
    gevent.sleep(1.5)  # longer than its lease
    monkeypatch.setattr(Database, "transaction", real)
    worker().jobs.records().settle()
    one.wait_for_state(job, "done")  # it may be taken for unknown until its worker is heard again
    assert upstream.sold == ["a cat"]


def test_too_many_waiting_jobs_are_refused(worker: MakeWorker, monkeypatch: pytest.MonkeyPatch):
    from proxy.jobs import records

    monkeypatch.setattr(records, "MOST_QUEUED_JOBS", 2)
    one = worker()
    one.jobs.queue.stopping = True
    one.submit("1", ours=True)
    one.submit("2", ours=True)
    with pytest.raises(ApiError, match="Too many jobs"):
        one.submit("3", ours=True)
    with pytest.raises(ApiError, match="stopping"):
        one.submit("its key would end with this worker")
    assert len(one.bodies.kept) == 2


def test_an_answer_that_nobody_got_withdraws_its_job(worker: MakeWorker, upstream: Upstream):
    one = worker()
    one.jobs.queue.stopping = True
    job = one.submit("a cat", ours=True)
    one.jobs.queue.withdraw(job)
    assert one.jobs.find(job.id, "ann", "openai") is None
    assert not one.bodies.kept
