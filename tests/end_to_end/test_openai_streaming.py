"""Server-sent events of the OpenAI surface: their order, and errors before and after the first."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from jsonschema import Draft202012Validator
from openai.types import ImageEditCompletedEvent, ImageGenCompletedEvent

import spec
from proxy import limits
from tests.support import pictures
from tests.support.openai_calls import CLIENTS, MODEL, Ask, asking, extras, failed, painted, refused
from tests.support.processes import PROJECT
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, Answer, ScriptedUpstream, reset, slowly

PNG = pictures.plain_png(64, 48)
SILENCE = 0.3  # seconds, where tests shorten it
SECONDS = 2  # of UPSTREAM_TIMEOUT_SECONDS there
OPERATIONS = {"generate": "image_generation", "edit": "image_edit"}
FIXTURES = sorted((PROJECT / "contract_fixtures/gemini_content/generate_content").glob("*.json"))
every_operation = pytest.mark.parametrize("method", OPERATIONS)


def request_of(method: str, **fields: Any) -> dict[str, Any]:
    """The arguments of a streamed generation or edit."""
    image = {"image": PNG} if method == "edit" else {}
    return {"model": MODEL, "prompt": "a cat", "stream": True, **image, **fields}


def picture_in(event: Any) -> bytes:
    return base64.b64decode(event.b64_json, validate=True)


def streamed(
    server: ProxyServer,
    key: str,
    path: str = "images/generations",
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> requests.Response:
    """A streamed call without an SDK, read to its end."""
    return requests.post(
        f"{server.url}/v1/images/generations",
        json={"prompt": "a cat", "stream": True, **fields},
        headers={"Authorization": f"Bearer {key}", **(headers or {})},
        timeout=30,
    )


def frames_of(answer: requests.Response) -> list[str]:
    """The blocks of a stream: events and comments, as text."""
    assert answer.text.endswith("\n\n")
    return answer.text.removesuffix("\n\n").split("\n\n")


def data_of(frame: str) -> dict[str, Any]:
    """The JSON of an event, which has a name and one line of data."""
    name, data = frame.split("\n")
    event: dict[str, Any] = json.loads(data.removeprefix("data: "))
    assert name == f"event: {event['type']}"
    return event


@pytest.fixture
def client(server: ProxyServer, key: str) -> openai.OpenAI:
    """The synchronous client with its own idea of retries."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest, client: openai.OpenAI) -> Ask:
    """A call of either client; of a stream, all its events."""
    return asking(client, request.param)


