"""The cases as files: a line for each, and a word in place of what would be a page."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from spec.derive.operations import Case, derive_all

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "derived"
LONG = 200  # characters of one letter, above which a text is told by its length
MANY = 4  # equal members, from which on an array is told by its length


@cache
def all_files() -> dict[str, str]:
    """The text of every file by its path below the folder."""
    return {f"{api}/{operation}.json": written(cases) for api, operation, cases in derive_all()}


def written(cases: Case) -> str:
    """The cases of an operation, one in each line."""
    rows = [
        f"  {json.dumps(kind)}: [\n" + ",\n".join(f"    {line(case)}" for case in cases[kind]) + "\n  ]"
        for kind in ("good", "bad")
    ]
    return "{\n" + f'  "request": {line(cases["request"])},\n' + ",\n".join(rows) + "\n}\n"


def line(value: Any) -> str:
    return json.dumps(folded(value), ensure_ascii=False)


def folded(value: Any) -> Any:
    """The same with long texts of one letter and arrays of equal members told by what is repeated."""
    if isinstance(value, str) and len(value) > LONG and value == value[0] * len(value):
        return {"$repeat": value[0], "times": len(value)}
    if isinstance(value, list):
        if len(value) >= MANY and all(one == value[0] for one in value):
            return {"$repeat": [folded(value[0])], "times": len(value)}
        return [folded(one) for one in value]
    if isinstance(value, dict):
        return {name: folded(inner) for name, inner in value.items()}
    return value


def unfolded(value: Any) -> Any:
    """What `folded` was made of."""
    if isinstance(value, list):
        return [unfolded(one) for one in value]
    if isinstance(value, dict):
        if "$repeat" in value:
            return unfolded(value["$repeat"]) * int(value["times"])
        return {name: unfolded(inner) for name, inner in value.items()}
    return value


def load(path: Path) -> Case:
    """The cases of a file, all written out."""
    cases: Case = unfolded(json.loads(path.read_text(encoding="utf-8")))
    return cases


def outdated(folder: Path = FOLDER) -> list[str]:
    """What differs between the folder and what would be written, file by file."""
    files = all_files()
    known = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}
    return sorted(name for name in files.keys() | known.keys() if files.get(name) != known.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Brings the folder up to date; returns the files that were changed or deleted."""
    files, changed = all_files(), outdated(folder)
    for name in changed:
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return changed
