"""`python -m spec.reference`: writes `docs/api.md`, the reference of the APIs, from their documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spec import METHODS, Document, load, resolve

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
TITLES = {
    "openai_images": "OpenAI's surface",
    "openai_chat": "Chats on OpenAI's surface",
    "gemini_content": "Google's surface",
}
ERRORS = {"openai_images": "OpenAI's error statuses", "gemini_content": "Google's error statuses"}
HEADERS = {"openai_images": "Headers on OpenAI's surface", "gemini_content": "Headers on Google's surface"}
OBJECTS = {"openai_images": "OpenAI's objects", "openai_chat": "Objects of chats", "gemini_content": "Google's objects"}
SCHEMAS = "#/components/schemas/"
LONGEST_EXAMPLE = 40  # characters of a value that stands in a table
LONGEST_TEXT = 60  # characters of a text in an example
MOST_EXAMPLES = 4
SENTENCE = re.compile(r"(?<=\.) ")
OWN_KEYWORDS = re.compile(r"`x-(also-at|may-refuse|known-values)`")  # the page shows them in words
CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]")

INTRODUCTION = """# API reference

This page is written by `python -m spec.reference` from the documents in [`spec/`](../spec/README.md); change
those, not this page. All are also served as one OpenAPI document at `/openapi.json`. The
[README](../README.md#what-happens-to-a-parameter) says what happens to each parameter of OpenAI's;
[errors.md](errors.md) lists all errors; [operations.md](operations.md) describes the endpoints for operators.

The path decides which API a request belongs to. `/v1/images/...`, `/v1/chat/...`, `/v1beta/openai/...` and
`/openai/...` are OpenAI's. A path that ends in `:method`, and all other paths below `/v1beta` and `/v1alpha`, are
Google's. On `/v1/models` the key decides: with `x-goog-api-key` or `?key=` the request is Google's, otherwise OpenAI's.

In a request null is the same as absent, and so is an empty value of a form. "Refused" names values that are refused
although their type is right."""


def page() -> str:
    """The whole reference in Markdown."""
    return "\n\n".join([INTRODUCTION, *(block for name in TITLES for block in surface(name))]) + "\n"


def surface(name: str) -> Iterator[str]:
    """One API: its keys, operations, errors, headers and objects."""
    document = load(name)
    yield f"## {TITLES[name]}"
    yield " ".join(one for one in SENTENCE.split(document["info"]["description"]) if not OWN_KEYWORDS.search(one))
    yield "The key can be sent in any of these ways:" if len(keys(document)) > 1 else "The key is sent as:"
    yield "\n".join(f"- {one}" for one in keys(document))
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield from operation(method, path, item, document)
    if name in ERRORS:
        yield f"## {ERRORS[name]}"
        yield errors(document)
        yield f"## {HEADERS[name]}"
        yield headers(document)
    yield f"## {OBJECTS[name]}"
    requested = request_schemas(document)
    elsewhere = {} if name in ERRORS else load("openai_images")["components"]["schemas"]
    for title, schema in document["components"]["schemas"].items():
        if is_object(schema) and title not in elsewhere:
            yield from described(title, schema, document, requested)


def keys(document: Document) -> list[str]:
    """The ways in which a key can be sent."""
    places = {"header": "the header `{}`", "query": "the query parameter `{}`"}
    return [
        f"{places[scheme['in']].format(scheme['name']) if 'in' in scheme else '`Authorization: Bearer`'}. "
        f"{scheme['description']}"
        for scheme in document["components"]["securitySchemes"].values()
    ]


def operation(method: str, path: str, item: Document, document: Document) -> Iterator[str]:
    """One operation: its parameters, its body and its answer."""
    found = item[method]
    yield f"### {method.upper()} {path}"
    others = ", ".join(f"`{other}`" for other in item.get("x-also-at", {}))
    also = f" Also at {others}." if others else ""
    yield f"{found['summary']}.{also} {found.get('description', '')}".rstrip()
    if parameters := [resolve(one, document) for one in found.get("parameters", [])]:
        yield table(
            ("parameter", "in", "description"),
            [(f"`{one['name']}`", one["in"], meaning(one, one["schema"], document)) for one in parameters],
        )
    if content := found.get("requestBody", {}).get("content"):
        yield (
            "The body is "
            + ", or ".join(f"{type_of(media['schema'], document)} as `{kind}`" for kind, media in content.items())
            + "."
        )
    for status, answer in found["responses"].items():
        if status.startswith("2"):
            response = resolve(answer, document)
            bodies = " or ".join(
                f"{type_of(media['schema'], document)} as `{kind}`" for kind, media in response["content"].items()
            )
            yield f"The answer is {status} with {bodies}. {response['description']}"


def errors(document: Document) -> str:
    """The error statuses of this API, which all operations share."""
    found = {
        status: (status, response["description"], ", ".join(bodies_of(response, document)))
        for item in document["paths"].values()
        for method in METHODS
        for status, answer in item.get(method, {}).get("responses", {}).items()
        if not status.startswith("2") and (response := resolve(answer, document))
    }
    return table(("status", "reason", "body"), [found[status] for status in sorted(found)])


def bodies_of(response: Document, document: Document) -> list[str]:
    """The objects that a response may have as its body."""
    schemas = [media["schema"] for media in response["content"].values() if "schema" in media]
    return list(dict.fromkeys(type_of(schema, document) for schema in schemas))


def headers(document: Document) -> str:
    """The headers that answers of this API may have."""
    found = {
        name: resolve(header, document)["description"]
        for item in document["paths"].values()
        for method in METHODS
        for answer in item.get(method, {}).get("responses", {}).values()
        for name, header in resolve(answer, document)["headers"].items()
    }
    return table(("header", "description"), [(f"`{name}`", text) for name, text in found.items()])


def described(title: str, schema: Document, document: Document, requested: set[str]) -> Iterator[str]:
    """An object: its description, its fields, and an example."""
    yield f"### {title}"
    if text := schema.get("description"):
        yield text
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`" + (" (required)" if name in required else ""),
            type_of(one, document, nulls=title not in requested),
            meaning(one, one, document),
        )
        for name, one in properties.items()
        if not has_camel_case(name, properties)
    ]
    if rows:
        yield table(("field", "type", "description"), rows)
    else:
        yield f"Either {type_of({'anyOf': choices(schema)}, document)}."
    if examples := schema.get("examples"):
        yield f"```json\n{json.dumps(shortened(examples[0]), indent=2, ensure_ascii=False)}\n```"


def type_of(schema: Document, document: Document, *, nulls: bool = False) -> str:
    """The type of a value in words, with links to objects."""
    if "$ref" in schema:
        found = resolve(schema, document)
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f"[{name}](#{name.lower()})" if is_object(found) else type_of(found, document, nulls=nulls)
    if "enum" in schema or "const" in schema:
        values = [one for one in schema.get("enum", [schema.get("const")]) if one not in ("", None) or nulls]
        return " or ".join(f"`{json.dumps(one)}`" for one in values)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    words = [type_words(kind, schema, document) for kind in kinds if kind != "null" or nulls]
    if not words:
        words = [type_of(one, document, nulls=nulls) for one in choices(schema)]
    if kinds == ["null"]:
        return ""
    return " or ".join(dict.fromkeys(word for word in words if word)) or "anything"


def type_words(kind: str, schema: Document, document: Document) -> str:
    """One JSON type with its bounds."""
    if kind == "array":
        bounds = between(schema.get("minItems"), schema.get("maxItems"))
        inner = type_of(schema.get("items", {}), document)
        return f"array of {bounds + ' ' if bounds else ''}{f'({inner})' if ' or ' in inner else inner}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {type_of(schema['additionalProperties'], document)}"
    if kind == "string" and "contentSchema" in schema:
        return f"JSON: {type_of(schema['contentSchema'], document)}"
    if kind == "string" and "maxLength" in schema:
        return f"string of {between(schema.get('minLength'), schema['maxLength'])} characters"
    if kind in ("integer", "number"):
        return f"{kind} {between(schema.get('minimum'), schema.get('maximum'))}".rstrip()
    return kind


def between(lowest: float | None, highest: float | None) -> str:
    """`1 to 10`."""
    if lowest is None:
        return "" if highest is None else f"up to {highest}"
    if highest is None:
        return f"{lowest} or more"
    return f"{lowest}" if lowest == highest else f"{lowest} to {highest}"


def meaning(declared: Document, schema: Document, document: Document) -> str:
    """The description of a parameter or field, known values or examples, and which values are refused."""
    found = resolve(schema, document)
    texts = [declared.get("description") or found.get("description", "")]
    if known := declared.get("x-known-values") or found.get("x-known-values"):
        texts.append(f"Known values: {', '.join(f'`{one}`' for one in known)}.")
    elif not is_object(found) and "enum" not in found:
        examples = declared.get("examples") or found.get("examples") or []
        values = [one["value"] for one in examples.values()] if isinstance(examples, dict) else examples
        short = [one for one in map(json.dumps, values) if len(one) <= LONGEST_EXAMPLE][:MOST_EXAMPLES]
        if short:
            texts.append(f"For example {', '.join(f'`{one}`' for one in short)}.")
    if refused := declared.get("x-may-refuse") or found.get("x-may-refuse"):
        texts.append(f"Refused: {refused[0].lower()}{refused[1:]}")
    return " ".join(filter(None, texts))


def is_object(schema: Document) -> bool:
    """Whether a schema gets a heading of its own: it has fields, or is a choice of objects that have."""
    return "properties" in schema or any("$ref" in one for one in choices(schema))


def choices(schema: Document) -> list[Document]:
    """The alternatives of a schema."""
    found: list[Document] = schema.get("anyOf") or schema.get("oneOf") or []
    return found


def request_schemas(document: Document) -> set[str]:
    """The names of all schemas of requests. There null is the same as absent, and the types do not mention it."""
    found: set[str] = set()
    left = [one.get("requestBody", {}) for item in document["paths"].values() for one in item.values()]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            name = value.get("$ref", "")
            if isinstance(name, str) and name.startswith(SCHEMAS) and name not in found:
                found.add(name)
                left.append(resolve(value, document))
    return {name.removeprefix(SCHEMAS) for name in found}


def has_camel_case(name: str, names: Document) -> bool:
    """Whether this is the snake_case spelling of a field that has a camelCase one."""
    return any(other != name and CAPITAL.sub(lambda at: f"_{at[0].lower()}", other) == name for other in names)


def shortened(value: Any) -> Any:
    """An example without the base64 of its images."""
    if isinstance(value, dict):
        return {name: shortened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT and " " not in value and not value.startswith("http"):
        return f"{value[:20]}..."
    return value


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE}")
