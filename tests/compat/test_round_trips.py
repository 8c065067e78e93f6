"""Round trips: what both APIs have survives a translation to the other and back; everything else is a Loss."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.base64_stream import encode
from compat.errors import ApiError, ErrorKind
from compat.gemini_content import response as gemini_response
from compat.gemini_content import response_writer
from compat.gemini_content.error import GEMINI
from compat.gemini_content.request import MASK_INSTRUCTION, check_request
from compat.gemini_content.request_reader import GeminiRequest, json_name, read_request
from compat.image_models import PIXELS_2_5, PIXELS_3_1, ModelCatalogue, ServedModel
from compat.images import (
    Chunk,
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageRequest,
    ImageStart,
    RevisedPrompt,
    Text,
    Usage,
)
from compat.images import encoded as pieces_of
from compat.openai_images import request_writer, response_reader
from compat.openai_images import response as openai_response
from compat.openai_images.error import OPENAI
from compat.openai_images.request import OpenAIRequest, parse_edit, parse_edit_form, parse_generation
from proxy.pictures.holding import hold_pictures, release
from proxy.pictures.spool import SpoolMemory
from tests.compat.errors import error_of
from tests.compat.gemini_answers import JSON, PICTURES
from tests.compat.gemini_requests import sent
from tests.compat.openai_answers import BLOCKED, body_of, completed, encoded, partial, stream_of
from tests.compat.openai_servers import ALL_FIELDS, PLAIN, WITH_TIERS, form_of, served
from tests.compat.pictures import base64_of, draw, events_of, joined
from tests.support.losses import LOSSES, Loss, Outcome, Translation

PNG, JPEG = draw("PNG", 4, 3), draw("JPEG", 4, 3)
NAMES = {"model_version": "own-model", "response_id": "abc"}
INPUTS = [picture for picture in PICTURES if not picture.startswith(b"GIF8")]


class OneModel(ModelCatalogue):
    """A catalogue of one model, which has every name."""

    def __init__(self, model: ServedModel):
        super().__init__()
        self.model = model

    def resolve(self, name: str | None) -> ServedModel:
        return self.model


# Requests

roles = st.sampled_from(["user", "model", None])
prompts = st.text(min_size=1, max_size=12)
addresses = st.sampled_from(["https://example.com/a.jpg", "http://10.0.0.1/b", "https://example.com/c.webp?x=1"])


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """A text, a picture or its address, perhaps with a signature, with names in either case."""
    kind = draw(st.sampled_from(["text", "text", "inline", "file"]))
    if kind == "text":
        return {"text": draw(prompts), **draw(st.sampled_from([{}, {"thoughtSignature": "AAAA"}]))}
    if kind == "file":
        return draw(addresses.map(lambda address: {"file_data": {"mime_type": "image/png", "fileUri": address}}))
    data = base64_of(draw(st.sampled_from(INPUTS)))
    safe = data.replace("+", "-").replace("/", "_").rstrip("=")
    return draw(
        st.sampled_from(
            [{"inlineData": {"mimeType": "image/png", "data": data}}, {"inline_data": {"data": safe}}],
        )
    )


@st.composite
def bodies(draw: st.DrawFn, model: ServedModel) -> dict[str, Any]:
    """generateContent requests that OpenAI's API can express for the server of a model."""
    contents = draw(
        st.lists(st.fixed_dictionaries({"role": roles, "parts": st.lists(parts(), max_size=3)}), max_size=3)
    )
    body: dict[str, Any] = {"contents": [*contents, {"role": "user", "parts": [{"text": draw(prompts)}]}]}
    if draw(st.booleans()):
        body["systemInstruction"] = {"parts": [{"text": draw(prompts)}]}
    config: dict[str, Any] = {"candidateCount": draw(st.integers(1, 10))}
    if model is ALL_FIELDS:
        config |= draw(
            st.fixed_dictionaries(
                {}, optional={"seed": st.integers(-(2**31), 2**31 - 1), "temperature": st.floats(0, 2)}
            )
        )
        shapes = st.fixed_dictionaries({}, optional={"imageSize": st.sampled_from(["1K", "2K", "4K"])})
    else:
        shapes = st.just({})
    shape = draw(shapes)
    if draw(st.booleans()) and (shape or model is PLAIN):
        shape["aspectRatio"] = draw(st.sampled_from(sorted(model.upstream.pixels)))
    return {**body, "generationConfig": {**config, "imageConfig": shape}}


