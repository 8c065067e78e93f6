"""`python -m tests.mutants`: runs every row against every fault, and prints which were noticed."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from contract.rows import all_rows
from contract.suite.row import Row
from tests.mutants.mutants import MUTANTS
from tests.mutants.trials import DidNotStart, Trial, expected_rows, try_out


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them. Returns 1 if the rows that should notice a fault pass, or if rows fail without any fault."""
    options = parse(arguments)
    warnings.simplefilter("ignore")  # Google's SDK warns about every finish reason that it does not know
    names = [
        name for name in MUTANTS if fnmatchcase(name, options.only) and (MUTANTS[name].rows or not options.expected)
    ]
    print(f"{len(names)} faults, {'the rows that should notice them' if options.expected else 'every row'}\n")
    try:
        healthy = try_out("", rows_for(names, options.expected))
        if healthy.failed:
            print("Without any fault these rows fail:", *healthy.failed, sep="\n  ")
            return 1
        with ThreadPoolExecutor(options.at_once) as pool:
            ok = [print_result(trial) for trial in pool.map(lambda name: trial_of(name, options.expected), names)]
    except DidNotStart as error:
        print(f"The service did not start:\n{error}", file=sys.stderr)
        return 1
    print(f"\n{sum(ok)} of {len(ok)} faults were noticed by all rows that should notice them.")
    return 0 if all(ok) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--only", default="*", metavar="PATTERN", help="faults by name, such as '*picture*'")
    parser.add_argument("--expected", action="store_true", help="run only the rows that should notice a fault")
    parser.add_argument("--at-once", type=int, default=2, help="how many services run at once (default: %(default)s)")
    return parser.parse_args(arguments)


def rows_for(names: Sequence[str], expected: bool) -> list[Row]:
    """The rows to run for some faults."""
    if not expected:
        return list(all_rows())
    return list({row.id: row for name in names for row in expected_rows(name)}.values())


def trial_of(name: str, expected: bool) -> Trial:
    return try_out(name, rows_for([name], expected))


def print_result(trial: Trial) -> bool:
    """Print a line, and one for each pattern without a failed row. Returns whether there is none of these."""
    mark = "MISSED " if trial.unnoticed else "noticed"
    print(f"{mark}  {trial.name:<46} {len(trial.failed):>4} of {len(trial.results)} rows fail", flush=True)
    for pattern in trial.unnoticed:
        print(f"         passed: {pattern if MUTANTS[trial.name].rows else 'all rows; none is about this yet'}")
    return not trial.unnoticed


if __name__ == "__main__":
    sys.exit(main())
