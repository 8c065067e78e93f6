"""`stream=True`: server-sent events."""

from __future__ import annotations

import json
from typing import Any

import openai
import requests

from contract.suite.pictures import sample_picture
from contract.suite.row import BOTH_OPENAI, HTTP, OPENAI, OPENAI_SDK, row
from contract.suite.trial import CannotContinue, Trial

GROUP = "Streams"
GENERATIONS, EDITS = "images/generations", "images/edits"
GENERATE, EDIT = "images.generate", "images.edit"
ONE_EVENT = 1


def completed(trial: Trial, events: list[Any], kind: str, count: int = ONE_EVENT) -> list[Any]:
    """The completed events of a stream; claims their number, and that each has a picture and its usage."""
    if not isinstance(events, list):
        raise CannotContinue("the answer is not a stream")
    trial.note(f"events: {[event.type for event in events]}")
    done = [event for event in events if event.type == kind]
    trial.equal(f"{count} `{kind}`", count, len(done))
    if not done:
        raise CannotContinue("the stream has no completed event")
    for event in done:
        picture = trial.picture_of(event)
        trial.claim("the event has a whole picture", picture.format, picture)
        trial.claim("the event has a usage", event.usage and event.usage.total_tokens > 0)
    return done


@row(GROUP, OPENAI, BOTH_OPENAI, "a streamed generation ends with `image_generation.completed`", operation=GENERATIONS)
def generation(trial: Trial) -> None:
    events = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), stream=True)
    completed(trial, events, "image_generation.completed")
    trial.upstream_calls(1)


@row(GROUP, OPENAI, BOTH_OPENAI, "`partial_images=2` is accepted", operation=GENERATIONS)
def partial_images(trial: Trial) -> None:
    events = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), stream=True, partial_images=2)
    completed(trial, events, "image_generation.completed")


@row(GROUP, OPENAI, OPENAI_SDK, "a stream of two pictures has two completed events", operation=GENERATIONS)
def two_pictures(trial: Trial) -> None:
    events = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), stream=True, n=2)
    completed(trial, events, "image_generation.completed", count=2)


@row(GROUP, OPENAI, BOTH_OPENAI, "a streamed edit ends with `image_edit.completed`", operation=EDITS)
def edit(trial: Trial) -> None:
    events = trial.ask(
        EDIT, model=trial.model, image=sample_picture(), prompt=trial.prompt("make it blue"), stream=True
    )
    completed(trial, events, "image_edit.completed")


@row(GROUP, OPENAI, OPENAI_SDK, "the event of a picture has its size and format", operation=GENERATIONS)
def event_members(trial: Trial) -> None:
    events = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), stream=True, size="1792x1024")
    (event, *_) = completed(trial, events, "image_generation.completed")
    picture = trial.picture_of(event)
    trial.claim("a shape of about 16:9", picture.has_shape(16, 9), picture)
    trial.equal("`output_format` is the picture's format", picture.format, event.output_format)
    trial.claim("`created_at` is a whole number", isinstance(event.created_at, int), event.created_at)


@row(GROUP, OPENAI, HTTP, "the events are framed as OpenAI frames them", operation=GENERATIONS)
def frames(trial: Trial) -> None:
    answer = trial.post_generation(stream=True)
    trial.equal("status 200", 200, answer.status_code)
    content_type = answer.headers.get("content-type", "")
    trial.claim("content type text/event-stream", content_type.startswith("text/event-stream"), content_type)
    for name, data in frames_of(answer):
        trial.equal("`event:` repeats the data's `type`", name, json.loads(data)["type"])


def frames_of(answer: requests.Response) -> list[tuple[str, str]]:
    """Name and data of each event; comments and a closing [DONE] are skipped."""
    found = []
    for frame in answer.text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.split("\n") if ": " in line and not line.startswith(":"))
        if fields.get("data", "[DONE]") != "[DONE]":
            found.append((fields.get("event", ""), fields["data"]))
    return found


@row(
    GROUP,
    OPENAI,
    BOTH_OPENAI,
    "a refusal on a stream is raised, not swallowed",
    operation=GENERATIONS,
    situations=True,
)
def refusal(trial: Trial) -> None:
    prompt = trial.prompt(situation="refused_image_safety")
    error = trial.raises(openai.APIError, GENERATE, model=trial.model, prompt=prompt, stream=True)
    trial.equal("code moderation_blocked", "moderation_blocked", getattr(error, "code", None))
    trial.upstream_calls(1)


@row(
    GROUP,
    OPENAI,
    BOTH_OPENAI,
    "of two streamed pictures one fails: the other arrives, then APIError is raised",
    operation=GENERATIONS,
    situations=True,
)
def one_of_two(trial: Trial) -> None:
    prompt = trial.prompt(f"two kites for {trial.row.sdk}", situation="picture|refused_image_safety")
    events, error = trial.streamed(GENERATE, model=trial.model, prompt=prompt, stream=True, n=2)
    completed(trial, events, "image_generation.completed")
    trial.equal("no other event", 1, len(events))
    trial.claim("APIError", isinstance(error, openai.APIError), error)
    trial.equal("code moderation_blocked", "moderation_blocked", getattr(error, "code", None))
    trial.claim("the message says IMAGE_SAFETY", "IMAGE_SAFETY" in str(error), error)
    trial.upstream_calls(2)


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "an upstream that breaks off in a streamed picture is raised, not swallowed",
    operation=GENERATIONS,
    situations=True,
)
def broken_off(trial: Trial) -> None:
    prompt = trial.prompt(situation="truncated")
    trial.raises(openai.APIError, GENERATE, model=trial.model, prompt=prompt, stream=True)


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "a wrong parameter of a stream is an error with a status",
    operation=GENERATIONS,
)
def mistake_before_the_stream(trial: Trial) -> None:
    error = trial.raises(openai.BadRequestError, GENERATE, model=trial.model, prompt=trial.prompt(), stream=True, n=99)
    trial.equal("`param` names the field", "n", getattr(error, "param", None))
