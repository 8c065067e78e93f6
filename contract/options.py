"""The options of `python -m contract`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from contract.scrubbing import SHORTEST_KEY
from contract.suite.row import APIS
from contract.suite.server import SANDBOX_KEY

MODEL = "gemini-2.5-flash-image"
KEY_VARIABLE = "CONTRACT_API_KEY"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - a name to compare with


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options. Exits with status 2 and a sentence if they are wrong."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    options.api_key = options.api_key or os.environ.get(KEY_VARIABLE, "")
    if options.list:
        return options
    if not options.base_url:
        parser.exit(2, f"contract: name a server, for example:\n\n  {example()}\n\n  {as_written('help')} shows all.\n")
    if problem := problem_with(options):
        parser.exit(2, f"contract: {problem}\n")
    return options


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m contract",
        description="Test a server through the real openai and google-genai SDKs, and write a report of what works as "
        "HTML, JSON and JUnit XML. A server with a real model draws over a hundred pictures, which are billed. Exits "
        "with 0 if no row failed, 1 if one did, and 2 if the suite could not start or no row passed.",
    )
    parser.add_argument("--base-url", metavar="URL", help="of the server, such as http://127.0.0.1:8000")
    parser.add_argument(
        "--api-key", metavar="KEY", help=f"default: the environment variable {KEY_VARIABLE}; never printed or written"
    )
    parser.add_argument("--only", choices=APIS, help="test one of the APIs")
    parser.add_argument("--model", default=MODEL, help="default: %(default)s")
    parser.add_argument(
        "--rows",
        default="",
        metavar="PATTERNS",
        help="run the rows whose id contains one of these, separated by commas; * stands for anything",
    )
    parser.add_argument("--list", action="store_true", help="print the rows instead of running them")
    parser.add_argument(
        "--yes", action="store_true", help="do not ask before pictures are bought from another machine's server"
    )
    parser.add_argument("--gemini-base-url", metavar="URL", help="of Google's API, if it is not below the base URL")
    parser.add_argument(
        "--upstream-port",
        type=int,
        metavar="PORT",
        help="start the replaying upstream at this port of 127.0.0.1; the server's upstream must be set to it",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder of the report (default: .)")
    return parser


def problem_with(options: argparse.Namespace) -> str | None:
    """What is wrong with the options, in a sentence."""
    for name in ("base_url", "gemini_base_url"):
        address = getattr(options, name)
        if address and not (address.startswith(("http://", "https://")) and urlsplit(address).hostname):
            return f"{as_written(name)} must be an http or https address"
    if not options.api_key:
        variable = "" if under_make() else f" or {KEY_VARIABLE}"
        free = f"(any {SHORTEST_KEY} characters if the server needs none)"
        return f"a key is needed: {as_written('api_key')}{variable} {free}"
    if len(options.api_key) < SHORTEST_KEY and options.api_key != SANDBOX_KEY:
        return f"the key must have at least {SHORTEST_KEY} characters: a shorter one cannot be kept out of the report"
    if options.upstream_port is not None and not 0 < options.upstream_port < 65536:
        return f"{as_written('upstream_port')} must be a port from 1 to 65535"
    return None if options.model.strip() else f"{as_written('model')} must not be empty"


def is_local(options: argparse.Namespace) -> bool:
    """Whether the server, on all its addresses, is on this machine."""
    addresses = [one for one in (options.base_url, options.gemini_base_url) if one]
    return all(urlsplit(one).hostname in LOCAL_HOSTS for one in addresses)


def under_make() -> bool:
    """Whether the command was started by make."""
    return "MAKELEVEL" in os.environ


def as_written(option: str) -> str:
    """An option as the user writes it: a variable of make, or an option of the command."""
    if under_make():
        return {"help": "make help", "yes": "YES=1", "list": "LIST=1"}.get(option, option.upper())
    return "--" + option.replace("_", "-")


def example() -> str:
    """A complete command line."""
    if under_make():
        return "make contract BASE_URL=http://127.0.0.1:8000 API_KEY=sandbox"
    return f"{Path(sys.executable).name} -m contract --base-url http://127.0.0.1:8000 --api-key sandbox"
