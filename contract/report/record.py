"""A report as data: how `contract-report.json` is built and read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from contract.suite.row import State
from contract.suite.run import Result
from contract.suite.server import Server

Record = dict[str, Any]
SDKS = ("openai", "google-genai", "requests")
MEMBERS = ("id", "group", "api", "sdk", "sentence", "state")


class NotAReport(Exception):
    """The file is not a report."""


def build_record(server: Server, results: Sequence[Result], seconds: float) -> Record:
    """The whole report, without the key."""
    counts = Counter(result.state for result in results)
    return {
        "server": server.hide(server.base_url),
        "model": server.model,
        "mode": server.mode,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "sdks": {name: version_of(name) for name in SDKS},
        "counts": {str(state): counts[state] for state in State},
        "rows": [build_row(result) for result in results],
    }


def build_row(result: Result) -> Record:
    """One row of the report."""
    row = result.row
    return {
        "id": row.id,
        "group": row.group,
        "api": row.api,
        "sdk": row.sdk,
        "sentence": row.sentence,
        "state": str(result.state),
        "reason": result.reason,
        "request": list(result.request),
        "expected": list(result.expected),
        "received": list(result.received),
        "differs": list(result.differs),
        "seconds": result.seconds,
    }


def version_of(package: str) -> str:
    """The installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def read_record(path: Path) -> Record:
    """The report in a file. Raises NotAReport."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotAReport(f"{path} cannot be read: {error}") from error
    rows = record.get("rows") if isinstance(record, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= set(MEMBERS) for row in rows):
        raise NotAReport(f"{path} is not a report of the contract suite")
    found: Record = record
    return found
