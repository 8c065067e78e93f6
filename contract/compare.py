"""`python -m contract.compare A.json B.json`: two reports of the contract suite side by side on one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.report.pair import compare_page, pairs_of
from contract.report.record import NotAReport, read_record

PAGE_NAME = "contract-compare.html"
WRONG_USE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page. Returns 0, even if the reports differ; 2 if one cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m contract.compare",
        description="Write a page with two reports of the contract suite side by side.",
    )
    parser.add_argument("first", type=Path, help="a contract-report.json")
    parser.add_argument("second", type=Path, help="another one")
    parser.add_argument("--out", type=Path, default=Path(PAGE_NAME), help="the page to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        first, second = read_record(options.first), read_record(options.second)
    except NotAReport as error:
        print(f"contract: {error}", file=sys.stderr)
        return WRONG_USE
    options.out.write_text(compare_page(first, second), encoding="utf-8")
    pairs = pairs_of(first, second)
    print(f"{len(pairs)} rows, {sum(pair.differs for pair in pairs)} with different results\n  {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
