"""The tables of a run, and which limits were met."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from statistics import median

from bench.measurements import BEFORE, CALLER_COUNTS, SIZES, Burst, Held, Plan
from bench.servers import program

MB = 1_000_000
MIB = 1024 * 1024
CPU_LIMITS = {"native": 1.8, "b64_json": 2.0, "url": 2.8, "edit": 3.0, "native, by OpenAI": 2.2}  # times nginx
HELD_LIMITS = {"native": (0.85, 350), "b64_json": (0.80, 400), "url": (0.70, 400)}  # share of answers, MiB at most
BUDGET_LIMIT = 0.5  # milliseconds of CPU per picture that a key with a budget adds
KEYED_LIMIT = 1.8  # times an answer without a key
BEFORE_LIMIT = 1.1  # times the checkout before
AT_ONCE_LIMIT = 400  # MB, for answers that come at the same moment
CHAT_LIMITS = {"chat": 1.2, "chat, streamed": 1.2}  # times `b64_json`
LATENCY_LIMIT = 3.0  # milliseconds that b64_json adds
STEEPER = 1.3  # times that a further megabyte may cost what an earlier one costs
MORE_CALLERS = 1.6  # times that an answer at 1,000 callers may cost what it costs at 10


@dataclass(frozen=True)
class Verdict:
    """A limit, and whether it was met."""

    what: str
    result: str
    passed: bool


def machine() -> str:
    """Date, machine and versions."""
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    cores = subprocess.run(["nproc"], capture_output=True, text=True).stdout.strip()  # noqa: S607
    nginx = subprocess.run([program("nginx"), "-v"], capture_output=True, text=True).stderr.rpartition("/")[2]  # noqa: S603
    return (
        f"{date.today()}, {cores} cores of {cpu}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"gunicorn {version('gunicorn')}, gevent {version('gevent')}, nginx {nginx.strip()}"
    )


def print_cpu(
    results: dict[str, list[Burst]], where: str = "", limits: Mapping[str, float] = CPU_LIMITS
) -> list[Verdict]:
    """Print CPU per picture and its ratio to nginx: the median of the ratios within each round."""
    print(f"\nCPU per picture{where} (whole process tree), median of {len(results['nginx'])} rounds")
    print(f"{'':20}{'ms':>8}{'x nginx':>10}{'x tuned':>10}{'limit':>8}{'peak RSS':>12}")
    verdicts = []
    for name, bursts in results.items():
        edits = "edit" in name
        plain, tuned = ("nginx, edit", "nginx, edit, tuned") if edits else ("nginx", "nginx, tuned")
        times, least = (ratio(bursts, results[base]) for base in (plain, tuned))
        limit = limits.get(name)
        peak = max(one.peak for one in bursts)
        columns = f"{name:20}{median(one.cpu for one in bursts):8.2f}{times:10.2f}{least:10.2f}"
        exceeded = "" if limit is None or times <= limit else "   EXCEEDED"
        print(f"{columns}{limit or '':>8}{peak / MIB:8.0f} MiB{exceeded}")
        if limit:
            verdicts.append(Verdict(f"CPU, {name}", f"{times:.2f} x nginx, at most {limit}", times <= limit))
    return verdicts


def print_keys(results: dict[str, list[Burst]]) -> list[Verdict]:
    """Print what an idempotency key costs."""
    plain, keyed = results["b64_json"], results["b64_json, keyed"]
    times = ratio(keyed, plain)
    print(f"\nCPU per picture with an Idempotency-Key, median of {len(plain)} rounds in turns")
    print(f"{'':20}{'ms':>8}{'times':>8}{'answers/s':>11}{'peak RSS':>12}")
    for name, bursts in results.items():
        rate = median(one.load.answers / one.load.seconds for one in bursts)
        columns = f"{name:20}{median(one.cpu for one in bursts):8.2f}{ratio(bursts, plain):8.2f}{rate:11.0f}"
        print(f"{columns}{max(one.peak for one in bursts) / MIB:8.0f} MiB")
    return [Verdict("CPU, keyed", f"{times:.2f} times b64_json, at most {KEYED_LIMIT}", times <= KEYED_LIMIT)]


def print_budgets(results: dict[str, list[Burst]]) -> list[Verdict]:
    """Print what a budget costs: the median of the differences within each round."""
    print(f"\nCPU per picture with a budget (ACCESS=keys, SQLite), median of {len(results['native'])} rounds in turns")
    verdicts = []
    for name in ("native", "b64_json"):
        free, paid = results[name], results[f"{name}, paid"]
        more = median(one.cpu - other.cpu for one, other in zip(paid, free, strict=True))
        print(f"{name:20}{median(one.cpu for one in free):8.2f} ms, and {more:.2f} ms more with a budget")
        verdicts.append(Verdict(f"budget, {name}", f"{more:.2f} ms, at most {BUDGET_LIMIT}", more <= BUDGET_LIMIT))
    return verdicts


def print_before(results: dict[str, list[Burst]]) -> list[Verdict]:
    """Print what an answer costs beside another checkout."""
    print(f"\nCPU per picture beside the checkout before, median of {len(results['native'])} rounds in turns")
    print(f"{'':20}{'ms':>8}{'before':>8}{'times':>8}")
    verdicts = []
    for name in [name for name in results if not name.endswith(BEFORE)]:
        now, before = results[name], results[name + BEFORE]
        times = ratio(now, before)
        print(f"{name:20}{median(one.cpu for one in now):8.2f}{median(one.cpu for one in before):8.2f}{times:8.2f}")
        result = f"{times:.2f} times the checkout before, at most {BEFORE_LIMIT}"
        verdicts.append(Verdict(f"CPU, {name}", result, times <= BEFORE_LIMIT))
    return verdicts


def print_at_once(results: dict[str, Held], plan: Plan) -> list[Verdict]:
    """Print what it takes to answer many callers at the same moment."""
    print(f"\n{plan.held_callers} callers whose answers come at the same moment")
    print(f"{'':20}{'answers':>10}{'errors':>8}{'peak RSS':>12}")
    verdicts = []
    for name, one in results.items():
        print(f"{name:20}{one.load.answers:10}{one.load.errors:8}{one.peak / MB:9.0f} MB")
        enough = one.load.answers >= plan.held_callers and not one.load.errors
        verdicts += [
            Verdict(f"at once, {name}", f"{one.load.answers} answers, {one.load.errors} errors", enough),
            Verdict(
                f"at once, {name}", f"{one.peak / MB:.0f} MB, at most {AT_ONCE_LIMIT}", one.peak <= AT_ONCE_LIMIT * MB
            ),
        ]
    return verdicts


def print_chat(results: dict[str, list[Burst]]) -> list[Verdict]:
    """Print CPU per picture of chats, and its ratio to `b64_json`: the median of the ratios within each round."""
    base = results["b64_json"]
    print(f"\nCPU per picture of a chat (whole process tree), median of {len(base)} rounds")
    print(f"{'':20}{'ms':>8}{'x b64_json':>12}{'limit':>8}")
    verdicts = []
    for name, bursts in results.items():
        times, limit = ratio(bursts, base), CHAT_LIMITS.get(name)
        print(f"{name:20}{median(one.cpu for one in bursts):8.2f}{times:12.2f}{limit or '':>8}")
        if limit:
            verdicts.append(Verdict(f"CPU, {name}", f"{times:.2f} x b64_json, at most {limit}", times <= limit))
    return verdicts


def cpu_as_data(results: dict[str, list[Burst]]) -> dict[str, dict[str, float]]:
    """Milliseconds per picture, the ratio to nginx, and peak memory in MiB, without edits."""
    return {
        name: {
            "ms": median(one.cpu for one in bursts),
            "times": ratio(bursts, results["nginx"]),
            "mib": max(one.peak for one in bursts) / MIB,
        }
        for name, bursts in results.items()
        if "edit" not in name
    }


def held_as_data(results: dict[str, Held]) -> dict[str, dict[str, float]]:
    """Answers, errors and peak memory in MiB, with many waiting callers."""
    return {
        name: {
            "answers": one.load.answers,
            "possible": one.possible,
            "errors": one.load.errors,
            "mib": one.peak / MIB,
        }
        for name, one in results.items()
    }


def ratio(bursts: list[Burst], base: list[Burst]) -> float:
    return median(one.cpu / other.cpu for one, other in zip(bursts, base, strict=True))


def print_latency(times: dict[str, float]) -> list[Verdict]:
    """Print the latency of one caller."""
    print("\nLatency of one caller, p50 in ms, and what is added to asking the upstream directly")
    for name, time in times.items():
        print(f"{name:20}{time:8.2f}{time - times['direct']:+10.2f}")
    added = times["b64_json"] - times["direct"]
    return [Verdict("latency, b64_json", f"{added:.2f} ms added, at most {LATENCY_LIMIT}", added <= LATENCY_LIMIT)]


def print_bytes(results: dict[str, list[float]]) -> list[Verdict]:
    """Print the cost by size of the picture, and of each further megabyte."""
    print("\nCPU per answer by size of the picture, in ms at 10 callers")
    print(f"{'':20}" + "".join(f"{size:>7} MB" for size in SIZES) + "   further MB: first, later")
    verdicts = []
    for name, costs in results.items():
        first = (costs[1] - costs[0]) / (SIZES[1] - SIZES[0])
        later = (costs[2] - costs[1]) / (SIZES[2] - SIZES[1])
        print(f"{name:20}" + "".join(f"{cost:10.2f}" for cost in costs) + f"{first:14.2f}{later:8.2f}")
        if "nginx" not in name:
            passed = costs[2] <= costs[1] * SIZES[2] / SIZES[1] * STEEPER
            verdicts.append(Verdict(f"linear in bytes, {name}", f"{later:.2f} ms for each further MB", passed))
    return verdicts


def print_callers(results: dict[str, list[float]]) -> list[Verdict]:
    """Print the cost by number of callers."""
    print("\nCPU per answer by number of callers, in ms at 1.4 MB")
    print(f"{'':20}" + "".join(f"{callers:>10}" for callers in CALLER_COUNTS))
    verdicts = []
    for name, costs in results.items():
        print(f"{name:20}" + "".join(f"{cost:10.2f}" for cost in costs))
        if name != "nginx":
            times = costs[-1] / costs[0]
            result = f"{times:.2f} times the cost at {CALLER_COUNTS[0]} callers, at most {MORE_CALLERS}"
            verdicts.append(Verdict(f"linear in callers, {name}", result, times <= MORE_CALLERS))
    return verdicts


def print_held(results: dict[str, Held], plan: Plan) -> list[Verdict]:
    """Print what many waiting callers got."""
    print(f"\n{plan.held_callers} callers for {plan.held_seconds} s, each answer after 5 s")
    print(f"{'':20}{'answers':>10}{'possible':>10}{'share':>8}{'errors':>8}{'peak RSS':>12}")
    verdicts = []
    for name, one in results.items():
        columns = f"{one.load.answers:10}{one.possible:10}{one.share:8.0%}{one.load.errors:8}{one.peak / MIB:8.0f} MiB"
        print(f"{name:20}{columns}")
        if name not in HELD_LIMITS:
            continue
        least, most = HELD_LIMITS[name]
        verdicts += [
            Verdict(f"held, {name}", f"{one.load.errors} errors, none allowed", one.load.errors == 0),
            Verdict(f"held, {name}", f"{one.share:.0%} of the answers, at least {least:.0%}", one.share >= least),
            Verdict(f"held, {name}", f"{one.peak / MIB:.0f} MiB, at most {most}", one.peak <= most * MIB),
        ]
    return verdicts


def print_verdicts(verdicts: list[Verdict]) -> bool:
    """Print all limits. Returns whether every one was met."""
    print()
    for one in verdicts:
        print(f"{'pass' if one.passed else 'FAIL'}   {one.what}: {one.result}")
    return all(one.passed for one in verdicts)
