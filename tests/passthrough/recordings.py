"""Real answers of Google. They are not part of the project: they are read where they lie."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "recordings"
METHODS = ("generateContent", "streamGenerateContent", "countTokens")
ABSENT = "the recordings do not lie in ../shared/recordings beside this clone"


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
    def method(self) -> str:
        """The method that was called; empty where it was another API's."""
        return str(self.exchange["request"]["path"]).partition("?")[0].rpartition(":")[2]

    @property
    def query(self) -> str:
        """`?alt=sse` where the call was made for events."""
        return "?alt=sse" if "alt=sse" in self.exchange["request"]["path"] else ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.exchange["response"]["status"])

    @property
    def content_type(self) -> str:
        """The answer's type."""
        headers = {name.lower(): value for name, value in self.exchange["response"]["headers"].items()}
        return str(headers.get("content-type", "application/json; charset=UTF-8"))

    @property
    def body(self) -> bytes:
        """The body as it was on the wire, or as close to it as the recorder left it."""
        response = self.exchange["response"]
        if "body_text" in response:
            return str(response["body_text"]).encode()
        if response.get("body_pretty_printed"):
            return (json.dumps(response["body"], indent=2, ensure_ascii=False) + "\n").encode()
        return json.dumps(response["body"], ensure_ascii=False).encode()


def recordings() -> list[Recording]:
    """Those of generateContent, streamGenerateContent and countTokens; none where they are absent."""
    every = (Recording(path.stem) for path in sorted(FOLDER.glob("gemini_*.json")) if "_interactions_" not in path.stem)
    return [one for one in every if one.method in METHODS]
