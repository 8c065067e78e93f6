"""The documents and the merged one are valid, complete, and written in keywords that our tools know."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import spec
from proxy.pictures.store import NAME
from tests.spec.spec_validators import SCHEMA_PREFIX, validator

DOCUMENTS = {**{name: spec.load(name) for name in spec.NAMES}, "openapi": spec.openapi()}

# The keywords of schemas. A new one is added here once everything that reads the documents knows it.
SCHEMA_KEYWORDS = {
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

# The keywords of other objects, by kind.
KEYWORDS = {
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
    """Every object that is no schema: its kind, its place, and the object."""
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
    """Every schema of a document, nested ones too, with its place."""
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
        for keyword, value in schema.items():
            if keyword in SCHEMAS_BY_NAME:
                found += [(f"{place}/{name}", child) for name, child in value.items()]
            elif keyword in SCHEMA_LISTS:
                found += [(f"{place}/{keyword}/{index}", child) for index, child in enumerate(value)]
            elif keyword in SCHEMAS:
                found.append((f"{place}/{keyword}", value))


@parametrize_documents
def test_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@parametrize_documents
def test_every_reference_resolves(document):
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
def test_schemas_have_known_keywords_only(document):
    for place, schema in schemas(document):
        assert isinstance(schema, dict), place
        assert schema.keys() <= SCHEMA_KEYWORDS, f"{place}: {schema.keys() - SCHEMA_KEYWORDS} is not known"
        assert schema.get("format", "uri") in FORMATS, place


@parametrize_documents
def test_other_objects_have_known_keywords_only(document):
    for kind, place, found in objects(document):
        assert found.keys() <= KEYWORDS[kind], f"{kind} {place}: {found.keys() - KEYWORDS[kind]} is not known"


@parametrize_documents
def test_examples_are_valid(document):
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
def test_every_operation_has_its_security_and_its_error_responses(document):
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


def test_the_merged_document_has_every_path_of_all():
    expected = set()
    for name in spec.NAMES:
        for path, item in spec.load(name)["paths"].items():
            expected |= {path, *item["x-also-at"]}
    assert spec.openapi()["paths"].keys() == expected


def test_a_path_of_both_apis_has_the_answers_of_both():
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


def test_a_document_has_what_it_takes_from_another_and_no_more():
    images, chat = spec.load("openai_images")["components"], spec.load("openai_chat")["components"]
    for kind in ("schemas", "headers", "responses"):
        shared = images[kind].keys() & chat[kind].keys()
        assert {name: chat[kind][name] for name in shared} == {name: images[kind][name] for name in shared}
    assert "OpenAIErrorResponse" in chat["schemas"]  # only a response refers to it
    assert "ImagesResponse" not in chat["schemas"]


def test_merging_does_not_change_the_documents():
    before = {name: deepcopy(spec.load(name)) for name in spec.NAMES}
    spec.openapi.cache_clear()
    spec.openapi()
    assert {name: spec.load(name) for name in spec.NAMES} == before


@pytest.mark.parametrize(
    ("item", "accepted"),
    [
        ({"url": "https://example.com/x.png"}, True),
        ({"b64_json": "aGVsbG8=", "text": "here"}, True),
        ({"url": "https://example.com/x.png", "b64_json": "aGVsbG8="}, False),
        ({"text": "no image"}, False),
        (None, False),
    ],
)
def test_an_answer_has_an_image_in_one_form(item, accepted):
    body = {"created": 1, "data": [item] if item else []}
    assert validator(spec.load("openai_images"), {"$ref": SCHEMA_PREFIX + "ImagesResponse"}).is_valid(body) is accepted


def test_the_example_of_an_answer_has_a_url_as_the_store_makes_it() -> None:
    (example,) = DOCUMENTS["openai_images"]["components"]["schemas"]["ImagesResponse"]["examples"]
    assert NAME.fullmatch(example["data"][0]["url"].rpartition("/")[2])
