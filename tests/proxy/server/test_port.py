"""What is said before the start of a HOST and a PORT at which nobody can listen."""

import errno
import socket

import pytest

from proxy.server import port
from proxy.settings import Settings


def test_a_free_port_is_no_trouble():
    assert port.trouble_with_port(Settings.from_environ({"PORT": "0"})) is None


@pytest.mark.parametrize(("sandbox", "start"), [("1", "make run"), ("0", "gunicorn")])
def test_a_taken_port_has_a_free_one_after_it(monkeypatch: pytest.MonkeyPatch, sandbox: str, start: str):
    monkeypatch.setattr(port, "PORT_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        trouble = port.trouble_with_port(Settings.from_environ({"PORT": str(taken), "SANDBOX": sandbox}))
    assert trouble.startswith(f"Port {taken} is taken by another program.")
    assert trouble.endswith(f" {start}")


def test_a_port_that_is_free_soon_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    answers = [errno.EADDRINUSE, errno.EADDRINUSE, None]
    monkeypatch.setattr(port, "PAUSE", 0)
    monkeypatch.setattr(port, "error_at", lambda host, number: answers.pop(0))
    assert port.trouble_with_port(Settings.from_environ({})) is None
    assert not answers


def test_other_troubles_say_what_to_write(monkeypatch: pytest.MonkeyPatch):
    for host in ("203.0.113.7", "no.such.host.invalid"):
        assert "write 0.0.0.0" in port.trouble_with_port(Settings.from_environ({"HOST": host}))
    monkeypatch.setattr(port, "error_at", lambda host, number: errno.EACCES)
    assert "such as PORT=8000" in port.trouble_with_port(Settings.from_environ({"PORT": "80"}))
