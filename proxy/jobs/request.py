"""The request of a job, as it lies in the private store while it waits: enough to carry it out, without any key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from compat.json_text import dumps


@dataclass(frozen=True)
class JobRequest:
    """A request that was accepted as a job."""

    method: str
    scheme: str  # and host, as the caller used them: URLs of pictures begin with them
    host: str
    path: str  # as WSGI has it
    query: str  # without credentials
    headers: Mapping[str, str]
    key_fingerprint: str  # stands for the caller's key in the log
    body: bytes

    def chunks(self) -> Iterator[bytes]:
        """The request as bytes: a line of JSON, then the body."""
        described = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "body"}
        yield dumps(described) + b"\n"
        yield self.body


def read_request(chunks: Iterable[bytes]) -> JobRequest:
    """The request in what `chunks` wrote."""
    described, _, body = b"".join(chunks).partition(b"\n")
    return JobRequest(**json.loads(described), body=body)
