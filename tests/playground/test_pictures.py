"""Taking pictures in a real browser: both surfaces, edits, masks, streams, errors, and a call that is cancelled."""

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.playground.visit import Visit, draw_file, pixels
from tests.support.keys import new_key


def test_the_first_press_of_the_button_brings_a_picture(page: Visit):
    assert page.find("#key").input_value() == "sandbox"
    page.take()
    facts = page.facts()
    assert facts["pixels"] == "1024 × 1024"
    assert re.fullmatch(r"[\d.]+ (MB|kB)\npng", facts["bytes"])
    assert re.fullmatch(r"\d+\.\d s", facts["time"])
    assert re.match(r"1,3\d\d\n", facts["tokens"])
    assert facts["cost"].startswith("$0.03")
    assert pixels(page.downloaded()) == (1024, 1024)
    assert page.find(".request-id code").inner_text()
    assert "Picture ready: 1024 × 1024 pixels" in page.text("#news")


def test_text_beside_a_picture_of_gemini_is_shown(page: Visit):
    page.choose_lens("gemini")
    page.choose_ratio("21:9")
    page.take("the Alps at dawn")
    assert page.facts()["pixels"] == "1536 × 672"
    assert page.facts()["cost"].startswith("$0.03")
    assert page.text(".model-words")
    assert page.find("#n").is_disabled() and page.find("#format").is_disabled()
    assert page.find("#openai-only-note").is_visible()


@pytest.mark.parametrize(("form", "kind"), [("url", "png"), ("b64_json", "jpeg"), ("url", "webp")])
def test_formats(page: Visit, form: str, kind: str):
    page.page.select_option("#response", form)
    page.page.select_option("#format", kind)
    page.take("a pine forest in fog")
    assert Image.open(BytesIO(page.downloaded())).format == kind.upper()
    assert page.facts()["bytes"].endswith(kind)


def test_four_pictures_and_one_of_them(page: Visit):
    page.page.fill("#n", "4")
    assert page.text("#shutter-words") == "Generate 4 pictures"
    page.choose_ratio("4:3")
    page.take()
    assert page.find(".frame img").count() == 4
    assert page.facts()["pixels"] == "1184 × 864\n4 pictures"
    page.find(".enlarge").nth(2).click()
    assert page.find(".frame img").count() == 1
    assert pixels(page.downloaded()) == (1184, 864)
    page.find(".show-all").click()
    assert page.find(".frame img").count() == 4


@pytest.mark.parametrize("surface", ["openai", "gemini"])
def test_a_stream(page: Visit, surface: str):
    page.choose_lens(surface)
    page.find(".switch").click()
    if surface == "openai":
        page.page.fill("#n", "2")
    page.take("a sailing boat on a lake")
    assert page.find(".frame img").count() == (2 if surface == "openai" else 1)
    assert page.facts()["tokens"] and page.facts()["cost"].startswith("$0.0")


@pytest.mark.parametrize("surface", ["openai", "gemini"])
def test_an_edit_keeps_the_shape_of_its_input(page: Visit, tmp_path: Path, surface: str):
    page.choose_lens(surface)
    page.add_picture(draw_file(tmp_path / "small.png", (600, 400)))
    assert "600×400" in page.text("#inputs")
    page.take("turn it into blue tones")
    assert page.facts()["pixels"] == "1248 × 832"
    requested = "/v1/images/edits" if surface == "openai" else ":generateContent"
    assert any(address.endswith(requested) for address in page.addresses)


def test_a_picture_becomes_the_next_input(page: Visit):
    page.take()
    page.find(".caption").get_by_text("Use as input").click()
    page.find("#inputs li").wait_for()
    assert page.text("#shutter-words") == "Edit picture"
    page.find("#inputs .round").click()
    assert page.find("#inputs li").count() == 0


def test_pictures_come_by_drop_and_by_paste_too(page: Visit):
    for event in ("paste", "drop"):
        page.page.evaluate(
            """async (name) => {
              const canvas = new OffscreenCanvas(40, 30);
              canvas.getContext("2d").fillRect(0, 0, 40, 30);
              const blob = await canvas.convertToBlob();
              const data = new DataTransfer();
              data.items.add(new File([blob], "image.png", { type: "image/png" }));
              const event = name === "paste"
                ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
              document.body.dispatchEvent(event);
            }""",
            event,
        )
    page.find("#inputs li").nth(1).wait_for()
    assert page.find("#inputs .name").all_inner_texts() == ["image.png", "image-2.png"]


