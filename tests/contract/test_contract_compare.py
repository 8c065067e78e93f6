"""Two reports side by side."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.compare import main


def report(server: str, **states: str) -> dict[str, Any]:
    """A report with a row for each state."""
    rows = [
        {"id": name, "group": "Edits", "api": "openai", "sdk": "openai", "sentence": f"<{name}> & `n`", "state": state}
        for name, state in states.items()
    ]
    counts = {state: list(states.values()).count(state) for state in ("pass", "fail", "unsupported", "skipped")}
    return {"server": server, "mode": "as a plain server", "ended": "", "counts": counts, "rows": rows}


@pytest.fixture
def reports(tmp_path: Path) -> list[str]:
    """Two reports that differ in one row, and have one row each that the other lacks."""
    first = report("http://one", same="pass", other="pass", alone="fail")
    second = report("http://two", same="pass", other="fail", new="pass")
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, content in zip(paths, (first, second), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    return [str(path) for path in paths]


def test_the_page_shows_every_row_of_both_and_the_differences(
    reports: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main([*reports, "--out", str(page)]) == 0
    assert "4 rows, 3 with different results" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.count('data-state="differs"') == 3
    assert text.count('data-state="same"') == 1
    assert "http://one" in text
    assert "http://two" in text
    assert "&lt;same&gt; &amp; <code>n</code>" in text


@pytest.mark.parametrize("content", ["{", "[]", '{"rows": [{"id": 1}]}'])
def test_a_file_that_is_not_a_report_is_refused(
    reports: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(content)
    assert main([reports[0], str(wrong)]) == 2
    assert str(wrong) in capsys.readouterr().err
