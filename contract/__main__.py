"""`python -m contract`: hold a server against the contract of both APIs, through the real SDKs."""

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
from contract.suite.row import Row, State, chosen
from contract.suite.run import Result, run
from contract.suite.server import Server
from contract.suite.terminal import make_table
from contract.suite.upstream_check import is_behind

MODEL = "gemini-2.5-flash-image"
KEY_VARIABLE = "CONTRACT_API_KEY"
JSON_NAME, PAGE_NAME = "contract-report.json", "contract-report.html"
FAILED, WRONG_USE = 1, 2
LEADS_ELSEWHERE = (  # what the SDKs would read from the environment
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
    """The suite cannot start as it was asked to."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; 0 if no row failed, 1 if one did, 2 if it could not start."""
    options = parse(arguments)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai")  # of words it does not know yet
    for name in LEADS_ELSEWHERE:
        os.environ.pop(name, None)
    try:
        record = held_against(options)
    except WrongUse as error:
        print(f"contract: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("\ncontract: interrupted, no report was written", file=sys.stderr)
        return 130
    try:
        write(record, options.out)
    except OSError as error:
        print(f"contract: the report cannot be written to {options.out}: {error.strerror}", file=sys.stderr)
        return WRONG_USE
    tell(record, options.out)
    return FAILED if record["counts"][State.FAIL] else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, or an end with words that say what is wrong with them."""
    parser = argparse.ArgumentParser(
        prog="python -m contract",
        description="Drive the real openai and google-genai SDKs against a server, and write down which capabilities "
        f"hold: {JSON_NAME} and {PAGE_NAME}. Against a server that asks a real model this draws about a hundred "
        "pictures, which its owner pays for.",
    )
    parser.add_argument("--base-url", required=True, help="of the server, such as http://127.0.0.1:8000")
    parser.add_argument("--api-key", help=f"default: the environment variable {KEY_VARIABLE}; never printed or written")
    parser.add_argument("--only", choices=("openai", "gemini"), help="one of the two APIs")
    parser.add_argument("--model", default=MODEL, help="default: %(default)s")
    parser.add_argument(
        "--gemini-base-url", metavar="URL", help="where Google's API is, if it is not at the base URL itself"
    )
    parser.add_argument(
        "--upstream-port",
        type=int,
        metavar="PORT",
        help="start the replaying upstream at this port of 127.0.0.1; the server's upstream must be set to it",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the report goes (default: .)")
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


def held_against(options: argparse.Namespace) -> Record:
    """Run the chosen rows against the server."""
    begun = time.monotonic()
    rows = list(chosen(all_rows(), options.only))
    with server_of(options) as server:
        try:
            server.look(options.only)
        except requests.RequestException as error:
            raise WrongUse(f"{options.base_url} cannot be reached ({type(error).__name__})") from None
        if server.upstream and not is_behind(server, options.only):
            raise WrongUse(
                f"the server does not ask the replaying upstream: set its upstream to {server.upstream.url} "
                "(GEMINI_BASE_URL of Twinlens, api_base of LiteLLM)"
            )
        results = list(watched(rows, server))
    order = {row.id: place for place, row in enumerate(rows)}
    results.sort(key=lambda result: order[result.row.id])
    return build_record(server, results, time.monotonic() - begun)


def watched(rows: Sequence[Row], server: Server) -> Iterator[Result]:
    """The results as they come, each also shown."""
    table = make_table(rows)
    try:
        for result in run(rows, server, table.started):
            table.ended(result)
            yield result
    finally:
        table.close()


@contextmanager
def server_of(options: argparse.Namespace) -> Iterator[Server]:
    """The server under test, and the replaying upstream: behind it if a port was given, else only to compare with."""
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
    """Both files of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / PAGE_NAME).write_text(report_page(record), encoding="utf-8")


def tell(record: Record, folder: Path) -> None:
    """The end of the run, in a few lines."""
    counts = ", ".join(f"{count} {state}" for state, count in record["counts"].items() if count)
    print(f"\n{len(record['rows'])} rows in {record['seconds']} s: {counts}")
    reasons = Counter(row["reason"] for row in record["rows"] if row["state"] == State.SKIPPED)
    for reason, count in reasons.items():
        print(f"  {count} skipped: {reason}")
    print(f"  {folder / PAGE_NAME}\n  {folder / JSON_NAME}")


if __name__ == "__main__":
    sys.exit(main())
