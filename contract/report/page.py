"""The report as one page of HTML that needs no network and is readable on a phone and without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from contract.report.record import Record

HERE = Path(__file__).parent
STATES = ("fail", "unsupported", "skipped", "pass")
WORDS = {"pass": "passed", "fail": "failed", "unsupported": "unsupported", "skipped": "skipped"}
MARKS = {"pass": "✓", "fail": "✗", "unsupported": "∅", "skipped": "–", "absent": "·", "same": "=", "differs": "≠"}
APIS = {"openai": "OpenAI's Images API", "chat": "OpenAI's chat completions", "gemini": "Google's Gemini API"}


def report_page(record: Record) -> str:
    """The whole page."""
    rows = record["rows"]
    body = "\n".join(
        [
            head_of(record),
            filters({state: count for state, count in record["counts"].items() if count}, len(rows)),
            "<main>",
            *sections(rows),
            "</main>",
            '<p id="nothing" hidden>No row matches.</p>',
        ]
    )
    return page("Contract report", body)


def page(title: str, body: str) -> str:
    """A page with its style and script."""
    style, script = asset("report.css"), asset("report.js")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def asset(name: str) -> str:
    """The text of a file beside this module."""
    return (HERE / name).read_text(encoding="utf-8")


def head_of(record: Record) -> str:
    """The verdict, the counts, and what was tested with what."""
    counts = record["counts"]
    failed = counts["fail"]
    verdict = f"{counts['pass']} rows passed, none failed." if not failed else f"{failed} rows failed."
    sdks = ", ".join(f"{name} {version}" for name, version in record["sdks"].items())
    facts = [
        ("server", record["server"]),
        ("model", record["model"]),
        ("tested", record["mode"]),
        ("with", sdks),
        ("at", f"{record['ended'].replace('T', ' ').replace('+00:00', ' UTC')}, in {record['seconds']} s"),
    ]
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts)
    return (
        f'<header>\n<p class="kind">Contract report</p>\n<h1 class="{"bad" if failed else "good"}">{verdict}</h1>\n'
        f"{bar(counts, len(record['rows']))}\n<dl>{items}</dl>\n</header>"
    )


def bar(counts: dict[str, int], total: int) -> str:
    """The counts as a coloured bar."""
    parts = "".join(
        f'<i class="{state}" style="flex:{counts[state]}" title="{counts[state]} {WORDS[state]}"></i>'
        for state in ("pass", "fail", "unsupported", "skipped")
        if counts.get(state)
    )
    return f'<div class="bar" role="img" aria-label="{in_words(counts)}, of {total}">{parts}</div>'


def in_words(counts: dict[str, int]) -> str:
    """The counts in words."""
    return ", ".join(f"{counts[state]} {words}" for state, words in WORDS.items() if counts.get(state))


def filters(counts: dict[str, int], total: int) -> str:
    """Buttons that show the rows of one state, and a search field."""
    buttons = [f'<button data-show="" aria-pressed="true">all <b>{total}</b></button>']
    for state in sorted(counts, key=lambda one: (*STATES, one).index(one)):
        words = WORDS.get(state, state)
        buttons.append(
            f'<button data-show="{state}" aria-pressed="false" class="{state}">'
            f"<span>{MARKS[state]}</span> {words} <b>{counts[state]}</b></button>"
        )
    return (
        f'<nav aria-label="Show"><div>{"".join(buttons)}</div>'
        '<input type="search" placeholder="search" aria-label="Search the rows"></nav>'
    )


def sections(rows: Sequence[Record]) -> Iterator[str]:
    """A section for each API, with a part for each group."""
    for api, of_api in groupby(sorted(rows, key=lambda row: list(APIS).index(row["api"])), lambda row: row["api"]):
        yield f"<section><h2>{APIS.get(api, escape(str(api)))}</h2>"
        groups: dict[str, list[Record]] = {}
        for row in of_api:
            groups.setdefault(row["group"], []).append(row)
        for group, of_group in groups.items():
            yield f'<div class="group"><h3>{escape(group)} {tally(of_group)}</h3>'
            yield from map(row_of, of_group)
            yield "</div>"
        yield "</section>"


def tally(rows: Sequence[Record]) -> str:
    """How many rows of a group passed."""
    passed = sum(row["state"] == "pass" for row in rows)
    return f'<small class="{"all" if passed == len(rows) else "some"}">{passed} of {len(rows)}</small>'


def row_of(row: Record) -> str:
    """One row: its sentence, which opens to its details."""
    state = row["state"]
    return (
        f'<details class="row {state}" data-state="{state}" id="{escape(row["id"])}"><summary>'
        f'<span class="mark" title="{WORDS[state]}">{MARKS[state]}</span>'
        f'<span class="sentence">{sentence(row["sentence"])}</span>'
        f'<span class="sdk">{escape(row["sdk"])}</span></summary>{details_of(row)}</details>'
    )


def sentence(text: str) -> str:
    """A sentence with the text between backticks as code."""
    pieces = escape(text, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def details_of(row: Record) -> str:
    """What differs, and what was sent, expected and received."""
    parts = [listed("differs", row.get("differs") or ([row["reason"]] if row.get("reason") else []), "differs")]
    parts += [listed(name, row.get(name, []), name) for name in ("request", "expected", "received")]
    parts.append(f'<p class="seconds">{row.get("seconds", 0):.2f} s · {escape(row["id"])}</p>')
    return f'<div class="details">{"".join(parts)}</div>'


def listed(title: str, lines: Sequence[str], kind: str) -> str:
    """Lines below a title; nothing if there are none."""
    if not lines:
        return ""
    verbatim = kind in ("request", "received")
    items = "".join(
        f"<li><code>{escape(line, quote=False)}</code></li>" if verbatim else f"<li>{sentence(line)}</li>"
        for line in lines
    )
    return f'<h4>{title}</h4><ul class="{kind}">{items}</ul>'
