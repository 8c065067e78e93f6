"""The report as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as xml

from contract.report.record import Record

FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def junit_report(record: Record) -> str:
    """The whole file: a suite for each group of rows, a case for each row. Unsupported rows are skipped ones there."""
    root = xml.Element("testsuites", {"name": "contract", **totals(record["rows"])})
    groups: dict[str, list[Record]] = {}
    for row in record["rows"]:
        groups.setdefault(f"{row['api']}: {row['group']}", []).append(row)
    for name, rows in groups.items():
        suite = xml.SubElement(root, "testsuite", {"name": name, **totals(rows)})
        for row in rows:
            add_case(suite, row)
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def totals(rows: Sequence[Record]) -> dict[str, str]:
    """The counts of some rows, as attributes."""
    states = [row["state"] for row in rows]
    return {
        "tests": str(len(rows)),
        "failures": str(states.count("fail")),
        "skipped": str(states.count("skipped") + states.count("unsupported")),
        "time": f"{sum(row['seconds'] for row in rows):.3f}",
    }


def add_case(suite: xml.Element, row: Record) -> None:
    """The case of one row; a failed one with what was sent, expected and received."""
    case = xml.SubElement(
        suite, "testcase", classname=row["id"], name=allowed(row["sentence"]), time=f"{row['seconds']:.3f}"
    )
    if row["state"] == "fail":
        failure = xml.SubElement(case, "failure", message=allowed(row["reason"]))
        parts = (f"{name}:\n" + "\n".join(row[name]) for name in ("request", "expected", "received"))
        failure.text = allowed("\n\n".join(parts))
    elif row["state"] != "pass":
        xml.SubElement(case, "skipped", message=allowed(f"{row['state']}: {row['reason']}"))


def allowed(text: str) -> str:
    """The text without characters that XML cannot contain."""
    return FORBIDDEN.sub("\ufffd", text)
