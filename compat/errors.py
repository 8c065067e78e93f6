"""The one exception of the service, in neither API's vocabulary. Each API's error.py writes it in its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class ErrorKind(Enum):
    """What went wrong. Every kind has a row in the table of each API."""

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
    OVERLOADED = auto()  # the limit of calls in flight is reached

    UPSTREAM_REJECTED = auto()  # any other 4xx of the upstream; `status` is the upstream's
    UPSTREAM_INTERNAL = auto()
    UPSTREAM_UNAVAILABLE = auto()
    UPSTREAM_TIMEOUT = auto()
    UPSTREAM_BROKEN = auto()  # no connection, or an answer that cannot be read

    INTERNAL = auto()


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal or a failure.

    `may_repeat` is False where a retry cannot help or may buy the same picture twice; with None the client decides.
    """

    kind: ErrorKind
    message: str
    param: str | None = None  # the field, as the caller's API names it
    retry_after: float | None = None  # seconds
    may_repeat: bool | None = None
    status: int | None = None  # the upstream's own, for UPSTREAM_REJECTED
    violations: tuple[tuple[str, str], ...] = ()  # path and description of every wrong field, where there are several

    def __str__(self) -> str:
        return f"{self.kind.name}: {self.message}"


def broken(message: str, may_repeat: bool | None = False) -> ApiError:
    """The error for an upstream that gave no answer, or one that cannot be read. It may have been paid for."""
    return ApiError(ErrorKind.UPSTREAM_BROKEN, message, may_repeat=may_repeat)
