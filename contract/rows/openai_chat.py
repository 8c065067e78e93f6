"""Chat completions that draw, in the form that OpenRouter gave them: pictures in `message.images`, and in turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import openai

from contract.suite.pictures import Picture, data_url, sample_picture
from contract.suite.row import BOTH_OPENAI, CHAT, HTTP, OPENAI_SDK, row
from contract.suite.trial import CannotContinue, NotReported, Trial

DRAWING, TURNS, STREAMS, TROUBLE, EXTRAS = "Drawing", "Turns", "Streams", "Refusals and errors", "Extras"
OPERATION, CREATE = "chat/completions", "chat.completions.create"
PATH = f"/v1/{OPERATION}"
Message = dict[str, Any]


def user(content: Any) -> Message:
    return {"role": "user", "content": content}


def image(url: str) -> Message:
    return {"type": "image_url", "image_url": {"url": url}}


def text(words: str) -> Message:
    return {"type": "text", "text": words}


def draw(trial: Trial, messages: list[Message] | None = None, **fields: Any) -> Any:
    """The answer to a chat, by default of one message."""
    messages = messages or [user(trial.prompt())]
    return trial.ask(CREATE, model=trial.model, messages=messages, extra_body=fields.pop("extra", None), **fields)


def images_of(owner: Any) -> list[Mapping[str, Any]]:
    """The member `images` of a message or of a delta, which OpenAI's SDK has no type for."""
    found = (owner.model_extra or {}).get("images") or []
    return found if isinstance(found, list) else []


def pictures_of(trial: Trial, owners: list[Any], count: int = 1) -> list[Picture]:
    """The pictures of messages or deltas; claims their form, their number, and that each opens."""
    images = [one for owner in owners for one in images_of(owner)]
    for one in images:
        trial.equal("`type` is `image_url`", "image_url", one.get("type"))
        url = str(one["image_url"]["url"])
        trial.claim("the URL is a data URL", url.startswith("data:image/"), url[:60])
    return trial.checked([trial.fetched(str(one["image_url"]["url"])) for one in images], count)


def drawn(trial: Trial, answer: Any) -> Picture:
    """The one picture of an answer."""
    return pictures_of(trial, [choice.message for choice in answer.choices])[0]


# Drawing


@row(DRAWING, CHAT, BOTH_OPENAI, "a message gives a picture in `message.images`", operation=OPERATION)
def picture(trial: Trial) -> None:
    answer = draw(trial)
    drawn(trial, answer)
    (choice,) = answer.choices
    trial.equal("`finish_reason` is `stop`", "stop", choice.finish_reason)
    trial.equal("`object` is `chat.completion`", "chat.completion", answer.object)
    trial.upstream_calls(1)


@row(DRAWING, CHAT, OPENAI_SDK, '`modalities: ["image"]` is accepted, and `content` is a text', operation=OPERATION)
def picture_alone(trial: Trial) -> None:
    answer = draw(trial, extra={"modalities": ["image"]})
    drawn(trial, answer)
    content = answer.choices[0].message.content
    trial.claim("`content` is a string", isinstance(content, str), content)


@row(DRAWING, CHAT, OPENAI_SDK, "words come beside their picture", operation=OPERATION, situations=True)
def words_and_picture(trial: Trial) -> None:
    answer = draw(trial, [user(trial.prompt(situation="text_and_picture"))])
    drawn(trial, answer)
    content = answer.choices[0].message.content
    trial.claim("`content` has the words", bool(content and content.strip()), content)


@row(DRAWING, CHAT, OPENAI_SDK, "words alone are an answer", operation=OPERATION, situations=True)
def words_alone(trial: Trial) -> None:
    answer = draw(trial, [user(trial.prompt(situation="text_only"))])
    message = answer.choices[0].message
    trial.claim("`content` has the words", bool(message.content), message.content)
    trial.equal("there is no picture", [], images_of(message))


@row(DRAWING, CHAT, OPENAI_SDK, "a draft is no picture", operation=OPERATION, situations=True)
def draft(trial: Trial) -> None:
    drawn(trial, draw(trial, [user(trial.prompt(situation="draft_then_picture"))]))


