"""The pictures of generateContent: in the right pixels, changed as the prompt asks, and different for each call."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageOps

from sandbox.drawing import change_pictures, draw_picture
from sandbox.gemini_content.image_models import PIXELS_OF_2_5
from tests.sandbox.gemini_client import Client, body_of, bytes_of, inline, parts_of, picture_of, png
from tests.sandbox.test_drawing import difference

BANANA = "gemini-nano-banana-2.1"


@pytest.mark.parametrize(("ratio", "pixels"), PIXELS_OF_2_5.items())
def test_every_ratio_in_its_exact_pixels(client: Client, ratio: str, pixels: tuple[int, int]) -> None:
    assert picture_of(client.call(body_of("deep space", imageConfig={"aspectRatio": ratio}))).size == pixels


@pytest.mark.parametrize(
    ("config", "pixels", "tokens"),
    [
        ({}, (1408, 768), 1120),
        ({"aspectRatio": "16:9"}, (1376, 768), 1120),
        ({"aspectRatio": "1:8"}, (384, 3072), 1120),
        ({"aspectRatio": "1:1", "imageSize": "2K"}, (2048, 2048), 1680),
        ({"aspectRatio": "21:9", "imageSize": "4K"}, (6336, 2688), 3780),
    ],
)
def test_the_third_generation_draws_jpeg_in_its_own_tiers(
    client: Client, config: dict[str, str], pixels: tuple[int, int], tokens: int
) -> None:
    response = client.call(body_of("a misty forest", imageConfig=config), model=BANANA)
    picture, usage = picture_of(response), response.json()["usageMetadata"]
    assert (picture.format, picture.size) == ("JPEG", pixels)
    assert not picture.info.get("progressive")
    assert usage["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": tokens}]
    assert usage["thoughtsTokenCount"] > 0
    assert base64.b64decode(parts_of(response.json())[-1]["thoughtSignature"], validate=True)


def test_calls_with_equal_bodies_get_different_pictures(fresh_client: Client) -> None:
    drawing, change = body_of("a quiet lake"), body_of("in blue", inline(png()))
    for body in (drawing, change):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda body=body: picture_of(fresh_client.call(body)).tobytes(), [body] * 4))
        assert len(set(found)) == 4


def test_a_sandbox_draws_the_same_series_each_time_it_is_started(client: Client, fresh_client: Client) -> None:
    body = body_of("a series of lakes")
    series = [[picture_of(one.call(body)).tobytes() for _ in range(2)] for one in (client, fresh_client)]
    assert series[0] == series[1]


def test_a_seed_always_gives_the_same_picture(client: Client) -> None:
    for parts in (["a quiet lake"], ["in blue", inline(png())]):
        one, same = (picture_of(client.call(body_of(*parts, seed=5))).tobytes() for _ in range(2))
        other = picture_of(client.call(body_of(*parts, seed=6))).tobytes()
        assert one == same != other


@pytest.mark.parametrize(
    ("size", "pixels"), [((640, 480), (1184, 864)), ((90, 160), (768, 1344)), ((50, 50), (1024, 1024))]
)
def test_a_change_keeps_the_shape_of_the_picture(
    client: Client, size: tuple[int, int], pixels: tuple[int, int]
) -> None:
    assert picture_of(client.call(body_of("sepia", inline(png(size))))).size == pixels
    wide = body_of("sepia", inline(png(size)), imageConfig={"aspectRatio": "21:9"})
    assert picture_of(client.call(wide)).size == (1536, 672)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16", "CMYK"])
def test_pictures_of_every_mode(client: Client, mode: str) -> None:
    picture = Image.new("I;16", (40, 30), 3000) if mode == "I;16" else Image.new("RGB", (40, 30), "teal").convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    given = inline(bytes_of(picture, kind), f"image/{kind.lower()}")
    assert client.call(body_of("sepia", given)).status_code == 200


def test_both_casings_and_both_base64_alphabets(client: Client) -> None:
    data = next(data for data in (png((width, 40)) for width in range(30, 90)) if {*b"+/"} <= {*base64.b64encode(data)})
    url_safe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    snake_case = {"inline_data": {"mime_type": "image/png", "data": url_safe}}
    one, other = (picture_of(client.call(body_of("sepia", part, seed=1))) for part in (inline(data), snake_case))
    assert difference(one, other) == 0


def mask(size: tuple[int, int], opaque: int = 0) -> bytes:
    """A mask whose right half has the given opacity; the left half is opaque."""
    image = Image.new("RGBA", size, (0, 0, 0, 255))
    image.paste((0, 0, 0, opaque), (size[0] // 2, 0, *size))
    return bytes_of(image)


def halves(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """What is left and right of the middle, without the pixels at the edge of a mask."""
    middle = image.width // 2
    return image.crop((0, 0, middle - 8, image.height)), image.crop((middle + 8, 0, *image.size))


MASKED = "make it blue\n\nThe last image is a mask for the first one: change it only where the mask is transparent."


@pytest.mark.parametrize("ratio", [None, "9:16"])
def test_a_mask_says_where_a_picture_may_change(client: Client, ratio: str | None) -> None:
    config = {"seed": 1, **({"imageConfig": {"aspectRatio": ratio}} if ratio else {})}
    before = inline(png((320, 240)))
    masked = picture_of(client.call(body_of(before, inline(mask((320, 240))), MASKED, **config)))
    nothing = picture_of(client.call(body_of(before, inline(mask((320, 240), 254)), MASKED, **config)))
    changed = picture_of(client.call(body_of(before, MASKED, **config)))
    (kept, new), (changed_left, changed_right) = halves(masked), halves(changed)
    assert difference(kept, halves(nothing)[0]) == 0
    assert difference(kept, changed_left) > 6
    assert difference(new, halves(nothing)[1]) > 6
    if not ratio:  # what frames a picture of another shape never changes
        assert difference(new, changed_right) == 0


@pytest.mark.parametrize(
    ("prompt", "content"),
    [("make it blue", mask((320, 240))), (MASKED, mask((320, 240), 255)), (MASKED, mask((240, 320)))],
    ids=["a prompt without the word", "an opaque picture", "another shape"],
)
def test_what_is_no_mask_is_one_more_picture(client: Client, prompt: str, content: bytes) -> None:
    first, second = (Image.open(io.BytesIO(one)) for one in (png((320, 240)), content))
    changed = picture_of(client.call(body_of(inline(png((320, 240))), inline(content), prompt, seed=1)))
    white = Image.new("RGBA", second.size, "white")
    white.alpha_composite(second)
    expected = change_pictures([first.convert("RGB"), white.convert("RGB")], prompt, changed.size, seed=1)
    assert difference(changed, expected) == 0


def test_a_picture_stands_upright(client: Client) -> None:
    image, exif = draw_picture("the sea", (96, 64)), Image.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    image.rotate(180).save(file, "PNG", exif=exif)
    upright, turned = (
        picture_of(client.call(body_of("sepia", inline(data), seed=1))) for data in (bytes_of(image), file.getvalue())
    )
    assert difference(upright, turned) == 0
    assert difference(upright, ImageOps.flip(turned)) > 1


def test_a_chat_changes_its_latest_picture(client: Client) -> None:
    first = client.call(body_of("golden mountains"))
    history = [
        {"role": "user", "parts": [{"text": "golden mountains"}]},
        first.json()["candidates"][0]["content"],
        {"role": "user", "parts": [{"text": "in blue, please"}]},
    ]
    answer = client.call({"contents": history})
    assert {"modality": "IMAGE", "tokenCount": 258} in answer.json()["usageMetadata"]["promptTokensDetails"]
    before, after = (
        one.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for one in map(picture_of, (first, answer))
    )
    assert after[2] - after[0] > before[2] - before[0] + 25


def test_a_picture_that_is_only_an_address(client: Client) -> None:
    cat, lake = ({"fileData": {"mimeType": "image/png", "fileUri": f"https://example.com/{name}"}} for name in "ab")
    drawn = [picture_of(client.call(body_of("in blue", part, seed=1))) for part in (cat, cat, lake)]
    assert difference(drawn[0], drawn[1]) == 0
    assert difference(drawn[0], drawn[2]) > 1
