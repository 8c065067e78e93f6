"""The APIs as OpenAPI documents, and all of them merged into the one that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

Document = dict[str, Any]

NAMES = ("openai_images", "openai_chat", "gemini_content")
KEPT = ("name", "in", "description")  # of a parameter that only one of two APIs reads
PARAMETER = re.compile(r"\{(\w+)\}")  # of a path
PARAMETERS: Document = {  # that only further paths have
    "deployment": {
        "description": "The model's name. It wins over `model` in the body.",
        "schema": {"type": "string", "minLength": 1},
    }
}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
INFO = {
    "title": "Twinlens",
    "version": "1",
    "summary": "One image model behind two APIs.",
    "description": "OpenAI's Images API and chat completions, and Google's Gemini API, as their SDKs use them. "
    "The path of a request decides which API it belongs to. On a path that both have, a request with its key in "
    "`x-goog-api-key` or `key` is Google's, any other is OpenAI's. `x-may-refuse` says when a value is refused "
    "although its schema allows it; `x-known-values` lists the known values of an open enum.",
}


@cache
def load(name: str) -> Document:
    """One of the documents, by its name. It is read once and shared: do not change it.

    It has the components of its `x-components-of`, another document, as far as it refers to them.
    """
    document: Document = json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
    if other := document.pop("x-components-of", None):
        take_components(document, load(other)["components"])
    return document


def take_components(document: Document, known: Mapping[str, Any]) -> None:
    """Adds the known components that a document refers to, and those that they refer to."""
    components = document["components"]
    components["securitySchemes"] = known["securitySchemes"]
    left = list(references(document))
    while left:
        _, _, kind, name = left.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = known[kind][name]
            left += references(known[kind][name])


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a value."""
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from references(one)


@cache
def openapi() -> Document:
    """All documents as one, in which every path is an entry. It is built once and shared: do not change it."""
    documents = [load(name) for name in NAMES]
    merged: Document = {
        "openapi": documents[0]["openapi"],
        "info": INFO,
        "x-sources": [source for document in documents for source in document["x-sources"]],
        "tags": list({tag["name"]: tag for document in documents for tag in document["tags"]}.values()),
        "paths": {},
        "components": {},
    }
    for document in documents:
        for kind, components in document["components"].items():
            add_components(merged["components"].setdefault(kind, {}), components)
    for document in documents:
        for path, item in path_items(document):
            known = merged["paths"].get(path)
            merged["paths"][path] = either_item(known, item, merged) if known else item
    return merged


def path_items(document: Document) -> Iterator[tuple[str, Document]]:
    """Every path with its operations: those in `paths`, and those that a path item lists in `x-also-at`."""
    for path, item in document["paths"].items():
        operations = {method: item[method] for method in METHODS if method in item}
        yield path, operations
        for other_path, operation_id in item.get("x-also-at", {}).items():
            yield (
                other_path,
                {
                    method: {**operation, "operationId": operation_id, **more_parameters(path, other_path, operation)}
                    for method, operation in operations.items()
                },
            )


def more_parameters(path: str, other_path: str, operation: Document) -> Document:
    """The parameters of an operation at another path that has more of them: Azure's deployment."""
    names = [name for name in PARAMETER.findall(other_path) if name not in PARAMETER.findall(path)]
    added = [{"name": name, "in": "path", "required": True, **PARAMETERS[name]} for name in names]
    return {"parameters": [*operation.get("parameters", []), *added]} if added else {}


def add_components(known: Document, more: Mapping[str, Any]) -> None:
    """Adds components. Raises ValueError if two have the same name and differ."""
    for name, component in more.items():
        if known.setdefault(name, component) != component:
            raise ValueError(f"two documents have a component {name}, and they differ")


def either_item(first: Document, second: Document, document: Document) -> Document:
    """The path item of a path that both APIs have."""
    both = first.keys() & second.keys()
    return first | second | {method: either_operation(first[method], second[method], document) for method in both}


def either_operation(first: Document, second: Document, document: Document) -> Document:
    """The operation of a path that both APIs have: the credential decides which API answers."""
    responses = [operation["responses"] for operation in (first, second)]
    return {
        "operationId": f"{first['operationId']}Or{second['operationId'][0].upper()}{second['operationId'][1:]}",
        "tags": first["tags"] + second["tags"],
        "summary": first["summary"],
        "description": "A request with its key in `x-goog-api-key` or `key` gets Google's answer, any other OpenAI's. "
        "A key is required but not checked.",
        "security": first["security"] + [one for one in second["security"] if one not in first["security"]],
        "parameters": either_parameters(first, second, document),
        "responses": {
            status: either_response([resolve(one[status], document) for one in responses if status in one])
            for status in dict.fromkeys([*responses[0], *responses[1]])
        },
    }


def either_parameters(first: Document, second: Document, document: Document) -> list[Document]:
    """The parameters of both. One that a single API reads may be any text, because the other API ignores it."""
    known = [
        {(parameter["name"], parameter["in"]): parameter for parameter in parameters}
        for parameters in (
            [resolve(parameter, document) for parameter in operation.get("parameters", [])]
            for operation in (first, second)
        )
    ]
    shared = known[0].keys() & known[1].keys()
    return [
        parameter if key in shared else {"schema": {"type": "string"}} | {name: parameter[name] for name in KEPT}
        for key, parameter in (known[1] | known[0]).items()
    ]


def either_response(responses: list[Document]) -> Document:
    """One response that allows what any of them allows."""
    content: dict[str, list[Document]] = {}
    for response in responses:
        for media_type, media in response["content"].items():
            content.setdefault(media_type, []).append(media.get("schema", {}))
    headers = [response["headers"] for response in responses]
    return {
        "description": " Or: ".join(dict.fromkeys(response["description"] for response in responses)),
        "headers": {name: header for one in reversed(headers) for name, header in one.items()},
        "content": {
            media_type: {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}
            for media_type, schemas in content.items()
        },
    }


def resolve(value: Document, document: Document) -> Document:
    """What a `$ref` refers to, or the value itself if it is no reference."""
    if "$ref" not in value:
        return value
    found = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found
