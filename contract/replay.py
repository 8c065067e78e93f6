"""A stand-in for Google's Gemini API: plays the contract fixtures, draws small pictures, and records its calls.

A prompt with `[[name]]` is answered by the fixture of that name; `[[one|two|one]]` answers the first call with one, the
second with two, and so on. Any other prompt gets a tiny picture in the requested aspect ratio.
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

from contract.suite.situations import NAMED, Situation, find_situation

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream"
PATH = re.compile(r"/(?P<version>v1|v1beta|v1alpha)/models/(?P<model>[^/:]+):(?P<method>\w+)")
STREAMED = "stream_generate_content"
MODELS = re.compile(r"/(?P<version>v1|v1beta|v1alpha)/models(?:/(?P<model>[^/:]+))?")
OPERATIONS = {
    "generateContent": "generate_content",
    "streamGenerateContent": STREAMED,
    "countTokens": "count_tokens",
}
IMAGE_MODEL = re.compile(r"gemini-.*(image|banana).*")
JPEG_MODEL = re.compile(r"gemini-3|banana")
SHORTER_SIDE = 64
PICTURE_TOKENS = 1290
INPUT_PICTURE_TOKENS = 258
FRAME_END = re.compile(r"\r\n\r\n|\n\n|\r\r")
INVALID = {"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}}
MISSING_BYTES = 1000  # by which the Content-Length of a cut answer is too large


@dataclass(frozen=True)
class Call:
    """One received request."""

    verb: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query."""
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
        """Every credential of the call, in headers and query."""
        keys = parse_qs(urlsplit(self.target).query).get("key", [])
        return self.values("x-goog-api-key") + self.values("authorization") + keys

    @property
    def json(self) -> dict[str, Any]:
        """The body; an empty object if it is not a JSON object."""
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
        contents = [contents] if isinstance(contents, dict) else contents if isinstance(contents, list) else []
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
        """generationConfig, in camelCase or snake_case."""
        body = self.json
        config = body.get("generationConfig") or body.get("generation_config")
        return dict(config) if isinstance(config, dict) else {}

    @property
    def aspect_ratio(self) -> str | None:
        """The requested aspect ratio."""
        image = self.config.get("imageConfig") or self.config.get("image_config") or {}
        ratio = image.get("aspectRatio") or image.get("aspect_ratio")
        return str(ratio) if ratio else None


def decoded(text: str) -> bytes:
    """The bytes of base64 in either alphabet, padded or not, as Google accepts it."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4))


@dataclass(frozen=True)
class Answer:
    """A response. A cut one has fewer bytes than its Content-Length says."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass
class ReplayingUpstream:
    """Answers calls and records them."""

    port: int = 0
    host: str = "127.0.0.1"
    calls: list[Call] = field(default_factory=list)
    _turns: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The address to set as a gateway's upstream."""
        return f"http://{self.host}:{self.port}"

    def calls_with(self, mark: str) -> list[Call]:
        """The calls whose body contains a text."""
        with self._lock:
            return [call for call in self.calls if mark.encode() in call.body]

    @contextmanager
    def running(self) -> Iterator[ReplayingUpstream]:
        """Listen until the block ends. Raises OSError if the port is in use."""
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
        """The answer to a call."""
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
        if not IMAGE_MODEL.fullmatch(asked["model"]):
            return played("model_not_found", operation, call)
        if not is_well_formed(call):
            return json_answer(INVALID, 400)
        if operation == "count_tokens":
            return counted(call)
        if call.config.get("candidateCount", 1) != 1:
            return played("multiple_candidates", operation, call)
        return self._drawn(call, asked["model"], operation)

    def _situation(self, call: Call) -> str | None:
        """The situation that the last text names; of several, the next one."""
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


def is_well_formed(call: Call) -> bool:
    """Whether contents are a list whose parts have texts that are strings; Google refuses anything else."""
    contents = call.json.get("contents") or call.json.get("generateContentRequest", {}).get("contents")
    return isinstance(contents, list) and all(isinstance(part.get("text", ""), str) for part in call.parts)


def credential_refusal(call: Call) -> str | None:
    """The situation for a call with no credential or with several; None for one credential."""
    found = [one for one in call.credentials if one]
    if not found:
        return "missing_key"
    return "multiple_credentials" if len(found) > 1 else None


