"""compat/image_models.py: models and their names."""

from __future__ import annotations

import time
from datetime import date
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
    Prices,
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
    "gpt-4o", "gemini-2.5-flash", f"{SERVED}-preview", SERVED.upper(), "google", "models/", "/", " ", "dall-e-4",
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


def test_openais_names_are_drawn_by_the_default_model_unless_they_are_turned_off() -> None:
    for name in OPENAI_IMAGE_MODELS:
        model = ModelCatalogue(built_in=["gemini-3-pro-image", SERVED]).resolve(f"models/{name}")
        assert (model.name, model.requested_name, model.is_openai_alias) == ("gemini-3-pro-image", name, True)
    error = error_of(ModelCatalogue({"openai": "", "dall-e-2": SERVED}).resolve, "gpt-image-1")
    assert "turned OpenAI's names off" in error.message
    assert f"MODEL_ALIASES=gpt-image-1={SERVED}" in error.message
    assert ModelCatalogue({"openai": "", "dall-e-2": SERVED}).resolve("dall-e-2").name == SERVED


def test_an_alias_wins_over_the_default_of_openais_names() -> None:
    both = ModelCatalogue({"dall-e-3": "gemini-3-pro-image", "openai": SERVED}, built_in=[SERVED, "gemini-3-pro-image"])
    assert both.resolve("dall-e-3").name == "gemini-3-pro-image"
    assert both.resolve("gpt-image-1").name == SERVED
    only_one = ModelCatalogue({"dall-e-3": "gemini-3-pro-image"}, built_in=[SERVED, "gemini-3-pro-image"])
    assert only_one.resolve("dall-e-3").name == "gemini-3-pro-image"
    assert only_one.resolve("gpt-image-1").name == SERVED


def test_built_in_models_are_served_by_their_own_names() -> None:
    catalogue = ModelCatalogue(built_in=[model.name for model in MODELS])
    assert [model.name for model in catalogue.models()] == [model.name for model in MODELS]
    assert catalogue.resolve("google/gemini-3-pro-image").upstream.prices == Prices(2, 12, 120)
    assert "SERVED_MODELS" in error_of(ModelCatalogue().resolve, "gemini-3-pro-image").message


def test_the_facts_of_the_rows() -> None:
    rows = {model.name: model for model in MODELS}
    newest, flash, lite = rows[SUCCESSOR], rows["gemini-3.1-flash-image"], rows["gemini-3.1-flash-lite-image"]
    assert (newest.prices, newest.input_tokens, newest.sampling) == (Prices(1.5, 7.5, 30), 131072, False)
    assert (len(newest.pixels), list(newest.tiers)) == (14, ["1K", "2K", "4K"])
    assert (flash.retires, flash.prices, flash.successor) == (None, Prices(0.5, 3, 60), SUCCESSOR)
    assert (list(lite.tiers), lite.prices, lite.output_tokens) == (["1K"], Prices(0.25, 1.5, 30), 4096)
    assert [row.name for row in MODELS if not row.sampling] == [SUCCESSOR]
    assert rows[SERVED].successor == SUCCESSOR
    assert rows[SERVED].has_ended(date(2026, 10, 2))
    assert not rows[SERVED].has_ended(date(2026, 10, 1))


def test_a_successor_draws_where_the_model_is_gone() -> None:
    catalogue = ModelCatalogue()
    assert catalogue.with_successors(()) is catalogue
    later = catalogue.with_successors({SERVED}).resolve("gpt-image-1")
    assert (later.name, later.requested_name, later.upstream_name) == (SERVED, "gpt-image-1", SUCCESSOR)
    assert later.upstream.tiers
    assert later.successor is None
    assert catalogue.resolve(SERVED).upstream_name == SERVED
    assert ModelCatalogue(None, {SERVED: SERVED}).resolve(SERVED).successor is None  # the operator has chosen


def test_one_model_can_be_meant_whatever_name_is_asked_for() -> None:
    catalogue = ModelCatalogue(built_in=[SERVED, SUCCESSOR]).with_only(SUCCESSOR)
    assert {catalogue.resolve(name).name for name in (None, SERVED, "nonsense")} == {SUCCESSOR}
    assert "'my-deployment'" in error_of(catalogue.with_only("my-deployment").resolve, SERVED).message


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
