"""Pictures in a real browser: both APIs, alone and side by side, edits, masks, streams, jobs, errors, the history."""

import json
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.playground.visit import WIDE, Visit, draw_file, picture_body, pixels
from tests.support.keys import new_key

GENERATIONS = "**/v1/images/generations"


def test_the_first_press_of_the_button_brings_a_picture(page: Visit):
    assert page.find("#key").input_value() == "sandbox"
    page.take()
    facts = page.facts()
    assert facts["pixels"] == "1024 × 1024"
    assert re.fullmatch(r"[\d.]+ (MB|kB)\npng", facts["bytes"])
    assert re.fullmatch(r"\d+\.\d s", facts["time"])
    assert re.match(r"1,3\d\d\n", facts["tokens"])
    assert facts["cost"] == "$0.0387\nfree in the sandbox"
    name, picture = page.download()
    assert (name, pixels(picture)) == ("a-black-cat-on-a-neon-street-rain-on-the-asphalt.png", (1024, 1024))
    assert "Picture ready: 1024 × 1024 pixels" in page.text("#news")
    assert page.text("#sum") == "1 picture · $0.0387 in the sandbox (free)"
    page.draw_at_once()
    page.take()
    assert page.download()[0].endswith("-2.png"), "no two downloads share a name"


def test_what_was_sent_and_received_is_shown_without_the_key_and_the_pictures(page: Visit):
    page.page.route(
        GENERATIONS, lambda route: route.continue_(headers={**route.request.headers, "authorization": "Bearer sandbox"})
    )
    key = new_key()
    page.set_key(key)
    page.take()
    page.page.click(".exchange summary")
    text = page.text(".exchange pre")
    assert text.startswith("POST /v1/images/generations\nAuthorization: Bearer YOUR_KEY\n")
    assert '"prompt": "a black cat' in text and "\n200 OK\n" in text and '"total_tokens"' in text
    assert re.search(r'"b64_json": ?"\S{60}… \(\d+ characters\)"', text)
    assert key not in text and len(text) < 5000


def test_both_apis_side_by_side(page: Visit):
    page.choose_lens("both")
    assert page.text("#shutter-words") == "Generate with both: buys 2"
    assert page.find("#n").is_disabled()
    page.choose_ratio("21:9")
    page.take("the Alps at dawn")
    assert page.find("#glass .half-title").all_inner_texts() == ["OpenAI", "Gemini"]
    assert not page.find("#caption .half-title").first.is_visible()
    page.page.set_viewport_size({"width": 390, "height": 844})
    assert page.find("#caption .half-title").all_inner_texts() == ["OpenAI", "Gemini"], "below each other they need it"
    page.page.set_viewport_size(WIDE)
    assert [one.inner_text() for one in page.find('[data-fact="pixels"] dd').all()] == ["1536 × 672"] * 2
    assert page.text(".model-words")
    asked = [address.rpartition("/")[2] for address in page.addresses if "/v1" in address]
    assert sorted(asked) == ["gemini-2.5-flash-image:generateContent", "generations"]
    page.release("[[refused_image_safety|picture]]")
    page.find(".trouble").first.wait_for()
    assert page.find("#sheet [data-number]").first.get_attribute("data-count") in (None, "2")


def test_a_format_and_exact_pixels(page: Visit):
    page.open_advanced()
    page.page.select_option("#response", "url")
    page.page.select_option("#format", "webp")
    page.page.select_option("#resize", "cover")
    page.page.fill("#width", "300")
    page.page.fill("#height", "157")
    page.take("a pine forest in fog")
    image = Image.open(BytesIO(page.download()[1]))
    assert (image.format, image.size) == ("WEBP", (300, 157))


def test_four_pictures_are_saved_at_once_and_enlarged_one_by_one(page: Visit):
    page.page.fill("#n", "4")
    assert page.text("#shutter-words") == "Generate 4 pictures"
    page.choose_ratio("4:3")
    page.take("a garden")
    assert page.facts()["pixels"] == "1184 × 864\n4 pictures"
    assert page.facts()["cost"].startswith("$0.1548\n$0.0387 each")
    saved = page.every_picture()
    assert list(saved) == ["a-garden.png", "a-garden-2.png", "a-garden-3.png", "a-garden-4.png"]
    assert {pixels(picture) for picture in saved.values()} == {(1184, 864)} and len(set(saved.values())) == 4
    page.find(".enlarge").nth(2).click()
    assert page.text("#light-text").startswith("3 / 4 · OpenAI · 1184 × 864")
    page.page.keyboard.press("ArrowRight")
    assert page.text("#light-text").startswith("4 / 4")
    page.find("#light-acts").get_by_text("Use as input").click()
    page.find("#inputs li").wait_for()
    assert page.text("#inputs .name") == "a-garden-4.png"
    assert page.text("#shutter-words") == "Generate 4 pictures"


