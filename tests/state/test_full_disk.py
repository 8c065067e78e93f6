"""A disk that is full is named, and used again when there is room."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.installed import missing, program
from tests.support.processes import PROJECT


def test_a_full_disk_is_named_until_there_is_space(tmp_path: Path):
    unshare = [program("unshare"), "--mount"]
    if os.geteuid() or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        missing("only root may mount a small disk")
    order = [*unshare, sys.executable, "-m", "tests.state.full_disk", tmp_path]
    done = subprocess.run(order, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["None", "The database cannot be written: its disk is full.", "None"]
