"""OpenAI's Images API over HTTP."""

import base64
import contextlib
import io
import json
from typing import Any

import gevent
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse

from compat.errors import ApiError
from proxy.pictures import reencoding
from proxy.service import Places
from tests.proxy.conftest import MODEL, UPSTREAM, Gemini, MakeApp
from tests.support.dialects import openai_error
from tests.support.gemini_answers import (
    DRAWN,
    INVALID_KEY,
    PICTURE,
    PICTURE_BASE64,
    answer,
    as_bytes,
    error,
    picture_part,
    png,
    quota_detail,
    reason_detail,
    retry_detail,
)
from tests.support.upstream import and_hang_up, chunk, head, upstream_that

KEY = "AIzaSy-a-key-that-nobody-may-see"
PATH = "/v1/images/generations"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}


def generate(client: FlaskClient, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
    """A generation."""
    return client.post(PATH, json={"prompt": "a cat", **fields}, headers={**WITH_KEY, **(headers or {})})


def path_of(url: str) -> str:
    """The path below the test client's own host."""
    assert url.startswith("http://localhost/images/"), url
    return url.removeprefix("http://localhost")


# Pictures


def test_a_picture_as_base64_is_the_picture_that_was_drawn(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    response = generate(client, response_format="b64_json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    body = response.get_json()
    assert body["data"] == [{"b64_json": PICTURE_BASE64}]
    assert (body["size"], body["output_format"], body["background"]) == ("4x3", "png", "opaque")
    assert isinstance(body["created"], int)
    assert body["usage"]["output_tokens_details"] == {"text_tokens": 0, "image_tokens": 1290}
    assert body["usage"]["cost"] == pytest.approx((5 * 0.30 + 1290 * 30) / 1e6)


def test_a_picture_as_url_can_be_fetched_from_the_service_itself(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    [item] = generate(client, response_format="url").get_json()["data"]
    assert set(item) == {"url"}
    fetched = client.get(path_of(item["url"]))
    assert (fetched.status_code, fetched.mimetype, fetched.data) == (200, "image/png", PICTURE)


def test_a_generation_answers_with_urls_by_default(make_app: MakeApp, gemini: Gemini):
    gemini.answers(DRAWN)
    for setting, expected in (("", "url"), ("url", "url"), ("b64_json", "b64_json")):
        [item] = generate(make_app(DEFAULT_RESPONSE_FORMAT=setting).test_client()).get_json()["data"]
        assert list(item) == [expected]


def test_the_same_api_is_served_below_googles_compatibility_path(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    fields = {"prompt": "a cat", "response_format": "b64_json"}
    response = client.post("/v1beta/openai/images/generations", json=fields, headers=WITH_KEY)
    assert response.get_json()["data"] == [{"b64_json": PICTURE_BASE64}]


def test_what_goes_up_is_geminis_request_with_the_callers_key_and_no_other(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    generate(client, {"Cookie": "a=b", "X-Forwarded-For": "192.0.2.1"}, size="1792x1024")
    [call] = gemini.calls
    assert call.url == f"{UPSTREAM}/v1beta/models/{MODEL}:generateContent"
    assert call.headers["x-goog-api-key"] == KEY
    assert not {"authorization", "cookie", "x-forwarded-for"} & {name.lower() for name in call.headers}
    body = json.loads(call.body)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "a cat"}]}]
    assert body["generationConfig"] == {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}


def test_an_input_picture_goes_up_before_the_prompt(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    generate(client, image=f"data:image/jpeg;base64,{PICTURE_BASE64}")
    parts = json.loads(gemini.calls[0].body)["contents"][0]["parts"]
    assert parts == [{"inlineData": {"mimeType": "image/png", "data": PICTURE_BASE64}}, {"text": "a cat"}]


def test_headers_say_what_was_done_and_what_was_ignored(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    headers = generate(client, size="1280x896", quality="hd", style="vivid", user="me", moderation="auto").headers
    assert headers["x-twinlens-aspect-ratio"] == "4:3"
    assert set(headers["x-twinlens-ignored"].split(", ")) == {"quality", "style", "user"}
    assert headers["x-twinlens-retires"] == "2026-10-02"


def test_there_are_no_headers_without_something_to_say(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    headers = generate(client).headers
    assert "x-twinlens-aspect-ratio" not in headers
    assert "x-twinlens-ignored" not in headers


def test_a_name_that_no_header_can_hold_does_not_break_the_answer(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    response = generate(client, **{"field\r\nx-evil: 1": 1, "소원": 2, "field": 3})
    assert response.headers["x-twinlens-ignored"] == "field"
    assert "x-evil" not in response.headers


def test_text_of_the_answer_is_beside_the_picture(client: FlaskClient, gemini: Gemini):
    gemini.answers(answer({"text": "Here you go."}, picture_part(PICTURE)))
    assert generate(client).get_json()["data"][0]["text"] == "Here you go."


def test_openais_names_are_served_unless_they_are_turned_off(make_app: MakeApp, gemini: Gemini):
    gemini.answers(DRAWN)
    client = make_app().test_client()
    assert set(generate(client, model="dall-e-3").get_json()["data"][0]) == {"url"}
    answer = generate(client, model="gpt-image-1")
    assert set(answer.get_json()["data"][0]) == {"b64_json"}
    assert answer.headers["x-twinlens-model"] == MODEL
    assert client.get("/v1/models/gpt-image-1", headers=WITH_KEY).get_json()["id"] == "gpt-image-1"
    assert [model["id"] for model in client.get("/v1/models", headers=WITH_KEY).get_json()["data"]] == [MODEL]
    answer = generate(make_app(MODEL_ALIASES="none").test_client(), model="gpt-image-1")
    assert f"MODEL_ALIASES=gpt-image-1={MODEL}" in openai_error(answer, 404, "model_not_found")["message"]


def test_several_models_are_served_by_their_own_names(make_app: MakeApp, gemini: Gemini):
    client = make_app(SERVED_MODELS=f"gemini-3-pro-image,{MODEL}").test_client()
    gemini.mock.add("POST", f"{UPSTREAM}/v1beta/models/gemini-3-pro-image:generateContent", json=DRAWN)
    gemini.answers(DRAWN)
    named = [generate(client, **fields).headers["x-twinlens-model"] for fields in ({}, {"model": MODEL})]
    assert named == ["gemini-3-pro-image", MODEL]
    listed = client.get("/v1beta/models", headers={"x-goog-api-key": KEY}).get_json()["models"]
    assert [model["name"] for model in listed] == ["models/gemini-3-pro-image", f"models/{MODEL}"]


# Azure's addresses


@pytest.mark.parametrize("folder", ["/openai/deployments/dall-e-3", "/openai/v1/deployments/dall-e-3"])
def test_the_deployment_in_the_path_wins_over_the_model_in_the_body(client: FlaskClient, gemini: Gemini, folder: str):
    gemini.answers(DRAWN)
    azure = {"api-key": KEY}
    for operation in ("generations", "edits"):
        path = f"{folder}/images/{operation}?api-version=2025-04-01-preview"
        for model in ({}, {"model": "no such model"}, {"model": None}):
            fields = {"prompt": "x", "image": PICTURE_BASE64, "response_format": "url", **model}
            answer = client.post(path, json=fields, headers=azure)
            assert answer.status_code == 200, answer.get_data()
    path = folder.replace("dall-e-3", "unknown")
    answer = client.post(f"{path}/images/generations", json={"prompt": "x", "model": MODEL}, headers=azure)
    assert "'unknown'" in openai_error(answer, 404, "model_not_found")["message"]
    assert {call.headers["x-goog-api-key"] for call in gemini.calls} == {KEY}
    assert not any("api-version" in call.url for call in gemini.calls)


@pytest.mark.parametrize("folder", ["/openai", "/openai/v1"])
def test_azures_addresses_without_a_deployment(client: FlaskClient, gemini: Gemini, folder: str):
    gemini.answers(DRAWN)
    fields = {"prompt": "x", "model": "gpt-image-1"}
    for headers in ({"api-key": KEY}, WITH_KEY):
        answer = client.post(f"{folder}/images/generations?api-version=preview", json=fields, headers=headers)
        assert answer.status_code == 200
        assert client.get(f"{folder}/models", headers=headers).get_json()["data"][0]["id"] == MODEL
        assert client.get(f"{folder}/models/{MODEL}", headers=headers).get_json()["id"] == MODEL
    assert client.get(f"{folder}/models").status_code == 401


def test_aliases_are_served_with_openais_own_default_formats(make_app: MakeApp, gemini: Gemini):
    client = make_app(MODEL_ALIASES="openai=gemini-2.5-flash-image").test_client()
    gemini.answers(DRAWN)
    assert set(generate(client, model="dall-e-3").get_json()["data"][0]) == {"url"}
    assert set(generate(client, model="gpt-image-1").get_json()["data"][0]) == {"b64_json"}


# Several pictures


def test_n_pictures_are_n_calls(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    body = generate(client, n=3, response_format="b64_json").get_json()
    assert body["data"] == [{"b64_json": PICTURE_BASE64}] * 3
    assert body["usage"]["output_tokens"] == 3 * 1290
    assert len(gemini.calls) == 3


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_a_picture_is_kept_when_another_one_fails(client: FlaskClient, gemini: Gemini, response_format: str):
    gemini.answers(error(500, "INTERNAL", "No."), 500)
    gemini.answers(DRAWN)
    response = generate(client, n=2, response_format=response_format)
    assert response.status_code == 200
    assert len(response.get_json()["data"]) == 1
    [failed] = response.get_json()["errors"]
    assert (failed["code"], set(failed)) == ("server_error", {"message", "type", "param", "code"})


# A picture whose first half is what it should be, and whose second half is no base64.
DAMAGED = as_bytes(answer(picture_part(png(weight=900_000))))
DAMAGED = DAMAGED[:800_000] + b"!*!*" + DAMAGED[800_004:]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "url"},
        {"response_format": "b64_json", "output_format": "jpeg"},
        {"response_format": "url", "output_format": "webp"},
    ],
    ids=str,
)
@pytest.mark.parametrize("damaged_first", [True, False], ids=["damaged first", "damaged last"])
def test_a_paid_picture_is_kept_when_another_one_is_damaged(
    client: FlaskClient, gemini: Gemini, fields: dict[str, str], damaged_first: bool
):
    for body in (DAMAGED, DRAWN) if damaged_first else (DRAWN, DAMAGED):
        gemini.answers(body)
    response = generate(client, n=2, **fields)
    assert response.status_code == 200, response.get_data()[:300]
    assert len(response.get_json()["data"]) == 1
    assert [failed["code"] for failed in response.get_json()["errors"]] == ["upstream_error"]


def test_a_damaged_picture_alone_is_an_error_and_leaves_nothing_in_the_store(
    client: FlaskClient, gemini: Gemini, tmp_path: Any
):
    gemini.answers(DAMAGED)
    response = generate(client, response_format="url")
    openai_error(response, 502, "upstream_error", "server_error")
    assert response.headers["x-should-retry"] == "false"
    assert list((tmp_path / "images").iterdir()) == []


def test_a_paid_picture_of_a_stream_is_kept_when_another_one_is_damaged(client: FlaskClient, gemini: Gemini):
    gemini.answers(DAMAGED)
    gemini.answers(DRAWN)
    events = generate(client, n=2, stream=True, output_format="jpeg").get_data(as_text=True)
    assert events.count("event: image_generation.completed") == 1
    assert events.count("event: error") == 1


# Errors of the upstream

DAY = quota_detail("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
UPSTREAM_ERRORS = {
    "an invalid key": (INVALID_KEY, 400, 401, "invalid_request_error", "invalid_api_key", None),
    "unauthenticated": (error(401, "UNAUTHENTICATED", "x"), 401, 401, "invalid_request_error", "invalid_api_key", None),
    "denied": (error(403, "PERMISSION_DENIED", "x"), 403, 403, "invalid_request_error", "permission_denied", None),
    "a bad argument": (error(400, "INVALID_ARGUMENT", "x"), 400, 400, "invalid_request_error", None, None),
    "a bad place": (
        error(400, "FAILED_PRECONDITION", "User location is not supported."),
        400,
        403,
        "invalid_request_error",
        "unsupported_country_region_territory",
        None,
    ),
    "no model": (error(404, "NOT_FOUND", "x"), 404, 404, "invalid_request_error", "model_not_found", None),
    "a limit": (error(429, "RESOURCE_EXHAUSTED", "x"), 429, 429, "rate_limit_error", "rate_limit_exceeded", None),
    "a spent day": (
        error(429, "RESOURCE_EXHAUSTED", "x", [DAY, retry_detail("9s")]),
        429,
        429,
        "insufficient_quota",
        "insufficient_quota",
        "false",
    ),
    "no credits": (
        error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted. Please go to AI Studio."),
        429,
        429,
        "insufficient_quota",
        "insufficient_quota",
        "false",
    ),
    "a payment is due": (error(402, "X", "x"), 402, 429, "insufficient_quota", "insufficient_quota", "false"),
    "a fault": (error(500, "INTERNAL", "x"), 500, 500, "server_error", "server_error", None),
    "too busy": (
        error(503, "UNAVAILABLE", "x"),
        503,
        503,
        "service_unavailable_error",
        "service_unavailable",
        None,
    ),
    "busy too long": (
        error(503, "UNAVAILABLE", "Deadline expired before operation could complete."),
        503,
        503,
        "service_unavailable_error",
        "service_unavailable",
        "false",
    ),
    "too late": (error(504, "DEADLINE_EXCEEDED", "x"), 504, 504, "server_error", "upstream_timeout", "false"),
    "another 4xx": (error(409, "ABORTED", "x"), 409, 409, "invalid_request_error", None, None),
    "another 5xx": (error(529, "X", "x"), 529, 502, "server_error", "upstream_error", "false"),
    "a redirect": (b"", 302, 502, "server_error", "upstream_error", "false"),
    "HTML": (b"<html>502 Bad Gateway</html>", 502, 502, "server_error", "upstream_error", "false"),
    "HTML with 200": (b"<html>", 200, 502, "server_error", "upstream_error", "false"),
    "half an answer": (as_bytes(DRAWN)[:100], 200, 502, "server_error", "upstream_error", "false"),
    "nothing": (b"", 200, 502, "server_error", "upstream_error", "false"),
    "a refusal": (
        answer(reason="IMAGE_SAFETY"),
        200,
        400,
        "image_generation_user_error",
        "moderation_blocked",
        "false",
    ),
    "a refused prompt": (
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        200,
        400,
        "image_generation_user_error",
        "moderation_blocked",
        "false",
    ),
    "only words": (
        answer({"text": "Which cat?"}),
        200,
        400,
        "image_generation_user_error",
        "no_image_generated",
        "false",
    ),
    "no connection": (requests.ConnectionError("reset"), 0, 502, "server_error", "upstream_error", "false"),
    "a refused connection": (requests.ConnectTimeout("no"), 0, 502, "server_error", "upstream_error", None),
    "no answer in time": (requests.ReadTimeout("late"), 0, 504, "server_error", "upstream_timeout", "false"),
}


@pytest.mark.parametrize("fields", [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
@pytest.mark.parametrize("name", UPSTREAM_ERRORS)
def test_an_error_of_the_upstream_becomes_one_of_openais_api(
    client: FlaskClient, gemini: Gemini, name: str, fields: dict[str, Any]
):
    body, upstream_status, status, kind, code, should_retry = UPSTREAM_ERRORS[name]
    gemini.answers(body, upstream_status, {"Content-Type": "text/html"} if isinstance(body, bytes) else None)
    response = generate(client, **fields)
    openai_error(response, status, code, kind)
    assert response.headers.get("x-should-retry") == should_retry
    assert len(gemini.calls) == fields.get("n", 1), "an error must not be repeated by the proxy"


@pytest.mark.parametrize(
    ("delay", "seconds", "milliseconds"),
    [("7s", "7", "7000"), ("0.2s", "1", "200"), ("12.345s", "13", "12345"), ("3600s", "60", "60000")],
)
def test_a_delay_is_in_both_headers(client: FlaskClient, gemini: Gemini, delay: str, seconds: str, milliseconds: str):
    gemini.answers(error(429, "RESOURCE_EXHAUSTED", "Later.", [retry_detail(delay)]), 429)
    response = generate(client)
    openai_error(response, 429, "rate_limit_exceeded", "rate_limit_error")
    assert response.headers["Retry-After"] == seconds
    assert response.headers["retry-after-ms"] == milliseconds


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_delay_in_a_header_of_the_upstream_is_passed_on(client: FlaskClient, gemini: Gemini, status: int):
    gemini.answers(error(status, "X", "Later."), status, {"Retry-After": "17"})
    headers = generate(client).headers
    assert (headers["Retry-After"], headers["retry-after-ms"]) == ("17", "17000")


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"response_format": "b64_json"}, {"n": 2}], ids=str)
def test_a_picture_followed_by_sound_is_delivered(client: FlaskClient, gemini: Gemini, fields: dict[str, Any]):
    sound = {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64.b64encode(bytes(99)).decode()}}
    gemini.answers(answer(picture_part(PICTURE), sound))
    response = generate(client, **fields)
    assert response.status_code == 200
    assert "error" not in response.get_data(as_text=True)
    assert len(gemini.calls) == fields.get("n", 1)


def test_a_transparent_background_is_drawn_opaque_and_says_so(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    response = generate(client, background="transparent")
    assert response.get_json()["background"] == "opaque"
    assert response.headers["x-twinlens-ignored"] == "background"
    assert response.headers["x-twinlens-advisory"] == "background"


def test_all_pictures_of_all_answers_are_delivered(client: FlaskClient, gemini: Gemini):
    gemini.answers(answer(picture_part(PICTURE), picture_part(PICTURE)))
    assert len(generate(client, n=10).get_json()["data"]) == 20


def test_a_used_up_quota_has_no_delay(client: FlaskClient, gemini: Gemini):
    gemini.answers(error(429, "RESOURCE_EXHAUSTED", "Spent.", [DAY, retry_detail("9s")]), 429)
    headers = generate(client).headers
    assert "Retry-After" not in headers
    assert "retry-after-ms" not in headers


def test_an_error_that_repeats_the_key_comes_without_it(client: FlaskClient, gemini: Gemini):
    gemini.answers(error(403, "PERMISSION_DENIED", f"Key {KEY} leaked.", [reason_detail(KEY)]), 403)
    assert openai_error(generate(client), 403, "permission_denied")["message"] == "Key [key] leaked."


@pytest.mark.parametrize("fields", [{"response_format": "url"}, {"n": 2}], ids=str)
def test_a_picture_that_breaks_off_is_an_error_while_nothing_has_been_sent(make_app: MakeApp, fields: dict[str, Any]):
    body = as_bytes(answer(picture_part(png(weight=100_000))))
    cut = and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(body[:90_000]))
    with upstream_that(cut) as upstream:
        response = generate(make_app(GEMINI_BASE_URL=upstream.url).test_client(), **fields)
    openai_error(response, 502, "upstream_error", "server_error")
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_an_answer_that_breaks_off_after_its_picture_keeps_the_picture(
    client: FlaskClient, gemini: Gemini, response_format: str
):
    gemini.answers(as_bytes(DRAWN)[:-50])
    body = generate(client, response_format=response_format).get_json()
    assert len(body["data"]) == 1
    assert body["errors"][0]["code"] == "upstream_error"


def test_a_picture_that_breaks_off_is_an_error_that_no_sdk_repeats(make_app: MakeApp):
    body = as_bytes(answer(picture_part(png(weight=100_000))))
    cut = and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(body[:90_000]))
    with upstream_that(cut) as upstream:
        response = generate(make_app(GEMINI_BASE_URL=upstream.url).test_client(), response_format="b64_json")
    openai_error(response, 502, "upstream_error", "server_error")
    assert response.headers["x-should-retry"] == "false"


# Errors of the caller


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"x-goog-api-key": KEY},
    ],
    ids=str,
)
def test_without_a_bearer_token_there_is_no_call(client: FlaskClient, gemini: Gemini, headers: dict[str, str]):
    response = client.post(PATH, json={"prompt": "a cat"}, headers=headers)
    openai_error(response, 401, None)
    assert KEY not in response.get_data(as_text=True)
    assert not gemini.calls


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_bearer_is_case_insensitive(client: FlaskClient, gemini: Gemini, scheme: str):
    gemini.answers(DRAWN)
    client.post(PATH, json={"prompt": "a cat"}, headers={"Authorization": f"{scheme} {KEY}"})
    assert gemini.calls[0].headers["x-goog-api-key"] == KEY


