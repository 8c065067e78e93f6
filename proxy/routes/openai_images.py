"""OpenAI's Images API."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.openai_images.request import OpenAIRequest, parse_generation
from compat.openai_images.response import write_answer
from proxy.callers import openai_key
from proxy.generation import generate
from proxy.image_store import store_pictures
from proxy.routes import the_service
from proxy.routes.flow import flow
from proxy.routes.places import give_place_back, take_place
from proxy.routes.request_body import read_json
from proxy.routes.stored_images import url_of_image

NO_KEY = (
    "You didn't provide an API key. Give your Google API key in an Authorization header using Bearer auth "
    "(Authorization: Bearer YOUR_KEY)."
)

blueprint = Blueprint("openai_images", __name__)
blueprint.before_request(take_place)
blueprint.after_request(give_place_back)


@blueprint.post("/images/generations")
def generations() -> Response:
    """Pictures from words, and from pictures in the extra field `image`."""
    service, key = the_service(), caller_key()
    return answer(parse_generation(read_json(), service.catalogue, service.settings.default_response_format), key)


def answer(asked: OpenAIRequest, key: str) -> Response:
    """The pictures that were asked for, as they arrive."""
    service = the_service()
    events = generate(service.upstream, asked.image_request, asked.model, key)
    if asked.response_format == "url":
        events = store_pictures(events, service.store, url_of_image())
    chunks = write_answer(events, created=int(time.time()), prices=asked.model.upstream.prices)
    return flow(chunks, {"Content-Type": "application/json", **headers_of(asked)})


def caller_key() -> str:
    """The key of the current request. Raises MISSING_KEY."""
    if key := openai_key(request.headers):
        return key
    raise ApiError(ErrorKind.MISSING_KEY, NO_KEY)


def headers_of(asked: OpenAIRequest) -> dict[str, str]:
    """What is told of a request beside its answer."""
    headers = {}
    if asked.image_request.aspect_ratio:
        headers["x-twinlens-aspect-ratio"] = asked.image_request.aspect_ratio
    if asked.ignored:
        headers["x-twinlens-ignored"] = ", ".join(asked.ignored)
    if asked.image_request.mask:
        headers["x-twinlens-advisory"] = "mask"
    if asked.model.upstream.retires:
        headers["x-twinlens-retires"] = asked.model.upstream.retires.isoformat()
    return headers
