"""The code that the page shows is run, and brings the very pictures that the page shows: each case has a seed."""

import base64
import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.playground.visit import Visit, draw_file
from tests.support.environments import environment
from tests.support.installed import program
from tests.support.scripts import run_each

NASTY = """a "cat's" \\n $HOME `id` ${x} {y} %s
in a 네온 거리 🌃 <b> // # \\u0041 'quoted' JSON"""
SECONDS = 120
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
    "masked edit": Case(masked_edit, same=OPENAI),
    "stream of jpegs": Case(stream_of_jpegs, same=OPENAI),
    "gemini edit": Case(gemini_edit, same=GEMINI),
    "an address and a file": Case(openai_address, same=OPENAI, close=("gemini-python", "gemini-node")),
    "gemini stream": Case(gemini_stream, same=GEMINI),
}


def test_the_code_brings_the_pages_own_pictures(page: Visit, tmp_path: Path):
    runners = {language: make() for language, make in RUNNERS.items()}
    shown: dict[str, set[str]] = {}
    folders: dict[str, list[Path]] = {language: [] for language in RUNNERS}
    for number, (name, case) in enumerate(CASES.items()):
        page.begin_again()
        files = tmp_path / str(number)
        files.mkdir()
        case.fill(page, files)
        page.page.fill("#seed", "7")
        codes = {tab: page.code(tab) for tab in (*case.same, *case.close)}
        page.take()
        facts = page.facts()
        assert facts["tokens"] and facts["cost"].startswith("$0."), name
        shown[name] = digests(page.every_picture().values())
        for tab, code in codes.items():
            folders[tab.rpartition("-")[2]].append(folder_with(code, files, tab))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda language: runners[language](folders[language]), RUNNERS))
    for number, (name, case) in enumerate(CASES.items()):
        for tab in (*case.same, *case.close):
            made = pictures_in(tmp_path / str(number) / tab)
            assert made, (name, tab)
            assert tab in case.close or digests(made) == shown[name], (name, tab)


def digests(pictures: Iterable[bytes]) -> set[str]:
    return {hashlib.sha256(picture).hexdigest() for picture in pictures}


def folder_with(code: str, files: Path, tab: str) -> Path:
    """A folder of its own with the same files, and the code."""
    folder = files / tab
    folder.mkdir()
    for path in files.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "code.txt").write_text(code)
    (folder / "before.txt").write_text("\n".join(path.name for path in folder.iterdir()))
    return folder


def pictures_in(folder: Path) -> list[bytes]:
    """The pictures from wherever the code leaves them: files, URLs, or an answer."""
    errors = (folder / "errors.txt").read_text()
    assert not errors, f"{(folder / 'code.txt').read_text()}\n{errors}"
    before = {*(folder / "before.txt").read_text().split("\n"), "node_modules"}
    made = [path for path in folder.iterdir() if path.name not in before and path.suffix not in (".txt", ".mjs")]
    texts = [path for path in made if path.suffix == ".json"]
    answers = "".join(path.read_text() for path in (folder / "printed.txt", *texts))
    return [
        *(path.read_bytes() for path in made if path not in texts),
        *(requests.get(url, timeout=5).content for url in re.findall(r"http://\S+?/images/[\w.-]+", answers)),
        *(base64.b64decode(picture) for picture in PICTURE.findall(answers)),
    ]


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ends with what was printed; nothing of the developer's is in the environment but the path."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS)


RUN_EACH_NODE = """
import { appendFileSync, writeFileSync } from "node:fs";
process.stdout.write = (text) => appendFileSync("printed.txt", text) ?? true;
for (const folder of process.argv.slice(2)) {
  process.chdir(folder);
  writeFileSync("printed.txt", "");
  const error = await import(`${folder}/code.mjs`).then(() => "", (error) => error.stack);
  writeFileSync("errors.txt", error);
}
"""


def python() -> Callable[[list[Path]], None]:
    return lambda folders: run_each([folder / "code.txt" for folder in folders], ("openai", "google.genai"), SECONDS)


def javascript() -> Callable[[list[Path]], None]:
    path, modules = program("node"), environment("playground-node") / "node_modules"

    def run_each(folders: list[Path]) -> None:
        for folder in folders:
            (folder / "code.mjs").write_text((folder / "code.txt").read_text())
            (folder / "node_modules").symlink_to(modules)
        start = folders[0].parent / "each.mjs"
        start.write_text(RUN_EACH_NODE)
        done = run(str(path), str(start), *map(str, folders), folder=folders[0])
        assert done.returncode == 0, done.stderr

    return run_each


def shell() -> Callable[[list[Path]], None]:
    program("curl")

    def run_each(folders: list[Path]) -> None:
        for folder in folders:
            done = run("sh", "-e", "code.txt", folder=folder)
            (folder / "printed.txt").write_text(done.stdout)
            (folder / "errors.txt").write_text(done.stderr if done.returncode else "")

    return run_each


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
