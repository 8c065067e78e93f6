"""OpenAI's SDK without its waiting: clients that record the delay before a retry instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import openai


@dataclass
class Noted:
    """The attempts of one call, and the delays before its retries."""

    attempts: int = 0
    delays: list[float] = field(default_factory=list)


class PatientOpenAI(openai.OpenAI):
    """OpenAI's client with recorded delays."""

    noted: Noted

    def _calculate_retry_timeout(self, *arguments: Any) -> float:
        self.noted.delays.append(super()._calculate_retry_timeout(*arguments))
        return 0.001


class PatientAsyncOpenAI(openai.AsyncOpenAI):
    """OpenAI's asynchronous client with recorded delays."""

    noted: Noted

    def _calculate_retry_timeout(self, *arguments: Any) -> float:
        self.noted.delays.append(super()._calculate_retry_timeout(*arguments))
        return 0.001


def ask_openai(kind: str, base_url: str, key: str, call: Callable[[Any], Any], **options: Any) -> tuple[Any, Noted]:
    """The result of a call of the synchronous or asynchronous client; a stream as the list of its events.

    An exception is returned, not raised.
    """
    noted = Noted()
    if kind == "sync":

        def count(_: Any) -> None:
            noted.attempts += 1

        http_client = openai.DefaultHttpxClient(event_hooks={"request": [count]})
        with PatientOpenAI(base_url=base_url, api_key=key, http_client=http_client, **options) as client:
            client.noted = noted
            return outcome(lambda: listed(call(client))), noted

    async def ask() -> Any:
        async def count(_: Any) -> None:
            noted.attempts += 1

        http_client = openai.DefaultAsyncHttpxClient(event_hooks={"request": [count]})
        async with PatientAsyncOpenAI(base_url=base_url, api_key=key, http_client=http_client, **options) as client:
            client.noted = noted
            answer = await call(client)
            return [event async for event in answer] if isinstance(answer, openai.AsyncStream) else answer

    return outcome(lambda: asyncio.run(ask())), noted


def listed(answer: Any) -> Any:
    return list(answer) if isinstance(answer, openai.Stream) else answer


def outcome(ask: Callable[[], Any]) -> Any:
    """What a call returns, or the exception that it raises."""
    try:
        return ask()
    except Exception as error:
        return error
