"""Real answers of Google, replayed, and translated for OpenAI's SDK. tests/passthrough passes them on untouched."""

import base64

import openai
import pytest
import requests

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.recordings import ABSENT, gemini_recordings
from tests.support.upstream import ScriptedUpstream

# What each means: the exception of OpenAI's SDK and its code. What is not named here holds a picture.
BLOCKED = (openai.BadRequestError, "moderation_blocked")
NO_IMAGE = (openai.BadRequestError, "no_image_generated")
INVALID_ARGUMENT = (openai.BadRequestError, None)
INVALID_KEY = (openai.AuthenticationError, "invalid_api_key")
DENIED = (openai.PermissionDeniedError, "permission_denied")
NOT_FOUND = (openai.NotFoundError, "model_not_found")
RATE_LIMIT = (openai.RateLimitError, "rate_limit_exceeded")
UNAVAILABLE = (openai.InternalServerError, "service_unavailable")
BROKEN = (openai.InternalServerError, "upstream_error")
ERRORS: dict[str, tuple[type[openai.APIStatusError], str | None]] = {
    "gemini_200_no_image_reason_IMAGE_OTHER": NO_IMAGE,
    "gemini_200_no_image_reason_IMAGE_PROHIBITED_CONTENT": BLOCKED,
    "gemini_200_no_image_reason_NO_IMAGE": NO_IMAGE,
    "gemini_200_prompt_blocked_PROHIBITED_CONTENT": BLOCKED,
    "gemini_20fpig_stream_sse_text_only": NO_IMAGE,
    "gemini_25fi_preview_default_modalities_or_text_1": NO_IMAGE,
    "gemini_25fi_text_only_vs_image_2": BROKEN,  # the recorder put a note in the place of the picture
    "gemini_3pi_preview_stream_sse": BROKEN,  # and so did this one
    "gemini_countTokens_2026-07": NO_IMAGE,
    "gemini_err_400_api_key_invalid_2026-06": INVALID_KEY,
    "gemini_err_400_api_key_invalid_js_sdk": INVALID_KEY,
    "gemini_err_400_deadline_too_short": INVALID_ARGUMENT,
    "gemini_err_400_location_not_supported": (openai.PermissionDeniedError, "unsupported_country_region_territory"),
    "gemini_err_400_multiple_candidates": INVALID_ARGUMENT,
    "gemini_err_400_multiple_credentials": INVALID_ARGUMENT,
    "gemini_err_400_token_count_exceeds_2025": INVALID_ARGUMENT,
    "gemini_err_400_token_count_exceeds_2026-06": INVALID_ARGUMENT,
    "gemini_err_400_unknown_name_part_mediaResolution": INVALID_ARGUMENT,
    "gemini_err_400_unknown_name_tools": INVALID_ARGUMENT,
    "gemini_err_400_v1_unknown_responseModalities_2026-02": INVALID_ARGUMENT,
    "gemini_err_401_access_token_type_unsupported": INVALID_KEY,
    "gemini_err_403_consumer_suspended": DENIED,
    "gemini_err_403_leaked_key": DENIED,
    "gemini_err_403_missing_key": INVALID_KEY,
    "gemini_err_403_project_denied": DENIED,
    "gemini_err_403_service_disabled_2026-02": DENIED,
    "gemini_err_404_model_countTokens": NOT_FOUND,
    "gemini_err_404_model_not_found_2025": NOT_FOUND,
    "gemini_err_404_model_not_found_2026-07": NOT_FOUND,
    "gemini_err_404_model_not_found_2026": NOT_FOUND,
    "gemini_err_404_model_retired": NOT_FOUND,
    "gemini_err_404_stream_js_sdk": NOT_FOUND,
    "gemini_err_429_free_tier_2_5_flash_image_preview_2025-09": (openai.RateLimitError, "insufficient_quota"),
    "gemini_err_429_generic_no_details_2026-08": RATE_LIMIT,
    "gemini_err_429_quota_paid_tier_2026-08": RATE_LIMIT,
    "gemini_err_500_internal": (openai.InternalServerError, "server_error"),
    "gemini_err_503_deadline_expired": UNAVAILABLE,
    "gemini_err_503_high_demand_stream_2026-05": UNAVAILABLE,
    "gemini_err_503_overloaded_image": UNAVAILABLE,
}
MUST_NOT_BE_RETRIED = {
    *(name for name, (_, code) in ERRORS.items() if code in ("moderation_blocked", "no_image_generated")),
    "gemini_25fi_text_only_vs_image_2",
    "gemini_3pi_preview_stream_sse",
    "gemini_err_429_free_tier_2_5_flash_image_preview_2025-09",
    "gemini_err_503_deadline_expired",
}


