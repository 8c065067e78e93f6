"""Marshmallow fields for JSON types, and the ApiError that their problems become."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Self

from marshmallow import INCLUDE, Schema, ValidationError, fields

from compat.errors import ApiError, ErrorKind

MAX_PROBLEMS = 20  # reported of the items of one array
MAX_VALUE = 200  # characters of an unsupported value that its error repeats


class Problem(str):
    """A marshmallow message with an ErrorKind. `{param}` in it stands for the path of the field."""

    kind: ErrorKind

    def __new__(cls, kind: ErrorKind, text: str) -> Self:
        problem = super().__new__(cls, text)
        problem.kind = kind
        return problem

    def format(self, *_: object, **__: object) -> Self:
        """Unchanged: marshmallow formats the messages of its own rules, and the path is not known yet."""
        return self


class LenientSchema(Schema):
    """Unknown fields are kept."""

    class Meta:
        unknown = INCLUDE


@cache
def instance_of(schema: type[Schema]) -> Schema:
    """The one instance of a schema, which has no state. Making one costs more than a validation."""
    return schema()


def instance_for(schema: type[Schema], body: Mapping[str, Any]) -> Schema:
    """An instance for a body: to look for a field that is not there costs as much as to check one that is."""
    return instance_with(schema, frozenset(name for name in body if name in instance_of(schema).fields))


@lru_cache(maxsize=256)
def instance_with(schema: type[Schema], given: frozenset[str]) -> Schema:
    """An instance with the given fields and those that are required."""
    fields = instance_of(schema).fields
    return schema(only=[name for name, field in fields.items() if field.required or name in given])


MISSING = Problem(ErrorKind.MISSING_PARAMETER, "Missing required parameter: '{param}'.")


def invalid(kind: ErrorKind, text: str) -> ValidationError:
    """The error of a field; `{param}` in its text stands for the path of the field."""
    return ValidationError(Problem(kind, text))


def wrong_type(expected: str, value: object) -> ValidationError:
    """The error of a field that has a value of another JSON type."""
    return invalid(
        ErrorKind.INVALID_TYPE,
        f"Invalid type for '{{param}}': expected {expected}, but got {type_name(value)} instead.",
    )


def quoted(names: Iterable[str]) -> str:
    """Names as OpenAI's messages list them."""
    return ", ".join(f"'{name}'" for name in names)


def unsupported_value(value: str, supported: Iterable[str]) -> str:
    """OpenAI's message about a string that is not one of a few."""
    return f"Invalid value: '{value[:MAX_VALUE]}'. Supported values are: {quoted(supported)}."


def array_too_long(param: str, max_length: int, length: int) -> str:
    """OpenAI's message about an array with too many items."""
    return (
        f"Invalid '{param}': array too long. Expected an array with maximum length {max_length}, but got an array with "
        f"length {length} instead."
    )


def check_choice(value: str, supported: Collection[str], param: str) -> str:
    """The value, if it is supported. Raises INVALID_VALUE with those that are."""
    if value not in supported:
        raise ApiError(ErrorKind.INVALID_VALUE, unsupported_value(value, supported), param=param)
    return value


def type_name(value: object) -> str:
    """A JSON value's type as it appears in messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


class JsonField(fields.Field[Any]):
    """A JSON value. Null means absent, unless the field is required."""

    default_error_messages = {"required": MISSING, "null": MISSING}

    def __init__(self, **options: Any):
        super().__init__(allow_none=not options.get("required"), **options)


class String(JsonField):
    """A string; its length is in characters."""

    def __init__(self, *, not_empty: bool = False, max_length: int | None = None, **options: Any):
        super().__init__(**options)
        self.not_empty = not_empty
        self.max_length = max_length

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise wrong_type("a string", value)
        if self.max_length is not None and len(value) > self.max_length:
            raise invalid(
                ErrorKind.STRING_TOO_LONG,
                f"Invalid '{{param}}': string too long. Expected a string with maximum length {self.max_length}, but "
                f"got a string with length {len(value)} instead.",
            )
        if self.not_empty and not value:
            raise invalid(ErrorKind.STRING_EMPTY, "Invalid '{param}': it must have at least one character.")
        return value


class Choice(String):
    """One of a few strings."""

    def __init__(self, *choices: str, **options: Any):
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if text not in self.choices:
            raise invalid(ErrorKind.INVALID_VALUE, unsupported_value(text, self.choices))
        return text


class Number(JsonField):
    """A number within bounds, both included."""

    expected = "a number"

    def __init__(self, *, minimum: float | None = None, maximum: float | None = None, **options: Any):
        super().__init__(**options)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not self.accepts(value):
            raise wrong_type(self.expected, value)
        kind = self.expected.split()[-1]
        if self.maximum is not None and value > self.maximum:
            raise invalid(
                ErrorKind.NUMBER_TOO_LARGE,
                f"Invalid '{{param}}': {kind} above maximum value. Expected a value <= {self.maximum}, but got "
                f"{value} instead.",
            )
        if self.minimum is not None and value < self.minimum:
            raise invalid(
                ErrorKind.NUMBER_TOO_SMALL,
                f"Invalid '{{param}}': {kind} below minimum value. Expected a value >= {self.minimum}, but got "
                f"{value} instead.",
            )
        return self.convert(value)

    def accepts(self, value: object) -> bool:
        """Whether the value is of the type. NaN and Infinity, which JSON does not have, are not."""
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")

    def convert(self, value: Any) -> float:
        """The value in the type that it is used in."""
        return float(value)

    def from_text(self, text: str) -> float | None:
        """The number that a form's text stands for; None if it is not one."""
        try:
            return float(text)
        except ValueError:
            return None