@row(
    DRAWING,
    CHAT,
    OPENAI_SDK,
    "`image_config.aspect_ratio` {ratio} gives a picture of that shape",
    operation=OPERATION,
    each=[{"ratio": "16:9"}, {"ratio": "3:4"}],
)
def shape(trial: Trial, ratio: str) -> None:
    found = drawn(trial, draw(trial, extra={"image_config": {"aspect_ratio": ratio}}))
    width, height = map(int, ratio.split(":"))
    trial.claim(f"a shape of about {ratio}", found.has_shape(width, height), found)


@row(DRAWING, CHAT, OPENAI_SDK, "`n=2` gives two choices, each with a picture", operation=OPERATION)
def two_choices(trial: Trial) -> None:
    answer = draw(trial, n=2)
    pictures_of(trial, [choice.message for choice in answer.choices], count=2)
    trial.equal("the choices are numbered", [0, 1], [choice.index for choice in answer.choices])


@row(DRAWING, CHAT, OPENAI_SDK, "`usage` counts a picture's tokens apart", operation=OPERATION)
def usage(trial: Trial) -> None:
    found = draw(trial).usage
    if not found:
        raise NotReported("the server reports no `usage`")
    trial.equal("the total is the sum", found.prompt_tokens + found.completion_tokens, found.total_tokens)
    details = found.completion_tokens_details
    tokens = getattr(details, "image_tokens", None)
    trial.claim("`completion_tokens_details.image_tokens` are there", bool(tokens), tokens)


@row(DRAWING, CHAT, OPENAI_SDK, "`max_tokens`, `tools` and `user` do not fail", operation=OPERATION)
def commonly_sent(trial: Trial) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    drawn(trial, draw(trial, max_tokens=4096, tools=[tool], tool_choice="auto", user="someone", top_p=0.9))


# Turns: how clients send what was drawn


def as_answered(url: str) -> list[Message]:
    return [{"role": "assistant", "content": "", "images": [{**image(url), "index": 0}]}, user("make it blue")]


def as_a_part(url: str) -> list[Message]:
    return [{"role": "assistant", "content": [text("Here:"), image(url)]}, user("make it blue")]


def as_the_users(url: str) -> list[Message]:
    return [{"role": "assistant", "content": "Here:"}, user([image(url), text("make it blue")])]


def as_markdown(url: str) -> list[Message]:
    return [{"role": "assistant", "content": f"Here:\n\n![image]({url})"}, user("make it blue")]


FORMS: list[dict[str, Any]] = [
    {"form": "`images` of the assistant's message", "send": as_answered},
    {"form": "a part of the assistant's message", "send": as_a_part},
    {"form": "a part of the user's message", "send": as_the_users},
    {"form": "Markdown with a data URL in the assistant's words", "send": as_markdown},
]


@row(
    TURNS,
    CHAT,
    OPENAI_SDK,
    "what was drawn is changed, sent back as {form}",
    operation=OPERATION,
    each=FORMS,
)
def changed(trial: Trial, form: str, send: Callable[[str], list[Message]]) -> None:
    before = drawn(trial, draw(trial, extra={"image_config": {"aspect_ratio": "16:9"}}))
    url = data_url(before.content, f"image/{before.format}")
    after = drawn(trial, draw(trial, [user(trial.prompt("a red kite")), *send(url)]))
    trial.claim("the shape is kept", after.has_shape(before.width, before.height), after)
    trial.claim("it is another picture", after.content != before.content)
    if calls := trial.upstream_calls(2):
        trial.equal("the picture went up once", [before.content], calls[-1].pictures)
        longest = max(map(len, calls[-1].texts))
        trial.claim("and not as words", longest < 500, f"a text of {longest} characters")


@row(TURNS, CHAT, OPENAI_SDK, "`message` of an answer can be sent back as it is", operation=OPERATION)
def sent_back(trial: Trial) -> None:
    first = draw(trial)
    message = first.choices[0].message.model_dump(exclude_none=True)
    drawn(trial, draw(trial, [user(trial.prompt()), message, user("make it blue")]))
    if calls := trial.upstream_calls(2):
        trial.equal("the picture went up once", 1, len(calls[-1].pictures))


