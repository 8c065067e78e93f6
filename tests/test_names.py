"""Identifiers use plain English: none has a word that the project has retired."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
ROOTS = ("app.py", "cli.py", "gunicorn.conf.py", "bench", "compat", "contract", "proxy", "sandbox", "spec", "tests")
RETIRED = {  # a word of an identifier, and what to write instead
    "anew": "again",
    "cellar": "server",
    "dear": "expensive",
    "house": "your own server",
    "midst": "within",
    "room": "module or package",
    "seen": "observation, or what it is",
    "tellable": "reported",
    "told": "parsed, declared, given or reported",
    "unsaid": "unsupported or ignored",
    "uttered": "given",
    "window": "passthrough",
    "wish": "parameter, field or option",
    "wished": "requested",
    "wishes": "parameters, fields or options",
}
RETIRED_NAMES = {  # whole identifiers
    "AsksNothing": "gunicorn's own timeout",
    "CREDENTIALS": "a name that says whose",
    "image_size_of_size": "nearest_image_size",
    "is_googles": "Dialect",
}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
MAY_HAVE = re.compile("|".join([*RETIRED, *RETIRED_NAMES]), re.IGNORECASE)  # a text without one needs no parsing


def files() -> list[Path]:
    paths = [PROJECT / root for root in ROOTS]
    return [path for root in paths for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))]


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a module defines, imports or uses, with its line; none if no word in it could be retired."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if MAY_HAVE.search(text) else ():
        for field in ("id", "attr", "arg", "name", "asname", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), name
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from ((node.lineno, name) for name in node.names)


def retired(name: str) -> str | None:
    """What to write instead of an identifier; None if it may stay."""
    if name in RETIRED_NAMES:
        return RETIRED_NAMES[name]
    return next((RETIRED[word] for word in map(str.lower, WORD.findall(name)) if word in RETIRED), None)


def test_no_identifier_has_a_retired_word():
    found = {
        f"{path.relative_to(PROJECT)}:{line}: {name}: {retired(name)}"
        for path in files()
        for line, name in identifiers(path)
        if retired(name)
    }
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize(
    ("name", "is_retired"),
    [
        ("told", True),
        ("told_error", True),
        ("HOUSE_MODELS", True),
        ("ShapeWish", True),
        ("test_what_is_told_again", True),
        ("is_googles", True),
        ("observation", False),
        ("bedroom", False),
        ("unfolding", False),
        ("seeing", False),
        ("is_googles_error", False),
    ],
)
def test_a_retired_word_is_found_in_every_spelling(name: str, is_retired: bool):
    assert bool(retired(name)) is is_retired
