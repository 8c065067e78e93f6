"""The comparison of gateways: every row counts once, every failure is explained, and the page is current."""

import json

import pytest

from contract.rows import all_rows
from contract.yardstick.__main__ import PAGE, RESULTS
from contract.yardstick.capabilities import OWN, by_capability
from contract.yardstick.gateways import GATEWAYS
from contract.yardstick.page import Unexplained, cell, costs, page

COVERED = by_capability(all_rows())


def test_every_row_belongs_to_one_capability() -> None:
    assert sorted(row.id for rows in COVERED.values() for row in rows) == sorted(row.id for row in all_rows())


@pytest.mark.parametrize("capability", COVERED, ids=lambda one: one.words)
def test_every_capability_has_rows(capability) -> None:
    assert COVERED[capability]


def test_the_page_is_made_from_the_stored_results() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(results), "run `python -m contract.yardstick --page`"
    assert {one.name for one in GATEWAYS} == results["gateways"].keys()


def test_every_failed_row_is_on_the_page() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    sentences = {row.id: row.sentence for row in all_rows()}
    text = PAGE.read_text(encoding="utf-8")
    for gateway in results["gateways"].values():
        failed = [sentences[row] for row, state in gateway["states"].items() if state != "pass" and row in sentences]
        assert [sentence for sentence in failed if f"- {sentence} (" not in text] == []


def test_a_failure_without_an_explanation_cannot_be_written() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    row = next(rows[0] for one, rows in COVERED.items() if one.subject != OWN)
    results["gateways"]["Twinlens"]["states"][row.id] = "fail"
    with pytest.raises(Unexplained, match="needs Twinlens"):
        page(results)


def test_a_cell_counts_the_rows_that_have_a_result() -> None:
    rows = all_rows()[:3]
    states = {rows[0].id: "pass", rows[1].id: "pass"}
    assert cell(rows, states) == "all 2"
    assert cell(rows, {**states, rows[2].id: "fail"}) == "2 of 3"
    assert cell(rows, dict.fromkeys([row.id for row in rows], "unsupported")) == "not offered"
    assert cell(rows, {}) == "not tested"


def test_what_a_picture_costs_is_a_section() -> None:
    cpu = {name: {"ms": 2.5, "times": 1.41, "mib": 1234.5} for name in ("nginx", "native", "LiteLLM")}
    held = {"b64_json": {"answers": 11000, "possible": 11000, "errors": 0, "mib": 187.6}}
    measured = {"machine": "a machine", "rounds": 5, "callers": 1000, "commit": "abc1234", "cpu": cpu, "held": held}
    lines = costs(measured).splitlines()
    assert "| Twinlens, Google's API | 2.50 ms | 1.4 | 1,234 MiB |" in lines
    assert any(
        line.startswith("| LiteLLM 1.") and line.endswith(", b64_json | 2.50 ms | 1.4 | 1,234 MiB |") for line in lines
    )
    assert "| Twinlens, b64_json | 11,000 of 11,000 | 0 | 188 MiB |" in lines
    assert "COSTS=1" in costs({})
