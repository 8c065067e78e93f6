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
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from contract.replay import ReplayingUpstream
from contract.report.page import report_page
from contract.report.record import Record, build_record
from contract.rows import all_rows
from contract.suite.clients import Clients
from contract.suite.progress import with_progress
from contract.suite.row import State, chosen
from contract.suite.run import run
from contract.suite.server import Server
from contract.suite.upstream_check import is_behind

MODEL = "gemini-2.5-flash-image"
KEY_VARIABLE = "CONTRACT_API_KEY"
JSON_NAME, PAGE_NAME = "contract-report.json", "contract-report.html"
FAILED, WRONG_USE = 1, 2
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


class WrongUse(Exception):
    """The suite cannot start with these options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite. Returns 0 if no row failed, 1 if one did, 2 if it could not start."""
    options = parse(arguments)
    warnings.filterwarnings(
        "ignore", category=UserWarning, module=r"google\.genai"
    )  # about values that it does not know yet
    for name in SDK_VARIABLES:
        os.environ.pop(name, None)
    try:
        record = run_suite(options)
    except WrongUse as error:
        print(f"contract: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("\ncontract: interrupted; no report was written", file=sys.stderr)
        return 130
    try:
        write(record, options.out)
    except OSError as error:
        print(f"contract: the report cannot be written to {options.out}: {error.strerror}", file=sys.stderr)
        return WRONG_USE
    print_summary(record, options.out)
    return FAILED if record["counts"][State.FAIL] else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options. Exits with a message if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m contract",
        description="Test a server through the real openai and google-genai SDKs, and write a report of what works: "
        f"{JSON_NAME} and {PAGE_NAME}. A server with a real model draws about a hundred pictures, which are billed.",
    )
    parser.add_argument("--base-url", required=True, help="of the server, such as http://127.0.0.1:8000")
    parser.add_argument("--api-key", help=f"default: the environment variable {KEY_VARIABLE}; never printed or written")
    parser.add_argument("--only", choices=("openai", "gemini"), help="test one of the two APIs")
    parser.add_argument("--model", default=MODEL, help="default: %(default)s")
    parser.add_argument("--gemini-base-url", metavar="URL", help="of Google's API, if it is not below the base URL")
    parser.add_argument(
        "--upstream-port",
        type=int,
        metavar="PORT",
        help="start the replaying upstream at this port of 127.0.0.1; the server's upstream must be set to it",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the report (default: .)")
    options = parser.parse_args(arguments)
    options.api_key = options.api_key or os.environ.get(KEY_VARIABLE)
    if not options.api_key:
        parser.error(f"a key is needed: --api-key or {KEY_VARIABLE}")
    for name in ("base_url", "gemini_base_url"):
        address = getattr(options, name)
        if address is not None and not (address.startswith(("http://", "https://")) and urlsplit(address).hostname):
            parser.error(f"--{name.replace('_', '-')} must be an http or https address")
    if options.upstream_port is not None and not 0 < options.upstream_port < 65536:
        parser.error("--upstream-port must be a port from 1 to 65535")
    if not options.model.strip():
        parser.error("--model must not be empty")
    return options


def run_suite(options: argparse.Namespace) -> Record:
    """Run the chosen rows, and build the report."""
    started = time.monotonic()
    rows = list(chosen(all_rows(), options.only))
    with server_of(options) as server:
        try:
            server.probe(options.only)
        except requests.RequestException as error:
            raise WrongUse(f"{options.base_url} cannot be reached ({type(error).__name__})") from None
        if server.upstream and not is_behind(server, options.only):
            raise WrongUse(
                f"the server does not call the replaying upstream: set its upstream to {server.upstream.url} "
                "(GEMINI_BASE_URL of Twinlens, api_base of LiteLLM)"
            )
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
        raise WrongUse(f"cannot listen on port {options.upstream_port}: {error.strerror}") from None
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
    """Write both files of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / PAGE_NAME).write_text(report_page(record), encoding="utf-8")


def print_summary(record: Record, folder: Path) -> None:
    """Print the counts, and where the report is."""
    counts = ", ".join(f"{count} {state}" for state, count in record["counts"].items() if count)
    print(f"\n{len(record['rows'])} rows in {record['seconds']} s: {counts}")
    reasons = Counter(row["reason"] for row in record["rows"] if row["state"] == State.SKIPPED)
    for reason, count in reasons.items():
        print(f"  {count} skipped: {reason}")
    print(f"  {folder / PAGE_NAME}\n  {folder / JSON_NAME}")


if __name__ == "__main__":
    sys.exit(main())
