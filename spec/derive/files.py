"""The cases as files: a line for each, with long texts and long arrays abbreviated."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from spec.derive.operations import Case, derive_all

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "derived"
LONG = 200  # characters of one letter, above which a text is abbreviated
MANY = 4  # equal members, from which on an array is abbreviated


@cache
def all_files() -> dict[str, str]:
    """The text of every file by its path below the folder."""
    return {f"{api}/{operation}.json": file_text(cases) for api, operation, cases in derive_all()}


def file_text(cases: Case) -> str:
    """The cases of an operation, each on a line."""
    head = [f'  "{name}": {line(cases[name])},\n' for name in ("request", "same_body_as") if name in cases]
    rows = [
        f"  {json.dumps(kind)}: [\n" + ",\n".join(f"    {line(case)}" for case in cases[kind]) + "\n  ]"
        for kind in ("good", "bad")
    ]
    return "{\n" + "".join(head) + ",\n".join(rows) + "\n}\n"


def line(value: Any) -> str:
    """JSON on one line, abbreviated."""
    return json.dumps(abbreviated(value), ensure_ascii=False)


def abbreviated(value: Any) -> Any:
    """The value with `$repeat` in place of long texts of one letter and arrays of equal members."""
    if isinstance(value, str) and len(value) > LONG and value == value[0] * len(value):
        return {"$repeat": value[0], "times": len(value)}
    if isinstance(value, list):
        if len(value) >= MANY and all(one == value[0] for one in value):
            return {"$repeat": [abbreviated(value[0])], "times": len(value)}
        return [abbreviated(one) for one in value]
    if isinstance(value, dict):
        return {name: abbreviated(inner) for name, inner in value.items()}
    return value


def expanded(value: Any) -> Any:
    """The value that was abbreviated."""
    if isinstance(value, list):
        return [expanded(one) for one in value]
    if isinstance(value, dict):
        if "$repeat" in value:
            return expanded(value["$repeat"]) * int(value["times"])
        return {name: expanded(inner) for name, inner in value.items()}
    return value


def load(path: Path) -> Case:
    """The cases of a file, nothing abbreviated."""
    cases: Case = expanded(json.loads(path.read_text(encoding="utf-8")))
    return cases


def outdated(folder: Path = FOLDER) -> list[str]:
    """The names of the files that would be changed or deleted."""
    files = all_files()
    known = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}
    return sorted(name for name in files.keys() | known.keys() if files.get(name) != known.get(name))


def write(folder: Path = FOLDER) -> list[str]:
    """Brings the folder up to date. Returns the names of the files that were changed or deleted."""
    files, changed = all_files(), outdated(folder)
    for name in changed:
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return changed
