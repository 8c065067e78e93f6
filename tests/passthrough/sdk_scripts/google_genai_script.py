"""Runs in an environment of google-genai 1, 2 or 3: reads questions from stdin, one JSON a line, and asks the SDK."""

import asyncio
import base64
import json
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google import genai
from google.genai import types

warnings.simplefilter("ignore")


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer: dict[str, Any] = {"result": ACTIONS[question["do"]](question)}
        except Exception as error:  # whatever it is, the test judges it
            answer = {"error": fields_of(error)}
        print(json.dumps(answer), flush=True)


def fields_of(error: Exception) -> dict[str, Any]:
    fields = {name: getattr(error, name, None) for name in ("code", "status", "message", "details")}
    return {"classes": [one.__name__ for one in type(error).__mro__], "text": str(error), **fields}


LOOP = asyncio.new_event_loop()


@lru_cache(8)  # as a program keeps its client
def client_for(key: str, options: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(**json.loads(options)))


def run(question: dict[str, Any], action: Callable[..., Any], asynchronous_action: Callable[..., Any]) -> Any:
    """Does the same with the client, or with its asynchronous half."""
    options = {"base_url": question["base_url"], **question.get("http_options", {})}
    client = client_for(question["key"], json.dumps(options))
    if question["asynchronous"]:
        return LOOP.run_until_complete(asynchronous_action(client.aio))
    return action(client)


def piece(given: str | dict[str, str]) -> Any:
    """A text stays a text; a picture becomes a part."""
    if isinstance(given, str):
        return given
    return types.Part.from_bytes(data=base64.b64decode(given["data"]), mime_type=given["mime_type"])


def message(given: Any) -> Any:
    return [piece(one) for one in given] if isinstance(given, list) else piece(given)


def arguments(question: dict[str, Any]) -> dict[str, Any]:
    made = {"model": question["model"], "contents": message(question["contents"])}
    if config := question.get("config"):
        if image_config := config.get("image_config"):
            config["image_config"] = types.ImageConfig(**image_config)  # version 1.40 accepts no dict
        made["config"] = types.GenerateContentConfig(**config)
    return made


def described(answer: types.GenerateContentResponse) -> dict[str, Any]:
    candidate = answer.candidates[0] if answer.candidates else None
    parts = (candidate.content.parts or []) if candidate and candidate.content else []
    usage = answer.usage_metadata
    return {
        "texts": [part.text for part in parts if part.text],
        "pictures": [
            {"mime_type": part.inline_data.mime_type, "data": base64.b64encode(part.inline_data.data or b"").decode()}
            for part in parts
            if part.inline_data
        ],
        "finish_reason": candidate.finish_reason.value if candidate and candidate.finish_reason else None,
        "block_reason": answer.prompt_feedback.block_reason.value
        if answer.prompt_feedback and answer.prompt_feedback.block_reason
        else None,
        "total_tokens": usage.total_token_count if usage else None,
        "response_id": answer.response_id,
        "model_version": answer.model_version,
    }


def generate(question: dict[str, Any]) -> Any:
    async def later(aio: Any) -> Any:
        return await aio.models.generate_content(**arguments(question))

    return described(run(question, lambda client: client.models.generate_content(**arguments(question)), later))


def stream(question: dict[str, Any]) -> Any:
    async def later(aio: Any) -> Any:
        return [chunk async for chunk in await aio.models.generate_content_stream(**arguments(question))]

    chunks = run(question, lambda client: list(client.models.generate_content_stream(**arguments(question))), later)
    return [described(chunk) for chunk in chunks]


def chat(question: dict[str, Any]) -> Any:
    """Several messages of one chat, whose history is the SDK's own."""
    messages = [message(one) for one in question["messages"]]

    def now(client: genai.Client) -> Any:
        conversation = client.chats.create(model=question["model"])
        return [conversation.send_message(one) for one in messages]

    async def later(aio: Any) -> Any:
        conversation = aio.chats.create(model=question["model"])
        return [await conversation.send_message(one) for one in messages]

    return [described(answer) for answer in run(question, now, later)]


def chat_stream(question: dict[str, Any]) -> Any:
    messages = [message(one) for one in question["messages"]]

    def now(client: genai.Client) -> Any:
        conversation = client.chats.create(model=question["model"])
        return [list(conversation.send_message_stream(one)) for one in messages]

    async def later(aio: Any) -> Any:
        conversation = aio.chats.create(model=question["model"])
        return [[chunk async for chunk in await conversation.send_message_stream(one)] for one in messages]

    return [[described(chunk) for chunk in chunks] for chunks in run(question, now, later)]


def count(question: dict[str, Any]) -> Any:
    async def later(aio: Any) -> Any:
        return await aio.models.count_tokens(**arguments(question))

    return run(question, lambda client: client.models.count_tokens(**arguments(question)), later).total_tokens


def list_models(question: dict[str, Any]) -> Any:
    config = question.get("config")

    async def later(aio: Any) -> Any:
        return [model async for model in await aio.models.list(config=config)]

    return [about(model) for model in run(question, lambda client: list(client.models.list(config=config)), later)]


def get_model(question: dict[str, Any]) -> Any:
    async def later(aio: Any) -> Any:
        return await aio.models.get(model=question["model"])

    return about(run(question, lambda client: client.models.get(model=question["model"]), later))


def about(model: types.Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "actions": model.supported_actions,
        "input_token_limit": model.input_token_limit,
        "output_token_limit": model.output_token_limit,
    }


ACTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "version": lambda _: genai.__version__,
    "generate": generate,
    "stream": stream,
    "chat": chat,
    "chat_stream": chat_stream,
    "count": count,
    "list": list_models,
    "get": get_model,
}

if __name__ == "__main__":
    main()
