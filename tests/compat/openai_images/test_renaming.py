"""compat/openai_images/renaming.py: bodies that are unchanged, except for the model's name."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.formparser import MultiPartParser

from compat.openai_images.renaming import form_with_model, json_with_model

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["model", '"model": "x"', "}", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("model"), inner, max_size=3),
    max_leaves=10,
)


def renamed(body: str, name: str = "flux") -> str:
    return b"".join(json_with_model(body.encode(), name)).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"model":"a","prompt":"b"}', '{"model":"flux","prompt":"b"}'),
        ('{ "prompt" : "b" ,\n "model" : "a" }', '{ "prompt" : "b" ,\n "model" :"flux"}'),
        ('{"prompt":"b"}', '{"model":"flux","prompt":"b"}'),
        ("{}", '{"model":"flux"}'),
        (" { } ", ' {"model":"flux" } '),
        ('{"model":null}', '{"model":"flux"}'),
        ('{"model":["model",{"model":1}],"n":1.50}', '{"model":"flux","n":1.50}'),
        ('{"x":{"model":"inner"}}', '{"model":"flux","x":{"model":"inner"}}'),
        ('{"x":"\\"model\\":\\"y\\"","model":"a"}', '{"x":"\\"model\\":\\"y\\"","model":"flux"}'),
        ('{"mod\\u0065l":"a"}', '{"mod\\u0065l":"flux"}'),
    ],
)
def test_json_is_unchanged_except_for_the_model(body: str, expected: str):
    assert renamed(body) == expected


def test_the_last_of_two_names_is_changed():
    assert json.loads(renamed('{"model":"a","model":"b"}'))["model"] == "flux"


@given(st.dictionaries(st.text() | st.just("model"), JSON_VALUES), st.text(), st.sampled_from([None, 1]))
def test_any_object_keeps_everything_else(content: dict, name: str, indent: int | None):
    expected = {**content, "model": name}
    assert json.loads(renamed(json.dumps(content, indent=indent), name)) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_json_in_another_encoding_is_sent_in_utf_8(encoding: str):
    body = '{"prompt":"고양이","model":"a"}'.encode(encoding)
    assert json.loads(b"".join(json_with_model(body, "flux"))) == {"prompt": "고양이", "model": "flux"}


# Forms

BOUNDARY = b"a-boundary"


def form(*parts: tuple[str, bytes]) -> bytes:
    written = (
        b"--a-boundary\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return b"".join(written) + b"--a-boundary--\r\n"


def parsed(body: bytes) -> list[tuple[str, str | bytes]]:
    texts, files = MultiPartParser().parse(io.BytesIO(body), BOUNDARY, len(body))
    return [*texts.items(multi=True), *((name, file.read()) for name, file in files.items(multi=True))]


PICTURE = ('name="image"; filename="model"\r\nContent-Type: image/png', b'\x89PNG\r\n\r\nname="model"\r\n--a-bound')


@pytest.mark.parametrize(
    "parts",
    [
        [('name="model"', b"a"), PICTURE],
        [PICTURE, ('name="prompt"', b"x"), ("name=model", b"")],
        [('name="prompt"', b'name="model"'), PICTURE],
        [PICTURE],
    ],
)
def test_a_form_is_unchanged_except_for_the_model(parts: list[tuple[str, bytes]]):
    body = form(*parts)
    sent = b"".join(form_with_model(body, BOUNDARY, "flux"))
    others = [pair for pair in parsed(body) if pair[0] != "model"]
    assert [pair for pair in parsed(sent) if pair[0] != "model"] == others
    assert [value for name, value in parsed(sent) if name == "model"] == ["flux"]


@given(st.lists(st.tuples(st.sampled_from(["prompt", "model", "image"]), st.binary(max_size=40)), max_size=5))
def test_any_form_keeps_everything_else(parts: list[tuple[str, bytes]]):
    body = form(
        *(
            (f'name="{name}"; filename="x"', data) if name == "image" else (f'name="{name}"', data.hex().encode())
            for name, data in parts
        )
    )
    sent = parsed(b"".join(form_with_model(body, BOUNDARY, "flux")))
    assert [pair for pair in sent if pair[0] != "model"] == [pair for pair in parsed(body) if pair[0] != "model"]
    assert {value for name, value in sent if name == "model"} == {"flux"}
