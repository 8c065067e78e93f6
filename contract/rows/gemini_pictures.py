"""Input pictures in Google's API, and counting tokens."""

from __future__ import annotations

import io
from typing import Any

from google.genai import types
from PIL import Image

from contract.suite.pictures import sample_picture
from contract.suite.row import BOTH_GOOGLE, GEMINI, GOOGLE_ASYNC, GOOGLE_SDK, row
from contract.suite.trial import Trial

GROUP = "Input pictures"
OPERATION = "generateContent"
GENERATE = "models.generate_content"


def changed(trial: Trial, parts: list[Any], sent: list[bytes] | None = None) -> Any:
    """The answer to a prompt and pictures; claims that the upstream got the pictures in order."""
    answer = trial.ask(GENERATE, model=trial.model, contents=[trial.prompt("make it blue"), *parts])
    trial.gemini_pictures(answer)
    for call in trial.upstream_calls(1):
        if sent is not None:
            trial.claim("the upstream got the pictures, in order", call.pictures == sent, len(call.pictures))
    return answer


@row(GROUP, GEMINI, BOTH_GOOGLE, "an edit with one picture", operation=OPERATION)
def one_picture(trial: Trial) -> None:
    content = sample_picture()
    changed(trial, [types.Part.from_bytes(data=content, mime_type="image/png")], [content])


@row(GROUP, GEMINI, BOTH_GOOGLE, "an edit with two pictures", operation=OPERATION)
def two_pictures(trial: Trial) -> None:
    sent = [sample_picture(colour="teal"), sample_picture(64, 96, "gold", "JPEG")]
    parts = [
        types.Part.from_bytes(data=sent[0], mime_type="image/png"),
        types.Part.from_bytes(data=sent[1], mime_type="image/jpeg"),
    ]
    changed(trial, parts, sent)


@row(GROUP, GEMINI, GOOGLE_SDK, "an edit with a Pillow image", operation=OPERATION)
def pillow_image(trial: Trial) -> None:
    with Image.open(io.BytesIO(sample_picture())) as image:
        changed(trial, [image])


@row(GROUP, GEMINI, GOOGLE_ASYNC, "an edit of a webp", operation=OPERATION)
def webp(trial: Trial) -> None:
    content = sample_picture(file_type="WEBP")
    changed(trial, [types.Part.from_bytes(data=content, mime_type="image/webp")], [content])


@row(GROUP, GEMINI, GOOGLE_SDK, "an edit without a ratio keeps the shape of its picture", operation=OPERATION)
def keeps_its_shape(trial: Trial) -> None:
    content = sample_picture(160, 90)
    answer = changed(trial, [types.Part.from_bytes(data=content, mime_type="image/png")])
    (picture, *_) = trial.gemini_pictures(answer)
    trial.claim("a shape of about 16:9", picture.has_shape(16, 9), picture)


@row(GROUP, GEMINI, GOOGLE_SDK, "a part's `as_image()` opens the picture", operation=OPERATION)
def as_image(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt())
    images = [part.as_image() for part in answer.parts or [] if part.inline_data]
    trial.claim("an image", images and images[0] is not None, answer)
    trial.claim("with a type", images and str(images[0].mime_type).startswith("image/"))


@row("Counting tokens", GEMINI, BOTH_GOOGLE, "the tokens of a prompt are counted", operation="countTokens")
def tokens_of_a_prompt(trial: Trial) -> None:
    answer = trial.ask("models.count_tokens", model=trial.model, contents=trial.prompt())
    trial.claim("a number of tokens", answer.total_tokens and answer.total_tokens > 0, answer)


@row("Counting tokens", GEMINI, GOOGLE_SDK, "a picture is counted as tokens", operation="countTokens")
def tokens_of_a_picture(trial: Trial) -> None:
    text = trial.ask("models.count_tokens", model=trial.model, contents=[trial.prompt()])
    part = types.Part.from_bytes(data=sample_picture(), mime_type="image/png")
    both = trial.ask("models.count_tokens", model=trial.model, contents=[trial.prompt(), part])
    trial.claim("more than for the text alone", both.total_tokens > text.total_tokens + 100, both)