def played(name: str, operation: str, call: Call) -> Answer:
    """A fixture's answer, turned into a stream or a single answer if the call asks for the other form."""
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
    """Whether an answer is a stream of server-sent events."""
    return headers["content-type"].startswith(EVENTS)


def is_sse_wanted(call: Call) -> bool:
    """Whether a call asks for server-sent events."""
    return call.query.get("alt") == "sse"


def events_in(text: str) -> list[dict[str, Any]] | None:
    """The answers in a body, framed as events, as an array or single; None if it is not JSON."""
    try:
        if text.lstrip().startswith("data:"):
            frames = [frame for frame in FRAME_END.split(text) if frame.strip() and not frame.startswith(":")]
            return [json.loads(frame.removeprefix("data:")) for frame in frames]
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else [value]


def pictures_of(situation: Situation) -> list[bytes]:
    """The pictures in a fixture's answer, without drafts."""
    candidates = [one for event in events_in(situation.text) or [] for one in event.get("candidates", [])]
    parts = [part for one in candidates for part in one.get("content", {}).get("parts", []) if not part.get("thought")]
    blobs = [blob for part in parts if (blob := part.get("inlineData") or part.get("inline_data")) and blob["data"]]
    types = [blob.get("mimeType") or blob.get("mime_type") or "" for blob in blobs]
    return [
        decoded(blob["data"])
        for blob, mime_type in zip(blobs, types, strict=True)
        if mime_type.startswith("image/") and mime_type != "image/svg+xml"
    ]


def merged(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One answer made of a stream: all parts in order, all else from the last event; an error if there is one."""
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
    """An answer as the events of a stream: one for each part, then an empty text with the finish reason."""
    (candidate,) = body["candidates"]
    shared = {name: value for name, value in body.items() if name != "candidates"}
    events = [
        {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], **shared}
        for part in candidate["content"]["parts"]
    ]
    last = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return [*events, {"candidates": [last], **shared}]


def generated(events: Sequence[dict[str, Any]], operation: str, call: Call) -> Answer:
    """A stream: server-sent events if the call asks for them, otherwise a JSON array."""
    if is_sse_wanted(call):
        text = "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events)
        return Answer(200, {"content-type": EVENTS, "content-disposition": "attachment"}, text.encode())
    return json_answer(list(events))


def json_answer(body: Any, status: int = 200) -> Answer:
    """JSON formatted as Google's."""
    return Answer(status, {"content-type": JSON}, (json.dumps(body, indent=2) + "\n").encode())


def counted(call: Call) -> Answer:
    """The answer of countTokens."""
    total, details = prompt_tokens(call)
    return json_answer({"totalTokens": total, "promptTokensDetails": details})


def prompt_tokens(call: Call) -> tuple[int, list[dict[str, Any]]]:
    """The tokens of a request in all and by modality: one for each word, Google's number for pictures."""
    words = sum(len(text.split()) for text in call.texts)
    pictures = len(call.pictures) * INPUT_PICTURE_TOKENS
    details = [{"modality": "TEXT", "tokenCount": words}]
    if pictures:
        details.append({"modality": "IMAGE", "tokenCount": pictures})
    return words + pictures, details


def listed(call: Call) -> Answer:
    """The list of models, or one of them."""
    name = MODELS.fullmatch(call.path)
    if not name or not name["model"]:
        return played("model_list", "models", call)
    return played("one_model" if name["model"].startswith("gemini-") else "get_model_not_found", "models", call)


def usage(call: Call, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """usageMetadata: a token for each word, Google's numbers for pictures."""
    prompt, details = prompt_tokens(call)
    words = sum(len(part["text"].split()) for part in parts if "text" in part)
    pictures = PICTURE_TOKENS * sum("inlineData" in part for part in parts)
    counts: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": words + pictures,
        "totalTokenCount": prompt + words + pictures,
        "promptTokensDetails": details,
    }
    if pictures:
        counts["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": pictures}]
    return counts


def shape(call: Call) -> tuple[int, int]:
    """Width and height in the requested aspect ratio; without one, those of the last input picture; else a square."""
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
        """Ignore gateways that hang up."""


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
        self.send_header("Content-Length", str(len(answer.body) + MISSING_BYTES * answer.cut))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.cut

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""
