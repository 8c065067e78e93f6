"""Installs gateways into `.cache`, and starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from contract.yardstick.gateways import PORT, Gateway

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "yardstick"
START_SECONDS, STOP_SECONDS = 180, 20


def installed(gateway: Gateway) -> Path:
    """The folder in which a gateway is installed; it is installed if it is not there, or not whole."""
    folder = CACHE / gateway.title.replace(" ", "-").lower()
    program = PROJECT / filled(gateway.start, folder)[0]
    if not ((folder / "installed").exists() and program.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        for command in gateway.install:
            subprocess.run(filled(command, folder), check=True)  # noqa: S603
        (folder / "installed").touch()
    for name, text in gateway.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def filled(command: Sequence[str], folder: Path) -> list[str]:
    """A command with the folder and this Python in their places."""
    return [part.replace("{folder}", str(folder)).replace("{python}", sys.executable) for part in command]


@contextmanager
def running(gateway: Gateway, folder: Path) -> Iterator[None]:
    """Start a gateway, wait until it is ready, and stop it when the block ends."""
    environment = {name: value.replace("{folder}", str(folder)) for name, value in gateway.environment.items()}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            filled(gateway.start, folder),
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(gateway, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def wait_for(gateway: Gateway, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the gateway is ready. Exits with its log if it is not in time."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"http://127.0.0.1:{PORT}{gateway.ready}", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise SystemExit(f"{gateway.title} did not start:\n{log.read_text(errors='replace')[-2000:]}")
