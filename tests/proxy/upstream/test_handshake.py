"""A TLS handshake that stalls has sent nothing, with the sockets of Python and with those of gevent's workers."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import socket
import requests
from proxy.upstream.client import too_late, without_answer
from proxy.upstream.wait_limit import WaitLimit

with socket.create_server(("127.0.0.1", 0)) as listener:
    for scheme in ("https", "http"):
        try:
            requests.post(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", data=b"x", timeout=(0.2, 0.2))
        except requests.RequestException as error:
            told = without_answer(error, WaitLimit(0.2, lambda: too_late(0.2)))
            print(scheme, told.kind.name, told.may_repeat)
"""
PATCHED = "from gevent import monkey; monkey.patch_all()\n"


@pytest.mark.parametrize("before", ["", PATCHED], ids=["threads", "gevent"])
def test_a_stalled_handshake_may_be_repeated_and_a_stalled_answer_may_not(project: Path, before: str):
    done = subprocess.run([sys.executable, "-c", before + SCRIPT], cwd=project, capture_output=True, text=True)
    assert done.stdout == "https UPSTREAM_BROKEN True\nhttp UPSTREAM_TIMEOUT False\n", done.stderr
