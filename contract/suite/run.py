"""All rows against one server, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from contract.suite.row import Row, State
from contract.suite.server import Server
from contract.suite.trial import Broken, NotTold, Trial, error_line

AT_ONCE = 8


@dataclass(frozen=True)
class Result:
    """How one row ended: what was asked, what was expected, what came, and where they differ."""

    row: Row
    state: State
    reason: str = ""
    request: Sequence[str] = field(default_factory=tuple)
    expected: Sequence[str] = field(default_factory=tuple)
    came: Sequence[str] = field(default_factory=tuple)
    differs: Sequence[str] = field(default_factory=tuple)
    seconds: float = 0.0


def run(rows: Sequence[Row], server: Server, started: Callable[[Row], None] = lambda row: None) -> Iterator[Result]:
    """Try every row, and give each result as soon as it is there."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(try_row, one, server, started) for one in rows]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def try_row(row: Row, server: Server, started: Callable[[Row], None] = lambda row: None) -> Result:
    """Try one row, unless the server does not have what it is about."""
    if said := server.lacks(row.operation):
        return Result(row, State.UNSUPPORTED, said)
    if row.needs_situations and not server.shows_situations:
        return Result(row, State.SKIPPED, "needs the replaying upstream behind the server, or the key of its sandbox")
    started(row)
    trial = Trial(row, server)
    begun = time.monotonic()
    reason = ""
    try:
        row(trial)
    except NotTold as missing:
        return Result(row, State.UNSUPPORTED, str(missing), trial.requests, seconds=round(time.monotonic() - begun, 3))
    except Broken as broken:
        reason = str(broken)
    except Exception as error:
        reason = f"{'an answer was expected, and an exception came' if error_is_answers(error) else 'it broke'}: "
        reason += error_line(error)
    return result_of(trial, reason, time.monotonic() - begun)


def error_is_answers(error: Exception) -> bool:
    """Whether an exception is an SDK's way to tell an answer of the server."""
    return type(error).__module__.split(".")[0] in ("openai", "google")


def result_of(trial: Trial, reason: str, seconds: float) -> Result:
    """A row's result, the key taken out of every word of it."""
    hide = trial.server.hide
    broken = [claim for claim in trial.claims if not claim.holds]
    if not reason and not trial.claims:
        reason = "the row claimed nothing"
    return Result(
        row=trial.row,
        state=State.FAIL if broken or reason else State.PASS,
        reason=hide(reason or "; ".join(map(str, broken))),
        request=[hide(one) for one in trial.requests],
        expected=[hide(claim.words) for claim in trial.claims],
        came=[hide(one) for one in trial.came],
        differs=[hide(str(claim)) for claim in broken] + ([hide(reason)] if reason else []),
        seconds=round(seconds, 3),
    )
