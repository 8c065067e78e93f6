"""The two documents and the merged one: valid, complete in themselves, and made of words that our tooling knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import spec
from proxy.pictures.store import NAME
from tests.spec.spec_validators import SCHEMA_PREFIX, validator

DOCUMENTS = {**{name: spec.load(name) for name in spec.NAMES}, "openapi": spec.openapi()}

# What may stand in a schema. A new word belongs here once every reader of the documents knows what it means.
SCHEMA_WORDS = {
    *("$ref", "type", "enum", "const", "anyOf", "oneOf", "not"),
    *("properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
    *("minLength", "maxLength", "pattern", "format", "minimum", "maximum"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
    *("description", "examples", "x-known-values", "x-may-refuse", "x-refused-examples", "x-source"),
}
FORMATS = {"binary", "date", "uri"}
SCHEMAS_BY_NAME = {"properties"}
SCHEMA_LISTS = {"anyOf", "oneOf"}
SCHEMAS = {"items", "not", "additionalProperties", "contentSchema"}

# What may stand around the schemas, by the kind of object.
WORDS = {
    "document": {"openapi", "info", "tags", "paths", "components", "x-sources"},
    "source": {"what", "from", "date"},
    "path": {"x-also-at", "get", "post"},
    "operation": {
        *("operationId", "tags", "summary", "description"),
        *("security", "parameters", "requestBody", "responses"),
    },
    "parameter": {"name", "in", "required", "description", "schema", "examples", "x-may-refuse", "$ref"},
    "body": {"required", "content"},
    "response": {"description", "headers", "content", "$ref"},
    "header": {"description", "required", "schema", "example", "$ref"},
    "media": {"schema"},
    "components": {"securitySchemes", "parameters", "schemas", "headers", "responses"},
}
STATUSES = ("200", "400", "401", "403", "404", "405", "408", "413", "415", "429", "500", "502", "503", "504", "4XX")

parametrize_documents = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def walk(value: Any, place: str = "#") -> Iterator[tuple[str, Any]]:
    """Every value of a document with its place."""
    yield place, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from walk(child, f"{place}/{name}")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in item.keys() & set(spec.METHODS):
            yield path, method, item[method]


def objects(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every object around the schemas, as its kind, its place and itself."""
    components = document["components"]
    yield "document", "#", document
    yield "components", "components", components
    for source in document["x-sources"]:
        yield "source", source["what"], source
    for path, item in document["paths"].items():
        yield "path", path, item
    responses = [(name, response) for name, response in components["responses"].items()]
    parameters = [(name, parameter) for name, parameter in components.get("parameters", {}).items()]
    for path, method, operation in operations(document):
        yield "operation", f"{method} {path}", operation
        responses += [(f"{method} {path} {status}", response) for status, response in operation["responses"].items()]
        parameters += [(f"{method} {path}", parameter) for parameter in operation.get("parameters", [])]
        if body := operation.get("requestBody"):
            yield "body", path, body
            yield from (("media", f"{path} {name}", media) for name, media in body["content"].items())
    for place, parameter in parameters:
        yield "parameter", place, parameter
    for place, response in responses:
        yield "response", place, response
        yield from (("media", f"{place} {name}", media) for name, media in response.get("content", {}).items())
        yield from (("header", f"{place} {name}", header) for name, header in response.get("headers", {}).items())
    for name, header in components["headers"].items():
        yield "header", name, header