@pytest.mark.parametrize(
    "body", [b"", b"{", b"prompt", b'{"prompt": NaN}', b'{"prompt": "\xff"}', b"[" * 100_000], ids=lambda body: body[:9]
)
def test_bad_json_is_refused(client: FlaskClient, gemini: Gemini, body: bytes):
    response = client.post(PATH, data=body, content_type="application/json", headers=WITH_KEY)
    openai_error(response, 400, None)
    assert not gemini.calls


@pytest.mark.parametrize("body", [b"[]", b"null", b'"prompt"', b"1"])
def test_json_that_is_not_an_object_is_refused(client: FlaskClient, body: bytes):
    response = client.post(PATH, data=body, content_type="application/json", headers=WITH_KEY)
    openai_error(response, 400, "invalid_type")


def test_json_is_read_whatever_its_declared_type(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    for claimed in ("text/plain", "application/octet-stream", "nonsense", None):
        response = client.post(PATH, data=b'{"prompt": "a cat"}', content_type=claimed, headers=WITH_KEY)
        assert response.status_code == 200


@pytest.mark.parametrize("claimed", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_a_form_is_not_a_generation(client: FlaskClient, claimed: str):
    response = client.post(PATH, data=b"prompt=a", content_type=claimed, headers=WITH_KEY)
    openai_error(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": None}, "missing_required_parameter", "prompt"),
        ({"prompt": 5}, "invalid_type", "prompt"),
        ({"n": 11}, "integer_above_max_value", "n"),
        ({"size": "3000x1000"}, "invalid_value", "size"),
        ({"model": "gpt-5"}, "model_not_found", "model"),
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_by_name_before_any_call(
    client: FlaskClient, gemini: Gemini, fields: dict[str, Any], code: str, param: str
):
    status = 404 if code == "model_not_found" else 400
    kind = "image_generation_user_error" if param == "size" else "invalid_request_error"
    error = openai_error(generate(client, **fields), status, code, kind)
    assert error["param"] == param
    assert not gemini.calls


def test_the_error_about_an_unknown_model_names_the_served_ones(client: FlaskClient):
    assert MODEL in openai_error(generate(client, model="gpt-5"), 404, "model_not_found")["message"]


@pytest.mark.parametrize("has_length", [True, False], ids=["Content-Length", "chunked"])
def test_a_body_that_is_too_large_is_refused(make_app: MakeApp, gemini: Gemini, has_length: bool):
    client = make_app(MAX_REQUEST_BYTES="2000").test_client()
    body = json.dumps({"prompt": "a" * 3000}).encode()
    options: dict[str, Any] = {"environ_overrides": {"wsgi.input_terminated": True}}
    if not has_length:
        options["environ_overrides"]["CONTENT_LENGTH"] = ""
    response = client.post(PATH, data=body, content_type="application/json", headers=WITH_KEY, **options)
    assert "MAX_REQUEST_BYTES" in openai_error(response, 413, "request_too_large")["message"]
    assert not gemini.calls


@pytest.mark.parametrize("host", ["a b", "<script>", "evil.test/x", "evil.test?x", "[::1", "user@host", ""], ids=repr)
def test_a_malformed_host_becomes_no_url(client: FlaskClient, gemini: Gemini, host: str):
    gemini.answers(DRAWN)
    response = generate(client, {"Host": host}, response_format="url")
    openai_error(response, 400, None)
    assert not gemini.calls, "nothing may be bought that cannot be delivered"


# The host in a URL

PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "images.test:8443"}


def url_from(client: FlaskClient, gemini: Gemini, address: str, headers: dict[str, str]) -> str:
    gemini.answers(DRAWN)
    response = client.post(
        PATH,
        json={"prompt": "a cat"},
        headers={**WITH_KEY, "Host": "here.test", **headers},
        environ_base={"REMOTE_ADDR": address},
    )
    assert response.status_code == 200, response.get_data()
    return str(response.get_json()["data"][0]["url"]).rpartition("/images/")[0]


def test_a_url_has_the_host_that_the_caller_used(client: FlaskClient, gemini: Gemini):
    assert url_from(client, gemini, "192.0.2.1", {}) == "http://here.test"
    assert url_from(client, gemini, "192.0.2.1", {"Host": "[::1]:8000"}) == "http://[::1]:8000"


def test_forwarded_headers_of_an_untrusted_client_are_ignored(make_app: MakeApp, gemini: Gemini):
    client = make_app(TRUSTED_PROXIES="10.0.0.0/8, fd00::/8").test_client()
    assert url_from(client, gemini, "192.0.2.1", PROXIED) == "http://here.test"


@pytest.mark.parametrize("address", ["10.1.2.3", "fd00::5", "::ffff:10.1.2.3"])
def test_forwarded_headers_of_a_trusted_proxy_are_used(make_app: MakeApp, gemini: Gemini, address: str):
    client = make_app(TRUSTED_PROXIES="10.0.0.0/8, fd00::/8").test_client()
    assert url_from(client, gemini, address, PROXIED) == "https://images.test:8443"


def test_of_several_proxies_the_nearest_counts(make_app: MakeApp, gemini: Gemini):
    client = make_app(TRUSTED_PROXIES="10.0.0.0/8").test_client()
    forwarded = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.test, images.test"}
    assert url_from(client, gemini, "10.0.0.1", forwarded) == "https://images.test"


def test_public_base_url_decides_whatever_the_caller_used(make_app: MakeApp, gemini: Gemini):
    client = make_app(PUBLIC_BASE_URL="https://pictures.test/lens/", TRUSTED_PROXIES="10.0.0.0/8").test_client()
    for host in ("here.test", "a b"):
        assert url_from(client, gemini, "10.0.0.1", {**PROXIED, "Host": host}) == "https://pictures.test/lens"


# Edits, variations, streams


def form(**fields: Any) -> dict[str, Any]:
    """An edit's form with one picture."""
    return {"prompt": "add a hat", "image": (io.BytesIO(PICTURE), "cat.png"), **fields}


@pytest.mark.parametrize("path", ["/v1/images/edits", "/v1beta/openai/images/edits"])
def test_an_edit_sends_the_picture_and_answers_with_base64(client: FlaskClient, gemini: Gemini, path: str):
    gemini.answers(DRAWN)
    response = client.post(path, data=form(), headers=WITH_KEY)
    assert response.get_json()["data"] == [{"b64_json": PICTURE_BASE64}]
    parts = json.loads(gemini.calls[0].body)["contents"][0]["parts"]
    assert [list(part) for part in parts] == [["inlineData"], ["text"]]


def test_an_edit_may_be_json(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    images = [{"image_url": f"data:image/png;base64,{PICTURE_BASE64}"}]
    response = client.post("/v1/images/edits", json={"prompt": "a hat", "images": images}, headers=WITH_KEY)
    assert response.status_code == 200


def test_a_variation_is_an_edit_without_a_prompt(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    fields = form()
    del fields["prompt"]
    response = client.post("/v1/images/variations", data=fields, headers=WITH_KEY)
    assert set(response.get_json()["data"][0]) == {"url"}
    openai_error(client.post("/v1/images/variations", json={}, headers=WITH_KEY), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        b"--y\r\n\r\n--y--",
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\x89PNG',
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
        b"\xff" * 99,
    ],
    ids=range(7),
)
@pytest.mark.parametrize("path", ["/v1/images/edits", "/v1/images/variations"])
def test_a_malformed_form_is_refused(client: FlaskClient, gemini: Gemini, path: str, body: bytes):
    response = client.post(path, data=body, content_type="multipart/form-data; boundary=x", headers=WITH_KEY)
    openai_error(response, 400, response.get_json()["error"]["code"])
    assert not gemini.calls


@pytest.mark.parametrize("boundary", ["a:b", "a=b", "(x)", "a,b", "a b", "--x=="])
def test_a_boundary_that_needs_quotes_is_named(client: FlaskClient, gemini: Gemini, boundary: str):
    part = 'Content-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = f"--{boundary}\r\n{part}".encode() + PICTURE + f"\r\n--{boundary}--\r\n".encode()
    kind = "multipart/form-data; boundary="
    answer = client.post("/v1/images/edits", data=body, content_type=f"{kind}{boundary}", headers=WITH_KEY)
    assert 'write boundary="..."' in openai_error(answer, 400, None)["message"]
    quoted = client.post("/v1/images/edits", data=body, content_type=f'{kind}"{boundary}"', headers=WITH_KEY)
    assert "'prompt'" in quoted.get_json()["error"]["message"]


def test_an_edit_of_another_type_names_forms_first(client: FlaskClient):
    answer = client.post("/v1/images/edits", data={"prompt": "x"}, headers=WITH_KEY)
    message = openai_error(answer, 415, "unsupported_media_type")["message"]
    assert message.endswith("This method only accepts 'multipart/form-data' and 'application/json' requests.")


def test_a_form_without_a_boundary_is_refused(client: FlaskClient):
    response = client.post("/v1/images/edits", data=b"x", content_type="multipart/form-data", headers=WITH_KEY)
    openai_error(response, 400, response.get_json()["error"]["code"])


def test_a_stream_has_an_event_for_each_picture(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    response = generate(client, stream=True, n=2)
    assert response.mimetype == "text/event-stream"
    events = [event.split("\n") for event in response.get_data(as_text=True).strip().split("\n\n")]
    assert [name for name, _ in events] == ["event: image_generation.completed"] * 2
    assert all(json.loads(data.removeprefix("data: "))["b64_json"] == PICTURE_BASE64 for _, data in events)


def test_an_error_before_the_first_event_of_a_stream_has_a_status(client: FlaskClient, gemini: Gemini):
    gemini.answers(error(429, "RESOURCE_EXHAUSTED", "Later."), 429)
    openai_error(generate(client, stream=True), 429, "rate_limit_exceeded", "rate_limit_error")


def test_another_format_is_made_and_reported(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    body = generate(client, output_format="jpeg", response_format="b64_json").get_json()
    assert base64.b64decode(body["data"][0]["b64_json"]).startswith(b"\xff\xd8\xff")
    assert (body["output_format"], body["size"]) == ("jpeg", "4x3")


@pytest.mark.parametrize(("most", "status"), [(12, 200), (11, 502)])
def test_a_picture_is_decoded_up_to_so_many_pixels_and_no_more(
    client: FlaskClient, gemini: Gemini, monkeypatch: pytest.MonkeyPatch, most: int, status: int
):
    monkeypatch.setattr(reencoding, "MOST_PIXELS", most)
    gemini.answers(DRAWN)
    response = generate(client, output_format="jpeg", response_format="b64_json")
    assert response.status_code == status, "the picture has 4x3"
    if status != 200:
        assert f"more than {most} pixels" in openai_error(response, 502, "upstream_error", "server_error")["message"]
    assert generate(client, response_format="b64_json").status_code == 200, "what is not decoded has no such limit"


# Faults of ours, and what a call holds


@pytest.mark.parametrize("fault", [RuntimeError, ValueError, KeyError, UnicodeDecodeError, MemoryError, RecursionError])
@pytest.mark.parametrize("fields", [{}, {"response_format": "b64_json"}, {"n": 2}, {"stream": True}], ids=str)
def test_an_error_of_ours_has_a_plain_message(
    client: FlaskClient, gemini: Gemini, fault: type[Exception], fields: dict[str, Any]
):
    secret = f"{KEY} in /etc/secret"
    gemini.answers(fault("utf-8", b"", 0, 1, secret) if fault is UnicodeDecodeError else fault(secret))
    response = generate(client, **fields)
    error = openai_error(response, 500, "internal_error", "server_error")
    assert error["message"] == "The server had an error while processing your request."
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("fault", [gevent.Timeout, gevent.GreenletExit])
@pytest.mark.parametrize("path", [PATH, f"/v1/models/{MODEL}:generateContent?key={KEY}"], ids=["openai", "google"])
def test_a_place_is_free_after_a_base_exception(
    make_app: MakeApp, gemini: Gemini, fault: type[BaseException], path: str
):
    client = make_app(MAX_IN_FLIGHT="1").test_client()

    def fail(_: Any) -> None:
        raise fault()

    body = {"prompt": "a cat", "contents": [{"parts": [{"text": "a cat"}]}]}
    gemini.does(fail)
    with contextlib.suppress(fault):
        client.post(path, json=body, headers=WITH_KEY).close()
    assert client.post(path, data=b"{", headers=WITH_KEY).status_code == 400, "the place is lost"


@pytest.mark.parametrize("path", [PATH, f"/v1/models/{MODEL}:generateContent?key={KEY}"], ids=["openai", "google"])
def test_a_gevent_timeout_in_a_view_is_an_error_of_ours(client: FlaskClient, gemini: Gemini, path: str):
    def fail(_: Any) -> None:
        raise gevent.Timeout(1)

    gemini.does(fail)
    body = {"prompt": "a cat", "contents": [{"parts": [{"text": "a cat"}]}]}
    response = client.post(path, json=body, headers=WITH_KEY)
    assert response.status_code in (500, 504)
    assert response.mimetype == "application/json"


ENDS = {
    "a picture": (DRAWN, 200, {"response_format": "b64_json"}, True),
    "a url": (DRAWN, 200, {"response_format": "url"}, True),
    "several": (DRAWN, 200, {"n": 3}, True),
    "a stream": (DRAWN, 200, {"stream": True}, True),
    "an answer that is not read": (DRAWN, 200, {"response_format": "b64_json"}, False),
    "a stream that is not read": (DRAWN, 200, {"stream": True}, False),
    "a refusal": (answer(reason="SAFETY"), 200, {}, True),
    "an upstream error": (error(500, "INTERNAL", "x"), 500, {}, True),
    "no connection": (requests.ConnectionError("x"), 0, {}, True),
    "a wrong field": (DRAWN, 200, {"n": 99}, True),
    "an unknown model": (DRAWN, 200, {"model": "x"}, True),
    "a fault of ours": (RuntimeError("x"), 0, {}, True),
    "a draft that flowed": (answer(picture_part(PICTURE), picture_part(PICTURE, thought=True)), 200, {}, True),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_place_is_free_after_every_kind_of_end(make_app: MakeApp, gemini: Gemini, end: str):
    body, status, fields, is_read = ENDS[end]
    gemini.answers(body, status)
    client = make_app(MAX_IN_FLIGHT="1").test_client()
    for _ in range(3):
        response = generate(client, **fields)
        if is_read:
            response.get_data()
        assert response.status_code != 503, "the place is lost"
        response.close()


def test_a_place_is_given_back_after_a_broken_answer(make_app: MakeApp):
    body = as_bytes(answer(picture_part(png(weight=100_000))))
    cut = and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(body[:90_000]))
    with upstream_that(cut) as upstream:
        client = make_app(GEMINI_BASE_URL=upstream.url, MAX_IN_FLIGHT="1").test_client()
        for _ in range(3):
            response = generate(client, response_format="b64_json")
            assert response.status_code == 502
            response.close()


def test_a_place_is_free_when_the_answer_cannot_be_started(make_app: MakeApp, gemini: Gemini):
    app = make_app(MAX_IN_FLIGHT="1")
    gemini.answers(DRAWN)

    def start_response(*_: Any) -> Any:
        raise ValueError("a header that the server does not send")

    environ = EnvironBuilder(PATH, method="POST", json={"prompt": "a cat"}, headers=WITH_KEY).get_environ()
    with pytest.raises(ValueError, match="does not send"):
        app(environ, start_response)
    assert generate(app.test_client()).status_code == 200, "the place is lost"


def test_too_many_calls_in_flight_are_refused_while_the_service_itself_still_answers(make_app: MakeApp, gemini: Gemini):
    client = make_app(MAX_IN_FLIGHT="2").test_client()
    gemini.answers(DRAWN)
    held = [generate(client, response_format="b64_json") for _ in range(2)]
    assert [response.status_code for response in held] == [200, 200]
    refused = generate(client)
    openai_error(refused, 503, "server_is_overloaded", "service_unavailable_error")
    assert (refused.headers["Retry-After"], refused.headers["retry-after-ms"]) == ("1", "1000")
    assert refused.headers.get("x-should-retry") != "false"
    assert client.get("/healthz").status_code == 200
    assert client.get("/v1/models", headers=WITH_KEY).status_code == 200
    assert len(gemini.calls) == 2
    for response in held:
        response.close()
    assert generate(client).status_code == 200


def test_a_request_for_n_pictures_is_n_calls_in_flight(make_app: MakeApp, gemini: Gemini):
    client = make_app(MAX_IN_FLIGHT="3").test_client()
    gemini.answers(DRAWN)
    one = generate(client, response_format="b64_json")
    four = generate(client, n=4)
    assert (one.status_code, four.status_code) == (200, 200), "all come in if one can"
    openai_error(generate(client), 503, "server_is_overloaded", "service_unavailable_error")
    one.close()
    openai_error(generate(client), 503, "server_is_overloaded", "service_unavailable_error")
    four.close()
    assert generate(client, n=2).status_code == 200


def test_a_request_is_refused_when_others_took_the_places_before_its_body_was_read():
    places = Places(2)
    places.take()
    places.take()
    places.take(10, held=1)
    with pytest.raises(ApiError, match="2 calls are in flight"):
        places.take(10, held=1)
    places.give_back(10)
    places.take(10, held=1)
    places.give_back(10)
    assert places.taken == 0


def test_other_paths_take_no_place(make_app: MakeApp):
    client = make_app(MAX_IN_FLIGHT="1").test_client()
    for _ in range(3):
        for method in ("OPTIONS", "HEAD", "GET"):
            response = client.open(PATH, method=method)
            assert response.status_code != 503
            response.close()


def test_the_key_is_in_no_log_whatever_happens(client: FlaskClient, gemini: Gemini, caplog: pytest.LogCaptureFixture):
    caplog.set_level(0)
    for body, status, *_ in UPSTREAM_ERRORS.values():
        gemini.answers(body, status)
        generate(client)
    assert KEY not in caplog.text
