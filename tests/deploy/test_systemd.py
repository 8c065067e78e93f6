"""What systemd says of the unit. test_confined.py starts the service under its restrictions."""

import re
import subprocess
from pathlib import Path

from proxy.settings import Settings
from tests.support.installed import program

SCORE = 15  # of systemd's 100, where 0 is no exposure at all
SHUT_DOWN = 30  # seconds that gunicorn.conf.py gives above UPSTREAM_TIMEOUT_SECONDS


def test_systemd_understands_it(deploy: Path, tmp_path: Path):
    analyze = program("systemd-analyze")
    copy = tmp_path / "twinlens.service"
    copy.write_text(re.sub(r"/opt/twinlens\S*/gunicorn", "/bin/true", (deploy / "twinlens.service").read_text()))
    done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_it_confined(deploy: Path):
    order = [program("systemd-analyze"), "security", "--no-pager", "--offline=true", f"--threshold={SCORE}"]
    done = subprocess.run([*order, deploy / "twinlens.service"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_it_waits_for_the_last_picture(unit: dict[str, list[str]]):
    [minutes] = unit["TimeoutStopSec"]
    assert int(minutes.removesuffix("min")) * 60 > Settings().upstream_timeout_seconds + SHUT_DOWN
