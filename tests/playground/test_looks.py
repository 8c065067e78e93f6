"""Languages, themes, keyboard, screen readers, narrow screens."""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.playground.visit import Visit, draw_file
from tests.support.environments import environment

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(227, 231, 229)", "rgb(15, 17, 18)"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

NAMES = (  # that are the same in both languages
    "Twinlens|TWINLENS|OPENAI IMAGES|GEMINI|:generateContent|OpenAI|Gemini|API|Python|Node|curl|HTTP|Ctrl|POST|Google|"
    "openapi|json|sandbox|Nano Banana|/v1\\S*|gemini\\S*|response_format|output_format|b64_json|url|png|jpeg|webp|avif|"
    "seed|temperature|resize|cover|contain|pip install openai|picture.py|python"
)


def test_the_browsers_language_is_spoken_and_another_choice_remembered(visit: Callable[..., Visit]):
    page = visit(locale="ko-KR")
    assert page.text("#shutter-words") == "이미지 생성"
    assert page.page.evaluate("document.documentElement.lang") == "ko"
    page.draw_at_once()
    page.take()
    assert "픽셀" in page.text(".caption")
    page.page.unroute_all()
    page.release("[[refused_image_safety]]")
    page.wait_for("failed")
    assert page.text(".trouble .headline") == "안전 정책에 따라 거부되었습니다"
    assert page.text(".advice").startswith("해결 방법: ")
    page.page.click("#language")
    assert page.text(".trouble .headline") == "The picture was refused for safety"
    assert page.find("#prompt").input_value() == "[[refused_image_safety]]"
    page.reload()
    assert page.text("#shutter-words") == "Generate"


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_no_word_of_the_other_language_is_left(visit: Callable[..., Visit], locale: str):
    page = visit(locale=locale)
    page.find("#language").evaluate("element => element.remove()")
    page.open_advanced()
    page.find("#situation-row").evaluate("element => element.remove()")
    words = page.text("body")
    if locale == "en-GB":
        assert not re.search("[가-힣]", words)
    else:
        page.find("#code").evaluate("element => element.remove()")
        assert not re.search("[A-Za-z]{3}", re.sub(NAMES, "", page.text("body")))


def test_the_theme_follows_the_system_until_it_is_chosen(page: Visit):
    page.page.emulate_media(color_scheme="light")
    assert page.page.evaluate(BACKGROUND) == LIGHT
    page.page.emulate_media(color_scheme="dark")
    assert page.page.evaluate(BACKGROUND) == DARK
    page.page.click("#theme")
    assert page.page.evaluate(BACKGROUND) == LIGHT
    page.reload()
    assert page.page.evaluate(BACKGROUND) == LIGHT
    page.page.click("#theme")
    assert page.page.evaluate(BACKGROUND) == DARK


def test_nothing_is_wider_than_the_screen(page: Visit):
    page.draw_at_once()
    page.page.fill("#n", "4")
    page.take("averyveryverylongwordwithoutanyspace" * 6)
    page.choose_lens("both")
    page.open_advanced()
    page.take()
    for width in (320, 390, 820, 1100, 1280, 2200):
        page.page.set_viewport_size({"width": width, "height": 844})
        for _ in ("Korean", "English"):
            page.page.click("#language")
            assert page.page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_prompt_button_and_result_come_first_and_cancel_stays_in_sight(page: Visit):
    page.page.set_viewport_size(PHONE)
    page.page.emulate_media(reduced_motion="reduce")
    tops = [
        box["y"]
        for name in ("#prompt", "#shutter", "#glass", "#settings", ".code")
        if (box := page.find(name).bounding_box())
    ]
    assert tops == sorted(tops) and len(tops) == 5
    assert tops[2] < 400
    page.set_key("an-own-key-of-somebody")
    page.release()
    page.find(".waiting").wait_for()
    for place in (0, 10_000):
        page.page.evaluate(f"scrollTo(0, {place})")
        box = page.find("#cancel").bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"]
    page.page.click("#cancel")
    page.wait_for("cancelled")
    page.set_key("sandbox")
    page.draw_at_once()
    page.take()
    box = page.find("#glass").bounding_box()
    assert box and -20 <= box["y"] < 400


