"""compat/openai_chat/request.py and messages.py: chats read from their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.base64_stream import encode
from compat.conversation import Turn
from compat.errors import ApiError, ErrorKind
from compat.formats import BY_NAME
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import ImageRequest, InputImage, OutputOptions
from compat.openai_chat.messages import MOST_PARTS, StoredPictures
from compat.openai_chat.request import ChatRequest, parse_chat
from tests.compat.openai_servers import ALL_FIELDS, PLAIN
from tests.compat.pictures import base64_of, draw

PNG, JPEG = draw("PNG", 4, 3), draw("JPEG", 4, 3)
IN_PNG, IN_JPEG = InputImage("image/png", encode(PNG)), InputImage("image/jpeg", encode(JPEG))
PNG_URL, JPEG_URL = f"data:image/png;base64,{base64_of(PNG)}", f"data:image/jpeg;base64,{base64_of(JPEG)}"
WEB_URL = "https://example.com/a.webp"
IN_WEB = InputImage("image/webp", uri=WEB_URL)
OURS = "https://pictures.example/images/"
STORED: Mapping[str, bytes] = {f"{OURS}one.png": PNG, f"{OURS}two.jpg": JPEG}
STORE = StoredPictures((OURS,), STORED.get)
WITH_TIERS = ModelCatalogue(upstream_models={"gemini-2.5-flash-image": "gemini-3.1-flash-image"})


class OneModel(ModelCatalogue):
    """A server that serves one model, by whatever name it is asked for."""

    def __init__(self, model: ServedModel):
        super().__init__()
        self.model = model

    def resolve(self, name: str | None) -> ServedModel:
        return self.model


def user(content: Any, **others: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **others}


def model(content: Any = None, **others: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **others}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": url}


def parse(*messages: Any, catalogue: ModelCatalogue | None = None, **fields: Any) -> ChatRequest:
    body = {"model": "gemini-2.5-flash-image", "messages": [*messages], **fields}
    return parse_chat(body, catalogue or ModelCatalogue(), STORE)


def asking(catalogue: ModelCatalogue | None = None, **fields: Any) -> ChatRequest:
    return parse(user("a sun"), catalogue=catalogue, **fields)


def refusal(*messages: Any, catalogue: ModelCatalogue | None = None, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(*messages, catalogue=catalogue, **fields)
    return caught.value


# Conversations

SUN = user("a sun")
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[Turn[InputImage]]]] = {
    "a text": ([SUN], [Turn(("a sun",))]),
    "parts, in their order": (
        [user([text("this"), image({"url": PNG_URL}), text("as a sun"), image({"url": WEB_URL, "detail": "auto"})])],
        [Turn(("this", IN_PNG, "as a sun", IN_WEB))],
    ),
    "a picture's address without an object": ([user([image(PNG_URL)])], [Turn((IN_PNG,))]),
    "bare base64": ([user([image({"url": base64_of(PNG)})])], [Turn((IN_PNG,))]),
    "a stored picture": ([user([image({"url": f"{OURS}one.png"})])], [Turn((IN_PNG,))]),
    "images of an answer that is sent back": (
        [SUN, model("Here:", images=[{"type": "image_url", "image_url": {"url": PNG_URL}, "index": 0}]), user("red")],
        [Turn(("a sun",)), Turn(("Here:", IN_PNG), by_model=True), Turn(("red",))],
    ),
    "images without words, in every form": (
        [SUN, model(images=[PNG_URL, {"image_url": JPEG_URL}, {"image_url": {"url": f"{OURS}two.jpg"}}])],
        [Turn(("a sun",)), Turn((IN_PNG, IN_JPEG, IN_JPEG), by_model=True)],
    ),
    "parts of the model's": (
        [SUN, model([text("Here:"), image({"url": PNG_URL})]), user("red")],
        [Turn(("a sun",)), Turn(("Here:", IN_PNG), by_model=True), Turn(("red",))],
    ),
    "words with which the model refused": (
        [SUN, model([{"type": "refusal", "refusal": "No."}]), user("red")],
        [Turn(("a sun",)), Turn(("No.",), by_model=True), Turn(("red",))],
    ),
    "Markdown with data": (
        [SUN, model(f"Here:\n\n![image]({PNG_URL})\n\nIt shines."), user("red")],
        [Turn(("a sun",)), Turn(("Here:", IN_PNG, "It shines."), by_model=True), Turn(("red",))],
    ),
    "Markdown with stored pictures, on either side": (
        [user([text(f"mix ![]({OURS}two.jpg) in")]), model(f"![image]({OURS}one.png)"), user("red")],
        [Turn(("mix", IN_JPEG, "in")), Turn((IN_PNG,), by_model=True), Turn(("red",))],
    ),
    "Markdown of other servers is words": (
        [user(f"see ![logo]({WEB_URL})")],
        [Turn((f"see ![logo]({WEB_URL})",))],
    ),
    "messages that say nothing": ([model(), model(""), SUN, user(""), user([])], [Turn(("a sun",))]),
    "what tools have found is the user's": (
        [
            SUN,
            model(tool_calls=[{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]),
            {"role": "tool", "tool_call_id": "a", "content": "It is yellow."},
        ],
        [Turn(("a sun",)), Turn(("It is yellow.",))],
    ),
}


@pytest.mark.parametrize(("messages", "turns"), CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_a_conversation_is_read_in_its_turns(messages: list[Any], turns: list[Turn[InputImage]]) -> None:
    asked = parse(*messages).image_request
    assert asked.turns == tuple(turns)
    assert asked.prompt == "\n".join(words for turn in turns for words in turn.texts)
    assert asked.input_images == tuple(picture for turn in turns for picture in turn.pictures)


def test_system_messages_are_one_instruction() -> None:
    asked = parse(
        {"role": "system", "content": "In oil."}, SUN, {"role": "developer", "content": [text("No"), text("frames.")]}
    ).image_request
    assert (asked.system, asked.turns) == ("In oil.\n\nNo\n\nframes.", (Turn(("a sun",)),))
    assert asked.prompt == "In oil.\n\nNo\n\nframes.\n\na sun"


def test_a_server_of_the_images_api_gets_one_request() -> None:
    asked = parse(
        {"role": "system", "content": "In oil."},
        user([text("a sun"), image({"url": WEB_URL})]),
        model(f"![image]({OURS}gone.png)"),
        user("larger"),
        model("Here:", images=[image({"url": PNG_URL})]),
        user([text("red"), image({"url": JPEG_URL})]),
        catalogue=OneModel(PLAIN),
    ).image_request
    assert asked == ImageRequest(
        "In oil.\n\nred", (IN_PNG, IN_JPEG, IN_WEB), modalities=("TEXT", "IMAGE")
    )  # the expired picture is not needed


WRONG: dict[str, tuple[list[Any], str, ErrorKind]] = {
    "no message": ([], "messages", ErrorKind.ARRAY_TOO_SHORT),
    "a message that is a text": (["a sun"], "messages[0]", ErrorKind.INVALID_TYPE),
    "no role": ([SUN, {"content": "a"}], "messages[1].role", ErrorKind.MISSING_PARAMETER),
    "another role": ([{"role": "model", "content": "a"}], "messages[0].role", ErrorKind.INVALID_VALUE),
    "no content": ([{"role": "user"}], "messages[0].content", ErrorKind.MISSING_PARAMETER),
    "content that is null": ([user(None)], "messages[0].content", ErrorKind.MISSING_PARAMETER),
    "content that is an object": ([user({"text": "a"})], "messages[0].content", ErrorKind.INVALID_TYPE),
    "a part that is a text": ([user(["a"])], "messages[0].content[0]", ErrorKind.INVALID_TYPE),
    "a part without a type": ([user([{"text": "a"}])], "messages[0].content[0].type", ErrorKind.MISSING_PARAMETER),
    "a part of another type": (
        [user([text("a"), {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}])],
        "messages[0].content[1].type",
        ErrorKind.INVALID_VALUE,
    ),
    "a text that is none": ([user([{"type": "text"}])], "messages[0].content[0].text", ErrorKind.MISSING_PARAMETER),
    "a picture that is a number": ([user([image(1)])], "messages[0].content[0].image_url", ErrorKind.INVALID_TYPE),
    "a picture without an address": (
        [user([image({})])],
        "messages[0].content[0].image_url.url",
        ErrorKind.MISSING_PARAMETER,
    ),
    "an empty address": ([user([image({"url": ""})])], "messages[0].content[0].image_url.url", ErrorKind.STRING_EMPTY),
    "a picture that is none": (
        [SUN, model("a"), user([text("a"), image({"url": "data:image/png;base64,AAAA"})])],
        "messages[2].content[1].image_url.url",
        ErrorKind.INVALID_IMAGE,
    ),
    "a picture that is none, without an object": (
        [user([image("data:text/plain,a")])],
        "messages[0].content[0].image_url",
        ErrorKind.INVALID_IMAGE,
    ),
    "a picture that is none, in an answer": (
        [SUN, model(images=[image({"url": PNG_URL}), image({"url": "AAAA"})])],
        "messages[1].images[1].image_url.url",
        ErrorKind.INVALID_IMAGE,
    ),
    "an answer's picture without an address": (
        [SUN, model(images=[{"type": "image_url"}])],
        "messages[1].images[0].image_url",
        ErrorKind.MISSING_PARAMETER,
    ),
    "a picture that is none, in Markdown": (
        [user([text("a"), text("![a](data:image/png;base64,AAAA)")])],
        "messages[0].content[1].text",
        ErrorKind.INVALID_IMAGE,
    ),
    "a stored picture that has expired": (
        [user([image({"url": f"{OURS}gone.png"})])],
        "messages[0].content[0].image_url.url",
        ErrorKind.INVALID_IMAGE,
    ),
    "one in Markdown": ([SUN, model(f"![image]({OURS}gone.png)")], "messages[1].content", ErrorKind.INVALID_IMAGE),
    "a picture in a system message": (
        [{"role": "system", "content": [text("a"), image({"url": PNG_URL})]}, SUN],
        "messages[0].content[1].image_url.url",
        ErrorKind.INVALID_VALUE,
    ),
    "a picture in a system message, in Markdown": (
        [{"role": "developer", "content": f"![a]({PNG_URL})"}, SUN],
        "messages[0].content",
        ErrorKind.INVALID_VALUE,
    ),
    "the model alone": ([model("a"), model(images=[PNG_URL])], "messages", ErrorKind.MISSING_PARAMETER),
    "a system message alone": ([{"role": "system", "content": "In oil."}], "messages", ErrorKind.MISSING_PARAMETER),
    "an answer's picture that is empty": ([SUN, model(images=[""])], "messages[1].images[0]", ErrorKind.STRING_EMPTY),
    "too many messages": ([SUN] * (MOST_PARTS + 1), "messages", ErrorKind.ARRAY_TOO_LONG),
    "too many parts": ([user([text("a")] * 6000), user([text("a")] * 6000)], "messages", ErrorKind.ARRAY_TOO_LONG),
}


@pytest.mark.parametrize(("messages", "param", "kind"), WRONG.values(), ids=WRONG.keys())
def test_a_message_that_cannot_be_read_is_refused_by_its_path(messages: list[Any], param: str, kind: ErrorKind) -> None:
    error = refusal(*messages)
    assert (error.param, error.kind) == (param, kind)
    assert f"'{param}'" in error.message or kind is ErrorKind.INVALID_VALUE


def test_an_expired_picture_is_called_so() -> None:
    assert "has expired" in refusal(SUN, model(f"![image]({OURS}gone.png)")).message


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        ([user([image({"url": PNG_URL})])], ErrorKind.MISSING_PARAMETER),
        ([user([text("a"), *[image({"url": PNG_URL})] * 17])], ErrorKind.ARRAY_TOO_LONG),
    ],
    ids=["no words", "more pictures than an edit takes"],
)
def test_what_the_images_api_cannot_take_is_refused(messages: list[Any], kind: ErrorKind) -> None:
    error = refusal(*messages, catalogue=OneModel(PLAIN))
    assert (error.param, error.kind) == ("messages", kind)
    assert parse(*messages).image_request.turns  # Gemini does


# What is asked for


def test_all_that_it_has_words_for() -> None:
    asked = asking(
        n=3,
        size="1792x1024",
        seed=7,
        temperature=0.5,
        stream=True,
        stream_options={"include_usage": True},
        output_format="jpeg",
        output_compression=80,
        image_output="markdown",
        modalities=["image"],
        google={"safetySettings": []},
    )
    assert asked == ChatRequest(
        ImageRequest(
            "a sun",
            turns=(Turn(("a sun",)),),
            count=3,
            aspect_ratio="16:9",
            seed=7,
            temperature=0.5,
            gemini={"safetySettings": []},
            modalities=("IMAGE",),
        ),
        ModelCatalogue().resolve(None),
        OutputOptions(format=BY_NAME["jpeg"], quality=80),
        image_output="markdown",
        stream=True,
        include_usage=True,
        drawn_by=abs,  # which is not compared
    )


def test_the_same_chat_can_be_drawn_by_another_model() -> None:
    asked = asking(size="2048x2048", seed=7, temperature=0.5, stream=True)
    other = asked.drawn_by(asked.model.succeeded())
    assert (asked.image_request.image_size, asked.ignored) == (None, ())
    assert (other.image_request.image_size, other.ignored) == ("2K", ("seed", "temperature"))
    assert (other.image_request.turns, other.stream) == (asked.image_request.turns, True)


def test_without_more_than_messages_words_and_a_picture_are_asked_for() -> None:
    asked = parse_chat({"messages": [SUN]}, ModelCatalogue(), STORE)
    assert asked.image_request == ImageRequest("a sun", turns=(Turn(("a sun",)),), modalities=("TEXT", "IMAGE"))
    assert (asked.image_output, asked.stream, asked.include_usage, asked.ignored) == (None, False, False, ())


@pytest.mark.parametrize(
    ("modalities", "wanted"),
    [
        (["image", "text"], ("IMAGE", "TEXT")),
        (["Text", "IMAGE", "image"], ("TEXT", "IMAGE")),
        (["image"], ("IMAGE",)),
        (["text"], ("TEXT",)),
        ([], ("TEXT", "IMAGE")),
        (None, ("TEXT", "IMAGE")),
    ],
)
def test_modalities(modalities: list[str] | None, wanted: tuple[str, ...]) -> None:
    assert asking(modalities=modalities).image_request.modalities == wanted


@pytest.mark.parametrize(
    ("fields", "ratio", "tier"),
    [
        ({"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}, "16:9", "2K"),
        ({"image_config": {"image_size": "0.5K"}}, None, "512"),
        ({"image_config": {"aspect_ratio": "16:9"}, "aspect_ratio": "3:2"}, "3:2", None),
        ({"image_config": {"aspect_ratio": "16:9"}, "size": "1024x1024"}, "16:9", "1K"),
        ({"image_config": {"aspect_ratio": None}, "size": "4096x4096"}, "1:1", "4K"),
        ({"image_size": "1K", "image_config": {}}, None, "1K"),
    ],
)
def test_the_shape_of_a_picture(fields: dict[str, Any], ratio: str | None, tier: str | None) -> None:
    asked = asking(WITH_TIERS, **fields).image_request
    assert (asked.aspect_ratio, asked.image_size) == (ratio, tier)


def test_exact_pixels() -> None:
    assert asking(size="300x200", resize="cover").output == OutputOptions(pixels=(300, 200), resize="cover")


@pytest.mark.parametrize("fields", [{"stream_options": {"include_usage": True}}, {"usage": {"include": True}}])
def test_usage_is_asked_for_as_at_openai_or_at_openrouter(fields: dict[str, Any]) -> None:
    assert asking(stream=True, **fields).include_usage


def test_what_is_meant_for_gemini_may_stand_in_extra_body() -> None:
    asked = asking(google={"tools": []}, extra_body={"google": {"tools": [1], "safetySettings": []}})
    assert asked.image_request.gemini == {"tools": [], "safetySettings": []}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a sound": ({"modalities": ["text", "audio"]}, "modalities[1]"),
    "a call of any tool": ({"tool_choice": "required"}, "tool_choice"),
    "a call of one tool": ({"tool_choice": {"type": "function", "function": {"name": "draw"}}}, "tool_choice"),
    "a call of one function": ({"function_call": {"name": "draw"}}, "function_call"),
    "too many answers": ({"n": 11}, "n"),
    "a ratio that the model has not": ({"aspect_ratio": "7:5"}, "aspect_ratio"),
    "the same, in image_config": ({"image_config": {"aspect_ratio": "7:5"}}, "image_config.aspect_ratio"),
    "a ratio that is a number": ({"image_config": {"aspect_ratio": 1}}, "image_config.aspect_ratio"),
    "a tier that the model has not": ({"image_config": {"image_size": "9K"}}, "image_config.image_size"),
    "a size that is far from every ratio": ({"size": "3000x1000"}, "size"),
    "another form of output": ({"image_output": "html"}, "image_output"),
    "an option of a stream": ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    "contents": ({"google": {"contents": []}}, "google.contents"),
    "a model that is not served": ({"model": "gpt-5"}, "model"),
    "exact pixels without pixels": ({"resize": "cover"}, "size"),
}


@pytest.mark.parametrize(("fields", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_give_a_wrong_picture_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(SUN, catalogue=WITH_TIERS, **fields).param == param


def test_a_server_that_only_draws_cannot_be_asked_for_words_alone() -> None:
    assert refusal(SUN, catalogue=OneModel(PLAIN), modalities=["text"]).param == "modalities"


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(ApiError) as caught:
        parse_chat(body, ModelCatalogue(), STORE)
    assert caught.value.kind is ErrorKind.INVALID_TYPE


IGNORED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "limits and tools": (
        {"max_tokens": 10, "max_completion_tokens": 10, "tools": [{"type": "function"}], "tool_choice": "auto"},
        ("max_tokens", "max_completion_tokens", "tools"),
    ),
    "what is done anyway": (
        {
            **{"top_p": 1, "frequency_penalty": 0, "logprobs": False, "stop": [], "logit_bias": {}, "audio": None},
            **{"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "usage": {"include": False}},
        },
        (),
    ),
    "sampling": ({"top_p": 0.5, "logprobs": True, "top_logprobs": 2}, ("top_p", "logprobs", "top_logprobs")),
    "forms of words": (
        {"response_format": {"type": "json_object"}, "audio": {"voice": "alloy"}},
        ("response_format", "audio"),
    ),
    "other words for a picture": (
        {"image_config": {"strength": 0.5, "image_size": "1K"}, "quality": "high"},
        ("quality", "image_config.strength", "image_config.image_size"),
    ),
    "a shape that is given twice": (
        {"image_config": {"aspect_ratio": "16:9"}, "aspect_ratio": "1:1"},
        ("image_config.aspect_ratio",),
    ),
    "a tier": ({"image_size": "1K"}, ("image_size",)),
    "the quality of a PNG": ({"output_compression": 50}, ("output_compression",)),
    "what no header can hold": ({"a b": 1}, ()),
}


@pytest.mark.parametrize(("fields", "names"), IGNORED.values(), ids=IGNORED.keys())
def test_what_is_ignored_is_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert asking(**fields).ignored == names


def test_what_is_ignored_of_messages_is_named() -> None:
    part = {**text("a"), "cache_control": {"type": "ephemeral"}}
    asked = parse(
        user([part, image({"url": PNG_URL, "detail": "high"})], name="Kim"),
        model("b", refusal=None, reasoning="hm", tool_calls=[{"id": "a"}], annotations=[]),
        user("c"),
    )
    assert set(asked.ignored) == {
        "messages.content.cache_control",
        "messages.content.image_url.detail",
        "messages.name",
        "messages.reasoning",
        "messages.tool_calls",
    }


def test_what_a_server_of_the_images_api_understands_goes_there() -> None:
    fields = {"quality": "high", "user": "me", "output_format": "webp"}
    asked = asking(OneModel(ALL_FIELDS), **fields, top_p=0.5, google={"tools": []})
    assert asked.image_request.openai == fields
    assert asked.ignored == ("top_p", "google")


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "image_url", "url", ""]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
some_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]) | any_json, "content": any_json}, optional={"images": any_json}
    )
)


@given(
    st.one_of(
        any_json,
        st.fixed_dictionaries(
            {"messages": some_messages | any_json},
            optional={"image_config": any_json, "usage": any_json, "tool_choice": any_json, "stream_options": any_json},
        ),
    )
)
@settings(max_examples=300)
def test_any_body_is_accepted_or_refused(body: Any) -> None:
    with suppress(ApiError):
        parse_chat(body, ModelCatalogue(), STORE)
