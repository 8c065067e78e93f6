"""Validates values, requests and answers against the documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator

import spec

SCHEMA_PREFIX = "#/components/schemas/"


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator for a schema whose references are those of the document."""
    return Draft202012Validator({"allOf": [schema], "components": document["components"]})


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """The operation of a method and a path. A model's name may have slashes."""
    path = unquote(urlsplit(path).path)
    for template, item in document["paths"].items():
        for pattern_path in (template, *item.get("x-also-at", {})):
            pattern = re.escape(pattern_path).replace(re.escape("{model}"), "[^:]+")
            if method.lower() in item and re.fullmatch(pattern, path):
                return item[method.lower()]
    raise LookupError(f"no operation for {method} {path}")


def request_complaints(document: dict[str, Any], method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a JSON request."""
    content = operation(document, method, path)["requestBody"]["content"]
    return complaints(document, content["application/json"]["schema"], body)


def answer_complaints(
    document: dict[str, Any], method: str, path: str, status: int, headers: Mapping[str, str], body: str | Any
) -> list[str]:
    """What is wrong with an answer. Its body is text, or JSON that was already read."""
    responses = operation(document, method, path)["responses"]
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    if response is None:
        return [f"status {status} is not described"]
    content = spec.resolve(response, document)["content"]
    media_type = {name.lower(): value for name, value in headers.items()}.get("content-type", "application/json")
    media_type = media_type.split(";")[0].strip().lower()
    if media_type not in content:
        return [f"content type {media_type} is not described for status {status}"]
    if media_type == "text/event-stream" and isinstance(body, str) and status == 200:
        schema = spec.resolve(content[media_type]["schema"], document)["properties"]["data"]["contentSchema"]
        return [found for event in events(body) for found in complaints(document, schema, event)]
    value = json.loads(body) if isinstance(body, str) else body
    return complaints(document, content["application/json"]["schema"], value)


def complaints(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(document, schema).iter_errors(value)]


def events(text: str) -> Iterator[Any]:
    """The data of server-sent events."""
    for event in re.split(r"(?:\r\n|\r|\n){2}", text):
        data = [
            line.removeprefix("data:").strip() for line in re.split(r"\r\n|\r|\n", event) if line.startswith("data:")
        ]
        if data:
            yield json.loads("\n".join(data))
