"""`python -m tests.fuzz` looks for inputs that show a fault; `python -m tests.fuzz NAME FILE` tries one again."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.inputs import HERE, NAMES, WORDS, check_of, seeds_of
from tests.support.environments import CACHE, made
from tests.support.processes import PROJECT

SECONDS = int(os.environ.get("FUZZ_SECONDS", "300"))
LONGEST = 4096  # bytes of an input
HANGS = 20  # seconds after which an input hangs
MOST_MEMORY = 1024  # MiB
EXECUTED = re.compile(r"stat::number_of_executed_units: *(\d+)")
OF_NO_INTEREST = re.compile(r"^(INFO:|WARNING: Failed|Dictionary|stat::|###|\"\\|\"\S* # Uses)|\t(NEW|REDUCE|RELOAD) ")
COVERED = re.compile(r"cov: (\d+)")


def fuzz(name: str, seconds: int) -> bool:
    """Fuzzes one check for some seconds; says how it went, and whether it went well."""
    corpus, findings = CACHE / "fuzz" / name, CACHE / "fuzz" / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    words = CACHE / "fuzz" / "words"
    words.write_text("".join(f'"{spelled(word)}"\n' for word in WORDS))
    before = set(findings.iterdir())
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST,
        "timeout": HANGS,
        "rss_limit_mb": MOST_MEMORY,
        "dict": words,
        "artifact_prefix": f"{findings}/{name}-",
        "print_final_stats": 1,
    }
    python = made("atheris") / "bin/python"
    command = [python, "-m", "tests.fuzz.atheris_process", name, *(f"-{key}={value}" for key, value in options.items())]
    print(f"{name}: {len(seeds_of(name))} seeds, {seconds} s", flush=True)
    executed, covered = "0", "0"
    with subprocess.Popen(
        [*command, corpus, HERE / "seeds" / name],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if is_worth_telling(line):
                print(f"  {line.rstrip()[:400]}", flush=True)
            executed = found[1] if (found := EXECUTED.search(line)) else executed
            covered = found[1] if (found := COVERED.search(line)) else covered
    print(
        f"{name}: {int(executed):,} inputs in {seconds} s, {covered} edges, {len(list(corpus.iterdir()))} inputs kept"
    )
    for path in sorted(set(findings.iterdir()) - before):
        print(f"FOUND {path.relative_to(PROJECT)}: {path.read_bytes()[:200]!r}")
        print(f"  try it again with: .venv/bin/python -m tests.fuzz {name} {path.relative_to(PROJECT)}")
    return process.returncode == 0


def spelled(word: bytes) -> str:
    """A word of libFuzzer's dictionary."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def is_worth_telling(line: str) -> bool:
    """Progress and faults, but not each new input that is kept."""
    return not OF_NO_INTEREST.search(line)


def main(arguments: list[str]) -> int:
    """0 if nothing was found."""
    if arguments:
        name, path = arguments
        with check_of(name) as check:
            check(Path(path).read_bytes())
        print("nothing found")
        return 0
    went_well = [fuzz(name, max(1, SECONDS // len(NAMES))) for name in NAMES]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    os.nice(10)
    raise SystemExit(main(sys.argv[1:]))
