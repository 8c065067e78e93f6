"""Pictures: the same for the same prompt, seed and number, changed where a change is asked for."""

from __future__ import annotations

import time

import pytest
from PIL import Image, ImageChops, ImageStat

from sandbox.drawing import SCENES, change_pictures, draw_picture
from sandbox.drawing import subjects as subjects_module
from sandbox.drawing.palettes import PALETTES
from sandbox.drawing.styles import unfinished
from sandbox.drawing.subjects import MOODS, names, subject_of
from tests.sandbox.gemini_client import Client, body_of, parts_of

PROMPTS = {
    "미래 도시의 네온사인 거리를 걷는 사이버펑크 고양이": "city",
    "광활한 알프스 산맥의 풍경, 초현실적인 스타일": "mountains",
    "수채화 스타일의 봄꽃 정원": "garden",
    "the sea at sunset": "sea",
}


@pytest.fixture(autouse=True)
def quick_drawing() -> None:
    """Pictures are drawn here as they are for users."""


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures of one size, 0 to 255."""
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return float(sum(means) / 3)


@pytest.mark.parametrize(("prompt", "scene"), PROMPTS.items())
def test_a_prompt_names_its_scene_and_always_gets_the_same_picture(prompt: str, scene: str) -> None:
    assert subject_of(prompt).scene == scene
    image = draw_picture(prompt, (344, 192))
    assert (image.size, image.mode) == ((344, 192), "RGB")
    assert draw_picture(prompt, (344, 192)).tobytes() == image.tobytes()
    assert max(ImageStat.Stat(image.convert("L")).stddev) > 15


def test_what_a_prompt_names_is_drawn() -> None:
    assert subject_of("a siamese cat").cat and subject_of("네온 도시의 고양이").cat
    assert not subject_of("a category of seasons").cat
    assert subject_of("초현실적인 풍경").planet
    assert subject_of("winter mountains").snow
    assert subject_of("autumn mountains").palette == PALETTES["golden"]
    assert subject_of("수채화 정원").watercolor
    assert names("산 위의 아침", "산") and not names("부산의 아침", "산")
    plain = draw_picture("the sea, a siamese dog", (256, 256))
    for words in ("cat", "snow", "watercolor", "surreal"):
        assert difference(draw_picture(f"the sea, a siamese {words}", (256, 256)), plain) > 1


def test_every_palette_and_scene_that_is_named_exists() -> None:
    assert set(subjects_module.SCENES) == set(SCENES)
    rows = [row.partition("|")[2] for row in subjects_module.SCENES.values()] + [palettes for _, palettes in MOODS]
    assert {name for row in rows for name in row.split()} == set(PALETTES)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (160, 20), (20, 160)])
def test_any_size_can_be_drawn(scene: str, size: tuple[int, int]) -> None:
    name = subjects_module.SCENES[scene].split()[0]
    assert draw_picture(f"{name} and a cat, surreal, snow, watercolor", size).size == size


def test_any_text_can_be_drawn() -> None:
    for prompt in ("", "\ud800", "\0", "x" * 20_000, "🌸"):
        assert draw_picture(prompt, (64, 64)).size == (64, 64)


def test_other_prompts_seeds_and_numbers_give_other_pictures() -> None:
    size = (256, 256)
    drawn = [draw_picture("a siamese cat", size, seed) for seed in (None, 1, 2)]
    drawn += [draw_picture("a siamese cat", size, number=number) for number in (1, 2)]
    drawn += [draw_picture("a siamese cat", size, 1, 1), draw_picture("a persian cat", size)]
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)


@pytest.mark.parametrize(
    "prompt",
    [
        "make it a watercolor",
        "pencil sketch",
        "흑백으로",
        "sepia",
        "let it snow",
        "at night",
        "a poster",
        "nicer",
        "red",
    ],
)
def test_every_change_is_visible_and_repeatable(prompt: str) -> None:
    source = draw_picture("the sea at sunset", (256, 192))
    changed = change_pictures([source], prompt, (256, 192))
    assert difference(changed, source) > 6
    assert changed.tobytes() == change_pictures([source], prompt, (256, 192)).tobytes()
    for seed, number in ((None, 1), (7, 0)):
        assert difference(change_pictures([source], prompt, (256, 192), seed=seed, number=number), changed) > 1.5


def test_blue_tones() -> None:
    source = draw_picture("golden mountains", (512, 512))
    changed = change_pictures([source], "이 이미지를 파란색 톤으로 변환해주세요", (512, 512))
    red, _, blue = ImageStat.Stat(changed).mean
    assert blue > red + 25
    assert difference(changed.convert("L"), source.convert("L")) < 60  # still the same picture


def test_a_picture_is_cropped_or_framed_and_never_squeezed() -> None:
    source = Image.new("RGB", (120, 100), "black")
    source.paste("white", (10, 0, 110, 100))
    assert change_pictures([source], "흑백", (100, 100)).convert("L").getpixel((2, 50)) > 200
    framed = change_pictures([source], "흑백", (100, 200)).convert("L")
    assert framed.getpixel((2, 100)) < 50 < 200 < framed.getpixel((50, 100))
    assert framed.getpixel((2, 20)) > 50


@pytest.mark.parametrize("size", [(300, 100), (100, 300)])
def test_several_pictures_stand_side_by_side(size: tuple[int, int]) -> None:
    colors = ("red", "lime", "blue")
    changed = change_pictures([Image.new("RGB", (64, 64), color) for color in colors], "warm", size)
    middles = [
        (size[0] * (2 * i + 1) // 6, 50) if size[0] > size[1] else (50, size[1] * (2 * i + 1) // 6) for i in range(3)
    ]
    assert len({changed.getpixel(place) for place in middles}) == 3


def test_a_drawing_grows_clearer() -> None:
    whole = draw_picture("the sea at sunset", (256, 192))
    distances = [difference(unfinished(whole, step), whole) for step in range(3)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] > 0


def test_pictures_weigh_what_real_ones_weigh_and_are_drawn_quickly(client: Client) -> None:
    started = time.process_time()
    for prompt in ("neon city", "a garden", "the sea", "mountains"):
        blob = parts_of(client.call(body_of(prompt)).json())[1]["inlineData"]["data"]
        assert 200_000 < len(blob) * 3 / 4 < 1_700_000
    assert (time.process_time() - started) / 4 < 0.8  # about 0.2 s
