"""How many files and sockets a worker may have open, and how many it needs."""

from __future__ import annotations

import resource

from proxy.limits import FILES_FOR_A_CALL, FILES_FOR_A_JOB, FILES_IN_RESERVE


def files_needed(max_in_flight: int, max_jobs: int) -> int:
    """The most files that one worker has open."""
    return FILES_FOR_A_CALL * max_in_flight + FILES_FOR_A_JOB * max_jobs + FILES_IN_RESERVE


def raise_limit(max_in_flight: int, max_jobs: int) -> str | None:
    """Raises the limit of this process and its workers as far as needed. Returns a warning if it stays too low."""
    needed = files_needed(max_in_flight, max_jobs)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if is_enough(soft, needed):
        return None
    allowed = needed if is_enough(hard, needed) else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == needed:
        return None
    most = max(0, (allowed - files_needed(0, max_jobs)) // FILES_FOR_A_CALL)
    return (
        f"MAX_IN_FLIGHT={max_in_flight} needs {needed} open files in each worker and {allowed} are allowed, enough for "
        f"{most} calls: raise the limit (ulimit -n, LimitNOFILE) or lower MAX_IN_FLIGHT"
    )


def is_enough(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
