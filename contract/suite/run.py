"""Runs the rows against one server, several at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from contract.suite.row import Row, State
from contract.suite.server import Server
from contract.suite.trial import CannotContinue, NotReported, Trial, error_line

AT_ONCE = 8


@dataclass(frozen=True)
class Result:
    """How one row ended: what was sent, expected and received, and where they differ."""

    row: Row
    state: State
    reason: str = ""
    request: Sequence[str] = field(default_factory=tuple)
    expected: Sequence[str] = field(default_factory=tuple)
    received: Sequence[str] = field(default_factory=tuple)
    differs: Sequence[str] = field(default_factory=tuple)
    seconds: float = 0.0


def run(rows: Sequence[Row], server: Server) -> Iterator[Result]:
    """The result of every row, as soon as it is known."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(try_row, one, server) for one in rows]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def try_row(row: Row, server: Server) -> Result:
    """The result of one row; the row is not tried where the server does not offer its operation."""
    if answer := server.lacks(row.operation):
        return Result(row, State.UNSUPPORTED, answer)
    if row.needs_situations and not server.shows_situations:
        return Result(row, State.SKIPPED, "needs the replaying upstream behind the server, or the key of its sandbox")
    trial = Trial(row, server)
    started = time.monotonic()
    reason = ""
    try:
        row.attempt(trial, **row.case)
    except NotReported as missing:
        seconds = round(time.monotonic() - started, 3)
        return Result(row, State.UNSUPPORTED, str(missing), trial.requests, seconds=seconds)
    except CannotContinue as error:
        reason = str(error)
    except Exception as error:
        unexpected = "an answer was expected, but the SDK raised" if is_sdk_error(error) else "the row failed with"
        reason = f"{unexpected} {error_line(error)}"
    return result_of(trial, reason, time.monotonic() - started)


def is_sdk_error(error: Exception) -> bool:
    """Whether an exception comes from one of the SDKs."""
    return type(error).__module__.split(".")[0] in ("openai", "google")


def result_of(trial: Trial, reason: str, seconds: float) -> Result:
    """The result of a trial, without the key."""
    hide = trial.server.hide
    unmet = [claim for claim in trial.claims if not claim.holds]
    if not reason and not trial.claims:
        reason = "the row claimed nothing"
    return Result(
        row=trial.row,
        state=State.FAIL if unmet or reason else State.PASS,
        reason=hide(reason or "; ".join(map(str, unmet))),
        request=[hide(one) for one in trial.requests],
        expected=[hide(claim.words) for claim in trial.claims],
        received=[hide(one) for one in trial.received],
        differs=[hide(str(claim)) for claim in unmet] + ([hide(reason)] if reason else []),
        seconds=round(seconds, 3),
    )
