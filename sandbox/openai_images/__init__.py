"""A server that speaks OpenAI's Images API: any model, any size, and a key only if one is given."""

from __future__ import annotations

import re
import secrets
import time
import traceback
from typing import Any

from sandbox.call_counter import CallCounter
from sandbox.openai_images import errors
from sandbox.openai_images.answers import Answer
from sandbox.openai_images.pictures import StoredPictures, prepare_job
from sandbox.openai_images.request import CONTENT_TYPES, parse_request, read_fields
from sandbox.openai_images.situations import BEHAVIOURS, EVENT_STREAM, JSON_TYPE, ServerBehaviour, replay
from sandbox.situations import Replay, indented_json, next_situation, situation_in
from sandbox.wsgi import Request, Response, complete_response

__all__ = ["OpenAIEndpoint", "is_openai_request", "openai_headers"]

OWN_SIZE = (512, 512)  # of a server that draws no other
MODELS_CREATED = 1_776_729_600
MODELS = ("gpt-image-2", "gpt-image-2.5-flare", "gpt-image-1-mini", "flux-1-schnell", "stable-diffusion-3.5-large")
_IMAGES = re.compile(r"/v1/images/(?P<operation>\w+)")
_MODELS = re.compile(r"/v1/models(?:/(?P<model>.+))?")
_STORED = re.compile(r"/sandbox-images/(?P<name>[\w-]+\.(?P<format>png|jpeg|webp))")


def is_openai_request(request: Request) -> bool:
    """Whether a request is for OpenAI's API. A list of models is, without a credential of Google's."""
    if request.path.startswith(("/v1/images/", "/sandbox-images/")):
        return True
    googles = request.headers.get("x-goog-api-key") or request.query.get("key") or request.bearer.startswith("ya29.")
    listing = request.method == "GET" and _MODELS.fullmatch(request.path) is not None
    return listing and not googles


def openai_headers(started: float) -> dict[str, str]:
    """The headers that every answer of OpenAI's has. `started` is when the request came, in monotonic seconds."""
    return {
        "openai-version": "2020-10-01",
        "openai-processing-ms": f"{(time.monotonic() - started) * 1000:.0f}",
        "x-request-id": f"req_{secrets.token_hex(16)}",
    }


class OpenAIEndpoint:
    """Answers every request for OpenAI's API; safe to use from several threads."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._stored = StoredPictures()
        self._drawn = CallCounter()
        self._situations = CallCounter()

    def answer(self, request: Request) -> Response:
        """The answer to any request, an error's too."""
        try:
            return self._route(request)
        except errors.OpenAIError as error:
            return _error_response(error)
        except Exception:  # a bug of the sandbox: the client gets an answer all the same
            traceback.print_exc()
            return _error_response(errors.internal())

    def _route(self, request: Request) -> Response:
        if stored := _STORED.fullmatch(request.path):
            return self._stored_picture(request, stored["name"], stored["format"])
        key = _credential(request)
        if listed := _MODELS.fullmatch(request.path):
            return _models(listed["model"], key)
        images = _IMAGES.fullmatch(request.path)
        if not images or images["operation"] not in CONTENT_TYPES:
            raise errors.unknown_url(request.method, request.path)
        if request.method != "POST":
            raise errors.wrong_method(request.method, request.path)
        return self._images(request, images["operation"], key)

    def _images(self, request: Request, operation: str, key: str) -> Response:
        fields = read_fields(request, operation)
        situation = next_situation(fields.situation_text, self._situations)
        if situation and situation not in BEHAVIOURS:
            streamed = fields.values.get("stream") in (True, "true")
            return replay(situation, operation, streamed=streamed, key=key).response()
        behaviour = BEHAVIOURS[situation] if situation else ServerBehaviour()
        job = prepare_job(parse_request(fields, operation), self._drawn, OWN_SIZE if behaviour.own_size else None)
        answer = Answer(job, self._stored, lambda name: f"{request.base_url}/sandbox-images/{name}", behaviour)
        time.sleep(self._latency)
        streamed = job.request.stream and not behaviour.no_stream
        if behaviour.cut_in_picture:
            return _cut_off(answer, streamed)
        if streamed:
            return Response(answer.events(), 200, {"content-type": EVENT_STREAM})
        return _json(answer.whole())

    def _stored_picture(self, request: Request, name: str, format: str) -> Response:
        picture = self._stored.get(name) if request.method == "GET" else None
        if picture is None:
            raise errors.unknown_url(request.method, request.path)
        return complete_response([picture], 200, f"image/{format}")


def _credential(request: Request) -> str:
    """The caller's key, "" if there is none: a server of one's own may need none."""
    given = request.headers.get("authorization", "")
    if given and given.partition(" ")[0].lower() != "bearer":
        raise errors.no_bearer()
    if "invalid" in request.bearer.lower():
        raise errors.incorrect_key(request.bearer)
    return request.bearer


def _models(name: str | None, key: str) -> Response:
    if situation := situation_in(name or ""):
        return replay(situation, "models", streamed=False, key=key).response()
    if name is None:
        return _json({"object": "list", "data": [_model(each) for each in MODELS]})
    if name.startswith("missing"):
        raise errors.model_not_found(name)
    return _json(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "sandbox"}


def _json(value: Any, status: int = 200) -> Response:
    return complete_response([indented_json(value).encode()], status, JSON_TYPE)


def _error_response(error: errors.OpenAIError) -> Response:
    response = _json(error.body(), error.status)
    if error.status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="OpenAI API"'
    return response


def _cut_off(answer: Answer, streamed: bool) -> Response:
    """The first half of an answer: with one picture, it ends in the middle of that."""
    body = b"".join(answer.events()).decode() if streamed else indented_json(answer.whole())
    headers = {"content-type": EVENT_STREAM if streamed else JSON_TYPE}
    return Replay(200, headers, body[: len(body) // 2], cut=True).response()
