"""`python -m spec.derive`: writes `contract_fixtures/derived/`; `--check` only says whether it is up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spec.derive.files import FOLDER, outdated, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the files. Returns 1 if a check finds one that is out of date."""
    parser = argparse.ArgumentParser(prog="python -m spec.derive", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are (default: %(default)s)")
    options = parser.parse_args(arguments)
    changed = outdated(options.folder) if options.check else write(options.folder)
    for name in changed:
        print(f"{'out of date' if options.check else 'written'}: {name}")
    if options.check and changed:
        print("Run `make derive`.")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