@row(TURNS, CHAT, OPENAI_SDK, "pictures of the user's go up in their order", operation=OPERATION)
def two_of_the_users(trial: Trial) -> None:
    one, other = sample_picture(), sample_picture(colour="teal")
    parts = [image(data_url(one)), text("and"), image(data_url(other)), text(trial.prompt("side by side"))]
    drawn(trial, draw(trial, [user(parts)]))
    if calls := trial.upstream_calls(1):
        trial.equal("both went up in order", [one, other], calls[-1].pictures)


@row(TURNS, CHAT, OPENAI_SDK, "a system message, and turns without words, are accepted", operation=OPERATION)
def system(trial: Trial) -> None:
    messages = [
        {"role": "system", "content": "Draw in oil."},
        user("hello"),
        {"role": "assistant", "content": None},
        user(trial.prompt()),
    ]
    drawn(trial, draw(trial, messages))
    for call in trial.upstream_calls(1):
        contents = call.json.get("contents", [])
        trial.claim("no turn is empty", all(content.get("parts") for content in contents), contents)


# Streams


@row(STREAMS, CHAT, BOTH_OPENAI, "a stream has a picture whole, in a chunk of its own", operation=OPERATION)
def stream(trial: Trial) -> None:
    chunks = draw(trial, stream=True, stream_options={"include_usage": True})
    if not isinstance(chunks, list):
        raise CannotContinue("the answer is not a stream")
    choices = [choice for chunk in chunks for choice in chunk.choices]
    pictures_of(trial, [choice.delta for choice in choices])
    for choice in (one for one in choices if images_of(one.delta)):
        trial.claim("no words are in its chunk", not choice.delta.content, choice.delta.content)
        trial.claim("no `finish_reason` is in its chunk", choice.finish_reason is None, choice.finish_reason)
    reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
    trial.equal("one chunk ends the choice", ["stop"], reasons)
    trial.claim("the usage comes last", bool(chunks[-1].usage) and not chunks[-1].choices, chunks[-1])
    trial.upstream_calls(1)


@row(STREAMS, CHAT, HTTP, "a stream is framed as OpenAI frames it", operation=OPERATION)
def frames(trial: Trial) -> None:
    body = {"model": trial.model, "messages": [user(trial.prompt())], "stream": True}
    answer = trial.http("POST", PATH, json=body)
    content_type = answer.headers.get("content-type", "")
    trial.claim("content type text/event-stream", content_type.startswith("text/event-stream"), content_type)
    *events, last = [line for line in answer.text.split("\n") if line.startswith("data:")]
    trial.equal("it ends with [DONE]", "data: [DONE]", last.strip())
    kinds = {json.loads(event.removeprefix("data:"))["object"] for event in events}
    trial.equal("each is a chunk", {"chat.completion.chunk"}, kinds)


# Refusals and errors

SITUATIONS: list[dict[str, Any]] = [
    {"situation": "refused_image_safety", "words": "a refused picture", "code": "moderation_blocked"},
    {"situation": "refused_prompt_prohibited_content", "words": "a refused prompt", "code": "moderation_blocked"},
    {"situation": "no_image", "words": "an answer without words and pictures", "code": "no_image_generated"},
]
FAILURES: list[dict[str, Any]] = [
    {"situation": "api_key_invalid", "exception": openai.AuthenticationError, "status": 401},
    {"situation": "quota_per_day", "exception": openai.RateLimitError, "status": 429},
    {"situation": "overloaded", "exception": openai.InternalServerError, "status": 503},
    {"situation": "internal", "exception": openai.InternalServerError, "status": 500},
    {"situation": "truncated", "exception": openai.InternalServerError, "status": 502},
]


@row(
    TROUBLE,
    CHAT,
    BOTH_OPENAI,
    "{words} raises an error that says why, and is no empty message",
    operation=OPERATION,
    each=SITUATIONS,
    situations=True,
)
def refusal(trial: Trial, situation: str, words: str, code: str) -> None:
    messages = [user(trial.prompt(situation=situation))]
    error = trial.raises(openai.BadRequestError, CREATE, model=trial.model, messages=messages)
    trial.equal(f"code {code}", code, getattr(error, "code", None))