def through_openai(image_request: ImageRequest, model: ServedModel) -> OpenAIRequest:
    """The request as a server that speaks OpenAI's API reads it."""
    sent = request_writer.write_request(image_request, model, boundary=None)
    catalogue = OneModel(model)
    if sent.content_type.startswith("multipart/form-data"):
        return parse_edit_form(form_of(sent), catalogue)
    body = json.loads(b"".join(sent.body))
    if sent.path == "images/edits":
        return parse_edit(body, catalogue)
    return parse_generation(body, catalogue, "b64_json")


def through_gemini(image_request: ImageRequest, model: ServedModel) -> ImageRequest:
    """The request as a server that speaks Gemini's API reads it."""
    body = sent(image_request)
    check_request("generateContent", body)
    return read_request(body, model).image_request


@pytest.mark.parametrize("model", [PLAIN, ALL_FIELDS], ids=["plain", "all fields"])
@given(st.data())
@settings(max_examples=300)
def test_a_gemini_request_survives_openais_api(model: ServedModel, data: st.DataObject) -> None:
    body = data.draw(bodies(model))
    check_request("generateContent", body)
    try:
        asked = read_request(body, model)
    except ApiError as error:
        assert error.param == "contents"  # noqa: PT017 - the text is white space
        return
    assert asked.ignored == ()
    assert request_writer.unsupported_fields(asked.image_request, model) == ()
    returned = through_openai(asked.image_request, model)
    assert returned.image_request == asked.image_request
    assert (returned.response_format, returned.ignored, returned.stream) == ("b64_json", (), False)
    again = through_gemini(returned.image_request, model)
    assert replace(again, count=asked.image_request.count) == asked.image_request


sizes = st.sampled_from([f"{width}x{height}" for width, height in PIXELS_2_5.values()] + ["auto", "16:9"])
openai_bodies = st.fixed_dictionaries(
    {"prompt": prompts.filter(str.strip)},
    optional={
        "n": st.integers(1, 10),
        "size": sizes,
        "seed": st.integers(-(2**31), 2**31 - 1),
        "temperature": st.floats(0, 2),
        "image": st.lists(st.sampled_from([base64_of(one) for one in INPUTS]) | addresses, min_size=1, max_size=3),
    },
)


@given(openai_bodies)
@settings(max_examples=200)
def test_an_openai_request_survives_geminis_api(body: dict[str, Any]) -> None:
    model = served(fields=("seed", "temperature"))
    asked = parse_generation(body, OneModel(model), "b64_json").image_request
    returned = replace(through_gemini(asked, model), count=asked.count)
    assert returned == asked
    assert through_openai(returned, model).image_request == asked


@pytest.mark.parametrize("tier", ["1K", "2K", "4K"])
@pytest.mark.parametrize("ratio", PIXELS_3_1)
def test_every_shape_of_every_tier_survives_as_pixels(ratio: str, tier: str) -> None:
    asked = ImageRequest("a sun", aspect_ratio=ratio, image_size=tier)
    assert through_openai(asked, WITH_TIERS).image_request == asked


# Answers

usages = st.none() | st.builds(Usage, *[st.integers(0, 5000)] * 4)
texts = st.lists(st.text(min_size=1, max_size=8).map(Text), max_size=2)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """The events of several answers, each with one or two pictures and texts around them."""
    events: list[Event] = []
    for _ in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 2))):
            events += [*draw(texts), *events_of(draw(st.sampled_from(PICTURES)))]
        events += [*draw(texts), Finish(draw(usages))]
    return events


