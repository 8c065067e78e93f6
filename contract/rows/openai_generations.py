"""`images.generate`."""

from __future__ import annotations

import time

import openai

from contract.suite.pictures import data_url, sample_picture
from contract.suite.row import BOTH_OPENAI, HTTP, OPENAI, OPENAI_ASYNC, OPENAI_SDK, row
from contract.suite.trial import NotReported, Trial

GROUP = "Generations"
OPERATION = "images/generations"
GENERATE = "images.generate"
SIZES = [  # size, its shape in words and as width and height
    {"size": "1024x1024", "words": "a square", "wide": 1, "high": 1},
    {"size": "512x512", "words": "a square", "wide": 1, "high": 1},
    {"size": "1536x1024", "words": "a landscape", "wide": 3, "high": 2},
    {"size": "1024x1536", "words": "a portrait", "wide": 2, "high": 3},
    {"size": "1792x1024", "words": "a wide", "wide": 16, "high": 9},
    {"size": "1024x1792", "words": "a tall", "wide": 9, "high": 16},
    {"size": "1280x896", "words": "a 4:3", "wide": 4, "high": 3},
]
CLOCKS_DIFFER = 60  # seconds at most


@row(GROUP, OPENAI, BOTH_OPENAI, "a prompt gives a picture", operation=OPERATION)
def prompt_gives_picture(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt())
    trial.pictures(answer)
    trial.upstream_calls(1)


@row(
    GROUP,
    OPENAI,
    BOTH_OPENAI,
    '`response_format="b64_json"` gives plain base64 and no URL',
    operation=OPERATION,
)
def base64_on_request(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), response_format="b64_json")
    trial.pictures(answer)
    (item, *_) = answer.data
    trial.claim("the item has `b64_json`", item.b64_json)
    trial.claim("it does not start with `data:`", not (item.b64_json or "").startswith("data:"))
    trial.claim("the item has no `url`", item.url is None, item.url)


@row(GROUP, OPENAI, BOTH_OPENAI, '`response_format="url"` gives a URL that can be fetched', operation=OPERATION)
def url_on_request(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), response_format="url")
    (item, *_) = answer.data
    trial.claim("the item has a `url`", item.url)
    trial.claim("it is an http URL", (item.url or "").startswith("http"), item.url)
    trial.claim("the item has no `b64_json`", item.b64_json is None, "base64 beside the URL")
    trial.pictures(answer)


@row(GROUP, OPENAI, OPENAI_SDK, "without `response_format` an item has either `url` or `b64_json`", operation=OPERATION)
def one_of_the_two(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt())
    trial.pictures(answer)
    (item, *_) = answer.data
    trial.claim("one of the two, never both", (item.url is None) != (item.b64_json is None), item)


@row(GROUP, OPENAI, OPENAI_ASYNC, "`size` {size} gives {words} picture", operation=OPERATION, each=SIZES)
def size_gives_shape(trial: Trial, size: str, words: str, wide: int, high: int) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), size=size)
    (picture, *_) = trial.pictures(answer)
    trial.claim(f"a shape of about {wide}:{high}", picture.has_shape(wide, high), picture)


@row(GROUP, OPENAI, OPENAI_SDK, "the answer's `size` and `output_format` are those of the picture", operation=OPERATION)
def size_is_the_pictures(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), size="1792x1024")
    (picture, *_) = trial.pictures(answer)
    if answer.size is None and answer.output_format is None:
        raise NotReported("the server reports no `size` and `output_format`")
    trial.equal("`size` is the picture's pixels", picture.pixels, answer.size)
    trial.equal("`output_format` is the picture's format", picture.format, answer.output_format)


@row(GROUP, OPENAI, BOTH_OPENAI, "`n=3` gives three pictures", operation=OPERATION)
def three_pictures(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), n=3, response_format="b64_json")
    pictures = trial.pictures(answer, count=3)
    calls = trial.upstream_calls(3)
    if calls:
        trial.equal("three different pictures", 3, len({picture.content for picture in pictures}))


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    '`output_format="{file_type}"` gives a {file_type}',
    operation=OPERATION,
    each=[{"file_type": "png"}, {"file_type": "jpeg"}, {"file_type": "webp"}],
)
def output_format_is_kept(trial: Trial, file_type: str) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), output_format=file_type)
    (picture, *_) = trial.pictures(answer)
    trial.equal(f"the file is a {file_type}", file_type, picture.format)


