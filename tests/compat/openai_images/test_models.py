"""compat/openai_images/models.py: model lists as OpenAI tells them."""

from __future__ import annotations

from compat.image_models import ModelCatalogue
from compat.openai_images.models import build_model, build_models

CATALOGUE = ModelCatalogue({"dall-e-3": "gemini-2.5-flash-image"})


def test_a_list_has_openais_shape() -> None:
    body = build_models(CATALOGUE.models())
    assert body["object"] == "list"
    (model,) = body["data"]
    assert (model["id"], model["object"]) == ("gemini-2.5-flash-image", "model")
    assert isinstance(model["created"], int)
    assert isinstance(model["owned_by"], str)


def test_a_model_tells_what_a_caller_wants_to_know_before_paying() -> None:
    model = build_model(CATALOGUE.resolve(None))
    assert model["shutdown_date"] == "2026-10-02"
    assert model["aspect_ratios"]["16:9"] == "1344x768"
    assert len(model["aspect_ratios"]) == 10
    assert model["image_sizes"] == {}
    assert model["output_formats"] == ["png", "jpeg", "webp", "avif"]
    assert model["native_output_format"] == "png"
    assert model["limits"]["n"] == 10
    assert model["pricing"] == {
        "unit": "USD per 1M tokens",
        "input": 0.30,
        "text_output": 2.50,
        "image_output": 30,
    }


def test_the_upstream_model_decides_what_is_told_and_the_caller_how_it_is_called() -> None:
    catalogue = ModelCatalogue(
        {"dall-e-3": "gemini-2.5-flash-image"}, {"gemini-2.5-flash-image": "gemini-3.1-flash-image"}
    )
    model = build_model(catalogue.resolve("dall-e-3"))
    assert (model["id"], model["upstream_model"]) == ("dall-e-3", "gemini-3.1-flash-image")
    assert model["image_sizes"]["2K"]["16:9"] == "2752x1536"
    assert model["shutdown_date"] == "2026-10-29"


def test_an_unknown_price_and_an_unannounced_retirement_are_not_invented() -> None:
    catalogue = ModelCatalogue(None, {"gemini-2.5-flash-image": "gemini-9-image"})
    model = build_model(catalogue.resolve(None))
    assert "pricing" not in model
    assert model["shutdown_date"] is None
