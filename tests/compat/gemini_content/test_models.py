"""compat/gemini_content/models.py: model lists in Google's format."""

from __future__ import annotations

import pytest

from compat.errors import ErrorKind
from compat.gemini_content.models import build_model, build_models
from compat.image_models import ModelCatalogue
from tests.compat.errors import error_of

CATALOGUE = ModelCatalogue({"dall-e-3": "gemini-2.5-flash-image"})
MODEL = CATALOGUE.resolve("models/gemini-2.5-flash-image")
FIVE = [MODEL] * 5


def test_a_model_has_its_public_name() -> None:
    body = build_model(MODEL)
    assert body["name"] == "models/gemini-2.5-flash-image"
    assert (body["inputTokenLimit"], body["outputTokenLimit"]) == (32768, 32768)
    assert {"generateContent", "countTokens"} <= set(body["supportedGenerationMethods"])


def test_an_alias_has_the_requested_name() -> None:
    assert build_model(CATALOGUE.resolve("dall-e-3"))["name"] == "models/dall-e-3"


@pytest.mark.parametrize(
    ("page_size", "page_token", "count", "next_page"),
    [
        (None, None, 5, None),
        ("", "", 5, None),
        ("0", None, 5, None),
        ("5", None, 5, None),
        ("1000000", None, 5, None),
        ("2", None, 2, "2"),
        ("2", "2", 2, "4"),
        ("2", "4", 1, None),
        ("2", "5", 0, None),
        ("2", "99", 0, None),
    ],
)
def test_pages(page_size: str | None, page_token: str | None, count: int, next_page: str | None) -> None:
    body = build_models(FIVE, page_size, page_token)
    assert len(body["models"]) == count
    assert body.get("nextPageToken") == next_page


def test_a_page_has_googles_limits() -> None:
    assert len(build_models([MODEL] * 60, None, None)["models"]) == 50
    assert len(build_models([MODEL] * 1001, "2000", None)["models"]) == 1000


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "²", "1" * 5000])
def test_a_page_that_is_not_a_number_is_refused(text: str) -> None:
    for arguments, param in (((text, None), "pageSize"), ((None, text), "pageToken")):
        error = error_of(build_models, FIVE, *arguments)
        assert (error.kind, error.param) == (ErrorKind.INVALID_ARGUMENT, param)
