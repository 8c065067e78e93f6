"""Two reports side by side: how the same row ended in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from contract.report.page import APIS, MARKS, bar, details_of, filters, in_words, page, sentence
from contract.report.record import Record


@dataclass(frozen=True)
class Pair:
    """A row of both reports; None if one of them lacks it."""

    first: Record | None
    second: Record | None

    @property
    def row(self) -> Record:
        """The row, from the first report that has it."""
        row = self.first or self.second
        assert row is not None
        return row

    @property
    def states(self) -> tuple[str, str]:
        """How it ended in each report."""
        first, second = (row["state"] if row else "absent" for row in (self.first, self.second))
        return first, second

    @property
    def differs(self) -> bool:
        """Whether it ended differently."""
        return self.states[0] != self.states[1]


def pairs_of(first: Record, second: Record) -> list[Pair]:
    """The rows of both, in the order of the first; rows that only the second has come last."""
    others = {row["id"]: row for row in second["rows"]}
    pairs = [Pair(row, others.pop(row["id"], None)) for row in first["rows"]]
    return pairs + [Pair(None, row) for row in others.values()]


def compare_page(first: Record, second: Record) -> str:
    """The whole page."""
    pairs = pairs_of(first, second)
    differing = sum(pair.differs for pair in pairs)
    names = names_of(first, second)
    counts = {"differs": differing, "same": len(pairs) - differing}
    heads = "".join(
        f'<div><p class="kind">{side}</p><h1>{escape(name)}</h1>{bar(record["counts"], len(record["rows"]))}'
        f"<dl><div><dt>{escape(str(record['mode']))}</dt><dd>{escape(in_words(record['counts']))}</dd></div></dl></div>"
        for side, name, record in zip(("left", "right"), names, (first, second), strict=True)
    )
    body = "\n".join(
        [
            '<header><p class="kind">Two contract reports</p>'
            f"<h1>{differing} of {len(pairs)} rows have different results.</h1>",
            f'<div class="both">{heads}</div></header>',
            filters({name: count for name, count in counts.items() if count}, len(pairs)),
            "<main>",
            *sections(pairs, names),
            "</main>",
            '<p id="nothing" hidden>No row matches.</p>',
        ]
    )
    return page("Two contract reports", body)


def names_of(first: Record, second: Record) -> tuple[str, str]:
    """The names of the two sides: their servers, with times if the server is the same."""
    if first["server"] != second["server"]:
        return str(first["server"]), str(second["server"])
    return f"{first['server']}, {first.get('ended', '')}", f"{second['server']}, {second.get('ended', '')}"


def sections(pairs: Sequence[Pair], names: tuple[str, str]) -> Iterator[str]:
    """A section for each API, with a part for each group."""
    for api, title in APIS.items():
        groups: dict[str, list[Pair]] = {}
        for pair in pairs:
            if pair.row["api"] == api:
                groups.setdefault(pair.row["group"], []).append(pair)
        if not groups:
            continue
        yield f"<section><h2>{title}</h2>"
        for group, of_group in groups.items():
            differing = sum(pair.differs for pair in of_group)
            tally = f'<small class="some">{differing} differ</small>' if differing else "<small>the same</small>"
            yield f'<div class="group"><h3>{escape(group)} {tally}</h3>'
            yield from (pair_row(pair, names) for pair in of_group)
            yield "</div>"
        yield "</section>"


def pair_row(pair: Pair, names: tuple[str, str]) -> str:
    """One row with both marks, which opens to both sides."""
    kind = "differs" if pair.differs else "same"
    marks = "".join(f'<span class="mark {state}" title="{state}">{MARKS[state]}</span>' for state in pair.states)
    sides = "".join(
        f"<div><h4>{escape(name)}</h4>{details_of(row) if row else '<p>This report does not have the row.</p>'}</div>"
        for name, row in zip(names, (pair.first, pair.second), strict=True)
    )
    return (
        f'<details class="row pair {kind}" data-state="{kind}"><summary>{marks}'
        f'<span class="sentence">{sentence(pair.row["sentence"])}</span>'
        f'<span class="sdk">{escape(pair.row["sdk"])}</span></summary><div class="sides">{sides}</div></details>'
    )
