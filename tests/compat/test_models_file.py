"""compat/models_file.py: an operator's rows, and the messages about wrong ones."""

from __future__ import annotations

import re
from datetime import date

import pytest

from compat.image_models import PIXELS_2_5, SERVED_BY_DEFAULT, Api, ModelCatalogue, OpenAIServer, Prices
from compat.models_file import ModelsFile, ModelsFileError, read_models_file

SHORTEST = """
[[model]]
name = "own"
upstream = "openai"
base_url = "http://10.0.0.5:8080/v1"
pixels = { "1:1" = "1024x1024" }
"""
GONE = """
[[model]]
name = "gone"
upstream = "gemini"
base_url = "http://10.0.0.6"
successor = "own"
sampling = false
key = "none"
pixels = { "1:1" = "1024x1024" }
"""
WHOLE = """
only = true

[[model]]
name = "google/own-painter"
aliases = ["gpt-image-1", "painter"]
title = "The painter"
owner = "our company"
upstream = "openai"
base_url = "http://10.0.0.5:8080/v1/"
upstream_name = "flux-1-schnell"
key = "env:PAINTER_KEY"
pixels = { "1:1" = "1024x1024", "16:9" = "1344x768" }
tiers = { 2K = { "1:1" = "2048x2048" } }
output_format = "webp"
prices = { input = 0, text_output = 0.5, image_output = 30 }
input_tokens = 4096
output_tokens = 2048
max_input_images = 1
retires = 2027-01-31
draws_drafts = false
edits = false
most_pictures = 4
response_format = false
urls = true
image_urls = true
streams = true
fields = ["seed"]

[[model]]
name = "mirror"
upstream = "gemini"
base_url = "https://gemini.example"
upstream_name = "gemini-3-pro-image"
pixels = "gemini-2.5-flash-image"
key = "none"
"""


def test_a_row_needs_four_columns():
    [row] = read_models_file(SHORTEST).rows
    assert (row.name, row.title, row.api, row.key) == ("own", "own", Api.OPENAI, "caller")
    assert row.openai == OpenAIServer("http://10.0.0.5:8080/v1")
    assert row.prices is None
    assert row.output_mime_type == "image/png"


def test_every_column_is_read():
    file = read_models_file(WHOLE)
    painter, mirror = file.rows
    assert file.only
    assert (painter.name, painter.aliases, painter.upstream_name) == (
        "own-painter",
        ("gpt-image-1", "painter"),
        "flux-1-schnell",
    )
    assert painter.openai == OpenAIServer(
        "http://10.0.0.5:8080/v1",
        edits=False,
        most_pictures=4,
        response_format=False,
        urls=True,
        image_urls=True,
        streams=True,
        fields=frozenset({"seed"}),
    )
    assert painter.key == "env:PAINTER_KEY"
    assert painter.pixels == {"1:1": (1024, 1024), "16:9": (1344, 768)}
    assert painter.tiers == {"2K": {"1:1": (2048, 2048)}}
    assert painter.output_mime_type == "image/webp"
    assert painter.prices == Prices(0, 0.5, 30)
    assert (painter.input_tokens, painter.output_tokens, painter.max_input_images) == (4096, 2048, 1)
    assert painter.retires == date(2027, 1, 31)
    assert (painter.title, painter.owner) == ("The painter", "our company")
    assert (mirror.api, mirror.base_url, mirror.key) == (Api.GEMINI, "https://gemini.example", "none")
    assert mirror.pixels == PIXELS_2_5


@pytest.mark.parametrize(
    ("line", "instead", "text"),
    [
        ('name = "own"', "", "row 1: Missing required parameter: 'name'"),
        ('name = "own"', 'name = "a:b"', "row 1 (a:b): 'name' is 'a:b'"),
        ('name = "own"', 'name = "own"\ncolour = "red"', "row 1 (own): colour: Unknown field."),
        ('"openai"', '"azure"', "row 1 (own): upstream: Invalid value: 'azure'"),
        ('base_url = "http://10.0.0.5:8080/v1"', "", "'base_url'"),
        ("http://10.0.0.5:8080/v1", "10.0.0.5:8080", "'base_url' is '10.0.0.5:8080'"),
        ("http://10.0.0.5:8080/v1", "http://10.0.0.5/v1?key=x", "'base_url'"),
        ("1024x1024", "1024", "'pixels' has '1:1' = '1024'"),
        ('"1:1" =', '"square" =', "'pixels' has 'square'"),
        ('{ "1:1" = "1024x1024" }', "{}", "'pixels' must be a table"),
        ('{ "1:1" = "1024x1024" }', '"gemini-9"', "built-in models are"),
        ('{ "1:1" = "1024x1024" }', '"gemini-2.5-flash-image"\nkey = "sk-123"', "'key' must be"),
        ('{ "1:1" = "1024x1024" }', '"gemini-2.5-flash-image"\nretires = "2027-01-31"', "'retires' must be a date"),
        ('{ "1:1" = "1024x1024" }', '"gemini-2.5-flash-image"\nmost_pictures = 99', "most_pictures"),
        ('{ "1:1" = "1024x1024" }', '"gemini-2.5-flash-image"\nprices = { input = 1 }', "prices.text_output"),
        ('{ "1:1" = "1024x1024" }', '"gemini-2.5-flash-image"\ntiers = { 2K = "x" }', "'tiers'"),
        ('upstream = "openai"', 'upstream = "gemini"\nedits = true', "'edits' is a column for upstream"),
        ("/v1", "/v1/images/generations", 'write base_url = "http://10.0.0.5:8080/v1"'),
        ("/v1", "/v1/models/", 'write base_url = "http://10.0.0.5:8080/v1"'),
        ('upstream = "openai"', 'upstream = "gemini"', 'write base_url = "http://10.0.0.5:8080"'),
        (
            'upstream = "openai"',
            'upstream = "openai"\nsampling = false',
            "'sampling' is a column for upstream = \"gemini\"",
        ),
        ('upstream = "openai"', 'upstream = "openai"\nsuccessor = "x"', "'successor' is a column for upstream"),
        ("[[model]]", GONE + "[[model]]", "the successor of gone is own, whose server speaks OpenAI's API"),
        ("[[model]]", "[model]", "the file: Invalid type for 'model'"),
        ("[[model]]", "only = 1\n[[model]]", "the file: Invalid type for 'only'"),
        ("[[model]]", "[[models]]", "the file:"),
        ("[[model]]", "[[model", "it is not TOML"),
        ("[[model]]", SHORTEST + "[[model]]", "the name own is used twice"),
    ],
)
def test_the_message_about_a_wrong_file_names_row_and_column(line: str, instead: str, text: str):
    with pytest.raises(ModelsFileError) as caught:
        read_models_file(SHORTEST.replace(line, instead))
    assert text in str(caught.value)
    assert "sk-123" not in str(caught.value)