def test_a_picture_comes_into_focus_once_and_not_where_motion_is_unwanted(page: Visit):
    animation = "getComputedStyle(document.querySelector('.frame img')).animationName"
    page.draw_at_once()
    page.take()
    assert page.page.evaluate(animation) == "focus"
    page.page.emulate_media(reduced_motion="reduce")
    assert page.page.evaluate(animation) == "none"
    page.page.emulate_media(reduced_motion="no-preference")
    page.find("#sheet button").first.click()
    assert page.page.evaluate(animation) == "none"


def test_copying_takes_the_code_that_is_shown(page: Visit):
    for tab in ("openai-python", "curl"):
        code = page.code(tab)
        page.page.click("#copy")
        page.find("#copy").get_by_text("Copied").wait_for()
        assert page.page.evaluate("navigator.clipboard.readText()") == code
    page.code("gemini-node")
    page.page.click("#copy-install")
    page.find("#copy-install").get_by_text("Copied").wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()") == "npm install @google/genai"
    assert "picture.mjs" in page.text("#code-note")


def test_the_code_follows_the_form(page: Visit, tmp_path: Path):
    assert page.find('[aria-selected="true"]').inner_text().split() == ["OpenAI", "Python"]
    page.choose_lens("gemini")
    assert page.find('[aria-selected="true"]').inner_text().split() == ["Gemini", "Python"]
    page.choose_ratio("16:9")
    assert '"aspect_ratio": "16:9"' in page.text("#code")
    page.choose_lens("openai")
    page.page.fill("#n", "3")
    page.add_picture(draw_file(tmp_path / "어떤 그림.png"))
    assert all(one in page.text("#code") for one in ("n=3", 'size="1344x768"', 'open("어떤 그림.png", "rb")'))
    assert "어떤 그림.png" in page.text("#code-note")
    code = page.find("#listing")
    assert code.evaluate("(one) => getComputedStyle(one.firstChild).whiteSpace") == "pre", "long lines scroll"
    page.page.click("#tab-gemini-node")
    assert page.text("#code-note").endswith("Not supported by the Gemini API: n.")


def test_everything_can_be_done_with_the_keyboard(page: Visit):
    keys = page.page.keyboard
    keys.press("Tab")
    assert focused(page) == "skip"
    keys.press("Enter")
    assert focused(page) == "prompt"
    keys.press("Control+a")
    keys.type("an island in the sea")
    keys.press("Tab")
    keys.press("ArrowRight")
    assert page.text("#endpoint").endswith(":generateContent")
    keys.press("ArrowLeft")
    tab_to(page, "idea")
    page.find('[name="ratio"]:checked').focus()
    for _ in range(3):
        keys.press("ArrowRight")
    tab_to(page, "n")
    keys.press("ArrowUp")
    assert page.text("#shutter-words") == "Generate 2 pictures"
    page.find("#advanced summary").focus()
    keys.press("Enter")
    tab_to(page, "stream")
    keys.press("Space")
    page.find("#prompt").focus()
    tab_to(page, "shutter")
    keys.press("Enter")
    page.wait_for("done")
    assert page.facts()["pixels"] == "1248 × 832\n2 pictures"
    tab_to(page, "enlarge")
    keys.press("Enter")
    page.find("#light[open]").wait_for()
    keys.press("Escape")
    assert focused(page) == "enlarge"
    page.find("#prompt").focus()
    keys.press("Control+Enter")
    page.find("#sheet li").nth(1).wait_for()
    page.wait_for("done")
    page.find("#sheet button").first.focus()
    keys.press("ArrowRight")
    assert (
        page.find("#sheet button").nth(1).evaluate("one => one === document.activeElement && one.ariaCurrent") == "true"
    )
    keys.press("Control+/")
    assert "Cancel the running call" in page.text("#keys")
    keys.press("Escape")
    page.find("#tab-openai-python").focus()
    keys.press("ArrowLeft")
    assert focused(page) == "tab-curl"


