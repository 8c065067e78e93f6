"""Schemas of the documents without references, and what they say about values."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

import spec

Schema = dict[str, Any]

JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")


def dereferenced(value: Any, document: spec.Document) -> Any:
    """The value with every reference replaced by what it refers to. What stands beside a reference is kept."""
    if isinstance(value, list):
        return [dereferenced(one, document) for one in value]
    if not isinstance(value, dict):
        return value
    beside = {name: dereferenced(inner, document) for name, inner in value.items() if name != "$ref"}
    if "$ref" not in value:
        return beside
    return {**dereferenced(spec.resolve({"$ref": value["$ref"]}, document), document), **beside}


def allows(schema: Schema, value: Any) -> bool:
    """Whether the schema allows the value."""
    return bool(Draft202012Validator(schema).is_valid(value))


def types_of(schema: Schema) -> set[str]:
    """The JSON types that a value may have."""
    declared = schema.get("type", JSON_TYPES)
    types = {declared} if isinstance(declared, str) else set(declared)
    if "number" in types:
        types.add("integer")
    known = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    if known:
        types &= {type_of(value) for value in known}
    for branches in branches_of(schema):
        types &= set().union(*map(types_of, branches))
    return types


def branches_of(schema: Schema) -> list[list[Schema]]:
    """The lists of alternatives that a value must fit one of, without those that only say what is required."""
    return [schema[word] for word in ("anyOf", "oneOf") if word in schema and not only_requires(schema[word])]


def only_requires(branches: list[Schema]) -> bool:
    return all(branch.keys() == {"required"} for branch in branches)


def type_of(value: Any) -> str:
    """A value's JSON type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def is_file(schema: Schema) -> bool:
    """Whether a part of a form is a file."""
    return schema.get("format") == "binary"


def is_refused_always(schema: Schema) -> bool:
    """Whether a field is refused whatever is in it, although it has a schema."""
    return str(schema.get("x-may-refuse", "")).startswith("Always")
