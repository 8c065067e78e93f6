"""Load from wrk: so many callers who ask again as soon as they are answered."""

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
class Question:
    """A request that is asked again and again."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    """What wrk saw. Latencies are in milliseconds; errors are of connections, of statuses and of time."""

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


def native() -> Question:
    body = b'{"contents":[{"parts":[{"text":"a cat"}]}],"generationConfig":{"responseModalities":["IMAGE"]}}'
    return Question("native", NATIVE, body, {**JSON, "x-goog-api-key": "bench-key"})


def generation(response_format: str, key: str = "bench-key") -> Question:
    body = json.dumps({"model": MODEL, "prompt": "a cat", "response_format": response_format}).encode()
    return Question(response_format, GENERATIONS, body, {**JSON, "Authorization": f"Bearer {key}"})


def edit(form: bytes, content_type: str) -> Question:
    return Question("edit", EDITS, form, {"Content-Type": content_type, "Authorization": "Bearer bench-key"})


def drive(url: str, question: Question, folder: Path, callers: int, seconds: float) -> Load:
    """Asks for so many seconds, and returns what came of it."""
    body, script = folder / f"{question.name}.body", folder / f"{question.name}.lua"
    body.write_bytes(question.body)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in question.headers.items())
    script.write_text(SCRIPT.format(path=question.path, headers=headers, body=body))
    command = [program("wrk"), "-t", "1", "-c", str(callers), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "60s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return Load(**json.loads(output.rstrip().rpartition("\n")[2]))