def test_a_mask_can_be_painted_with_the_keyboard(page: Visit, tmp_path: Path):
    page.add_picture(draw_file(tmp_path / "square.png", (300, 300)))
    page.find(".mask-tool").focus()
    page.page.keyboard.press("Enter")
    page.find("dialog[open]").wait_for()
    for key in ("ArrowRight", "ArrowDown", "Space", "]", "Space"):
        page.page.keyboard.press(key)
    tab_to(page, "mask-keep")
    page.page.keyboard.press("Enter")
    page.find("#mask").wait_for(state="hidden")
    assert page.find(".mask-tool").first.inner_text() == "Edit the mask"
    assert focused(page) == "mask-tool"


def focused(page: Visit) -> str:
    """The id of what has the focus, or the last of its classes."""
    name: str = page.page.evaluate("document.activeElement.id || [...document.activeElement.classList].at(-1) || ''")
    return name


def tab_to(page: Visit, name: str) -> None:
    """Press Tab until this has the focus; it must be visible that it has."""
    for _ in range(60):
        page.page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


# ---- axe ----

RUN_AXE = """(places) => axe.run(places.length ? { include: places } : document, { resultTypes: ["violations"] })
    .then((result) => result.violations)"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return (environment("playground-node") / "node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_axe_finds_nothing(visit: Callable[..., Visit], axe: str, tmp_path: Path, locale: str):
    """In both languages, both themes, at 1280 and 390 pixels."""
    page = visit(locale=locale, viewport=DESK, reduced_motion="reduce", bypass_csp=True)
    page.page.evaluate(axe)
    page.open_advanced()
    assert violations(page) == [], "empty"
    page.draw_at_once()
    page.page.fill("#n", "2")
    page.take()
    page.page.unroute_all()
    page.page.click(".exchange summary")
    assert violations(page, "#glass", "#caption") == [], "two pictures"
    page.find(".enlarge").first.click()
    assert violations(page, "#light") == [], "enlarged"
    page.page.keyboard.press("Escape")
    page.add_picture(draw_file(tmp_path / "some.png"))
    page.page.click("#by-address")
    page.choose_lens("both")
    page.call("[[refused_image_safety|picture]]")
    page.page.wait_for_function("!document.documentElement.classList.contains('running')")
    assert violations(page, "#camera", ".results") == [], "side by side"
    page.open_easel()
    page.paint((0.3, 0.3), (0.6, 0.6))
    assert violations(page, "#mask") == [], "the easel"
    page.leave_easel("#mask-cancel")
    page.choose_lens("gemini")
    page.set_key("an-own-key-of-somebody")
    page.call("a cat")
    page.find(".waiting").wait_for()
    assert violations(page, "#camera", "#glass") == [], "a running call"
    page.page.click("#cancel")
    page.wait_for("cancelled")
    assert violations(page, "#glass") == [], "cancelled"


def violations(page: Visit, *places: str) -> list[str]:
    """What axe finds in these places, or in the whole page, in every theme and at every width."""
    found = []
    for theme, viewport in product(("light", "dark"), (DESK, PHONE)):
        page.page.emulate_media(color_scheme=theme)
        page.page.set_viewport_size(viewport)
        for one in page.page.evaluate(RUN_AXE, list(places)):
            nodes = [f"{node['target']} {node['failureSummary']}" for node in one["nodes"]]
            found += [f"{theme}, {viewport['width']} px, {one['id']}: {node}" for node in nodes]
    page.page.set_viewport_size(DESK)
    return found


def test_the_easel_fits_a_phone(visit: Callable[..., Visit], tmp_path: Path):
    page = visit(viewport=PHONE, has_touch=True)
    page.add_picture(draw_file(tmp_path / "tall.png", (300, 900)))
    canvas = page.open_easel().bounding_box()
    assert canvas and canvas["width"] / canvas["height"] == pytest.approx(1 / 3, rel=0.03)
    assert page.find("dialog[open]").evaluate("one => one.scrollHeight <= one.clientHeight + 1")
