"""Contract fixtures as the sandbox must send them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError


def name_of(path: Path) -> str:
    """A fixture's name for a test's id."""
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> dict[str, Any]:
    fixture: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fixture


def body_text(response: dict[str, Any], key: str = "sandbox") -> str:
    """The body that a fixture's response is sent with."""
    text = response.get("body_text")
    if text is None:
        text = json.dumps(response["body"], indent=2, ensure_ascii=False).replace("\u2028", "\\u2028") + "\n"
    return str(text).replace("[[key]]", key)


def broken_transfer(answer: requests.Response) -> str:
    """What arrives of an answer, requested as a stream, whose transfer must break."""
    received: list[bytes] = []
    with pytest.raises(ProtocolError):
        received.extend(iter(partial(answer.raw.read1, 4096), b""))
    return b"".join(received).decode()


def assert_replayed(answer: requests.Response, response: dict[str, Any]) -> None:
    """Fails unless an answer, requested as a stream, is a fixture's response, byte for byte."""
    if response.get("cut"):
        assert broken_transfer(answer) == body_text(response)
        return
    assert answer.status_code == response["status"]
    assert answer.content.decode() == body_text(response)
    for header, value in response["headers"].items():
        assert answer.headers[header] == value
