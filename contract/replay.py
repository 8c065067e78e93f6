"""A stand-in for Google's Gemini API: plays the contract fixtures, draws small pictures, remembers what came in.

A prompt with `[[name]]` is answered by the fixture of that name; `[[one|two|one]]` answers the first call with one, the
second with two, and so on. Any other prompt gets a tiny picture in the shape that was asked for.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from contract.suite.situations import NAMED, find_situation

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream"
PATH = re.compile(r"/(?P<version>v1|v1beta)/models/(?P<model>[^/:]+):(?P<method>\w+)")
STREAMED = "stream_generate_content"
MODELS = re.compile(r"/(?P<version>v1|v1beta)/models(?:/(?P<model>[^/:]+))?")
OPERATIONS = {
    "generateContent": "generate_content",
    "streamGenerateContent": STREAMED,
    "countTokens": "count_tokens",
}
IMAGE_MODEL = re.compile(r"image|banana")
JPEG_MODEL = re.compile(r"gemini-3|banana")
SHORTER_SIDE = 64
PIXELS_TOKENS = 1290
INPUT_PICTURE_TOKENS = 258
FRAME_END = re.compile(r"\r\n\r\n|\n\n|\r\r")
MISSING_BYTES = 1000  # promised beyond what a cut answer holds


@dataclass(frozen=True)
class Call:
    """One request that arrived."""

    verb: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The address without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query, the last value of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for given, value in self.headers if given.lower() == name]

    @property
    def credentials(self) -> list[str]:
        """Every credential that the call brought, wherever it stood."""
        keys = parse_qs(urlsplit(self.target).query).get("key", [])
        return self.values("x-goog-api-key") + self.values("authorization") + keys

    @property
    def json(self) -> dict[str, Any]:
        """The body; an empty object if it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def parts(self) -> list[dict[str, Any]]:
        """All parts of all contents."""
        body = self.json
        contents = body.get("contents") or body.get("generateContentRequest", {}).get("contents") or []
        contents = [contents] if isinstance(contents, dict) else contents
        found = [part for content in contents if isinstance(content, dict) for part in content.get("parts") or []]
        return [part for part in found if isinstance(part, dict)]

    @property
    def texts(self) -> list[str]:
        """The texts of the request."""
        return [str(part["text"]) for part in self.parts if "text" in part]

    @property
    def pictures(self) -> list[bytes]:
        """The pictures of the request."""
        found = (part.get("inlineData") or part.get("inline_data") for part in self.parts)
        return [decoded(str(inline.get("data", ""))) for inline in found if inline]

    @property
    def config(self) -> dict[str, Any]:
        """generationConfig, by either of its spellings."""
        body = self.json
        config = body.get("generationConfig") or body.get("generation_config")
        return dict(config) if isinstance(config, dict) else {}

    @property
    def aspect_ratio(self) -> str | None:
        """The shape that was asked for."""
        image = self.config.get("imageConfig") or self.config.get("image_config") or {}
        ratio = image.get("aspectRatio") or image.get("aspect_ratio")
        return str(ratio) if ratio else None


