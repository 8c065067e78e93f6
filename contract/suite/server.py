"""The server under test: its addresses, its key, which operations it offers, and its upstream."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from contract.replay import ReplayingUpstream
from contract.scrubbing import without_key
from contract.suite.clients import Clients

SANDBOX_KEY = "sandbox"
NOT_THERE = (404, 405, 501)
PROBE_SECONDS = 20

# A request to each operation that shows whether it exists and cannot cost anything.
OPENAI_OPERATIONS: Mapping[str, tuple[str, str]] = {
    "images/generations": ("POST", "/v1/images/generations"),
    "images/edits": ("POST", "/v1/images/edits"),
    "images/variations": ("POST", "/v1/images/variations"),
    "models": ("GET", "/v1/models"),
    "chat/completions": ("POST", "/v1/chat/completions"),
    "v1beta/openai": ("POST", "/v1beta/openai/images/generations"),
    "v1beta/openai/chat": ("POST", "/v1beta/openai/chat/completions"),
}
GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


@dataclass
class Server:
    """Any server with a base URL. `missing` maps operations that it does not offer to its answers."""

    base_url: str
    key: str
    model: str
    clients: Clients
    reference: ReplayingUpstream  # asked directly, to compare its answers with the server's
    gemini_base_url: str = ""
    upstream: ReplayingUpstream | None = None  # the same upstream, if the server uses it
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.base_url.rstrip("/").removesuffix("/v1")
        self.gemini_root = (self.gemini_base_url or self.root).rstrip("/")

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's SDK."""
        return f"{self.root}/v1"

    @property
    def shows_situations(self) -> bool:
        """Whether a prompt can ask for a situation."""
        return self.upstream is not None or self.key == SANDBOX_KEY

    @property
    def mode(self) -> str:
        """How the server is tested."""
        if self.upstream:
            return "with the replaying upstream"
        return "with the sandbox key" if self.shows_situations else "as a plain server"

    @property
    def gemini_version(self) -> str:
        """The version of Google's API to use: the SDK's default, or the older one if the server offers only that."""
        return "v1beta" if "v1:generateContent" in self.missing else "v1"

    def probe(self, only: str | None) -> None:
        """Find out which operations exist, without asking for a picture. Raises requests.RequestException."""
        asked = dict(OPENAI_OPERATIONS) if only != "gemini" else {}
        if only in (None, "gemini"):
            asked |= self._gemini_operations()
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda operation: self._answer_if_missing(*operation), asked.values())
            self.missing = {name: answer for name, answer in zip(asked, answers, strict=True) if answer}

    def lacks(self, operation: str) -> str | None:
        """The server's answer if it does not offer an operation; of Google's API, in the version that is used."""
        if operation in GEMINI_METHODS or operation == "gemini/models":
            operation = f"{self.gemini_version}:{operation.removeprefix('gemini/')}"
        return self.missing.get(operation)

    def headers(self, credential: str | None) -> dict[str, str]:
        """The header that carries the key: `bearer` or `x-goog-api-key`; none for anything else."""
        if credential == "bearer":
            return {"Authorization": f"Bearer {self.key}"}
        return {"x-goog-api-key": self.key} if credential == "x-goog-api-key" else {}

    def hide(self, text: str) -> str:
        """The text with the key replaced; the sandbox key is no secret."""
        return text if self.key == SANDBOX_KEY else without_key(text, self.key)

    def _gemini_operations(self) -> dict[str, tuple[str, str]]:
        operations = {}
        for version in ("v1", "v1beta"):
            for method in GEMINI_METHODS:
                operations[f"{version}:{method}"] = ("POST", f"/{version}/models/{self.model}:{method}")
            operations[f"{version}:models"] = ("GET", f"/{version}/models")
        return operations

    def _answer_if_missing(self, verb: str, path: str) -> str | None:
        google = ":" in path or path.startswith("/v1beta/models")
        root = self.gemini_root if google else self.root
        credential = "x-goog-api-key" if google else "bearer"
        answer = requests.request(
            verb,
            root + path,
            json={} if verb == "POST" else None,
            headers=self.headers(credential),
            timeout=PROBE_SECONDS,
        )
        if answer.status_code not in NOT_THERE or self._names_the_model(answer):
            return None
        return f"{verb} {urlsplit(root).path}{path} is answered with {answer.status_code}"

    def _names_the_model(self, answer: requests.Response) -> bool:
        """Whether a 404 is about the model, not about the operation."""
        return "model_not_found" in answer.text or ("NOT_FOUND" in answer.text and self.model in answer.text)
