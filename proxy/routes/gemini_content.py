"""Google's generateContent: a window, through which requests and answers pass byte for byte."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import MISSING_KEY_MESSAGE
from compat.gemini_content.request import SCHEMAS, check_request
from compat.gemini_content.request_reader import GOOGLES_NAMES, read_request
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
from compat.openai_images.error import googles_word
from compat.openai_images.request_writer import unsupported_fields
from proxy.caller import google_key
from proxy.generation.generation import generate
from proxy.generation.languages import LANGUAGES
from proxy.routes import the_service
from proxy.routes.caller_watch import stop_watching
from proxy.routes.flow import flow
from proxy.routes.observing import observation
from proxy.routes.passthrough import headers_up, pass_on
from proxy.routes.places import give_places_back, take_places
from proxy.routes.request_body import parse_json, read_body

QUERY_CREDENTIALS = ("key", "access_token", "oauth_token")  # that Google reads from a query
HEADERS_UP = ("user-agent", "x-goog-api-client", "x-server-timeout")

blueprint = Blueprint("gemini_content", __name__)
blueprint.before_request(take_places)
blueprint.after_request(give_places_back)
blueprint.after_request(stop_watching)


@blueprint.post("/<any(v1, v1beta):version>/models/<model_call:target>")
def call_model(version: str, target: str) -> Response:
    """`{model}:generateContent`, `:streamGenerateContent` and `:countTokens`."""
    service, key = the_service(), caller_key()
    name, _, method = target.rpartition(":")
    if method not in SCHEMAS:
        raise ApiError(
            ErrorKind.NOT_FOUND,
            f"Invalid URL (POST {request.path}). Served are {', '.join(f'{{model}}:{served}' for served in SCHEMAS)}.",
        )
    observation().operation = method
    model = service.catalogue.resolve(name)
    observation().note_model(model)
    body = read_body()
    content = parse_json(body)
    check_request(method, content)
    if model.upstream.api is Api.OPENAI:
        return translate(method, content, model, key)
    key_up = service.settings.key_of(model.upstream, key)
    answer = service.upstream_of(model).call(
        f"models/{model.upstream_name}:{method}",
        body,
        key_up,
        query=query_without_key(request.query_string.decode("latin-1")),
        headers=headers_up(HEADERS_UP, gzip=service.settings.upstream_gzip),
        decode=False,
        times=observation().call(),
    )
    return pass_on(answer, key_up, LANGUAGES[Api.GEMINI])


def translate(method: str, content: dict[str, Any], model: ServedModel, key: str) -> Response:
    """The answer of a model whose server speaks OpenAI's API."""
    if method == "countTokens":
        raise ApiError(
            ErrorKind.METHOD_NOT_ALLOWED,
            f"models/{model.requested_name} is not supported for countTokens: its server has nothing that counts.",
            status=501,
        )
    service, seen = the_service(), observation()
    asked = read_request(content, model)
    unsupported = (GOOGLES_NAMES.get(name, name) for name in unsupported_fields(asked.image_request, model))
    ignored = names_for_header((*asked.ignored, *unsupported))
    framing, write = framing_of(method)
    names = {"model_version": model.name, "response_id": secrets.token_urlsafe(16)}
    headers = {"Content-Type": framing.content_type, **({"X-Accel-Buffering": "no"} if framing is EVENTS else {})}
    if ignored:
        headers["x-twinlens-ignored"] = ", ".join(ignored)
    try:
        events = generate(
            service.upstream_of(model),
            asked.image_request,
            model,
            service.settings.key_of(model.upstream, key),
            new_times=seen.call,
        )
        return flow(write(seen.events(events), **names), headers)
    except ApiError as error:
        refusal = build_refusal(error, **names)
        if not refusal:
            raise replace(error, param=googles_word(error.param)) from None
        seen.error = error.kind.name.lower()
        return flow(iter([frame(refusal, framing)]), headers)


def framing_of(method: str) -> tuple[Framing, Callable[..., Iterator[bytes]]]:
    """What stands around the answer to the current request, and what writes it."""
    if method == "generateContent":
        return WHOLE, write_answer
    return (EVENTS, write_event_stream) if request.args.get("alt") == "sse" else (ARRAY, write_array)


def query_without_key(query: str) -> str:
    """The query as it came, but for credentials: one travels, and not there."""

    def names_credential(pair: str) -> bool:
        return unquote_plus(pair.partition("=")[0]).lstrip("$") in QUERY_CREDENTIALS

    return "&".join(pair for pair in query.split("&") if not names_credential(pair))


def caller_key() -> str:
    """The key of the current request. Raises MISSING_KEY, as Google does for callers it does not know."""
    if key := google_key(request.headers, request.args):
        observation().note_key(key, the_service().settings.log_salt)
        return key
    raise ApiError(ErrorKind.MISSING_KEY, MISSING_KEY_MESSAGE)
