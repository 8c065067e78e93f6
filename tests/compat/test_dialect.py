"""compat/dialect.py: every API's error envelope and field names, and how one API's names become another's."""

import pytest

from compat.dialect import Dialect
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import GEMINI
from compat.openai_chat.error import CHAT
from compat.openai_images.error import OPENAI

DIALECTS = [OPENAI, CHAT, GEMINI]


def name_of(dialect: Dialect) -> str:
    return dialect.name


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_of_error_has_a_status_and_a_body(dialect: Dialect, kind: ErrorKind) -> None:
    status, body = dialect.build_error(ApiError(kind, "The message."))
    assert 400 <= status < 600
    assert body["error"]["message"] == "The message."


def test_no_two_dialects_have_one_name() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
def test_a_field_that_an_api_writes_is_one_that_it_has(dialect: Dialect) -> None:
    for field in dialect.fields:
        name = dialect.name_of(field)
        assert name
        again = dialect.field_of(name)
        assert again
        assert dialect.name_of(again) == name


FROM_GEMINI = {
    "generation_config.image_config.aspect_ratio": "aspect_ratio",
    "generation_config.image_config.image_size": "image_size",
    "generation_config.image_config": "google",
    "generation_config.image_config.person_generation": "google",
    "generation_config.candidate_count": "n",
    "generation_config.temperature": "temperature",
    "generation_config.seed": "seed",
    "generation_config.top_p": "google",
    "generation_config": "google",
    "safety_settings[0].category": "google",
    "tools[0]": "google",
    "system_instruction.parts[0].text": "google",
    "contents[0].parts[0]": "prompt",
    "contents": "prompt",
    "model": "model",
    "contentsx": None,
    "something_else": None,
    "": None,
    None: None,
}
FROM_OPENAI = {
    "prompt": "contents",
    "size": "generation_config.image_config.aspect_ratio",
    "aspect_ratio": "generation_config.image_config.aspect_ratio",
    "image_size": "generation_config.image_config.image_size",
    "n": "generation_config.candidate_count",
    "seed": "generation_config.seed",
    "image[0]": "contents",
    "images[0].image_url": "contents",
    "image": "contents",
    "url": "contents",
    "model": "model",
    "mask": None,
    "quality": None,
    "": None,
    None: None,
}


@pytest.mark.parametrize(("path", "translated"), FROM_GEMINI.items())
def test_geminis_fields_for_a_caller_of_openais_api(path: str | None, translated: str | None) -> None:
    assert GEMINI.translate(path, OPENAI) == translated
    assert GEMINI.translate(path, GEMINI) == path


@pytest.mark.parametrize(("path", "translated"), FROM_OPENAI.items())
def test_openais_fields_for_a_caller_of_geminis_api(path: str | None, translated: str | None) -> None:
    assert OPENAI.translate(path, GEMINI) == translated
    assert OPENAI.translate(path, OPENAI) == path


@pytest.mark.parametrize(
    ("server", "path", "translated"),
    [
        (GEMINI, "contents[2].parts[0].inline_data", "messages"),
        (GEMINI, "generation_config.image_config.aspect_ratio", "aspect_ratio"),
        (GEMINI, "generation_config.top_p", "google"),
        (OPENAI, "image[1]", "messages"),
        (OPENAI, "size", "aspect_ratio"),
        (OPENAI, "quality", None),
    ],
)
def test_a_servers_fields_for_a_caller_of_the_chat(server: Dialect, path: str, translated: str | None) -> None:
    assert server.translate(path, CHAT) == translated


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (0, "1", "0"),
        (0.2, "1", "200"),
        (1.5, "2", "1500"),
        (48.9399, "49", "48940"),
        (60, "60", "60000"),
        (3600, "60", "60000"),
    ],
)
def test_a_delay_is_rounded_up_and_at_most_a_minute(
    dialect: Dialect, seconds: float, whole: str, milliseconds: str
) -> None:
    assert dialect.retry_headers(seconds) == {"Retry-After": whole, "retry-after-ms": milliseconds}
