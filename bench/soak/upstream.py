"""The upstream of the soak: draws a different picture for every call, and breaks answers as the prompt says."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from io import BufferedReader

from bench.pictures import google_answer, png
from bench.soak.faults import SOLD
from tests.support.upstream import Answer
from tests.support.upstream_faults import FAULTS, NONE

BASE = png(0.6)
PART = 64 * 1024  # bytes of a picture between two copies of its hash
PARTS = [BASE[at : at + PART] for at in range(0, len(BASE), PART)]
QUICK = 0.05  # seconds until an answer
STREAM = "streamGenerateContent"


def picture_of(prompt: str, number: int = 1, start_from: bytes = b"") -> bytes:
    """The picture of the `number`th answer to a prompt, and to an input picture if there is one.

    A hash of these is in all its parts, so that a mix of several pictures is noticed.
    """
    return hashlib.sha256(f"{number} {prompt}".encode() + start_from).digest().join([*PARTS, b""])


def reply_to(path: str, prompt: str, number: int = 1, start_from: bytes = b"") -> Answer:
    """The answer of the upstream."""
    answer = google_answer(picture_of(prompt, number, start_from))
    if STREAM in path:
        words = {"candidates": [{"content": {"parts": [{"text": "Here it is."}], "role": "model"}, "index": 0}]}
        events = (json.dumps(words).encode(), answer.replace(b"\n", b""))
        body = b"".join(b"data: " + event + b"\r\n\r\n" for event in events)
        reply = Answer(body, content_type="text/event-stream")
    else:
        reply = Answer(answer, content_type="application/json", chunked=False)
    return FAULTS[fault_of(prompt, number)].say(reply)


def fault_of(prompt: str, number: int) -> str:
    """The fault of the `number`th answer to a prompt that ends in `fault=NAME hit=HOW_MANY`."""
    name, _, hit = prompt.partition("fault=")[2].partition(" hit=")
    return name if number <= int(hit) else NONE


def seconds_of(prompt: str) -> float:
    """How long the answer to a prompt that contains `takes=SECONDS` takes."""
    return float(prompt.partition(" takes=")[2].partition(" ")[0] or QUICK)


def is_closed_within(connection: socket.socket, seconds: float) -> bool:
    """Waits, unless the other side hangs up."""
    connection.settimeout(seconds)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(None)


@dataclass(frozen=True)
class Request:
    """A request to the upstream."""

    path: str
    prompt: str
    start_from: bytes


@dataclass(frozen=True)
class Account:
    """The calls for one prompt, the pictures that were sold, and how long the last call took."""

    calls: int
    sold: int
    took: float | None

    def __str__(self) -> str:
        took = "never answered" if self.took is None else f"answered after {self.took:.2f} s"
        return f"upstream {self.calls} calls, {self.sold} sold, {took}"


class SoakUpstream:
    """`with SoakUpstream() as upstream:` listens at `upstream.url`, a thread for each connection."""

    def __enter__(self) -> SoakUpstream:
        self.open: set[socket.socket] = set()
        self.calls: Counter[str] = Counter()  # by prompt
        self.sold: Counter[str] = Counter()  # whole pictures, sent to somebody who is still there; by prompt
        self.sold_at: dict[str, float] = {}  # when the latest of them was sold, by a monotonic clock; by prompt
        self.sales = 0  # all of them
        self.took: dict[str, float] = {}  # seconds, by prompt
        self.at_once = self.most_at_once = 0  # calls
        self.lock = threading.Lock()
        self.listen(0)
        self.port: int = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def listen(self, port: int) -> None:
        """Accept connections at a port."""
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def go_down(self, seconds: float) -> None:
        """Close all connections, and refuse new ones for some seconds."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for connection in self.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self.listen(self.port)

    def forget(self, prompt: str) -> Account:
        """What there was for a prompt."""
        with self.lock:
            return Account(self.calls.pop(prompt, 0), self.sold.pop(prompt, 0), self.took.pop(prompt, None))

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as reader:
                try:
                    while (request := read_request(reader)) and self.answer(connection, request):
                        pass
                finally:
                    with self.lock:
                        self.open.discard(connection)
        except OSError:
            return

    def answer(self, connection: socket.socket, request: Request) -> bool:
        """Whether the connection may carry another request."""
        began = time.monotonic()
        with self.lock:
            self.calls[request.prompt] += 1
            number = self.calls[request.prompt]
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if is_closed_within(connection, seconds_of(request.prompt)):
                return False
            if fault_of(request.prompt, number) in SOLD:
                with self.lock:
                    self.sold[request.prompt] += 1
                    self.sold_at[request.prompt] = time.monotonic()
                    self.sales += 1
            reply = reply_to(request.path, request.prompt, number, request.start_from)
            wire = FAULTS[fault_of(request.prompt, number)].send(reply)
            for piece in wire.pieces:
                connection.sendall(piece)
            return bool(wire.then(connection))
        finally:
            with self.lock:
                self.at_once -= 1
                self.took[request.prompt] = time.monotonic() - began


def read_request(reader: BufferedReader) -> Request | None:
    """The next request; None at the end of the connection."""
    path = reader.readline().decode("latin-1").split(" ")
    length = 0
    while line := reader.readline():
        if line == b"\r\n":
            body = reader.read(length)
            return read_body(path[1], body) if len(body) == length else None
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return None


def read_body(path: str, body: bytes) -> Request:
    parts = json.loads(body)["contents"][0]["parts"]
    pictures = [base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part]
    return Request(path, next(part["text"] for part in parts if "text" in part), b"".join(pictures))
