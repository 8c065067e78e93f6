"""A budget is never overspent by calls at once, on two workers or two machines, and what was spent is what was sold."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests

from tests.access.conftest import PICTURE, WAYS, Team
from tests.money.conftest import Google
from tests.support import pictures
from tests.support.leftovers import until
from tests.support.upstream import Answer


def at_once(team: Team, way: str, calls: int) -> list[requests.Response]:
    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(lambda number: getattr(team, way)(number), range(calls)))


def settled(team: Team, name: str) -> int:
    """What a key has spent, once nothing is reserved any more."""
    end = time.monotonic() + 20
    while (record := team.record(name)).reserved:
        assert time.monotonic() < end, record
        time.sleep(0.1)
    return record.spent


@pytest.mark.parametrize(("way", "callers"), [(way, 100 if way == "generate" else 30) for way in WAYS])
def test_many_callers_at_once_with_a_budget_for_ten(team: Team, google: Google, way: str, callers: int):
    team.use_key(way, budget=10 * PICTURE + 5 * 258)
    google.seconds = 0.5
    answers = at_once(team, way, callers)
    sold = [answer for answer in answers if answer.status_code == 200]
    assert 8 <= len(sold) <= 10
    assert google.sold == len(sold)
    for refused in (answer for answer in answers if answer.status_code != 200):
        error = refused.json()["error"]
        if "held by requests" in error["message"]:
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "5"
            assert error.get("code") == ("rate_limit_exceeded" if "native" not in way else 429)
        else:
            assert refused.status_code == (402 if "native" in way else 429)
            assert refused.headers["x-should-retry"] == "false"
            assert error.get("code") == ("insufficient_quota" if "native" not in way else 402)
    each = PICTURE
    assert settled(team, way) == google.sold * each
    for number in range(3):
        settled(team, way)
        last = getattr(team, way)(number)
        if last.status_code != 200:
            break
    assert last.status_code == (402 if "native" in way else 429), "spent, or nearly so"
    assert settled(team, way) == google.sold * each <= team.record(way).key.budget_micros


def test_replays_and_joined_calls_cost_nothing(team: Team, google: Google):
    team.use_key("joins", budget=3 * PICTURE)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: team.generate(number, key="one"), range(10)))
    answers += [team.generate(number, key="one") for number in range(4)]
    assert {answer.status_code for answer in answers} == {200}
    assert (google.sold, settled(team, "joins")) == (1, PICTURE)


def test_an_idempotency_key_outlives_the_rotation_of_the_key(team: Team, google: Google):
    team.use_key("rotates", budget=3 * PICTURE)
    first = team.generate(key="before")
    team.key = team.records.rotate(team.record("rotates").key.id, time.time())
    again = team.generate(1, key="before")
    assert (again.content, google.sold) == (first.content, 1)


def test_what_fails_costs_nothing_and_what_is_unknown_costs_what_was_reserved(team: Team, google: Google):
    team.use_key("fails", budget=40 * PICTURE)
    overloaded = Answer(pictures.error(503, "UNAVAILABLE", "The model is overloaded."), 503)
    google.first = [overloaded, overloaded]
    assert [team.generate().status_code, team.native().status_code] == [503, 503]
    assert settled(team, "fails") == 0
    google.first = [overloaded, overloaded]
    partial_answer = team.generate(json={"n": 4})
    assert len(partial_answer.json()["data"]) == 2
    assert settled(team, "fails") == pytest.approx(2 * PICTURE, abs=1)
    google.first = [Answer(b"<html>bad gateway</html>", 502, content_type="text/html")]
    assert team.generate().status_code == 502
    reserve = settled(team, "fails") - 2 * PICTURE
    assert PICTURE < reserve < 1.1 * PICTURE
    usage = {"promptTokenCount": 100, "totalTokenCount": 100}
    google.first = [Answer({**pictures.refused(), "usageMetadata": usage})]
    assert team.generate().status_code == 400
    assert settled(team, "fails") - 2 * PICTURE - reserve < 1000, "a refusal costs the tokens that it reports"


def test_workers_that_are_killed_leave_costs_and_the_budget_holds(team: Team, google: Google):
    team.use_key("killed", budget=5 * PICTURE + 5 * 300)
    google.seconds = 60
    with ThreadPoolExecutor(4) as pool:
        dying = [pool.submit(partial(team.generate, number)) for number in range(4)]
        google.upstream.wait_for(4)
        for server in team.servers:
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
        assert all(isinstance(call.exception(), requests.RequestException) for call in dying)
    team.restarts()
    google.seconds = 0.1
    spent = settled(team, "killed")
    assert 4 * PICTURE < spent <= 5 * PICTURE
    answers = at_once(team, "generate", 10)
    assert [answer.status_code for answer in answers].count(200) <= 1
    assert settled(team, "killed") <= 5 * PICTURE + 5 * 300


def test_requests_per_minute_count_on_all_workers_and_machines(team: Team, google: Google):
    team.use_key("hasty", requests_per_minute=3)
    answers = at_once(team, "native", 10)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 7
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert "3 requests per minute" in refused.json()["error"]["message"]


def test_a_revoked_key_is_refused_within_five_seconds_everywhere(team: Team):
    team.use_key("leaves")
    assert {team.native(number).status_code for number in range(6)} == {200}
    team.records.revoke(team.record("leaves").key.id, time.time())
    revoked_at = time.monotonic()
    while any(answer.status_code == 200 for answer in at_once(team, "generate", 4)):
        assert time.monotonic() - revoked_at < 5
    time.sleep(max(0.0, revoked_at + 5 - time.monotonic()))
    answers = [team.generate(number) for number in range(4)] + [team.native(number) for number in range(4)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [400] * 4


def test_the_key_itself_and_the_log_say_what_was_spent(team: Team):
    team.use_key("looks", per="month", budget=1_000_000)
    assert team.native().status_code == 200

    def status_now() -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {team.key}"}
        found: dict[str, Any] = requests.get(f"{team.url(1)}/v1/key", headers=headers, timeout=10).json()
        return found

    until(lambda: not status_now()["reserved_usd"], "what was reserved, after the last byte of the answer")
    status = status_now()
    assert status.pop("resets_at").endswith("-01T00:00:00Z")
    assert status == {
        **{"name": "looks", "budget_usd": 1.0, "per": "month", "spent_usd": PICTURE / 1e6, "reserved_usd": 0.0},
        **{"left_usd": 1 - PICTURE / 1e6, "models": None, "expires_at": None, "requests_per_minute": None},
    }
    until(lambda: f"charged={PICTURE / 1e6} " in team.servers[0].output(), "a log line to be written")
    assert "key_name=looks" in team.servers[0].output()