def test_a_file_that_is_not_a_picture_is_refused(page: Visit, tmp_path: Path):
    (tmp_path / "words.png").write_text("these are words")
    page.page.set_input_files("#files", tmp_path / "words.png")
    page.find(".toast").wait_for()
    assert page.text("#news") == "words.png is not a picture this browser can read."
    assert page.find("#inputs li").count() == 0


def test_a_mask_is_a_png_of_the_pictures_size_and_transparent_where_it_was_painted(page: Visit, tmp_path: Path):
    page.add_picture(draw_file(tmp_path / "wide.jpg", (640, 320)))
    page.open_easel()
    page.paint((0.2, 0.5), (0.5, 0.5))
    page.leave_easel("#mask-keep")
    with page.page.expect_download() as download:
        page.find(".mask-tool").get_by_text("Save mask.png").click()
    mask = Image.open(download.value.path())
    assert (mask.format, mask.mode, mask.size) == ("PNG", "RGBA", (640, 320))
    assert mask.getpixel((224, 160))[3] == 0
    assert mask.getpixel((600, 20))[3] == 255
    page.take("fill it with flowers")
    assert "The mask was sent as an instruction" in page.text(".caption")


def test_the_easel_takes_back_turns_round_and_clears(page: Visit, tmp_path: Path):
    page.add_picture(draw_file(tmp_path / "square.png", (200, 200)))
    page.open_easel()
    page.paint((0.5, 0.5), (0.6, 0.5))
    page.page.click("#mask-undo")
    page.leave_easel("#mask-keep")
    assert page.find(".mask-tool").all_inner_texts() == ["Paint a mask"], "an empty mask is none"
    page.open_easel()
    page.page.click("#mask-invert")
    page.leave_easel("#mask-keep")
    assert page.find(".mask-tool").first.inner_text() == "Edit the mask"
    page.open_easel()
    page.page.click("#mask-clear")
    page.page.keyboard.press("Escape")
    page.find("#mask").wait_for(state="hidden")
    assert page.find(".mask-tool").first.inner_text() == "Edit the mask", "going back changes nothing"


ERRORS = [
    ("openai", "refused_image_safety", "refused for safety", "moderation_blocked"),
    ("openai", "quota_per_day", "quota is used up", "insufficient_quota"),
    ("openai", "quota_per_minute", "Too many requests", "rate_limit_exceeded"),
    ("openai", "api_key_invalid", "does not accept this key", "invalid_api_key"),
    ("openai", "html_502", "cannot be reached", "upstream_error"),
    ("openai", "text_only", "made no picture", "no_image_generated"),
    ("openai", "model_retired", "model is not available", "model_not_found"),
    ("gemini", "refused_image_safety", "refused for safety", "IMAGE_SAFETY"),
    ("gemini", "refused_prompt_blocklist", "refused for safety", "BLOCKLIST"),
    ("gemini", "quota_per_day", "quota is used up", "RESOURCE_EXHAUSTED"),
    ("gemini", "quota_per_minute", "Too many requests", "RESOURCE_EXHAUSTED"),
    ("gemini", "api_key_invalid", "does not accept this key", "API_KEY_INVALID"),
    ("gemini", "location_not_supported", "does not serve this region", "FAILED_PRECONDITION"),
    ("gemini", "missing_key", "No key was sent", "PERMISSION_DENIED"),
    ("gemini", "overloaded", "overloaded or has an error", "UNAVAILABLE"),
    ("gemini", "text_only", "made no picture", "STOP"),
    ("gemini", "model_retired", "model is not available", "NOT_FOUND"),
]


def test_errors_are_explained_in_both_dialects(page: Visit):
    for surface, situation, title, code in ERRORS:
        page.choose_lens(surface)
        frames = page.find("#sheet li").count()
        page.release(f"something [[{situation}]]")
        page.find("#sheet li").nth(frames).wait_for()
        page.wait_for("failed")
        assert title in page.text(".trouble .headline"), (surface, situation)
        assert page.text(".advice").startswith("What to do: ")
        assert code in page.find(".codes code").all_inner_texts(), (surface, situation)
        assert page.text(".request-id code")
        assert title in page.text("#news")


