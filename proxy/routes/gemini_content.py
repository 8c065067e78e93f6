"""Google's generateContent: a passthrough to Google, and a translation for models of other servers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.request import SCHEMAS, check_request
from compat.gemini_content.request_reader import json_name, read_request
from compat.gemini_content.response_writer import (
    ARRAY,
    EVENTS,
    WHOLE,
    Framing,
    build_refusal,
    frame,
    write_answer,
    write_array,
    write_event_stream,
)
from compat.ignored_names import names_for_header
from compat.image_models import Api, ServedModel
from compat.images import Chunk
from compat.openai_images.request_writer import unsupported_fields
from proxy.access.estimates import Expected, expected_of, expected_of_content
from proxy.generation.generation import generate
from proxy.generation.target import Target
from proxy.pictures.input_pictures import prepare_inputs
from proxy.purchases.call import Made
from proxy.routes import the_caller, the_observation, the_service
from proxy.routes.authentication import require_key
from proxy.routes.buying import buy, query_without_key, remember_content
from proxy.routes.caller_watch import stop_watching
from proxy.routes.catalogue import the_catalogue
from proxy.routes.following import resume
from proxy.routes.passthrough import headers_up, pass_answer
from proxy.routes.places import give_places_back, take_places
from proxy.routes.request_body import parse_json, read_body
from proxy.routes.targets import the_target
from proxy.upstream.client import UpstreamAnswer

COUNT = "countTokens"
HEADERS_UP = ("user-agent", "x-goog-api-client", "x-server-timeout")

blueprint = Blueprint("gemini_content", __name__)
blueprint.before_request(take_places)
blueprint.before_request(require_key)
blueprint.after_request(give_places_back)
blueprint.after_request(stop_watching)


@blueprint.post("/models/<model_call:target>")
@blueprint.post("/<any(v1, v1alpha, v1beta):version>/models/<model_call:target>")
def call_model(target: str, version: str | None = None) -> Response:
    """`{model}:generateContent`, `:streamGenerateContent` and `:countTokens`."""
    name, _, method = target.rpartition(":")
    if method not in SCHEMAS:
        raise ApiError(
            ErrorKind.NOT_FOUND,
            f"Invalid URL (POST {request.path}). Served are {', '.join(f'{{model}}:{served}' for served in SCHEMAS)}.",
        )
    the_observation().operation = method
    model = the_catalogue().resolve(name)
    the_observation().note_model(model)
    body = read_body()
    remember_content(body)
    content = parse_json(body)
    check_request(method, content)
    if model.upstream.api is Api.OPENAI:
        return translate(method, content, model)
    if method == COUNT:
        return pass_request(method, body, model, lambda: Expected(model, pictures=0))
    return pass_request(method, body, model, lambda: expected_of_content(content, len(body), model))


def pass_request(method: str, body: bytes, model: ServedModel, expect: Callable[[], Expected]) -> Response:
    """Google's answer to a request that goes up as it came."""
    service, observation, caller = the_service(), the_observation(), the_caller()
    target = the_target(model)
    query = query_without_key(request.query_string.decode("latin-1"))
    headers = headers_up(HEADERS_UP, gzip=service.settings.upstream_gzip)

    def ask(one: Target) -> UpstreamAnswer:
        path = f"models/{one.model.upstream_name}:{method}"
        return one.call(path, body, query=query, headers=headers, decode=False)

    def make() -> Made:
        # Counting may be what a model cannot do: that says nothing of its drawing.
        remember = method != COUNT
        asked, answer = service.successors.follow_answer(caller.fingerprint, target, ask, remember=remember)
        observation.note_model(asked.model)
        return pass_answer(answer, asked, observation)

    is_count = method == COUNT
    return buy(make, expect, None if is_count else target, is_stream=method == "streamGenerateContent")


def translate(method: str, content: dict[str, Any], model: ServedModel) -> Response:
    """The answer of a server that speaks OpenAI's API."""
    if method == COUNT:
        raise ApiError(
            ErrorKind.METHOD_NOT_ALLOWED,
            f"models/{model.requested_name} is not supported for countTokens: its server cannot count tokens.",
            status=501,
        )
    observation = the_observation()
    asked = read_request(content, model)
    ignored = names_for_header((*asked.ignored, *map(json_name, unsupported_fields(asked.image_request, model))))
    framing, write = framing_of(method)
    names = {"model_version": model.name, "response_id": secrets.token_urlsafe(16)}
    headers = {"Content-Type": framing.content_type, **observation.model_header()}
    if framing is EVENTS:
        headers["X-Accel-Buffering"] = "no"
    if ignored:
        headers["x-twinlens-ignored"] = ", ".join(ignored)
    service, target = the_service(), the_target(model)
    image_request = prepare_inputs(asked.image_request, service.input_threads.run)

    def make() -> Made:
        try:
            chunks = write(observation.events(generate(target, image_request, service.memory)), **names)
            return Made(200, headers, resume(next(chunks, b""), chunks), flows=True)
        except ApiError as error:
            refusal = build_refusal(error, **names)
            if not refusal:
                raise
            observation.error = error.kind.name.lower()
            return Made(200, headers, iter([frame(refusal, framing)]), bought=error.bought)

    return buy(make, lambda: expected_of(image_request, model), target, is_stream=framing is not WHOLE)


def framing_of(method: str) -> tuple[Framing, Callable[..., Iterator[Chunk]]]:
    """The framing of the answer to the current request, and what writes it."""
    if method == "generateContent":
        return WHOLE, write_answer
    return (EVENTS, write_event_stream) if request.args.get("alt") == "sse" else (ARRAY, write_array)
