"""Real clients draw in a chat, and then change by words what was drawn: in two turns, streamed and not."""

import base64
import io
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import requests
from PIL import Image

from contract.replay import ReplayingUpstream
from tests.support.environments import environment, python_of
from tests.support.installed import program
from tests.support.keys import new_key
from tests.support.proxy_server import QUICK, ProxyServer

SECONDS = 90

# Each script gets the URL of a proxy, and a list of rounds: a key, whether to stream, and what to draw. It prints the
# two pictures of each round, as data URLs or as they were in the words, and whether a usage came along.

OPENAI_PYTHON = """
import json, sys
import openai

url, rounds = sys.argv[1], json.loads(sys.argv[2])


def ask(client, messages, stream):
    options = {"model": "gemini-2.5-flash-image", "messages": messages}
    if not stream:
        answer = client.chat.completions.create(**options)
        return answer.choices[0].message.model_dump(), answer.usage
    message, usage = {"role": "assistant", "content": "", "images": []}, None
    for chunk in client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            message["content"] += choice.delta.content or ""
            message["images"] += (choice.delta.model_extra or {}).get("images", [])
    return message, usage


done = []
for key, stream, prompt in rounds:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    messages = [{"role": "user", "content": prompt}]
    first, usage = ask(client, messages, stream)
    messages += [first, {"role": "user", "content": "make it blue"}]
    second, _ = ask(client, messages, stream)
    done.append([one["images"][0]["image_url"]["url"] for one in (first, second)] + [usage.total_tokens > 1000])
print(json.dumps(done))
"""

LITELLM = """
import json, sys
import litellm

url, rounds = sys.argv[1], json.loads(sys.argv[2])


def ask(key, messages, stream):
    options = {"model": "openai/gemini-2.5-flash-image", "api_base": f"{url}/v1", "api_key": key, "messages": messages}
    if not stream:
        answer = litellm.completion(**options, max_retries=0)
        return answer.choices[0].message.model_dump(), answer.usage
    message, usage = {"role": "assistant", "content": "", "images": []}, None
    for chunk in litellm.completion(**options, max_retries=0, stream=True, stream_options={"include_usage": True}):
        usage = getattr(chunk, "usage", None) or usage
        for choice in chunk.choices:
            message["content"] += choice.delta.content or ""
            message["images"] += getattr(choice.delta, "images", None) or []
    return message, usage


done = []
for key, stream, prompt in rounds:
    messages = [{"role": "user", "content": prompt}]
    first, usage = ask(key, messages, stream)
    messages += [first, {"role": "user", "content": "make it blue"}]
    second, _ = ask(key, messages, stream)
    done.append([one["images"][0]["image_url"]["url"] for one in (first, second)] + [usage.total_tokens > 1000])
print(json.dumps(done))
"""

LANGCHAIN = """
import json, sys
from functools import reduce
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI

url, rounds = sys.argv[1], json.loads(sys.argv[2])
done = []
for key, stream, prompt in rounds:
    model = ChatOpenAI(model="gemini-2.5-flash-image", base_url=f"{url}/v1", api_key=key, max_retries=0)

    def ask(messages):
        if not stream:
            return model.invoke(messages)
        return reduce(lambda one, other: one + other, model.stream(messages, stream_usage=True))

    first = ask([HumanMessage(prompt)])
    second = ask([HumanMessage(prompt), AIMessage(first.content), HumanMessage("make it blue")])
    done.append([first.content, second.content, first.usage_metadata["total_tokens"] > 1000])
print(json.dumps(done))
"""

OPENAI_NODE = """
import OpenAI from "openai";

const [url, rounds] = [process.argv[2], JSON.parse(process.argv[3])];

async function ask(client, messages, stream) {
  const options = { model: "gemini-2.5-flash-image", messages };
  if (!stream) {
    const answer = await client.chat.completions.create(options);
    return [answer.choices[0].message, answer.usage];
  }
  const message = { role: "assistant", content: "", images: [] };
  let usage;
  const chunks = await client.chat.completions.create({ ...options, stream, stream_options: { include_usage: true } });
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    for (const { delta } of chunk.choices) {
      message.content += delta.content ?? "";
      message.images.push(...(delta.images ?? []));
    }
  }
  return [message, usage];
}

const done = [];
for (const [apiKey, stream, prompt] of rounds) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
  const messages = [{ role: "user", content: prompt }];
  const [first, usage] = await ask(client, messages, stream);
  messages.push(first, { role: "user", content: "make it blue" });
  const [second] = await ask(client, messages, stream);
  done.push([first.images[0].image_url.url, second.images[0].image_url.url, usage.total_tokens > 1000]);
}
console.log(JSON.stringify(done));
"""

# It drops the pictures of an assistant's turn, so they are sent again in the user's.
AI_SDK = """
import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { generateText, streamText } from "ai";

const [url, rounds] = [process.argv[2], JSON.parse(process.argv[3])];

async function ask(model, messages, stream) {
  const options = { model, messages, maxRetries: 0 };
  const result = stream ? streamText(options) : await generateText(options);
  return [(await result.files)[0], await result.text, await result.usage];
}

const done = [];
for (const [apiKey, stream, prompt] of rounds) {
  const usage = { include: true };
  const model = createOpenRouter({ baseURL: `${url}/v1`, apiKey }).chat("gemini-2.5-flash-image", { usage });
  const messages = [{ role: "user", content: prompt }];
  const [first, text, used] = await ask(model, messages, stream);
  const picture = { type: "file", mediaType: first.mediaType, data: first.base64 };
  messages.push({ role: "assistant", content: text });
  messages.push({ role: "user", content: [picture, { type: "text", text: "make it blue" }] });
  const [second] = await ask(model, messages, stream);
  const urls = [first, second].map((file) => `data:${file.mediaType};base64,${file.base64}`);
  done.push([...urls, used.totalTokens > 1000]);
}
console.log(JSON.stringify(done));
"""