# In the catalogue


def names_of(file: ModelsFile, **renamed: dict[str, str]) -> dict[str, str]:
    """The served models, each with its upstream model."""
    built_in = () if file.only else (SERVED_BY_DEFAULT,)
    catalogue = ModelCatalogue(own=file.rows, built_in=built_in, **renamed)
    return {model.name: model.upstream_name for model in catalogue.models()}


def test_own_rows_are_served_beside_the_built_in_model_or_instead_of_it():
    assert names_of(read_models_file(SHORTEST)) == {
        "gemini-2.5-flash-image": "gemini-2.5-flash-image",
        "own": "own",
    }
    assert names_of(read_models_file(WHOLE)) == {"own-painter": "flux-1-schnell", "mirror": "gemini-3-pro-image"}


def test_a_successor_is_asked_at_the_same_server_with_the_same_key():
    file = read_models_file(GONE.replace('"own"', '"gemini-nano-banana-2.1"'))
    model = ModelCatalogue(own=file.rows).resolve("gone")
    assert (model.upstream.sampling, model.upstream_name) == (False, "gone")
    later = model.succeeded()
    assert (later.name, later.upstream_name, later.upstream.prices) == (
        "gone",
        "gemini-nano-banana-2.1",
        Prices(1.5, 7.5, 30),
    )
    assert (later.upstream.base_url, later.upstream.key, later.successor) == ("http://10.0.0.6", "none", None)
    unknown = read_models_file(GONE.replace('"own"', '"gemini-9"'))
    assert ModelCatalogue(own=unknown.rows).resolve("gone").succeeded().upstream_name == "gemini-9"


def test_a_row_of_a_name_of_openais_is_the_operators():
    file = read_models_file(SHORTEST.replace('"own"', '"gpt-image-1"'))
    for aliases in (
        None,
        {"openai": ""},
        {"openai": "gemini-2.5-flash-image", "gpt-image-1": "gemini-2.5-flash-image"},
    ):
        model = ModelCatalogue(aliases, own=file.rows).resolve("gpt-image-1")
        assert (model.name, model.upstream.api) == ("gpt-image-1", Api.OPENAI)


def test_a_row_with_the_built_in_models_name_replaces_it():
    file = read_models_file(SHORTEST.replace('"own"', '"gemini-2.5-flash-image"'))
    [model] = ModelCatalogue(own=file.rows).models()
    assert model.upstream.api is Api.OPENAI


def test_one_setting_moves_a_model_to_another_server():
    moved = names_of(
        read_models_file(WHOLE.replace("only = true", "")), upstream_models={"gemini-2.5-flash-image": "own-painter"}
    )
    assert moved["gemini-2.5-flash-image"] == "flux-1-schnell"


def test_aliases_of_a_row_can_be_used_like_its_name():
    catalogue = ModelCatalogue({"nice": "painter"}, own=read_models_file(WHOLE).rows)
    assert {catalogue.resolve(name).name for name in ("painter", "gpt-image-1", "models/own-painter", "nice")} == {
        "own-painter"
    }


COSTS = "prices = { input = 0, text_output = 0, image_output = 30 }"


def test_what_a_picture_costs():
    row = read_models_file(f"{SHORTEST}{COSTS}\nimage_tokens = 1290").rows[0]
    assert [row.tokens_of_picture(size) for size in (None, "4K")] == [1290, 1290]
    row = read_models_file(f"{SHORTEST}{COSTS}\nimage_tokens = {{ 1K = 1120, 2K = 1680 }}").rows[0]
    assert [row.tokens_of_picture(size) for size in (None, "1K", "2K", "8K")] == [1120, 1120, 1680, 1680]
    assert read_models_file(SHORTEST).rows[0].tokens_of_picture("1K") is None
    assert read_models_file(f"{SHORTEST}price_per_picture = 0.02").rows[0].price_per_picture == 0.02


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("image_tokens = 1290", "'image_tokens' counts together with 'prices' only"),
        (f"{COSTS}\nimage_tokens = 0", "'image_tokens' must be a number"),
        (f"{COSTS}\nimage_tokens = {{}}", "'image_tokens' must be a number"),
        (f"{COSTS}\nimage_tokens = true", "'image_tokens' must be a number"),
        (f"{COSTS}\nprice_per_picture = 0.02", "either 'prices' or 'price_per_picture'"),
        ("price_per_picture = -1", "price_per_picture"),
    ],
)
def test_a_cost_that_cannot_be_is_refused(columns: str, words: str):
    with pytest.raises(ModelsFileError, match=re.escape(words)):
        read_models_file(SHORTEST + columns)
