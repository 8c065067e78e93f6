"""compat/validation.py: JSON types checked, and complaints in OpenAI's words."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.validation import (
    Anything,
    Choice,
    Flag,
    Integer,
    JsonField,
    Listed,
    Mapped,
    Number,
    Text,
    complaints,
    refuse,
    type_name,
)


def load(field: JsonField, value: Any) -> Any:
    """The value as a schema with one field reads it. Raises ApiError."""
    schema = Schema.from_dict({"it": field})
    try:
        return schema().load({"it": value})["it"]
    except ValidationError as error:
        raise refuse(error) from None


ACCEPTED: list[tuple[JsonField, Any, Any]] = [
    (Text(), "", ""),
    (Text(filled=True, longest=2), "ab", "ab"),
    (Text(longest=2), "🖼🖼", "🖼🖼"),
    (Choice("url", "b64_json"), "url", "url"),
    (Integer(lowest=1, highest=10), 1, 1),
    (Integer(lowest=1, highest=10), 10.0, 10),
    (Number(lowest=0, highest=2), 2, 2.0),
    (Number(), -0.5, -0.5),
    (Flag(), False, False),
    (Anything(), [1], [1]),
    (Mapped(), {"a": 1}, {"a": 1}),
    (Mapped({"a": Text()}), {"a": "x", "b": 1}, {"a": "x", "b": 1}),
    (Mapped({"a": Text()}), {}, {}),
    (Listed(Integer()), [1, 2.0], [1, 2]),
    (Listed(Text(), or_one=True), "x", ["x"]),
    *((field, None, None) for field in (Text(), Choice("a"), Integer(), Number(), Flag(), Mapped(), Listed(Text()))),
]


@pytest.mark.parametrize(("field", "value", "read"), ACCEPTED)
def test_a_value_of_its_type_is_read(field: JsonField, value: Any, read: Any) -> None:
    result = load(field, value)
    assert (result, type(result)) == (read, type(read))


REFUSED: list[tuple[JsonField, Any, ErrorKind, str, str]] = [
    (Text(), 1, ErrorKind.INVALID_TYPE, "it", "expected a string, but got an integer instead."),
    (Text(required=True), None, ErrorKind.MISSING_PARAMETER, "it", "Missing required parameter: 'it'."),
    (Text(longest=2), "abc", ErrorKind.STRING_TOO_LONG, "it", "maximum length 2, but got a string with length 3"),
    (Text(filled=True), "", ErrorKind.STRING_EMPTY, "it", "at least one character"),
    (Choice("a", "b"), "c", ErrorKind.INVALID_VALUE, "it", "Invalid value: 'c'. Supported values are: 'a', 'b'."),
    (Choice("a", "b"), "{param}{0}%s", ErrorKind.INVALID_VALUE, "it", "{0}%s"),
    (Choice("a"), ["a"], ErrorKind.INVALID_TYPE, "it", "expected a string, but got an array instead."),
    (Integer(), "1", ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a string instead."),
    (Integer(), 1.5, ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a decimal number instead."),
    (Integer(), True, ErrorKind.INVALID_TYPE, "it", "expected an integer, but got a boolean instead."),
    (Integer(), float("nan"), ErrorKind.INVALID_TYPE, "it", "expected an integer"),
    (Integer(), float("inf"), ErrorKind.INVALID_TYPE, "it", "expected an integer"),
    (Integer(highest=10), 11, ErrorKind.NUMBER_TOO_LARGE, "it", "Expected a value <= 10, but got 11 instead."),
    (Integer(highest=10), 10**4000, ErrorKind.NUMBER_TOO_LARGE, "it", "integer above maximum value"),
    (Integer(lowest=1), 0, ErrorKind.NUMBER_TOO_SMALL, "it", "Expected a value >= 1, but got 0 instead."),
    (Number(), "1", ErrorKind.INVALID_TYPE, "it", "expected a number, but got a string instead."),
    (Number(highest=2), 2.1, ErrorKind.NUMBER_TOO_LARGE, "it", "Expected a value <= 2, but got 2.1 instead."),
    (Flag(), "true", ErrorKind.INVALID_TYPE, "it", "expected a boolean, but got a string instead."),
    (Flag(), 1, ErrorKind.INVALID_TYPE, "it", "expected a boolean, but got an integer instead."),
    (Mapped(), [], ErrorKind.INVALID_TYPE, "it", "expected an object, but got an array instead."),
    (Mapped({"a": Text()}), {"a": 1}, ErrorKind.INVALID_TYPE, "it.a", "Invalid type for 'it.a'"),
    (Mapped({"a": Text(required=True)}), {}, ErrorKind.MISSING_PARAMETER, "it.a", "'it.a'"),
    (Listed(Text()), {}, ErrorKind.INVALID_TYPE, "it", "expected an array, but got an object instead."),
    (Listed(Text()), ["a", 1], ErrorKind.INVALID_TYPE, "it[1]", "Invalid type for 'it[1]'"),
    (Listed(Mapped({"a": Flag()})), [{}, {"a": 1}], ErrorKind.INVALID_TYPE, "it[1].a", "'it[1].a'"),
    (Listed(Text(), longest=1), ["a", "b"], ErrorKind.ARRAY_TOO_LONG, "it", "maximum length 1, but got an array with"),
    (Listed(Text(), shortest=1), [], ErrorKind.ARRAY_TOO_SHORT, "it", "minimum length 1, but got an array with"),
    (Listed(Text(), or_one=True), 1, ErrorKind.INVALID_TYPE, "it", "expected a string"),
]


@pytest.mark.parametrize(("field", "value", "kind", "param", "words"), REFUSED)
def test_a_wrong_value_is_refused_with_its_place(
    field: JsonField, value: Any, kind: ErrorKind, param: str, words: str
) -> None:
    with pytest.raises(ApiError) as caught:
        load(field, value)
    assert (caught.value.kind, caught.value.param) == (kind, param)
    assert words in caught.value.message


def test_a_required_field_that_is_absent_is_missing() -> None:
    with pytest.raises(ValidationError) as caught:
        Schema.from_dict({"it": Text(required=True)})().load({})
    error = refuse(caught.value)
    assert (error.kind, error.param) == (ErrorKind.MISSING_PARAMETER, "it")
    assert error.message == "Missing required parameter: 'it'."


def test_all_complaints_can_be_told() -> None:
    schema = Schema.from_dict({"a": Text(), "b": Listed(Mapped({"c": Text(), "d": Flag()}))})
    problems = schema().validate({"a": 1, "b": [{"c": 1, "d": 1}, 2]})
    paths = [path for path, _ in complaints(ValidationError(problems))]
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
def test_json_types_have_names(value: Any, name: str) -> None:
    assert type_name(value) == name


@pytest.mark.parametrize(
    ("field", "text", "read"),
    [
        (Integer(), "2", 2),
        (Integer(), "-2", -2),
        (Integer(), "2.0", None),
        (Integer(), "two", None),
        (Integer(), "٢", None),
        (Integer(), "9" * 5000, None),
        (Number(), "0.5", 0.5),
        (Number(), "half", None),
        (Flag(), "true", True),
        (Flag(), "True", True),
        (Flag(), "1", True),
        (Flag(), "false", False),
        (Flag(), "0", False),
        (Flag(), "yes", None),
    ],
)
def test_a_forms_text_is_read_as_the_value_it_stands_for(field: Integer | Flag, text: str, read: Any) -> None:
    assert field.from_text(text) is read or field.from_text(text) == read