@pytest.fixture(scope="module")
def talkative_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that keeps the line open after a fraction of a second of silence."""
    folder = tmp_path_factory.mktemp("talkative")
    configuration = folder / "gunicorn.conf.py"
    configuration.write_text(
        "from pathlib import Path\nfrom proxy import limits\n"
        f"assert limits.SILENCE_SECONDS\nlimits.SILENCE_SECONDS = {SILENCE}\n"
        "exec(Path('gunicorn.conf.py').read_text())\n"
    )
    settings = {"GEMINI_BASE_URL": google.url, "UPSTREAM_TIMEOUT_SECONDS": str(SECONDS)}
    with ProxyServer(folder, str(configuration), **settings) as server:
        yield server


# Pictures


@every_operation
def test_one_picture_is_one_event_with_all_that_the_sdk_needs(
    ask: Ask, upstream: ScriptedUpstream, method: str
) -> None:
    upstream.answers(painted())
    (event,) = ask(method, **request_of(method))
    assert isinstance(event, ImageGenCompletedEvent if method == "generate" else ImageEditCompletedEvent)
    assert event.type == f"{OPERATIONS[method]}.completed"
    assert picture_in(event) == pictures.plain_png()
    assert abs(event.created_at - time.time()) < 60
    assert (event.size, event.output_format, event.background, event.quality) == (
        "1024x1024",
        "png",
        "opaque",
        "auto",
    )
    assert (event.usage.input_tokens, event.usage.output_tokens, event.usage.total_tokens) == (9, 1290, 1299)
    assert event.usage.input_tokens_details.text_tokens == 9
    assert extras(event.usage)["cost"] == pytest.approx((9 * 0.30 + 1290 * 30) / 1_000_000)


@every_operation
def test_several_pictures_are_events_in_the_order_in_which_they_arrive(
    ask: Ask, upstream: ScriptedUpstream, method: str
) -> None:
    upstream.answers(painted("crimson", delay=0.4), painted("navy", delay=0.2))
    started = time.monotonic()
    events = ask(method, **request_of(method, n=2))
    assert time.monotonic() - started < 0.8
    assert [picture_in(event) for event in events] == [
        pictures.plain_png(colour=colour) for colour in ("navy", "crimson")
    ]


def test_a_picture_is_there_before_the_next_one_is(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted("navy"), painted("crimson", delay=1))
    started = time.monotonic()
    stream = client.images.generate(model=MODEL, prompt="a cat", stream=True, n=2)
    first = next(iter(stream))
    assert time.monotonic() - started < 0.6
    assert picture_in(first) == pictures.plain_png(colour="navy")
    assert len(list(stream)) == 1


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_streamed_picture_has_the_format_that_was_asked_for(
    client: openai.OpenAI, upstream: ScriptedUpstream, output_format: Any
) -> None:
    upstream.answers(painted())
    resized = {"size": "500x400", "extra_body": {"resize": "cover"}}
    (event,) = client.images.generate(**request_of("generate", output_format=output_format, **resized))
    assert (event.output_format, event.size) == (output_format, "500x400")
    assert pictures.pixels_of(picture_in(event)) == (500, 400)


def test_the_response_is_an_event_stream_that_must_not_be_buffered(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(painted())
    # Both SDKs ask for application/json, streaming or not: the body alone decides.
    answer = streamed(
        server, key, headers={"Accept": "application/json"}, n=2, response_format="url", partial_images=2, size="16:9"
    )
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["x-twinlens-aspect-ratio"] == "16:9"
    assert set(answer.headers["x-twinlens-ignored"].split(", ")) == {"partial_images", "response_format"}
    events = [data_of(frame) for frame in frames_of(answer)]
    assert [event["type"] for event in events] == ["image_generation.completed"] * 2
    assert all("url" not in event for event in events)


def test_stream_false_is_no_stream(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    assert client.images.generate(model=MODEL, prompt="a cat", stream=False).data


def test_drafts_are_not_events(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    draft = {**pictures.picture_part(pictures.plain_png(colour="black")), "thought": True}
    final = pictures.picture_part(pictures.plain_png(colour="white"))
    upstream.answers(Answer(pictures.drawn(draft, {"text": "Here."}, final)))
    (frame,) = frames_of(streamed(server, key))
    assert base64.b64decode(data_of(frame)["b64_json"]) == pictures.plain_png(colour="white")


def test_the_usage_of_an_answer_with_two_pictures_is_counted_once(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    part = pictures.picture_part(pictures.plain_png())
    upstream.answers(Answer(pictures.drawn(part, part)))
    events = [data_of(frame) for frame in frames_of(streamed(server, key))]
    assert [event["usage"]["total_tokens"] for event in events] == [1299, 0]


# Trouble before the first event


@every_operation
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    ("answer", "exception", "code"),
    [
        (refused(), openai.BadRequestError, "moderation_blocked"),
        (Answer(pictures.drawn({"text": "No."})), openai.BadRequestError, "no_image_generated"),
        (Answer(pictures.API_KEY_INVALID, status=400), openai.AuthenticationError, "invalid_api_key"),
        (failed(429, "RESOURCE_EXHAUSTED"), openai.RateLimitError, "rate_limit_exceeded"),
        (failed(503, "UNAVAILABLE"), openai.InternalServerError, "service_unavailable"),
        (NO_ANSWER, openai.InternalServerError, "upstream_error"),
        (painted(cut_after=3000), openai.InternalServerError, "upstream_error"),
    ],
    ids=["refused", "only words", "wrong key", "429", "503", "a reset", "a break in the picture"],
)
def test_an_error_before_the_first_event_is_an_http_error(
    client: openai.OpenAI,
    upstream: ScriptedUpstream,
    method: str,
    n: int,
    answer: Answer,
    exception: type[openai.APIStatusError],
    code: str,
) -> None:
    upstream.answers(answer)
    with pytest.raises(exception) as caught:
        getattr(client.with_options(max_retries=0).images, method)(**request_of(method, n=n))
    assert caught.value.code == code
    assert len(upstream.calls) == n


def test_a_refused_stream_is_not_retried(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(refused())
    with pytest.raises(openai.BadRequestError):
        ask("generate", **request_of("generate"))
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 11}, "n"), ({"size": "3000x1000"}, "size"), ({"output_format": "svg"}, "output_format")],
    ids=str,
)
def test_what_is_wrong_with_a_streamed_request_is_an_http_error(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, fields: dict[str, Any], param: str
) -> None:
    answer = streamed(server, key, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


# Trouble after the first event


@every_operation
@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (refused(), "moderation_blocked"),
        (failed(429, "RESOURCE_EXHAUSTED"), "rate_limit_exceeded"),
        (NO_ANSWER, "upstream_error"),
        (painted(cut_after=3000), "upstream_error"),
    ],
    ids=["refused", "429", "a reset", "a break in the picture"],
)
def test_an_error_after_the_first_event_is_an_event_that_both_clients_raise(
    client: openai.OpenAI, upstream: ScriptedUpstream, method: str, trouble: Answer, code: str
) -> None:
    upstream.answers(painted(), trouble)
    stream = getattr(client.images, method)(**request_of(method, n=2))
    assert picture_in(next(stream)) == pictures.plain_png()
    with pytest.raises(openai.APIError) as caught:
        next(stream)
    assert caught.value.code == code
    assert caught.value.message
    upstream.answers(painted(), trouble)
    with pytest.raises(openai.APIError) as caught:
        asking(client, "async")(method, **request_of(method, n=2))
    assert caught.value.code == code


def test_every_failed_picture_is_an_error_event_of_its_own(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(refused(), painted(), failed(500, "INTERNAL"), painted())
    *drawn, first, second = [data_of(frame) for frame in frames_of(streamed(server, key, n=4))]
    assert [event["type"] for event in drawn] == ["image_generation.completed"] * 2
    assert {first["error"]["code"], second["error"]["code"]} == {"moderation_blocked", "server_error"}
    for number, event in enumerate((first, second)):
        assert event["type"] == "error"
        assert event["sequence_number"] == number
        assert set(event["error"]) == {"message", "type", "param", "code"}


# Silence


def test_a_comment_is_due_after_fifteen_seconds() -> None:
    assert limits.SILENCE_SECONDS == 15


@pytest.mark.parametrize("kind", CLIENTS)
@every_operation
def test_comments_keep_the_connection_open_and_both_clients_skip_them(
    talkative_server: ProxyServer, upstream: ScriptedUpstream, key: str, kind: str, method: str
) -> None:
    upstream.answers(painted(delay=SILENCE * 2.5))
    client = openai.OpenAI(base_url=f"{talkative_server.url}/v1", api_key=key)
    (event,) = asking(client, kind)(method, **request_of(method))
    assert picture_in(event) == pictures.plain_png()


def test_a_comment_comes_after_every_silence(
    talkative_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(painted(delay=SILENCE * 1.5), painted("navy", delay=SILENCE * 4))
    frames = frames_of(streamed(talkative_server, key, n=2))
    kinds = ["comment" if frame.startswith(": ") else data_of(frame)["type"] for frame in frames]
    completed = "image_generation.completed"
    assert kinds == ["comment", completed, "comment", "comment", completed]


AFTER_A_COMMENT = {
    "refused": (refused(delay=SILENCE * 1.5), "moderation_blocked"),
    "429": (Answer(failed(429, "RESOURCE_EXHAUSTED").body, 429, delay=SILENCE * 1.5), "rate_limit_exceeded"),
    "503": (Answer(failed(503, "UNAVAILABLE").body, 503, delay=SILENCE * 1.5), "service_unavailable"),
    "a reset": (slowly(b"", pause=SILENCE * 1.5, then=reset), "upstream_error"),
    "a break in the picture": (painted(cut_after=3000, delay=SILENCE * 1.5), "upstream_error"),
    "HTML": (Answer(b"<html>", content_type="text/html", delay=SILENCE * 1.5), "upstream_error"),
}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(("answer", "code"), AFTER_A_COMMENT.values(), ids=AFTER_A_COMMENT)
def test_an_error_after_a_comment_is_an_event(
    talkative_server: ProxyServer, upstream: ScriptedUpstream, key: str, n: int, answer: Answer, code: str
) -> None:
    upstream.answers(answer)
    answer = streamed(talkative_server, key, n=n)
    assert answer.status_code == 200
    comment, *others = frames_of(answer)
    assert comment.startswith(": ")
    events = [data_of(frame) for frame in others if not frame.startswith(": ")]
    assert {event["type"] for event in events} == {"error"}
    assert {event["error"]["code"] for event in events} == {code}


@pytest.mark.parametrize("kind", CLIENTS)
def test_an_error_after_a_comment_is_raised_with_its_code_and_not_retried(
    talkative_server: ProxyServer, upstream: ScriptedUpstream, key: str, kind: str
) -> None:
    upstream.answers(Answer(failed(503, "UNAVAILABLE").body, 503, delay=SILENCE * 1.5))
    client = openai.OpenAI(base_url=f"{talkative_server.url}/v1", api_key=key)
    with pytest.raises(openai.APIError) as caught:
        asking(client, kind)("generate", **request_of("generate"))
    assert caught.value.code == "service_unavailable"
    assert len(upstream.calls) == 1


def test_a_deadline_after_a_comment_is_an_error_event(
    talkative_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(slowly(b"", pause=SECONDS * 3))
    answer = streamed(talkative_server, key)
    assert data_of(frames_of(answer)[-1])["error"]["code"] == "upstream_timeout"


# Every situation there is


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_stream_never_ends_without_a_picture_or_an_error(sandbox_server: ProxyServer, path: Path) -> None:
    prompt = f"[[{path.stem}]]"
    answer = streamed(sandbox_server, "sandbox", prompt=prompt)
    events = [data_of(frame) for frame in frames_of(answer)] if answer.status_code == 200 else []
    if answer.status_code == 200:
        assert events
        assert {event["type"] for event in events} <= {"image_generation.completed", "error"}
    else:
        assert answer.headers["Content-Type"] == "application/json"
    # The same request without a stream ends the same way.
    plain = requests.post(
        f"{sandbox_server.url}/v1/images/generations",
        json={"prompt": prompt, "response_format": "url"},
        headers={"Authorization": "Bearer sandbox"},
        timeout=20,
    )
    assert plain.status_code == answer.status_code
    if answer.status_code == 200:
        assert len(events) == len(plain.json()["data"])
    else:
        assert plain.json() == answer.json()
        for header in ("retry-after", "retry-after-ms", "x-should-retry"):
            assert plain.headers.get(header) == answer.headers.get(header)


def test_the_events_are_as_our_document_describes_them(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    document = spec.openapi()
    schema = document["components"]["schemas"]["ImageGenerationEvent"]["properties"]["data"]["contentSchema"]
    validator = Draft202012Validator({"allOf": [schema], "components": document["components"]})
    upstream.answers(painted(), refused())
    for frame in frames_of(streamed(server, key, n=2)):
        validator.validate(data_of(frame))
