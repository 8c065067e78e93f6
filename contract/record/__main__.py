"""`python -m contract.record`: asks a real upstream, writes its answers as fixtures, and reports what changed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from contract.record.calls import CALLS, cost
from contract.record.drift import drift
from contract.record.recording import Stopped, record, write
from contract.record.scrubbing import KeyLeft

GOOGLE = "https://generativelanguage.googleapis.com"
MODEL = "gemini-2.5-flash-image"
KEY_VARIABLE = "API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Record. Returns 0 if the fixtures were written, otherwise 1."""
    options = parse(arguments)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return stop(f"a key is needed in the environment variable {KEY_VARIABLE}")
    if options.into.exists():
        return stop(f"{options.into} exists; name another folder with --into")
    announce(options.upstream, options.model, options.into)
    if not (options.yes or agreed()):
        return stop("Nothing was asked and nothing was written.")
    try:
        recorded = record(options.upstream, key, options.model, date.today())
        write(recorded, options.into, key)
    except Stopped as stopped:
        return stop(f"{stopped}\nNothing was written.")
    except KeyLeft:
        return stop("an answer contains the key in an unknown spelling. Nothing was written.")
    except KeyboardInterrupt:
        return stop("interrupted. Nothing was written.")
    print(f"\n{len(recorded)} answers are in {options.into}. How they differ from the fixtures:\n")
    print(drift(recorded))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m contract.record",
        description="Make the calls that the fixtures answer to the real Gemini API or another upstream, write its "
        "answers as fixtures without the key, the project and large pictures, and report how they differ from the "
        f"existing ones. The key is read from {KEY_VARIABLE}. Prints what it will cost, and asks before it starts.",
    )
    parser.add_argument("--upstream", default=GOOGLE, help="default: %(default)s")
    parser.add_argument("--model", default=MODEL, help="default: %(default)s")
    parser.add_argument(
        "--into", type=Path, default=Path(f"recorded-{date.today()}"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    options.upstream = options.upstream.rstrip("/")
    address = urlsplit(options.upstream)
    if address.scheme not in ("http", "https") or not address.hostname or address.username or address.query:
        parser.error("--upstream must be an http or https address without a password or a query")
    return options


def announce(upstream: str, model: str, folder: Path) -> None:
    """Print the calls and what they will cost."""
    pictures, dollars = cost(CALLS, model)
    print(f"{len(CALLS)} calls to {upstream}, asking for {model}:\n")
    for call in CALLS:
        drawn = f"  up to {call.pictures} picture{'s' * (call.pictures > 1)}" if call.pictures else ""
        print(f"  {call.operation + '/' + call.name:<52}{drawn}")
    print(f"\nThey draw up to {pictures} pictures, which cost about USD {dollars:.2f}.")
    print(f"The other calls cost next to nothing. The answers are written to {folder}, without the key.\n")


def agreed() -> bool:
    """Whether the user answers yes."""
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def stop(why: str) -> int:
    print(f"record: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
