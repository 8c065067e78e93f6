"""compat/openai_images/models.py: model lists in OpenAI's format."""

from __future__ import annotations

import pytest

from compat.image_models import ImageModel, ModelCatalogue, OpenAIServer, ServedModel
from compat.openai_images.models import build_model, build_models

CATALOGUE = ModelCatalogue({"dall-e-3": "gemini-2.5-flash-image"})


def test_a_list_has_openais_format() -> None:
    body = build_models(CATALOGUE.models())
    assert body["object"] == "list"
    (model,) = body["data"]
    assert (model["id"], model["object"]) == ("gemini-2.5-flash-image", "model")
    assert isinstance(model["created"], int)
    assert isinstance(model["owned_by"], str)


def test_a_model_lists_its_sizes_limits_and_prices() -> None:
    model = build_model(CATALOGUE.resolve(None))
    assert model["shutdown_date"] == "2026-10-02"
    assert model["aspect_ratios"]["16:9"] == "1344x768"
    assert len(model["aspect_ratios"]) == 10
    assert model["image_sizes"] == {}
    assert model["output_formats"] == ["png", "jpeg", "webp", "avif"]
    assert model["native_output_format"] == "png"
    assert model["architecture"] == {
        "modality": "text+image->text+image",
        "input_modalities": ["text", "image"],
        "output_modalities": ["text", "image"],
    }
    assert model["limits"]["n"] == 10
    assert model["pricing"] == {
        "unit": "USD per 1M tokens",
        "input": 0.30,
        "text_output": 2.50,
        "image_output": 30,
    }


def test_an_alias_lists_what_its_upstream_model_can_do() -> None:
    catalogue = ModelCatalogue(
        {"dall-e-3": "gemini-2.5-flash-image"}, {"gemini-2.5-flash-image": "gemini-3.1-flash-image"}
    )
    model = build_model(catalogue.resolve("dall-e-3"))
    assert (model["id"], model["upstream_model"]) == ("dall-e-3", "gemini-3.1-flash-image")
    assert model["image_sizes"]["2K"]["16:9"] == "2752x1536"
    assert model["shutdown_date"] is None


def test_unknown_prices_and_retirements_are_absent() -> None:
    catalogue = ModelCatalogue(None, {"gemini-2.5-flash-image": "gemini-9-image"})
    model = build_model(catalogue.resolve(None))
    assert "pricing" not in model
    assert model["shutdown_date"] is None


@pytest.mark.parametrize(("edits", "inputs"), [(True, ["text", "image"]), (False, ["text"])])
def test_a_server_of_the_images_api_only_draws(edits: bool, inputs: list[str]) -> None:
    row = ImageModel("flux", "Flux", {}, "image/png", openai=OpenAIServer("http://127.0.0.1:1/v1", edits=edits))
    architecture = build_model(ServedModel("flux", "flux", "flux", row))["architecture"]
    assert (architecture["input_modalities"], architecture["output_modalities"]) == (inputs, ["image"])
