"""Google's API over HTTP, as clients other than its Python SDK use it."""

from __future__ import annotations

import base64
from typing import Any

import requests

from contract.suite.pictures import sample_picture
from contract.suite.row import GEMINI, HTTP, row
from contract.suite.trial import Trial, body_of

GROUP = "Other clients of Google's API"
OPERATION = "generateContent"


def contents(trial: Trial, *parts: dict[str, Any], **role: str) -> dict[str, Any]:
    """The body of a request."""
    return {"contents": [{"parts": [{"text": trial.prompt("make it blue")}, *parts], **role}]}


def has_picture(trial: Trial, answer: requests.Response) -> dict[str, Any]:
    """The body of an answer; claims Google's form and one picture."""
    trial.equal("status 200", 200, answer.status_code)
    body = body_of(answer)
    candidates = body.get("candidates", []) if isinstance(body, dict) else []
    parts = candidates[0].get("content", {}).get("parts", []) if candidates else []
    pictures = [part["inlineData"] for part in parts if "inlineData" in part]
    trial.equal("one `inlineData`", 1, len(pictures))
    trial.claim("with a `mimeType`", pictures and pictures[0].get("mimeType", "").startswith("image/"))
    return dict(body) if isinstance(body, dict) else {}


@row(
    GROUP,
    GEMINI,
    HTTP,
    "the key may be sent as {words}",
    operation=OPERATION,
    each=[
        {"credential": "x-goog-api-key", "words": "`x-goog-api-key`"},
        {"credential": "key", "words": "`?key=`"},
        {"credential": "bearer", "words": "`Authorization: Bearer`"},
    ],
)
def key_location(trial: Trial, credential: str, words: str) -> None:
    has_picture(trial, trial.post_method(OPERATION, credential, json=contents(trial, role="user")))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got exactly one credential", 1, len(call.credentials))


@row(GROUP, GEMINI, HTTP, "the upstream gets no key in a URL, where logs would keep it", operation=OPERATION)
def no_key_in_a_url(trial: Trial) -> None:
    has_picture(trial, trial.post_method(OPERATION, "key", json=contents(trial, role="user")))
    for call in trial.upstream_calls(1):
        trial.claim("no `key` in the query", "key" not in call.query)


@row(GROUP, GEMINI, HTTP, "contents without a role, as Open WebUI sends them", operation=OPERATION)
def without_a_role(trial: Trial) -> None:
    has_picture(trial, trial.post_method(OPERATION, json=contents(trial)))


@row(GROUP, GEMINI, HTTP, "names in snake_case, which Google accepts", operation=OPERATION)
def snake_case(trial: Trial) -> None:
    inline = {"inline_data": {"mime_type": "image/png", "data": base64.b64encode(sample_picture()).decode()}}
    body = {**contents(trial, inline, role="user"), "generation_config": {"response_modalities": ["IMAGE"]}}
    has_picture(trial, trial.post_method(OPERATION, json=body))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got the picture", [sample_picture()], call.pictures)


@row(GROUP, GEMINI, HTTP, "base64 in the URL-safe alphabet, as the Python SDK writes it", operation=OPERATION)
def url_safe(trial: Trial) -> None:
    content = sample_picture(file_type="JPEG")
    inline = {"inlineData": {"mimeType": "image/jpeg", "data": base64.urlsafe_b64encode(content).decode()}}
    has_picture(trial, trial.post_method(OPERATION, json=contents(trial, inline, role="user")))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got the picture", [content], call.pictures)


@row(GROUP, GEMINI, HTTP, "what the AI SDK sends: IMAGE only and an aspect ratio", operation=OPERATION)
def ai_sdk(trial: Trial) -> None:
    config = {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}
    body = {**contents(trial, role="user"), "generationConfig": config}
    has_picture(trial, trial.post_method(OPERATION, json=body))


@row(GROUP, GEMINI, HTTP, "the answer's members are in camelCase", operation=OPERATION)
def camel_case(trial: Trial) -> None:
    body = has_picture(trial, trial.post_method(OPERATION, json=contents(trial, role="user")))
    trial.claim("`usageMetadata`", "usageMetadata" in body, sorted(body))
    trial.claim("`finishReason`", body.get("candidates") and "finishReason" in body["candidates"][0])


@row(GROUP, GEMINI, HTTP, "the upstream gets the body unchanged, unknown members included", operation=OPERATION)
def body_unchanged(trial: Trial) -> None:
    body = {**contents(trial, role="user"), "serviceTier": "standard", "generationConfig": {"seed": 7}}
    has_picture(trial, trial.post_method(OPERATION, json=body))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got the same body", body, call.json)


@row(GROUP, GEMINI, HTTP, "countTokens of a whole generateContentRequest", operation="countTokens")
def count_whole_request(trial: Trial) -> None:
    body = {"generateContentRequest": {"model": f"models/{trial.model}", **contents(trial, role="user")}}
    answer = trial.post_method("countTokens", json=body)
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("`totalTokens`", answer.ok and answer.json().get("totalTokens"))


@row(GROUP, GEMINI, HTTP, "`/v1alpha` is served too, as SDKs can ask for it", operation=OPERATION)
def alpha_version(trial: Trial) -> None:
    path = f"/v1alpha/models/{trial.model}:{OPERATION}"
    has_picture(trial, trial.http("POST", path, "x-goog-api-key", json=contents(trial, role="user")))
