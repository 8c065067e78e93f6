"""Hypothesis looks for a request that the documents allow and the service refuses, or the other way round."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

import spec
from compat.errors import ApiError
from compat.gemini_content.request import check_request
from compat.image_models import ModelCatalogue
from compat.openai_chat.messages import StoredPictures
from compat.openai_chat.request import parse_chat
from compat.openai_images.form import Form, FormPart
from compat.openai_images.request import parse_edit, parse_edit_form, parse_generation, parse_variation_form
from spec.derive.operations import DIALECTS, FIRST_MEMBERS, Dialect, text_of
from spec.derive.schemas import Schema, dereferenced, is_file, types_of
from tests.contract_fixtures.schema_strategies import allowed, forbidden
from tests.support.pictures import plain_png

OPENAI, CHAT, GEMINI = (spec.load(name) for name in spec.NAMES)
CATALOGUE = ModelCatalogue()
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a schema as large as Google's
SEARCH = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
PICTURE = plain_png(32, 32)

Check = Callable[[Any], Any]


def schema_of(document: spec.Document, name: str) -> Schema:
    found: Schema = dereferenced(document["components"]["schemas"][name], document)
    return found


JSON_REQUESTS: dict[str, tuple[Dialect, Schema, Check]] = {
    "a generation": (
        DIALECTS["openai_images"],
        schema_of(OPENAI, "ImageGenerationRequest"),
        lambda body: parse_generation(body, CATALOGUE, "url"),
    ),
    "an edit": (
        DIALECTS["openai_images"],
        schema_of(OPENAI, "ImageEditRequest"),
        lambda body: parse_edit(body, CATALOGUE),
    ),
    "a chat": (
        DIALECTS["openai_chat"],
        schema_of(CHAT, "ChatRequest"),
        lambda body: parse_chat(body, CATALOGUE, StoredPictures()),
    ),
    **{
        method: (DIALECTS["gemini_content"], schema_of(GEMINI, name), partial(check_request, method))
        for method, name in (
            ("generateContent", "GenerateContentRequest"),
            ("streamGenerateContent", "GenerateContentRequest"),
            ("countTokens", "CountTokensRequest"),
        )
    },
}
FORMS: dict[str, tuple[Schema, Callable[[Form], Any]]] = {
    "an edit": (schema_of(OPENAI, "ImageEditForm"), lambda form: parse_edit_form(form, CATALOGUE)),
    "a variation": (
        schema_of(OPENAI, "ImageVariationForm"),
        lambda form: parse_variation_form(form, CATALOGUE, "url"),
    ),
}


@pytest.mark.parametrize("name", JSON_REQUESTS)
def test_what_the_document_allows_is_accepted(name: str) -> None:
    _, schema, check = JSON_REQUESTS[name]

    @SEARCH
    @given(allowed(schema))
    def search(body: dict[str, Any]) -> None:
        check(with_companions(body))

    search()


def with_companions(body: dict[str, Any]) -> dict[str, Any]:
    """The body with the size that `resize` needs, and with the user that a chat needs."""
    first = {name: [FIRST_MEMBERS[name], *body[name]] for name in FIRST_MEMBERS.keys() & body.keys()}
    return {**body, **first, **({"size": "1024x1024"} if body.get("resize") else {})}


@pytest.mark.parametrize("name", JSON_REQUESTS)
def test_what_may_be_refused_is_refused_by_name(name: str) -> None:
    _, schema, check = JSON_REQUESTS[name]

    @SEARCH
    @given(allowed(schema, inventive=True))
    def search(body: dict[str, Any]) -> None:
        if error := refusal(check, body):
            assert error.param is not None, error
            assert may_be_refused(schema, error.param), error

    search()


def refusal(check: Check, body: Any) -> ApiError | None:
    """The error that a body is refused with, if it is."""
    try:
        check(body)
    except ApiError as error:
        return error
    return None


def may_be_refused(schema: Schema, param: str) -> bool:
    """Whether the document says that the field may be refused, or something in it."""
    root = schema["properties"].get(param.partition(".")[0].partition("[")[0], {})
    return "x-may-refuse" in json.dumps(root)


def has_member_twice(body: Any) -> bool:
    """Whether a member of `extra_body` stands at the top, too, which counts alone."""
    extra = body.get("extra_body") if isinstance(body, dict) else None
    return isinstance(extra, dict) and not extra.keys().isdisjoint(body)


@pytest.mark.parametrize("name", JSON_REQUESTS)
def test_what_the_document_forbids_is_refused_at_its_place(name: str) -> None:
    dialect, schema, check = JSON_REQUESTS[name]

    @SEARCH
    @given(forbidden(schema))
    def search(body: Any) -> None:
        assume(not has_member_twice(body))
        with pytest.raises(ApiError) as caught:
            check(body)
        params = [path for path, _ in caught.value.violations] or [caught.value.param]
        allowed = {place and place.removeprefix("extra_body.") for place in places(dialect, schema, body)}
        # An object in place of a text is read further than the document says, and what is wrong can be within it.
        assert all(path in allowed or is_within(path, allowed) for path in (one or None for one in params)), (
            caught.value
        )

    search()


def is_within(path: str | None, places: set[str | None]) -> bool:
    return path is not None and any(place and path.startswith(f"{place}.") for place in places)


def places(dialect: Dialect, schema: Schema, body: Any) -> Iterator[str | None]:
    """Every place at which a body breaks the schema, in one of the alternatives or in all of them."""
    pending = list(Draft202012Validator(schema).iter_errors(body))
    while pending:
        error = pending.pop()
        yield dialect.param(tuple(error.absolute_path))
        yield from (dialect.param((*error.absolute_path, name)) for name in missing(error))
        pending += error.context or []


def missing(error: ValidationError) -> list[str]:
    """The members that are required and absent."""
    if error.validator != "required" or not isinstance(error.instance, dict):
        return []
    return [name for name in error.validator_value if name not in error.instance]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_the_document_allows_is_accepted(name: str) -> None:
    schema, check = FORMS[name]

    @SEARCH
    @given(good_form(schema))
    def search(parts: dict[str, Any]) -> None:
        check(as_form(with_companions({"image": PICTURE, **parts})))

    search()


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_the_document_forbids_is_refused_at_its_place(name: str) -> None:
    schema, check = FORMS[name]
    checked = {one: inner for one, inner in schema["properties"].items() if can_be_wrong(inner)}

    @SEARCH
    @given(good_form(schema), st.sampled_from(sorted(checked)), st.data())
    def search(parts: dict[str, Any], field: str, data: st.DataObject) -> None:
        bad = data.draw(forbidden(checked[field]).filter(lambda value: is_wrong_as_text(checked[field], value)))
        with pytest.raises(ApiError) as caught:
            check(as_form({"image": PICTURE, **parts, "size": "1024x1024", field: bad}))
        assert caught.value.param == field, caught.value

    search()


def can_be_wrong(schema: Schema) -> bool:
    """Whether a part may be wrong as a text: a number, a boolean or one of an enum."""
    return "enum" in schema or ("anyOf" in schema and bool({"integer", "boolean", "number"} & types_of(schema)))


def is_wrong_as_text(schema: Schema, value: Any) -> bool:
    """Whether the schema allows the value in none of its readings: in a form 7 is the same as "7"."""
    if not isinstance(value, str | int | float):
        return False
    text = text_of(value)
    readings: list[Any] = [text, text.lower()]
    for read in (int, float):
        try:
            readings.append(read(text))
        except ValueError:
            continue
    return text != "" and not any(Draft202012Validator(schema).is_valid(reading) for reading in readings)


def good_form(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """The texts of good forms, without the fields of which some allowed values are refused."""
    parts = {
        name: allowed(inner).filter(lambda value: value is not None)
        for name, inner in schema["properties"].items()
        if inner.keys() & {"anyOf", "enum", "type"} and not is_file(inner) and name not in ("image[]", "google")
    }
    required = {name: parts.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=parts)


def as_form(parts: dict[str, Any]) -> Form:
    return Form(
        tuple(
            FormPart(name, value, is_file=True)
            if isinstance(value, bytes)
            else FormPart(name, text_of(value).encode("utf-8", "surrogatepass"))
            for name, value in parts.items()
        )
    )
