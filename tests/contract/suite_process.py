"""Runs the contract suite as a process, as its users do."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
SECONDS = 240


@dataclass(frozen=True)
class Run:
    """One run of the suite, and the folder of its report."""

    exit_code: int
    output: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """contract-report.json."""
        found: dict[str, Any] = json.loads((self.folder / "contract-report.json").read_text(encoding="utf-8"))
        return found

    @property
    def page(self) -> str:
        """contract-report.html."""
        return (self.folder / "contract-report.html").read_text(encoding="utf-8")

    def not_passed(self) -> list[str]:
        """The rows that did not pass, with their reasons."""
        return [f"{row['state']} {row['id']}: {row['reason']}" for row in self.report["rows"] if row["state"] != "pass"]


def run_suite(folder: Path, *arguments: str) -> Run:
    """Run it and wait until it ends."""
    command = [sys.executable, "-m", "contract", *arguments, "--out", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS)
    return Run(done.returncode, done.stdout + done.stderr, folder)
