"""compat/image_models.py: models and their names."""

from __future__ import annotations

import time
from math import log

import pytest

from compat.errors import ErrorKind
from compat.image_models import (
    MODELS,
    OPENAI_IMAGE_MODELS,
    PIXELS_2_5,
    PIXELS_3_1,
    SERVED_BY_DEFAULT,
    SUCCESSOR,
    ImageModel,
    ModelCatalogue,
    bare_name,
)
from tests.compat.errors import error_of

SERVED = "gemini-2.5-flash-image"
SPELLINGS = [
    SERVED,
    f"google/{SERVED}",
    f"models/{SERVED}",
    f"models/google/{SERVED}",
    f"google/models/{SERVED}",
    f"publishers/google/models/{SERVED}",
    f"/{SERVED}/",
]
NOT_SERVED = [
    "gpt-4o", "gemini-2.5-flash", f"{SERVED}-preview", SERVED.upper(), "google", "models/", "/", " ", "dall-e-3",
]  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_model_is_found_in_every_spelling(name: str) -> None:
    model = ModelCatalogue().resolve(name)
    assert (model.name, model.requested_name, model.upstream_name) == (SERVED, SERVED, SERVED)


@pytest.mark.parametrize("name", [None, ""])
def test_without_a_name_it_is_the_first_model(name: str | None) -> None:
    assert ModelCatalogue().resolve(name).name == SERVED


@pytest.mark.parametrize("name", NOT_SERVED)
def test_the_error_about_an_unknown_name_lists_the_served_models(name: str) -> None:
    error = error_of(ModelCatalogue({"our-model": SERVED}).resolve, name)
    assert (error.kind, error.param) == (ErrorKind.MODEL_NOT_FOUND, "model")
    assert name in error.message
    assert f"{SERVED}, our-model" in error.message


def test_an_alias_is_resolved_to_its_model() -> None:
    catalogue = ModelCatalogue({"dall-e-3": f"google/{SERVED}", "our-model": SERVED})
    for name in ("dall-e-3", "google/dall-e-3", "models/dall-e-3"):
        model = catalogue.resolve(name)
        assert (model.name, model.requested_name, model.is_openai_alias) == (SERVED, "dall-e-3", True)
    assert catalogue.resolve("our-model").is_openai_alias is False
    assert catalogue.resolve(SERVED).is_openai_alias is False


def test_an_alias_may_have_a_prefix() -> None:
    assert ModelCatalogue({"google/our-model": SERVED}).resolve("google/our-model").name == SERVED


def test_openai_stands_for_all_of_openais_image_models() -> None:
    catalogue = ModelCatalogue({"openai": SERVED})
    assert {catalogue.resolve(name).name for name in OPENAI_IMAGE_MODELS} == {SERVED}
    assert {"dall-e-3", "gpt-image-1", "gpt-image-2.5-flare", "chatgpt-image-latest"} <= set(OPENAI_IMAGE_MODELS)


def test_an_alias_is_not_listed_as_a_model() -> None:
    assert [model.name for model in ModelCatalogue({"openai": SERVED}).models()] == [SERVED]


def test_the_row_of_the_upstream_model_is_used() -> None:
    model = ModelCatalogue({"dall-e-3": SERVED}, {SERVED: SUCCESSOR}).resolve("dall-e-3")
    assert (model.name, model.upstream_name) == (SERVED, SUCCESSOR)
    assert model.upstream.pixels == PIXELS_3_1
    assert set(model.upstream.tiers) == {"1K", "2K", "4K"}


def test_an_upstream_model_without_a_row_has_the_public_ratios() -> None:
    model = ModelCatalogue(None, {SERVED: "gemini-9-image"}).resolve(SERVED)
    assert model.upstream_name == "gemini-9-image"
    assert (model.upstream.pixels, model.upstream.tiers, model.upstream.prices) == (PIXELS_2_5, {}, None)
    assert model.upstream.retires is None


def test_an_upstream_name_may_have_a_prefix() -> None:
    model = ModelCatalogue(None, {f"models/{SERVED}": f"models/{SUCCESSOR}"}).resolve(SERVED)
    assert model.upstream_name == SUCCESSOR
    assert model.upstream.pixels == PIXELS_3_1


@pytest.mark.parametrize(
    ("aliases", "upstreams"), [({"x": "gpt-4o"}, {}), ({}, {"gpt-4o": SUCCESSOR}), ({}, {SUCCESSOR: SERVED})]
)
def test_settings_with_an_unknown_model_are_refused(aliases: dict[str, str], upstreams: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"not served; served are {SERVED}"):
        ModelCatalogue(aliases, upstreams)


def test_a_very_long_name_is_fast() -> None:
    name = "google/" * 300_000 + SERVED
    start = time.process_time()
    bare_name(name)
    assert time.process_time() - start < 1


def test_the_default_and_the_successor_have_rows() -> None:
    assert {SERVED_BY_DEFAULT, SUCCESSOR} <= {model.name for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_pixels_of_a_row_have_the_shape_of_their_ratio(model: ImageModel) -> None:
    for tier, pixels in {"": model.pixels, **model.tiers}.items():
        for ratio, (width, height) in pixels.items():
            wide, high = map(int, ratio.split(":"))
            if (tier, ratio) != ("512", "21:9"):  # documented as 792x168
                assert abs(log(width / height * high / wide)) < 0.06
            assert width % 8 == height % 8 == 0


@pytest.mark.parametrize("model", [model for model in MODELS if model.tiers], ids=lambda model: model.name)
def test_tiers_have_the_ratios_of_their_model_in_ascending_order(model: ImageModel) -> None:
    areas = [width * height for width, height in (pixels["1:1"] for pixels in model.tiers.values())]
    assert areas == sorted(areas)
    assert all(set(pixels) == set(model.pixels) for pixels in model.tiers.values())
    assert model.tiers["1K"] == model.pixels