def shared(events: Iterable[Event]) -> tuple[list[Event], str, Usage | None]:
    """What both APIs have of an answer: its pictures, its texts in order, and all tokens."""
    events = joined(events)
    known = [event.usage for event in events if isinstance(event, Finish) and event.usage]
    return (
        [event for event in events if isinstance(event, ImageStart | ImageData | ImageEnd)],
        "".join(event.text for event in events if isinstance(event, Text)),
        sum(known[1:], known[0]) if known else None,
    )


def flat(chunks: Iterable[Chunk]) -> list[bytes]:
    return [b"".join(chain.from_iterable(map(pieces_of, chunks)))]


def openai_events(events: Iterable[Event]) -> list[Event]:
    body = openai_response.write_answer(events, created=1, prices=None)
    return list(response_reader.read_answer(flat(body)))


def openai_stream(events: Iterable[Event]) -> list[Event]:
    body = openai_response.write_event_stream(events, operation="image_edit", created=1, prices=None)
    return list(response_reader.read_answer(flat(body), "text/event-stream"))


def gemini_events(events: Iterable[Event]) -> list[Event]:
    return list(gemini_response.read_answer(response_writer.write_answer(events, **NAMES), JSON))


def gemini_stream(events: Iterable[Event]) -> list[Event]:
    body = response_writer.write_event_stream(events, **NAMES)
    return list(gemini_response.read_answer(body, "text/event-stream"))


def gemini_array(events: Iterable[Event]) -> list[Event]:
    return list(gemini_response.read_answer(response_writer.write_array(events, **NAMES), JSON))


@pytest.mark.parametrize("there", [openai_events, openai_stream])
@pytest.mark.parametrize("back", [gemini_events, gemini_stream, gemini_array])
@given(answers())
@settings(max_examples=60)
def test_an_answer_survives_both_apis(
    there: Callable[[Iterable[Event]], list[Event]],
    back: Callable[[Iterable[Event]], list[Event]],
    events: list[Event],
) -> None:
    pictures, text, usage = shared(events)
    if there is openai_stream:
        usage = usage or Usage()  # OpenAI's events require one
    assert shared(there(events)) == (pictures, text, usage)
    assert shared(back(there(events))) == (pictures, text, usage)
    assert shared(there(back(events)))[:2] == (pictures, text)


@given(answers())
@settings(max_examples=60)
def test_texts_stay_with_their_picture(events: list[Event]) -> None:
    """Each picture of OpenAI's answer has its texts, and has them in Gemini's as well."""

    def texts_by_picture(found: list[Event]) -> list[str]:
        return ["".join(one.text for one in group if isinstance(one, Text)) for group in by_finish(found)]

    there = openai_events(events)
    candidates = json.loads(b"".join(response_writer.write_answer(there, **NAMES)))["candidates"]
    assert texts_by_picture(there) == [
        "".join(part.get("text", "") for part in one["content"]["parts"]) for one in candidates
    ]


def by_finish(events: list[Event]) -> list[list[Event]]:
    """The events of each answer, up to its Finish."""
    groups: list[list[Event]] = [[]]
    for event in events:
        groups[-1].append(event)
        if isinstance(event, Finish):
            groups.append([])
    return groups[:-1]


# Losses

PROOFS: dict[str, Callable[[], object]] = {}


