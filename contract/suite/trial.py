"""One trial of one row: it calls the server as a user would, and writes down what was asked, claimed and seen."""

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
from contract.suite.row import GOOGLE_ASYNC, OPENAI, OPENAI_ASYNC, Row
from contract.suite.server import Server
from contract.suite.summary import call_line, line, short_text

PROMPT = "a red kite above the sea"


class Broken(Exception):
    """The row cannot go on: what came is not what the rest of it speaks of."""


class NotTold(Exception):
    """The server leaves out what it may leave out, and the row is about that."""


@dataclass(frozen=True)
class Claim:
    """Something that must be so, and whether it is."""

    words: str
    holds: bool
    came: str = ""

    def __str__(self) -> str:
        return self.words if self.holds or not self.came else f"{self.words}; but: {self.came}"


@dataclass
class Trial:
    """What a row's function works with."""

    row: Row
    server: Server
    retries: int = 0  # that OpenAI's SDK may make
    strict: bool = False  # whether OpenAI's SDK checks the answer's types
    version: str = ""  # of Google's API; empty: whichever the server has
    requests: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    came: list[str] = field(default_factory=list)
    attempts: int = 0
    waited: float = 0.0  # seconds that the last call took
    mark: str = field(default_factory=lambda: f"no {secrets.token_hex(5)}")

    # What to ask for

    @property
    def model(self) -> str:
        """The model under test."""
        return self.server.model

    def prompt(self, words: str = PROMPT, situation: str | None = None) -> str:
        """A prompt that may summon a situation. The upstream can tell it from those of other rows."""
        marked = [f"({self.mark})"] if self.server.upstream else []
        return " ".join([words, *marked, *([f"[[{situation}]]"] if situation else [])])

    # Asking through an SDK

    @property
    def client(self) -> Any:
        """The SDK's client: OpenAI's, or Google's (the asynchronous half where the row says so)."""
        if self.row.api == OPENAI:
            make: Callable[..., Any] = self.server.clients.openai
            if self.row.sdk == OPENAI_ASYNC:
                make = self.server.clients.openai_async
            return make(self.server.openai_url, self.server.key, self.retries, strict=self.strict)
        return self.half_of(self.google())

    def google(self, base_url: str | None = None, key: str | None = None) -> genai.Client:
        """Google's client, in front of the server or of another address."""
        version = self.version or self.server.gemini_version
        return self.server.clients.google(base_url or self.server.gemini_root, key or self.server.key, version)

    def half_of(self, client: genai.Client) -> Any:
        """Google's client has an asynchronous half."""
        return client.aio if self.row.sdk == GOOGLE_ASYNC else client

    def ask(self, path: str, **arguments: Any) -> Any:
        """Call a method of the SDK and wait for what it comes to. A stream becomes the list of its events."""
        self.requests.append(call_line(path, arguments))
        started = time.monotonic()
        with counted_attempts() as attempts:
            try:
                answer = self.run(lambda: method_of(self.client, path)(**arguments))
            finally:
                self.attempts = len(attempts)
                self.waited = time.monotonic() - started
        self.saw(line(answer))
        return answer

    def streamed(self, path: str, **arguments: Any) -> tuple[list[Any], Exception | None]:
        """Call a method of the SDK that streams: its events, and the exception that ended them, if one did."""
        self.requests.append(call_line(path, arguments))
        events, error = self.server.clients.events(lambda: method_of(self.client, path)(**arguments))
        self.came += map(line, events)
        if error:
            self.saw(error_line(error))
        return events, error

    def run(self, call: Callable[[], Any]) -> Any:
        """The outcome of a call of either half of an SDK."""
        return self.server.clients.finish(call())

    def refused(self, path: str, **arguments: Any) -> Exception:
        """Call a method of the SDK that must raise, and give the exception."""
        try:
            self.ask(path, **arguments)
        except Exception as error:
            self.saw(error_line(error))
            return error
        raise Broken("an exception was expected, and an answer came")

    def raises(self, exception: type[Exception], path: str, **arguments: Any) -> Any:
        """Call a method of the SDK that must raise this class of exception."""
        error = self.refused(path, **arguments)
        self.claim(f"{exception.__name__} is raised", isinstance(error, exception), type(error).__name__)
        return error

    # Asking over HTTP

    def http(self, verb: str, path: str, credential: str | None = "bearer", **arguments: Any) -> Response:
        """Send a request by hand. The credential is `bearer`, `x-goog-api-key`, `key` (in the query) or None."""
        self.requests.append(call_line(f"{verb} {path}", arguments))
        headers = {**self.server.headers(credential), **arguments.pop("headers", {})}
        root = self.server.root if self.row.api == OPENAI else self.server.gemini_root
        if credential == "key":
            arguments["params"] = {**arguments.get("params", {}), "key": self.server.key}
        answer = requests.request(verb, root + path, headers=headers, timeout=SECONDS, **arguments)
        self.saw(f"{answer.status_code} {answer.headers.get('content-type')}: {line(body_of(answer))}")
        return answer

    def post_generation(self, **fields: Any) -> Response:
        """Ask OpenAI's surface for a picture by hand; `fields` are those of the body beside the model's name."""
        return self.http(
            "POST", "/v1/images/generations", json={"model": self.model, "prompt": self.prompt(), **fields}
        )

    def post_method(self, method: str, credential: str | None = "x-goog-api-key", **arguments: Any) -> Response:
        """Call a method of the model on Google's surface by hand."""
        return self.http("POST", self.method_path(method), credential, **arguments)

    def method_path(self, method: str) -> str:
        """The address of a method of the model on Google's surface."""
        return f"/{self.server.gemini_version}/models/{self.model}:{method}"

    # What came

    def pictures(self, answer: Any, count: int | None = 1) -> list[Picture]:
        """The pictures of an answer, wherever they are, each claimed to be one, and as many as were asked for."""
        return self.opened([self.picture_of(item) for item in getattr(answer, "data", None) or []], count)

    def opened(self, found: list[Picture], count: int | None) -> list[Picture]:
        """The same pictures, claimed to be so many and each to be one."""
        self.came += [f"picture: {picture}" for picture in found]
        if count is not None:
            self.equal(f"{count} picture{'s' * (count != 1)}", count, len(found))
        for picture in found:
            self.claim("every picture can be opened", bool(picture.format), str(picture))
        if not found:
            raise Broken("no picture came")
        return found

    def picture_of(self, item: Any) -> Picture:
        """The picture of one item of OpenAI's `data`, or of an event."""
        if encoded := getattr(item, "b64_json", None):
            return from_base64(encoded)
        return self.fetched(getattr(item, "url", None) or "")

    def fetched(self, url: str) -> Picture:
        """The picture at an address."""
        if url.startswith("data:"):
            return from_base64(url.partition(",")[2])
        if not url.startswith("http"):
            return Picture(b"", "")
        return read_picture(requests.get(url, timeout=SECONDS).content)

    def gemini_pictures(self, answers: Any, count: int | None = 1) -> list[Picture]:
        """The pictures of an answer of Google's SDK, or of a stream of them."""
        answers = answers if isinstance(answers, list) else [answers]
        found = [
            read_picture(part.inline_data.data or b"")
            for answer in answers
            for part in answer.parts or []
            if part.inline_data and not part.thought
        ]
        return self.opened(found, count)

    def went_up(self) -> list[Call]:
        """What the replaying upstream got from this row; nothing if none stands behind the server."""
        return self.server.upstream.calls_with(self.mark) if self.server.upstream else []

    def went_up_times(self, count: int) -> list[Call]:
        """The same, claimed to be so many calls where that can be seen."""
        calls = self.went_up()
        if self.server.upstream:
            self.equal(f"the upstream was called {count} time{'s' * (count != 1)}", count, len(calls))
        return calls

    def saw(self, text: str) -> None:
        """Write down what came."""
        self.came.append(text)

    # What must be so

    def claim(self, words: str, holds: object, came: object = "") -> None:
        """Say what must be so. A row goes on after a claim that does not hold, to see the others too."""
        claim = Claim(words, bool(holds), told(came))
        if claim not in self.claims:
            self.claims.append(claim)

    def equal(self, words: str, expected: object, came: object) -> None:
        """Claim that something is exactly so."""
        self.claim(words, expected == came, line(came))

    def any_of(self, words: str, allowed: Sequence[object], came: object) -> None:
        """Claim that something is one of several."""
        self.claim(words, came in allowed, line(came))


def told(came: object) -> str:
    """What came instead, in a few words."""
    if came is None:
        return "nothing"
    return line(came) if isinstance(came, Mapping | list) or hasattr(came, "model_dump") else short_text(str(came))


def method_of(client: Any, path: str) -> Callable[..., Any]:
    """`images.generate` of a client."""
    found: Callable[..., Any] = reduce(getattr, path.split("."), client)
    return found


def body_of(answer: Response) -> Any:
    """The JSON of an answer, or its text."""
    try:
        return answer.json()
    except ValueError:
        return answer.text


def error_line(error: Exception) -> str:
    """An exception as a program sees it."""
    if isinstance(error, openai.APIError):
        told = {"status": getattr(error, "status_code", None), "code": error.code, "type": error.type}
        shown = ", ".join(f"{name}={value}" for name, value in [*told.items(), ("param", error.param)])
        return f"{type(error).__name__}({shown}): {line(error.message)}"
    return f"{type(error).__name__}: {line(str(error))}"
