"""OpenAI's own SDK in front of the running proxy, with an upstream that plays Google."""

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
import requests
from openai.types import ImagesResponse

from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "google/gemini-2.5-flash-image"
COLOURS = ("crimson", "navy", "olive")
Generate = Callable[..., ImagesResponse]


def painted(colour: str = "teal", **settings: Any) -> Answer:
    """An answer with a picture of one colour."""
    return Answer(pictures.drawn(pictures.picture_part(pictures.plain_png(colour=colour))), **settings)


def failed(code: int, status: str, *details: dict[str, Any], message: str = "It went wrong.") -> Answer:
    """One of Google's errors."""
    return Answer(pictures.error(code, status, message, *details), status=code)


def bytes_of(answer: ImagesResponse) -> list[bytes]:
    """The pictures of an answer, wherever they are."""
    return [
        base64.b64decode(item.b64_json, validate=True)
        if item.b64_json
        else requests.get(item.url or "", timeout=10).content
        for item in answer.data or []
    ]


@pytest.fixture
def client(server: ProxyServer, key: str) -> openai.OpenAI:
    """The synchronous client with its own idea of retries."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)


@pytest.fixture(params=["sync", "async"])
def generate(request: pytest.FixtureRequest, client: openai.OpenAI) -> Generate:
    """`images.generate` of the synchronous or the asynchronous client, both as a plain call."""
    if request.param == "sync":
        return client.images.generate

    def call(**arguments: Any) -> ImagesResponse:
        async def ask() -> ImagesResponse:
            async with openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key) as asynchronous:
                return await asynchronous.images.generate(**arguments)

        return asyncio.run(ask())

    return call


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_a_picture_comes_in_the_format_that_was_asked_for(
    generate: Generate, upstream: ScriptedUpstream, response_format: str
) -> None:
    upstream.answers(painted())
    answer = generate(model=MODEL, prompt="a cat", response_format=response_format)
    (item,) = answer.data or []
    assert (item.url is None) == (response_format == "b64_json")
    assert (item.b64_json is None) == (response_format == "url")
    assert bytes_of(answer) == [pictures.plain_png()]
    assert abs(answer.created - time.time()) < 60
    assert answer.size == "1024x1024"
    assert answer.output_format == "png"


def test_generations_without_a_response_format_return_a_url(generate: Generate, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    answer = generate(model=MODEL, prompt="a cat")
    assert [item.b64_json for item in answer.data or []] == [None]
    assert bytes_of(answer) == [pictures.plain_png()]


def test_three_pictures_are_asked_for_at_once_and_come_in_order_of_arrival(
    generate: Generate, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted("crimson", delay=0.6), painted("navy", delay=0.2), painted("olive", delay=0.4))
    started = time.monotonic()
    answer = generate(model=MODEL, prompt="a cat", n=3, response_format="b64_json")
    assert time.monotonic() - started < 1.1
    assert bytes_of(answer) == [pictures.plain_png(colour=colour) for colour in ("navy", "olive", "crimson")]
    assert len(upstream.calls) == 3
    assert all("candidateCount" not in call.body.decode() for call in upstream.calls)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3 * 1290


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_a_refused_one_of_three_leaves_two_pictures_and_an_entry_in_errors(
    generate: Generate, upstream: ScriptedUpstream, response_format: str
) -> None:
    upstream.answers(painted("crimson"), Answer(pictures.refused()), painted("olive"))
    answer = generate(model=MODEL, prompt="a cat", n=3, response_format=response_format)
    assert sorted(bytes_of(answer)) == sorted(pictures.plain_png(colour=colour) for colour in ("crimson", "olive"))
    (entry,) = (answer.model_extra or {})["errors"]
    assert entry["code"] == "moderation_blocked"


def test_three_refusals_of_three_are_an_error(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.refused()))
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model=MODEL, prompt="a cat", n=3)
    assert caught.value.code == "moderation_blocked"
    assert len(upstream.calls) == 3


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ("1024x1024", "1:1"),
        ("512x512", "1:1"),
        ("256x256", "1:1"),
        ("1536x1024", "3:2"),
        ("1024x1536", "2:3"),
        ("1792x1024", "16:9"),
        ("2048x1024", "16:9"),
        ("1024x1792", "9:16"),
        ("1280x896", "4:3"),
        ("1536x672", "21:9"),
        ("16:9", "16:9"),
        ("4:5", "4:5"),
        ("auto", None),
        (None, None),
    ],
)
def test_a_size_becomes_the_aspect_ratio_that_is_nearest(
    client: openai.OpenAI, upstream: ScriptedUpstream, size: str | None, ratio: str | None
) -> None:
    upstream.answers(painted())
    raw = client.images.with_raw_response.generate(model=MODEL, prompt="a cat", size=size)
    (call,) = upstream.calls
    assert call.aspect_ratio == ratio
    assert raw.headers.get("x-twinlens-aspect-ratio") == ratio
    assert "imageSize" not in call.body.decode()


def test_aspect_ratio_wins_over_size(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    client.images.generate(model=MODEL, prompt="a cat", size="1024x1024", extra_body={"aspect_ratio": "21:9"})
    assert upstream.calls[0].aspect_ratio == "21:9"


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"size": "3000x1000"}, "size"),
        ({"size": "enormous"}, "size"),
        ({"extra_body": {"aspect_ratio": "7:5"}}, "aspect_ratio"),
        ({"n": 11}, "n"),
        ({"n": 0}, "n"),
        ({"response_format": "svg"}, "response_format"),
        ({"extra_body": {"image": "this is no picture"}}, "image"),
        ({"prompt": 5}, "prompt"),
    ],
    ids=str,
)
def test_a_parameter_that_would_give_another_picture_is_refused_by_name(
    client: openai.OpenAI, upstream: ScriptedUpstream, parameters: dict[str, Any], param: str
) -> None:
    upstream.answers(painted())
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**{"model": MODEL, "prompt": "a cat", **parameters})
    assert caught.value.param == param
    assert caught.value.type in ("invalid_request_error", "image_generation_user_error")
    assert upstream.calls == []


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"model": MODEL, "n": 1}], ids=str)
def test_a_request_without_a_prompt_is_refused(
    client: openai.OpenAI, upstream: ScriptedUpstream, body: dict[str, Any]
) -> None:
    upstream.answers(painted())
    headers = {"Authorization": f"Bearer {client.api_key}"}
    answer = requests.post(f"{client.base_url}images/generations", json=body, headers=headers, timeout=10)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "prompt")
    assert upstream.calls == []


def test_parameters_that_the_model_lacks_are_ignored_and_reported(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    raw = client.images.with_raw_response.generate(
        model=MODEL, prompt="a cat", style="vivid", quality="hd", user="me", background="auto"
    )
    named = {name.strip() for name in raw.headers["x-twinlens-ignored"].split(",")}
    assert named == {"style", "quality", "user"}
    assert upstream.calls[0].json["contents"] == [{"role": "user", "parts": [{"text": "a cat"}]}]


def test_a_refused_prompt_is_not_retried(generate: Generate, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.refused("PROHIBITED_CONTENT", "Not this one.")))
    with pytest.raises(openai.BadRequestError) as caught:
        generate(model=MODEL, prompt="a cat")
    assert caught.value.code == "moderation_blocked"
    assert caught.value.type == "image_generation_user_error"
    assert "Not this one." in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == 1


def test_a_text_instead_of_a_picture_is_an_error_that_quotes_it(generate: Generate, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.drawn({"text": "I would rather not."})))
    with pytest.raises(openai.BadRequestError) as caught:
        generate(model=MODEL, prompt="a cat")
    assert caught.value.code == "no_image_generated"
    assert "I would rather not." in caught.value.message
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_two_pictures_in_one_answer_each_have_their_size(
    generate: Generate, upstream: ScriptedUpstream, response_format: str
) -> None:
    first = pictures.picture_part(pictures.plain_png())
    second = pictures.picture_part(pictures.plain_jpeg(), "image/jpeg")
    upstream.answers(Answer(pictures.drawn({"text": "One. "}, first, {"text": "Two."}, second)))
    answer = generate(model=MODEL, prompt="a cat", response_format=response_format)
    assert bytes_of(answer) == [pictures.plain_png(), pictures.plain_jpeg()]
    assert answer.size == "1024x1024"
    own = [(item.model_extra or {}).get("size", answer.size) for item in answer.data or []]
    assert own == ["1024x1024", "1408x768"]
    text = "".join((item.model_extra or {}).get("text", "") for item in answer.data or [])
    assert text == "One. Two."


def test_a_draft_is_not_a_result(generate: Generate, upstream: ScriptedUpstream) -> None:
    draft = {**pictures.picture_part(pictures.plain_png(colour="black")), "thought": True}
    final = pictures.picture_part(pictures.plain_png(colour="white"))
    upstream.answers(Answer(pictures.drawn(draft, {"text": "Here it is."}, final)))
    answer = generate(model=MODEL, prompt="a cat", n=1, response_format="url")
    assert bytes_of(answer) == [pictures.plain_png(colour="white")]
    assert [(item.model_extra or {}).get("text") for item in answer.data or []] == ["Here it is."]


def test_a_rate_limit_with_a_delay_is_retried_after_that_delay(generate: Generate, upstream: ScriptedUpstream) -> None:
    upstream.answers(failed(429, "RESOURCE_EXHAUSTED", pictures.retry_info("0.2s")), painted())
    started = time.monotonic()
    answer = generate(model=MODEL, prompt="a cat")
    # A second more: for so long the retry looks for what its first try may have left.
    assert 0.2 <= time.monotonic() - started < 3
    assert bytes_of(answer) == [pictures.plain_png()]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    ("delay", "seconds", "milliseconds"), [("1.25s", "2", 1250), ("48s", "48", 48_000), ("3600s", "60", 60_000)]
)
def test_the_delay_of_a_rate_limit_is_rounded_up_and_at_most_a_minute(
    client: openai.OpenAI, upstream: ScriptedUpstream, delay: str, seconds: str, milliseconds: int
) -> None:
    upstream.answers(failed(429, "RESOURCE_EXHAUSTED", pictures.retry_info(delay)))
    with pytest.raises(openai.RateLimitError) as caught:
        client.with_options(max_retries=0).images.generate(model=MODEL, prompt="a cat")
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == seconds
    assert float(caught.value.response.headers["retry-after-ms"]) == milliseconds
    assert "x-should-retry" not in caught.value.response.headers


@pytest.mark.parametrize(
    ("message", "details"),
    [
        ("Quota exceeded.", (pictures.quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),)),
        ("Quota exceeded.", (pictures.retry_info("7s"), pictures.quota_failure("GenerateRequestsPerDayPerProject"))),
        ("Quota exceeded for metric: free_tier_requests, limit: 0, model: gemini-2.5-flash-preview-image", ()),
    ],
    ids=["per day", "per day, with a delay all the same", "limit 0"],
)
def test_an_exhausted_quota_is_not_retried(
    client: openai.OpenAI, upstream: ScriptedUpstream, message: str, details: tuple[dict[str, Any], ...]
) -> None:
    upstream.answers(failed(429, "RESOURCE_EXHAUSTED", *details, message=message))
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model=MODEL, prompt="a cat")
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("code", [500, 503])
def test_an_error_that_may_pass_is_retried_by_the_sdk(
    client: openai.OpenAI, upstream: ScriptedUpstream, code: int
) -> None:
    upstream.answers(failed(code, "INTERNAL" if code == 500 else "UNAVAILABLE"), painted())
    assert bytes_of(client.images.generate(model=MODEL, prompt="a cat")) == [pictures.plain_png()]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    ("upstream_answer", "exception", "code"),
    [
        (Answer(pictures.API_KEY_INVALID, status=400), openai.AuthenticationError, "invalid_api_key"),
        (failed(401, "UNAUTHENTICATED"), openai.AuthenticationError, "invalid_api_key"),
        (failed(403, "PERMISSION_DENIED"), openai.PermissionDeniedError, "permission_denied"),
        (failed(404, "NOT_FOUND"), openai.NotFoundError, "model_not_found"),
        (failed(400, "INVALID_ARGUMENT"), openai.BadRequestError, None),
        (failed(413, "INVALID_ARGUMENT"), openai.APIStatusError, None),
    ],
    ids=["invalid key", "401", "403", "404", "400", "413"],
)
def test_an_error_of_the_caller_is_raised_as_its_class_and_not_retried(
    generate: Generate,
    upstream: ScriptedUpstream,
    upstream_answer: Answer,
    exception: type[openai.APIStatusError],
    code: str | None,
) -> None:
    upstream.answers(upstream_answer)
    with pytest.raises(exception) as caught:
        generate(model=MODEL, prompt="a cat")
    assert caught.value.code == code
    assert caught.value.type
    assert caught.value.request_id
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_api_key"), (429, "rate_limit_exceeded")])
@pytest.mark.parametrize("body", [b"", b"Too Many Requests", b"{}"], ids=["no body", "a text", "an empty object"])
def test_a_status_means_the_same_when_its_body_says_nothing(
    client: openai.OpenAI, upstream: ScriptedUpstream, status: int, code: str, body: bytes
) -> None:
    upstream.answers(Answer(body, status))
    with pytest.raises(openai.APIStatusError) as caught:
        client.with_options(max_retries=0).images.generate(model=MODEL, prompt="a cat")
    assert (caught.value.status_code, caught.value.code) == (status, code)


def test_an_empty_key_is_an_authentication_error_without_a_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    answer = requests.post(f"{server.url}/v1/images/generations", json={"prompt": "a cat"}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.calls == []


def test_another_model_is_not_found_and_the_message_names_ours(generate: Generate, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    with pytest.raises(openai.NotFoundError) as caught:
        generate(model="gpt-4o", prompt="a cat")
    assert caught.value.code == "model_not_found"
    assert "gemini-2.5-flash-image" in caught.value.message
    assert upstream.calls == []


@pytest.mark.parametrize(
    "name", ["gemini-2.5-flash-image", "google/gemini-2.5-flash-image", "models/gemini-2.5-flash-image"]
)
def test_the_model_may_be_spelled_with_or_without_a_prefix(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(painted())
    client.images.generate(model=name, prompt="a cat")
    assert upstream.calls[0].target == "/v1beta/models/gemini-2.5-flash-image:generateContent"
    assert client.models.retrieve(name).id.endswith("gemini-2.5-flash-image")


def test_the_models_are_listed_in_openais_form(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "gemini-2.5-flash-image"
    assert model.object == "model"
    assert isinstance(model.created, int)
    assert model.owned_by


def test_the_asynchronous_client_lists_the_models_too(client: openai.OpenAI) -> None:
    async def listed() -> list[str]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key) as asynchronous:
            return [model.id async for model in asynchronous.models.list()]

    assert asyncio.run(listed()) == ["gemini-2.5-flash-image"]


def test_an_unknown_model_cannot_be_retrieved(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


def test_the_answers_satisfy_the_strict_mode_of_the_sdk(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted("crimson"), Answer(pictures.refused()), painted("olive"))
    strict = openai.OpenAI(
        base_url=client.base_url, api_key=client.api_key, _strict_response_validation=True, max_retries=0
    )
    strict.images.generate(model=MODEL, prompt="a cat", n=3, quality="hd", background="transparent")
    strict.images.generate(model=MODEL, prompt="a cat", response_format="b64_json")
    strict.models.list()
    strict.models.retrieve("gemini-2.5-flash-image")


def test_the_request_id_of_the_caller_is_kept_if_it_is_sane(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    ours = client.images.generate(model=MODEL, prompt="a cat")
    assert ours._request_id
    kept = client.images.generate(model=MODEL, prompt="a cat", extra_headers={"x-request-id": "order-42"})
    assert kept._request_id == "order-42"
    replaced = client.images.generate(model=MODEL, prompt="a cat", extra_headers={"x-request-id": "<b>" * 200})
    assert replaced._request_id
    assert "<b>" not in replaced._request_id
