"""The sandbox as a WSGI app: each request goes to the API that it belongs to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sandbox.gemini_content import GeminiEndpoint, gemini_headers
from sandbox.gemini_content.situations import FOLDER as GEMINI_FIXTURES
from sandbox.openai_images import OpenAIEndpoint, is_openai_request, openai_headers
from sandbox.openai_images.situations import BEHAVIOURS, known_names
from sandbox.situations import known_situations
from sandbox.wsgi import read_request


def create_app(latency: float = 0.0) -> WSGIApplication:
    """The sandbox as a WSGI callable. `latency` is how many seconds a picture seems to take."""
    gemini, openai = GeminiEndpoint(latency), OpenAIEndpoint(latency)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        request = read_request(environ)
        if is_openai_request(request):
            response = openai.answer(request)
            usual = openai_headers(started)
        else:
            response = gemini.answer(request)
            usual = gemini_headers(response, started)
        start_response(response.status_line, list({**usual, **response.headers}.items()))
        return response.body

    return app


def situations_of_pictures() -> dict[str, list[str]]:
    """The situations that the prompt of a picture can name, by the API that plays them."""
    return {
        "gemini": known_situations(GEMINI_FIXTURES, ("generate_content", "stream_generate_content")),
        "openai": known_names(("generations", "edits")) + sorted(BEHAVIOURS),
    }
