"""The one exception of the service, told in neither API's vocabulary. Each API's error.py gives it a dialect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Bought(Enum):
    """Whether an error may have cost something: it decides who may ask again."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class ErrorKind(Enum):
    """What went wrong. Every kind has a row in the table of both dialects."""

    MISSING_KEY = auto()
    INVALID_KEY = auto()
    PERMISSION_DENIED = auto()
    LOCATION_NOT_SUPPORTED = auto()

    INVALID_ARGUMENT = auto()
    INVALID_JSON = auto()
    MISSING_PARAMETER = auto()
    INVALID_TYPE = auto()
    INVALID_VALUE = auto()
    INVALID_SIZE = auto()
    INVALID_IMAGE = auto()
    NUMBER_TOO_LARGE = auto()
    NUMBER_TOO_SMALL = auto()
    STRING_TOO_LONG = auto()
    STRING_EMPTY = auto()
    ARRAY_TOO_LONG = auto()
    ARRAY_TOO_SHORT = auto()

    MODEL_NOT_FOUND = auto()
    NOT_FOUND = auto()
    METHOD_NOT_ALLOWED = auto()
    BODY_TOO_SLOW = auto()
    BODY_TOO_LARGE = auto()
    UNSUPPORTED_MEDIA_TYPE = auto()

    CONTENT_BLOCKED = auto()
    NO_IMAGE = auto()

    QUOTA_EXHAUSTED = auto()
    RATE_LIMITED = auto()
    OVERLOADED = auto()  # our own limit of calls in flight

    UPSTREAM_REJECTED = auto()  # any other 4xx of the upstream; `status` says which
    UPSTREAM_INTERNAL = auto()
    UPSTREAM_UNAVAILABLE = auto()
    UPSTREAM_TIMEOUT = auto()
    UPSTREAM_BROKEN = auto()  # no connection, or an answer that is none

    IDEMPOTENCY_KEY_REUSED = auto()
    OUTCOME_UNKNOWN = auto()  # of a purchase whose worker is gone
    STATE_UNAVAILABLE = auto()  # the database, or the store of kept answers

    INTERNAL = auto()


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal or a failure, with all that either dialect needs to tell it.

    `may_repeat` is what the error says about asking again: False where a repetition cannot help or may buy the same
    picture twice, None where the client's own habits are right.
    """

    kind: ErrorKind
    message: str
    param: str | None = None  # the field, in the caller's own words
    retry_after: float | None = None  # seconds
    may_repeat: bool | None = None
    bought: Bought = Bought.NO
    status: int | None = None  # the upstream's own, for UPSTREAM_REJECTED
    violations: tuple[tuple[str, str], ...] = ()  # path and description of every wrong field, where there are several

    def __str__(self) -> str:
        return f"{self.kind.name}: {self.message}"


def broken(message: str) -> ApiError:
    """An upstream answer that is none. It was asked for and perhaps paid: asking again may pay twice."""
    return ApiError(ErrorKind.UPSTREAM_BROKEN, message, may_repeat=False)
