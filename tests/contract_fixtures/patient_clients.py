"""Both SDKs as they are, but for their patience: they note how long they would wait, and do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai
from google import genai
from google.genai import types


@dataclass
class Noted:
    """What a client did in the course of one call."""

    attempts: int = 0
    delays: list[float] = field(default_factory=list)


class HastyOpenAI(openai.OpenAI):
    """OpenAI's client, which asks again at once."""

    noted: Noted

    def _calculate_retry_timeout(self, *arguments: Any) -> float:
        self.noted.delays.append(super()._calculate_retry_timeout(*arguments))
        return 0.001


class HastyAsyncOpenAI(openai.AsyncOpenAI):
    """OpenAI's asynchronous client, which asks again at once."""

    noted: Noted

    def _calculate_retry_timeout(self, *arguments: Any) -> float:
        self.noted.delays.append(super()._calculate_retry_timeout(*arguments))
        return 0.001


def ask_openai(kind: str, base_url: str, key: str, call: Callable[[Any], Any], **options: Any) -> tuple[Any, Noted]:
    """What a call of the synchronous or the asynchronous client gives; a stream as the list of its events.

    An exception of the SDK's is returned, not raised.
    """
    noted = Noted()
    if kind == "sync":

        def count(_: Any) -> None:
            noted.attempts += 1

        http_client = openai.DefaultHttpxClient(event_hooks={"request": [count]})
        with HastyOpenAI(base_url=base_url, api_key=key, http_client=http_client, **options) as client:
            client.noted = noted
            return outcome(lambda: listed(call(client))), noted

    async def ask() -> Any:
        async def count(_: Any) -> None:
            noted.attempts += 1

        http_client = openai.DefaultAsyncHttpxClient(event_hooks={"request": [count]})
        async with HastyAsyncOpenAI(base_url=base_url, api_key=key, http_client=http_client, **options) as client:
            client.noted = noted
            answer = await call(client)
            return [event async for event in answer] if isinstance(answer, openai.AsyncStream) else answer

    return outcome(lambda: asyncio.run(ask())), noted


def listed(answer: Any) -> Any:
    return list(answer) if isinstance(answer, openai.Stream) else answer


def ask_google(
    kind: str, base_url: str, key: str, call: Callable[[Any], Any], api_version: str = "v1"
) -> tuple[Any, Noted]:
    """What a call of `client.models` or `client.aio.models` gives; a stream as the list of its answers."""
    noted = Noted()

    def count(_: Any) -> None:
        noted.attempts += 1

    async def count_asynchronously(_: Any) -> None:
        noted.attempts += 1

    options = types.HttpOptions(
        base_url=base_url,
        api_version=api_version,
        client_args={"event_hooks": {"request": [count]}},
        async_client_args={"event_hooks": {"request": [count_asynchronously]}},
    )

    def ask() -> Any:
        client = genai.Client(api_key=key, http_options=options)
        if kind == "sync":
            answer = call(client.models)
            return list(answer) if hasattr(answer, "__next__") else answer
        return asyncio.run(ask_asynchronously(client))

    async def ask_asynchronously(client: genai.Client) -> Any:
        async with client.aio as asynchronous:
            answer = await call(asynchronous.models)
            return [part async for part in answer] if hasattr(answer, "__anext__") else answer

    return outcome(ask), noted


def outcome(ask: Callable[[], Any]) -> Any:
    """What is returned, or what is raised."""
    try:
        return ask()
    except Exception as error:
        return error
