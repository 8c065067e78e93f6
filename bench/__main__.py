"""`make bench`: what the service costs beside nginx, with 2 workers, and whether the limits are met."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench import measurements, report
from bench.measurements import Plan
from bench.processes import exit_on_sigterm

PARTS = ("cpu", "chat", "keys", "budgets", "tls", "latency", "bytes", "callers", "held", "at-once")


def main() -> int:
    """Run the chosen parts and print their tables. Returns 1 if a limit was exceeded."""
    exit_on_sigterm()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds and few callers: a rough figure")
    parser.add_argument("--with-litellm", action="store_true", help="measure LiteLLM too, in an environment of its own")
    parser.add_argument("--rounds", type=int, help="how often each contender is measured (5, or 2 with --quick)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be repeated")
    parser.add_argument(
        "--before", type=Path, metavar="FOLDER", help="measure CPU in turns with another checkout, and only that"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write CPU and held callers to a file, too")
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
            before=options.before and options.before.resolve(),
        )
        print(report.machine(), flush=True)
        return (
            0
            if report.print_verdicts(measure(plan, options.only or (() if options.before else PARTS), options.json))
            else 1
        )


def measure(plan: Plan, parts: tuple[str, ...], file: Path | None) -> list[report.Verdict]:
    """Measure the parts one after another, and print each table as soon as it is known."""
    verdicts: list[report.Verdict] = []
    results: dict[str, object] = {"machine": report.machine(), "rounds": plan.rounds, "cpu": {}, "held": {}}
    results["callers"] = plan.held_callers
    if "cpu" in parts:
        bursts = measurements.cpu_by_round(plan)
        verdicts += report.print_cpu(bursts)
        results["cpu"] = report.cpu_as_data(bursts)
    if plan.before:
        verdicts += report.print_before(measurements.cpu_before(plan))
    if "keys" in parts:
        verdicts += report.print_keys(measurements.cpu_of_keys(plan))
    if "budgets" in parts:
        verdicts += report.print_budgets(measurements.cpu_of_budgets(plan))
    if "chat" in parts:
        verdicts += report.print_chat(measurements.chat_by_round(plan))
    if "tls" in parts:
        report.print_cpu(measurements.cpu_through_tls(plan), " from an upstream with TLS and chunks", limits={})
    if "latency" in parts:
        verdicts += report.print_latency(measurements.latency(plan))
    if "bytes" in parts:
        verdicts += report.print_bytes(measurements.growth_with_bytes(plan))
    if "callers" in parts:
        verdicts += report.print_callers(measurements.growth_with_callers(plan))
    if "held" in parts:
        held = measurements.held(plan)
        verdicts += report.print_held(held, plan)
        results["held"] = report.held_as_data(held)
    if "at-once" in parts:
        verdicts += report.print_at_once(measurements.answered_at_once(plan), plan)
    if file:
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
