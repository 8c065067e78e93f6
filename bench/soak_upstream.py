"""An upstream for the soak: it draws another picture for every prompt, and breaks as the prompt says."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from bench.pictures import google_answer, png

BASE = png(0.6)
QUICK, SLOW = 0.05, 1.0  # seconds until an answer
STALL = 8  # seconds; longer than the proxy waits


def picture_of(prompt: str) -> bytes:
    """The picture for a prompt: a PNG with the prompt's own hash behind its end."""
    return BASE + hashlib.sha256(prompt.encode()).digest() * 8


def head(length: int, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()


def refuse(connection: socket.socket, _: bytes) -> None:
    body = b'{"error": {"code": 429, "message": "Resource has been exhausted.", "status": "RESOURCE_EXHAUSTED"}}'
    connection.sendall(head(len(body), "429 Too Many Requests") + body)


def html(connection: socket.socket, _: bytes) -> None:
    body = b"<html><body>502</body></html>"
    connection.sendall(head(len(body), "502 Bad Gateway", "text/html") + body)


def no_picture(connection: socket.socket, _: bytes) -> None:
    body = b'{"candidates": [{"content": {"role": "model"}, "finishReason": "IMAGE_SAFETY", "index": 0}]}'
    connection.sendall(head(len(body)) + body)


def reset_before(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise OSError("reset")


def cut_in_picture(connection: socket.socket, answer: bytes) -> None:
    connection.sendall(head(len(answer)) + answer[: len(answer) // 2])
    raise OSError("cut")


def stall_in_picture(connection: socket.socket, answer: bytes) -> None:
    connection.sendall(head(len(answer)) + answer[: len(answer) // 2])
    time.sleep(STALL)
    raise OSError("stalled")


def slow(connection: socket.socket, answer: bytes) -> None:
    time.sleep(SLOW)
    connection.sendall(head(len(answer)) + answer)


def draw(connection: socket.socket, answer: bytes) -> None:
    connection.sendall(head(len(answer)) + answer)


BEHAVIOUR: dict[str, Callable[[socket.socket, bytes], None]] = {
    "none": draw,
    "slow": slow,
    "quota": refuse,
    "html": html,
    "refusal": no_picture,
    "reset": reset_before,
    "cut": cut_in_picture,
    "stall": stall_in_picture,
}
FAULTS = tuple(name for name in BEHAVIOUR if name != "none")


class SoakUpstream:
    """`with SoakUpstream() as upstream:` listens at `upstream.url`, a thread for each connection."""

    def __enter__(self) -> SoakUpstream:
        self.open: set[socket.socket] = set()
        self.took: dict[str, float] = {}  # seconds, by prompt
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def account_of(self, prompt: str) -> str:
        """What it has to say of a call that went wrong."""
        took = self.took.get(prompt)
        return "it was never answered upstream" if took is None else f"upstream it took {took:.2f} s"

    def connected(self) -> int:
        """Connections that are open, idle ones too."""
        with self.lock:
            return len(self.open)

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as reader:
                while prompt := read_prompt(reader):
                    began = time.monotonic()
                    time.sleep(QUICK)
                    BEHAVIOUR[prompt.partition("fault=")[2]](connection, google_answer(picture_of(prompt)))
                    self.took[prompt] = time.monotonic() - began
        except OSError:
            return
        finally:
            with self.lock:
                self.open.discard(connection)


def read_prompt(reader: Any) -> str:
    """The prompt of the next request; an empty one at the end of the connection."""
    length = 0
    while line := reader.readline():
        if line == b"\r\n":
            body = reader.read(length)
            if len(body) < length:
                return ""
            return str(json.loads(body)["contents"][0]["parts"][-1]["text"])
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return ""
