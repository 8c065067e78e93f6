"""OpenAI's Images API."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.request import sent_aspect_ratio
from compat.image_models import ModelCatalogue
from compat.openai_images.form import Form
from compat.openai_images.request import (
    OpenAIRequest,
    parse_edit,
    parse_edit_form,
    parse_generation,
    parse_variation_form,
)
from compat.openai_images.response import write_answer, write_event_stream
from proxy.caller import openai_key, patience
from proxy.generation.generation import generate
from proxy.greenlets import run_in_thread
from proxy.limits import SILENCE_SECONDS
from proxy.pictures.reencoding import reencode_pictures
from proxy.pictures.store import store_pictures
from proxy.routes import the_service
from proxy.routes.caller_watch import stop_watching
from proxy.routes.flow import flow
from proxy.routes.observing import observation
from proxy.routes.openai_passthrough import pass_form, pass_json
from proxy.routes.places import give_places_back, take_places
from proxy.routes.request_body import is_form, parse_json, read_form, read_json_body
from proxy.routes.stored_images import url_of_image

NO_KEY = (
    "You didn't provide an API key. Give your Google API key in an Authorization header using Bearer auth "
    "(Authorization: Bearer YOUR_KEY)."
)
NOT_A_FORM = "Unsupported content type: '{}'. This method only accepts 'multipart/form-data' requests."
NO_BUFFERING = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

blueprint = Blueprint("openai_images", __name__)
blueprint.before_request(take_places)
blueprint.after_request(give_places_back)
blueprint.after_request(stop_watching)


@blueprint.post("/images/generations")
def generations() -> Response:
    """Pictures from words, and from pictures in the extra field `image`."""
    service, key = the_service(), caller_key()
    body = read_json_body()
    content = parse_json(body)
    default = service.settings.default_response_format
    return pass_json("generations", body, content, key, default) or answer(
        parse_generation(content, service.catalogue, default), key, "image_generation"
    )


@blueprint.post("/images/edits")
def edits() -> Response:
    """Pictures from pictures and words, as a form or as JSON."""
    service, key = the_service(), caller_key()
    if is_form():
        asked = pass_or_parse("edits", parse_edit_form, key, "b64_json")
        return asked if isinstance(asked, Response) else answer(asked, key, "image_edit")
    body = read_json_body()
    content = parse_json(body)
    return pass_json("edits", body, content, key, "b64_json") or answer(
        parse_edit(content, service.catalogue), key, "image_edit"
    )


@blueprint.post("/images/variations")
def variations() -> Response:
    """Pictures like a picture."""
    key = caller_key()
    if not is_form():
        raise ApiError(ErrorKind.UNSUPPORTED_MEDIA_TYPE, NOT_A_FORM.format(request.mimetype))
    default = the_service().settings.default_response_format
    parse = partial(parse_variation_form, default_format=default)
    asked = pass_or_parse("variations", parse, key, default)
    return asked if isinstance(asked, Response) else answer(asked, key, "image_edit")


def pass_or_parse(
    operation: str, parse: Callable[[Form, ModelCatalogue], OpenAIRequest], key: str, default_format: str
) -> Response | OpenAIRequest:
    """The answer to a form that can pass as it came, or else what it asks for.

    The form itself is let go with that: nobody holds its bytes while pictures are drawn.
    """
    body, form = read_form()
    return pass_form(operation, body, form, key, default_format) or parse(form, the_service().catalogue)


def answer(asked: OpenAIRequest, key: str, operation: str) -> Response:
    """The pictures that were asked for, as they arrive."""
    service, seen, headers = the_service(), observation(), headers_of(asked)
    seen.note_model(asked.model)
    take_places(asked.image_request.count)
    created, prices = int(time.time()), asked.model.upstream.prices
    events = generate(
        service.upstream_of(asked.model),
        asked.image_request,
        asked.model,
        service.settings.key_of(asked.model.upstream, key),
        timeout=patience(request.headers),
        silence=SILENCE_SECONDS if asked.stream else None,
        new_times=seen.call,
    )
    events = reencode_pictures(events, asked.output, run_in_thread)
    if asked.stream:
        chunks = write_event_stream(seen.events(events), operation=operation, created=created, prices=prices)
        return flow(chunks, {"Content-Type": "text/event-stream", **NO_BUFFERING, **headers})
    if asked.response_format == "url":
        events = store_pictures(events, service.store, url_of_image())
    chunks = write_answer(seen.events(events), created=created, prices=prices)
    if asked.response_format == "url":
        chunks = iter([b"".join(chunks)])  # it is small, and a break that comes after the picture can still be told
    return flow(chunks, {"Content-Type": "application/json", **headers})


def caller_key() -> str:
    """The key of the current request. Raises MISSING_KEY."""
    if key := openai_key(request.headers):
        observation().note_key(key, the_service().settings.log_salt)
        return key
    raise ApiError(ErrorKind.MISSING_KEY, NO_KEY)


def headers_of(asked: OpenAIRequest) -> dict[str, str]:
    """What is told of a request beside its answer."""
    headers = {}
    if ratio := sent_aspect_ratio(asked.image_request):
        headers["x-twinlens-aspect-ratio"] = ratio
    if asked.ignored:
        headers["x-twinlens-ignored"] = ", ".join(asked.ignored)
    if asked.image_request.mask:
        headers["x-twinlens-advisory"] = "mask"
    return headers
