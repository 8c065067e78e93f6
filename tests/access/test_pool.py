"""Three of the operator's keys, of which one is at its limit and one is revoked: nobody notices."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.access.conftest import Team
from tests.money.conftest import Google
from tests.support import pictures
from tests.support.upstream import Answer, Call, Reply

LIMITED = Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Slow down.", pictures.retry_info("3600s")), 429)
REVOKED = Answer(pictures.API_KEY_INVALID, 400)


CALLS = 120


@pytest.mark.parametrize("team_of_module", ["two workers, SQLite"], indirect=True)
def test_every_call_gets_a_picture(team: Team, google: Google, google_keys: tuple[str, ...]):
    good, limited, revoked = google_keys
    asked: Counter[str] = Counter()

    def answer(call: Call) -> Reply:
        key = call.headers["x-goog-api-key"]
        asked[key] += 1
        return {limited: LIMITED, revoked: REVOKED}.get(key) or google.answer(call)

    google.upstream.answers(answer)
    google.seconds = 0.05
    try:
        team.use_key("pool", budget=100_000_000)
        with ThreadPoolExecutor(20) as pool:
            calls = (team.generate, team.native, team.edit)
            answers = list(pool.map(lambda number: calls[number % 3](number), range(CALLS)))
    finally:
        google.upstream.answers(google.answer)
    assert {answer.status_code for answer in answers} == {200}
    assert (asked[good], google.sold) == (CALLS, CALLS)
    assert 0 < asked[limited] + asked[revoked] <= 40, (
        "those that ran at once before the first refusal, in two processes"
    )
    assert team.metric("twinlens_upstream_key_refused_total") > 0
    log = "".join(server.output() for server in team.servers)
    assert "the upstream refuses key" in log