def decoded(text: str) -> bytes:
    """base64 in either alphabet, padded or not, as Google takes it."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4))


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass
class ReplayingUpstream:
    """Answers and remembers. `calls_with(mark)` finds the calls whose body holds a text."""

    port: int = 0
    host: str = "127.0.0.1"
    calls: list[Call] = field(default_factory=list)
    _turns: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What to set as the gateway's upstream."""
        return f"http://{self.host}:{self.port}"

    def calls_with(self, mark: str) -> list[Call]:
        """The calls that belong to one row."""
        with self._lock:
            return [call for call in self.calls if mark.encode() in call.body]

    @contextmanager
    def running(self) -> Iterator[ReplayingUpstream]:
        """Listen until the block ends. Raises OSError where the port is taken."""
        server = _Server((self.host, self.port), _Handler)
        server.upstream = self
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, call: Call) -> Answer:
        """The answer to any call at all."""
        with self._lock:
            self.calls.append(call)
        if refusal := credential_refusal(call):
            return played(refusal, "generate_content", call)
        if MODELS.fullmatch(call.path) and call.verb == "GET":
            return listed(call)
        asked = PATH.fullmatch(call.path)
        if not asked or call.verb != "POST" or asked["method"] not in OPERATIONS:
            return Answer(404, {"content-type": "text/html; charset=UTF-8"}, b"<p>404. That is all we know.\n")
        operation = OPERATIONS[asked["method"]]
        if situation := self._situation(call):
            return played(situation, operation, call)
        if not IMAGE_MODEL.search(asked["model"]):
            return played("model_not_found", operation, call)
        if operation == "count_tokens":
            return counted(call)
        if call.config.get("candidateCount", 1) != 1:
            return played("multiple_candidates", operation, call)
        return self._drawn(call, asked["model"], operation)

    def _situation(self, call: Call) -> str | None:
        """The situation that the last text names; of several, the one whose turn it is."""
        named = next((found[1] for text in reversed(call.texts) if (found := NAMED.search(text))), None)
        if named is None or "|" not in named:
            return named
        turns = named.split("|")
        return turns[(self._turn("\n".join(call.texts)) - 1) % len(turns)]

    def _turn(self, prompt: str) -> int:
        with self._lock:
            self._turns[prompt] += 1
            return self._turns[prompt]

    def _drawn(self, call: Call, model: str, operation: str) -> Answer:
        modalities = [str(one).upper() for one in call.config.get("responseModalities") or ("TEXT", "IMAGE")]
        prompt = "\n".join(call.texts)
        colour = hashlib.sha256(f"{prompt}{self._turn(prompt)}".encode()).digest()
        parts: list[dict[str, Any]] = [{"text": "Here you go: "}] if "TEXT" in modalities else []
        if "IMAGE" in modalities:
            file_type = "JPEG" if JPEG_MODEL.search(model) else "PNG"
            parts.append(picture_part(shape(call), (colour[0], colour[1], colour[2]), file_type))
        body = {
            "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage(call, parts),
            "modelVersion": model,
            "responseId": colour.hex()[:22],
        }
        return generated(events_of(body), operation, call) if operation != "generate_content" else json_answer(body)


def credential_refusal(call: Call) -> str | None:
    """The situation of a call with no credential, or with more than one."""
    found = [one for one in call.credentials if one]
    if not found:
        return "missing_key"
    return "multiple_credentials" if len(found) > 1 else None


def played(name: str, operation: str, call: Call) -> Answer:
    """A fixture's answer. One recorded for the other way of generating is brought into the form that is asked for."""
    situation = find_situation(name, operation)
    if situation is None:
        message = f"No situation is called '{name}'."
        return json_answer({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}, 400)
    text = situation.text.replace("[[key]]", (call.credentials or [""])[0].removeprefix("Bearer "))
    headers = situation.headers
    fits = situation.operation == operation and (operation != STREAMED or is_sse(headers) == is_sse_wanted(call))
    events = None if situation.status != 200 or fits else events_in(text)
    if events and operation == STREAMED:
        return generated(events, operation, call)
    if events and operation == "generate_content" and situation.operation == STREAMED:
        whole = merged(events)
        return json_answer(whole, whole["error"]["code"] if "error" in whole else situation.status)
    return Answer(situation.status, headers, text.encode(), situation.cut)


def is_sse(headers: Mapping[str, str]) -> bool:
    """Whether an answer is a stream of events."""
    return headers["content-type"].startswith(EVENTS)


def is_sse_wanted(call: Call) -> bool:
    """Whether a call asks for one."""
    return call.query.get("alt") == "sse"


def events_in(text: str) -> list[dict[str, Any]] | None:
    """The answers that a body holds, however they are framed; None where it holds no JSON."""
    try:
        if text.lstrip().startswith("data:"):
            frames = [frame for frame in FRAME_END.split(text) if frame.strip() and not frame.startswith(":")]
            return [json.loads(frame.removeprefix("data:")) for frame in frames]
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else [value]