@row(GROUP, OPENAI, OPENAI_SDK, "`created` is now, in whole seconds", operation=OPERATION)
def created_is_now(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt())
    trial.claim("`created` is a whole number", isinstance(answer.created, int), answer.created)
    late = abs(answer.created - time.time()) if isinstance(answer.created, int | float) else None
    trial.claim("it is within a minute of now", late is not None and late < CLOCKS_DIFFER, answer.created)


@row(GROUP, OPENAI, BOTH_OPENAI, "`usage` counts tokens, text and pictures separately", operation=OPERATION)
def usage_is_reported(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt())
    usage = answer.usage
    trial.claim("there is a `usage`", usage)
    trial.claim("input tokens", usage and usage.input_tokens > 0, usage)
    trial.claim("output tokens", usage and usage.output_tokens > 0, usage)
    trial.claim(
        "input and output add up to the total", usage and usage.input_tokens + usage.output_tokens == usage.total_tokens
    )
    details = usage and usage.input_tokens_details
    trial.claim("the input is text", details and details.text_tokens > 0 and details.image_tokens == 0, details)


@row(GROUP, OPENAI, BOTH_OPENAI, "`usage` of `n=3` is the sum of three answers", operation=OPERATION)
def usage_is_summed(trial: Trial) -> None:
    prompt = trial.prompt("three kites to count")
    one = trial.ask(GENERATE, model=trial.model, prompt=prompt).usage
    three = trial.ask(GENERATE, model=trial.model, prompt=prompt, n=3).usage
    if not one or not three:
        raise NotReported("the server reports no `usage`")
    if trial.server.shows_situations:  # each answer to the same prompt costs the same there
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            trial.equal(f"`{name}` three times", 3 * getattr(one, name), getattr(three, name))
    trial.claim("more output tokens than for two", three.output_tokens > 2 * one.output_tokens, three)


@row(GROUP, OPENAI, BOTH_OPENAI, "the SDK's strict validation accepts the answer", operation=OPERATION)
def strict_types(trial: Trial) -> None:
    trial.strict = True
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(), size="1024x1024", quality="auto")
    trial.pictures(answer)


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "a prompt in {language} arrives unchanged",
    operation=OPERATION,
    each=[
        {"language": "Korean", "words": "네온사인이 빛나는 거리의 사이버펑크 고양이"},
        {"language": "emoji and quotes", "words": 'a "kite" 🪁 in \\the\\ sky,\n\ttwo lines'},
    ],
)
def prompt_in_any_script(trial: Trial, language: str, words: str) -> None:
    prompt = trial.prompt(words)
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=prompt))
    for call in trial.upstream_calls(1):
        trial.claim("the upstream got the same prompt", prompt in call.texts, call.texts)


@row(GROUP, OPENAI, OPENAI_SDK, "a prompt of 20,000 characters arrives whole", operation=OPERATION)
def long_prompt(trial: Trial) -> None:
    prompt = trial.prompt("a small red kite, " * 1100)
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=prompt))
    for call in trial.upstream_calls(1):
        trial.claim("the upstream got the same prompt", prompt in call.texts)


@row(GROUP, OPENAI, HTTP, "the answer has an `x-request-id`", operation=OPERATION)
def request_id(trial: Trial) -> None:
    answer = trial.post_generation()
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("the header `x-request-id`", answer.headers.get("x-request-id"))


@row(GROUP, OPENAI, HTTP, "absent members are omitted, not null, for typed clients", operation=OPERATION)
def nothing_is_null(trial: Trial) -> None:
    answer = trial.post_generation()
    trial.equal("status 200", 200, answer.status_code)
    for item in answer.json()["data"]:
        trial.claim("an item of `data` has no null", None not in item.values(), item)


