"""`generate_content` through google-genai."""

from __future__ import annotations

from typing import Any

from google.genai import types

from contract.suite.row import BOTH_GOOGLE, GEMINI, GOOGLE_ASYNC, GOOGLE_SDK, row
from contract.suite.trial import Trial

GROUP = "Generating content"
OPERATION = "generateContent"
GENERATE = "models.generate_content"
RATIOS = [{"ratio": ratio} for ratio in ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")]
VERSIONS = [
    {"version": "v1", "sdk": "google-genai 3 and later"},
    {"version": "v1beta", "sdk": "google-genai 1 and 2"},
]


@row(GROUP, GEMINI, BOTH_GOOGLE, "a prompt gives a picture", operation=OPERATION)
def text_gives_picture(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt())
    trial.gemini_pictures(answer)
    trial.equal("finish reason STOP", "STOP", answer.candidates[0].finish_reason.name)
    trial.upstream_calls(1)


def version_row(version: str, sdk: str) -> None:
    """A row for one version of the path."""

    @row(
        GROUP,
        GEMINI,
        GOOGLE_SDK,
        "`/{version}/`, the path of {sdk}, is served",
        operation=f"{version}:generateContent",
        each=[{"version": version, "sdk": sdk}],
    )
    def served(trial: Trial, version: str, sdk: str) -> None:
        trial.version = version
        trial.gemini_pictures(trial.ask(GENERATE, model=trial.model, contents=trial.prompt()))


for one in VERSIONS:
    version_row(**one)


@row(
    GROUP,
    GEMINI,
    GOOGLE_SDK,
    "the model name may start with `{prefix}`",
    operation=OPERATION,
    each=[{"prefix": "google/"}, {"prefix": "models/"}],
)
def model_with_a_prefix(trial: Trial, prefix: str) -> None:
    trial.gemini_pictures(trial.ask(GENERATE, model=prefix + trial.model, contents=trial.prompt()))


@row(GROUP, GEMINI, GOOGLE_ASYNC, "`aspect_ratio` {ratio} shapes the picture", operation=OPERATION, each=RATIOS)
def aspect_ratio(trial: Trial, ratio: str) -> None:
    config = types.GenerateContentConfig(image_config=types.ImageConfig(aspect_ratio=ratio))
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt(), config=config)
    wide, high = map(int, ratio.split(":"))
    (picture, *_) = trial.gemini_pictures(answer)
    trial.claim(f"a shape of about {ratio}", picture.has_shape(wide, high), picture)
    for call in trial.upstream_calls(1):
        trial.equal("the upstream was asked for this ratio", ratio, call.aspect_ratio)


@row(GROUP, GEMINI, BOTH_GOOGLE, '`response_modalities=["IMAGE"]` gives a picture and no text', operation=OPERATION)
def only_a_picture(trial: Trial) -> None:
    config = types.GenerateContentConfig(response_modalities=["IMAGE"])
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt(), config=config)
    trial.gemini_pictures(answer)
    trial.claim("no text", not any(part.text for part in answer.parts if not part.thought), answer.parts)


@row(GROUP, GEMINI, GOOGLE_SDK, "text and a picture, if both are asked for", operation=OPERATION)
def text_and_picture(trial: Trial) -> None:
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt("draw and describe a kite"), config=config)
    trial.gemini_pictures(answer)
    if trial.server.shows_situations:
        trial.claim("text", any(part.text for part in answer.parts), answer.parts)


@row(GROUP, GEMINI, BOTH_GOOGLE, "`usage_metadata` counts the tokens", operation=OPERATION)
def usage(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt())
    usage = answer.usage_metadata
    trial.claim("there is a usage", usage)
    trial.claim("input tokens", usage and usage.prompt_token_count, usage)
    trial.claim("output tokens", usage and usage.candidates_token_count, usage)
    trial.claim("the total is not less", usage and usage.total_token_count >= usage.candidates_token_count)
    details = (usage and usage.candidates_tokens_details) or []
    trial.claim(
        "tokens of pictures are counted separately", any(one.modality.name == "IMAGE" for one in details), details
    )


@row(GROUP, GEMINI, GOOGLE_SDK, "`model_version` and `response_id` are given", operation=OPERATION)
def version_and_id(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, contents=trial.prompt())
    trial.claim("a model version", answer.model_version)
    trial.claim("a response id", answer.response_id)


@row(GROUP, GEMINI, BOTH_GOOGLE, "every option of a call reaches the upstream", operation=OPERATION)
def whole_configuration(trial: Trial) -> None:
    config = types.GenerateContentConfig(
        system_instruction="You paint in watercolour.",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        seed=3,
        max_output_tokens=2000,
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
                threshold=types.HarmBlockThreshold.BLOCK_ONLY_HIGH,
            )
        ],
        response_modalities=["IMAGE"],
        image_config=types.ImageConfig(aspect_ratio="4:3"),
    )
    trial.gemini_pictures(trial.ask(GENERATE, model=trial.model, contents=trial.prompt(), config=config))
    for call in trial.upstream_calls(1):
        body: dict[str, Any] = call.json
        for name, value in {"temperature": 0.5, "topP": 0.9, "seed": 3, "maxOutputTokens": 2000}.items():
            trial.equal(name, value, call.config.get(name))
        trial.claim("safetySettings", body.get("safetySettings") or body.get("safety_settings"))
        instruction = body.get("systemInstruction") or body.get("system_instruction")
        trial.claim("systemInstruction", "watercolour" in str(instruction), instruction)


@row(GROUP, GEMINI, BOTH_GOOGLE, "a chat of two turns, the second about the picture of the first", operation=OPERATION)
def chat(trial: Trial) -> None:
    client = trial.client
    trial.requests.append("chats.create, then send_message twice")
    talk = client.chats.create(model=trial.model)
    first = trial.run(lambda: talk.send_message(trial.prompt()))
    trial.gemini_pictures(first)
    second = trial.run(lambda: talk.send_message(trial.prompt("now at night")))
    trial.gemini_pictures(second)
    if calls := trial.upstream_calls(2):
        trial.claim("the second call has the first picture", calls[-1].pictures, "no picture")


@row(GROUP, GEMINI, GOOGLE_SDK, "the upstream gets the caller's key once", operation=OPERATION)
def one_credential(trial: Trial) -> None:
    trial.gemini_pictures(trial.ask(GENERATE, model=trial.model, contents=trial.prompt()))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got exactly one credential", 1, len(call.credentials))