def merged(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One answer out of a stream's: all parts in order, everything else as the last event has it; an error wins."""
    whole: dict[str, Any] = {}
    parts: list[Any] = []
    for event in events:
        if "error" in event:
            return event
        whole |= event
        for candidate in event.get("candidates", []):
            parts += [part for part in candidate.get("content", {}).get("parts", []) if part != {"text": ""}]
    if parts and whole.get("candidates"):
        whole["candidates"] = [{**whole["candidates"][0], "content": {"parts": parts, "role": "model"}}]
    return whole


def events_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """An answer as a stream tells it: each part by itself, then an empty text with the reason for stopping."""
    (candidate,) = body["candidates"]
    shared = {name: value for name, value in body.items() if name != "candidates"}
    events = [
        {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], **shared}
        for part in candidate["content"]["parts"]
    ]
    last = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return [*events, {"candidates": [last], **shared}]


def generated(events: Sequence[dict[str, Any]], operation: str, call: Call) -> Answer:
    """A stream: server-sent events if asked for, otherwise one JSON array."""
    if is_sse_wanted(call):
        text = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events)
        return Answer(200, {"content-type": EVENTS, "content-disposition": "attachment"}, text.encode())
    return json_answer(list(events))


def json_answer(body: Any, status: int = 200) -> Answer:
    """JSON as Google writes it."""
    return Answer(status, {"content-type": JSON}, (json.dumps(body, indent=2) + "\n").encode())


def counted(call: Call) -> Answer:
    """The answer of countTokens."""
    words = sum(len(text.split()) for text in call.texts)
    seen = len(call.pictures) * INPUT_PICTURE_TOKENS
    details = [{"modality": "TEXT", "tokenCount": words}]
    if seen:
        details.append({"modality": "IMAGE", "tokenCount": seen})
    return json_answer({"totalTokens": words + seen, "promptTokensDetails": details})


def listed(call: Call) -> Answer:
    """The list of models, or one of them."""
    name = MODELS.fullmatch(call.path)
    situation = "one_model" if name and name["model"] else "model_list"
    return played(situation, "models", call)


def usage(call: Call, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """usageMetadata: a token for each word, Google's own numbers for pictures."""
    read, seen = sum(len(text.split()) for text in call.texts), len(call.pictures) * INPUT_PICTURE_TOKENS
    said = sum(len(part["text"].split()) for part in parts if "text" in part)
    drawn = PIXELS_TOKENS * sum("inlineData" in part for part in parts)
    told: dict[str, Any] = {
        "promptTokenCount": read + seen,
        "candidatesTokenCount": said + drawn,
        "totalTokenCount": read + seen + said + drawn,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": read}],
    }
    if seen:
        told["promptTokensDetails"].append({"modality": "IMAGE", "tokenCount": seen})
    if drawn:
        told["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": drawn}]
    return told


def shape(call: Call) -> tuple[int, int]:
    """Pixels in the ratio that was asked for, else in that of the last picture that came along, else a square."""
    if ratio := call.aspect_ratio:
        wide, high = (int(side) for side in ratio.split(":"))
        scale = ceil(SHORTER_SIDE / min(wide, high))
        return wide * scale, high * scale
    for content in reversed(call.pictures):
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.size
        except OSError:
            continue
    return SHORTER_SIDE, SHORTER_SIDE


def picture_part(size: tuple[int, int], colour: tuple[int, int, int], file_type: str) -> dict[str, Any]:
    """A part with a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, file_type)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return {"inlineData": {"mimeType": f"image/{file_type.lower()}", "data": encoded}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: ReplayingUpstream

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        call = Call(self.command, self.path, tuple(self.headers.items()), self._body())
        self._write(self.server.upstream.answer(call))

    do_GET = do_POST

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        promised = len(answer.body) + (MISSING_BYTES if answer.cut else 0)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.cut

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is printed: the calls are remembered."""
