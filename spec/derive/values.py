"""A few values that a schema allows, and a few that it forbids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any

from spec.derive.schemas import (
    JSON_TYPES,
    Schema,
    allows,
    branches_of,
    is_file,
    is_refused_always,
    type_of,
    types_of,
)

Path = tuple[str | int, ...]

SOME_TEXT = "a red bicycle"
WRONG_TYPES = 3  # wrong types that are tried at each place; hypothesis tries the others
OF_EACH_TYPE = {
    "string": "some words",
    "boolean": True,
    "number": 0.5,
    "integer": 7,
    "array": [],
    "object": {},
    "null": None,
}
CODES = {  # OpenAI's error codes for broken rules
    "type": "invalid_type",
    "enum": "invalid_value",
    "minimum": "integer_below_min_value",
    "maximum": "integer_above_max_value",
    "minLength": "empty_string",
    "maxLength": "string_above_max_length",
    "minItems": "array_below_min_length",
    "maxItems": "array_above_max_length",
    "required": "missing_required_parameter",
    "refused": "invalid_value",
}
STATUS = re.compile(r": (4\d\d)\b")
CODE = re.compile(r"\bcode (\w+)")
PARAM = re.compile(r"\bparam (\w+\.\w+)")  # a path; a bare name adds nothing to the place


class Missing:
    """Stands where there is no value."""


MISSING = Missing()


@dataclass(frozen=True)
class Fault:
    """A value that breaks a rule, and the place in it where the rule is broken."""

    value: Any
    rule: str
    path: Path = ()
    code: str | None = None
    status: int = 400
    declared_param: str | None = None  # the param that the document gives, if it is not the place

    def at(self, *path: str | int) -> Fault:
        """The same fault at another place."""
        return replace(self, path=path)

    def below(self, step: str | int, value: Any) -> Fault:
        """The same fault within a larger value."""
        return replace(self, value=value, path=(step, *self.path))


def faulty_value(fault: Fault) -> Any:
    """What stands at the place of a fault, MISSING if nothing does."""
    value = fault.value
    for step in fault.path:
        if isinstance(value, str):  # an object within the text of a form
            break
        if isinstance(value, dict) and step not in value:
            return MISSING
        value = value[step]
    return value


def good_values(schema: Schema) -> list[Any]:
    """Values that are accepted: of every type, at every bound, and all that are listed."""
    refused = schema.get("x-refused-examples", [])
    return distinct(
        value for value in candidates(schema, only_listed=False) if value not in refused and allows(schema, value)
    )


def candidates(schema: Schema, only_listed: bool) -> Iterator[Any]:
    """Values that may be allowed. No text is made up where the schema lists some, or with `only_listed`."""
    only_listed = only_listed or "examples" in schema or "x-known-values" in schema
    yield from schema.get("examples", ())
    yield from schema.get("x-known-values", ())
    yield from schema.get("enum", ())
    if "const" in schema:
        yield schema["const"]
    for branches in branches_of(schema):
        yield from chain.from_iterable(good_of_branches(branches, only_listed))
    if not branches_of(schema) and "enum" not in schema and "const" not in schema:
        for name in (one for one in JSON_TYPES if one in types_of(schema)):
            yield from good_of_type(name, schema, only_listed)
    elif "null" in types_of(schema):
        yield None


def good_of_branches(branches: list[Schema], only_listed: bool) -> Iterator[list[Any]]:
    """Values of each alternative; a single one if another alternative is an array of the same."""
    for branch in branches:
        found = list(candidates(branch, only_listed))
        yield found[:1] if is_member(branch, branches) else found


def good_of_type(name: str, schema: Schema, only_listed: bool) -> list[Any]:
    """Values of one JSON type."""
    if name == "string":
        return good_texts(schema, only_listed)
    if name in ("integer", "number"):
        bounds = [schema[word] for word in ("minimum", "maximum") if word in schema]
        return [*(bounds or [0, 1]), *([0.5] if name == "number" else [])]
    if name == "boolean":
        return [True, False]
    if name == "array":
        return good_arrays(schema)
    if name == "object":
        return good_objects(schema)
    return [None]


def good_texts(schema: Schema, only_listed: bool) -> list[str]:
    if "x-may-refuse" in schema and not is_file(schema):
        return [] if only_listed else [SOME_TEXT]
    bounds = [schema[word] for word in ("minLength", "maxLength") if schema.get(word)]
    return [*([] if only_listed else [SOME_TEXT]), *("a" * length for length in bounds)]


def good_arrays(schema: Schema) -> list[list[Any]]:
    if "items" not in schema:
        return [[], [7]]
    members = good_values(schema["items"])
    arrays = [[member] for member in members]
    if not schema.get("minItems"):
        arrays.append([])
    if longest := schema.get("maxItems"):
        arrays.append(members[:1] * longest)
    return arrays


def good_objects(schema: Schema) -> list[dict[str, Any]]:
    """The smallest object, and some with every property: each value of each property is in one of them."""
    names = [name for name, inner in schema.get("properties", {}).items() if not is_refused_always(inner)]
    values = [good_values(schema["properties"][name]) for name in names]
    rows = zip_longest(*values, fillvalue=MISSING)
    least = smallest(schema)
    return [least, *({**least, **without_missing(dict(zip(names, row, strict=True)))} for row in rows)]


def smallest(schema: Schema) -> dict[str, Any]:
    """An object with only what is required."""
    return {name: good_values(schema["properties"][name])[0] for name in schema.get("required", ())}


def without_missing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not MISSING}


def faults(schema: Schema) -> list[Fault]:
    """Faults for every rule of the schema, each value and place once."""
    found = [fault for fault in all_faults(schema) if fault.rule == "refused" or not allows(schema, fault.value)]
    return list({json.dumps([fault.value, fault.path]): fault for fault in reversed(found)}.values())[::-1]


def all_faults(schema: Schema) -> Iterator[Fault]:
    types = types_of(schema)
    is_untyped_enum = "enum" in schema and "type" not in schema
    wrong = [value for name, value in OF_EACH_TYPE.items() if name not in types]
    yield from (of_rule("enum" if is_untyped_enum else "type", value) for value in wrong[:WRONG_TYPES])
    if "string" in types:
        yield of_rule("enum", "something_else")
    for branches in branches_of(schema):
        yield from chain.from_iterable(faults_of_branches(branches))
    yield from faults_at_bounds(schema, types)
    if "array" in types and "items" in schema:
        yield from faults_of_members(schema)
    if "object" in types:
        yield from faults_of_properties(schema)
    yield from refusals(schema)


def of_rule(rule: str, value: Any) -> Fault:
    return Fault(value, rule, code=CODES[rule])


def faults_of_branches(branches: list[Schema]) -> Iterator[list[Fault]]:
    """Faults in each alternative: values of its type that break one of its rules."""
    for branch in branches:
        found = [fault for fault in all_faults(branch) if type_of(fault.value) in types_of(branch)]
        yield found[:1] if is_member(branch, branches) else found


def is_member(schema: Schema, branches: list[Schema]) -> bool:
    """Whether another of the alternatives is an array of this one."""
    inner = schema.get("properties", schema)
    return any(branch["items"].get("properties", branch["items"]) == inner for branch in branches if "items" in branch)


def faults_at_bounds(schema: Schema, types: set[str]) -> Iterator[Fault]:
    if "minimum" in schema:
        yield of_rule("minimum", schema["minimum"] - 1)
    if "maximum" in schema:
        yield of_rule("maximum", schema["maximum"] + 1)
    if schema.get("minLength") and "string" in types:
        yield of_rule("minLength", "a" * (schema["minLength"] - 1))
    if "maxLength" in schema:
        yield of_rule("maxLength", "a" * (schema["maxLength"] + 1))
    if schema.get("minItems"):
        yield of_rule("minItems", good_values(schema["items"])[:1] * (schema["minItems"] - 1))
    if "maxItems" in schema:
        yield of_rule("maxItems", good_values(schema["items"])[:1] * (schema["maxItems"] + 1))


def faults_of_members(schema: Schema) -> Iterator[Fault]:
    """Faults of a second member, whose place differs from the first one's."""
    first = good_values(schema["items"])[0]
    for fault in faults(schema["items"]):
        if fault.value is not None:  # neither API documents the place of a null among members
            yield fault.below(1, [first, fault.value])


def faults_of_properties(schema: Schema) -> Iterator[Fault]:
    least = smallest(schema)
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        if name in required:
            yield of_rule("required", {one: value for one, value in least.items() if one != name}).at(name)
        for fault in faults(inner):
            if name in required and fault.value is None and not fault.path:
                fault = of_rule("required", None)  # null is the same as absent
            yield fault.below(name, {**least, name: fault.value})


def refusals(schema: Schema) -> Iterator[Fault]:
    """Values that are refused although the schema allows them, with the answer that `x-may-refuse` describes."""
    description = str(schema.get("x-may-refuse", ""))
    status, code, param = (pattern.search(description) for pattern in (STATUS, CODE, PARAM))
    values = schema.get("x-refused-examples", [OF_EACH_TYPE["array"]] if is_refused_always(schema) else [])
    for value in values:
        yield Fault(
            value,
            "refused",
            code=code[1] if code else CODES["refused"],
            status=int(status[1]) if status else 400,
            declared_param=param[1] if param else None,
        )


def distinct(values: Iterator[Any]) -> list[Any]:
    """The values in their order, each once; 1 and true are different."""
    return list({json.dumps(value): value for value in values}.values())
