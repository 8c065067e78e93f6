"""Asks twice with the same key, in each way of some clients: `google_clients.py ROOT_URL API_KEY MODEL`."""

import asyncio
import sys

from google import genai
from google.genai import types
from langchain_google_genai import ChatGoogleGenerativeAI, Modality

root, api_key, model = sys.argv[1:]
prompt = "a cat"


def config(key: str) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(http_options=types.HttpOptions(headers={"Idempotency-Key": key}))


def with_retry_options(key: str) -> None:
    retries = types.HttpRetryOptions(attempts=3)
    client = genai.Client(api_key=api_key, http_options=types.HttpOptions(base_url=root, retry_options=retries))
    assert client.models.generate_content(model=model, contents=prompt, config=config(key)).parts


def with_aio(key: str) -> None:
    async def ask() -> None:
        client = genai.Client(api_key=api_key, http_options=types.HttpOptions(base_url=root)).aio
        assert (await client.models.generate_content(model=model, contents=prompt, config=config(key))).parts
        await client.aclose()

    asyncio.run(ask())


def with_langchain(key: str) -> None:
    chat = ChatGoogleGenerativeAI(
        model=model, google_api_key=api_key, base_url=root, response_modalities=[Modality.TEXT, Modality.IMAGE]
    )
    assert chat.invoke(prompt, http_options={"headers": {"Idempotency-Key": key}}).content


for name, ask in {
    "google-genai with retry options": with_retry_options,
    "google-genai aio": with_aio,
    "langchain-google-genai": with_langchain,
}.items():
    for _ in range(2):
        ask(name.replace(" ", "-"))
    print(name)
