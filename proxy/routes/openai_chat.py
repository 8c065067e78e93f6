"""OpenAI's chat completions, for conversations in which pictures are drawn."""

from __future__ import annotations

import secrets
import time

from flask import Blueprint, Response

from compat.image_models import ServedModel
from compat.openai_chat.request import parse_chat
from compat.openai_chat.response import Heading, write_answer, write_event_stream
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
from proxy.routes.catalogue import the_catalogue
from proxy.routes.following import follow
from proxy.routes.own_pictures import own_pictures
from proxy.routes.places import give_places_back, take_places
from proxy.routes.request_body import parse_json, read_json_body
from proxy.routes.stored_images import url_of_image
from proxy.routes.targets import the_target

blueprint = Blueprint("openai_chat", __name__)
blueprint.before_request(take_places)
blueprint.before_request(require_key)
blueprint.after_request(give_places_back)
blueprint.after_request(stop_watching)


@blueprint.post("/chat/completions")
def completions() -> Response:
    """Draws what a conversation asks for last; words alone are an answer too."""
    service, observation = the_service(), the_observation()
    asked = parse_chat(parse_json(read_json_body()), the_catalogue(), own_pictures())
    observation.note_model(asked.model)
    target_of = the_target(asked.model).drawing
    take_places(asked.image_request.count)
    prepared = prepare_inputs(asked.image_request, service.input_threads.run)
    in_markdown = (asked.image_output or service.settings.chat_images) == "markdown"
    url_of, seconds = (url_of_image(), seconds_to_keep()) if in_markdown else (None, None)
    heading = Heading(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), asked.model.requested_name)

    def make(model: ServedModel) -> Made:
        order, image_request = asked, prepared
        if model is not asked.model:
            order = asked.drawn_by(model)
            image_request = with_inputs_of(order.image_request, prepared)
        headers, prices = report_headers(image_request, order.ignored), model.upstream.prices
        silence = SILENCE_SECONDS if asked.stream else None
        events = generate(target_of(model), image_request, service.memory, silence=silence)
        events = reencode_pictures(events, asked.output, run_in_thread)
        if url_of:
            events = store_pictures(events, service.store, url_of, seconds)
        events = observation.events(events)
        if asked.stream:
            chunks = write_event_stream(events, heading, prices=prices, include_usage=asked.include_usage)
            return Made(200, EVENT_STREAM | headers, chunks, flows=True)
        return Made(200, JSON | headers, write_answer(events, heading, prices=prices))

    return buy(follow(asked.model, make), lambda: expected_of(prepared, asked.model))
