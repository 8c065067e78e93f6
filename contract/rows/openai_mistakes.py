"""A caller's mistakes: the right exception, the name of the wrong parameter, and no call upstream."""

from __future__ import annotations

from typing import Any

import openai
import requests

from contract.suite.pictures import sample_picture
from contract.suite.row import BOTH_OPENAI, HTTP, OPENAI, OPENAI_ASYNC, OPENAI_SDK, row
from contract.suite.trial import Trial

GROUP = "Mistakes"
GENERATIONS, EDITS = "images/generations", "images/edits"
GENERATE, EDIT = "images.generate", "images.edit"
NOT_JSON = '{"prompt": "a kite'
WRONG: list[dict[str, Any]] = [
    {"value": "`n=0`", "param": "n", "arguments": {"n": 0}},
    {"value": "`n=11`", "param": "n", "arguments": {"n": 11}},
    {"value": "a malformed `size`", "param": "size", "arguments": {"size": "enormous"}},
    {"value": "an unknown `response_format`", "param": "response_format", "arguments": {"response_format": "hex"}},
    {"value": "an unknown `output_format`", "param": "output_format", "arguments": {"output_format": "bmp"}},
    {"value": "a `prompt` that is a number", "param": "prompt", "arguments": {"prompt": 5}},
    {"value": "an empty `prompt`", "param": "prompt", "arguments": {"prompt": ""}},
]


@row(
    GROUP, OPENAI, BOTH_OPENAI, "{value} raises BadRequestError and names `{param}`", operation=GENERATIONS, each=WRONG
)
def wrong_parameter(trial: Trial, value: str, param: str, arguments: dict[str, Any]) -> None:
    asked = {"model": trial.model, "prompt": trial.prompt(), **arguments}
    error = trial.raises(openai.BadRequestError, GENERATE, **asked)
    trial.equal(f"`param` is {param}", param, getattr(error, "param", None))
    trial.upstream_calls(0)


@row(GROUP, OPENAI, OPENAI_SDK, "the code of an empty `prompt` is empty_string, as OpenAI's", operation=GENERATIONS)
def empty_prompt(trial: Trial) -> None:
    error = trial.raises(openai.BadRequestError, GENERATE, model=trial.model, prompt="")
    trial.equal("code empty_string", "empty_string", getattr(error, "code", None))


@row(GROUP, OPENAI, BOTH_OPENAI, "a model that is not served raises NotFoundError", operation=GENERATIONS)
def unknown_model(trial: Trial) -> None:
    error = trial.raises(openai.NotFoundError, GENERATE, model="no-such-model", prompt=trial.prompt())
    trial.equal("code model_not_found", "model_not_found", getattr(error, "code", None))
    trial.upstream_calls(0)


@row(GROUP, OPENAI, BOTH_OPENAI, "an edit of a file that is not a picture raises BadRequestError", operation=EDITS)
def no_picture(trial: Trial) -> None:
    image = ("kite.png", b"this is not a picture", "image/png")
    error = trial.raises(openai.BadRequestError, EDIT, model=trial.model, image=image, prompt=trial.prompt())
    trial.equal("`param` is image", "image", getattr(error, "param", None))
    trial.upstream_calls(0)


@row(GROUP, OPENAI, OPENAI_SDK, "an edit with `n=11` raises BadRequestError and names `n`", operation=EDITS)
def wrong_in_a_form(trial: Trial) -> None:
    error = trial.raises(
        openai.BadRequestError,
        EDIT,
        model=trial.model,
        image=sample_picture(),
        prompt=trial.prompt("make it blue"),
        n=11,
    )
    trial.equal("`param` is n", "n", getattr(error, "param", None))
    trial.upstream_calls(0)


@row(GROUP, OPENAI, OPENAI_ASYNC, "a wrong key raises AuthenticationError", operation=GENERATIONS)
def wrong_key(trial: Trial) -> None:
    if trial.server.shows_situations:
        prompt = trial.prompt(situation="api_key_invalid")
        error = trial.raises(openai.AuthenticationError, GENERATE, model=trial.model, prompt=prompt)
        trial.equal("code invalid_api_key", "invalid_api_key", getattr(error, "code", None))
        return
    answer = trial.http(
        "POST",
        "/v1/images/generations",
        credential=None,
        headers={"Authorization": "Bearer an-invalid-key"},
        json={"model": trial.model, "prompt": trial.prompt()},
    )
    trial.equal("status 401", 401, answer.status_code)