@row(
    "Google's extras",
    OPENAI,
    BOTH_OPENAI,
    "`aspect_ratio` in `extra_body` shapes the picture",
    operation=OPERATION,
)
def aspect_ratio_extra(trial: Trial) -> None:
    answer = trial.ask(
        GENERATE, model=trial.model, prompt=trial.prompt(), size="1024x1024", extra_body={"aspect_ratio": "16:9"}
    )
    (picture, *_) = trial.pictures(answer)
    trial.claim("a shape of about 16:9", picture.has_shape(16, 9), picture)


@row(
    "Google's extras",
    OPENAI,
    OPENAI_SDK,
    "`image` in `extra_body` of a generation is an input picture",
    operation=OPERATION,
)
def image_extra(trial: Trial) -> None:
    content = sample_picture(128, 64)
    answer = trial.ask(
        GENERATE, model=trial.model, prompt=trial.prompt("make it blue"), extra_body={"image": [data_url(content)]}
    )
    trial.pictures(answer)
    for call in trial.upstream_calls(1):
        trial.claim("the upstream got the picture", call.pictures == [content], f"{len(call.pictures)} pictures")


@row(
    "Google's extras",
    OPENAI,
    OPENAI_SDK,
    "text beside a picture is the item's `text`",
    operation=OPERATION,
    situations=True,
)
def text_beside_the_picture(trial: Trial) -> None:
    answer = trial.ask(GENERATE, model=trial.model, prompt=trial.prompt(situation="text_and_picture"))
    trial.pictures(answer)
    trial.equal("the model's text", "Here's a red sun for you! ", getattr(answer.data[0], "text", None))


@row(
    "Google's extras",
    OPENAI,
    OPENAI_SDK,
    "the model name may start with `{prefix}`, as Google writes it",
    operation=OPERATION,
    each=[{"prefix": "google/"}, {"prefix": "models/"}],
)
def model_with_a_prefix(trial: Trial, prefix: str) -> None:
    trial.pictures(trial.ask(GENERATE, model=prefix + trial.model.rpartition("/")[2], prompt=trial.prompt()))


@row(
    "Google's extras",
    OPENAI,
    HTTP,
    "Google's path for OpenAI clients, `/v1beta/openai/`, is served",
    operation="v1beta/openai",
)
def googles_openai_path(trial: Trial) -> None:
    body = {"model": trial.model, "prompt": trial.prompt(), "response_format": "b64_json"}
    answer = trial.http("POST", "/v1beta/openai/images/generations", json=body)
    trial.equal("status 200", 200, answer.status_code)
    trial.claim("a picture as base64", answer.ok and answer.json()["data"][0].get("b64_json"))


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "if one of several pictures is refused, the others arrive",
    operation=OPERATION,
    situations=True,
)
def some_of_several(trial: Trial) -> None:
    prompt = trial.prompt(situation="second_candidate_refused")
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=prompt))
    if trial.server.upstream:
        prompt = trial.prompt("three kites", situation="picture|refused_image_safety|picture")
        answer = trial.ask(GENERATE, model=trial.model, prompt=prompt, n=3, response_format="b64_json")
        trial.pictures(answer, count=2)


@row(
    GROUP,
    OPENAI,
    OPENAI_SDK,
    "if all of several pictures are refused, that is one error",
    operation=OPERATION,
    situations=True,
)
def none_of_several(trial: Trial) -> None:
    prompt = trial.prompt(situation="refused_image_safety")
    trial.raises(openai.BadRequestError, GENERATE, model=trial.model, prompt=prompt, n=3)
    trial.upstream_calls(3)


@row(GROUP, OPENAI, OPENAI_SDK, "the upstream gets the caller's key once", operation=OPERATION)
def one_credential(trial: Trial) -> None:
    trial.pictures(trial.ask(GENERATE, model=trial.model, prompt=trial.prompt()))
    for call in trial.upstream_calls(1):
        trial.equal("the upstream got exactly one credential", 1, len(call.credentials))
        trial.equal("it is in `x-goog-api-key`", 1, len(call.values("x-goog-api-key")))
