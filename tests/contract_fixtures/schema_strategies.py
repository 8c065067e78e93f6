"""Hypothesis strategies for values that a schema allows or forbids; they know the keywords that `spec/` uses."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spec.derive.operations import CONSTRAINTS
from spec.derive.schemas import Schema, allows, branches_of, types_of

Values = SearchStrategy[Any]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=4,
)
LONGEST_LIST = 3  # members beyond `minItems`: longer arrays find nothing more


def allowed(schema: Schema, *, inventive: bool = False) -> Values:
    """Values that the schema allows. Where some of these may be refused, only its examples, unless `inventive`."""
    return allowed_by(json.dumps(schema), inventive)


@cache
def allowed_by(text: str, inventive: bool) -> Values:
    """The same for a schema as text, built once and only if it is drawn from."""
    return st.deferred(lambda: made_for(json.loads(text), inventive))


def made_for(schema: Schema, inventive: bool) -> Values:
    if not schema.keys() & CONSTRAINTS:
        return ANYTHING
    if "Always" in schema.get("x-may-refuse", "") and not inventive:
        return st.nothing()
    if "x-may-refuse" in schema and "examples" in schema and not inventive:
        return st.sampled_from(schema["examples"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    for branches in branches_of(schema):
        values = st.one_of([allowed(branch, inventive=inventive) for branch in branches])
        return values.filter(lambda value: allows(schema, value))
    return st.one_of([of_type(name, schema, inventive) for name in sorted(types_of(schema))])


def of_type(name: str, schema: Schema, inventive: bool) -> Values:
    """Values of one JSON type."""
    if name == "string":
        return texts(schema)
    if name == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    if name == "number":
        return NUMBERS
    if name == "boolean":
        return st.booleans()
    if name == "array":
        return arrays(schema, allowed(schema.get("items", {}), inventive=inventive))
    if name == "object":
        return objects(schema, inventive)
    return st.none()


def texts(schema: Schema) -> Values:
    least = schema.get("minLength", 0)
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=max(least, 12))


def arrays(schema: Schema, members: Values) -> Values:
    least = schema.get("minItems", 0)
    return st.lists(members, min_size=least, max_size=min(least + LONGEST_LIST, schema.get("maxItems", 99)))


def objects(schema: Schema, inventive: bool) -> Values:
    """Objects with what is required, some of what is optional, and sometimes an unknown name."""
    values = {
        name: allowed(inner, inventive=inventive)
        for name, inner in schema.get("properties", {}).items()
        if inventive or "Always" not in inner.get("x-may-refuse", "")
    }
    required = {name: values[name] for name in schema.get("required", ())}
    optional = {name: inner for name, inner in values.items() if name not in required}
    known = st.fixed_dictionaries(required, optional=optional)
    unknown = st.dictionaries(TEXTS.filter(lambda name: name not in values), ANYTHING, max_size=1)
    return st.builds(lambda mine, other: {**other, **mine}, known, unknown)


def forbidden(schema: Schema) -> Values:
    """Values that the schema forbids: anything else, or a good value with one fault somewhere in it."""
    return wrong(schema).filter(lambda value: not allows(schema, value))


def wrong(schema: Schema) -> Values:
    """Values that are mostly wrong."""
    return wrong_by(json.dumps(schema))


@cache
def wrong_by(text: str) -> Values:
    """The same for a schema as text, built once and only if it is drawn from."""
    return st.deferred(lambda: st.one_of(nearly(json.loads(text))))


def nearly(schema: Schema) -> list[Values]:
    """Strategies for values that are mostly wrong, each at another place."""
    if not schema.keys() & CONSTRAINTS:
        return []
    found = [ANYTHING]
    for branches in branches_of(schema):
        found += [wrong(branch) for branch in branches if branch.keys() & {"properties", "items", "minLength"}]
    if "properties" in schema:
        found += [
            with_fault(schema, name) for name, inner in schema["properties"].items() if inner.keys() & CONSTRAINTS
        ]
        found += [without(schema, name) for name in schema.get("required", ())]
    if "items" in schema and schema["items"].keys() & CONSTRAINTS:
        before = st.lists(allowed(schema["items"]), max_size=2)
        found.append(st.builds(lambda good, bad: [*good, bad], before, wrong(schema["items"])))
    for word, step in (("minimum", -1), ("maximum", 1)):
        if word in schema:
            found.append(
                (st.just(0) | st.integers(0, 2**40)).map(
                    lambda far, edge=schema[word], step=step: edge + step * (far + 1)
                )
            )
    if "maxLength" in schema:
        found.append(st.integers(1, 9).map(lambda more: "x" * (schema["maxLength"] + more)))
    if "maxItems" in schema:
        found.append(allowed(schema["items"]).map(lambda one: [one] * (schema["maxItems"] + 1)))
    return found


def with_fault(schema: Schema, name: str) -> Values:
    """Good objects with one bad member."""
    good = allowed({**schema, "type": "object"})
    return st.builds(lambda body, bad: {**body, name: bad}, good, wrong(schema["properties"][name]))


def without(schema: Schema, name: str) -> Values:
    """Good objects in which something is missing."""
    return allowed({**schema, "type": "object"}).map(
        lambda good: {one: value for one, value in good.items() if one != name}
    )
