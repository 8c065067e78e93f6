"""Edits over HTTP, as clients other than OpenAI's Python SDK send them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import requests
from urllib3.filepost import encode_multipart_formdata

from contract.suite.pictures import data_url, from_base64, sample_mask, sample_picture
from contract.suite.row import HTTP, OPENAI, row
from contract.suite.trial import Trial

GROUP = "Forms of other clients"
OPERATION = "images/edits"
EDITS = "/v1/images/edits"


def has_picture(trial: Trial, answer: requests.Response, sent: list[bytes]) -> None:
    """Claims that the answer has one picture as base64, and that the upstream got the pictures in order."""
    trial.equal("status 200", 200, answer.status_code)
    items = answer.json().get("data", []) if answer.ok else []
    trial.claim("one picture", [from_base64(item.get("b64_json") or "").format for item in items] != [""] and items)
    for call in trial.upstream_calls(1):
        trial.claim("the upstream got the pictures, in order", call.pictures[: len(sent)] == sent, len(call.pictures))


def form(trial: Trial) -> dict[str, Any]:
    """The text parts of the forms."""
    return {"model": trial.model, "prompt": trial.prompt("make it blue"), "response_format": "b64_json"}


@row(
    GROUP,
    OPENAI,
    HTTP,
    "two files, both named `{name}`",
    operation=OPERATION,
    each=[{"name": "image[]"}, {"name": "image"}],
)
def two_files(trial: Trial, name: str) -> None:
    sent = [sample_picture(colour="teal"), sample_picture(colour="gold")]
    files = [(name, (f"{index}.png", one, "image/png")) for index, one in enumerate(sent)]
    has_picture(trial, trial.http("POST", EDITS, data=form(trial), files=files), sent)


@row(GROUP, OPENAI, HTTP, "two files named `image[0]` and `image[1]`", operation=OPERATION)
def numbered_files(trial: Trial) -> None:
    sent = [sample_picture(colour="teal"), sample_picture(colour="gold")]
    files = [(f"image[{index}]", (f"{index}.png", one, "image/png")) for index, one in enumerate(sent)]
    has_picture(trial, trial.http("POST", EDITS, data=form(trial), files=files), sent)


@row(GROUP, OPENAI, HTTP, "one file named `image[]`, as LiteLLM sends it", operation=OPERATION)
def one_file_in_a_list(trial: Trial) -> None:
    files = [("image[]", ("/tmp/kite.png", sample_picture(), "image/png"))]  # noqa: S108
    has_picture(trial, trial.http("POST", EDITS, data=form(trial), files=files), [sample_picture()])


@row(
    GROUP, OPENAI, HTTP, "a file with the content type application/octet-stream, as Node sends it", operation=OPERATION
)
def untyped_file(trial: Trial) -> None:
    files = {"image": ("upload", io.BytesIO(sample_picture()), "application/octet-stream")}
    has_picture(trial, trial.http("POST", EDITS, data=form(trial), files=files), [sample_picture()])


@row(GROUP, OPENAI, HTTP, "a chunked form without a Content-Length, as Node streams it", operation=OPERATION)
def form_in_chunks(trial: Trial) -> None:
    fields = {**form(trial), "image": ("kite.png", sample_picture(), "image/png")}
    body, content_type = encode_multipart_formdata(fields)

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    answer = trial.http("POST", EDITS, data=chunks(), headers={"Content-Type": content_type})
    has_picture(trial, answer, [sample_picture()])


@row(GROUP, OPENAI, HTTP, "empty values, as Go's client sends them, count as absent", operation=OPERATION)
def empty_values(trial: Trial) -> None:
    data = {**form(trial), "size": "", "quality": "", "user": "", "output_format": ""}
    files = {"image": ("kite.png", sample_picture(), "image/png")}
    has_picture(trial, trial.http("POST", EDITS, data=data, files=files), [sample_picture()])


@row(GROUP, OPENAI, HTTP, "a picture as a data URL in a text part", operation=OPERATION)
def data_url_in_a_form(trial: Trial) -> None:
    fields = {**form(trial), "image": data_url(sample_picture())}
    body, content_type = encode_multipart_formdata(fields)
    answer = trial.http("POST", EDITS, data=body, headers={"Content-Type": content_type})
    has_picture(trial, answer, [sample_picture()])


@row(GROUP, OPENAI, HTTP, "an edit as JSON, with data URLs", operation=OPERATION)
def json_edit(trial: Trial) -> None:
    sent = [sample_picture(colour="teal"), sample_picture(colour="gold")]
    body = {**form(trial), "images": [{"image_url": data_url(one)} for one in sent]}
    has_picture(trial, trial.http("POST", EDITS, json=body), sent)


@row(GROUP, OPENAI, HTTP, "an edit as JSON with a mask", operation=OPERATION)
def json_edit_with_mask(trial: Trial) -> None:
    body = {
        **form(trial),
        "images": [{"image_url": data_url(sample_picture())}],
        "mask": {"image_url": data_url(sample_mask())},
    }
    has_picture(trial, trial.http("POST", EDITS, json=body), [sample_picture()])


# Orders that must be drawn as they were given, or refused


@row(GROUP, OPENAI, HTTP, "every part has a file name, as `requests` sends `files=`", operation=OPERATION)
def parts_with_file_names(trial: Trial) -> None:
    files = {"image": ("kite.png", sample_picture()), **{name: (name, text) for name, text in form(trial).items()}}
    has_picture(trial, trial.http("POST", EDITS, files=files), [sample_picture()])
    for call in trial.upstream_calls():
        trial.claim("the upstream got the prompt", any("make it blue" in text for text in call.texts), call.texts)


@row(GROUP, OPENAI, HTTP, "a picture without a file name, as curl's `-F image=<file` sends it", operation=OPERATION)
def picture_without_file_name(trial: Trial) -> None:
    files = {"image": (None, sample_picture(), "image/png")}
    has_picture(trial, trial.http("POST", EDITS, data=form(trial), files=files), [sample_picture()])


@row(GROUP, OPENAI, HTTP, "a text in a charset that its part declares", operation=OPERATION)
def declared_charset(trial: Trial) -> None:
    prompt = trial.prompt("make it gr\u00fcn")
    part = (None, prompt.encode("windows-1252"), "text/plain; charset=windows-1252")
    data = {name: text for name, text in form(trial).items() if name != "prompt"}
    files = {"image": ("kite.png", sample_picture()), "prompt": part}
    has_picture(trial, trial.http("POST", EDITS, data=data, files=files), [sample_picture()])
    for call in trial.upstream_calls():
        trial.claim("the upstream got the prompt", any(prompt in text for text in call.texts), call.texts)


@row(GROUP, OPENAI, HTTP, "a text in a charset that nobody declares is refused", operation=OPERATION)
def undeclared_charset(trial: Trial) -> None:
    files = {
        "image": ("kite.png", sample_picture()),
        "prompt": (None, trial.prompt("make it gr\u00fcn").encode("latin-1")),
    }
    answer = trial.http("POST", EDITS, data={"model": trial.model}, files=files)
    trial.equal("status 400", 400, answer.status_code)
    trial.upstream_calls(0)


@row(GROUP, OPENAI, HTTP, "base64 whose `+` became spaces is refused", operation=OPERATION)
def base64_with_holes(trial: Trial) -> None:
    encoded = data_url(sample_picture()).replace("+", " ")
    answer = trial.http("POST", EDITS, json={**form(trial), "images": [{"image_url": encoded}]})
    trial.equal("status 400", 400, answer.status_code)
    trial.upstream_calls(0)


@row(
    GROUP,
    OPENAI,
    HTTP,
    "{words}, in JSON",
    operation=OPERATION,
    each=[
        {"words": "`image` as a data URL", "name": "image", "is_list": False},
        {"words": "`image` as a list of data URLs", "name": "image", "is_list": True},
        {"words": "`images` as a list of data URLs", "name": "images", "is_list": True},
    ],
)
def plain_strings(trial: Trial, words: str, name: str, is_list: bool) -> None:
    picture = data_url(sample_picture())
    body = {**form(trial), name: [picture] if is_list else picture}
    has_picture(trial, trial.http("POST", EDITS, json=body), [sample_picture()])


@row(GROUP, OPENAI, HTTP, "`images` on a generation are not left out", operation="images/generations")
def images_of_a_generation(trial: Trial) -> None:
    body = {**form(trial), "images": [{"image_url": data_url(sample_picture())}]}
    answer = trial.http("POST", "/v1/images/generations", json=body)
    if answer.ok:
        has_picture(trial, answer, [sample_picture()])
    else:
        trial.equal("status 400", 400, answer.status_code)


@row(GROUP, OPENAI, HTTP, "a compressed body is refused by name, or read", operation="images/generations")
def compressed_body(trial: Trial) -> None:
    body = gzip.compress(json.dumps(form(trial)).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = trial.http("POST", "/v1/images/generations", data=body, headers=headers)
    trial.any_of("status 415, or 200", (415, 200), answer.status_code)
