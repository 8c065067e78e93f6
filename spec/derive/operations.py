"""The cases of each operation: good requests, and bad ones with the error that is expected."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import spec
from spec.derive.schemas import Schema, dereferenced, is_file, types_of
from spec.derive.values import (
    MISSING,
    OF_EACH_TYPE,
    Fault,
    Path,
    distinct,
    faults,
    faulty_value,
    good_values,
    of_rule,
    smallest,
)

Case = dict[str, Any]

# What a field needs beside it. The documents say so in `x-may-refuse` only.
COMPANIONS: Mapping[str, Mapping[str, Any]] = {"resize": {"size": "1024x1024"}}
# What an array needs beside any of its members: a chat has a user.
FIRST_MEMBERS: Mapping[str, Any] = {"messages": {"role": "user", "content": "a red bicycle"}}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # transparent
)
FILE = {"$file": PIXEL}
CONSTRAINTS = {"type", "enum", "const", "anyOf", "oneOf"}  # keywords that say what a value must be
NOT_A_VALUE = "many"  # in a form, where a number or a boolean is expected
NO_KEY = re.compile(r"No key\b")


@dataclass(frozen=True)
class Dialect:
    """How an API names a place in its errors, and whether these have codes."""

    snake_case: bool
    has_codes: bool

    def param(self, path: Path) -> str | None:
        """A place as an error names it."""
        name = ""
        for step in path:
            name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
        name = name.removesuffix("[]")  # image[] is another spelling of image
        if self.snake_case:
            name = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        return name or None

    def expected(self, fault: Fault) -> Case:
        """The answer to a fault."""
        code = {"code": fault.code} if self.has_codes else {}
        return {"status": fault.status, "param": fault.declared_param or self.param(fault.path), **code}


DIALECTS = {
    "openai_images": Dialect(snake_case=False, has_codes=True),
    "openai_chat": Dialect(snake_case=False, has_codes=True),
    "gemini_content": Dialect(snake_case=True, has_codes=False),
}


def derive_all() -> Iterator[tuple[str, str, Case]]:
    """Every operation: the API, its name, and its cases.

    Of operations with the same body the first has all cases of that body. The others name it in `same_body_as` and
    have a single bad one, which shows that their body is checked too.
    """
    for name, dialect in DIALECTS.items():
        document = spec.load(name)
        first_with: dict[str, str] = {}  # the first operation with a body, by the body
        for path, item in document["paths"].items():
            for method in (one for one in spec.METHODS if one in item):
                operation = dereferenced(item[method], document)
                first = first_with.setdefault(json.dumps(operation.get("requestBody", path)), operation["operationId"])
                same = None if first == operation["operationId"] else first
                head = {"request": f"{method.upper()} {path}", **({"same_body_as": same} if same else {})}
                yield name, operation["operationId"], {**head, **derive(dialect, operation, whole_body=not same)}


def derive(dialect: Dialect, operation: spec.Document, *, whole_body: bool) -> Case:
    """The cases of one operation, all of its body or a single bad one."""
    jsons, forms, parameters = (make(dialect, operation) for make in (json_cases, form_cases, parameter_cases))
    good, bad = jsons[0] + forms[0], jsons[1] + forms[1]
    if not whole_body:
        good, bad = [], bad[:1]
    good, bad = good + parameters[0], bad + parameters[1]
    bad.append(without_key(dialect, operation, good[0]))
    number_equal_names([*good, *bad])
    return {"good": good, "bad": bad}


def number_equal_names(cases: list[Case]) -> None:
    """Gives each case a name of its own."""
    counts: Counter[str] = Counter()
    for case in cases:
        counts[case["case"]] += 1
        if counts[case["case"]] > 1:
            case["case"] += f" ({counts[case['case']]})"


Cases = tuple[list[Case], list[Case]]


def json_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Cases with a JSON body."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return [], []
    schema = content["application/json"]["schema"]
    good = [{"case": name, "json": body} for name, body in good_bodies(schema)]
    bad = [
        {"case": description(dialect, fault), "json": body_of(fault), **dialect.expected(fault)}
        for fault in faults(schema)
    ]
    return good, bad


def good_bodies(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """The smallest body, and one for each value of each property."""
    least = smallest(schema)
    yield "only what is required", least
    yield from (("an example of the document", example) for example in schema.get("examples", []))
    for name, inner in checked_properties(schema).items():
        for value in good_values(inner):
            if name in FIRST_MEMBERS:
                value = [FIRST_MEMBERS[name], *value][: inner["maxItems"]]
            yield f"{name}: {brief(value)}", {**least, **COMPANIONS.get(name, {}), name: value}
    for value in (*OF_EACH_TYPE.values(), [7], {"some": "words"}):
        if ignored := ignored_properties(schema):
            yield f"all fields that are ignored: {brief(value)}", {**least, **dict.fromkeys(ignored, value)}


def checked_properties(schema: Schema) -> dict[str, Schema]:
    """The properties whose value is checked."""
    return {name: inner for name, inner in schema["properties"].items() if inner.keys() & CONSTRAINTS}


def ignored_properties(schema: Schema) -> list[str]:
    """The properties that may hold anything."""
    return [name for name, inner in schema["properties"].items() if not inner.keys() & CONSTRAINTS]


def body_of(fault: Fault) -> Any:
    """The body of a fault, with what the faulty field needs beside it."""
    first = fault.path[0] if fault.path else None
    if isinstance(fault.value, dict) and isinstance(first, str):
        return {**COMPANIONS.get(first, {}), **fault.value}
    return fault.value


def form_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Cases with a form, where every value is a text or a file and an empty text is the same as absent."""
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" not in content:
        return [], []
    schema = content["multipart/form-data"]["schema"]
    good = [{"case": f"form, {name}", "form": form} for name, form in good_forms(schema)]
    bad = [
        {"case": f"form, {description(dialect, fault)}", "form": fault.value, **dialect.expected(fault)}
        for fault in form_faults(schema)
    ]
    return good, bad


