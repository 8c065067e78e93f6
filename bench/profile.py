"""Where CPU time is spent: samples the stack of one worker under load every millisecond of CPU time, by surface."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

from bench import load, pictures, servers
from bench.processes import exit_on_sigterm

CALLERS = 16
TOP = 22  # functions shown for each surface


def main() -> None:
    """`python -m bench.profile [--seconds 5] [--lines]`."""
    exit_on_sigterm()
    parser = argparse.ArgumentParser(prog="make profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of load on each surface")
    parser.add_argument("--only", help="one surface: native, b64_json, 'b64_json, keyed', url or edit")
    parser.add_argument("--lines", action="store_true", help="show lines instead of functions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx reads it as another user
        answer = pictures.write_answer(folder, 1.4)
        form = pictures.edit_form(pictures.png(4))
        plain = (load.native(), load.generation("b64_json"), load.keyed(), load.generation("url"), load.edit(*form))
        for request in [one for one in plain if options.only in (None, one.name)]:
            print(f"\n== {request.name}")
            stacks, per_answer = sample(folder, answer, request, options.seconds)
            show(stacks, per_answer, options.lines)


def sample(folder: Path, answer: Path, request: load.Request, seconds: float) -> tuple[Counter[tuple], float]:
    """The sampled stacks of one worker with their counts, and the CPU milliseconds per answer."""
    stacks: Counter[tuple] = Counter()
    upstream_of = (
        servers.waiting_upstream(folder, answer, 0)
        if request.name == "edit"
        else servers.instant_upstream(folder, answer)
    )
    with upstream_of as upstream:
        configuration = str(Path(__file__).with_name("profiled_gunicorn.conf.py"))
        surroundings = {"PROFILE_FOLDER": str(folder), "PYTHONPATH": str(servers.PROJECT)}
        with servers.twinlens(folder, upstream, configuration, workers=1, **surroundings) as server:
            before = server.process.cpu_seconds()
            done = load.drive(server.url, request, folder, CALLERS, seconds)
            per_answer = (server.process.cpu_seconds() - before) / done.answers * 1000
    servers.empty_store(folder)
    for path in folder.glob("[0-9]*.json"):
        for one in json.loads(path.read_text()):
            stack = tuple(tuple(place) for place in one["stack"])
            if any(name == "load" or "bench" in file for file, _, name in stack[-1:]):
                continue
            stacks[stack] += one["count"]
        path.unlink()
    return stacks, per_answer


def show(stacks: Counter[tuple], per_answer: float, lines: bool) -> None:
    """Print the functions with most time of their own, and with most time including what they call."""
    total = sum(stacks.values()) or 1
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[name_of(stack[0], lines)] += count
        for place in {name_of(place, False) for place in stack}:
            whole[place] += count
    print(f"{per_answer:.2f} ms of CPU per answer, {total} samples")
    print(f"{'own':>6} {'ms':>6}   {'with what it calls':<8}")
    for name, count in own.most_common(TOP):
        print(f"{count / total:6.1%} {count / total * per_answer:6.2f}   {name}")
    print("   with all that it calls:")
    for name, count in whole.most_common(TOP * 2):
        if count < total * 0.97:
            print(f"{count / total:6.1%} {count / total * per_answer:6.2f}   {name}")


def name_of(place: tuple[str, int, str], line: bool) -> str:
    """The name of a function with its file, and its line if wanted."""
    file, number, name = place
    short = "/".join(Path(file).parts[-2:])
    return f"{short}:{number} {name}" if line else f"{short} {name}"


if __name__ == "__main__":
    main()
