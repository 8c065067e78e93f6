"""Parameters that clients commonly send: none of them may make a request fail."""

from __future__ import annotations

from typing import Any

from contract.suite.row import HTTP, OPENAI, OPENAI_ASYNC, OPENAI_SDK, row
from contract.suite.trial import Trial

GROUP = "Parameters"
OPERATION = "images/generations"
GENERATE = "images.generate"
COMMON: list[dict[str, Any]] = [
    {"name": "quality", "value": "standard"},
    {"name": "quality", "value": "hd"},
    {"name": "quality", "value": "high"},
    {"name": "style", "value": "vivid"},
    {"name": "user", "value": "user-1"},
    {"name": "background", "value": "auto"},
    {"name": "moderation", "value": "low"},
    {"name": "size", "value": "auto"},
    {"name": "output_compression", "value": 80},
]


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "`{name}={value!r}` is accepted",
    operation=OPERATION,
    each=[{"label": f"{one['name']}-{one['value']}", **one} for one in COMMON],
)
def common_parameter(trial: Trial, label: str, name: str, value: object) -> None:
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), **{name: value}))


@row(GROUP, OPENAI, OPENAI_ASYNC, "all of them together are accepted", operation=OPERATION)
def all_common_parameters(trial: Trial) -> None:
    answer = trial.ask(
        GENERATE,
        model=trial.model,
        prompt=trial.prompt(),
        n=1,
        size="1024x1024",
        quality="hd",
        style="natural",
        user="user-1",
        background="opaque",
        moderation="auto",
        response_format="b64_json",
    )
    trial.pictures(answer)


@row(GROUP, OPENAI, OPENAI_SDK, "a parameter that is None counts as absent", operation=OPERATION)
def null_is_absent(trial: Trial) -> None:
    nothing = dict.fromkeys(("n", "size", "quality", "response_format", "style", "background", "stream"))
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), **nothing))


@row(GROUP, OPENAI, OPENAI_SDK, "an unknown parameter is accepted", operation=OPERATION)
def unknown_parameter(trial: Trial) -> None:
    extra = {"next_years_parameter": {"on": True}}
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), extra_body=extra))


@row(GROUP, OPENAI, HTTP, "what Open WebUI sends: `size` 512x512 and `response_format` b64_json", operation=OPERATION)
def open_webui(trial: Trial) -> None:
    answer = trial.post_generation(n=1, size="512x512", response_format="b64_json")
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("base64 in the first item", answer.ok and answer.json()["data"][0].get("b64_json"))


@row(GROUP, OPENAI, HTTP, "what n8n and LibreChat send: `output_compression` with a webp", operation=OPERATION)
def compressed_webp(trial: Trial) -> None:
    answer = trial.post_generation(
        output_format="webp", output_compression=40, response_format="b64_json", background="auto"
    )
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("a webp as base64", answer.ok and answer.json()["data"][0].get("b64_json", "").startswith("UklGR"))
