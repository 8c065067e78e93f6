"""A real start and a real stop: JSON logs from the first line to the last, and enough open files for every caller."""

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from proxy.server.open_files import files_needed
from tests.support.processes import PROJECT
from tests.support.proxy_server import GUNICORN, ProxyServer


def test_with_json_every_line_from_start_to_stop_is_json(tmp_path: Path):
    with ProxyServer(tmp_path, LOG_FORMAT="json", SANDBOX="1") as server:
        requests.get(f"{server.url}/v1/models?key=a-secret", timeout=5)
        server.says_to(b"nonsense\r\n\r\n")
        server.terminate()
        assert server.exit_code() == 0
        lines = [json.loads(line) for line in server.output().splitlines()]
    assert all(line.keys() >= {"time", "level", "message"} for line in lines)
    messages = "\n".join(line["message"] for line in lines)
    for message in ("Starting gunicorn", "Listening at", "Booting worker", "request refused", "Shutting down: Master"):
        assert message in messages
    assert "a-secret" not in str(lines)


def test_a_taken_port_is_one_line_with_the_command_to_write(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        environment = {**ProxyServer(tmp_path, SANDBOX="1").environment, "PORT": str(port)}
        command = ["make", "--no-print-directory", "run", f"PORT={port}", "HOST=127.0.0.1"]
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"\bPort\b|\bport\b|in use", line)]
    assert re.fullmatch(
        rf"Twinlens did not start. Port {port} is taken by another program. Choose another one: PORT=\d+ make run", line
    )
    free = int(re.search(r"PORT=(\d+)", line)[1])
    with socket.create_server(("127.0.0.1", free)):
        assert free != port


def test_the_banner_says_that_the_announced_end_has_passed(tmp_path: Path):
    with ProxyServer(tmp_path, SANDBOX="1") as server:
        pass
    assert "The announced end of gemini-2.5-flash-image, 2026-10-02, has passed." in server.output()
    assert "gemini-nano-banana-2.1 draws" in server.output()


def test_with_json_a_fault_at_the_start_is_one_line(tmp_path: Path):
    """A bucket whose credentials make no sense is noticed by the worker."""
    environment = ProxyServer(tmp_path, LOG_FORMAT="json", IMAGE_STORE_URL="s3://").environment
    command = [sys.executable, "-m", "gunicorn"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert any("Traceback" in line.get("traceback", "") for line in lines), done.stderr
    assert not any(line.startswith(("Traceback", "  File")) for line in done.stderr.splitlines())


@pytest.mark.parametrize(("soft", "hard", "allowed"), [(256, 4500, files_needed(1000)), (256, 1000, 1000)])
def test_the_limit_of_open_files_is_raised_as_far_as_the_system_allows(
    tmp_path: Path, soft: int, hard: int, allowed: int
):
    command = f"ulimit -Sn {soft} && ulimit -Hn {hard} && exec {shlex.join(GUNICORN)}"
    with ProxyServer(tmp_path, command=("sh", "-c", command), LOG_FORMAT="json") as server:
        worker, *_ = server.workers()
        limits = Path(f"/proc/{worker}/limits").read_text()
    assert re.search(rf"Max open files +{allowed} +{hard} ", limits), limits
    warnings = [line["message"] for line in map(json.loads, server.output().splitlines()) if line["level"] == "warning"]
    expected = f"MAX_IN_FLIGHT=1000 needs {files_needed(1000)} open files in each worker and 1000 are allowed"
    assert [warning.partition(",")[0] for warning in warnings] == ([] if allowed > 1000 else [expected])
