"""What is reserved is at least what a request costs, and little more."""

from dataclasses import replace
from typing import Any

import pytest

from compat.errors import ApiError, ErrorKind
from compat.image_models import MODELS, ImageModel, ModelCatalogue, OpenAIServer, Prices, ServedModel
from compat.images import ImageRequest, InputImage, Usage
from proxy.access.estimates import Expected, check_model, expected_of, expected_of_content, micros_of

ROWS = {row.name: row for row in MODELS}


def served(row: ImageModel) -> ServedModel:
    return ServedModel(row.name, row.name, row.name, row)


FLASH = served(ROWS["gemini-2.5-flash-image"])
PRO = served(ROWS["gemini-3-pro-image"])


@pytest.mark.parametrize("row", [row for row in MODELS if row.prices and row.image_tokens])
@pytest.mark.parametrize("size", [None, "1K", "2K", "4K"])
def test_a_picture_fits_and_ten_of_them_buy_at_least_eight(row: ImageModel, size: str | None):
    tokens = row.tokens_of_picture(size)
    assert tokens
    assert row.prices
    reserved = micros_of(Expected(served(row), 1, size, text_bytes=60))
    assert reserved
    cost = row.prices.cost(Usage(15, 0, 400, tokens)) * 1_000_000
    assert cost <= reserved
    assert 10 * row.prices.cost(Usage(0, 0, 0, tokens)) * 1_000_000 >= 8 * reserved


def test_an_input_picture_costs_at_most_what_is_reserved_for_it():
    with_inputs = micros_of(Expected(FLASH, input_pictures=2))
    without = micros_of(Expected(FLASH))
    assert with_inputs
    assert without
    assert with_inputs - without >= FLASH.upstream.prices.cost(Usage(0, 2 * 1120, 0, 0)) * 1_000_000  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"contents": [{"parts": [{"text": "a cat"}]}]}, Expected(FLASH, text_bytes=100)),
        ({"contents": {"parts": {"text": "a cat"}}}, Expected(FLASH, text_bytes=100)),
        (
            {"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "x" * 40}}, {"text": "a"}]}]},
            Expected(FLASH, text_bytes=60, input_pictures=1),
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": ""}}]}]},
            Expected(FLASH, text_bytes=100, input_pictures=1, has_files=True),
        ),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "x"}}]}]}, Expected(FLASH, text_bytes=100, has_files=True)),
        (
            {"generation_config": {"image_config": {"image_size": "4K"}, "candidate_count": 3}},
            Expected(FLASH, 3, "4K", 100),
        ),
        (
            {"generationConfig": {"responseFormat": {"image": {}}}},
            Expected(FLASH, image_size="unknown", text_bytes=100),
        ),
    ],
)
def test_what_a_request_of_googles_asks_for(content: dict[str, Any], expected: Expected):
    assert expected_of_content(content, 100, FLASH) == expected


def test_what_an_image_request_asks_for():
    picture = InputImage("image/png", b"")
    asked = ImageRequest("a cat", (picture, InputImage("image/png", uri="https://a.example/b.png")), picture, 4)
    assert expected_of(asked, FLASH) == Expected(FLASH, 4, None, 5, 3, has_files=True)
    sized = replace(ImageRequest("한"), gemini={"generationConfig": {"imageConfig": {"imageSize": "2K"}}})
    assert (expected_of(sized, PRO).image_size, expected_of(sized, PRO).text_bytes > 3) == ("2K", True)


def test_a_size_that_is_not_known_is_the_most_expensive_one():
    assert micros_of(Expected(PRO, image_size="unknown")) == micros_of(Expected(PRO, image_size="4K"))


def test_a_row_of_ones_own():
    server = OpenAIServer("http://127.0.0.1:1/v1", most_pictures=4)
    row = ImageModel("own", "Own", {"1:1": (1024, 1024)}, "image/png", openai=server)
    assert micros_of(Expected(served(row))) is None
    assert micros_of(Expected(served(replace(row, prices=Prices(1, 1, 1))))) is None
    assert micros_of(Expected(served(replace(row, price_per_picture=0.02)), 5)) == 100_000
    assert (Expected(served(row), 5).calls, Expected(FLASH, 5).calls) == (2, 5)


@pytest.mark.parametrize("dearer", ["the model", "its successor"])
def test_a_model_with_a_successor_reserves_what_the_more_expensive_of_them_costs(dearer: str):
    cheap, expensive = ROWS["gemini-2.5-flash-image"], ROWS["gemini-3-pro-image"]
    first, second = (expensive, cheap) if dearer == "the model" else (cheap, expensive)
    both = replace(served(first), successor=second)
    assert micros_of(Expected(both, 3)) == micros_of(Expected(served(expensive), 3))
    assert micros_of(Expected(served(cheap), 3)) != micros_of(Expected(served(expensive), 3))
    no_price = replace(second, prices=None)
    assert micros_of(Expected(replace(both, successor=no_price))) == micros_of(Expected(served(first)))
    assert micros_of(Expected(replace(both, upstream=replace(first, prices=None)))) is None


def test_a_model_that_a_key_may_not_use_is_refused_by_name():
    with pytest.raises(ApiError, match=r"may not use the model 'gemini-2.5-flash-image'. It may use: a, b") as refused:
        check_model(Expected(FLASH), frozenset({"b", "a"}), has_budget=False)
    assert refused.value.kind is ErrorKind.PERMISSION_DENIED
    row = ModelCatalogue(upstream_models={"gemini-2.5-flash-image": "no-such-row"}).resolve(None)
    with pytest.raises(ApiError, match=r"'gemini-2.5-flash-image', because it is not known what it costs"):
        check_model(Expected(row), None, has_budget=True)
    assert check_model(Expected(row), None, has_budget=False) == 0
    assert check_model(Expected(row, pictures=0), None, has_budget=True) == 0
