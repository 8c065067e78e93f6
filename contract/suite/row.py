"""A row: one capability in the words of users, and the small function that tries it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contract.suite.trial import Trial

OPENAI, GEMINI = "openai", "gemini"
OPENAI_SDK, OPENAI_ASYNC = "openai", "openai async"
GOOGLE_SDK, GOOGLE_ASYNC = "google-genai", "google-genai async"
HTTP = "http"
BOTH_OPENAI = (OPENAI_SDK, OPENAI_ASYNC)
BOTH_GOOGLE = (GOOGLE_SDK, GOOGLE_ASYNC)

Case = Mapping[str, Any]
Attempt = Callable[..., None]


class State(StrEnum):
    """How a row ended."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Row:
    """One line of the report. `operation` is what the server must have at all for the row to make sense."""

    id: str
    group: str
    api: str
    sdk: str
    sentence: str
    operation: str
    attempt: Attempt
    case: Case = field(default_factory=dict)
    needs_situations: bool = False

    def __call__(self, trial: Trial) -> None:
        """Try it."""
        self.attempt(trial, **self.case)


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
    """Make rows of a function: one for each SDK and each case. Cases fill the gaps of the sentence.

    With `situations` the row needs an upstream that shows a situation when the prompt names it.
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
    """A name that stays the same from release to release, so that two reports can be laid side by side."""
    module = attempt.__module__.rpartition(".")[2]
    shown = [re.sub(r"[^][\w.:/-]+", "-", str(value)).strip("-")[:60] for value in case.values()]
    return "/".join([module, attempt.__name__, *shown[:1], sdk.replace(" ", "-")])


def chosen(rows: Sequence[Row], only: str | None) -> Iterator[Row]:
    """The rows of one API, or all."""
    return (one for one in rows if only in (None, one.api))
