"""The Images API for a server that speaks it: requests and answers pass as they came, where that is possible."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from math import ceil
from typing import Any

from flask import Response, request

from compat.formats import BY_ENDING, format_of
from compat.image_models import ServedModel
from compat.images import MOST_PICTURES
from compat.openai_fields import LONGEST_MODEL
from compat.openai_images.form import Form
from compat.openai_images.renaming import Pieces, form_with_model, json_with_model
from compat.openai_images.request import wanted_format
from compat.openai_images.response import write_answer
from compat.sizes import parse_pixels
from proxy.access.estimates import Expected
from proxy.pictures.store import store_pictures
from proxy.purchases.call import Made
from proxy.routes import the_observation, the_service
from proxy.routes.buying import buy, seconds_to_keep
from proxy.routes.catalogue import the_catalogue
from proxy.routes.passthrough import headers_up, pass_answer
from proxy.routes.stored_images import url_of_image
from proxy.routes.targets import the_target
from proxy.upstream.client import UpstreamAnswer

OURS = {"aspect_ratio", "image_size", "resize", "google", "extra_body", "image", "image_url"}  # not OpenAI's fields
HEADERS_UP = ("user-agent", "openai-organization", "openai-project", "x-client-request-id", "x-stainless-retry-count")
FORMAT_OF_PICTURE = re.compile(rb'"(b64_json|url)"\s*:\s*"')
LARGEST_N = 10_000
LOOK_AHEAD = 64 * 1024  # bytes at the start of an answer that are searched for its first picture


def pass_json(operation: str, body: bytes, content: Any, default_format: str) -> Response | None:
    """The answer to a JSON request that can pass as it came; None for any other request."""
    fields = content if isinstance(content, dict) else {}
    if not (model := fitting_model(operation, fields, default_format)):
        return None
    pieces = json_with_model(body, model.upstream_name)
    images = fields.get("images")
    inputs = (len(images) if isinstance(images, list) else 0) + ("mask" in fields)
    return pass_request(operation, pieces, "application/json", fields, inputs, model, default_format)


def pass_form(operation: str, body: bytes, form: Form, default_format: str) -> Response | None:
    """The same for a multipart form, of which `body` is the whole as it came."""
    fields = form.fields
    if not is_plain(form) or not (model := fitting_model(operation, fields, default_format)):
        return None
    pieces = form_with_model(body, request.mimetype_params["boundary"].encode("ascii"), model.upstream_name)
    inputs = len(form.images) + len(form.masks)
    return pass_request(operation, pieces, request.headers["content-type"], fields, inputs, model, default_format)


def fitting_model(operation: str, fields: Mapping[str, Any], default_format: str) -> ServedModel | None:
    """The requested model, if its server can answer the request as it is."""
    service, name = the_service(), fields.get("model")
    if not service.has_openai_servers or not isinstance(name, str | None) or len(name or "") > LONGEST_MODEL:
        return None
    model = the_catalogue().resolve(name)
    return model if can_answer(model, operation, fields, default_format) else None


def can_answer(model: ServedModel, operation: str, fields: Mapping[str, Any], default_format: str) -> bool:
    """Whether the model's server knows all fields, and can send pictures in the format that is asked for."""
    server = model.upstream.openai
    if not server:
        return False
    ours = OURS | ({"images", "mask"} if operation == "generations" else set())
    given = {name for name, value in fields.items() if value not in (None, "")}
    size = fields.get("size")
    output_format = fields.get("output_format")
    known = BY_ENDING.get(output_format.lower()) if isinstance(output_format, str) else None
    return (
        (server.edits or operation == "generations")
        and (known is None or known.name == output_format)
        and has_plain_pictures(fields)
        and not (given & ours) - server.fields
        and (server.response_format or "response_format" not in given)
        and (server.urls or response_format_of(fields, model, default_format) == "b64_json")
        and (not isinstance(size, str) or size in ("", "auto") or parse_pixels(size) is not None)
    )


def has_plain_pictures(fields: Mapping[str, Any]) -> bool:
    """Whether the pictures of a JSON edit are written as OpenAI documents it."""
    images, mask = fields.get("images"), fields.get("mask")
    references = [*images, mask or {}] if isinstance(images, list) else [images or {}, mask or {}]
    return all(isinstance(one, dict) and isinstance(one.get("image_url", ""), str) for one in references)


def is_plain(form: Form) -> bool:
    """Whether the pictures of a form are files under OpenAI's names, in formats that need no conversion."""
    return all(
        part.is_file
        and (part.name == "mask" if part.is_mask else part.name.startswith("image[") or part.name == "image")
        and (known := format_of(part.data)) is not None
        and not known.becomes_png
        for part in (*form.images, *form.masks)
    ) and not any(part.is_file and isinstance(form.fields.get(part.name), str) for part in form.parts)


def response_format_of(fields: Mapping[str, Any], model: ServedModel, default_format: str) -> str:
    """url or b64_json. In a stream it is always the latter."""
    if fields.get("stream") in (True, "true"):
        return "b64_json"
    return wanted_format(fields.get("response_format"), model, default_format)


def pass_request(
    operation: str,
    body: Pieces,
    content_type: str,
    fields: Mapping[str, Any],
    inputs: int,
    model: ServedModel,
    default_format: str,
) -> Response:
    """The server's answer to a request with so many `inputs`, pictures to start from.

    It passes as it came, unless its pictures have the other response_format.
    """
    service, observation = the_service(), the_observation()
    observation.note_model(model)
    target = the_target(model)
    headers, seconds = headers_up(HEADERS_UP), seconds_to_keep()
    response_format = response_format_of(fields, model, default_format)
    url_of = url_of_image() if response_format == "url" else None
    pictures = min(int(n), MOST_PICTURES) if (n := str(fields.get("n"))).isdecimal() else 1

    def make() -> Made:
        answer = target.call(f"images/{operation}", body, content_type=content_type, headers=headers)
        is_json = answer.status == 200 and answer.content_type.startswith("application/json")
        if not is_json or look_ahead(answer) in (response_format, None):
            observation.pictures = pictures if answer.status == 200 else 0
            made = pass_answer(answer, target, observation)
            return replace(made, flows=made.flows and not is_json)  # half a picture would be bought again
        events = target.read(answer)
        if url_of:
            events = store_pictures(events, service.store, url_of, seconds)
        chunks = write_answer(observation.events(events), created=int(time.time()), prices=model.upstream.prices)
        return Made(200, {"Content-Type": "application/json"}, chunks)

    words = len(str(fields.get("prompt")).encode("utf-8", "replace"))
    detailed = "input_fidelity" in fields  # which costs thousands of tokens more
    return buy(make, lambda: Expected(model, most_pictures(fields.get("n")), None, words, inputs, has_files=detailed))


def most_pictures(n: Any) -> int:
    """How many pictures a server may read the field `n` as: it passes as it came."""
    try:
        return max(1, min(ceil(float(n)), LARGEST_N))
    except (TypeError, ValueError, OverflowError):
        return 1


def look_ahead(answer: UpstreamAnswer) -> str | None:
    """The response_format of the answer's first picture; None if its start has none. The answer stays whole."""
    start = b""
    for chunk in answer.chunks:
        start += chunk
        if FORMAT_OF_PICTURE.search(start) or len(start) > LOOK_AHEAD:
            break
    answer.chunks = chain([start], answer.chunks)
    found = FORMAT_OF_PICTURE.search(start)
    return found[1].decode() if found else None
