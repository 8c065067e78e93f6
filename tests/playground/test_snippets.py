"""The code that the page shows is run, and brings the very pictures that the page shows: each case has a seed."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.playground.visit import Visit, draw_file
from tests.support.environments import environment
from tests.support.installed import program
from tests.support.proxy_server import ProxyServer

NASTY = """a "cat's" \\n $HOME `id` ${x} {y} %s
in a 네온 거리 🌃 <b> // # \\u0041 'quoted' JSON"""
TABS = ("openai-python", "openai-node", "gemini-python", "gemini-node", "curl")
PICTURE = re.compile(r'"(?:b64_json|data)": ?"([A-Za-z0-9+/=]{200,})"')


@dataclass(frozen=True)
class Case:
    """A form, filled in; the tabs whose code brings the same, and those that can only come close."""

    fill: Callable[[Visit, Path], None]
    same: tuple[str, ...]
    close: tuple[str, ...] = field(default=())


def nasty_prompt(page: Visit, folder: Path) -> None:
    page.page.fill("#prompt", NASTY)


def masked_edit(page: Visit, folder: Path) -> None:
    page.add_picture(draw_file(folder / 'a "first", 그림;.jpg', (640, 480)))
    page.add_picture(draw_file(folder / "second.webp", (200, 300), "teal"))
    page.open_easel()
    page.paint((0.2, 0.2), (0.7, 0.6))
    page.leave_easel("#mask-keep")
    with page.page.expect_download() as download:
        page.find(".mask-tool").get_by_text("Save mask.png").click()
    download.value.save_as(folder / "mask.png")
    page.page.fill("#n", "2")
    page.open_advanced()
    page.page.select_option("#response", "url")
    page.page.select_option("#resize", "cover")
    page.page.fill("#width", "300")
    page.page.fill("#height", "200")
    page.page.fill("#prompt", "it's @night, with; snow")


def stream_of_jpegs(page: Visit, folder: Path) -> None:
    page.page.fill("#n", "2")
    page.choose_stream()
    page.page.select_option("#format", "jpeg")
    page.page.fill("#prompt", "a garden")


def gemini_edit(page: Visit, folder: Path) -> None:
    page.choose_lens("gemini")
    page.add_picture(draw_file(folder / "그림.png", (400, 300)))
    page.choose_ratio("16:9")
    page.page.fill("#prompt", NASTY)


def gemini_stream(page: Visit, folder: Path) -> None:
    page.choose_lens("gemini")
    page.choose_stream()
    page.page.fill("#prompt", "the sea")


def openai_address(page: Visit, folder: Path) -> None:
    page.page.click("#by-address")
    page.page.fill("#address", "https://pictures.example/a%20garden.webp")
    page.page.keyboard.press("Enter")
    page.add_picture(draw_file(folder / "second.png", (64, 48)))
    page.page.fill("#temperature", "0.5")
    page.page.fill("#prompt", NASTY)


OPENAI = ("openai-python", "openai-node", "curl")
GEMINI = ("gemini-python", "gemini-node", "curl")
CASES = {
    "nasty prompt": Case(nasty_prompt, same=TABS),
    "masked edit": Case(masked_edit, same=OPENAI, close=("gemini-python", "gemini-node")),
    "stream of jpegs": Case(stream_of_jpegs, same=OPENAI, close=("gemini-node",)),
    "gemini edit": Case(gemini_edit, same=GEMINI),
    "an address and a file": Case(openai_address, same=OPENAI, close=("gemini-python",)),
    "gemini stream": Case(gemini_stream, same=(*GEMINI, "openai-python")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_code_brings_the_pages_own_pictures(page: Visit, server: ProxyServer, tmp_path: Path, name: str):
    case = CASES[name]
    tabs = (*case.same, *case.close)
    runners = {language: make() for language, make in RUNNERS.items()}
    case.fill(page, tmp_path)
    page.page.fill("#seed", "7")
    codes = {tab: page.code(tab) for tab in tabs}
    page.take()
    shown = digests(page.every_picture().values())
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(
            lambda tab: made_by(runners[tab.rpartition("-")[2]], codes[tab], copy_of(tmp_path, tab)), tabs
        )
        for tab, made in zip(tabs, outcomes, strict=True):
            assert made, tab
            assert tab in case.close or digests(made) == shown, tab


def digests(pictures: Iterable[bytes]) -> set[str]:
    return {hashlib.sha256(picture).hexdigest() for picture in pictures}


def copy_of(folder: Path, name: str) -> Path:
    """A folder of its own with the same files."""
    copy = folder / name
    copy.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    return copy


def made_by(runner: Callable[[str, Path], list[str]], code: str, folder: Path) -> list[bytes]:
    """Run the code in the folder, and gather its pictures from wherever it leaves them: files, URLs, or an answer."""
    before = set(folder.iterdir())
    command = runner(code, folder)
    before |= {folder / "node_modules", *folder.glob("code.*")}
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    made = [path for path in folder.iterdir() if path not in before]
    answers = done.stdout + "".join(path.read_text() for path in made if path.suffix == ".json")
    return [
        *(path.read_bytes() for path in made if path.suffix != ".json"),
        *(requests.get(url, timeout=5).content for url in re.findall(r"http://\S+?/images/[\w.-]+", answers)),
        *(base64.b64decode(picture) for picture in PICTURE.findall(answers)),
    ]


def python() -> Callable[[str, Path], list[str]]:
    def prepare(code: str, folder: Path) -> list[str]:
        (folder / "code.py").write_text(code)
        return [sys.executable, "code.py"]

    return prepare


def javascript() -> Callable[[str, Path], list[str]]:
    path, modules = program("node"), environment("playground-node") / "node_modules"

    def prepare(code: str, folder: Path) -> list[str]:
        (folder / "code.mjs").write_text(code)
        (folder / "node_modules").symlink_to(modules)
        return [str(path), "code.mjs"]

    return prepare


def shell() -> Callable[[str, Path], list[str]]:
    program("curl")

    def prepare(code: str, folder: Path) -> list[str]:
        (folder / "code.sh").write_text(code)
        return ["sh", "-e", "code.sh"]

    return prepare


RUNNERS = {"python": python, "node": javascript, "curl": shell}


@pytest.mark.parametrize("surface", ["openai", "gemini"])
def test_curl_shows_an_error_and_ends_with_one(page: Visit, tmp_path: Path, surface: str):
    page.choose_lens(surface)
    page.page.fill("#prompt", "[[quota_per_day]]")
    (tmp_path / "code.sh").write_text(page.code("curl"))
    done = subprocess.run(["sh", "code.sh"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "quota" in done.stdout
    assert "returned error: 429" in done.stderr
    assert not (tmp_path / "picture.png").exists()
