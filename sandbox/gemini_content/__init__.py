"""Google's Gemini API: generateContent and its stream, countTokens and the lists of models."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Mapping
from typing import Any

from sandbox.call_counter import CallCounter
from sandbox.gemini_content import errors
from sandbox.gemini_content.answers import array_answer, count_answer, prepare_answer, sse_answer, whole_answer
from sandbox.gemini_content.image_models import IMAGE_MODELS, NEWEST, RETIRED, ImageModel
from sandbox.gemini_content.pictures import prepare_picture
from sandbox.gemini_content.request import parse_count, parse_generate
from sandbox.gemini_content.situations import EVENT_STREAM, JSON_TYPE, SUCCESSOR, replay
from sandbox.situations import indented_json, next_situation, situation_in
from sandbox.wsgi import Request, Response, complete_response

__all__ = ["GeminiEndpoint", "gemini_headers"]

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


def gemini_headers(response: Response, started: float) -> dict[str, str]:
    """The headers that every answer of Google's has. `started` is when the request came, in monotonic seconds."""
    headers = {
        "vary": "Origin, Referer, X-Origin",
        "server-timing": f"gfet4t7; dur={(time.monotonic() - started) * 1000:.0f}",
        "x-xss-protection": "0",
        "x-frame-options": "SAMEORIGIN",
        "x-content-type-options": "nosniff",
    }
    return {**headers, "x-gemini-service-tier": "standard"} if response.status == 200 else headers


class GeminiEndpoint:
    """Answers every request that is not OpenAI's; safe to use from several threads."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._drawn = CallCounter()
        self._situations = CallCounter()

    def answer(self, request: Request) -> Response:
        """The answer to any request, an error's too."""
        try:
            return self._route(request)
        except errors.GoogleError as error:
            return _error_response(error, request)
        except Exception:  # a bug of the sandbox: the client gets an answer all the same
            traceback.print_exc()
            return _error_response(errors.internal(), request)

    def _route(self, request: Request) -> Response:
        called = _METHOD.fullmatch(request.path)
        if called and request.method == "POST":
            key = _credential(request, called["version"], called["method"])
            return self._call(request, key, called["version"], called["model"], called["method"])
        listed = _MODELS.fullmatch(request.path)
        if listed and request.method == "GET":
            key = _credential(request, listed["version"], "ListModels")
            return _models(request, key, listed["version"], listed["model"])
        return complete_response([_NOT_FOUND_PAGE.encode()], 404, "text/html; charset=UTF-8")

    def _call(self, request: Request, key: str, version: str, name: str, method: str) -> Response:
        if method not in _OPERATIONS:
            raise errors.model_not_found(name, version, method)
        model = _model(name, version, method)
        _check_deadline(request.headers)
        situation = next_situation(_latest_prompt(request.body), self._situations)
        if situation == SUCCESSOR:
            if name != NEWEST:
                raise errors.model_retired(name)
        elif situation:
            return replay(situation, _OPERATIONS[method], sse=request.sse, key=key).response()
        if method == "countTokens":
            return _json(count_answer(parse_count(request.body, model, version), model))
        generate = parse_generate(request.body, model, version)
        answer = prepare_answer(generate, model, prepare_picture(generate, model, self._drawn))
        time.sleep(self._latency)
        if method == "generateContent":
            return complete_response(list(whole_answer(answer)), 200, JSON_TYPE)
        if request.sse:
            headers = {"content-type": EVENT_STREAM, "content-disposition": "attachment"}
            return Response(sse_answer(answer), 200, headers)
        return Response(array_answer(answer), 200, {"content-type": JSON_TYPE})


def _credential(request: Request, version: str, method: str) -> str:
    """The caller's key, checked as Google checks it."""
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
    """The text of the last turn, even if the rest of the body is wrong."""
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
    listed = parts if isinstance(parts, list) else [parts]
    return "\n".join(str(part["text"]) for part in listed if isinstance(part, dict) and "text" in part)


def _models(request: Request, key: str, version: str, name: str | None) -> Response:
    token = request.query.get("pageToken", "")
    if situation := situation_in(name or token):
        return replay(situation, "models", sse=False, key=key).response()
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
        description = f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\""
        raise errors.field_violations([("page_size", description)])
    return min(int(text) or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)


def _page_start(token: str) -> int:
    if not token:
        return 0
    found = re.fullmatch(r"after-(\d{1,9})", token)
    if not found:
        raise errors.invalid_argument("Request contains an invalid argument.")
    return int(found[1])


def _json(value: Any, status: int = 200) -> Response:
    return complete_response([indented_json(value).encode()], status, JSON_TYPE)


def _error_response(error: errors.GoogleError, request: Request) -> Response:
    """An error; with alt=sse it has the content type of a stream, yet it is plain JSON."""
    response = _json(error.body(), error.http_status)
    if request.sse and request.path.endswith(":streamGenerateContent"):
        response.headers["content-type"] = EVENT_STREAM
    return response
