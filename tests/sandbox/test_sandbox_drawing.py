"""Pictures: the same for the same words, different for others, changed where a change is asked for."""

from __future__ import annotations

import base64
import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageChops, ImageStat

from sandbox.drawing import change_pictures, draw_picture
from sandbox.drawing.palettes import PALETTES
from sandbox.drawing.scenes import SCENES
from sandbox.drawing.subjects import MOODS, PALETTES_OF, WORDS, subject_of
from tests.sandbox.sandbox_clients import Client, asking, inline, parts_of, pictures_of, png

PROMPTS = {
    "미래 도시의 네온사인 거리를 걷는 사이버펑크 고양이": "city",
    "광활한 알프스 산맥의 풍경, 초현실적인 스타일": "mountains",
    "수채화 스타일의 봄꽃 정원": "garden",
    "a siamese cat": "cat",
    "the sea at sunset": "sea",
    "깊은 우주": "space",
    "a misty forest": "forest",
    "balloons over the desert": "desert",
}


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures of one size, 0 to 255."""
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return float(sum(means) / 3)


def channels(image: Image.Image) -> list[float]:
    return [float(mean) for mean in ImageStat.Stat(image).mean]


@pytest.mark.parametrize(("prompt", "scene"), PROMPTS.items())
def test_a_prompt_finds_its_scene_and_fills_the_canvas(prompt: str, scene: str) -> None:
    assert subject_of(prompt).scene == scene
    image = draw_picture(prompt, (344, 192))
    assert (image.size, image.mode) == ((344, 192), "RGB")
    assert draw_picture(prompt, (344, 192)).tobytes() == image.tobytes()
    assert max(ImageStat.Stat(image.convert("L")).stddev) > 15


def test_details_of_a_prompt() -> None:
    assert subject_of("미래 도시의 네온사인 거리를 걷는 사이버펑크 고양이").wish.cat
    assert subject_of("광활한 알프스 산맥의 풍경, 초현실적인 스타일").wish.dream
    assert subject_of("수채화 스타일의 봄꽃 정원").watercolor
    assert subject_of("winter mountains").wish.snow
    assert subject_of("a category of seasons").scene not in ("cat", "sea") or not subject_of("a category").wish.cat
    assert subject_of("특별한 날").scene in SCENES


def test_every_palette_and_scene_that_is_named_exists() -> None:
    assert set(WORDS) | {"cat"} == set(SCENES) == set(PALETTES_OF)
    named = {name for names in PALETTES_OF.values() for name in names} | {name for _, names in MOODS for name in names}
    assert named == set(PALETTES)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (160, 20), (20, 160)])
def test_any_size_can_be_drawn(scene: str, size: tuple[int, int]) -> None:
    words = {**{name: words[0] for name, words in WORDS.items()}, "cat": "cat"}
    assert draw_picture(f"{words[scene]} and a cat, surreal, snow, watercolor", size).size == size
    assert draw_picture(words[scene], size).size == size


def test_other_words_and_other_seeds_give_other_pictures() -> None:
    size = (256, 256)
    pictures = [draw_picture("a siamese cat", size, seed) for seed in (None, 1, 2)]
    pictures.append(draw_picture("a persian cat", size))
    assert len({picture.tobytes() for picture in pictures}) == 4


def test_odd_words_are_drawn_too() -> None:
    for prompt in ("", "\ud800", "\0", "x" * 20_000, "🌸"):
        assert draw_picture(prompt, (64, 64)).size == (64, 64)


def test_the_same_call_gives_the_same_bytes(client: Client) -> None:
    one, other = (parts_of(client.call(asking("a quiet lake")).json())[1] for _ in range(2))
    assert one == other


def test_a_picture_is_of_a_real_ones_weight_and_quick(adapted: Client) -> None:
    started = time.perf_counter()
    for prompt in PROMPTS:
        part = parts_of(adapted.call(asking(prompt)).json())[1]
        assert 200_000 < len(part["inlineData"]["data"]) * 3 / 4 < 1_700_000
    assert (time.perf_counter() - started) / len(PROMPTS) < 1.5  # about 0.2 s; the rest is for busy machines


def test_repeated_prompts_cost_nothing(adapted: Client) -> None:
    adapted.call(asking("a lake in the hills"))
    started = time.perf_counter()
    adapted.call(asking("a lake in the hills"))
    assert time.perf_counter() - started < 0.1


def test_blue_tones(client: Client) -> None:
    source = draw_picture("golden dunes", (512, 512))
    file = io.BytesIO()
    source.save(file, "PNG")
    body = asking("이 이미지를 파란색 톤으로 변환해주세요", inline(file.getvalue()))
    (picture,) = pictures_of(client.call(body).json())
    assert picture.size == (1024, 1024)
    assert difference(picture.resize(source.size), source) > 20
    red, _, blue = channels(picture)
    assert blue > red + 25
    gray = picture.convert("L").resize((64, 64)), source.convert("L").resize((64, 64))
    assert difference(*gray) < 60  # still the same picture


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
        "cool",
    ],
)
def test_every_change_is_visible_and_repeatable(prompt: str) -> None:
    source = draw_picture("the sea at sunset", (256, 192))
    changed = change_pictures([source], prompt, (256, 192))
    assert difference(changed, source) > 6
    assert changed.tobytes() == change_pictures([source], prompt, (256, 192)).tobytes()


@pytest.mark.parametrize(
    ("size", "pixels"), [((640, 480), (1184, 864)), ((90, 160), (768, 1344)), ((50, 50), (1024, 1024))]
)
def test_a_change_keeps_the_pictures_ratio(adapted: Client, size: tuple[int, int], pixels: tuple[int, int]) -> None:
    (picture,) = pictures_of(adapted.call(asking("sepia", inline(png(size)))).json())
    assert picture.size == pixels


def test_a_ratio_that_is_asked_for_wins(adapted: Client) -> None:
    body = asking("sepia", inline(png((640, 480))), imageConfig={"aspectRatio": "21:9"})
    assert pictures_of(adapted.call(body).json())[0].size == (1536, 672)


def test_several_pictures_are_composed(adapted: Client) -> None:
    left, right = inline(png((64, 64))), inline(png((128, 64), "L"))
    one, both = (
        pictures_of(adapted.call(asking("combine", *parts, responseModalities=["IMAGE"])).json())[0]
        for parts in ([right], [left, right])
    )
    assert one.tobytes() != both.tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16", "CMYK"])
def test_pictures_of_every_kind(adapted: Client, mode: str) -> None:
    file = io.BytesIO()
    picture = Image.new("I;16", (40, 30), 3000) if mode == "I;16" else Image.new("RGB", (40, 30), "teal").convert(mode)
    picture.save(file, "JPEG" if mode == "CMYK" else "PNG")
    mime_type = "image/jpeg" if mode == "CMYK" else "image/png"
    assert adapted.call(asking("sepia", inline(file.getvalue(), mime_type))).status_code == 200


def test_both_casings_and_both_alphabets(adapted: Client) -> None:
    candidates = (png((width, 40)) for width in range(30, 90))
    data = next(data for data in candidates if {*"+/"} <= {*base64.b64encode(data).decode()})
    standard = asking("sepia", inline(data))
    url_safe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    other = asking("sepia", {"inline_data": {"mime_type": "image/png", "data": url_safe}})
    one, two = (parts_of(adapted.call(body).json())[1] for body in (standard, other))
    assert one == two


def mask(size: tuple[int, int], opaque: int = 0) -> bytes:
    """A mask whose right half is transparent, or as opaque as is said."""
    image = Image.new("RGBA", size, (0, 0, 0, 255))
    image.paste((0, 0, 0, opaque), (size[0] // 2, 0, *size))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """What is left and right of the middle, without the pixels at the edge of a mask."""
    middle = image.width // 2
    return image.crop((0, 0, middle - 8, image.height)), image.crop((middle + 8, 0, *image.size))


IN_WORDS = "make it blue\n\nThe last image is a mask for the first one: change it only where the mask is transparent."


@pytest.mark.parametrize("ratio", [None, "9:16"])
def test_a_mask_says_where_a_picture_may_change(adapted: Client, ratio: str | None) -> None:
    config = {"imageConfig": {"aspectRatio": ratio}} if ratio else {}
    before = inline(png((320, 240)))
    (masked,) = pictures_of(adapted.call(asking(before, inline(mask((320, 240))), IN_WORDS, **config)).json())
    (nothing,) = pictures_of(adapted.call(asking(before, inline(mask((320, 240), 254)), IN_WORDS, **config)).json())
    (changed,) = pictures_of(adapted.call(asking(before, "make it blue", **config)).json())
    kept, new = halves(masked)
    assert masked.size == changed.size
    assert difference(kept, halves(nothing)[0]) == 0
    assert difference(new, halves(nothing)[1]) > 6
    assert difference(kept, halves(changed)[0]) > 6


@pytest.mark.parametrize(
    ("words", "content"),
    [("make it blue", mask((320, 240))), (IN_WORDS, mask((320, 240), 255)), (IN_WORDS, mask((240, 320)))],
    ids=["no words of a mask", "an opaque picture", "another shape"],
)
def test_what_is_no_mask_is_one_more_picture(adapted: Client, words: str, content: bytes) -> None:
    sources = [Image.open(io.BytesIO(one)) for one in (png((320, 240)), content)]
    (changed,) = pictures_of(adapted.call(asking(inline(png((320, 240))), inline(content), words)).json())
    white = Image.new("RGBA", sources[1].size, "white")
    white.alpha_composite(sources[1])
    expected = change_pictures([sources[0].convert("RGB"), white.convert("RGB")], words, changed.size)
    assert difference(changed, expected) == 0


def test_a_chat_changes_its_latest_picture(adapted: Client) -> None:
    first = adapted.call(asking("golden dunes")).json()
    history = [
        {"role": "user", "parts": [{"text": "golden dunes"}]},
        first["candidates"][0]["content"],
        {"role": "user", "parts": [{"text": "in blue, please"}]},
    ]
    answer = adapted.call({"contents": history}).json()
    assert {"modality": "IMAGE", "tokenCount": 258} in answer["usageMetadata"]["promptTokensDetails"]
    assert channels(pictures_of(answer)[0])[2] > channels(pictures_of(first)[0])[2]


def test_a_picture_that_is_only_an_address(adapted: Client) -> None:
    part = {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/cat.png"}}
    answer = adapted.call(asking("in blue, please", part)).json()
    assert {"modality": "IMAGE", "tokenCount": 258} in answer["usageMetadata"]["promptTokensDetails"]
    assert len(pictures_of(answer)) == 1


def test_many_threads_get_what_one_gets(adapted: Client) -> None:
    prompts = [f"a lake, take {i % 4}" for i in range(16)]

    def draw(prompt: str) -> str:
        body = asking(prompt, responseModalities=["IMAGE"])
        return str(parts_of(adapted.call(body).json())[0]["inlineData"]["data"])

    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(draw, prompts))
    assert len(set(drawn)) == 4
    assert drawn == [draw(prompt) for prompt in prompts]
