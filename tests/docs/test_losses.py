"""What one API says and the other cannot: the tables of docs/own-models.md are those of compat/losses.py."""

from __future__ import annotations

import pytest

from compat.losses import LOSSES, Fate, Loss, Way
from tests.docs.pages import PROJECT

PAGE = (PROJECT / "docs" / "own-models.md").read_text()


def line(loss: Loss) -> str:
    """The line of a table that tells it."""
    named = f"left out, named `{loss.field}`" if loss.field else "left out"
    fate = {Fate.REFUSED: f"refused: `{loss.field}`", Fate.LEFT_OUT: named, Fate.BECOMES: f"becomes {loss.becomes}"}
    return f"| {loss.what} | {fate[loss.fate]} |"


@pytest.mark.parametrize("way", Way)
def test_each_table_has_every_row_in_order_and_no_other(way: Way):
    lines = [line(loss) for loss in LOSSES if loss.way is way]
    table = "\n".join(["| what | what becomes of it |", "|---|---|", *lines])
    assert f"In {way.value}:\n\n{table}\n" in PAGE
