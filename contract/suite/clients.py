"""The clients of both SDKs. Asynchronous ones run on one event loop, so that rows use them like synchronous ones."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import openai
from google import genai
from google.genai import types
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream

SECONDS = 60  # for one call
ATTEMPTS: ContextVar[list[str]] = ContextVar("attempts")


class Clients:
    """All clients of one run; they share their connections."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._lock = threading.Lock()
        self._google: dict[tuple[str, str, str], genai.Client] = {}
        self._http = openai.DefaultHttpxClient(event_hooks={"request": [note_attempt]}, timeout=SECONDS)
        self._http_async = openai.DefaultAsyncHttpxClient(event_hooks={"request": [note_async]}, timeout=SECONDS)

    def openai(self, base_url: str, key: str, retries: int, *, strict: bool = False) -> OpenAI:
        """OpenAI's SDK. With `strict` it validates every answer against its types."""
        return OpenAI(http_client=self._http, **openai_options(base_url, key, retries, strict))

    def openai_async(self, base_url: str, key: str, retries: int, *, strict: bool = False) -> AsyncOpenAI:
        """OpenAI's asynchronous SDK."""
        return AsyncOpenAI(http_client=self._http_async, **openai_options(base_url, key, retries, strict))

    def google(self, base_url: str, key: str, version: str) -> genai.Client:
        """Google's SDK; its asynchronous half is `.aio`."""
        with self._lock:
            if (base_url, key, version) not in self._google:
                options = types.HttpOptions(base_url=base_url, api_version=version, timeout=SECONDS * 1000)
                self._google[base_url, key, version] = genai.Client(api_key=key, http_options=options)
            return self._google[base_url, key, version]

    def finish(self, value: Any) -> Any:
        """The result of a call: awaited if it is awaitable, and read to its end if it is a stream."""
        if inspect.isawaitable(value):
            value = self.wait(value)
        if inspect.isasyncgen(value) or isinstance(value, AsyncStream):
            return self.wait(collected(value, []))
        if inspect.isgenerator(value) or isinstance(value, Stream):
            return list(value)
        return value

    def events(self, call: Callable[[], Any]) -> tuple[list[Any], Exception | None]:
        """The events of a streaming call, and the exception that ended it, if any."""
        found: list[Any] = []
        try:
            stream = call()
            stream = self.wait(stream) if inspect.isawaitable(stream) else stream
            if isinstance(stream, AsyncStream):
                self.wait(collected(stream, found))
            else:
                found.extend(stream)
        except Exception as error:
            return found, error
        return found, None

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """The result of an awaitable, run on the event loop."""
        return asyncio.run_coroutine_threadsafe(awaited(awaitable), self._loop).result()

    def close(self) -> None:
        """Close every connection and stop the event loop."""
        for client in self._google.values():
            with suppress(Exception):
                client.close()
                self.wait(client.aio.aclose())
        self._http.close()
        self.wait(self._http_async.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def openai_options(base_url: str, key: str, retries: int, strict: bool) -> dict[str, Any]:
    """The options of both clients of OpenAI's SDK."""
    return {
        "base_url": base_url,
        "api_key": key,
        "max_retries": retries,
        "timeout": SECONDS,
        "_strict_response_validation": strict,
    }


async def awaited(awaitable: Awaitable[Any]) -> Any:
    """Any awaitable as a coroutine."""
    return await awaitable


async def collected(stream: Any, found: list[Any]) -> list[Any]:
    """All events of an asynchronous stream, appended to `found`."""
    async for event in stream:
        found.append(event)  # noqa: PERF401 - events before an error are kept
    return found


def note_attempt(request: Any) -> None:
    """Count a request for the row in whose context it is sent."""
    if (attempts := ATTEMPTS.get(None)) is not None:
        attempts.append(str(request.method))


async def note_async(request: Any) -> None:
    """The same as a hook of an asynchronous client."""
    note_attempt(request)


@contextmanager
def counted_attempts() -> Iterator[list[str]]:
    """The requests that OpenAI's SDK sends within the block."""
    attempts: list[str] = []
    token = ATTEMPTS.set(attempts)
    try:
        yield attempts
    finally:
        ATTEMPTS.reset(token)