@row(TROUBLE, CHAT, OPENAI_SDK, "a refusal on a stream is raised", operation=OPERATION, situations=True)
def refusal_on_a_stream(trial: Trial) -> None:
    messages = [user(trial.prompt(situation="refused_image_safety"))]
    error = trial.raises(openai.APIError, CREATE, model=trial.model, messages=messages, stream=True)
    trial.equal("code moderation_blocked", "moderation_blocked", getattr(error, "code", None))


@row(TROUBLE, CHAT, OPENAI_SDK, "a refusal is not retried", operation=OPERATION, situations=True)
def asked_once(trial: Trial) -> None:
    trial.retries = 2
    with suppress(openai.APIError, CannotContinue):
        trial.refused(CREATE, model=trial.model, messages=[user(trial.prompt(situation="refused_image_safety"))])
    trial.equal("the SDK sent one request", 1, trial.attempts)
    trial.upstream_calls(1)


@row(
    TROUBLE,
    CHAT,
    OPENAI_SDK,
    "`{situation}` of the upstream raises the SDK's class for {status}",
    operation=OPERATION,
    each=FAILURES,
    situations=True,
)
def failure(trial: Trial, situation: str, exception: type[openai.APIStatusError], status: int) -> None:
    messages = [user(trial.prompt(situation=situation))]
    error = trial.raises(exception, CREATE, model=trial.model, messages=messages)
    trial.equal(f"status {status}", status, getattr(error, "status_code", None))


@row(
    TROUBLE,
    CHAT,
    OPENAI_SDK,
    "{words} is a BadRequestError that names its place",
    operation=OPERATION,
    each=[
        {
            "words": "a picture that is none",
            "messages": [user([text("a"), image("data:image/png;base64,AAAA")])],
            "param": "messages[0].content[1].image_url",
        },
        {"words": "a chat without messages", "messages": [], "param": "messages"},
        {
            "words": "a role that is none",
            "messages": [{"role": "painter", "content": "a"}],
            "param": "messages[0].role",
        },
    ],
)
def mistake(trial: Trial, words: str, messages: list[Message], param: str) -> None:
    error = trial.raises(openai.BadRequestError, CREATE, model=trial.model, messages=messages)
    found = str(getattr(error, "param", None))
    trial.claim(f"`param` begins with `{param}`", found.startswith(param), found)


# What Twinlens alone has


@row(EXTRAS, CHAT, OPENAI_SDK, "pictures come as Markdown on request, and are changed by it", operation=OPERATION)
def in_markdown(trial: Trial) -> None:
    content = draw(trial, extra={"image_output": "markdown"}).choices[0].message.content or ""
    url = content.partition("![image](")[2].partition(")")[0]
    (before,) = trial.checked([trial.fetched(url)] if url else [], 1)
    messages = [user(trial.prompt("a red kite")), {"role": "assistant", "content": content}, user("make it blue")]
    drawn(trial, draw(trial, messages))
    if calls := trial.upstream_calls(2):
        trial.equal("the picture went up", [before.content], calls[-1].pictures)


@row(EXTRAS, CHAT, HTTP, "the path below `/v1beta/openai/` draws too", operation="v1beta/openai/chat")
def googles_path(trial: Trial) -> None:
    body = {"model": trial.model, "messages": [user(trial.prompt())]}
    answer = trial.http("POST", "/v1beta/openai/chat/completions", json=body)
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("`images` are there", bool(answer.json()["choices"][0]["message"].get("images")))


@row(EXTRAS, CHAT, HTTP, "the list of models says which draw", operation="models")
def modalities(trial: Trial) -> None:
    models = trial.http("GET", "/v1/models").json()["data"]
    listed: dict[str, Any] = next((one for one in models if one["id"] == trial.model), {})
    outputs = listed.get("architecture", {}).get("output_modalities") or []
    trial.claim("`architecture.output_modalities` has `image`", "image" in outputs, outputs)
