"""Which of the operator's keys a call gets, and when a key is left alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from compat.errors import ApiError, Bought, ErrorKind
from compat.gemini_content.error import parse_error
from compat.json_text import dumps
from proxy.access.key_pool import KeyPool, next_pacific_midnight
from proxy.upstream.client import UpstreamAnswer
from tests.support import pictures

MODEL = "gemini-2.5-flash-image"
OK = (200, b"a picture")
BUSY = (429, dumps(pictures.error(429, "RESOURCE_EXHAUSTED", "Slow down, secret-1.", pictures.retry_info("7s"))))
VAGUE = (429, dumps(pictures.error(429, "RESOURCE_EXHAUSTED", "Resource exhausted.")))
BROKE = (429, dumps(pictures.error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.")))
REVOKED = (400, dumps(pictures.API_KEY_INVALID))
SUSPENDED = (403, dumps(pictures.error(403, "PERMISSION_DENIED", "Consumer 'api_key:secret-2' has been suspended.")))
FILE = (403, dumps(pictures.error(403, "PERMISSION_DENIED", "You do not have permission to access the File abc.")))
WRONG = (400, dumps(pictures.error(400, "INVALID_ARGUMENT", "Wrong.")))
OVERLOADED = (503, dumps(pictures.error(503, "UNAVAILABLE", "The model is overloaded.")))
VIOLATION = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "10"}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [VIOLATION]}
DAILY = (429, dumps(pictures.error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", QUOTA, pictures.retry_info("3s"))))


class Answered:
    """What `UpstreamAnswer` closes."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Upstream:
    """Answers by key; a key without an answer draws."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: float = 1_796_000_000.0

    def send(self, key: str) -> UpstreamAnswer:
        self.asked.append(key)
        status, body = self.answers.get(key, OK)
        closed: Any = Answered()
        return UpstreamAnswer(status, {}, iter([body]), closed, closed, key)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def pool(upstream: Upstream) -> KeyPool:
    return KeyPool(["secret-1", "secret-2", "secret-3"], lambda key: f"print of {key[-1]}", lambda: upstream.now)


def ask(pool: KeyPool, upstream: Upstream, model: str = MODEL) -> UpstreamAnswer:
    return pool.ask(model, upstream.send, parse_error)


def asked_for(pool: KeyPool, upstream: Upstream, calls: int, model: str = MODEL) -> list[str]:
    """The keys that so many calls ask with."""
    upstream.asked.clear()
    for _ in range(calls):
        list(ask(pool, upstream, model).chunks)
    return upstream.asked


def test_the_least_busy_key_is_taken(pool: KeyPool, upstream: Upstream):
    running = [ask(pool, upstream) for _ in range(5)]
    assert sorted(upstream.asked) == ["secret-1", "secret-1", "secret-2", "secret-2", "secret-3"]
    list(running[0].chunks)  # read to its end
    assert [key.in_flight for key in pool.keys] == [1, 2, 1]
    del running  # dropped before the first chunk
    assert [key.in_flight for key in pool.keys] == [0, 0, 0]


def test_a_key_is_given_back_when_its_answer_breaks_or_never_comes(pool: KeyPool, upstream: Upstream):
    def breaks() -> Iterator[bytes]:
        yield b"a"
        raise ApiError(ErrorKind.UPSTREAM_BROKEN, "broken", bought=Bought.UNKNOWN)

    answer = ask(pool, upstream)
    answer.chunks.chunks = breaks()  # type: ignore[attr-defined]
    with pytest.raises(ApiError):
        list(answer.chunks)

    def fails(key: str) -> UpstreamAnswer:
        upstream.asked.append(key)
        raise ApiError(ErrorKind.UPSTREAM_TIMEOUT, "late", bought=Bought.UNKNOWN)

    upstream.asked.clear()
    with pytest.raises(ApiError, match="late"):
        pool.ask(MODEL, fails, parse_error)
    assert len(upstream.asked) == 1  # an unknown outcome never goes on
    assert [key.in_flight for key in pool.keys] == [0, 0, 0]


@pytest.mark.parametrize(
    ("answer", "seconds", "other_models"),
    [
        (BUSY, 7, True),
        (VAGUE, 10, True),
        (DAILY, next_pacific_midnight(Upstream.now) - Upstream.now, True),
        (BROKE, 300, False),
        (REVOKED, 300, False),
        (SUSPENDED, 300, False),
    ],
)
def test_a_call_goes_on_with_the_next_key_and_the_first_is_left_alone(
    pool: KeyPool, upstream: Upstream, answer: tuple[int, bytes], seconds: float, other_models: bool
):
    upstream.answers["secret-1"] = answer
    assert asked_for(pool, upstream, 1) == ["secret-1", "secret-2"]
    upstream.now += seconds - 0.1
    assert "secret-1" not in asked_for(pool, upstream, 6)
    upstream.answers.clear()
    assert ("secret-1" in asked_for(pool, upstream, 6, "gemini-3-pro-image")) is other_models
    upstream.now += 0.2
    assert "secret-1" in asked_for(pool, upstream, 6)


@pytest.mark.parametrize("answer", [OVERLOADED, WRONG, FILE])
def test_what_is_not_about_the_key_is_the_answer(pool: KeyPool, upstream: Upstream, answer: tuple[int, bytes]):
    upstream.answers = dict.fromkeys(pool.secrets, answer)
    got = ask(pool, upstream)
    assert (got.status, got.read_error(), upstream.asked) == (*answer, ["secret-1"])
    got = ask(pool, upstream)
    assert len(set(upstream.asked)) == 2, "no key rests"


def test_when_all_keys_are_at_their_limit_the_shortest_delay_counts(pool: KeyPool, upstream: Upstream):
    upstream.answers = {"secret-1": BUSY, "secret-2": VAGUE, "secret-3": REVOKED}
    with pytest.raises(ApiError) as refused:
        ask(pool, upstream)
    assert (refused.value.kind, refused.value.retry_after) == (ErrorKind.RATE_LIMITED, 7)
    assert refused.value.message == "Slow down, [key]."
    upstream.now += 2
    with pytest.raises(ApiError) as refused:
        ask(pool, upstream)
    assert refused.value.retry_after == 5
    assert len(upstream.asked) == 3, "nobody asks while all rest"


def test_a_days_quota_is_no_rate_limit(pool: KeyPool, upstream: Upstream):
    upstream.answers = dict.fromkeys(pool.secrets, DAILY)
    with pytest.raises(ApiError) as refused:
        ask(pool, upstream)
    assert (refused.value.kind, refused.value.may_repeat) == (ErrorKind.QUOTA_EXHAUSTED, False)


def test_when_all_keys_are_refused_the_operator_has_to_see_to_it(
    pool: KeyPool, upstream: Upstream, caplog: pytest.LogCaptureFixture
):
    upstream.answers = dict.fromkeys(pool.secrets, SUSPENDED)
    with pytest.raises(ApiError) as refused:
        ask(pool, upstream)
    assert refused.value.kind is ErrorKind.OPERATOR_KEY_REFUSED
    assert "key print of 2 of GEMINI_API_KEYS: Consumer 'api_key:[key]'" in caplog.text
    assert not [key for key in pool.secrets if key in caplog.text.replace("print of", "")]


def test_midnight_in_california():
    assert next_pacific_midnight(1_796_000_000) == 1_796_025_600  # 08:00 UTC in winter
    assert next_pacific_midnight(1_782_864_000) == 1_782_889_200  # 07:00 UTC in summer
