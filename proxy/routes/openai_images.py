"""OpenAI's Images API."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.image_models import ModelCatalogue, ServedModel
from compat.openai_images.form import Form
from compat.openai_images.request import (
    OpenAIRequest,
    parse_edit,
    parse_edit_form,
    parse_generation,
    parse_variation_form,
)
from compat.openai_images.response import write_answer, write_event_stream
from proxy.access.estimates import expected_of
from proxy.generation.generation import generate
from proxy.greenlets import run_in_thread
from proxy.limits import SILENCE_SECONDS
from proxy.pictures.input_pictures import prepare_inputs, with_inputs_of
from proxy.pictures.reencoding import reencode_pictures
from proxy.pictures.store import store_pictures
from proxy.purchases.call import Made
from proxy.routes import the_observation, the_service
from proxy.routes.answers import EVENT_STREAM, JSON, report_headers
from proxy.routes.authentication import require_key
from proxy.routes.buying import buy, seconds_to_keep
from proxy.routes.caller_watch import stop_watching
from proxy.routes.catalogue import take_deployment, the_catalogue
from proxy.routes.following import follow
from proxy.routes.openai_passthrough import pass_form, pass_json
from proxy.routes.places import give_places_back, take_places
from proxy.routes.request_body import is_form, parse_json, read_form, read_json_body
from proxy.routes.stored_images import url_of_image
from proxy.routes.targets import the_target

NOT_A_FORM = "Unsupported content type: '{}'. This method only accepts 'multipart/form-data' requests."
EDIT_TYPES = ("multipart/form-data", "application/json")

blueprint = Blueprint("openai_images", __name__)
blueprint.url_value_preprocessor(take_deployment)
blueprint.before_request(take_places)
blueprint.before_request(require_key)
blueprint.after_request(give_places_back)
blueprint.after_request(stop_watching)


@blueprint.post("/images/generations")
def generations() -> Response:
    """Draws pictures from a prompt, and from pictures in the extra field `image`."""
    service = the_service()
    body = read_json_body()
    content = parse_json(body)
    default = service.settings.default_response_format
    return pass_json("generations", body, content, default) or answer(
        parse_generation(content, the_catalogue(), default), "image_generation"
    )


@blueprint.post("/images/edits")
def edits() -> Response:
    """Draws pictures from pictures and a prompt, as a form or as JSON."""
    if is_form():
        return answer_form("edits", parse_edit_form, "b64_json")
    body = read_json_body(EDIT_TYPES)
    content = parse_json(body)
    return pass_json("edits", body, content, "b64_json") or answer(parse_edit(content, the_catalogue()), "image_edit")


@blueprint.post("/images/variations")
def variations() -> Response:
    """Draws variations of a picture."""
    if not is_form():
        raise ApiError(ErrorKind.UNSUPPORTED_MEDIA_TYPE, NOT_A_FORM.format(request.mimetype))
    default = the_service().settings.default_response_format
    return answer_form("variations", partial(parse_variation_form, default_format=default), default)


def answer_form(operation: str, parse: Callable[[Form, ModelCatalogue], OpenAIRequest], default: str) -> Response:
    """The answer to a form."""
    asked = pass_or_parse(operation, parse, default)
    return asked if isinstance(asked, Response) else answer(asked, "image_edit")


def pass_or_parse(
    operation: str, parse: Callable[[Form, ModelCatalogue], OpenAIRequest], default: str
) -> Response | OpenAIRequest:
    """The answer to a form that can pass as it came, or else the parsed request.

    The form is released on return: its bytes are not held while pictures are drawn.
    """
    body, form = read_form()
    return pass_form(operation, body, form, default) or parse(form, the_catalogue())


def answer(asked: OpenAIRequest, operation: str) -> Response:
    """The requested pictures, when they are whole. `operation` names the events of a stream."""
    service, observation = the_service(), the_observation()
    observation.note_model(asked.model)
    target = the_target(asked.model)
    take_places(asked.image_request.count)
    prepared = prepare_inputs(asked.image_request, service.input_threads.run)
    url_of, seconds = None, None
    if asked.response_format == "url" and not asked.stream:
        url_of, seconds = url_of_image(), seconds_to_keep()
    created = int(time.time())

    def make(model: ServedModel) -> Made:
        order, image_request = asked, prepared
        if model is not asked.model:
            order = asked.drawn_by(model)
            image_request = with_inputs_of(order.image_request, prepared)
        headers = report_headers(image_request, order.ignored, order.advisories)
        prices = model.upstream.prices
        silence = SILENCE_SECONDS if asked.stream else None
        events = generate(target.drawing(model), image_request, service.memory, silence=silence)
        events = reencode_pictures(events, asked.output, run_in_thread)
        if asked.stream:
            chunks = write_event_stream(observation.events(events), operation=operation, created=created, prices=prices)
            return Made(200, EVENT_STREAM | headers, chunks, flows=True)
        if url_of:
            events = store_pictures(events, service.store, url_of, seconds)
        chunks = write_answer(observation.events(events), created=created, prices=prices)
        return Made(200, JSON | headers, chunks)

    expect = partial(expected_of, prepared, asked.model)
    return buy(follow(asked.model, make), expect, target, is_stream=bool(asked.stream))