def good_forms(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """The smallest form, and one for each value of each part."""
    yield "only what is required", least_form(schema)
    for value in ("", "some words"):
        ignored = dict.fromkeys(ignored_properties(schema), value)
        yield f"all fields that are ignored: {brief(value)}", {**least_form(schema), **ignored}
    for name, inner in checked_properties(schema).items():
        for value in good_parts(inner):
            companions = COMPANIONS.get(name, {})
            yield f"{name}: {brief(value)}", {**least_form(schema, name), **companions, name: value}


def least_form(schema: Schema, beside: str = "") -> dict[str, Any]:
    """A form with only what is required; of parts that stand for one another, with the one that is `beside`."""
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
    """The faults of a form: a part that is missing, and a part that is wrong."""
    least = least_form(schema)
    for name in least:
        yield of_rule("required", {one: part for one, part in least.items() if one != name}).at(name)
        yield of_rule("required", {**least, name: ""}).at(name)
    for name, inner in schema["properties"].items():
        for fault in part_faults(inner):
            yield fault.below(name, {**least_form(schema, name), name: fault.value})


def part_faults(schema: Schema) -> Iterator[Fault]:
    """The faults of one part, as texts."""
    if is_file(schema) or not schema.keys() & CONSTRAINTS:
        return
    if types_of(schema) == {"array"}:
        yield of_rule("maxItems", good_parts(schema["items"])[:1] * (schema["maxItems"] + 1))
    elif inner := schema.get("contentSchema"):
        yield from (replace(one, value=text_of(one.value)) for one in faults(inner) if one.value)
    elif {"integer", "number", "boolean"} & types_of(schema):
        yield of_rule("type", NOT_A_VALUE)
        yield from (fault for fault in faulty_texts(schema) if fault.rule in ("minimum", "maximum", "type"))
    else:
        yield from (fault for fault in faulty_texts(schema) if fault.rule in ("enum", "maxLength", "refused"))


def faulty_texts(schema: Schema) -> Iterator[Fault]:
    """Faults that are still faults when they are written as texts."""
    for fault in faults(schema):
        is_scalar = isinstance(fault.value, str | int | float) and not isinstance(fault.value, bool)
        if is_scalar and fault.value != "" and not (fault.rule == "type" and isinstance(fault.value, str)):
            yield replace(fault, value=text_of(fault.value))


def parameter_cases(dialect: Dialect, operation: spec.Document) -> Cases:
    """Cases with parameters of the path and the query."""
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
                expected = dialect.expected(placed) | {
                    "param": name
                }  # names of a query are never changed to snake_case
                bad.append({"case": description(dialect, placed), place: {name: fault.value}, **expected})
    return good, bad


def query_cases(operation: spec.Document) -> list[Case]:
    """Cases with a query beside the smallest body."""
    body = smallest(operation["requestBody"]["content"].get("application/json", {"schema": {}})["schema"])
    return [
        {"case": f"{one['name']}: {brief(value)}", "query": {one["name"]: value}, "json": body}
        for one in operation.get("parameters", [])
        if one["in"] == "query"
        for value in known_values(one)
    ]


def known_values(parameter: spec.Document) -> list[str]:
    """Values of a parameter that are accepted, as texts: those that the document lists."""
    schema = parameter["schema"]
    examples = [one["value"] for one in parameter.get("examples", {}).values()]
    listed = [value for branch in schema.get("anyOf", []) for value in (*branch.get("enum", ()), *constant(branch))]
    bounds = [branch["minimum"] for branch in schema.get("anyOf", []) if "minimum" in branch]
    return distinct(text_of(value) for value in (*examples, *listed, *bounds))


def constant(branch: Schema) -> list[Any]:
    return [branch["const"]] if "const" in branch else []


def without_key(dialect: Dialect, operation: spec.Document, good: Case) -> Case:
    """A good request without a key, and the status that the document gives for it."""
    status = next(
        int(status) for status, answer in operation["responses"].items() if NO_KEY.match(answer["description"])
    )
    code = {"code": None} if dialect.has_codes else {}
    return {**good, "case": "without a key", "key": None, "status": status, "param": None, **code}


def description(dialect: Dialect, fault: Fault) -> str:
    """A fault in a few words."""
    value = faulty_value(fault)
    found = "absent" if value is MISSING else brief(value)
    return f"{dialect.param(fault.path) or 'the body'}: {fault.rule}, {found}"


def brief(value: Any) -> str:
    """A value in a few words."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:30]}... of {len(value)}"
