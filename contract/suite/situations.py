"""The contract fixtures: what an upstream may answer, one file for each situation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
FOLDER = next(  # beside the package in the repository, inside it where the package is installed
    path for one in (PACKAGE.parent, PACKAGE) if (path := one / "contract_fixtures" / "gemini_content").is_dir()
)
GENERATE, STREAM, COUNT = "generate_content", "stream_generate_content", "count_tokens"
OPERATIONS = (GENERATE, STREAM, COUNT, "models")
NAMED = re.compile(r"\[\[\s*([\w.|-]+)\s*\]\]")


@dataclass(frozen=True)
class Situation:
    """One fixture file."""

    operation: str
    name: str
    folder: Path = FOLDER

    @cached_property
    def fixture(self) -> dict[str, Any]:
        """The whole file."""
        path = self.folder / self.operation / f"{self.name}.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        return str(self.fixture["situation"])

    @property
    def expect(self) -> dict[str, Any]:
        """What a caller should get, in neither API's vocabulary."""
        return dict(self.fixture["expect"])

    @property
    def status(self) -> int:
        """The upstream's HTTP status."""
        return int(self.fixture["response"]["status"])

    @property
    def cut(self) -> bool:
        """Whether the answer breaks off."""
        return bool(self.fixture["response"].get("cut"))

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers, their names in lower case."""
        given = {name.lower(): str(value) for name, value in self.fixture["response"].get("headers", {}).items()}
        return {"content-type": "application/json; charset=UTF-8", **given}

    @property
    def text(self) -> str:
        """The body exactly as Google sends it."""
        response = self.fixture["response"]
        if "body_text" in response:
            return str(response["body_text"])
        text = json.dumps(response["body"], indent=2, ensure_ascii=False) + "\n"
        for separator in "\u2028\u2029\u0085":  # Google escapes them, and some clients rely on it
            text = text.replace(separator, f"\\u{ord(separator):04x}")
        return text


def situations(operation: str, folder: Path = FOLDER) -> Iterator[Situation]:
    """Every situation of one operation, by name."""
    return (Situation(operation, path.stem, folder) for path in sorted((folder / operation).glob("*.json")))


@cache
def find_situation(name: str, operation: str) -> Situation | None:
    """The situation with this name, preferably one of this operation."""
    for one in sorted(OPERATIONS, key=lambda known: known != operation):
        if (FOLDER / one / f"{name}.json").is_file():
            return Situation(one, name)
    return None