@pytest.mark.parametrize("surface", ["openai", "gemini"])
def test_an_edit_keeps_the_shape_of_its_input(page: Visit, tmp_path: Path, surface: str):
    page.choose_lens(surface)
    page.add_picture(draw_file(tmp_path / "small.png", (600, 400)))
    assert "600×400" in page.text("#inputs")
    page.take("turn it into blue tones")
    assert page.facts()["pixels"] == "1248 × 832"
    requested = "/v1/images/edits" if surface == "openai" else ":generateContent"
    assert any(address.endswith(requested) for address in page.addresses)


def test_pictures_and_links_come_by_drop_and_by_paste_too(page: Visit):
    for number, event in enumerate(("paste", "drop", "link")):
        page.page.evaluate(
            """async (name) => {
              const canvas = new OffscreenCanvas(40, 30);
              canvas.getContext("2d").fillRect(0, 0, 40, 30);
              const blob = await canvas.convertToBlob();
              const data = new DataTransfer();
              if (name === "link") data.setData("text/uri-list", "https://pictures.example/cat.jpg");
              else data.items.add(new File([blob], "image.png", { type: "image/png" }));
              const event = name === "paste"
                ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
                : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
              document.body.dispatchEvent(event);
            }""",
            event,
        )
        page.find("#inputs li").nth(number).wait_for()
    assert page.find("#inputs .name").all_inner_texts() == ["image.png", "image-2.png", "cat.jpg"]
    assert page.find("#inputs .pixels").all_inner_texts()[2] == "pictures.example"
    page.draw_at_once()
    page.take("all three together")
    assert [address for address in page.addresses if "pictures.example" in address] == []
    page.find("#inputs .round").first.click()
    assert page.find("#inputs li").count() == 2


def test_what_is_no_picture_is_refused(page: Visit, tmp_path: Path):
    (tmp_path / "words.png").write_text("these are words")
    page.page.set_input_files("#files", tmp_path / "words.png")
    page.find(".toast").wait_for()
    assert page.text("#news") == "words.png is not a picture this browser can read."
    page.page.click("#by-address")
    page.page.fill("#address", "http://pictures.example/cat.jpg")
    page.page.click("#add-address")
    assert page.text("#news") == "Only https addresses of pictures can be sent."
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


