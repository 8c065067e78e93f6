"""Load from wrk: a number of callers that send a request again as soon as it is answered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.servers import program

MODEL = "gemini-2.5-flash-image"
NATIVE = f"/v1beta/models/{MODEL}:generateContent"
GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
JSON = {"Content-Type": "application/json"}

SCRIPT = """
wrk.method = "POST"
wrk.path = "{path}"
{headers}
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency, requests)
    io.write(string.format(
        '\\n{{"answers": %d, "bytes": %.0f, "seconds": %.6f, "broken": %d, "refused": %d, "late": %d, ' ..
        '"p50": %.3f, "p99": %.3f}}\\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        summary.errors.connect + summary.errors.read + summary.errors.write, summary.errors.status,
        summary.errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Request:
    """A request that is sent repeatedly."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str]


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
    return Request(response_format, GENERATIONS, body, {**JSON, "Authorization": f"Bearer {key}"})


def edit(form: bytes, content_type: str) -> Request:
    return Request("edit", EDITS, form, {"Content-Type": content_type, "Authorization": "Bearer bench-key"})


def drive(url: str, request: Request, folder: Path, callers: int, seconds: float) -> Load:
    """Send requests for a number of seconds, and return the measurement."""
    body, script = folder / f"{request.name}.body", folder / f"{request.name}.lua"
    body.write_bytes(request.body)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items())
    script.write_text(SCRIPT.format(path=request.path, headers=headers, body=body))
    command = [program("wrk"), "-t", "1", "-c", str(callers), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "60s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return Load(**json.loads(output.rstrip().rpartition("\n")[2]))
