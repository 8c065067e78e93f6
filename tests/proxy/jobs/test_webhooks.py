"""The operator's receiver gets every event, signed, at least once."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import gevent
import pytest
from standardwebhooks.webhooks import Webhook

from proxy.jobs import webhooks as module
from proxy.jobs.webhooks import Webhooks, without_pictures
from tests.proxy.jobs.conftest import EXHAUSTED, MakeWorker, Upstream, Worker

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class Receiver:
    """Answers with these statuses in turn, then with 204; 0 is no answer."""

    statuses: list[int] = field(default_factory=list)
    delays: list[float | None] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[int, float | None]:
        assert url == "https://receiver.example/hook"
        self.ids.append(headers["webhook-id"])
        event = Webhook(SECRET).verify(body, dict(headers))
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 0:
            raise ConnectionRefusedError
        if status == 204:
            self.events.append(event)
        return status, self.delays.pop(0) if self.delays else None

    def wait_for(self, count: int) -> list[dict[str, object]]:
        with gevent.Timeout(10):
            while len(self.events) < count:
                gevent.sleep(0.02)
        return self.events


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setattr(module, "FIRST_WEBHOOK_PAUSE", 0.05)
    return Receiver()


def calling(worker: Worker, receiver: Receiver) -> Worker:
    webhooks = Webhooks(worker.jobs, "https://receiver.example/hook", SECRET, receiver.post)
    worker.jobs.queue.others.append(webhooks.deliver_due)
    worker.jobs.queue.start_looking()
    return worker


def test_a_receiver_that_refuses_three_times_and_is_away_gets_the_event(worker: MakeWorker, receiver: Receiver):
    receiver.statuses = [500, 302, 404, 0]
    one = calling(worker(calls_back=True), receiver)
    job = one.submit("a cat")
    [event] = receiver.wait_for(1)
    assert event["type"] == "image.job.completed"
    assert event["data"] == one.shown(job)
    assert receiver.ids == [f"msg_{job.id}"] * 5
    gevent.sleep(0.3)
    assert len(receiver.ids) == 5, "what was delivered is not repeated"


def test_how_a_job_ends_is_the_type_of_its_event(worker: MakeWorker, receiver: Receiver, upstream: Upstream):
    one = calling(worker(calls_back=True), receiver)
    upstream.troubles = [EXHAUSTED]
    one.end_of(one.submit("fails"))
    upstream.seconds = 60
    running = one.submit("is ended")
    gevent.sleep(0.1)
    one.jobs.cancel(one.find(running))
    assert [event["type"] for event in receiver.wait_for(2)] == ["image.job.failed", "image.job.cancelled"]


@pytest.mark.usefixtures("short_leases")
def test_another_worker_delivers_the_events_of_one_that_died(
    worker: MakeWorker, receiver: Receiver, upstream: Upstream
):
    one = worker(calls_back=True)
    done = one.end_of(one.submit("done"))
    upstream.seconds = 60
    one.submit("unknown")
    gevent.sleep(0.1)
    one.die()
    calling(worker(calls_back=True), receiver)
    events = receiver.wait_for(2)
    assert [event["type"] for event in events] == ["image.job.completed", "image.job.failed"]
    assert receiver.ids[0] == f"msg_{done.id}"


def test_an_event_is_given_up_where_the_receiver_says_so_and_after_a_day(
    worker: MakeWorker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    receiver.statuses = [410]
    one = calling(worker(calls_back=True), receiver)
    one.end_of(one.submit("gone"))
    gevent.sleep(0.3)
    assert len(receiver.ids) == 1
    monkeypatch.setattr(module, "WEBHOOK_DAY", 0)
    receiver.statuses = [500]
    one.end_of(one.submit("late"))
    gevent.sleep(0.3)
    assert (len(receiver.ids), receiver.events) == (2, [])


def test_pictures_are_taken_out_of_events():
    picture = base64.b64encode(bytes(3000)).decode()
    result = {"data": [{"b64_json": picture, "text": "words"}, {"url": "https://x/y"}]}
    content = {"parts": [{"inlineData": {"mimeType": "image/png", "data": picture}}]}
    written = json.dumps({"result": result, "response": {"candidates": [{"content": content}]}}).encode()
    assert without_pictures([written[:500], written[500:]]) == {
        "result": {"data": [{"text": "words"}, {"url": "https://x/y"}]},
        "response": {"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png"}}]}}]},
    }
    assert without_pictures([b"<html>"]) is None
