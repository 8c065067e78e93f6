"""The pages of the documentation, and what they are made of: code blocks, tables, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
README, KOREAN = PROJECT / "README.md", PROJECT / "README.ko.md"

RUN = ("python", "js", "sh")
SHOWN = ("", "ini", "json", "nginx", "text", "toml", "yaml", "dockerfile", "promql")  # languages that nothing runs
FENCE = re.compile(r"```(\S*)\s*")
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
HEADING = re.compile(r"(#{1,6}) (.+)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block of code. `reason` is why it is not run, if its page says so."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page for users."""
    return [README, KOREAN, *sorted((PROJECT / "docs").glob("*.md"))]


def blocks_of(page: Path) -> Iterator[Block]:
    """The code blocks of a page, in order."""
    name = str(page.relative_to(PROJECT))
    before, opened, lines = "", None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.fullmatch(line)
        if opened is None:
            if fence:
                marker = NOT_RUN.fullmatch(before)
                opened, lines = (number, fence[1], marker[1] if marker else None), []
            elif line.strip():
                before = line.strip()
        elif line == "```":
            start, language, reason = opened
            yield Block(name, start, language, "\n".join(lines) + "\n", reason)
            before, opened = line, None
        else:
            lines.append(line)
    assert opened is None, f"{name}: a code block is not closed"


def prose_of(page: Path) -> list[str]:
    """The lines of a page that stand outside of code blocks."""
    lines, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            lines.append(line)
    return lines


def headings_of(page: Path) -> list[tuple[int, str]]:
    """Level and words of every heading."""
    return [(len(found[1]), found[2]) for line in prose_of(page) if (found := HEADING.fullmatch(line))]


def tables_of(page: Path) -> list[list[list[str]]]:
    """Every table as its rows of cells, the head first."""
    tables: list[list[list[str]]] = []
    above = ""
    for line in prose_of(page):
        if line.startswith("|"):
            if not above.startswith("|"):
                tables.append([])
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not all(set(cell) <= set(":-") for cell in cells):
                tables[-1].append(cells)
        above = line
    return tables


def links_of(page: Path) -> list[str]:
    """Every address that a page links to or shows."""
    return [found[1] or found[2] for line in prose_of(page) for found in LINK.finditer(line)]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in headings_of(page)}
