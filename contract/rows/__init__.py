"""The rows, by API and subject. A row is a decorated function; the row of a situation is a fixture file."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from contract.suite.row import ROWS, Row

MODULES = (  # in the order in which the report shows them
    "openai_generations",
    "openai_parameters",
    "openai_edits",
    "openai_forms",
    "openai_streams",
    "openai_models",
    "openai_mistakes",
    "openai_repetition",
    "openai_situations",
    "idempotency",
    "openai_chat",
    "gemini_generate",
    "gemini_pictures",
    "gemini_streams",
    "gemini_models",
    "gemini_wire",
    "gemini_mistakes",
    "gemini_situations",
)


@cache
def all_rows() -> tuple[Row, ...]:
    """Every row there is. Raises ValueError where two have the same id."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    ids = [row.id for row in ROWS]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise ValueError(f"rows with the same id: {sorted(twice)}")
    return tuple(ROWS)
