"""The cases of each operation: good requests, and bad ones with the answer that is expected."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import spec
from spec.derive.schemas import Schema, is_file, types_of, whole
from spec.derive.values import (
    MISSING,
    OF_EACH_TYPE,
    Fault,
    Path,
    culprit,
    distinct,
    faults,
    good_values,
    of_rule,
    smallest,
)

Case = dict[str, Any]

# What a field needs beside it: the document says so in words only (x-may-refuse).
COMPANIONS: Mapping[str, Mapping[str, Any]] = {"resize": {"size": "1024x1024"}}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # transparent
)
FILE = {"$file": PIXEL}
DEMANDS = {"type", "enum", "const", "anyOf", "oneOf"}  # words that say what a value must be
NOT_A_VALUE = "many"  # as the text of a form where a number or a truth value belongs
NO_KEY = re.compile(r"No key\b")


@dataclass(frozen=True)
class Dialect:
    """How an API tells a place, and whether its errors have codes."""

    name: str
    snake_case: bool
    has_codes: bool

    def param(self, path: Path) -> str | None:
        """A place as an error names it."""
        told = ""
        for step in path:
            told += f"[{step}]" if isinstance(step, int) else f".{step}" if told else step
        told = told.removesuffix("[]")  # image[] is one of the spellings of image
        if self.snake_case:
            told = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", told)
        return told or None

    def expected(self, fault: Fault) -> Case:
        """What is answered to a fault."""
        code = {"code": fault.code} if self.has_codes else {}
        return {"status": fault.status, "param": fault.told_param or self.param(fault.path), **code}


DIALECTS = {
    "openai_images": Dialect("openai_images", snake_case=False, has_codes=True),
    "gemini_content": Dialect("gemini_content", snake_case=True, has_codes=False),
}


def derive_all() -> Iterator[tuple[str, str, Case]]:
    """Every operation: the API, its name, and its cases."""
    for name, dialect in DIALECTS.items():
        document = spec.load(name)
        for path, item in document["paths"].items():
            for method in (one for one in spec.METHODS if one in item):
                operation = whole(item[method], document)
                yield name, operation["operationId"], derive(dialect, method, path, operation)


def derive(dialect: Dialect, method: str, path: str, operation: spec.Document) -> Case:
    """The cases of one operation."""
    good, bad = [], []
    for make in (json_cases, form_cases, parameter_cases):
        found = make(dialect, operation)
        good += found[0]
        bad += found[1]
    bad.append(without_key(dialect, operation, good[0]))
    number_twins([*good, *bad])
    return {"request": f"{method.upper()} {path}", "good": good, "bad": bad}


def number_twins(cases: list[Case]) -> None:
    """Gives each case a name of its own."""
    seen: Counter[str] = Counter()
    for case in cases:
        seen[case["case"]] += 1
        if seen[case["case"]] > 1:
            case["case"] += f" ({seen[case['case']]})"


Cases = tuple[list[Case], list[Case]]


def json_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Bodies of JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return [], []
    schema = content["application/json"]["schema"]
    good = [{"case": name, "json": body} for name, body in good_bodies(schema)]
    bad = [
        {"case": told(dialect, fault), "json": body_of(fault), **dialect.expected(fault)} for fault in faults(schema)
    ]
    return good, bad


def good_bodies(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """The smallest body, and one for each value of each property."""
    least = smallest(schema)
    yield "nothing but what is required", least
    yield from (("an example of the document's own", example) for example in schema.get("examples", []))
    for name, inner in read_properties(schema).items():
        for value in good_values(inner):
            yield f"{name}: {brief(value)}", {**least, **COMPANIONS.get(name, {}), name: value}
    for value in (*OF_EACH_TYPE.values(), [7], {"some": "words"}):
        if unread := unread_properties(schema):
            yield f"all that is not read: {brief(value)}", {**least, **dict.fromkeys(unread, value)}


def read_properties(schema: Schema) -> dict[str, Schema]:
    """The properties of which something is demanded."""
    return {name: inner for name, inner in schema["properties"].items() if inner.keys() & DEMANDS}


def unread_properties(schema: Schema) -> list[str]:
    """The properties that may hold anything."""
    return [name for name, inner in schema["properties"].items() if not inner.keys() & DEMANDS]


def body_of(fault: Fault) -> Any:
    """The body of a fault, with what the field at fault needs beside it."""
    first = fault.path[0] if fault.path else None
    if isinstance(fault.value, dict) and isinstance(first, str):
        return {**COMPANIONS.get(first, {}), **fault.value}
    return fault.value


def form_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Forms: every value is a text or a file, and an empty text is an absent one."""
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" not in content:
        return [], []
    schema = content["multipart/form-data"]["schema"]
    good = [{"case": f"form, {name}", "form": form} for name, form in good_forms(schema)]
    bad = [
        {"case": f"form, {told(dialect, fault)}", "form": fault.value, **dialect.expected(fault)}
        for fault in form_faults(schema)
    ]
    return good, bad


