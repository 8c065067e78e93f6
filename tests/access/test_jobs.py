"""Jobs of a team: any worker goes on with one, and its key pays for it once."""

import os
import signal
import time
from typing import Any

import pytest
import requests
from sqlalchemy import select

from proxy.jobs.records import QUEUED
from proxy.state.database import Database
from proxy.state.tables import purchases
from tests.access.conftest import PICTURE, Team
from tests.money.conftest import Google
from tests.support import pictures
from tests.support.leftovers import until
from tests.support.upstream import Answer

TOO_MANY = pictures.error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", pictures.retry_info("3s"))


def submit(team: Team) -> str:
    answer = team.generate(headers={"Prefer": "respond-async"}, timeout=20)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def is_waiting(team: Team) -> bool:
    """Whether the only job that is not over waits for its next attempt."""
    with Database(team.database_url).read() as connection:
        states = connection.execute(select(purchases.c.state).where(purchases.c.state != "done")).scalars().all()
    return states == [QUEUED]


def ended(team: Team, id: str) -> dict[str, Any]:
    """The job once it is over, as its own key sees it."""
    headers = {"Authorization": f"Bearer {team.key}", "Prefer": "wait=10"}
    end = time.monotonic() + 60
    while True:
        answer = requests.get(f"{team.url(1)}/v1/images/jobs/{id}", headers=headers, timeout=30)
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()
        if job["status"] not in ("queued", "in_progress"):
            return job
        assert time.monotonic() < end, job


@pytest.mark.parametrize("team_of_module", ["two machines, PostgreSQL"], indirect=True)
def test_a_job_outlives_its_worker_and_is_paid_once(team: Team, google: Google):
    team.use_key("job", budget=2 * PICTURE)
    google.first += [Answer(TOO_MANY, 429)] * 6  # one for each of the operator's keys in each of both processes
    id = submit(team)
    google.upstream.wait_for(6)
    until(lambda: is_waiting(team), "a job that does not wait for its next attempt")
    for server in team.servers:
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
    team.restarts()
    job = ended(team, id)
    assert job["status"] == "completed", job["error"]
    assert google.sold == 1
    until(lambda: not team.record("job").reserved, "a settlement, which comes soon after the job's end")
    assert team.record("job").spent == PICTURE
