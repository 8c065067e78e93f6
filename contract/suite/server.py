"""The server under test: its addresses, its key, what it has at all, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from contract.replay import ReplayingUpstream
from contract.suite.clients import Clients

SANDBOX_KEY = "sandbox"
NOT_THERE = (404, 405, 501)
PROBE_SECONDS = 20

# What each operation is asked for to see whether it is there: a request that cannot cost anything.
OPENAI_OPERATIONS: Mapping[str, tuple[str, str]] = {
    "images/generations": ("POST", "/v1/images/generations"),
    "images/edits": ("POST", "/v1/images/edits"),
    "images/variations": ("POST", "/v1/images/variations"),
    "models": ("GET", "/v1/models"),
    "v1beta/openai": ("POST", "/v1beta/openai/images/generations"),
}
GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


@dataclass
class Server:
    """Any server that has a base URL. `missing` names the operations it does not have, with what it said."""

    base_url: str
    key: str
    model: str
    clients: Clients
    reference: ReplayingUpstream  # what the upstream says to whoever asks it directly
    gemini_base_url: str = ""
    upstream: ReplayingUpstream | None = None  # the same, where it stands behind the server
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
        """Whether a prompt can summon a situation."""
        return self.upstream is not None or self.key == SANDBOX_KEY

    @property
    def mode(self) -> str:
        """How the server is tested."""
        if self.upstream:
            return "with the replaying upstream behind it"
        return "with the key of its sandbox" if self.shows_situations else "as it is"

    @property
    def gemini_version(self) -> str:
        """The version of Google's API that the server has: the SDK's own, or the older one."""
        return "v1beta" if "v1:generateContent" in self.missing else "v1"

    def look(self, only: str | None) -> None:
        """See which operations are there, without asking for a picture. Raises requests.RequestException."""
        asked = dict(OPENAI_OPERATIONS) if only != "gemini" else {}
        if only != "openai":
            asked |= self._gemini_operations()
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda operation: self._probe(*operation), asked.values())
            self.missing = {name: said for name, said in zip(asked, answers, strict=True) if said}

    def lacks(self, operation: str) -> str | None:
        """What the server said where it does not have an operation. Google's go by whichever version there is."""
        if operation in GEMINI_METHODS or operation == "gemini/models":
            operation = f"{self.gemini_version}:{operation.removeprefix('gemini/')}"
        return self.missing.get(operation)

    def headers(self, credential: str | None) -> dict[str, str]:
        """The header that carries the key, in one of the ways there are."""
        if credential == "bearer":
            return {"Authorization": f"Bearer {self.key}"}
        return {"x-goog-api-key": self.key} if credential == "x-goog-api-key" else {}

    def hide(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self.key, "[key]") if self.key else text

    def _gemini_operations(self) -> dict[str, tuple[str, str]]:
        operations = {}
        for version in ("v1", "v1beta"):
            for method in GEMINI_METHODS:
                operations[f"{version}:{method}"] = ("POST", f"/{version}/models/{self.model}:{method}")
            operations[f"{version}:models"] = ("GET", f"/{version}/models")
        return operations

    def _probe(self, verb: str, path: str) -> str | None:
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
        """Whether a 404 speaks of the model, and not of the operation."""
        return "model_not_found" in answer.text or ("NOT_FOUND" in answer.text and self.model in answer.text)
