"""Marshmallow fields that know only JSON's types, and the way from their complaints to an ApiError."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Self

from marshmallow import Schema, ValidationError, fields

from compat.errors import ApiError, ErrorKind

MOST_COMPLAINTS = 20  # about the members of one array


class Complaint(str):
    """A marshmallow message that knows its kind. `{param}` in it stands for the path of the field."""

    kind: ErrorKind

    def __new__(cls, kind: ErrorKind, text: str) -> Self:
        complaint = super().__new__(cls, text)
        complaint.kind = kind
        return complaint

    def format(self, *_: object, **__: object) -> Self:
        """Marshmallow formats the messages of its own rules; the path is not known yet."""
        return self


@cache
def instance_of(schema: type[Schema]) -> Schema:
    """The one instance of a schema. It keeps nothing of what it checks, and making it costs more than checking."""
    return schema()


def load(schema: type[Schema], body: Mapping[str, Any]) -> dict[str, Any]:
    """What `schema().load(body)` makes, while only the fields that are there are looked at. Raises ValidationError."""
    told = frozenset(name for name in body if name in instance_of(schema).fields)
    checked: dict[str, Any] = instance_for(schema, told).load(body)
    return checked


@lru_cache(maxsize=256)
def instance_for(schema: type[Schema], told: frozenset[str]) -> Schema:
    """An instance that knows the fields which are told, and those that must be."""
    fields = instance_of(schema).fields
    return schema(only=[name for name, field in fields.items() if field.required or name in told])


MISSING = Complaint(ErrorKind.MISSING_PARAMETER, "Missing required parameter: '{param}'.")


def wrong_type(expected: str, value: object) -> Complaint:
    """The complaint about a value of another JSON type."""
    return Complaint(
        ErrorKind.INVALID_TYPE,
        f"Invalid type for '{{param}}': expected {expected}, but got {type_name(value)} instead.",
    )


def type_name(value: object) -> str:
    """A JSON value's type as a message calls it."""
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
    """A value that is absent when it is null, unless it is required."""

    default_error_messages = {"required": MISSING, "null": MISSING}

    def __init__(self, **options: Any):
        super().__init__(allow_none=not options.get("required"), **options)


class Text(JsonField):
    """A string of at most so many characters; where `filled`, of one at least."""

    def __init__(self, *, filled: bool = False, longest: int | None = None, **options: Any):
        super().__init__(**options)
        self.filled = filled
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(wrong_type("a string", value))
        if self.longest is not None and len(value) > self.longest:
            raise complain(
                ErrorKind.STRING_TOO_LONG,
                f"Invalid '{{param}}': string too long. Expected a string with maximum length {self.longest}, but got "
                f"a string with length {len(value)} instead.",
            )
        if self.filled and not value:
            raise complain(ErrorKind.STRING_EMPTY, "Invalid '{param}': it must have at least one character.")
        return value


class Choice(Text):
    """One of a few strings."""

    def __init__(self, *choices: str, **options: Any):
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if text not in self.choices:
            supported = ", ".join(f"'{choice}'" for choice in self.choices)
            raise complain(ErrorKind.INVALID_VALUE, f"Invalid value: '{text}'. Supported values are: {supported}.")
        return text


class Number(JsonField):
    """A number within bounds, both included."""

    expected = "a number"

    def __init__(self, *, lowest: float | None = None, highest: float | None = None, **options: Any):
        super().__init__(**options)
        self.lowest = lowest
        self.highest = highest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if not self.accepts(value):
            raise ValidationError(wrong_type(self.expected, value))
        kind = self.expected.split()[-1]
        if self.highest is not None and value > self.highest:
            raise complain(
                ErrorKind.NUMBER_TOO_LARGE,
                f"Invalid '{{param}}': {kind} above maximum value. Expected a value <= {self.highest}, but got "
                f"{value} instead.",
            )
        if self.lowest is not None and value < self.lowest:
            raise complain(
                ErrorKind.NUMBER_TOO_SMALL,
                f"Invalid '{{param}}': {kind} below minimum value. Expected a value >= {self.lowest}, but got "
                f"{value} instead.",
            )
        return self.read(value)

    def accepts(self, value: object) -> bool:
        """Whether the value is of the type; NaN and Infinity, which JSON does not have, are not."""
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")

    def read(self, value: Any) -> float:
        """The value as it is used."""
        return float(value)

    def from_text(self, text: str) -> float | None:
        """The number a form's text stands for; None if it is none."""
        try:
            return float(text)
        except ValueError:
            return None


