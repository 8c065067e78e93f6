"""What a new user reads when the service is up and the sandbox is on."""

from __future__ import annotations

from proxy.settings import Settings

WELCOME = """
Twinlens is up. The playground is at {url}/
The key `sandbox` gets pictures without a network and without a bill; your own Google key gets real ones.

curl {url}/v1/images/generations -H 'Authorization: Bearer sandbox' \\
     -H 'Content-Type: application/json' -d '{{"prompt": "a cat in a neon city"}}'

# pip install openai
from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="sandbox")
print(client.images.generate(model="{model}", prompt="a cat in a neon city").data[0].url)

# pip install google-genai
from google import genai
client = genai.Client(api_key="sandbox", http_options={{"base_url": "{url}"}})
answer = client.models.generate_content(model="{model}", contents="a cat in a neon city")
open("cat.png", "wb").write(next(part.inline_data.data for part in answer.parts if part.inline_data))

Stop it with Ctrl-C.
"""


def welcome(settings: Settings) -> str:
    """The address, and a first picture with curl and with both SDKs."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    url = settings.public_base_url or f"http://{host}:{settings.port}"
    return WELCOME.format(url=url, model=settings.catalogue().resolve(None).name)
