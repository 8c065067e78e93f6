"""The tables of a run, and the bars that are passed or missed."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from statistics import median

from bench.measurements import CROWDS, SIZES, Burst, Held, Plan
from bench.servers import program

MB = 1_000_000
MIB = 1024 * 1024
CPU_BARS = {"native": 1.8, "b64_json": 2.0, "url": 2.8, "edit": 3.0, "native, by OpenAI": 2.2}  # times nginx
HELD_BARS = {"native": (0.85, 350), "b64_json": (0.80, 400), "url": (0.70, 400)}  # share of answers, MiB at most
LATENCY_BAR = 3.0  # milliseconds that b64_json adds
STEEPER = 1.3  # times: how much more a further megabyte may cost than an earlier one
CROWDED = 1.6  # times: how much more an answer may cost among 1,000 callers than among 10


@dataclass(frozen=True)
class Verdict:
    """A bar, and whether it was passed."""

    what: str
    told: str
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


def tell_cpu(results: dict[str, list[Burst]], where: str = "", bars: Mapping[str, float] = CPU_BARS) -> list[Verdict]:
    """CPU per picture, and how many times nginx' that is: the ratio within each round, then the median."""
    print(f"\nCPU per picture{where} (whole process tree), median of {len(results['nginx'])} rounds")
    print(f"{'':20}{'ms':>8}{'x nginx':>10}{'x tuned':>10}{'bar':>8}{'peak RSS':>12}")
    verdicts = []
    for name, bursts in results.items():
        edits = "edit" in name
        plain, tuned = ("nginx, edit", "nginx, edit, tuned") if edits else ("nginx", "nginx, tuned")
        times, least = (ratio(bursts, results[base]) for base in (plain, tuned))
        bar = bars.get(name)
        peak = max(one.peak for one in bursts)
        told = f"{name:20}{median(one.cpu for one in bursts):8.2f}{times:10.2f}{least:10.2f}"
        print(f"{told}{bar or '':>8}{peak / MIB:8.0f} MiB{'' if bar is None or times <= bar else '   MISSED'}")
        if bar:
            verdicts.append(Verdict(f"CPU, {name}", f"{times:.2f} x nginx, at most {bar}", times <= bar))
    return verdicts


def ratio(bursts: list[Burst], base: list[Burst]) -> float:
    return median(one.cpu / other.cpu for one, other in zip(bursts, base, strict=True))


def tell_latency(times: dict[str, float]) -> list[Verdict]:
    """What stands between one caller and his picture."""
    print("\nLatency at one caller, p50 in ms, and what it adds to asking the upstream directly")
    for name, time in times.items():
        print(f"{name:20}{time:8.2f}{time - times['direct']:+10.2f}")
    added = times["b64_json"] - times["direct"]
    return [Verdict("latency, b64_json", f"{added:.2f} ms added, at most {LATENCY_BAR}", added <= LATENCY_BAR)]


def tell_bytes(results: dict[str, list[float]]) -> list[Verdict]:
    """Cost by size, and of each further megabyte."""
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


def tell_callers(results: dict[str, list[float]]) -> list[Verdict]:
    """Cost by number of callers."""
    print("\nCPU per answer by number of callers, in ms at 1.4 MB")
    print(f"{'':20}" + "".join(f"{callers:>10}" for callers in CROWDS))
    verdicts = []
    for name, costs in results.items():
        print(f"{name:20}" + "".join(f"{cost:10.2f}" for cost in costs))
        if name != "nginx":
            times = costs[-1] / costs[0]
            told = f"{times:.2f} x at {CROWDS[-1]} what it is at {CROWDS[0]}, at most {CROWDED}"
            verdicts.append(Verdict(f"linear in callers, {name}", told, times <= CROWDED))
    return verdicts


def tell_held(results: dict[str, Held], plan: Plan) -> list[Verdict]:
    """Callers who wait."""
    print(f"\n{plan.held_callers} callers for {plan.held_seconds} s, each answer after 5 s")
    print(f"{'':20}{'answers':>10}{'possible':>10}{'share':>8}{'errors':>8}{'peak RSS':>12}")
    verdicts = []
    for name, one in results.items():
        least, most = HELD_BARS[name]
        told = f"{one.load.answers:10}{one.possible:10}{one.share:8.0%}{one.load.errors:8}{one.peak / MIB:8.0f} MiB"
        print(f"{name:20}{told}")
        verdicts += [
            Verdict(f"held, {name}", f"{one.load.errors} errors, none allowed", one.load.errors == 0),
            Verdict(f"held, {name}", f"{one.share:.0%} of the answers, at least {least:.0%}", one.share >= least),
            Verdict(f"held, {name}", f"{one.peak / MIB:.0f} MiB, at most {most}", one.peak <= most * MIB),
        ]
    return verdicts


def tell_verdicts(verdicts: list[Verdict]) -> bool:
    """All bars; whether every one was passed."""
    print()
    for one in verdicts:
        print(f"{'pass' if one.passed else 'MISS'}   {one.what}: {one.told}")
    return all(one.passed for one in verdicts)