@pytest.mark.parametrize(
    ("situation", "title"),
    [
        ("error_mid_stream", ""),
        ("bare_error_mid_stream", ""),
        ("truncated_stream_before_picture", ""),
        ("streamed_refusal", "refused for safety"),
        ("streamed_text_only", "made no picture"),
        ("error_on_stream", ""),
    ],
)
def test_streams_that_end_badly_are_explained_too(page: Visit, situation: str, title: str):
    for surface in ("gemini", "openai"):
        page.choose_lens(surface)
        if surface == "gemini":
            page.find(".switch").click()
        frames = page.find("#sheet li").count()
        page.release(f"something [[{situation}]]")
        page.find("#sheet li").nth(frames).wait_for()
        page.wait_for("failed")
        assert title in page.text(".trouble .headline")
        assert page.text(".trouble .headline") != "The call failed"
    page.complaints[:] = [one for one in page.complaints if "ERR_" not in one]  # a cut transfer is Chromium's news


def test_the_proxy_that_is_gone_is_explained(page: Visit):
    page.page.route("**/v1/images/generations", lambda route: route.abort())
    page.release()
    page.wait_for("failed")
    assert page.text(".trouble .headline") == "The proxy cannot be reached"
    page.complaints.clear()  # the network's own error


def test_without_prompt_or_key_no_request_is_sent(page: Visit):
    page.release("")
    assert page.find("#prompt").get_attribute("aria-invalid") == "true"
    page.page.fill("#prompt", "a cat")
    page.page.fill("#key", "")
    page.release()
    assert page.text("#news") == "Enter a key first."
    assert page.find("#sheet li").count() == 0
    page.page.click("#use-sandbox")
    page.take()


def test_a_running_call_shows_its_time_in_the_right_frame_and_can_be_cancelled(page: Visit):
    page.page.fill("#key", new_key())
    page.choose_ratio("9:16")
    page.release()
    page.find(".waiting").wait_for()
    page.page.wait_for_timeout(600)
    assert float(page.text(".clock")) >= 0.5
    assert re.match(r"Generating… \d\.\d s", page.text("#shutter-words"))
    box = page.find(".waiting").bounding_box()
    assert box and box["width"] / box["height"] == pytest.approx(9 / 16, rel=0.03)
    with page.page.expect_event("requestfailed") as failed:
        page.page.click("#cancel")
    assert "ABORTED" in failed.value.failure
    page.wait_for("cancelled")
    assert page.text("#news") == "The call was cancelled."
    page.find("#glass").get_by_text("Generate again").click()
    page.wait_for("running")
    page.page.keyboard.press("Escape")
    page.wait_for("cancelled")


def test_history_shows_earlier_calls_and_brings_their_settings_back(page: Visit):
    page.choose_ratio("3:2")
    page.take("a desert with a balloon")
    page.choose_ratio("2:3")
    page.choose_lens("gemini")
    page.take("a galaxy")
    page.find("#sheet button").nth(1).click()
    assert page.facts()["pixels"] == "1248 × 832"
    page.find(".caption").get_by_text("Use these settings").click()
    assert page.find("#prompt").input_value() == "a desert with a balloon"
    assert 'size="1248x832"' in page.code("openai-python")


MARKUP = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"


def assert_not_broken_into(page: Visit) -> None:
    """No text has become an element, or has run."""
    page.page.wait_for_timeout(100)  # as an error of a picture that does not load would need
    assert page.find("main script, main img[src=x]").count() == 0
    assert page.page.title() == "Twinlens"


def test_markup_in_a_prompt_stays_text(page: Visit):
    page.take(MARKUP)
    assert page.find(".frame img").get_attribute("alt") == MARKUP
    assert MARKUP.replace('"', '\\"') in page.code("openai-python")
    assert_not_broken_into(page)


OPENAI_ERROR = {"message": MARKUP, "type": MARKUP, "param": MARKUP, "code": MARKUP}
GOOGLE_ERROR = {
    "code": 400,
    "message": MARKUP,
    "status": MARKUP,
    "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": MARKUP},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": MARKUP}]},
    ],
}
EVIL_ERRORS = {
    "openai": ("**/v1/images/generations", {"error": OPENAI_ERROR}),
    "openai's stream": ("**/v1/images/generations", {"type": "error", "error": OPENAI_ERROR}),
    "gemini": ("**:generateContent", {"error": GOOGLE_ERROR}),
    "gemini's stream": ("**:streamGenerateContent**", {"error": GOOGLE_ERROR}),
}