@pytest.fixture(scope="module")
def replaying() -> Iterator[ReplayingUpstream]:
    """The upstream of keys other than the sandbox's."""
    with ReplayingUpstream().running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def chat_server(replaying: ReplayingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy of the replaying upstream, with the sandbox on."""
    folder = tmp_path_factory.mktemp("chat")
    with ProxyServer(folder, QUICK, SANDBOX="1", GEMINI_BASE_URL=replaying.url) as server:
        yield server


@pytest.fixture(scope="module")
def markdown_server(replaying: ReplayingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """The same for clients that show only words."""
    folder = tmp_path_factory.mktemp("markdown")
    settings = {"SANDBOX": "1", "GEMINI_BASE_URL": replaying.url, "CHAT_IMAGES": "markdown"}
    with ProxyServer(folder, QUICK, **settings) as server:
        yield server


@cache
def mark_of(client: str, upstream: str, stream: bool) -> str:
    """What to draw: a text that no other test has."""
    return f"a red kite {client} {upstream} {stream} {uuid.uuid4().hex}"


UPSTREAMS = ("sandbox", "replay")
ROUNDS = [(upstream, stream) for upstream in UPSTREAMS for stream in (False, True)]
Spoken = dict[tuple[str, bool], list[Any]]


@cache
def conversations(client: str, url: str) -> Spoken:
    """What a client got in all rounds, which run in one process."""
    keys = {"sandbox": "sandbox", "replay": new_key()}
    rounds = [[keys[upstream], stream, mark_of(client, upstream, stream)] for upstream, stream in ROUNDS]
    script, folder = CLIENTS[client]
    found = run(script, folder, url, json.dumps(rounds))
    return dict(zip(ROUNDS, found, strict=True))


def run(script: str, packages: str, *arguments: str) -> list[Any]:
    """What a script prints, as JSON; `packages` is its environment, or empty for that of the tests."""
    if packages.endswith("node"):
        path = environment(packages) / f"chat-{uuid.uuid4().hex}.mjs"  # beside its packages, or Node finds none
        command = [program("node"), path]
        path.write_text(script)
    else:
        command, path = [python_of(packages) if packages else sys.executable, "-c", script], None
    try:
        done = subprocess.run(
            [*command, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        if path:
            path.unlink()
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


CLIENTS = {
    "openai-python": (OPENAI_PYTHON, ""),
    "openai-node": (OPENAI_NODE, "chat-node"),
    "litellm": (LITELLM, "chat-clients"),
    "ai-sdk": (AI_SDK, "chat-node"),
    "langchain": (LANGCHAIN, "chat-clients"),
}
WORDS_ONLY = ("langchain",)


def picture_of(shown: str) -> bytes:
    """The picture of a data URL, or the one that stands in the words."""
    if shown.startswith("data:image/"):
        return base64.b64decode(shown.partition(";base64,")[2], validate=True)
    url = shown.partition("![image](")[2].partition(")")[0]
    assert url.startswith("http://127.0.0.1:"), shown
    return requests.get(url, timeout=10).content


@pytest.mark.parametrize(("upstream", "stream"), ROUNDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_draws_and_changes_what_was_drawn(
    client: str,
    upstream: str,
    stream: bool,
    chat_server: ProxyServer,
    markdown_server: ProxyServer,
    replaying: ReplayingUpstream,
):
    server = markdown_server if client in WORDS_ONLY else chat_server
    drawn, edited, is_counted = conversations(client, server.url)[upstream, stream]
    first, second = picture_of(drawn), picture_of(edited)
    assert Image.open(io.BytesIO(first)).size == Image.open(io.BytesIO(second)).size
    assert first != second
    assert is_counted
    if upstream == "replay":
        drawing, editing = (call.json["contents"] for call in replaying.calls_with(mark_of(client, upstream, stream)))
        assert [content["role"] for content in drawing] == ["user"]
        assert [content["role"] for content in editing] == ["user", "model", "user"]
        assert editing[1]["parts"][0]["text"].strip() == "Here you go:"
        picture, words = editing[2]["parts"]
        assert base64.b64decode(picture["inlineData"]["data"]) == first
        assert words == {"text": "make it blue"}
        assert sum("inlineData" in part for content in editing for part in content["parts"]) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_buys_a_chat_once(markdown_server: ProxyServer, replaying: ReplayingUpstream, stream: bool):
    body = {"messages": [{"role": "user", "content": f"a kite {uuid.uuid4().hex}"}], "stream": stream}
    headers = {"Authorization": f"Bearer {new_key()}", "Idempotency-Key": uuid.uuid4().hex}
    url = f"{markdown_server.url}/v1/chat/completions"
    first, again = (requests.post(url, json=body, headers=headers, timeout=SECONDS) for _ in range(2))
    assert first.status_code == 200, first.text
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert len(replaying.calls_with(body["messages"][0]["content"])) == 1
    shown = first.text.replace("\\n", "\n")
    lasts = int(shown.partition("/images/")[2].partition("-")[0], 16) - time.time()
    assert 86000 < lasts <= 86401, "as long as the answer is kept"
    other = {**body, "messages": [{"role": "user", "content": "a dog"}]}
    refused = requests.post(url, json=other, headers=headers, timeout=SECONDS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")
