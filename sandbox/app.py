"""A WSGI app that answers as Google's generativelanguage endpoint does; what speaks OpenAI is answered next door."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sandbox import errors
from sandbox.answers import array_answer, count_answer, prepare_answer, sse_answer, whole_answer
from sandbox.image_models import IMAGE_MODELS, RETIRED, ImageModel
from sandbox.messages import Request, Response, read_request, replayed, whole
from sandbox.openai_images import OpenAIEndpoint, openai_headers, speaks_openai
from sandbox.request import parse_count, parse_generate
from sandbox.situations import Turns, pretty, replay, situation_in
from sandbox.studio import Studio

EVENT_STREAM = "text/event-stream"
DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000
SHORTEST_DEADLINE = 10.0  # seconds, of X-Server-Timeout
_METHOD = re.compile(r"/(?P<version>v1|v1beta)/models/(?P<model>[^/:]+):(?P<method>\w+)")
_MODELS = re.compile(r"/(?P<version>v1|v1beta)/models(?:/(?P<model>[^/:]+))?")
_OPERATIONS = {
    "generateContent": "generate_content",
    "streamGenerateContent": "stream_generate_content",
    "countTokens": "count_tokens",
}
_NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error 404 (Not Found)</title>\n"
    "<p><b>404.</b> The requested URL was not found on this server.\n"
)


def create_app(latency: float = 0.0) -> WSGIApplication:
    """The sandbox as a WSGI callable. `latency` is how many seconds a picture seems to take."""
    google, openai = _Endpoint(latency), OpenAIEndpoint(latency)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        request = read_request(environ)
        if speaks_openai(request):
            response = openai.answer(request)
            usual = openai_headers(started)
        else:
            response = google.answer(request)
            usual = _google_headers(response, started)
        start_response(response.status_line, list({**usual, **response.headers}.items()))
        return response.body

    return app


class _Endpoint:
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._studio = Studio()
        self._turns = Turns()

    def answer(self, request: Request) -> Response:
        """The answer to any request at all."""
        try:
            return self._route(request)
        except errors.GoogleError as error:
            return _refusal(error, request)
        except Exception:  # whatever it was, the caller gets an answer
            traceback.print_exc()
            return _refusal(errors.internal(), request)

    def _route(self, request: Request) -> Response:
        called = _METHOD.fullmatch(request.path)
        if called and request.verb == "POST":
            key = _credential(request, called["version"], called["method"])
            return self._call(request, key, called["version"], called["model"], called["method"])
        listed = _MODELS.fullmatch(request.path)
        if listed and request.verb == "GET":
            key = _credential(request, listed["version"], "ListModels")
            return _models(request, key, listed["version"], listed["model"])
        return _page_not_found()

    def _call(self, request: Request, key: str, version: str, name: str, method: str) -> Response:
        if method not in _OPERATIONS:
            raise errors.model_not_found(name, version, method)
        model = _model(name, version, method)
        _check_deadline(request.headers)
        operation = _OPERATIONS[method]
        if situation := self._turns.situation(_latest_prompt(request.body)):
            return replayed(replay(situation, operation, sse=request.sse, key=key))
        if method == "countTokens":
            return _json(count_answer(parse_count(request.body, model, version), model))
        generate = parse_generate(request.body, model, version)
        answer = prepare_answer(generate, model, self._studio.prepare(generate, model))
        time.sleep(self._latency)
        if method == "generateContent":
            return whole(list(whole_answer(answer)))
        if request.sse:
            return Response(sse_answer(answer), headers=_event_stream_headers())
        return Response(array_answer(answer))


def _credential(request: Request, version: str, method: str) -> str:
    """The key that came, judged as Google judges it."""
    header, query, token = request.headers.get("x-goog-api-key"), request.query.get("key"), request.bearer
    given = [credential for credential in (header, query, token) if credential]
    if not given:
        raise errors.missing_key()
    if len(given) > 1:
        raise errors.multiple_credentials()
    if token and not token.startswith("ya29."):
        service = "ModelService" if method == "ListModels" else "GenerativeService"
        raise errors.key_sent_as_token(version, f"{service}.{method[0].upper()}{method[1:]}")
    if "invalid" in given[0].lower():
        raise errors.invalid_key()
    return given[0]


def _check_deadline(headers: Mapping[str, str]) -> None:
    try:
        seconds = float(headers.get("x-server-timeout", "inf"))
    except ValueError:
        return
    if seconds < SHORTEST_DEADLINE:
        raise errors.deadline_too_short(seconds)


def _model(name: str, version: str, method: str) -> ImageModel:
    if name in RETIRED:
        raise errors.model_retired(name)
    if name not in IMAGE_MODELS:
        raise errors.model_not_found(name, version, method)
    return IMAGE_MODELS[name]


def _latest_prompt(body: bytes) -> str:
    """The words of the last turn, whatever else the body holds."""
    try:
        return _latest_text(json.loads(body))
    except (ValueError, RecursionError):
        return ""


def _latest_text(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    inner = body.get("generateContentRequest") or body.get("generate_content_request")
    if isinstance(inner, dict):
        return _latest_text(inner)
    contents = body.get("contents")
    last = contents[-1] if isinstance(contents, list) and contents else contents
    parts = last.get("parts") if isinstance(last, dict) else None
    shown = parts if isinstance(parts, list) else [parts]
    return "\n".join(str(part["text"]) for part in shown if isinstance(part, dict) and "text" in part)


def _models(request: Request, key: str, version: str, name: str | None) -> Response:
    token = request.query.get("pageToken", "")
    if situation := situation_in(name or token):
        return replayed(replay(situation, "models", sse=False, key=key))
    if name:
        return _json(_model(name, version, "getModel").record())
    size = _page_size(request.query.get("pageSize") or request.query.get("page_size") or "0")
    start = _page_start(token)
    names = list(IMAGE_MODELS)
    page: dict[str, Any] = {"models": [IMAGE_MODELS[each].record() for each in names[start : start + size]]}
    if start + size < len(names):
        page["nextPageToken"] = f"after-{start + size}"
    return _json(page)


def _page_size(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        complaint = f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\""
        raise errors.field_violations([("page_size", complaint)])
    return min(int(text) or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)


def _page_start(token: str) -> int:
    if not token:
        return 0
    found = re.fullmatch(r"after-(\d{1,9})", token)
    if not found:
        raise errors.invalid_argument("Request contains an invalid argument.")
    return int(found[1])


def _json(value: Any) -> Response:
    return whole([pretty(value).encode()])


def _event_stream_headers() -> dict[str, str]:
    return {"content-type": EVENT_STREAM, "content-disposition": "attachment"}


def _refusal(error: errors.GoogleError, request: Request) -> Response:
    """An error; on alt=sse it carries the stream's type, yet it is plain JSON."""
    response = _json(error.body())
    response.status = error.http_status
    if request.sse and request.path.endswith(":streamGenerateContent"):
        response.headers["content-type"] = EVENT_STREAM
    return response


def _page_not_found() -> Response:
    return whole([_NOT_FOUND_PAGE.encode()], 404, "text/html; charset=UTF-8")


def _google_headers(response: Response, started: float) -> dict[str, str]:
    headers = {
        "vary": "Origin, Referer, X-Origin",
        "server-timing": f"gfet4t7; dur={(time.monotonic() - started) * 1000:.0f}",
        "x-xss-protection": "0",
        "x-frame-options": "SAMEORIGIN",
        "x-content-type-options": "nosniff",
    }
    if response.status == HTTPStatus.OK:
        headers["x-gemini-service-tier"] = "standard"
    return headers