@pytest.mark.parametrize("name", EVIL_ERRORS)
def test_markup_in_an_error_stays_text(page: Visit, name: str):
    surface, _, streams = name.partition("'")
    address, body = EVIL_ERRORS[name]
    page.choose_lens(surface)
    if streams:
        page.find(".switch").click()
        answer = {"status": 200, "content_type": "text/event-stream", "body": f"data: {json.dumps(body)}\n\n"}
    else:
        answer = {"status": 400, "json": body}
    page.page.route(address, lambda route: route.fulfill(**answer))
    page.release("a cat")
    page.wait_for("failed")
    assert page.text(".said blockquote") == MARKUP
    codes = page.find(".codes code").all_inner_texts()
    assert MARKUP in codes and f"param: {MARKUP}" in codes
    assert_not_broken_into(page)


def test_markup_in_what_is_said_instead_of_a_picture_stays_text(page: Visit):
    candidate = {"content": {"parts": [{"text": MARKUP}]}, "finishReason": MARKUP, "finishMessage": MARKUP}
    page.page.route("**:generateContent", lambda route: route.fulfill(status=200, json={"candidates": [candidate]}))
    page.choose_lens("gemini")
    page.release("a cat")
    page.wait_for("failed")
    assert page.text(".said blockquote") == f"{MARKUP}: {MARKUP}: {MARKUP}"
    assert_not_broken_into(page)


@pytest.mark.parametrize("surface", ["openai", "gemini"])
def test_markup_in_what_the_model_says_beside_its_picture_stays_text(page: Visit, surface: str):
    def say(route):
        response = route.fetch()
        body = response.json()
        if surface == "openai":
            body["data"][0]["text"] = MARKUP
            body["errors"] = [OPENAI_ERROR]
        else:
            parts = body["candidates"][0]["content"]["parts"]
            body["candidates"][0]["content"]["parts"] = [part for part in parts if "text" not in part] + [
                {"text": MARKUP}
            ]
        route.fulfill(response=response, json=body, headers={**response.headers, "x-twinlens-ignored": MARKUP})

    page.page.route("**/v1/images/generations" if surface == "openai" else "**:generateContent", say)
    page.choose_lens(surface)
    page.take("a cat")
    assert page.text(".model-words") == MARKUP
    assert MARKUP in "".join(page.find(".note").all_inner_texts())
    assert_not_broken_into(page)


def test_a_partial_success_names_what_failed(page: Visit):
    answer = {}

    def lose_one(route):
        response = route.fetch()
        answer.update(response.json())
        error = {"message": "it was refused", "type": "t", "param": None, "code": "moderation_blocked"}
        route.fulfill(response=response, json={**answer, "errors": [error]})

    page.page.route("**/v1/images/generations", lose_one)
    page.page.fill("#n", "2")
    page.take()
    assert "1 of 2 failed. The picture was refused for safety. it was refused" in page.text(".caption")


def test_a_stored_picture_is_found_beside_the_page_whatever_its_url_says(page: Visit):
    def rename_host(route):
        response = route.fetch()
        body = response.json()
        body["data"][0]["url"] = "https://pictures.example/below/images/" + body["data"][0]["url"].rpartition("/")[2]
        route.fulfill(response=response, json=body)

    page.page.route("**/v1/images/generations", rename_host)
    page.page.select_option("#response", "url")
    page.take()
    assert page.facts()["pixels"] == "1024 × 1024"


def test_the_key_is_kept_nowhere(page: Visit):
    key = new_key()
    page.page.fill("#key", key)
    assert "YOUR_KEY" in page.code("openai-python")
    for tab in ("openai-node", "gemini-python", "gemini-node", "curl"):
        assert key not in page.code(tab)
    page.page.click("#theme")
    page.page.click("#language")
    stored = page.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert key not in stored and "sandbox" not in stored
    page.page.reload()
    assert page.find("#key").input_value() == "sandbox"


def test_without_a_sandbox_no_key_is_offered(page: Visit):
    def switch_off(route):
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace('data-sandbox="on"', 'data-sandbox="off"'))

    page.page.route(f"{page.url}/", switch_off)
    page.page.reload()
    page.find(".ratio").nth(10).wait_for()
    assert page.find("#key").input_value() == ""
    assert page.find("#use-sandbox").is_hidden()
    assert "never stored" in page.text("#key-hint")
