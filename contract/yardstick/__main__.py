"""`python -m contract.yardstick`: test the gateways with the replaying upstream, and write docs/gateways.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contract.yardstick.gateways import GATEWAYS, PORT, UPSTREAM_PORT, Gateway
from contract.yardstick.page import Unexplained, page
from contract.yardstick.running import CACHE, PROJECT, installed, running

RESULTS = Path(__file__).with_name("results.json")
PAGE = PROJECT / "docs" / "gateways.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite against the chosen gateways, and write the page from all results. Returns 1 if it cannot."""
    options = parse(arguments)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"gateways": {}, "bench": {}}
    for gateway in GATEWAYS:
        if not options.page and options.only in (None, gateway.name):
            print(f"== {gateway.title}", flush=True)
            stored = results["gateways"].get(gateway.name, {}).get("states", {}) if options.rows else {}
            found = tested(gateway, options.rows)
            results["gateways"][gateway.name] = {**found, "states": {**stored, **found["states"]}}
    if options.bench:
        results["bench"] = {**json.loads(options.bench.read_text(encoding="utf-8")), "commit": commit()}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    try:
        PAGE.write_text(page(results), encoding="utf-8")
    except Unexplained as problem:
        print(f"yardstick: the results are stored, and the page is not written: {problem}", file=sys.stderr)
        return 1
    print(f"{PAGE.relative_to(PROJECT)}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m contract.yardstick", description=__doc__)
    parser.add_argument("--only", choices=[gateway.name for gateway in GATEWAYS], help="test this gateway only")
    parser.add_argument(
        "--rows",
        default="",
        metavar="PATTERNS",
        help="test these rows only, as of the suite; the others keep their results",
    )
    parser.add_argument("--page", action="store_true", help="write the page from the stored results")
    parser.add_argument(
        "--bench", type=Path, metavar="FILE", help="include the results of `python -m bench --json FILE`"
    )
    return parser.parse_args(arguments)


def tested(gateway: Gateway, rows: str) -> dict[str, Any]:
    """What is stored of a run: version, date, SDKs, and the state of each row."""
    with TemporaryDirectory() as name, running(gateway, installed(gateway)):
        command = [sys.executable, "-m", "contract", "--base-url", f"http://127.0.0.1:{PORT}", "--out", name]
        command += ["--upstream-port", str(UPSTREAM_PORT), "--rows", rows]
        if gateway.gemini_path:
            command += ["--gemini-base-url", f"http://127.0.0.1:{PORT}{gateway.gemini_path}"]
        environment = {**os.environ, "CONTRACT_API_KEY": gateway.key}
        done = subprocess.run(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
        print(done.stdout.rpartition("\n\n")[2])
        report = json.loads((Path(name) / "contract-report.json").read_text(encoding="utf-8"))
    (CACHE / f"{gateway.name}.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return {
        "version": gateway.version or commit(),
        "date": str(date.today()),
        "sdks": report["sdks"],
        "states": {row["id"]: row["state"] for row in report["rows"]},
    }


def commit() -> str:
    """The commit of this repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