def proof(feature: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Registers a function that proves the row of this feature."""

    def keep(function: Callable[[], object]) -> Callable[[], object]:
        PROOFS[feature] = function
        return function

    return keep


def gemini(model: ServedModel = PLAIN, **fields: Any) -> GeminiRequest:
    body = {"contents": [{"parts": [{"text": "a sun"}]}], **fields}
    check_request("generateContent", body)
    return read_request(body, model)


def content(*some: dict[str, Any], **others: Any) -> GeminiRequest:
    return gemini(contents=[{"parts": list(some)}], **others)


def configured(model: ServedModel = PLAIN, **config: Any) -> GeminiRequest:
    return gemini(model, generationConfig=config)


def ignored(request: GeminiRequest | OpenAIRequest) -> tuple[str, ...]:
    return request.ignored


def openai(**fields: Any) -> OpenAIRequest:
    return parse_generation({"prompt": "a sun", **fields}, ModelCatalogue(), "url")


def sent_pixels(model: ServedModel, **fields: Any) -> object:
    return json.loads(request_writer.write_request(ImageRequest("a", **fields), model).body[0])["size"]


TEXT, PICTURE = {"text": "a sun"}, {"inlineData": {"data": base64_of(PNG)}}
OTHER_PICTURE = {"inlineData": {"mimeType": "image/png", "data": base64_of(JPEG)}}

REFUSALS: dict[str, Callable[[], object]] = {
    "a request without text": lambda: content(PICTURE),
    "more than 16 input pictures": lambda: content(TEXT, *[PICTURE] * 17),
    "audio, video and documents": lambda: content(TEXT, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
    "files that only Google can open": lambda: content(TEXT, {"fileData": {"fileUri": "gs://bucket/a.png"}}),
    "function calls and code": lambda: content(TEXT, {"functionCall": {"name": "draw"}}),
    "pictures in the system instruction": lambda: gemini(systemInstruction={"parts": [PICTURE]}),
    "tools": lambda: gemini(tools=[{"googleSearch": {}}]),
    "cached contents": lambda: gemini(cachedContent="cachedContents/a"),
    "modalities without IMAGE": lambda: configured(responseModalities=["TEXT"]),
    "more than 10 candidates": lambda: configured(candidateCount=11),
    "an aspect ratio that the model does not have": lambda: configured(imageConfig={"aspectRatio": "7:5"}),
    "a tier that the model does not have among others": lambda: configured(WITH_TIERS, imageConfig={"imageSize": "9K"}),
    "input pictures, if the server has no edits": lambda: request_writer.write_request(
        content(TEXT, PICTURE).image_request, served(edits=False)
    ),
    "addresses of pictures, if the server does not open them": lambda: request_writer.write_request(
        content(TEXT, {"fileData": {"fileUri": "https://example.com/a.png"}}).image_request, served(image_urls=False)
    ),
    "a size that is far from every aspect ratio": lambda: openai(size="3000x1000"),
    "a file that OpenAI stores": lambda: parse_edit({"prompt": "a", "images": [{"file_id": "x"}]}, ModelCatalogue()),
}
NAMED: dict[str, Callable[[], tuple[str, ...]]] = {
    "a tier, if the model has none": lambda: ignored(configured(imageConfig={"imageSize": "2K"})),
    "a tier of an edit without an aspect ratio": lambda: request_writer.unsupported_fields(
        content(TEXT, PICTURE, model=WITH_TIERS, generationConfig={"imageConfig": {"imageSize": "2K"}}).image_request,
        WITH_TIERS,
    ),
    "a seed, if the server has no field for it": lambda: request_writer.unsupported_fields(
        configured(seed=3).image_request, PLAIN
    ),
    "a temperature, if the server has no field for it": lambda: request_writer.unsupported_fields(
        configured(temperature=0.5).image_request, PLAIN
    ),
    "safety settings": lambda: ignored(gemini(safetySettings=[{"category": 7, "threshold": 4}])),
    "thinking settings": lambda: ignored(configured(thinkingConfig={"thinkingLevel": "HIGH"})),
    "sampling settings": lambda: ignored(configured(topK=40)),
    "the MIME type of the output picture": lambda: ignored(
        configured(responseFormat={"image": {"mimeType": "image/png"}})
    ),
    "the resolution at which an input is read": lambda: ignored(
        content(TEXT, {**PICTURE, "mediaResolution": {"level": 1}})
    ),
    "quality": lambda: ignored(openai(quality="high")),
    "style": lambda: ignored(openai(style="vivid")),
    "a transparent background": lambda: ignored(openai(background="transparent")),
    "the strictness of moderation": lambda: ignored(openai(moderation="low")),
    "the fidelity of an edit to its input": lambda: ignored(openai(input_fidelity="high")),
    "the id of the end user": lambda: ignored(openai(user="me")),
    "partial pictures": lambda: ignored(openai(stream=True, partial_images=2)),
}


@proof("thoughts and their signatures")
def thoughts() -> None:
    request = content(TEXT, {"text": "hm", "thought": True}, {"text": "red", "thoughtSignature": "AAAA"})
    assert request == GeminiRequest(ImageRequest("a sun\nred"), ())


@proof("a system instruction")
def system_instruction() -> None:
    assert gemini(systemInstruction={"parts": [{"text": "In oil."}]}).image_request.prompt == "In oil.\n\na sun"


@proof("a conversation")
def conversation() -> None:
    talk = [{"parts": [TEXT]}, {"role": "model", "parts": [{"text": "Which?"}]}, {"parts": [{"text": "ours"}]}]
    assert gemini(contents=talk).image_request.prompt == "a sun\nWhich?\nours"


@proof("the model's last picture")
def last_picture() -> None:
    talk = [
        {"parts": [TEXT]},
        {"role": "model", "parts": [PICTURE]},
        {"parts": [{"text": "red"}]},
        {"role": "model", "parts": [OTHER_PICTURE]},
        {"parts": [{"text": "round"}]},
    ]
    request = gemini(contents=talk).image_request
    assert request.prompt == "round"
    assert [image.data for image in request.input_images] == [encode(JPEG)]


@proof("the declared MIME type of a picture")
def type_of_a_picture() -> None:
    assert [image.mime_type for image in content(TEXT, OTHER_PICTURE).image_request.input_images] == ["image/jpeg"]


@proof("a tier without an aspect ratio")
def tier_alone() -> None:
    assert sent_pixels(WITH_TIERS, image_size="2K") == "2048x2048"


@proof("an aspect ratio without a tier")
def ratio_alone() -> None:
    assert sent_pixels(WITH_TIERS, aspect_ratio="16:9") == "1376x768"


@proof("half of a surrogate pair, in a form")
def half_of_a_surrogate_pair() -> None:
    asked = content({"text": "a \ud83d"}, PICTURE).image_request
    assert through_openai(asked, PLAIN).image_request.prompt == "a ?"
    assert through_openai(replace(asked, input_images=()), PLAIN).image_request.prompt == asked.prompt


@proof("n")
def many() -> None:
    asked = openai(n=3).image_request
    assert asked.count == 3
    assert "candidateCount" not in json.dumps(sent(asked))


@proof("a mask")
def mask() -> None:
    hole = base64_of(draw("PNG", 4, 3, "RGBA"))
    body = {"prompt": "a sun", "images": [{"image_url": base64_of(PNG)}], "mask": {"image_url": hole}}
    *_, picture, text = sent(parse_edit(body, ModelCatalogue()).image_request)["contents"][0]["parts"]
    assert picture["inlineData"]["data"] == hole
    assert text["text"].endswith(MASK_INSTRUCTION)


@proof("exact pixels")
def exact_pixels() -> None:
    asked = openai(size="1280x896").image_request
    assert (asked.aspect_ratio, asked.image_size) == ("4:3", None)


@proof("the revised prompt")
def revised_prompt() -> None:
    events = list(response_reader.read_answer([body_of(encoded(PNG, revised_prompt="A golden sun."))]))
    assert RevisedPrompt("A golden sun.") in events
    assert b"golden" not in b"".join(response_writer.write_answer(events, **NAMES))


@proof("the picture's time, size, quality and background")
def about_a_picture() -> None:
    body = body_of(encoded(PNG), size="1x1", quality="high", background="opaque", output_format="png")
    answer = json.loads(b"".join(response_writer.write_answer(response_reader.read_answer([body]), **NAMES)))
    assert set(answer) == {"candidates", "modelVersion", "responseId"}
    assert set(answer["candidates"][0]) == {"index", "content", "finishReason"}


@proof("a partial picture")
def partial_picture() -> None:
    events = response_reader.read_answer([stream_of(partial(JPEG), completed(PNG))], "text/event-stream")
    answer = json.loads(b"".join(response_writer.write_answer(events, **NAMES)))
    assert [part.get("thought") for part in answer["candidates"][0]["content"]["parts"]] == [True, None]


@proof("a refusal")
def refusal() -> None:
    error = error_of(list, response_reader.read_answer([json.dumps({"error": BLOCKED}).encode()]))
    refused = response_writer.build_refusal(error, **NAMES)
    assert refused and refused["candidates"][0]["finishReason"] == "IMAGE_SAFETY"
    with pytest.raises(ApiError) as back:
        list(gemini_response.read_answer([json.dumps(refused).encode()]))
    assert back.value.kind is ErrorKind.CONTENT_BLOCKED


@proof("a failure of one of n")
def failure() -> None:
    events = list(response_reader.read_answer([body_of(encoded(PNG), errors=[BLOCKED])]))
    assert isinstance(events[-1], Failure)
    _, failed = json.loads(b"".join(response_writer.write_answer(events, **NAMES)))["candidates"]
    assert (failed["finishReason"], failed["finishMessage"]) == ("IMAGE_SAFETY", "No.")


def gemini_answer(*some: dict[str, Any], reason: str = "STOP", **others: Any) -> list[Event]:
    candidate = {"content": {"parts": list(some)}, "finishReason": reason}
    return list(gemini_response.read_answer([json.dumps({"candidates": [candidate], **others}).encode()]))


@proof("a thought")
def thought() -> None:
    assert not [one for one in gemini_answer({"text": "hm", "thought": True}, PICTURE) if isinstance(one, Text)]


@proof("a draft")
def draft() -> None:
    events = gemini_answer({**OTHER_PICTURE, "thought": True}, PICTURE)
    assert events[-2] == ImageEnd()
    held: list[Any] = []
    hold_pictures(events, held, SpoolMemory(1_000_000))
    assert shared(openai_stream(release(held)))[0] == events_of(PNG)


@proof("the finish reason of a candidate with a picture")
def finish_reason() -> None:
    events = gemini_answer(PICTURE, reason="MAX_TOKENS")
    assert events[-1] == Finish(None, "MAX_TOKENS")
    assert openai_events(events)[-1] == Finish()


@proof("texts around a picture")
def texts_around_a_picture() -> None:
    answer = openai_response.write_answer(
        gemini_answer({"text": "Here: "}, PICTURE, {"text": "a sun."}), created=1, prices=None
    )
    assert [item["text"] for item in json.loads(b"".join(answer))["data"]] == ["Here: a sun."]


@proof("tokens of thoughts")
def tokens_of_thoughts() -> None:
    events = gemini_answer(PICTURE, usageMetadata={"candidatesTokenCount": 10, "thoughtsTokenCount": 5})
    assert shared(openai_events(events))[2] == Usage(output_text_tokens=5, output_image_tokens=10)


def rows(outcome: Outcome, has_field: bool = True) -> list[Any]:
    found = [row for row in LOSSES if row.outcome is outcome and bool(row.field) is has_field]
    return [pytest.param(row, id=row.feature) for row in found]


@pytest.mark.parametrize("row", rows(Outcome.REFUSED))
def test_a_refusal_names_the_field(row: Loss) -> None:
    with pytest.raises(ApiError) as caught:
        REFUSALS[row.feature]()
    param = re.sub(r"\[\d+\]", "[]", caught.value.param or "")
    gemini_name = OPENAI.translate(param, GEMINI) if row.translation is Translation.GEMINI_REQUEST else None
    assert row.field in (param, gemini_name)


@pytest.mark.parametrize("row", rows(Outcome.IGNORED))
def test_an_ignored_field_is_reported(row: Loss) -> None:
    names = NAMED[row.feature]()
    assert (tuple(map(json_name, names)) if row.translation is Translation.GEMINI_REQUEST else names) == (row.field,)


@pytest.mark.parametrize("row", [*rows(Outcome.IGNORED, has_field=False), *rows(Outcome.CHANGED, has_field=False)])
def test_a_loss_without_a_field(row: Loss) -> None:
    PROOFS[row.feature]()


def test_every_row_has_one_proof_and_is_complete() -> None:
    proofs = [*REFUSALS, *NAMED, *PROOFS]
    assert sorted(proofs) == sorted(row.feature for row in LOSSES)
    assert all(bool(row.becomes) == (row.outcome is Outcome.CHANGED) for row in LOSSES)
    assert {row.translation for row in LOSSES} == set(Translation)
