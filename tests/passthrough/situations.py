"""The contract fixtures, as these tests look at them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "gemini_content"
KEY = "[[key]]"
JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True)
class Situation:
    """One fixture."""

    operation: str
    name: str

    def __str__(self) -> str:
        return self.name

    @cached_property
    def fixture(self) -> dict[str, Any]:
        """The file."""
        found: dict[str, Any] = json.loads((FOLDER / self.operation / f"{self.name}.json").read_text())
        return found

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.fixture["response"]["status"])

    @property
    def content_type(self) -> str:
        """The answer's type."""
        return str(self.fixture["response"]["headers"].get("content-type", JSON))

    @property
    def cut(self) -> bool:
        """Whether the answer breaks off."""
        return bool(self.fixture["response"].get("cut"))

    def body(self, key: str) -> bytes:
        """The bytes that are sent, with what stands for the caller's key in its place."""
        response = self.fixture["response"]
        text = response.get("body_text")
        if text is None:
            text = json.dumps(response["body"], indent=2, ensure_ascii=False) + "\n"
            for separator in "\u2028\u2029\u0085":  # Google escapes them, and old SDKs rely on it
                text = text.replace(separator, f"\\u{ord(separator):04x}")
        return str(text).replace(KEY, key).encode()

    def error(self, key: str) -> dict[str, Any]:
        """The body of an error: an object, even where it is sent in a list."""
        told = json.loads(self.body(key))
        return dict(told[0] if isinstance(told, list) else told)


def all_situations() -> list[Situation]:
    """Every fixture of the Gemini API."""
    return [Situation(path.parent.name, path.stem) for path in sorted(FOLDER.glob("*/*.json"))]


def errors_with_json() -> list[Situation]:
    """Those that are refusals in Google's own form."""
    return [one for one in all_situations() if one.status >= 400 and "json" in one.content_type]
