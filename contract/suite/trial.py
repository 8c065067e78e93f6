"""One trial of one row: it calls the server as a user does, and records requests, answers and expectations."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import openai
import requests
from google import genai
from requests import Response

from contract.replay import Call
from contract.suite.clients import SECONDS, counted_attempts
from contract.suite.pictures import Picture, from_base64, read_picture
from contract.suite.row import GEMINI, GOOGLE_ASYNC, OPENAI_ASYNC, Row
from contract.suite.server import Server
from contract.suite.summary import call_line, line, short_text

PROMPT = "a red kite above the sea"


class CannotContinue(Exception):
    """The answer lacks what the rest of the row is about."""


class NotReported(Exception):
    """The server omits something optional, and the row is about that."""


@dataclass(frozen=True)
class Claim:
    """An expectation, and whether it is met."""

    words: str
    holds: bool
    actual: str = ""

    def __str__(self) -> str:
        return self.words if self.holds or not self.actual else f"{self.words}; but: {self.actual}"


@dataclass
class Trial:
    """What a row's function works with."""

    row: Row
    server: Server
    retries: int = 0  # that OpenAI's SDK may make
    strict: bool = False  # whether OpenAI's SDK validates the types of answers
    version: str = ""  # of Google's API; empty: the one that the server offers
    requests: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    attempts: int = 0
    waited: float = 0.0  # seconds that the last call took
    mark: str = field(default_factory=lambda: f"no {secrets.token_hex(5)}")

    # Requests

    @property
    def model(self) -> str:
        """The model under test."""
        return self.server.model

    def prompt(self, words: str = PROMPT, situation: str | None = None) -> str:
        """A prompt that may ask for a situation. A mark tells the upstream's calls of this row from others."""
        marked = [f"({self.mark})"] if self.server.upstream else []
        return " ".join([words, *marked, *([f"[[{situation}]]"] if situation else [])])

    # Calls through an SDK

    @property
    def client(self) -> Any:
        """The row's client: OpenAI's, or Google's."""
        if self.row.api != GEMINI:
            make: Callable[..., Any] = self.server.clients.openai
            if self.row.sdk == OPENAI_ASYNC:
                make = self.server.clients.openai_async
            return make(self.server.openai_url, self.server.key, self.retries, strict=self.strict)
        return self.sync_or_async(self.google())

    def google(self, base_url: str | None = None, key: str | None = None) -> genai.Client:
        """Google's client for the server, or for another address."""
        version = self.version or self.server.gemini_version
        return self.server.clients.google(base_url or self.server.gemini_root, key or self.server.key, version)

    def sync_or_async(self, client: genai.Client) -> Any:
        """The half of Google's client that the row is about."""
        return client.aio if self.row.sdk == GOOGLE_ASYNC else client

    def ask(self, path: str, **arguments: Any) -> Any:
        """The result of a method of the SDK; a stream as the list of its events."""
        self.requests.append(call_line(path, arguments))
        started = time.monotonic()
        with counted_attempts() as attempts:
            try:
                answer = self.run(lambda: method_of(self.client, path)(**arguments))
            finally:
                self.attempts = len(attempts)
                self.waited = time.monotonic() - started
        self.note(line(answer))
        return answer

    def streamed(self, path: str, **arguments: Any) -> tuple[list[Any], Exception | None]:
        """The events of a streaming method of the SDK, and the exception that ended them, if any."""
        self.requests.append(call_line(path, arguments))
        events, error = self.server.clients.events(lambda: method_of(self.client, path)(**arguments))
        self.received += map(line, events)
        if error:
            self.note(error_line(error))
        return events, error

    def run(self, call: Callable[[], Any]) -> Any:
        """The result of a synchronous or asynchronous call."""
        return self.server.clients.finish(call())

    def refused(self, path: str, **arguments: Any) -> Exception:
        """The exception that a method of the SDK raises. Raises CannotContinue if it raises none."""
        try:
            self.ask(path, **arguments)
        except Exception as error:
            self.note(error_line(error))
            return error
        raise CannotContinue("an exception was expected, but the call succeeded")

    def raises(self, exception: type[Exception], path: str, **arguments: Any) -> Any:
        """Call a method of the SDK that must raise an exception of this class, and return the exception."""
        error = self.refused(path, **arguments)
        self.claim(f"{exception.__name__} is raised", isinstance(error, exception), type(error).__name__)
        return error

    # Calls over HTTP

    def http(self, verb: str, path: str, credential: str | None = "bearer", **arguments: Any) -> Response:
        """Send a request without an SDK. The credential is `bearer`, `x-goog-api-key`, `key` (a query) or None."""
        self.requests.append(call_line(f"{verb} {path}", arguments))
        headers = {**self.server.headers(credential), **arguments.pop("headers", {})}
        root = self.server.gemini_root if self.row.api == GEMINI else self.server.root
        if credential == "key":
            arguments["params"] = {**arguments.get("params", {}), "key": self.server.key}
        answer = requests.request(verb, root + path, headers=headers, timeout=SECONDS, **arguments)
        self.note(f"{answer.status_code} {answer.headers.get('content-type')}: {line(body_of(answer))}")
        return answer

    def post_generation(self, **fields: Any) -> Response:
        """POST to images/generations; `fields` are members of the body beside the model."""
        return self.http(
            "POST", "/v1/images/generations", json={"model": self.model, "prompt": self.prompt(), **fields}
        )

    def post_method(self, method: str, credential: str | None = "x-goog-api-key", **arguments: Any) -> Response:
        """POST to a method of the model on Google's surface."""
        return self.http("POST", self.method_path(method), credential, **arguments)

    def method_path(self, method: str) -> str:
        """The path of a method of the model on Google's surface."""
        return f"/{self.server.gemini_version}/models/{self.model}:{method}"

    # Answers

    def pictures(self, answer: Any, count: int | None = 1) -> list[Picture]:
        """The pictures of an answer of OpenAI's SDK, as base64 or by URL; claims their number and that each opens."""
        return self.checked([self.picture_of(item) for item in getattr(answer, "data", None) or []], count)

    def checked(self, found: list[Picture], count: int | None) -> list[Picture]:
        """The same pictures; claims their number and that each opens. Raises CannotContinue if there is none."""
        self.received += [f"picture: {picture}" for picture in found]
        if count is not None:
            self.equal(f"{count} picture{'s' * (count != 1)}", count, len(found))
        for picture in found:
            self.claim("every picture can be opened", bool(picture.format), str(picture))
        if not found:
            raise CannotContinue("the answer has no picture")
        return found

    def picture_of(self, item: Any) -> Picture:
        """The picture of one item of OpenAI's `data`, or of an event."""
        if encoded := getattr(item, "b64_json", None):
            return from_base64(encoded)
        return self.fetched(getattr(item, "url", None) or "")

    def fetched(self, url: str) -> Picture:
        """The picture at a URL."""
        if url.startswith("data:"):
            return from_base64(url.partition(",")[2])
        if not url.startswith("http"):
            return Picture(b"", "")
        return read_picture(requests.get(url, timeout=SECONDS).content)

    def gemini_pictures(self, answers: Any, count: int | None = 1) -> list[Picture]:
        """The pictures of an answer of Google's SDK, or of a stream; claims their number and that each opens."""
        answers = answers if isinstance(answers, list) else [answers]
        found = [
            read_picture(part.inline_data.data or b"")
            for answer in answers
            for part in answer.parts or []
            if part.inline_data and not part.thought
        ]
        return self.checked(found, count)

    def upstream_calls(self, count: int | None = None) -> list[Call]:
        """The calls that the replaying upstream got from this row; claims their number if `count` is given.

        Without the replaying upstream the list is empty, and nothing is claimed.
        """
        if not self.server.upstream:
            return []
        calls = self.server.upstream.calls_with(self.mark)
        if count is not None:
            self.equal(f"the upstream was called {count} time{'s' * (count != 1)}", count, len(calls))
        return calls

    def note(self, text: str) -> None:
        """Record something that was received."""
        self.received.append(text)

    # Expectations

    def claim(self, words: str, holds: object, actual: object = "") -> None:
        """Record an expectation. The row goes on after one that is not met, so that the report shows the others."""
        claim = Claim(words, bool(holds), describe(actual))
        if claim not in self.claims:
            self.claims.append(claim)

    def equal(self, words: str, expected: object, actual: object) -> None:
        """Claim that a value is the expected one."""
        self.claim(words, expected == actual, line(actual))

    def any_of(self, words: str, allowed: Sequence[object], actual: object) -> None:
        """Claim that a value is one of those allowed."""
        self.claim(words, actual in allowed, line(actual))


def describe(value: object) -> str:
    """A value that was received, in a few words."""
    if value is None:
        return "nothing"
    return line(value) if isinstance(value, Mapping | list) or hasattr(value, "model_dump") else short_text(str(value))


def method_of(client: Any, path: str) -> Callable[..., Any]:
    """A method of a client by its path, such as `images.generate`."""
    found: Callable[..., Any] = reduce(getattr, path.split("."), client)
    return found


def body_of(answer: Response) -> Any:
    """The JSON of an answer, or its text."""
    try:
        return answer.json()
    except ValueError:
        return answer.text


def error_line(error: Exception) -> str:
    """An exception with the attributes that a program reads."""
    if isinstance(error, openai.APIError):
        names = ("status_code", "code", "type", "param")
        shown = ", ".join(f"{name.removesuffix('_code')}={getattr(error, name, None)}" for name in names)
        return f"{type(error).__name__}({shown}): {line(error.message)}"
    return f"{type(error).__name__}: {line(str(error))}"
