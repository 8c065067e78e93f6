"""An upstream that reads a whole request, waits, and answers with a file: `waiting_upstream.py PORT FILE SECONDS`.

With a number after it, `waiting_upstream.py PORT FILE 0 1000`, it waits until so many requests have come, and answers
all of them at once.

It needs the standard library only. A thousand callers cost it little: all answers are sent from the same memory.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
BUFFER = 1024 * 1024  # shared by all connections: what is read is discarded


class Caller(asyncio.BufferedProtocol):
    """One connection with one request after another."""

    scratch = bytearray(BUFFER)

    def __init__(self, answer: bytes, seconds: float, crowd: Crowd | None):
        self.answer = answer
        self.seconds = seconds
        self.crowd = crowd
        self.head = b""
        self.left: int | None = None  # of the body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.scratch)

    def buffer_updated(self, count: int) -> None:
        if self.left is None:
            self.head += self.scratch[:count]
            head, found, rest = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            length = LENGTH.search(head)
            self.left, count = int(length[1]) if length else 0, len(rest)
        self.left -= count
        if self.left <= 0:
            is_call, self.head, self.left = self.head.startswith(b"POST"), b"", None
            if self.crowd and is_call:
                self.crowd.join(self)
            else:
                asyncio.get_running_loop().call_later(self.seconds, self.transport.write, self.answer)


class Crowd:
    """Requests that are answered at once, when there are so many."""

    def __init__(self, size: int):
        self.size = size
        self.waiting: list[Caller] = []

    def join(self, caller: Caller) -> None:
        self.waiting.append(caller)
        if len(self.waiting) >= self.size:
            for one in self.waiting:
                one.transport.write(one.answer)
            self.waiting = []


async def serve(port: int, path: Path, seconds: float, crowd: Crowd | None) -> None:
    body = path.read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = head.encode() + body
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Caller(answer, seconds, crowd), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    together = Crowd(int(sys.argv[4])) if len(sys.argv) > 4 else None
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), together))
