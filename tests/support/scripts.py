"""Python scripts, each run in a process of its own; what loads longer than most of them run is loaded once."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# `printed.txt` and `errors.txt` beside each script are what it has printed, and the exception that has ended it.
RUN_EACH = """
import importlib, os, sys, traceback
modules, *scripts = sys.argv[1:]
for module in modules.split():
    importlib.import_module(module)
for script in scripts:
    if os.fork():
        os.wait()
        continue
    os.chdir(os.path.dirname(script))
    os.dup2(os.open("printed.txt", os.O_CREAT | os.O_WRONLY), 1)
    errors = open("errors.txt", "w")
    try:
        exec(compile(open(script).read(), script, "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc(file=errors)
    errors.close()
    sys.stdout.flush()
    os._exit(0)
"""


def run_each(
    scripts: Sequence[Path], loaded: Sequence[str], seconds: float, python: Path | str = sys.executable, **more: str
) -> None:
    """Runs each script in its folder after the modules `loaded`, and waits until all have ended.

    Nothing of the developer's is in their environment but the path, and `more` is.
    """
    home = scripts[0].parent
    ours = {"LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore", "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
    done = subprocess.run(
        [python, "-c", RUN_EACH, " ".join(loaded), *scripts],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **ours, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr[-4000:]