def schemas(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every schema of a document, nested ones too."""
    found = list(document["components"]["schemas"].items())
    found += [
        (f"{place} {kind}", one["schema"])
        for kind, place, one in objects(document)
        if kind in ("media", "parameter", "header") and "schema" in one
    ]
    while found:
        place, schema = found.pop()
        yield place, schema
        if not isinstance(schema, dict):
            continue
        for word, value in schema.items():
            if word in SCHEMAS_BY_NAME:
                found += [(f"{place}/{name}", child) for name, child in value.items()]
            elif word in SCHEMA_LISTS:
                found += [(f"{place}/{word}/{index}", child) for index, child in enumerate(value)]
            elif word in SCHEMAS:
                found.append((f"{place}/{word}", value))


@parametrize_documents
def test_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@parametrize_documents
def test_every_reference_leads_somewhere(document):
    for place, value in walk(document):
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            try:
                assert spec.resolve({"$ref": value["$ref"]}, document)
            except KeyError:
                pytest.fail(f"{place}: nothing is at {value['$ref']}")


@parametrize_documents
def test_every_component_is_used(document):
    used = {value["$ref"] for _, value in walk(document) if isinstance(value, dict) and "$ref" in value}
    components = document["components"]
    known = {
        f"#/components/{kind}/{name}" for kind in components.keys() - {"securitySchemes"} for name in components[kind]
    }
    assert known - used == set()


@parametrize_documents
def test_schemas_are_made_of_known_words(document):
    for place, schema in schemas(document):
        assert isinstance(schema, dict), place
        assert schema.keys() <= SCHEMA_WORDS, f"{place}: {schema.keys() - SCHEMA_WORDS} is not known"
        assert schema.get("format", "uri") in FORMATS, place


@parametrize_documents
def test_everything_else_is_made_of_known_words(document):
    for kind, place, found in objects(document):
        assert found.keys() <= WORDS[kind], f"{kind} {place}: {found.keys() - WORDS[kind]} is not known"


@parametrize_documents
def test_examples_keep_to_their_schemas(document):
    for place, schema in schemas(document):
        for example in schema.get("examples", []):
            errors = [error.message for error in validator(document, schema).iter_errors(example)]
            assert errors == [], f"{place}: {example}"


@parametrize_documents
def test_required_properties_are_described(document):
    for place, schema in schemas(document):
        if "properties" in schema:
            assert set(schema.get("required", ())) <= schema["properties"].keys(), place


@parametrize_documents
def test_every_operation_tells_who_may_call_it_and_how_it_fails(document):
    names = []
    for path, method, operation in operations(document):
        names.append(operation["operationId"])
        assert set(operation["tags"]) <= {tag["name"] for tag in document["tags"]}
        assert operation["security"], f"{method} {path}"
        assert set(STATUSES) <= operation["responses"].keys(), f"{method} {path}"
        for status, response in operation["responses"].items():
            headers = spec.resolve(response, document)["headers"]
            assert "x-request-id" in headers, f"{method} {path} {status}"
            assert ("Allow" in headers) is (status == "405"), f"{method} {path} {status}"
    assert len(set(names)) == len(names)


@parametrize_documents
def test_sources_are_named_with_their_dates(document):
    assert document["x-sources"]
    for source in document["x-sources"]:
        assert source["what"]
        assert source["from"]
        assert len(source["date"].split("-")) == 3


def test_the_merged_document_has_every_address_of_both():
    expected = set()
    for name in spec.NAMES:
        for path, item in spec.load(name)["paths"].items():
            expected |= {path, *item["x-also-at"]}
    assert spec.openapi()["paths"].keys() == expected


def test_an_address_of_both_apis_answers_either():
    operation = spec.openapi()["paths"]["/v1/models"]["get"]
    assert operation["tags"] == ["openai", "gemini"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    check = validator(spec.openapi(), schema)
    openai_list = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "google"}]}
    assert check.is_valid(openai_list)
    assert check.is_valid({"models": [{"name": "models/m"}]})
    assert not check.is_valid({"object": "list", "models": "m"})


def test_components_that_differ_must_not_share_a_name():
    with pytest.raises(ValueError, match="Same"):
        spec.add_components({"Same": {"type": "string"}}, {"Same": {"type": "integer"}})


def test_merging_leaves_the_documents_as_they_are():
    spec.openapi()
    for name in spec.NAMES:
        assert spec.load(name) == json.loads((Path(spec.__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


REQUESTS = [
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat"}, True),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "n": None, "size": None, "google": None}, True),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "unknown": [1], "quality": "hd"}, True),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "image": "https://example.com/x.png"}, True),
    ("openai_images", "ImageGenerationRequest", {"prompt": "x" * 32000, "n": 10}, True),
    ("openai_images", "ImageGenerationRequest", {"prompt": "x" * 32001}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": ""}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": None}, False),
    ("openai_images", "ImageGenerationRequest", {"n": 1}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "n": 11}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "n": 0}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "n": "1"}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "n": True}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "output_format": "gif"}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "response_format": "png"}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "partial_images": 4}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "stream": "true"}, False),
    ("openai_images", "ImageGenerationRequest", {"prompt": "a cat", "resize": "stretch"}, False),
    ("openai_images", "ImageEditRequest", {"prompt": "a cat", "images": [{"image_url": "data:,"}]}, True),
    ("openai_images", "ImageEditRequest", {"prompt": "a cat", "images": []}, False),
    ("openai_images", "ImageEditRequest", {"prompt": "a cat", "images": [{"file_id": "file-1"}]}, False),
    ("openai_images", "ImageEditRequest", {"prompt": "a cat"}, False),
    ("openai_images", "ImageEditForm", {"prompt": "a cat", "image[]": ["..."], "n": 2, "size": ""}, True),
    ("openai_images", "ImageEditForm", {"prompt": "a cat", "image[0]": "...", "n": "", "stream": True}, True),
    ("openai_images", "ImageEditForm", {"prompt": "a cat"}, False),
    ("openai_images", "ImageVariationForm", {"image": "..."}, True),
    ("gemini_content", "GenerateContentRequest", {"contents": {"parts": {"text": "a cat"}}}, True),
    ("gemini_content", "GenerateContentRequest", {"contents": [{"parts": [{"inline_data": {"data": "_-"}}]}]}, True),
    ("gemini_content", "GenerateContentRequest", {"contents": [{}], "generation_config": {"top_k": "40"}}, True),
    ("gemini_content", "GenerateContentRequest", {"contents": [{}], "safetySettings": [{"category": 7}]}, True),
    ("gemini_content", "GenerateContentRequest", {"contents": [{}], "systemInstruction": None, "new": 1}, True),
    ("gemini_content", "GenerateContentRequest", {}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": None}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": []}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": "a cat"}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": [{"parts": [{"text": 1}]}]}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": [{"parts": [{"inline_data": "x"}]}]}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": [{}], "generationConfig": {"seed": True}}, False),
    ("gemini_content", "GenerateContentRequest", {"contents": [{}], "generation_config": []}, False),
    ("gemini_content", "CountTokensRequest", {"contents": [{"parts": [{"text": "a cat"}]}]}, True),
    ("gemini_content", "CountTokensRequest", {"generateContentRequest": {"contents": "a cat"}}, False),
]


@pytest.mark.parametrize(("name", "schema", "body", "accepted"), REQUESTS)
def test_requests_are_told_apart(name, schema, body, accepted):
    assert validator(spec.load(name), {"$ref": SCHEMA_PREFIX + schema}).is_valid(body) is accepted


@pytest.mark.parametrize(
    ("item", "accepted"),
    [
        ({"url": "https://example.com/x.png"}, True),
        ({"b64_json": "aGVsbG8=", "text": "here"}, True),
        ({"url": "https://example.com/x.png", "b64_json": "aGVsbG8="}, False),
        ({"text": "no picture"}, False),
    ],
)
def test_a_picture_is_answered_in_one_form(item, accepted):
    body = {"created": 1, "data": [item]}
    assert validator(spec.load("openai_images"), {"$ref": SCHEMA_PREFIX + "ImagesResponse"}).is_valid(body) is accepted


def test_an_empty_success_is_none():
    schema = {"$ref": SCHEMA_PREFIX + "ImagesResponse"}
    assert not validator(spec.load("openai_images"), schema).is_valid({"created": 1, "data": []})


def test_an_example_of_an_answer_has_an_address_as_the_store_makes_it() -> None:
    (example,) = DOCUMENTS["openai_images"]["components"]["schemas"]["ImagesResponse"]["examples"]
    assert NAME.fullmatch(example["data"][0]["url"].rpartition("/")[2])