def good_forms(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "nothing but what is required", least_form(schema)
    for value in ("", "some words"):
        unread = dict.fromkeys(unread_properties(schema), value)
        yield f"all that is not read: {brief(value)}", {**least_form(schema), **unread}
    for name, inner in read_properties(schema).items():
        for value in good_parts(inner):
            companions = COMPANIONS.get(name, {})
            yield f"{name}: {brief(value)}", {**least_form(schema, name), **companions, name: value}


def least_form(schema: Schema, beside: str = "") -> dict[str, Any]:
    """A form with what is required; of parts that stand for one another, with the one it is made for."""
    alternatives = [branch["required"] for branch in schema.get("anyOf", [])]
    chosen = next((names for names in alternatives if beside in names), *alternatives[:1]) if alternatives else []
    names = [*schema.get("required", []), *chosen]
    return {name: good_parts(schema["properties"][name])[0] for name in names}


def good_parts(schema: Schema) -> list[Any]:
    """Good values as parts of a form: a text, a file, or several of them."""
    if is_file(schema):
        return [FILE]
    if types_of(schema) == {"array"}:
        return [[part] * count for part in good_parts(schema["items"]) for count in (1, schema["maxItems"])]
    return distinct(text_of(value) for value in good_values(schema) if value is not None)


def text_of(value: Any) -> str:
    """A value as the text of a form."""
    return value if isinstance(value, str) else json.dumps(value)


def form_faults(schema: Schema) -> Iterator[Fault]:
    """The faults of a form: what is missing, and what is wrong with one of its parts."""
    least = least_form(schema)
    for name in least:
        yield of_rule("required", {one: part for one, part in least.items() if one != name}).at(name)
        yield of_rule("required", {**least, name: ""}).at(name)
    for name, inner in schema["properties"].items():
        for fault in part_faults(inner):
            yield fault.below(name, {**least_form(schema, name), name: fault.value})


def part_faults(schema: Schema) -> Iterator[Fault]:
    """The faults of one part as texts."""
    if is_file(schema) or not schema.keys() & DEMANDS:
        return
    if types_of(schema) == {"array"}:
        yield of_rule("maxItems", good_parts(schema["items"])[:1] * (schema["maxItems"] + 1))
    elif inner := schema.get("contentSchema"):
        yield from (replace(one, value=text_of(one.value)) for one in faults(inner) if one.value)
    elif {"integer", "number", "boolean"} & types_of(schema):
        yield of_rule("type", NOT_A_VALUE)
        yield from (fault for fault in texts_at_fault(schema) if fault.rule in ("minimum", "maximum", "type"))
    else:
        yield from (fault for fault in texts_at_fault(schema) if fault.rule in ("enum", "maxLength", "refused"))


def texts_at_fault(schema: Schema) -> Iterator[Fault]:
    """Faults that are still faults once they are written as texts."""
    for fault in faults(schema):
        is_scalar = isinstance(fault.value, str | int | float) and not isinstance(fault.value, bool)
        if is_scalar and fault.value != "" and not (fault.rule == "type" and isinstance(fault.value, str)):
            yield replace(fault, value=text_of(fault.value))


def parameter_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Parameters of the address and of the query, where there is no body."""
    if "requestBody" in operation:
        return query_cases(operation), []
    parameters = operation.get("parameters", [])
    good: list[Case] = [] if any(one["in"] == "path" for one in parameters) else [{"case": "no parameters"}]
    bad: list[Case] = []
    for one in parameters:
        place, name = one["in"], one["name"]
        good += [{"case": f"{name}: {brief(value)}", place: {name: value}} for value in known_values(one)]
        if place == "query":
            for fault in part_faults(one["schema"]):
                placed = fault.at(name)
                expected = dialect.expected(placed) | {"param": name}  # a query's names are what they are
                bad.append({"case": told(dialect, placed), place: {name: fault.value}, **expected})
    return good, bad


def query_cases(operation: spec.Document) -> list[Case]:
    """Queries beside the smallest body."""
    body = smallest(operation["requestBody"]["content"].get("application/json", {"schema": {}})["schema"])
    return [
        {"case": f"{one['name']}: {brief(value)}", "query": {one["name"]: value}, "json": body}
        for one in operation.get("parameters", [])
        if one["in"] == "query"
        for value in known_values(one)
    ]


def known_values(parameter: spec.Document) -> list[str]:
    """Values of a parameter that are served, as texts: those that are written down."""
    schema = parameter["schema"]
    examples = [one["value"] for one in parameter.get("examples", {}).values()]
    listed = [value for branch in schema.get("anyOf", []) for value in (*branch.get("enum", ()), *constant(branch))]
    bounds = [branch["minimum"] for branch in schema.get("anyOf", []) if "minimum" in branch]
    return distinct(text_of(value) for value in (*examples, *listed, *bounds))


def constant(branch: Schema) -> list[Any]:
    return [branch["const"]] if "const" in branch else []


def without_key(dialect: Dialect, operation: spec.Document, good: Case) -> Case:
    """A good request of a caller who tells no key: the document says which status that is."""
    status = next(
        int(status) for status, answer in operation["responses"].items() if NO_KEY.match(answer["description"])
    )
    code = {"code": None} if dialect.has_codes else {}
    return {**good, "case": "without a key", "key": None, "status": status, "param": None, **code}


def told(dialect: Dialect, fault: Fault) -> str:
    """A fault in a few words."""
    value = culprit(fault)
    shown = "absent" if value is MISSING else brief(value)
    return f"{dialect.param(fault.path) or 'the body'}: {fault.rule}, {shown}"


def brief(value: Any) -> str:
    """A value in a few words."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:30]}... of {len(value)}"
