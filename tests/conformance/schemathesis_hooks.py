"""Loaded by schemathesis in its own process: what to send as a file, and which forms are better than they are meant."""

import base64
import json
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import strategies
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth
from schemathesis.transport.serialization import Binary

TRANSPARENT_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OPAQUE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
WEBP = base64.b64decode("UklGRhoAAABXRUJQVlA4TA4AAAAvAAAAAAcQEf0PRET/Aw==")

# Mostly pictures: a file of anything is refused at once, and shows little.
pictures = strategies.sampled_from([TRANSPARENT_PNG] * 6 + [OPAQUE_PNG, WEBP, TRANSPARENT_PNG[:20]])
schemathesis.openapi.format("binary", strategies.one_of(pictures, pictures, pictures, strategies.binary()).map(Binary))

ACCEPTED = 202


@schemathesis.check
def wrong_key_is_refused(ctx: Any, response: Any, case: schemathesis.Case) -> bool | None:
    """Hold `ignored_auth` against the requests whose key is checked before they are answered with 401 or 403.

    The lists of models are our own. A job is accepted before its key is used, and is not there for any other key.
    Google answers a wrong key with status 400, which passes through as it is.
    """
    path = case.operation.path
    is_checked_at_once = case.operation.method != "get" and response.status_code != ACCEPTED
    if is_checked_at_once and not path.endswith("}") and ":" not in path:
        return bool(ignored_auth(ctx, response, case))
    return None


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out forms that are meant to be wrong and are right once they are sent.

    A part of a form is a text: a list of one number, a number and its digits are the same on the wire.
    """
    is_form = case.media_type == "multipart/form-data" and isinstance(case.body, dict)
    if not is_form or case.meta is None or case.meta.generation.mode is not GenerationMode.NEGATIVE:
        return True
    return not is_right_on_the_wire(case.body, case.operation)


def is_right_on_the_wire(body: dict[str, Any], operation: Any) -> bool:
    """Whether the parts of a form have what is required, and each is right in one of the ways to read it."""
    document = operation.schema.raw_schema
    content = document["paths"][operation.path][operation.method]["requestBody"]["content"]
    name = content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
    form = document["components"]["schemas"][name]
    sent = {name: texts for name, value in body.items() if (texts := texts_of(value))}
    required = jsonschema_rs.validator_for({word: form[word] for word in ("required", "anyOf") if word in form})
    return required.is_valid(dict.fromkeys(sent, "")) and all(
        any(is_valid(reading, form["properties"][name], document) for reading in readings(text, name))
        for name, texts in sent.items()
        if name in form["properties"]
        for text in texts
    )


def texts_of(value: Any) -> list[str]:
    """The parts that a value becomes."""
    return [text_of(one) for one in (value if isinstance(value, list) else [value])]


def text_of(value: Any) -> str:
    if isinstance(value, bytes | Binary):
        return "a file"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def readings(text: str, name: str) -> list[Any]:
    """What a part may stand for."""
    read: list[Any] = [[text] if name == "image[]" else text]
    for understand in (int, float):
        try:
            read.append(understand(text))
        except ValueError:
            continue
    return read


def is_valid(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    try:
        return bool(
            jsonschema_rs.validator_for({"allOf": [schema], "components": document["components"]}).is_valid(value)
        )
    except ValueError:  # NaN and Infinity are no JSON
        return False
