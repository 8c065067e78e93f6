"""From words to a scene: what a prompt speaks of, in English or Korean."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sandbox.drawing.scenes.wish import Wish

CAT = ("cat", "kitten", "고양이", "냥이")
WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "city": (
            "city",
            "neon",
            "cyberpunk",
            "street",
            "skyline",
            "urban",
            "도시",
            "네온",
            "거리",
            "사이버펑크",
            "서울",
        ),
        "space": ("space", "planet", "galaxy", "nebula", "star", "astronaut", "cosmos", "우주", "은하", "행성", "별"),
        "garden": (
            "flower",
            "garden",
            "bloom",
            "blossom",
            "spring",
            "meadow",
            "rose",
            "tulip",
            "꽃",
            "정원",
            "봄",
            "벚꽃",
        ),
        "sea": (
            "sea",
            "ocean",
            "beach",
            "harbor",
            "boat",
            "wave",
            "lake",
            "river",
            "island",
            "바다",
            "해변",
            "파도",
            "호수",
            "항구",
        ),
        "forest": ("forest", "wood", "tree", "fog", "pine", "jungle", "숲", "나무", "안개"),
        "desert": ("desert", "dune", "balloon", "sand", "sahara", "camel", "사막", "열기구", "모래"),
        "mountains": (
            "mountain",
            "alps",
            "alpine",
            "hill",
            "peak",
            "valley",
            "landscape",
            "산",
            "알프스",
            "풍경",
            "계곡",
        ),
    }
)
PALETTES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mountains": ("dawn", "alpine", "lavender", "rose", "arctic", "coral", "sunset"),
        "sea": ("sunset", "golden", "coral", "dawn", "lavender", "ember"),
        "city": ("neon", "lavender", "moonlit", "neon", "sunset"),
        "cat": ("moonlit", "lavender", "sunset", "ember", "coral"),
        "garden": ("rose", "alpine", "mint", "dawn", "lavender"),
        "space": ("neon", "aurora", "moonlit", "sunset", "lavender", "coral"),
        "forest": ("mint", "golden", "arctic", "lavender", "aurora", "coral"),
        "desert": ("sunset", "golden", "rose", "coral", "dawn"),
    }
)
MOODS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("aurora", "오로라"), ("aurora",)),
    (("neon", "cyberpunk", "네온", "사이버펑크"), ("neon",)),
    (("night", "moon", "midnight", "밤", "달빛", "야경"), ("moonlit", "aurora")),
    (("sunset", "dusk", "evening", "노을", "석양", "저녁"), ("sunset", "ember", "golden")),
    (("sunrise", "dawn", "morning", "아침", "새벽", "일출"), ("dawn", "rose", "mint")),
    (("winter", "snow", "ice", "겨울", "눈 ", "설경"), ("arctic", "lavender")),
    (("autumn", "fall", "gold", "가을", "금빛"), ("golden", "ember")),
    (("pink", "분홍", "핑크"), ("rose", "lavender")),
    (("blue", "파란", "푸른", "파랑"), ("alpine", "arctic")),
    (("red", "fire", "빨간", "붉은"), ("ember", "sunset")),
    (("green", "초록", "녹색"), ("mint",)),
)
DREAM = ("surreal", "dream", "fantas", "magic", "초현실", "환상", "꿈", "마법")
SNOW = ("snow", "winter", "겨울", "눈 내리", "설경")
WATERCOLOR = ("watercolor", "watercolour", "수채화", "수채")


@dataclass(frozen=True)
class Subject:
    """What is to be drawn and how."""

    scene: str
    palette: str
    wish: Wish
    watercolor: bool


def subject_of(prompt: str) -> Subject:
    """The scene, colours and extras for a prompt; where it names none, its hash decides."""
    text = f" {prompt.lower()} "
    choice = int.from_bytes(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()[:8])
    cat = any(_speaks_of(text, word) for word in CAT)
    named = [scene for scene, words in WORDS.items() if any(_speaks_of(text, word) for word in words)]
    if named:
        scene = named[0]
    elif cat:
        scene = "cat"
    else:
        others = sorted(set(PALETTES_OF) - {"cat"})
        scene = others[choice % len(others)]
    palettes = PALETTES_OF[scene]
    for words, moods in MOODS:
        if any(_speaks_of(text, word) for word in words):
            palettes = moods
            break
    wish = Wish(
        cat=cat and scene != "cat",
        dream=any(word in text for word in DREAM),
        snow=any(_speaks_of(text, word) for word in SNOW),
    )
    palette = palettes[choice // 64 % len(palettes)]
    return Subject(scene, palette, wish, any(word in text for word in WATERCOLOR))


def _speaks_of(text: str, word: str) -> bool:
    """Whether a text uses a word: an English one whole or in the plural, a long one also as a beginning.

    Korean words are found anywhere, since particles follow them; those of one syllable where a word begins.
    """
    if word.isascii():
        ending = r"(s|es|y)?\b" if len(word) <= 4 else ""
        return re.search(rf"\b{re.escape(word)}{ending}", text, re.ASCII) is not None
    if len(word.strip()) == 1 and word != "꽃":
        return re.search(rf"(?<![가-힣]){word}", text) is not None
    return word in text
