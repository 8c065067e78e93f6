"""`python -m contract`: test a server against both APIs, through the real SDKs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import requests

from contract.options import as_written, is_local, parse
from contract.replay import ReplayingUpstream
from contract.report.junit import junit_report
from contract.report.page import report_page
from contract.report.record import Record, build_record
from contract.rows import all_rows
from contract.suite import preflight
from contract.suite.clients import Clients
from contract.suite.progress import with_progress
from contract.suite.row import Row, State, chosen
from contract.suite.run import run
from contract.suite.server import SANDBOX_KEY, Server

NAME = "contract-report"
FAILED, NOT_TESTED, INTERRUPTED = 1, 2, 130
SDK_VARIABLES = (  # which the SDKs would read, and call another server
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_API_VERSION",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite. Returns 0 if no row failed, 1 if one did, 2 if it could not start or no row passed."""
    options = parse(arguments)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai")
    for name in SDK_VARIABLES:
        os.environ.pop(name, None)
    rows = list(chosen(all_rows(), options.only, options.rows))
    try:
        if not rows:
            raise preflight.CannotTest(f"no row has an id with {options.rows}; {as_written('list')} shows all ids")
        if options.list:
            print_rows(rows)
            return 0
        ask_before_buying(options, rows)
        record = test(options, rows)
        write(record, options.out)
    except preflight.CannotTest as problem:
        print(f"contract: {problem}", file=sys.stderr)
        return NOT_TESTED
    except KeyboardInterrupt:
        print("\ncontract: interrupted; no report was written", file=sys.stderr)
        return INTERRUPTED
    print_summary(record, options.out)
    return exit_code(record)


def print_rows(rows: Sequence[Row]) -> None:
    """Print id and sentence of each row, to a reader that may have enough of them."""
    with suppress(BrokenPipeError):
        for row in rows:
            print(f"{row.id:<72} {row.sentence}")
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes at its end


def ask_before_buying(options: argparse.Namespace, rows: Sequence[Row]) -> None:
    """Return if nothing is bought, or the user agrees. Raises CannotTest."""
    if is_local(options) or options.upstream_port or options.api_key == SANDBOX_KEY or options.yes:
        return
    pictures = about_how_many(rows)
    host = urlsplit(options.base_url).hostname
    if not sys.stdin.isatty():
        raise preflight.CannotTest(
            f"this may buy about {pictures} pictures from {host}: agree with {as_written('yes')}"
        )
    print(f"This may buy about {pictures} pictures from {host}.")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise preflight.CannotTest("nothing was asked for")


def about_how_many(rows: Sequence[Row]) -> int:
    """How many pictures some rows draw, rounded up to tens: two before they start, and some rows ask for several."""
    drawing = [row for row in rows if not row.needs_situations and "mistakes" not in row.id and "models" not in row.id]
    return -(-round(2 + 1.1 * len(drawing)) // 10) * 10


def test(options: argparse.Namespace, rows: Sequence[Row]) -> Record:
    """Run the rows, and build the report. Raises CannotTest."""
    started = time.monotonic()
    with server_of(options) as server:
        try:
            server.probe(options.only)
        except requests.RequestException as error:
            raise preflight.CannotTest(f"{options.base_url} cannot be reached ({type(error).__name__})") from None
        preflight.check(server, options.only)
        results = list(with_progress(run(rows, server), len(rows)))
    order = {row.id: place for place, row in enumerate(rows)}
    results.sort(key=lambda result: order[result.row.id])
    return build_record(server, results, time.monotonic() - started)


@contextmanager
def server_of(options: argparse.Namespace) -> Iterator[Server]:
    """The server under test, with the replaying upstream, which the server uses if --upstream-port was given."""
    upstream = ReplayingUpstream(port=options.upstream_port or 0)
    running = upstream.running()
    try:
        running.__enter__()
    except OSError as error:
        raise preflight.CannotTest(f"cannot listen on port {options.upstream_port}: {error.strerror}") from None
    clients = Clients()
    try:
        yield Server(
            base_url=options.base_url,
            key=options.api_key,
            model=options.model,
            clients=clients,
            reference=upstream,
            gemini_base_url=options.gemini_base_url or "",
            upstream=upstream if options.upstream_port else None,
        )
    finally:
        clients.close()
        running.__exit__(None, None, None)


def write(record: Record, folder: Path) -> None:
    """Write the files of the report. Raises CannotTest if the folder cannot be written to."""
    files = {
        "html": report_page(record),
        "json": json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        "xml": junit_report(record),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, text in files.items():
            (folder / f"{NAME}.{ending}").write_text(text, encoding="utf-8")
    except OSError as error:
        raise preflight.CannotTest(f"the report cannot be written to {folder}: {error.strerror}") from None


def print_summary(record: Record, folder: Path) -> None:
    """Print the counts, and where the report is."""
    counts = ", ".join(f"{count} {state}" for state, count in record["counts"].items() if count)
    print(f"\n{len(record['rows'])} rows in {record['seconds']} s: {counts}")
    reasons = Counter(row["reason"] for row in record["rows"] if row["state"] in (State.SKIPPED, State.UNSUPPORTED))
    for reason, count in reasons.most_common():
        print(f"  {count} not run: {reason}")
    print(f"  {folder / NAME}.html, .json and .xml")


def exit_code(record: Record) -> int:
    """1 if a row failed, 2 if none passed, otherwise 0."""
    if record["counts"][State.FAIL]:
        return FAILED
    if record["counts"][State.PASS]:
        return 0
    print(f"contract: no row passed: {record['rows'][0]['reason']}", file=sys.stderr)
    return NOT_TESTED


if __name__ == "__main__":
    sys.exit(main())
