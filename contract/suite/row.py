"""A row: one capability in the words of users, and the function that tests it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

OPENAI, CHAT, GEMINI = APIS = ("openai", "chat", "gemini")
OPENAI_SDK, OPENAI_ASYNC = "openai", "openai async"
GOOGLE_SDK, GOOGLE_ASYNC = "google-genai", "google-genai async"
HTTP = "http"
BOTH_OPENAI = (OPENAI_SDK, OPENAI_ASYNC)
BOTH_GOOGLE = (GOOGLE_SDK, GOOGLE_ASYNC)

Case = Mapping[str, Any]
Attempt = Callable[..., None]  # takes the trial, and the members of the case by name


class State(StrEnum):
    """How a row ended."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Row:
    """One line of the report. `operation` is what the server must offer for the row to apply."""

    id: str
    group: str
    api: str
    sdk: str
    sentence: str
    operation: str
    attempt: Attempt
    case: Case = field(default_factory=dict)
    needs_situations: bool = False


ROWS: list[Row] = []


def row(
    group: str,
    api: str,
    sdk: str | Sequence[str],
    sentence: str,
    *,
    operation: str,
    each: Sequence[Case] = ({},),
    situations: bool = False,
) -> Callable[[Attempt], Attempt]:
    """Make rows of a function: one for each SDK and each case, whose members fill the gaps of the sentence.

    With `situations`, the row needs an upstream that answers with the situation that a prompt names.
    """

    def register(attempt: Attempt) -> Attempt:
        for case in each:
            for one_sdk in (sdk,) if isinstance(sdk, str) else sdk:
                words = sentence.format_map(case) if case else sentence
                ROWS.append(
                    Row(
                        id=row_id(attempt, case, one_sdk),
                        group=group,
                        api=api,
                        sdk=one_sdk,
                        sentence=words,
                        operation=operation,
                        attempt=attempt,
                        case=case,
                        needs_situations=situations,
                    )
                )
        return attempt

    return register


def row_id(attempt: Attempt, case: Case, sdk: str) -> str:
    """A name that stays the same from release to release, so that two reports can be compared."""
    module = attempt.__module__.rpartition(".")[2]
    shown = [re.sub(r"[^][\w.:/-]+", "-", str(value)).strip("-")[:60] for value in case.values()]
    return "/".join([module, attempt.__name__, *shown[:1], sdk.replace(" ", "-")])


def chosen(rows: Sequence[Row], only: str | None, patterns: str = "") -> Iterator[Row]:
    """The rows of one API, or all, whose id contains one of the patterns, which are separated by commas."""
    wanted = [f"*{pattern.strip()}*" for pattern in patterns.split(",")]
    return (one for one in rows if only in (None, one.api) and any(fnmatchcase(one.id, each) for each in wanted))
