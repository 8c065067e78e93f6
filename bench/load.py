"""Load from wrk: a number of callers that send a request again as soon as it is answered."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.servers import program

MODEL = "gemini-2.5-flash-image"
NATIVE = f"/v1beta/models/{MODEL}:generateContent"
GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
CHATS = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}

# What openai-python 3.57.0 sends with each request beside its key: a caller that counts its tries may come back.
SDK = {
    "User-Agent": "OpenAI/Python 3.57.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "3.57.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.11.7",
    "X-Stainless-Async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}

SCRIPT = """
wrk.method = "POST"
wrk.path = "{path}"
{headers}
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
{each}
function done(summary, latency, requests)
    io.write(string.format(
        '\\n{{"answers": %d, "bytes": %.0f, "seconds": %.6f, "broken": %d, "refused": %d, "late": %d, ' ..
        '"p50": %.3f, "p99": %.3f}}\\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.status,
        summary.errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""

# A new key for each request: `{run}` makes it unlike those of other runs.
KEYED = """
local number = 0
function request()
    number = number + 1
    wrk.headers["Idempotency-Key"] = "{run}-" .. number
    return wrk.format()
end
"""


@dataclass(frozen=True)
class Request:
    """A request that is sent repeatedly."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    is_keyed: bool = False  # whether each has an idempotency key of its own


@dataclass(frozen=True)
class Load:
    """What wrk measured. Latencies are in milliseconds; errors are broken connections, error statuses and timeouts."""

    answers: int
    bytes: float
    seconds: float
    broken: int
    refused: int
    late: int
    p50: float
    p99: float

    @property
    def errors(self) -> int:
        return self.broken + self.refused + self.late


def native(key: str = "bench-key") -> Request:
    body = b'{"contents":[{"parts":[{"text":"a cat"}]}],"generationConfig":{"responseModalities":["IMAGE"]}}'
    return Request("native", NATIVE, body, {**JSON, "x-goog-api-key": key})


def generation(response_format: str, key: str = "bench-key") -> Request:
    body = json.dumps({"model": MODEL, "prompt": "a cat", "response_format": response_format}).encode()
    return Request(response_format, GENERATIONS, body, {**JSON, **SDK, "Authorization": f"Bearer {key}"})


def keyed() -> Request:
    """A generation in base64 with an idempotency key."""
    return replace(generation("b64_json"), name="b64_json, keyed", is_keyed=True)


def chat(name: str, **fields: object) -> Request:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "a cat"}], **fields}
    return Request(name, CHATS, json.dumps(body).encode(), {**JSON, "Authorization": "Bearer bench-key"})


def edit(form: bytes, content_type: str) -> Request:
    return Request("edit", EDITS, form, {"Content-Type": content_type, **SDK, "Authorization": "Bearer bench-key"})


def drive(url: str, request: Request, folder: Path, callers: int, seconds: float) -> Load:
    """Send requests for a number of seconds, and return the measurement."""
    body, script = folder / f"{request.name}.body", folder / f"{request.name}.lua"
    body.write_bytes(request.body)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items())
    each = KEYED.format(run=secrets.token_hex(8)) if request.is_keyed else ""
    script.write_text(SCRIPT.format(path=request.path, headers=headers, body=body, each=each))
    command = [program("wrk"), "-t", "1", "-c", str(callers), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "60s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return Load(**json.loads(output.rstrip().rpartition("\n")[2]))
