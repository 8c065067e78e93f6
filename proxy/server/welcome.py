"""What a new user reads when the service is up and the sandbox is on."""

from __future__ import annotations

from datetime import date

from compat.image_models import ServedModel
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

{note}Stop it with Ctrl-C.
"""
ENDED = """The announced end of {model}, {day}, has passed. {then}

"""
FOLLOWED = "With your own key {successor} draws where Google no longer has it."
CHOSEN = "If Google no longer has it, set UPSTREAM_MODELS={model}={successor}."


def welcome(settings: Settings, today: date) -> str:
    """The address, a first picture with curl and with both SDKs, and whether the model's announced end has passed."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    url = settings.public_base_url or f"http://{host}:{settings.port}"
    model = settings.catalogue().resolve(None)
    return WELCOME.format(url=url, model=model.name, note=note_on(model, settings, today))


def note_on(model: ServedModel, settings: Settings, today: date) -> str:
    """What is said of a model that has ended, as announced; empty for any other."""
    if not model.upstream.has_ended(today):
        return ""
    words = FOLLOWED if settings.follow_successors else CHOSEN
    then = words.format(model=model.name, successor=model.successor.name) if model.successor else ""
    return ENDED.format(model=model.upstream_name, day=model.upstream.retires, then=then)