def claim_openai_error(trial: Trial, answer: requests.Response, status: int) -> dict[str, Any]:
    """The error of an answer; claims OpenAI's form: four members, `code` and `param` a string or null."""
    trial.equal(f"status {status}", status, answer.status_code)
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    trial.claim("a JSON body with an `error` object", isinstance(error, dict), answer.text[:200])
    if not isinstance(error, dict):
        return {}
    trial.equal("with its four members", {"message", "type", "param", "code"}, set(error) & FOUR)
    trial.claim("`message` is a string that is not empty", isinstance(error.get("message"), str) and error["message"])
    trial.claim("`code` is a string or null", isinstance(error.get("code"), str | None), error.get("code"))
    trial.claim("`param` is a string or null", isinstance(error.get("param"), str | None), error.get("param"))
    return error


FOUR = {"message", "type", "param", "code"}


@row(GROUP, OPENAI, HTTP, "a request without a prompt is a 400 that names `prompt`", operation=GENERATIONS)
def no_prompt(trial: Trial) -> None:
    answer = trial.http("POST", "/v1/images/generations", json={"model": trial.model})
    error = claim_openai_error(trial, answer, 400)
    trial.equal("`param` is prompt", "prompt", error.get("param"))


@row(GROUP, OPENAI, HTTP, "a body that is not JSON is a 400 in OpenAI's form", operation=GENERATIONS)
def not_json(trial: Trial) -> None:
    headers = {"Content-Type": "application/json"}
    answer = trial.http("POST", "/v1/images/generations", data=NOT_JSON, headers=headers)
    claim_openai_error(trial, answer, 400)


@row(GROUP, OPENAI, HTTP, "a body that is a JSON list is a 400 in OpenAI's form", operation=GENERATIONS)
def json_list(trial: Trial) -> None:
    claim_openai_error(trial, trial.http("POST", "/v1/images/generations", json=[1, 2]), 400)


@row(GROUP, OPENAI, HTTP, "a call without a key is a 401 in OpenAI's form", operation=GENERATIONS)
def no_key(trial: Trial) -> None:
    body = {"model": trial.model, "prompt": trial.prompt()}
    claim_openai_error(trial, trial.http("POST", "/v1/images/generations", credential=None, json=body), 401)
    trial.upstream_calls(0)


@row(GROUP, OPENAI, HTTP, "an unknown path is a 404 in OpenAI's form", operation=GENERATIONS)
def unknown_path(trial: Trial) -> None:
    claim_openai_error(trial, trial.http("POST", "/v1/images/paintings", json={}), 404)


@row(GROUP, OPENAI, HTTP, "GET instead of POST is a 405 in OpenAI's form", operation=GENERATIONS)
def wrong_verb(trial: Trial) -> None:
    claim_openai_error(trial, trial.http("GET", "/v1/images/generations"), 405)


@row(GROUP, OPENAI, HTTP, "an edit without a picture is a 400 that names `image`", operation=EDITS)
def edit_without_a_picture(trial: Trial) -> None:
    form = {"model": (None, trial.model), "prompt": (None, trial.prompt())}
    error = claim_openai_error(trial, trial.http("POST", "/v1/images/edits", files=form), 400)
    trial.claim("`param` is image", str(error.get("param")).startswith("image"), error.get("param"))


@row(GROUP, OPENAI, HTTP, "an edit without a prompt is a 400 that names `prompt`", operation=EDITS)
def edit_without_a_prompt(trial: Trial) -> None:
    files = {"image": ("kite.png", sample_picture(), "image/png")}
    error = claim_openai_error(
        trial, trial.http("POST", "/v1/images/edits", data={"model": trial.model}, files=files), 400
    )
    trial.equal("`param` is prompt", "prompt", error.get("param"))