class Integer(Number):
    """A whole number within bounds; 2.0 is one, as in JSON Schema."""

    expected = "an integer"
    DIGITS = re.compile(r"[+-]?\d{1,18}", re.ASCII)

    def accepts(self, value: object) -> bool:
        return super().accepts(value) and (isinstance(value, int) or float(str(value)).is_integer())

    def read(self, value: Any) -> int:
        return int(value)

    def from_text(self, text: str) -> int | None:
        return int(text) if self.DIGITS.fullmatch(text) else None


class Flag(JsonField):
    """True or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(wrong_type("a boolean", value))
        return value

    def from_text(self, text: str) -> bool | None:
        """What a form's text stands for; None if it is neither."""
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


class Anything(JsonField):
    """A value of any type."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return value


class Mapped(JsonField):
    """An object; `parts`, if given, are fields for some of its members."""

    def __init__(self, parts: Mapping[str, JsonField] | None = None, **options: Any):
        super().__init__(**options)
        self.parts = parts or {}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(wrong_type("an object", value))
        problems = {}
        for name, part in self.parts.items():
            if name in value or part.required:
                try:
                    part.deserialize(value.get(name), name, value)
                except ValidationError as error:
                    problems[name] = error.messages
        if problems:
            raise ValidationError(problems)
        return value


class Listed(JsonField):
    """An array of one kind of values; where `or_one`, a single value stands for an array of one."""

    def __init__(
        self,
        member: JsonField,
        *,
        or_one: bool = False,
        shortest: int = 0,
        longest: int | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.member = member
        self.or_one = or_one
        self.shortest = shortest
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[Any]:
        if not isinstance(value, list):
            if not self.or_one:
                raise ValidationError(wrong_type("an array", value))
            return [self.member.deserialize(value, attr, data)]
        if self.longest is not None and len(value) > self.longest:
            raise complain(
                ErrorKind.ARRAY_TOO_LONG,
                f"Invalid '{{param}}': array too long. Expected an array with maximum length {self.longest}, but got "
                f"an array with length {len(value)} instead.",
            )
        if len(value) < self.shortest:
            raise complain(
                ErrorKind.ARRAY_TOO_SHORT,
                f"Invalid '{{param}}': array too short. Expected an array with minimum length {self.shortest}, but "
                f"got an array with length {len(value)} instead.",
            )
        members = []
        problems: dict[int, Any] = {}
        for index, one in enumerate(value):
            try:
                members.append(self.member.deserialize(one, str(index)))
            except ValidationError as error:
                if len(problems) == MOST_COMPLAINTS:  # a body of a million faults is not worth a million words
                    break
                problems[index] = error.messages
        if problems:
            raise ValidationError(problems)
        return members


def complain(kind: ErrorKind, text: str) -> ValidationError:
    """A complaint of a kind; `{param}` in its text stands for the path of the field."""
    return ValidationError(Complaint(kind, text))


def complaints(error: ValidationError) -> Iterator[tuple[str, Complaint]]:
    """Each complaint with the path of its field, such as `contents[0].parts`."""
    return walk("", error.messages)


def walk(path: str, messages: Any) -> Iterator[tuple[str, Complaint]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from walk(join(path, name), inner)
    elif isinstance(messages, Collection) and not isinstance(messages, str):
        for inner in messages:
            yield from walk(path, inner)
    else:
        yield path, messages if isinstance(messages, Complaint) else Complaint(ErrorKind.INVALID_TYPE, str(messages))


def join(path: str, name: str | int) -> str:
    if name == "_schema":
        return path
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def refuse(error: ValidationError) -> ApiError:
    """The first complaint as the error that is told to the caller."""
    path, complaint = next(complaints(error))
    return ApiError(complaint.kind, complaint.replace("{param}", path), param=path or None)
