"""The Images API to a server that speaks it: a window, through which requests and answers pass as they came."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from itertools import chain
from typing import Any

from flask import Response, request

from compat.image_models import Api, ServedModel
from compat.images import MOST_PICTURES
from compat.openai_images.form import Form
from compat.openai_images.renaming import Pieces, form_with_model, json_with_model
from compat.openai_images.request import LONGEST_MODEL, wanted_format
from compat.openai_images.response import write_answer
from compat.sizes import parse_pixels
from proxy.caller import patience
from proxy.generation.generation import explain_failures
from proxy.generation.languages import LANGUAGES
from proxy.generation.linked_images import fetch_links
from proxy.pictures.store import store_pictures
from proxy.routes import the_service
from proxy.routes.flow import flow
from proxy.routes.observing import observation
from proxy.routes.passthrough import headers_up, pass_on
from proxy.routes.stored_images import url_of_image
from proxy.upstream.client import UpstreamAnswer

OURS = {"aspect_ratio", "image_size", "resize", "google", "extra_body"}  # fields that OpenAI does not have
HEADERS_UP = ("user-agent", "openai-organization", "openai-project", "x-client-request-id", "x-stainless-retry-count")
FORM_OF_PICTURE = re.compile(rb'"(b64_json|url)"\s*:\s*"')
LOOK = 64 * 1024  # bytes at the start of an answer in which its first picture's form is looked for


def pass_json(operation: str, body: bytes, content: Any, key: str, default_format: str) -> Response | None:
    """The answer to a JSON request that can pass as it came; None for any other request."""
    fields = content if isinstance(content, dict) else {}
    if not (model := model_behind(fields)):
        return None
    wanted = wanted_form(fields, model, default_format)
    if not fits(fields, operation, model, wanted):
        return None
    pieces = json_with_model(body, model.upstream_name)
    return pass_through(operation, pieces, "application/json", fields, model, key, wanted)


def pass_form(operation: str, body: bytes, form: Form, key: str, default_format: str) -> Response | None:
    """The same for a multipart form, of which `body` is the whole as it came."""
    fields = dict(form.texts)
    if not (model := model_behind(fields)):
        return None
    wanted = wanted_form(fields, model, default_format)
    if not fits(fields, operation, model, wanted):
        return None
    pieces = form_with_model(body, request.mimetype_params["boundary"].encode("ascii"), model.upstream_name)
    return pass_through(operation, pieces, request.headers["content-type"], fields, model, key, wanted)


def model_behind(fields: Mapping[str, Any]) -> ServedModel | None:
    """The model that is asked for, if its server speaks OpenAI's API."""
    service, name = the_service(), fields.get("model")
    if not service.has_windows or not isinstance(name, str | None) or len(name or "") > LONGEST_MODEL:
        return None
    model = service.catalogue.resolve(name)
    return model if model.upstream.openai else None


def wanted_form(fields: Mapping[str, Any], model: ServedModel, default_format: str) -> str:
    """url or b64_json. In a stream it is always the latter."""
    if fields.get("stream") in (True, "true"):
        return "b64_json"
    return wanted_format(fields.get("response_format"), model, default_format)


def fits(fields: Mapping[str, Any], operation: str, model: ServedModel, wanted: str) -> bool:
    """Whether the model's server knows all that is asked for, and can answer as it is wanted."""
    server = model.upstream.openai
    assert server  # it is behind the window
    ours = OURS | {"image"} if operation == "generations" else OURS
    told = {name for name, value in fields.items() if value not in (None, "")}
    size = fields.get("size")
    return (
        (server.edits or operation == "generations")
        and not (told & ours) - server.fields
        and (server.response_format or "response_format" not in told)
        and (server.urls or wanted == "b64_json")
        and (not isinstance(size, str) or size in ("", "auto") or parse_pixels(size) is not None)
    )


def pass_through(
    operation: str,
    body: Pieces,
    content_type: str,
    fields: Mapping[str, Any],
    model: ServedModel,
    key: str,
    wanted: str,
) -> Response:
    """The server's answer. It passes as it came, unless its pictures are not as `wanted`: url or b64_json."""
    service, seen = the_service(), observation()
    seen.note_model(model)
    upstream = service.upstream_of(model)
    key_up = service.settings.key_of(model.upstream, key)
    answer = upstream.call(
        f"images/{operation}",
        body,
        key_up,
        content_type=content_type,
        headers=headers_up(HEADERS_UP),
        timeout=patience(request.headers),
        times=seen.call(),
    )
    language = LANGUAGES[Api.OPENAI]
    is_plain = answer.status == 200 and answer.content_type.startswith("application/json")
    if not is_plain or look_ahead(answer) in (wanted, None):
        if answer.status == 200:
            seen.pictures = min(int(n), MOST_PICTURES) if (n := str(fields.get("n"))).isdecimal() else 1
        return pass_on(answer, key_up, language)
    events = language.read(answer.chunks, answer.content_type)
    events = explain_failures(fetch_links(events, upstream, key_up, None), model, key_up)
    if wanted == "url":
        events = store_pictures(events, service.store, url_of_image())
    chunks = write_answer(seen.events(events), created=int(time.time()), prices=model.upstream.prices)
    if wanted == "url":
        chunks = iter([b"".join(chunks)])
    return flow(chunks, {"Content-Type": "application/json"})


def look_ahead(answer: UpstreamAnswer) -> str | None:
    """The form of the answer's first picture; None if its start does not tell. The answer is still whole afterwards."""
    start = b""
    for chunk in answer.chunks:
        start += chunk
        if FORM_OF_PICTURE.search(start) or len(start) > LOOK:
            break
    answer.chunks = chain([start], answer.chunks)
    found = FORM_OF_PICTURE.search(start)
    return found[1].decode() if found else None
