"""Real answers of Google, replayed, and translated into chats: the same pictures and errors as on the Images API."""

import base64
from typing import Any

import openai
import pytest

from tests.end_to_end.test_recordings import (
    ERRORS,
    FAILING,
    MUST_NOT_BE_RETRIED,
    PICTURED,
    RECORDINGS,
    recorded_picture,
)
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.recordings import ABSENT
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)

WORDS = {"gemini_20fpig_stream_sse_text_only", "gemini_25fi_preview_default_modalities_or_text_1"}  # no picture


@pytest.fixture(scope="module")
def key() -> str:
    """One key for all of them."""
    return new_key()


def chat(server: ProxyServer, key: str) -> Any:
    """A chat with OpenAI's SDK, which asks once."""
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
    messages: Any = [{"role": "user", "content": "an axolotl"}]
    return client.chat.completions.create(model="gemini-2.5-flash-image", messages=messages)


@pytest.mark.parametrize("name", PICTURED)
def test_a_chat_has_the_recorded_picture(server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str):
    upstream.answers(RECORDINGS[name].answer)
    answer = chat(server, key)
    picture = recorded_picture(name)
    head, _, data = answer.choices[0].message.images[0]["image_url"]["url"].partition(";base64,")
    assert base64.b64decode(data, validate=True) == picture
    assert head == f"data:image/{'jpeg' if picture.startswith(bytes.fromhex('ffd8')) else 'png'}"


@pytest.mark.parametrize("name", FAILING)
def test_a_chat_raises_what_the_recording_means(server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str):
    upstream.answers(RECORDINGS[name].answer)
    if name in WORDS:
        message = chat(server, key).choices[0].message
        assert message.content
        assert "images" not in (message.model_extra or {})
        return
    exception, code = ERRORS[name]
    with pytest.raises(openai.APIStatusError) as caught:
        chat(server, key)
    assert (type(caught.value), caught.value.code) == (exception, code), caught.value
    assert (caught.value.response.headers.get("x-should-retry") == "false") == (name in MUST_NOT_BE_RETRIED)
    assert len(upstream.calls) == 1