class Integer(Number):
    """A whole number within bounds; 2.0 is one, as in JSON Schema."""

    expected = "an integer"
    DIGITS = re.compile(r"([+-]?\d{1,18})(\.0{0,18})?", re.ASCII)

    def accepts(self, value: object) -> bool:
        return super().accepts(value) and (isinstance(value, int) or float(str(value)).is_integer())

    def convert(self, value: Any) -> int:
        return int(value)

    def from_text(self, text: str) -> int | None:
        found = self.DIGITS.fullmatch(text)
        return int(found[1]) if found else None


class Boolean(JsonField):
    """True or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong_type("a boolean", value)
        return value

    def from_text(self, text: str) -> bool | None:
        """What a form's text stands for; None if it is neither."""
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


class Object(JsonField):
    """An object; `members`, if given, are fields for some of its members."""

    def __init__(self, members: Mapping[str, JsonField] | None = None, **options: Any):
        super().__init__(**options)
        self.members = members or {}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type("an object", value)
        found = {}
        for name, field in self.members.items():
            if name in value or field.required:
                try:
                    field.deserialize(value.get(name), name, value)
                except ValidationError as error:
                    found[name] = error.messages
        if found:
            raise ValidationError(found)
        return value


class Array(JsonField):
    """An array of one kind of items; with `or_single`, one item stands for an array of it."""

    def __init__(
        self,
        item: JsonField,
        *,
        or_single: bool = False,
        min_length: int = 0,
        max_length: int | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.item = item
        self.or_single = or_single
        self.min_length = min_length
        self.max_length = max_length

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[Any]:
        if not isinstance(value, list):
            if not self.or_single:
                raise wrong_type("an array", value)
            return [self.item.deserialize(value, attr, data)]
        if self.max_length is not None and len(value) > self.max_length:
            raise invalid(ErrorKind.ARRAY_TOO_LONG, array_too_long("{param}", self.max_length, len(value)))
        if len(value) < self.min_length:
            raise invalid(
                ErrorKind.ARRAY_TOO_SHORT,
                f"Invalid '{{param}}': array too short. Expected an array with minimum length {self.min_length}, but "
                f"got an array with length {len(value)} instead.",
            )
        items = []
        found: dict[int, Any] = {}
        for index, item in enumerate(value):
            try:
                items.append(self.item.deserialize(item, str(index)))
            except ValidationError as error:
                if len(found) == MAX_PROBLEMS:
                    break
                found[index] = error.messages
        if found:
            raise ValidationError(found)
        return items


def problems(error: ValidationError) -> Iterator[tuple[str, Problem]]:
    """Each problem with the path of its field, such as `contents[0].parts`."""
    return walk("", error.messages)


def walk(path: str, messages: Any) -> Iterator[tuple[str, Problem]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from walk(join(path, name), inner)
    elif isinstance(messages, Collection) and not isinstance(messages, str):
        for inner in messages:
            yield from walk(path, inner)
    else:
        yield path, messages if isinstance(messages, Problem) else Problem(ErrorKind.INVALID_TYPE, str(messages))


def join(path: str, name: str | int) -> str:
    if name == "_schema":
        return path
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def api_error(error: ValidationError) -> ApiError:
    """The first problem as the error that the caller gets."""
    path, problem = next(problems(error))
    return ApiError(problem.kind, problem.replace("{param}", path), param=path or None)
