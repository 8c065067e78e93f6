"""What a prompt names, in English or Korean: a scene, colours, and what is in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sandbox.drawing.palettes import PALETTES, Palette

SCENES: Mapping[str, str] = MappingProxyType(  # the words that name a scene | the palettes to choose from
    {
        "city": "city neon cyberpunk street skyline urban robot 도시 네온 거리 사이버펑크 서울 | neon lavender moonlit",
        "garden": "flower garden bloom blossom spring meadow 꽃 정원 봄 벚꽃 | rose alpine mint dawn lavender",
        "sea": "sea ocean beach harbor boat wave island lighthouse 바다 해변 파도 항구 | sunset golden dawn rose",
        "mountains": "mountain alps hill valley forest lake 산 알프스 풍경 숲 호수 | dawn alpine rose arctic",
    }
)
MOODS: tuple[tuple[str, str], ...] = (  # words, and the palettes that they ask for
    ("neon cyberpunk 네온 사이버펑크", "neon"),
    ("night moon midnight star space aurora 밤 달빛 야경 우주 별 오로라", "moonlit"),
    ("sunset dusk evening 노을 석양 저녁", "sunset golden"),
    ("sunrise dawn morning 아침 새벽 일출", "dawn rose mint"),
    ("winter snow ice 겨울 눈 설경", "arctic lavender"),
    ("autumn fall gold 가을 금빛", "golden"),
    ("pink 분홍 핑크", "rose lavender"),
    ("blue 파란 푸른 파랑", "alpine arctic"),
    ("red fire 빨간 붉은", "sunset"),
    ("green 초록 녹색", "mint"),
)
CAT = "cat kitten 고양이 냥이"
PLANET = "surreal dream fantas magic planet space 초현실 환상 꿈 마법 행성 우주"
SNOW = "snow winter 겨울 눈 설경"
WATERCOLOR = "watercolor watercolour 수채"


@dataclass(frozen=True)
class Subject:
    """What is drawn, and how."""

    scene: str
    palette: Palette
    cat: bool
    planet: bool
    snow: bool
    watercolor: bool


def subject_of(prompt: str) -> Subject:
    """The subject of a prompt. Where the prompt names no scene or no colour, its hash chooses one."""
    choice = int.from_bytes(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()[:8])
    any_scene = list(SCENES)[choice % len(SCENES)]
    scene = next((scene for scene, row in SCENES.items() if names(prompt, row.partition("|")[0])), any_scene)
    usual = SCENES[scene].partition("|")[2]
    palettes = next((palettes for words, palettes in MOODS if names(prompt, words)), usual).split()
    return Subject(
        scene,
        PALETTES[palettes[choice // 64 % len(palettes)]],
        cat=names(prompt, CAT),
        planet=names(prompt, PLANET),
        snow=names(prompt, SNOW),
        watercolor=names(prompt, WATERCOLOR),
    )


def names(text: str, words: str) -> bool:
    """Whether a text has one of the words: short English ones whole or in the plural, longer ones also as a beginning.

    A Korean word is found anywhere, since particles follow it; one of a single syllable only where a word begins.
    """
    return any(re.search(_pattern(word), text.lower(), re.ASCII) for word in words.split())


def _pattern(word: str) -> str:
    if word.isascii():
        return rf"\b{word}" + (r"(s|es|y)?\b" if len(word) <= 4 else "")
    return rf"(?<![가-힣]){word}" if len(word) == 1 and word != "꽃" else word
