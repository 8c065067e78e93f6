"""The header as each client sends it, in the ways that docs/money.md shows: one purchase for two calls with a key."""

import subprocess
from pathlib import Path

import pytest

from tests.money.conftest import Google, Service
from tests.money.node import run_node
from tests.support.environments import environment
from tests.support.leftovers import until

SCRIPT = Path(__file__).with_name("google_clients.py")
PYTHON_WAYS = ("google-genai with retry options", "google-genai aio", "langchain-google-genai")

NODE = """
import OpenAI from 'openai';
import { GoogleGenAI } from '@google/genai';
import { generateImage } from 'ai';
import { createOpenAI } from '@ai-sdk/openai';

const [baseURL, root, apiKey, model] = [process.env.BASE_URL, process.env.ROOT_URL, process.env.KEY, process.env.MODEL];
const openai = new OpenAI({ baseURL, apiKey });
const google = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: root } });
const aiSdk = createOpenAI({ baseURL, apiKey });
const prompt = 'a cat';
const ways = {
    openai: (key) => openai.images.generate({ prompt, model }, { headers: { 'Idempotency-Key': key } }),
    google: (key) => google.models.generateContent({
        model, contents: prompt, config: { httpOptions: { headers: { 'Idempotency-Key': key } } },
    }),
    aiSdk: (key) => generateImage({ model: aiSdk.image(model), prompt, headers: { 'Idempotency-Key': key } }),
};
for (const [name, ask] of Object.entries(ways)) {
    await ask(`key-of-${name}`);
    await ask(`key-of-${name}`);
}
const headers = { 'Idempotency-Key': 'one-key' };
const { images } = await generateImage({ model: aiSdk.image(model), prompt, n: 2, headers });
console.log(images.length, images[0].base64 === images[1].base64);
"""


def test_node_clients(one_machine: Service, google: Google):
    printed = run_node(NODE, one_machine, MODEL="gemini-2.5-flash-image")
    assert printed.strip() == "2 true", "the AI SDK sends one key with each of its requests for n pictures"
    assert (google.asked, google.sold) == (4, 4)
    until(lambda: one_machine.saved() == 4, "a purchase that was not counted as saved")


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter with google-genai, aiohttp and langchain-google-genai."""
    return environment("langchain-litellm") / "bin/python"


def test_python_clients_of_googles_surface(one_machine: Service, google: Google, python: Path):
    command = [python, SCRIPT, one_machine.url(), one_machine.key, "gemini-2.5-flash-image"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == list(PYTHON_WAYS)
    assert (google.asked, google.sold) == (len(PYTHON_WAYS), len(PYTHON_WAYS))


def test_the_key_that_openai_python_makes_itself(one_machine: Service, google: Google):
    """`_idempotency_header` makes the SDK send one key for all tries of a call, and a new one with the next."""
    google.seconds = 2
    client = one_machine.openai(timeout=1.0, max_retries=6)
    client._idempotency_header = "Idempotency-Key"
    for _ in range(2):
        assert client.images.generate(prompt="a cat", response_format="b64_json").data
    assert [name for call in google.upstream.calls for name in call.headers if name.lower() == "idempotency-key"] == []
    assert (google.asked, google.sold) == (2, 2)
