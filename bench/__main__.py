"""`make bench`: what the service costs beside nginx, with 2 workers, and whether the bars are passed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import measurements, report
from bench.measurements import Plan
from bench.processes import end_in_order

PARTS = ("cpu", "tls", "latency", "bytes", "callers", "held")


def main() -> int:
    """Runs what was asked for, prints the tables, and returns 1 if a bar was missed."""
    end_in_order()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds and a small crowd: a look, no proof")
    parser.add_argument("--with-litellm", action="store_true", help="measure LiteLLM too, from its own environment")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (5, or 2 with --quick)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be given again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="twinlens-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers read it as another user
        plan = Plan(
            folder,
            rounds=options.rounds or (2 if options.quick else 5),
            seconds=2 if options.quick else 4,
            held_callers=200 if options.quick else 1000,
            held_seconds=15 if options.quick else 60,
            with_litellm=options.with_litellm,
        )
        print(report.machine(), flush=True)
        return 0 if report.tell_verdicts(measure(plan, options.only or PARTS)) else 1


def measure(plan: Plan, parts: tuple[str, ...]) -> list[report.Verdict]:
    """The parts, one after another, each told as soon as it is known."""
    verdicts: list[report.Verdict] = []
    if "cpu" in parts:
        verdicts += report.tell_cpu(measurements.cpu_by_round(plan))
    if "tls" in parts:
        report.tell_cpu(measurements.cpu_through_tls(plan), " from an upstream that talks TLS and chunks", bars={})
    if "latency" in parts:
        verdicts += report.tell_latency(measurements.latency(plan))
    if "bytes" in parts:
        verdicts += report.tell_bytes(measurements.growth_with_bytes(plan))
    if "callers" in parts:
        verdicts += report.tell_callers(measurements.growth_with_callers(plan))
    if "held" in parts:
        verdicts += report.tell_held(measurements.held(plan), plan)
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