RECORDINGS = {recording.name: recording for recording in gemini_recordings()}
PICTURED = [name for name in RECORDINGS if name not in ERRORS]
FAILING = [name for name in RECORDINGS if name in ERRORS]

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)


def recorded_picture(name: str) -> bytes:
    """The first picture of the recording that is no draft."""
    parts = [
        part
        for body in RECORDINGS[name].bodies
        for candidate in body.get("candidates", [])
        for part in (candidate.get("content") or {}).get("parts", [])
        if "inlineData" in part and not part.get("thought")
    ]
    return base64.b64decode(parts[0]["inlineData"]["data"])


@pytest.fixture(scope="module")
def key() -> str:
    """One key for all of them."""
    return new_key()


@pytest.fixture
def client(server: ProxyServer, key: str) -> openai.OpenAI:
    """OpenAI's SDK, which asks once."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


def test_the_table_of_errors_names_recordings_only() -> None:
    assert set(ERRORS) <= set(RECORDINGS)


@pytest.mark.parametrize("name", PICTURED)
def test_the_openai_surface_returns_the_recorded_picture_as_base64(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(RECORDINGS[name].answer)
    answer = client.images.generate(model="gemini-2.5-flash-image", prompt="an axolotl", response_format="b64_json")
    picture = recorded_picture(name)
    assert [base64.b64decode(item.b64_json or "", validate=True) for item in answer.data or []] == [picture]
    assert answer.size == "{}x{}".format(*pictures.pixels_of(picture))
    assert answer.output_format == ("jpeg" if picture.startswith(b"\xff\xd8") else "png")


@pytest.mark.parametrize("name", PICTURED)
def test_the_openai_surface_returns_the_recorded_picture_at_a_url(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(RECORDINGS[name].answer)
    answer = client.images.generate(model="gemini-2.5-flash-image", prompt="an axolotl", response_format="url")
    picture = recorded_picture(name)
    (item,) = answer.data or []
    fetched = requests.get(item.url or "", timeout=10)
    assert fetched.content == picture
    assert fetched.headers["Content-Type"] == ("image/jpeg" if picture.startswith(b"\xff\xd8") else "image/png")


@pytest.mark.parametrize("name", [name for name in PICTURED if b"usageMetadata" in RECORDINGS[name].body])
def test_the_openai_surface_returns_the_recorded_usage(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(RECORDINGS[name].answer)
    answer = client.images.generate(model="gemini-2.5-flash-image", prompt="an axolotl", response_format="b64_json")
    counted = RECORDINGS[name].bodies[-1]["usageMetadata"]
    by_kind = {item["modality"]: item["tokenCount"] for item in counted["promptTokensDetails"]}
    drawn = sum(item["tokenCount"] for item in counted["candidatesTokensDetails"] if item["modality"] == "IMAGE")
    made = counted["candidatesTokenCount"] + counted.get("thoughtsTokenCount", 0)
    usage = answer.usage
    assert usage is not None
    assert usage.input_tokens == counted["promptTokenCount"]
    assert usage.input_tokens_details.image_tokens == by_kind.get("IMAGE", 0)
    assert usage.input_tokens_details.text_tokens == by_kind.get("TEXT", 0)
    assert usage.output_tokens == made
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.image_tokens == drawn
    assert usage.output_tokens_details.text_tokens == made - drawn
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@pytest.mark.parametrize("name", FAILING)
def test_the_openai_surface_raises_what_the_recording_means(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(RECORDINGS[name].answer)
    exception, code = ERRORS[name]
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(model="gemini-2.5-flash-image", prompt="an axolotl")
    error = caught.value
    assert (type(error), error.code) == (exception, code), error
    if code in ("upstream_error", "service_unavailable"):
        assert error.status_code == (502 if code == "upstream_error" else 503)
    no_retry = error.response.headers.get("x-should-retry") == "false"
    assert no_retry == (name in MUST_NOT_BE_RETRIED)
    if exception is openai.BadRequestError and code is None:
        assert RECORDINGS[name].bodies[0]["error"]["message"] in error.message
    assert len(upstream.calls) == 1 or exception is openai.NotFoundError  # for which the successor is asked


def test_the_recorded_delay_of_a_rate_limit_is_in_both_headers(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(RECORDINGS["gemini_err_429_quota_paid_tier_2026-08"].answer)
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(model="gemini-2.5-flash-image", prompt="an axolotl")
    headers = caught.value.response.headers
    # RetryInfo says "48s", the message of the same answer 48.939935699s.
    assert headers["retry-after"] in ("48", "49")
    assert 48_000 <= float(headers["retry-after-ms"]) <= 48_940
