"""The sandbox as a server that speaks OpenAI's Images API: any model, any size, a key only if one is given."""

from __future__ import annotations

import re
import secrets
import time
import traceback
from typing import Any

from sandbox.messages import Request, Response, replayed, whole
from sandbox.openai_images import errors
from sandbox.openai_images.answers import Answer
from sandbox.openai_images.pictures import Gallery, commissioned
from sandbox.openai_images.request import KINDS, parse_order, read_fields
from sandbox.openai_images.situations import HABITS, Habit, replay
from sandbox.situations import Replay, pretty, situation_in

__all__ = ["OpenAIEndpoint", "openai_headers", "speaks_openai"]

JSON_TYPE = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
OWN_SIZE = (512, 512)  # of a server that has no other
MODELS_SINCE = 1_776_729_600
MODELS = ("gpt-image-2", "gpt-image-2.5-flare", "gpt-image-1-mini", "flux-1-schnell", "stable-diffusion-3.5-large")
_IMAGES = re.compile(r"/v1/images/(?P<operation>\w+)")
_MODELS = re.compile(r"/v1/models(?:/(?P<model>.+))?")
_STORED = re.compile(r"/sandbox-images/(?P<name>[\w-]+\.(?P<format>png|jpeg|webp))")


def speaks_openai(request: Request) -> bool:
    """Whether a request is one of OpenAI's; lists of models are told apart by the credential."""
    if request.path.startswith(("/v1/images/", "/sandbox-images/")):
        return True
    googles = request.headers.get("x-goog-api-key") or request.query.get("key") or request.bearer.startswith("ya29.")
    listing = request.verb == "GET" and _MODELS.fullmatch(request.path) is not None
    return listing and bool(request.bearer) and not googles


def openai_headers(started: float) -> dict[str, str]:
    """What every answer of OpenAI's carries."""
    return {
        "openai-version": "2020-10-01",
        "openai-processing-ms": f"{(time.monotonic() - started) * 1000:.0f}",
        "x-request-id": f"req_{secrets.token_hex(16)}",
    }


class OpenAIEndpoint:
    """Draws for whoever speaks OpenAI's API."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._gallery = Gallery()

    def answer(self, request: Request) -> Response:
        """The answer to any request at all."""
        try:
            return self._route(request)
        except errors.OpenAIError as error:
            return _refusal(error)
        except Exception:  # whatever it was, the caller gets an answer
            traceback.print_exc()
            return _refusal(errors.internal())

    def _route(self, request: Request) -> Response:
        if stored := _STORED.fullmatch(request.path):
            return self._stored(request, stored["name"], stored["format"])
        key = _credential(request)
        if listed := _MODELS.fullmatch(request.path):
            return _models(listed["model"], key)
        images = _IMAGES.fullmatch(request.path)
        if not images or images["operation"] not in KINDS:
            raise errors.unknown_address(request.verb, request.path)
        if request.verb != "POST":
            raise errors.wrong_method(request.verb, request.path)
        return self._draw(request, images["operation"], key)

    def _draw(self, request: Request, operation: str, key: str) -> Response:
        fields = read_fields(request, operation)
        situation = situation_in(fields.said)
        if situation and situation not in HABITS:
            streamed = fields.values.get("stream") in (True, "true")
            return replayed(replay(situation, operation, streamed=streamed, key=key))
        habit = HABITS[situation] if situation else Habit()
        order = parse_order(fields, operation)
        commission = commissioned(order, OWN_SIZE if habit.own_size else None)
        answer = Answer(commission, self._gallery, lambda name: f"{request.own_url}/sandbox-images/{name}", habit)
        time.sleep(self._latency)
        streamed = order.stream and not habit.no_stream
        if habit.cut_in_picture:
            return _cut(b"".join(answer.events()) if streamed else pretty(answer.whole()).encode(), streamed)
        if streamed:
            return Response(answer.events(), headers={"content-type": EVENT_STREAM})
        return _json(answer.whole())

    def _stored(self, request: Request, name: str, format: str) -> Response:
        picture = self._gallery.kept(name) if request.verb == "GET" else None
        if picture is None:
            raise errors.unknown_address(request.verb, request.path)
        return whole([picture], content_type=f"image/{format}")


def _credential(request: Request) -> str:
    """The key that came, if any: a house server may need none."""
    given = request.headers.get("authorization", "")
    if given and given.partition(" ")[0].lower() != "bearer":
        raise errors.no_bearer()
    if "invalid" in request.bearer.lower():
        raise errors.incorrect_key(request.bearer)
    return request.bearer


def _models(name: str | None, key: str) -> Response:
    if situation := situation_in(name or ""):
        return replayed(replay(situation, "models", streamed=False, key=key))
    if name is None:
        return _json({"object": "list", "data": [_model(each) for each in MODELS]})
    if name.startswith("missing"):
        raise errors.model_not_found(name)
    return _json(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODELS_SINCE, "owned_by": "sandbox"}


def _json(value: Any, status: int = 200) -> Response:
    return whole([pretty(value).encode()], status, JSON_TYPE)


def _refusal(error: errors.OpenAIError) -> Response:
    response = _json(error.body(), error.status)
    if error.status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="OpenAI API"'
    return response


def _cut(body: bytes, streamed: bool) -> Response:
    """The first half of an answer: with one picture, it ends within that."""
    content_type = EVENT_STREAM if streamed else JSON_TYPE
    return replayed(Replay(200, (("content-type", content_type),), body[: len(body) // 2], cut=True))
