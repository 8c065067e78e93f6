"""Real answers of Google and OpenAI. They are not part of the project: they are read beside it, where they are."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.support.processes import PROJECT
from tests.support.upstream import JSON, Answer

FOLDER = PROJECT.parent / "shared" / "recordings"
ABSENT = "the recordings are not in ../shared/recordings beside this clone"
GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


@dataclass(frozen=True)
class Recording:
    """One recorded exchange."""

    name: str

    def __str__(self) -> str:
        return self.name

    @cached_property
    def exchange(self) -> dict[str, Any]:
        """The file."""
        found: dict[str, Any] = json.loads((FOLDER / f"{self.name}.json").read_text())
        return found

    @property
    def response(self) -> dict[str, Any]:
        """What was answered."""
        found: dict[str, Any] = self.exchange["response"]
        return found

    @property
    def method(self) -> str:
        """The method of Gemini's API that was called; empty if it was another API."""
        return str(self.exchange["request"]["path"]).partition("?")[0].rpartition(":")[2]

    @property
    def query(self) -> str:
        """`?alt=sse` if the call was made for events."""
        return "?alt=sse" if "alt=sse" in self.exchange["request"]["path"] else ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.response["status"])

    @property
    def content_type(self) -> str:
        """The answer's type."""
        headers = {name.lower(): value for name, value in self.response["headers"].items()}
        return str(headers.get("content-type", JSON))

    @cached_property
    def body(self) -> bytes:
        """The body as it was on the wire, or as close to it as the recorder left it."""
        if "body_text" in self.response:
            return str(self.response["body_text"]).encode()
        if self.response.get("body_pretty_printed"):
            return (json.dumps(self.response["body"], indent=2, ensure_ascii=False) + "\n").encode()
        return json.dumps(self.response["body"], ensure_ascii=False).encode()

    @cached_property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of the answer, or of each of its events."""
        if not self.body.startswith(b"data: "):
            return [json.loads(self.body)]
        return [json.loads(line.removeprefix(b"data: ")) for line in self.body.splitlines() if line]

    @property
    def answer(self) -> Answer:
        """The answer, for a scripted upstream."""
        return Answer(self.body, self.status, self.content_type)


def gemini_recordings() -> list[Recording]:
    """Those of generateContent, streamGenerateContent and countTokens; none where they are absent."""
    every = (Recording(path.stem) for path in sorted(FOLDER.glob("gemini_*.json")) if "_interactions_" not in path.stem)
    return [one for one in every if one.method in GEMINI_METHODS]


def openai_recordings() -> list[Recording]:
    """Those of the Images API; none where they are absent."""
    return [Recording(path.stem) for path in sorted(FOLDER.glob("openai_*.json")) if "_responses_" not in path.stem]
