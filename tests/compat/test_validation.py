"""compat/validation.py: JSON types checked, and problems in OpenAI's words."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.validation import (
    Array,
    Boolean,
    Choice,
    Integer,
    JsonField,
    Number,
    Object,
    String,
    api_error,
    check_choice,
    problems,
    type_name,
)
from tests.compat.errors import error_of


def load(field: JsonField, value: Any) -> Any:
    """The value as a schema with one field reads it. Raises ApiError."""
    schema = Schema.from_dict({"it": field})
    try:
        return schema().load({"it": value})["it"]
    except ValidationError as error:
        raise api_error(error) from None


ACCEPTED: list[tuple[JsonField, Any, Any]] = [
    (String(), "", ""),
    (String(not_empty=True, max_length=2), "ab", "ab"),
    (String(max_length=2), "🖼🖼", "🖼🖼"),
    (Choice("url", "b64_json"), "url", "url"),
    (Integer(minimum=1, maximum=10), 1, 1),
    (Integer(minimum=1, maximum=10), 10.0, 10),
    (Number(minimum=0, maximum=2), 2, 2.0),
    (Number(), -0.5, -0.5),
    (Boolean(), False, False),
    (Object(), {"a": 1}, {"a": 1}),
    (Object({"a": String()}), {"a": "x", "b": 1}, {"a": "x", "b": 1}),
    (Object({"a": String()}), {}, {}),
    (Array(Integer()), [1, 2.0], [1, 2]),
    (Array(String(), or_single=True), "x", ["x"]),
    *(
        (field, None, None)
        for field in (String(), Choice("a"), Integer(), Number(), Boolean(), Object(), Array(String()))
    ),
]


@pytest.mark.parametrize(("field", "value", "read"), ACCEPTED)
def test_a_valid_value_is_read(field: JsonField, value: Any, read: Any) -> None:
    result = load(field, value)
    assert (result, type(result)) == (read, type(read))


REFUSED: list[tuple[JsonField, Any, ErrorKind, str, str]] = [
    (String(), 1, ErrorKind.INVALID_TYPE, "it", "expected a string, but got an integer instead."),
    (String(required=True), None, ErrorKind.MISSING_PARAMETER, "it", "Missing required parameter: 'it'."),
    (String(max_length=2), "abc", ErrorKind.STRING_TOO_LONG, "it", "maximum length 2, but got a string with length 3"),
    (String(not_empty=True), "", ErrorKind.STRING_EMPTY, "it", "at least one character"),
    (Choice("a", "b"), "c", ErrorKind.INVALID_VALUE, "it", "Invalid value: 'c'. Supported values are: 'a', 'b'."),
    (Choice("a", "b"), "{param}{0}%s", ErrorKind.INVALID_VALUE, "it", "{0}%s"),
    (Choice("a"), ["a"], ErrorKind.INVALID_TYPE, "it", "expected a string, but got an array instead."),
    (Integer(), "1", ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a string instead."),
    (Integer(), 1.5, ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a decimal number instead."),
    (Integer(), True, ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a boolean instead."),
    (Integer(), float("nan"), ErrorKind.INVALID_TYPE, "it", "expected an integer"),
    (Integer(), float("inf"), ErrorKind.INVALID_TYPE, "it", "expected an integer"),
    (Integer(maximum=10), 11, ErrorKind.NUMBER_TOO_LARGE, "it", "Expected a value <= 10, but got 11 instead."),
    (Integer(maximum=10), 10**4000, ErrorKind.NUMBER_TOO_LARGE, "it", "integer above maximum value"),
    (Integer(minimum=1), 0, ErrorKind.NUMBER_TOO_SMALL, "it", "Expected a value >= 1, but got 0 instead."),
    (Number(), "1", ErrorKind.INVALID_TYPE, "it", "expected a number, but got a string instead."),
    (Number(maximum=2), 2.1, ErrorKind.NUMBER_TOO_LARGE, "it", "Expected a value <= 2, but got 2.1 instead."),
    (Boolean(), "true", ErrorKind.INVALID_TYPE, "it", "expected a boolean, but got a string instead."),
    (Boolean(), 1, ErrorKind.INVALID_TYPE, "it", "expected a boolean, but got an integer instead."),
    (Object(), [], ErrorKind.INVALID_TYPE, "it", "expected an object, but got an array instead."),
    (Object({"a": String()}), {"a": 1}, ErrorKind.INVALID_TYPE, "it.a", "Invalid type for 'it.a'"),
    (Object({"a": String(required=True)}), {}, ErrorKind.MISSING_PARAMETER, "it.a", "'it.a'"),
    (Array(String()), {}, ErrorKind.INVALID_TYPE, "it", "expected an array, but got an object instead."),
    (Array(String()), ["a", 1], ErrorKind.INVALID_TYPE, "it[1]", "Invalid type for 'it[1]'"),
    (Array(Object({"a": Boolean()})), [{}, {"a": 1}], ErrorKind.INVALID_TYPE, "it[1].a", "'it[1].a'"),
    (
        Array(String(), max_length=1),
        ["a", "b"],
        ErrorKind.ARRAY_TOO_LONG,
        "it",
        "maximum length 1, but got",
    ),
    (Array(String(), min_length=1), [], ErrorKind.ARRAY_TOO_SHORT, "it", "minimum length 1, but got"),
    (Array(String(), or_single=True), 1, ErrorKind.INVALID_TYPE, "it", "expected a string"),
]


@pytest.mark.parametrize(("field", "value", "kind", "param", "text"), REFUSED)
def test_an_invalid_value_is_refused_with_its_path(
    field: JsonField, value: Any, kind: ErrorKind, param: str, text: str
) -> None:
    error = error_of(load, field, value)
    assert (error.kind, error.param) == (kind, param)
    assert text in error.message


def test_a_choice_is_checked_outside_of_a_schema() -> None:
    assert check_choice("1:1", {"1:1": 1, "4:3": 2}, "aspect_ratio") == "1:1"
    with pytest.raises(ApiError, match=r"Invalid value: '7:7'. Supported values are: '1:1', '4:3'.") as caught:
        check_choice("7:7", {"1:1": 1, "4:3": 2}, "aspect_ratio")
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_VALUE, "aspect_ratio")
    error = error_of(check_choice, "7" * 10_000, (), "aspect_ratio")
    assert len(error.message) < 300


def test_a_required_field_that_is_absent_is_missing() -> None:
    with pytest.raises(ValidationError) as caught:
        Schema.from_dict({"it": String(required=True)})().load({})
    error = api_error(caught.value)
    assert (error.kind, error.param) == (ErrorKind.MISSING_PARAMETER, "it")
    assert error.message == "Missing required parameter: 'it'."


def test_every_problem_has_its_path() -> None:
    schema = Schema.from_dict({"a": String(), "b": Array(Object({"c": String(), "d": Boolean()}))})
    messages = schema().validate({"a": 1, "b": [{"c": 1, "d": 1}, 2]})
    paths = [path for path, _ in problems(ValidationError(messages))]
    assert paths == ["a", "b[0].c", "b[0].d", "b[1]"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a decimal number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_type_names(value: Any, name: str) -> None:
    assert type_name(value) == name


@pytest.mark.parametrize(
    ("field", "text", "read"),
    [
        (Integer(), "2", 2),
        (Integer(), "-2", -2),
        (Integer(), "2.0", 2),
        (Integer(), "two", None),
        (Integer(), "٢", None),
        (Integer(), "9" * 5000, None),
        (Number(), "0.5", 0.5),
        (Number(), "half", None),
        (Boolean(), "true", True),
        (Boolean(), "True", True),
        (Boolean(), "1", True),
        (Boolean(), "false", False),
        (Boolean(), "0", False),
        (Boolean(), "yes", None),
    ],
)
def test_a_forms_text_is_converted(field: Integer | Boolean, text: str, read: Any) -> None:
    assert field.from_text(text) is read or field.from_text(text) == read
