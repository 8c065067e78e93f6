"""The requests made from the spec: the app accepts the good ones and answers the bad ones with the expected error."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient
from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

import spec
from app import create_app
from proxy.settings import Settings
from spec.derive.__main__ import main
from spec.derive.files import FOLDER, abbreviated, expanded, load
from spec.derive.schemas import dereferenced
from tests.support import pictures

UPSTREAM = "https://gemini.test"
KEY = "AIzaSy-a-key-for-derived-requests"
MODEL = "gemini-2.5-flash-image"
FILES = sorted(FOLDER.rglob("*.json"))


every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of the app."""
    folder = tmp_path_factory.mktemp("pictures")
    environ = {"GEMINI_BASE_URL": UPSTREAM, "IMAGE_STORE_URL": str(folder)}
    return create_app(Settings.from_environ(environ)).test_client()


@pytest.fixture(autouse=True)
def google() -> Iterator[responses.RequestsMock]:
    """An upstream that answers every generation and every count."""
    drawn = pictures.drawn(pictures.picture_part(pictures.plain_png(32, 32)))
    answers = {
        "generateContent": drawn,
        "streamGenerateContent": [drawn],
        "countTokens": {"totalTokens": 8},
    }
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method, answer in answers.items():
            mock.add("POST", f"{UPSTREAM}/v1beta/models/{MODEL}:{method}", json=answer)
        yield mock


def send(client: FlaskClient, path: Path, case: dict[str, Any]) -> TestResponse:
    """The request of a case."""
    method, address = load_request(path)
    names = {"model": MODEL, "id": "imgjob_unknown", "operation": "unknown", **case.get("path", {})}
    headers = {} if case.get("key", KEY) is None else {credential(path): bearer(path)}
    body: dict[str, Any] = {"json": case["json"]} if "json" in case else {}
    if "form" in case:
        data, content_type = encode_multipart_formdata(list(parts_of(case["form"])))
        body = {"data": data, "content_type": content_type}
    return client.open(
        address.format(**names), method=method, buffered=True, query_string=case.get("query"), headers=headers, **body
    )


# Parts of paths: the jobs of the examples do not exist, and keys are the upstream's own.
NOT_THERE = {"{id}", "{operation}", "{operation}:cancel", "key"}


def load_request(path: Path) -> tuple[str, str]:
    method, _, address = str(json.loads(path.read_text())["request"]).partition(" ")
    return method, address


def credential(path: Path) -> str:
    return "Authorization" if path.parent.name.startswith("openai") else "x-goog-api-key"


def bearer(path: Path) -> str:
    return f"Bearer {KEY}" if path.parent.name.startswith("openai") else KEY


