"""`images.edit` and `images.create_variation`."""

from __future__ import annotations

import io
import warnings
from typing import Any

from contract.suite.pictures import sample_mask, sample_picture
from contract.suite.row import BOTH_OPENAI, OPENAI, OPENAI_ASYNC, OPENAI_SDK, row
from contract.suite.trial import Trial

GROUP = "Edits"
OPERATION = "images/edits"
EDIT = "images.edit"
WORDS = "make it blue"


def edited(trial: Trial, image: Any, sent: list[bytes], **arguments: Any) -> Any:
    """The answer to an edit; claims that the upstream got the prompt, and the pictures in order."""
    prompt = trial.prompt(WORDS)
    answer = trial.ask(EDIT, model=trial.model, image=image, prompt=prompt, **arguments)
    for call in trial.upstream_calls():
        trial.claim("the upstream got the pictures, in order", call.pictures[: len(sent)] == sent, len(call.pictures))
        trial.claim("the upstream got the prompt", any(prompt in text for text in call.texts), call.texts)
    return answer


@row(GROUP, OPENAI, BOTH_OPENAI, "an edit with one picture", operation=OPERATION)
def one_picture(trial: Trial) -> None:
    content = sample_picture()
    trial.pictures(edited(trial, ("kite.png", content, "image/png"), [content]))
    trial.upstream_calls(1)


@row(GROUP, OPENAI, BOTH_OPENAI, "an edit with two pictures", operation=OPERATION)
def two_pictures(trial: Trial) -> None:
    sent = [sample_picture(colour="teal"), sample_picture(64, 96, "gold")]
    trial.pictures(edited(trial, [("a.png", sent[0], "image/png"), ("b.png", sent[1], "image/png")], sent))


@row(GROUP, OPENAI, OPENAI_ASYNC, "an edit with sixteen pictures, OpenAI's maximum", operation=OPERATION)
def sixteen_pictures(trial: Trial) -> None:
    sent = [sample_picture(32 + index, 32) for index in range(16)]
    trial.pictures(edited(trial, [(f"{index}.png", one, "image/png") for index, one in enumerate(sent)], sent))


@row(GROUP, OPENAI, BOTH_OPENAI, "an edit of bytes, which the SDK sends without a content type", operation=OPERATION)
def plain_bytes(trial: Trial) -> None:
    content = sample_picture()
    trial.pictures(edited(trial, content, [content]))


@row(GROUP, OPENAI, OPENAI_SDK, "an edit of a file in memory", operation=OPERATION)
def file_in_memory(trial: Trial) -> None:
    content = sample_picture()
    trial.pictures(edited(trial, io.BytesIO(content), [content]))


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "an edit of a {file_type} without a content type",
    operation=OPERATION,
    each=[{"file_type": "JPEG"}, {"file_type": "WEBP"}],
)
def other_formats(trial: Trial, file_type: str) -> None:
    content = sample_picture(file_type=file_type)
    trial.pictures(edited(trial, content, [content]))
    for call in trial.upstream_calls():
        types = [part.get("inlineData", part.get("inline_data", {})) for part in call.parts]
        sent = [one.get("mimeType", one.get("mime_type")) for one in types if one]
        trial.equal("the upstream got the right MIME type", [f"image/{file_type.lower()}"], sent)


@row(GROUP, OPENAI, OPENAI_SDK, "an edit without `size` keeps the shape of its picture", operation=OPERATION)
def keeps_its_shape(trial: Trial) -> None:
    content = sample_picture(160, 90)
    (picture, *_) = trial.pictures(edited(trial, content, [content]))
    trial.claim("a shape of about 16:9", picture.has_shape(16, 9), picture)


@row(GROUP, OPENAI, OPENAI_ASYNC, "an edit with `size` 1024x1536 gives a portrait", operation=OPERATION)
def takes_a_size(trial: Trial) -> None:
    content = sample_picture(160, 90)
    (picture, *_) = trial.pictures(edited(trial, content, [content], size="1024x1536"))
    trial.claim("a shape of about 2:3", picture.has_shape(2, 3), picture)


@row(GROUP, OPENAI, BOTH_OPENAI, "an edit with a mask", operation=OPERATION)
def with_a_mask(trial: Trial) -> None:
    content = sample_picture()
    answer = edited(trial, ("a.png", content, "image/png"), [content], mask=("m.png", sample_mask(), "image/png"))
    trial.pictures(answer)
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got the picture and the mask", 2, len(call.pictures))


@row(GROUP, OPENAI, OPENAI_SDK, "an edit with `n=2` gives two pictures", operation=OPERATION)
def two_answers(trial: Trial) -> None:
    content = sample_picture()
    trial.pictures(edited(trial, content, [content], n=2), count=2)
    trial.upstream_calls(2)


@row(GROUP, OPENAI, OPENAI_SDK, "an edit answers with base64 by default", operation=OPERATION)
def answers_in_base64(trial: Trial) -> None:
    content = sample_picture()
    answer = edited(trial, content, [content])
    trial.pictures(answer)
    trial.claim("the item has `b64_json`", answer.data[0].b64_json)


@row(GROUP, OPENAI, OPENAI_SDK, 'an edit with `response_format="url"` gives a URL', operation=OPERATION)
def answers_with_an_address(trial: Trial) -> None:
    content = sample_picture()
    answer = edited(trial, content, [content], response_format="url")
    trial.pictures(answer)
    trial.claim("it is an http URL", (answer.data[0].url or "").startswith("http"), answer.data[0].url)


@row(GROUP, OPENAI, OPENAI_SDK, 'an edit with `output_format="jpeg"` gives a jpeg', operation=OPERATION)
def answers_in_a_format(trial: Trial) -> None:
    content = sample_picture()
    (picture, *_) = trial.pictures(edited(trial, content, [content], output_format="jpeg"))
    trial.equal("the file is a jpeg", "jpeg", picture.format)


@row(GROUP, OPENAI, OPENAI_SDK, "`usage` of an edit counts the input picture", operation=OPERATION)
def usage_counts_pictures(trial: Trial) -> None:
    content = sample_picture()
    answer = edited(trial, content, [content])
    trial.pictures(answer)
    details = answer.usage and answer.usage.input_tokens_details
    trial.claim("input tokens of pictures", details and details.image_tokens > 0, details)


@row(GROUP, OPENAI, OPENAI_SDK, "an edit with every parameter is accepted", operation=OPERATION)
def everything_at_once(trial: Trial) -> None:
    content = sample_picture()
    answer = edited(
        trial,
        ("a.png", content, "image/png"),
        [content],
        mask=("m.png", sample_mask(), "image/png"),
        n=1,
        size="1024x1024",
        quality="high",
        background="auto",
        input_fidelity="high",
        output_format="png",
        output_compression=100,
        response_format="b64_json",
        user="user-1",
    )
    trial.pictures(answer)


@row("Variations", OPENAI, BOTH_OPENAI, "a variation of a picture", operation="images/variations")
def variation(trial: Trial) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = trial.ask("images.create_variation", model=trial.model, image=sample_picture(64, 64), size="1024x1024")
    (picture, *_) = trial.pictures(answer)
    trial.claim("a square", picture.has_shape(1, 1), picture)


@row("Variations", OPENAI, OPENAI_SDK, "two variations of a picture, as base64", operation="images/variations")
def two_variations(trial: Trial) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = trial.ask(
            "images.create_variation", model=trial.model, image=sample_picture(64, 64), n=2, response_format="b64_json"
        )
    trial.pictures(answer, count=2)
    trial.claim("both as base64", all(item.b64_json for item in answer.data))
