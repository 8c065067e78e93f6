"""Languages, themes, keyboard, screen readers, narrow screens."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.playground.visit import Visit, draw_file, pixels
from tests.support.environments import environment

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(227, 231, 229)", "rgb(15, 17, 18)"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}

NAMES = (  # that are the same in both languages
    "Twinlens|TWINLENS|OPENAI IMAGES|GEMINI|:generateContent|OpenAI|Gemini|API|Python|Node|curl|HTTP|Ctrl|POST|Google|"
    "openapi|json|sandbox|auto|/v1\\S*|gemini\\S*|response_format|output_format|b64_json|url|png|jpeg|webp|avif"
)


def test_the_browsers_language_is_spoken_and_another_choice_remembered(visit: Callable[..., Visit]):
    page = visit(locale="ko-KR")
    assert page.text("#shutter-words") == "이미지 생성"
    assert page.page.evaluate("document.documentElement.lang") == "ko"
    page.take()
    assert "픽셀" in page.text(".caption")
    page.release("[[refused_image_safety]]")
    page.wait_for("failed")
    assert page.text(".trouble .headline") == "안전 정책에 따라 거부되었습니다"
    assert page.text(".advice").startswith("해결 방법: ")
    page.page.click("#language")
    assert page.text(".trouble .headline") == "The picture was refused for safety"
    assert page.find("#prompt").input_value() == "[[refused_image_safety]]"
    page.page.reload()
    assert page.text("#shutter-words") == "Generate"


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_no_word_of_the_other_language_is_left(visit: Callable[..., Visit], locale: str):
    page = visit(locale=locale)
    page.find("#language").evaluate("element => element.remove()")
    words = page.text("body")
    if locale == "en-GB":
        assert not re.search("[가-힣]", words)
    else:
        page.find("#code").evaluate("element => element.remove()")
        assert not re.search("[A-Za-z]{3}", re.sub(NAMES, "", page.text("body")))


def test_the_theme_follows_the_system_until_it_is_chosen(visit: Callable[..., Visit]):
    page = visit(color_scheme="dark")
    assert page.page.evaluate(BACKGROUND) == DARK
    page.page.click("#theme")
    assert page.page.evaluate(BACKGROUND) == LIGHT
    page.page.reload()
    assert page.page.evaluate(BACKGROUND) == LIGHT
    page.page.click("#theme")
    assert page.page.evaluate(BACKGROUND) == DARK
    assert visit(color_scheme="light").page.evaluate(BACKGROUND) == LIGHT


def test_nothing_is_wider_than_the_screen(page: Visit):
    page.page.fill("#n", "4")
    page.take("averyveryverylongwordwithoutanyspace" * 6)
    for width in (320, 390, 820, 1100, 1400, 2200):
        page.page.set_viewport_size({"width": width, "height": 844})
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_reader_is_taken_to_the_picture(visit: Callable[..., Visit]):
    page = visit(viewport=NARROW, reduced_motion="reduce")
    page.take()
    box = page.find("#glass").bounding_box()
    assert box and -20 <= box["y"] < 100


def test_motion_stops_where_it_is_not_wanted(visit: Callable[..., Visit]):
    page = visit(reduced_motion="reduce")
    page.take()
    assert page.page.evaluate("getComputedStyle(document.querySelector('.frame img')).animationName") == "none"


def test_copying_takes_the_code_that_is_shown(visit: Callable[..., Visit]):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    for tab in ("openai-python", "curl"):
        code = page.code(tab)
        page.page.click("#copy")
        page.find("#copy").get_by_text("Copied").wait_for()
        assert page.page.evaluate("navigator.clipboard.readText()") == code


def test_the_code_follows_the_form(page: Visit, tmp_path: Path):
    assert page.find('[aria-selected="true"]').inner_text().split() == ["OpenAI", "Python"]
    page.choose_lens("gemini")
    assert page.find('[aria-selected="true"]').inner_text().split() == ["Gemini", "Python"]
    page.choose_ratio("16:9")
    assert '"aspect_ratio": "16:9"' in page.text("#code")
    page.choose_lens("openai")
    page.page.fill("#n", "3")
    page.add_picture(draw_file(tmp_path / "어떤 그림.png"))
    assert all(one in page.text("#code") for one in ("n=3", 'size="1344x768"', 'open("어떤-그림.png", "rb")'))
    assert "어떤-그림.png" in page.text("#code-note")
    page.page.click("#tab-gemini-node")
    assert page.text("#code-note").endswith("Not supported by the Gemini API: n.")


def test_everything_can_be_done_with_the_keyboard(page: Visit, tmp_path: Path):
    keys = page.page.keyboard
    keys.press("Tab")
    assert focused(page) == "skip"
    keys.press("Enter")
    assert focused(page) == "prompt"
    keys.press("Control+a")
    keys.type("an island in the sea")
    keys.press("Shift+Tab")
    keys.press("ArrowDown")
    assert page.text("#endpoint").endswith(":generateContent")
    keys.press("ArrowUp")
    keys.press("Tab")
    keys.press("Tab")
    for _ in range(3):
        keys.press("ArrowRight")
    tab_to(page, "n")
    keys.press("ArrowUp")
    assert page.text("#shutter-words") == "Generate 2 pictures"
    tab_to(page, "stream")
    keys.press("Space")
    tab_to(page, "shutter")
    keys.press("Enter")
    page.wait_for("done")
    assert page.facts()["pixels"] == "1248 × 832\n2 pictures"
    tab_to(page, "enlarge")
    keys.press("Enter")
    assert focused(page) == "show-all"
    keys.press("Enter")
    assert focused(page) == "enlarge"
    page.find("#sheet button").focus()
    keys.press("Enter")
    assert page.find("#sheet button").evaluate("one => one === document.activeElement")
    tab_to(page, "tab-openai-python")
    keys.press("ArrowLeft")
    assert focused(page) == "tab-curl"
    page.find("#prompt").focus()
    keys.press("Control+Enter")
    page.find("#sheet li").nth(1).wait_for()
    page.wait_for("done")


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


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return (environment("playground-node") / "node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize(
    ("theme", "viewport"), [("light", WIDE), ("dark", NARROW)], ids=["light, wide", "dark, narrow"]
)
def test_axe_finds_nothing(visit: Callable[..., Visit], axe: str, tmp_path: Path, theme: str, viewport: dict[str, int]):
    page = visit(color_scheme=theme, viewport=viewport, reduced_motion="reduce", bypass_csp=True)
    page.page.evaluate(axe)
    assert violations(page) == [], "empty"
    page.page.fill("#n", "2")
    page.take()
    assert violations(page) == [], "two pictures"
    page.page.fill("#key", "")
    page.choose_lens("gemini")
    page.page.fill("#key", "sandbox")
    page.take()
    page.add_picture(draw_file(tmp_path / "some.png"))
    page.choose_lens("openai")
    assert violations(page) == [], "a picture, and one to start from"
    page.open_easel()
    page.paint((0.3, 0.3), (0.6, 0.6))
    assert violations(page) == [], "the easel"
    page.leave_easel("#mask-cancel")
    page.release("[[quota_per_minute]]")
    page.wait_for("failed")
    assert violations(page) == [], "an error"
    page.page.fill("#key", "an-own-key-of-somebody")
    page.release("a cat")
    page.page.wait_for_timeout(200)
    assert violations(page) == [], "a running call"
    page.page.click("#cancel")
    page.wait_for("cancelled")
    page.page.click("#language")
    assert violations(page) == [], "cancelled, in Korean"


def violations(page: Visit) -> list[str]:
    found = page.page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then((result) => result.violations)")
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def test_the_easel_fits_a_phone(visit: Callable[..., Visit], tmp_path: Path):
    page = visit(viewport=NARROW, has_touch=True)
    page.add_picture(draw_file(tmp_path / "tall.png", (300, 900)))
    canvas = page.open_easel().bounding_box()
    assert canvas and canvas["width"] / canvas["height"] == pytest.approx(1 / 3, rel=0.03)
    assert page.find("dialog").evaluate("one => one.scrollHeight <= one.clientHeight + 1")
    assert pixels((tmp_path / "tall.png").read_bytes()) == (300, 900)