def test_a_picture_is_changed_by_words_on_either_api(page: Visit):
    asked_chats: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/v1/chat/completions"):
            asked_chats.append(request.post_data_json)

    page.page.on("request", note)
    page.take("a cat")
    page.find(".caption").get_by_text("Change by words").click()
    assert page.text("#turns-text") == "Change 1 of: a cat" and page.text("#endpoint") == "POST /v1/chat/completions"
    page.take("at night")
    assert page.facts()["pixels"] == "1024 × 1024"
    assert page.text("#turns-text") == "Change 2 of: at night", "a conversation goes on by itself"
    page.take("in snow")
    assert [one["role"] for one in asked_chats[1]["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    page.reload()
    assert page.text("#turns-text") == "Change 3 of: in snow"
    page.page.click("#turns-end")
    page.choose_lens("gemini")
    page.take("a cat")
    page.find(".caption").get_by_text("Change by words").click()
    with page.page.expect_request("**:generateContent") as asked:
        page.take("turn it into blue tones")
    contents = asked.value.post_data_json["contents"]
    assert [one["role"] for one in contents] == ["user", "model", "user"]
    assert "inlineData" in contents[1]["parts"][-1]


# ---- errors ----

ERRORS = [
    ("openai", "refused_image_safety", "refused for safety", "moderation_blocked"),
    ("openai", "quota_per_day", "quota is used up", "insufficient_quota"),
    ("openai", "quota_per_minute", "Too many requests", "rate_limit_exceeded"),
    ("openai", "api_key_invalid", "Gemini does not accept this key", "invalid_api_key"),
    ("openai", "html_502", "Gemini cannot be reached", "upstream_error"),
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


READ_ERRORS = """async ([situations, surface, stream]) => {
  const [{ generate }, { readRequest }, { explain }] = await Promise.all(
    ["answers", "form", "words"].map((name) => import(`/playground/${name}.js`)),
  );
  const listeners = { words() {}, exchange() {}, job() {} };
  const fail = async (situation) => {
    const request = { ...readRequest(), surface, stream, response: "b64_json", prompt: `something [[${situation}]]` };
    const call = generate(request, new AbortController().signal, listeners);
    const error = await call.then(() => ({}), (failure) => failure);
    return [explain(error.problem, "Gemini").title, error.code];
  };
  return Object.fromEntries(await Promise.all(situations.map(async (one) => [one, await fail(one)])));
}"""


def read_errors(page: Visit, surface: str, situations: Sequence[str], stream: bool = False) -> dict[str, list[str]]:
    """Title and code of each situation, from the page's own modules: that is faster than its button."""
    found: dict[str, list[str]] = page.page.evaluate(READ_ERRORS, [list(situations), surface, stream])
    return found


def test_errors_are_explained_in_both_dialects(page: Visit):
    for surface in ("openai", "gemini"):
        rows = [row for row in ERRORS if row[0] == surface]
        found = read_errors(page, surface, [situation for _, situation, _, _ in rows])
        for _, situation, title, code in rows:
            assert title in found[situation][0] and found[situation][1] == code, (surface, situation, found)
        _, situation, title, code = rows[0]
        page.choose_lens(surface)
        page.call(f"something [[{situation}]]")
        page.wait_for("failed")
        assert title in page.text(".trouble .headline") and title in page.text("#news")
        assert page.text(".advice").startswith("What to do: ")
        assert code in page.find(".codes code").all_inner_texts()
        assert page.text(".exchange .id")


def test_what_an_error_offers_fits_it(page: Visit):
    page.call("[[refused_image_safety]]")
    page.wait_for("failed")
    page.find(".trouble button").get_by_text("Change the prompt").click()
    assert page.page.evaluate("document.activeElement.id") == "prompt"
    page.call("[[api_key_invalid]]")
    page.wait_for("failed")
    page.find(".trouble button").get_by_text("Change the key").click()
    assert page.page.evaluate("document.activeElement.id") == "key"
    assert page.find(".trouble").get_by_text("Generate again").count() == 0


def test_streams_that_end_badly_are_explained_too(page: Visit):
    situations = {
        "error_mid_stream": "",
        "bare_error_mid_stream": "",
        "truncated_stream_before_picture": "",
        "streamed_refusal": "refused for safety",
        "streamed_text_only": "made no picture",
        "error_on_stream": "",
    }
    for surface in ("gemini", "openai"):
        found = read_errors(page, surface, list(situations), stream=True)
        for situation, title in situations.items():
            assert title in found[situation][0] and found[situation][0] != "The call failed", (surface, situation)
    page.complaints[:] = [one for one in page.complaints if "ERR_" not in one]  # a cut transfer is Chromium's news


def test_the_proxy_that_is_gone_is_explained(page: Visit):
    page.page.route(GENERATIONS, lambda route: route.abort())
    page.release()
    page.wait_for("failed")
    assert page.text(".trouble .headline") == "The proxy cannot be reached"
    page.complaints.clear()  # the network's own error


def test_without_prompt_or_key_no_request_is_sent(page: Visit):
    page.release("")
    assert page.find("#prompt").get_attribute("aria-invalid") == "true"
    page.page.fill("#prompt", "a cat")
    page.set_key("")
    page.page.click("#advanced summary")
    page.release()
    assert page.text("#news") == "Enter a key first."
    assert page.find("#key").get_attribute("aria-invalid") == "true"
    assert page.find("#sheet li").count() == 0
    page.page.click("#use-sandbox")
    page.draw_at_once()
    page.take()
    assert page.find("#key").get_attribute("aria-invalid") is None


def test_a_running_call_shows_its_time_in_the_right_frame_and_can_be_cancelled(page: Visit):
    page.set_key(new_key())
    page.choose_ratio("9:16")
    page.release()
    page.find(".waiting").wait_for()
    page.page.locator(".clock", has_text=re.compile(r"0\.[5-9]|[1-9]")).wait_for()
    assert re.match(r"Generating… \d\.\d s", page.text("#shutter-words"))
    box = page.find(".waiting").bounding_box()
    assert box and box["width"] / box["height"] == pytest.approx(9 / 16, rel=0.03)
    with page.page.expect_event("requestfailed") as failed:
        page.page.click("#cancel")
    assert "ABORTED" in failed.value.failure
    page.wait_for("cancelled")
    assert page.text("#news") == "The call was cancelled."
    assert "Gemini may still bill" in page.text("#glass")
    page.find("#glass").get_by_text("Generate again").click()
    page.wait_for("running")
    page.page.keyboard.press("Escape")
    page.wait_for("cancelled")


def test_the_missing_ones_of_n_are_asked_for_again(page: Visit):
    error = {"message": "it was refused", "type": "t", "param": None, "code": "moderation_blocked"}
    body = {**picture_body(), "errors": [error]}
    page.page.route(GENERATIONS, lambda route: route.fulfill(json=body))
    page.page.fill("#n", "2")
    page.take()
    assert "1 of 2 failed. The picture was refused for safety. it was refused" in page.text(".caption")
    page.page.unroute_all()
    page.draw_at_once()
    page.find(".caption").get_by_text("Ask for the missing 1 again").click()
    page.find(".frame img").nth(1).wait_for()
    page.wait_for("done")
    assert page.facts()["pixels"] == "64 × 32\n2 pictures"
    assert "failed" not in page.text(".caption")


# ---- what survives a reload ----


def test_history_prompt_and_settings_survive_a_reload_until_they_are_cleared(page: Visit, tmp_path: Path):
    page.choose_ratio("3:2")
    page.take("a desert with a balloon")
    page.choose_ratio("2:3")
    page.choose_lens("gemini")
    page.add_picture(draw_file(tmp_path / "some.png"))
    page.take("a galaxy")
    page.page.fill("#prompt", "something unfinished")
    page.reload()
    assert page.find("#prompt").input_value() == "something unfinished"
    assert page.text("#endpoint").endswith(":generateContent") and page.find("#inputs li").count() == 1
    assert page.find('[name="ratio"]:checked').input_value() == "2:3"
    assert page.find("#sheet button").count() == 2 and page.find(".frame img").count() == 1
    page.find("#sheet button").nth(1).click()
    assert page.facts()["pixels"] == "1248 × 832"
    page.find(".caption").get_by_text("Use these settings").click()
    assert page.find("#prompt").input_value() == "a desert with a balloon"
    assert 'size="1248x832"' in page.code("openai-python")
    page.page.click("#clear")
    page.find("#clear").get_by_text("Really delete all?").click()
    assert page.find("#sheet button").count() == 0
    page.reload()
    assert page.find("#sheet button").count() == 0 and page.find(".idea").count() == 4


def test_a_job_survives_a_reload_and_a_cancelled_one_ends(page: Visit):
    job = {"id": "imgjob_1", "object": "image.job", "status": "in_progress", "error": None, "result": None}
    methods: list[str] = []

    def poll(route):
        methods.append(f"{route.request.method} {route.request.headers.get('prefer')}")
        route.fulfill(status=200, json=job)

    page.context.route(GENERATIONS, lambda route: route.fulfill(status=202, json=job))
    page.context.route("**/v1/images/jobs/imgjob_1", poll)
    with_bootstrap(page, jobs=True)
    page.open_advanced()
    page.find("#job-row").click()
    page.release()
    page.find(".waiting").wait_for()
    page.page.wait_for_timeout(300)
    page.page.reload()
    page.wait_for("running")
    assert methods[0] == "GET wait=30"
    job.update(status="completed", result=picture_body())
    page.wait_for("done")
    assert page.facts()["pixels"] == "64 × 32"
    job.update(status="in_progress", result=None)
    with page.page.expect_request("**/v1/images/jobs/imgjob_1"):
        page.call()
    with page.page.expect_request(lambda request: request.method == "DELETE"):
        page.page.click("#cancel")
    page.wait_for("cancelled")


def test_a_link_has_the_settings_and_never_the_key(page: Visit):
    page.choose_lens("both")
    page.page.fill("#prompt", "a cat & a dog #1")
    page.choose_ratio("16:9")
    page.page.fill("#seed", "5")
    key = new_key()
    page.set_key(key)
    page.page.click("#link")
    page.find("#link").get_by_text("Copied").wait_for()
    link = page.page.evaluate("navigator.clipboard.readText()")
    assert key not in link and "sandbox" not in link
    page.begin_again()
    page.page.goto(link)
    page.page.reload()
    page.wait_until_ready()
    assert page.find("#prompt").input_value() == "a cat & a dog #1"
    assert page.text("#shutter-words") == "Generate with both: buys 2"
    assert page.find("#seed").input_value() == "5"
    assert page.find('[name="ratio"]:checked').input_value() == "16:9"


def test_the_key_is_kept_nowhere(page: Visit):
    key = new_key()
    page.set_key(key)
    for tab in ("openai-python", "openai-node", "gemini-python", "gemini-node", "curl"):
        code = page.code(tab)
        assert key not in code and "YOUR_KEY" in code
    page.release()
    page.find(".waiting").wait_for()
    page.page.click("#cancel")
    page.wait_for("cancelled")
    page.page.wait_for_timeout(250)
    stored = page.page.evaluate(
        """async () => {
          const request = indexedDB.open("twinlens");
          const database = await new Promise((done) => (request.onsuccess = () => done(request.result)));
          const all = (name) => new Promise((done) => {
            const listed = database.transaction(name).objectStore(name).getAll();
            listed.onsuccess = () => done(listed.result);
          });
          const kept = [await all("entries"), await all("drafts")];
          return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, kept]);
        }"""
    )
    assert "a black cat" in stored and key not in stored
    page.reload()
    assert page.find("#key").input_value() == "sandbox"


# ---- models, keys, budgets ----


def with_bootstrap(page: Visit, models: Sequence[dict[str, object]] = ({},), **changes: object) -> None:
    """The page again, as a service with other settings would send it."""

    def change(route):
        response = route.fetch()
        text = response.text()
        known = json.loads(re.search(r'id="bootstrap">(.*?)</script>', text)[1])
        known["models"] = [{**known["models"][0], **one} for one in models]
        begin, _, rest = text.partition('id="bootstrap">')
        body = f"""{begin}id="bootstrap">{json.dumps({**known, **changes})}{rest[rest.index("</script>") :]}"""
        route.fulfill(response=response, body=body)

    page.page.route(f"{page.url}/", change)
    page.page.reload()
    page.wait_until_ready()


def test_the_chosen_model_decides_ratios_tiers_and_the_servers_name(page: Visit):
    tiers = {"1K": {"1:1": "1024x1024"}, "2K": {"1:1": "2048x2048"}}
    mine = {"id": "mine", "title": "Qwen-Image", "server": "Qwen-Image", "key": "operator", "api": "openai"}
    mine |= {
        "image_sizes": tiers,
        "aspect_ratios": {"1:1": "1024x1024"},
        "shutdown_date": None,
        "upstream_model": "mine",
    }
    with_bootstrap(page, models=[{"successor": "gemini-nano-banana-2.1", "server": "Google"}, mine], sandbox=False)
    assert page.text("#model option:first-child") == "Nano Banana · gemini-2.5-flash-image (ended)"
    assert "Google announced the end of this model for October 2, 2026. Its successor is" in page.text("#model-note")
    assert page.find("#tier-row").is_hidden() and page.find("#key").input_value() == ""
    assert "Your own key of Google" in page.text("#key-hint")
    page.page.select_option("#model", "mine")
    assert page.find(".ratio").count() == 2 and page.find("#model-note").is_hidden()
    page.page.select_option("#tier", "2K")
    page.choose_ratio("1:1")
    assert 'size="2048x2048"' in page.code("openai-python")
    assert page.text("#key-hint") == "This model needs no key of yours."
    error = {"message": "no", "type": "server_error", "param": None, "code": "upstream_error"}
    page.page.route(GENERATIONS, lambda route: route.fulfill(status=502, json={"error": error}))
    page.release()
    page.wait_for("failed")
    assert page.text(".trouble .headline") == "Qwen-Image cannot be reached, or its answer broke off"


def test_the_budget_of_a_key_is_shown(page: Visit):
    budget = {"name": "ann", "budget_usd": 20, "per": "month", "spent_usd": 15.8, "reserved_usd": 0, "left_usd": 4.2}
    page.page.route("**/v1/key", lambda route: route.fulfill(status=200, json=budget))
    with_bootstrap(page, access="keys")
    assert page.find("#budget").is_hidden()
    page.set_key("twl_" + "x" * 30)
    page.find("#budget").wait_for()
    assert page.text("#budget") == "4.20 of 20 USD left this month"
    page.page.route("**/v1/key", lambda route: route.fulfill(status=404, json={}))
    page.page.fill("#key", "twl_" + "y" * 30)
    page.find("#budget").wait_for(state="hidden")


def test_a_situation_of_the_sandbox_is_picked_from_a_list(page: Visit):
    page.open_advanced()
    page.page.select_option("#situation", "text_only")
    assert page.find("#prompt").input_value().endswith("asphalt [[text_only]]")
    page.page.select_option("#situation", "quota_per_day")
    page.release()
    page.wait_for("failed")
    assert "quota is used up" in page.text(".trouble")
    page.page.select_option("#situation", "")
    assert page.find("#prompt").input_value().endswith("asphalt")


# ---- nothing is parsed as HTML ----

MARKUP = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"


def assert_not_broken_into(page: Visit) -> None:
    """No text has become an element, or has run."""
    page.page.wait_for_timeout(100)  # as an error of a picture that does not load would need
    assert page.find("main script, main img[src=x]").count() == 0
    assert page.page.title() == "Twinlens"


def test_markup_in_a_prompt_stays_text(page: Visit):
    page.draw_at_once()
    page.take(MARKUP)
    assert page.find(".frame img").get_attribute("alt") == MARKUP
    assert MARKUP.replace('"', '\\"') in page.code("openai-python")
    page.page.click(".exchange summary")
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
    "openai": (GENERATIONS, {"error": OPENAI_ERROR}),
    "openai's stream": (GENERATIONS, {"type": "error", "error": OPENAI_ERROR}),
    "gemini": ("**:generateContent", {"error": GOOGLE_ERROR}),
    "gemini's stream": ("**:streamGenerateContent**", {"error": GOOGLE_ERROR}),
}


def answering(answer: dict[str, Any]) -> Callable[[Any], None]:
    """Answers every request with this; Playwright gives the request too to whatever takes two arguments."""
    return lambda route: route.fulfill(**answer)


def test_markup_in_an_error_stays_text(page: Visit):
    for name, (address, body) in EVIL_ERRORS.items():
        surface, _, streams = name.partition("'")
        page.choose_lens(surface)
        page.open_advanced()
        page.find("#stream").set_checked(bool(streams), force=True)
        events = {"status": 200, "content_type": "text/event-stream", "body": f"data: {json.dumps(body)}\n\n"}
        answer = events if streams else {"status": 400, "json": body}
        page.page.route(address, answering(answer))
        page.call("a cat")
        page.wait_for("failed")
        assert page.text(".said blockquote") == MARKUP, name
        codes = page.find(".codes code").all_inner_texts()
        assert MARKUP in codes and f"param: {MARKUP}" in codes, name
        page.page.unroute(address)
    assert_not_broken_into(page)


def test_markup_in_what_is_said_instead_of_a_picture_stays_text(page: Visit):
    candidate = {"content": {"parts": [{"text": MARKUP}]}, "finishReason": MARKUP, "finishMessage": MARKUP}
    page.page.route("**:generateContent", lambda route: route.fulfill(status=200, json={"candidates": [candidate]}))
    page.choose_lens("gemini")
    page.release("a cat")
    page.wait_for("failed")
    assert page.text(".said blockquote") == f"{MARKUP}: {MARKUP}: {MARKUP}"
    assert_not_broken_into(page)


def test_markup_beside_a_picture_and_in_headers_stays_text(page: Visit):
    answer = {**picture_body(), "errors": [OPENAI_ERROR]}
    answer["data"] = [{**answer["data"][0], "text": MARKUP}]
    headers = {"x-twinlens-ignored": MARKUP, "x-twinlens-model": MARKUP, "x-request-id": MARKUP}
    page.page.route(GENERATIONS, lambda route: route.fulfill(status=200, json=answer, headers=headers))
    page.take("a cat")
    assert page.text(".model-words") == MARKUP
    assert MARKUP in "".join(page.find(".caption .note").all_inner_texts())
    assert_not_broken_into(page)


def test_a_stored_picture_is_found_beside_the_page_whatever_its_url_says(page: Visit):
    def rename_host(route):
        response = route.fetch()
        body = response.json()
        body["data"][0]["url"] = "https://pictures.example/below/images/" + body["data"][0]["url"].rpartition("/")[2]
        route.fulfill(response=response, json=body)

    page.page.route(GENERATIONS, rename_host)
    page.open_advanced()
    page.page.select_option("#response", "url")
    page.take()
    assert page.facts()["pixels"] == "1024 × 1024"