def parts_of(form: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a form for urllib3: Werkzeug's client forgets the line end after an empty text."""
    for name, value in form.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, ("picture.png", base64.b64decode(one["$file"])) if isinstance(one, dict) else one


@every_file
def test_a_good_request_is_accepted(client: FlaskClient, path: Path) -> None:
    is_there = NOT_THERE.isdisjoint(load_request(path)[1].split("/"))
    for case in load(path)["good"]:
        response = send(client, path, case)
        assert response.status_code == (200 if is_there else 404), (case["case"], response.text[:500])


@every_file
def test_a_bad_request_is_refused_by_name(client: FlaskClient, google: responses.RequestsMock, path: Path) -> None:
    for case in load(path)["bad"]:
        response = send(client, path, case)
        error = response.get_json()["error"]
        expected = {name: case[name] for name in ("status", "param", "code") if name in case}
        if expected.get("param"):  # members of extra_body are members of the request
            expected["param"] = expected["param"].removeprefix("extra_body.")
        if "some words" in json.dumps(case) and error["code"] == "invalid_image_file":
            expected["code"] = "invalid_image_file"  # where a picture may be, a text may be one
        found = {"status": response.status_code, "param": param_of(error), "code": error["code"]}
        assert {name: found[name] for name in expected} == expected, (case["case"], error)
        assert not google.calls, f"{case['case']}: a bad request is not sent on"


def param_of(error: dict[str, Any]) -> str | None:
    """The field that an error names first, on either surface."""
    if "param" in error:
        return error["param"]
    violations = [one for detail in error["details"] for one in detail.get("fieldViolations", [])]
    return violations[0].get("field") if violations else None


def test_the_files_are_up_to_date() -> None:
    assert main(["--check"]) == 0, "run `make derive`"


def test_check_names_the_files_that_are_out_of_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--folder", str(tmp_path), "--check"]) == 0
    (tmp_path / "openai_images" / "createImage.json").write_text("{}")
    (tmp_path / "openai_images" / "gone.json").write_text("{}")
    capsys.readouterr()
    assert main(["--folder", str(tmp_path), "--check"]) == 1
    assert "out of date: openai_images/createImage.json" in capsys.readouterr().out
    main(["--folder", str(tmp_path)])
    assert not (tmp_path / "openai_images" / "gone.json").exists()
    assert main(["--folder", str(tmp_path), "--check"]) == 0


@pytest.mark.parametrize("value", ["a" * 500, ["x"] * 17, {"a": [1, 2], "b": ["y" * 300] * 4}, [], "", [None] * 3])
def test_what_is_abbreviated_is_expanded(value: Any) -> None:
    assert expanded(json.loads(json.dumps(abbreviated(value)))) == value


OPERATIONS = [
    (name, path, method, operation)
    for name in spec.NAMES
    for path, item in spec.load(name)["paths"].items()
    for method, operation in item.items()
    if method in spec.METHODS
]


def test_every_operation_has_its_file() -> None:
    wanted = {f"{name}/{operation['operationId']}.json" for name, _, _, operation in OPERATIONS}
    assert {str(path.relative_to(FOLDER)) for path in FILES} == wanted


BODIES = [
    pytest.param(
        f"{name}/{operation['operationId']}.json", kind, dereferenced(content["schema"], spec.load(name)), id=path
    )
    for name, path, _, operation in OPERATIONS
    for kind, content in operation.get("requestBody", {}).get("content", {}).items()
]


@pytest.mark.parametrize(("file", "kind", "schema"), BODIES)
def test_every_property_every_listed_value_and_null_is_in_a_case(file: str, kind: str, schema: dict[str, Any]) -> None:
    """Reads the schema by itself, so that it finds what the generator does not understand."""
    field = "form" if kind == "multipart/form-data" else "json"
    cases = load(FOLDER / file)
    if "same_body_as" in cases:
        cases = load((FOLDER / file).with_stem(cases["same_body_as"]))
    bodies = [case[field] for case in cases["good"] if field in case]
    missing = [
        f"{'.'.join(place)}: {value!r}"
        for place, value in wanted(schema, ())
        if not any(has(body, place, value, is_text=field == "form") for body in bodies)
    ]
    assert missing == []


ANY = object()


def wanted(schema: dict[str, Any], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each place below a schema, and each value that is listed for it."""
    for name, inner in schema.get("properties", {}).items():
        if "Always" not in inner.get("x-may-refuse", ""):
            yield (*place, name), ANY
            yield from wanted(inner, (*place, name))
    yield from (
        (place, value) for value in [*schema.get("enum", []), *([schema["const"]] if "const" in schema else [])]
    )
    if "null" in schema.get("type", []) and place and "file_id" not in place:
        yield place, None
    for branch in (*schema.get("anyOf", []), *schema.get("oneOf", [])):
        yield from wanted(branch, place)
    if "items" in schema:
        yield from wanted(schema["items"], place)


def has(body: Any, place: tuple[str, ...], value: Any, *, is_text: bool) -> bool:
    """Whether a body has the value at the place, in any member of an array."""
    if isinstance(body, list):
        return any(has(one, place, value, is_text=is_text) for one in body)
    if place:
        return isinstance(body, dict) and place[0] in body and has(body[place[0]], place[1:], value, is_text=is_text)
    return value is ANY or body == (value if isinstance(value, str) or not is_text else json.dumps(value))
