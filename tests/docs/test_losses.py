"""The tables of docs/translation.md list what tests/support/losses.py says."""

from __future__ import annotations

import pytest

from tests.docs.pages import PROJECT
from tests.support.losses import LOSSES, Loss, Outcome, Translation

PAGE = (PROJECT / "docs" / "translation.md").read_text(encoding="utf-8")


def line(loss: Loss) -> str:
    """The loss as a line of a table."""
    outcome = {
        Outcome.REFUSED: f"refused: `{loss.field}`",
        Outcome.IGNORED: f"ignored, reported as `{loss.field}`" if loss.field else "ignored",
        Outcome.CHANGED: f"becomes {loss.becomes}",
    }
    return f"| {loss.feature} | {outcome[loss.outcome]} |"


def table(translation: Translation) -> str:
    """The table of a translation, with the sentence before it."""
    lines = [line(loss) for loss in LOSSES if loss.translation is translation]
    return "\n".join([f"In {translation.value}:", "", "| feature | what happens to it |", "|---|---|", *lines, ""])


@pytest.mark.parametrize("translation", Translation)
def test_a_table_lists_every_loss_in_order(translation: Translation) -> None:
    assert table(translation) in PAGE
