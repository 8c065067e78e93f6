"""`python -m proxy` without its start: one process has loaded all that commands need, and forks for each of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.support.processes import PROJECT

LOADED = ("tests.support.quick_drawing", "cli", "proxy.state.engine", "PIL.WebPImagePlugin")
FORK_FOR_EACH = """
import importlib, json, os, runpy, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
for line in sys.stdin:
    folder, printed, errors, environment, arguments = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, printed, errors)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.argv[1:] = arguments
    runpy.run_module("proxy", run_name="__main__", alter_sys=True)
"""


class Commands:
    """`with Commands(folder) as commands:` runs commands until the block ends; the folder gets their output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORK_FOR_EACH, *LOADED],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=10)

    def run(
        self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Runs one in a folder, with this environment and no other."""
        self.count += 1
        printed, errors = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        order = (str(folder), str(printed), str(errors), environment, arguments)
        assert self.process.stdin and self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, printed.read_text(), errors.read_text())
