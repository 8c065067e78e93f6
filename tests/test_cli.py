"""`python -m proxy`, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.proxy_server import ProxyServer
from tests.support.upstream import upstream_that

PROJECT = Path(__file__).resolve().parents[1]
SECRET = "AIza-a-key-that-must-not-be-shown"


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "IMAGE_STORE_URL": str(folder / "images")}
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["", "serve", "check", "models", "generate", "images", "images clean"])
def test_help_explains_every_command(tmp_path: Path, command: str):
    done = run(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    assert "usage: python -m proxy" in done.stdout


def test_a_picture_is_drawn_directly(tmp_path: Path):
    done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--size", "16:9", "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / "cat.png").size == (1344, 768)


def test_a_picture_is_drawn_by_a_running_server(tmp_path: Path):
    with ProxyServer(tmp_path / "server", SANDBOX="1") as server:
        done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--url", server.url, "--key", "sandbox")
        assert (done.returncode, done.stderr) == (0, "")
        assert Image.open(tmp_path / "cat.png").size == (1024, 1024)
        refused = run(tmp_path, "generate", "[[refused_image_safety]]", "--url", server.url, "--key", "sandbox")
    assert refused.returncode == 1
    assert "safety" in refused.stderr


def test_several_pictures_start_from_one_and_follow_a_seed(tmp_path: Path):
    Image.new("RGB", (300, 200), "tomato").save(tmp_path / "start.png")
    options = ("--image", "start.png", "--seed", "7", "-n", "2", "--key", "sandbox")
    done = run(tmp_path, "generate", "in blue tones", "-o", "cat.png", *options, SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [Image.open(tmp_path / f"cat-{number}.png").size for number in (1, 2)] == [(1248, 832)] * 2
    with ProxyServer(tmp_path / "server", SANDBOX="1") as server:
        done = run(tmp_path, "generate", "in blue tones", "-o", "other.png", *options, "--url", server.url)
        assert (done.returncode, done.stderr) == (0, "")
        done = run(
            tmp_path, "generate", "[[picture|refused_image_safety]]", "-n", "2", "--key", "sandbox", "--url", server.url
        )
    assert (tmp_path / "other-1.png").read_bytes() == (tmp_path / "cat-1.png").read_bytes(), (
        "the seed says which picture"
    )
    assert done.returncode == 1 and "picture-1.png" in done.stdout and "safety" in done.stderr
    assert not (tmp_path / "picture-2.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached: is the server running there?"),
        (("--url", "127.0.0.1:9"), "it must begin with http:// or https://"),
        (("--image", "missing.png"), "No such file or directory: 'missing.png'"),
        (("-n", "11"), "it must be a whole number from 1 to 10"),
    ],
)
def test_what_goes_wrong_is_said_in_words(tmp_path: Path, arguments: tuple[str, ...], words: str):
    done = run(tmp_path, "generate", "a cat", "--key", "k", *arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr and "HTTPConnectionPool" not in done.stderr
    assert not list(tmp_path.glob("*picture*"))


@pytest.mark.parametrize(
    ("name", "kind"), [("cat.jpg", "JPEG"), ("cat.webp", "WEBP"), ("cat.PNG", "PNG"), ("cat", "PNG")]
)
def test_the_ending_says_the_format(tmp_path: Path, name: str, kind: str):
    done = run(tmp_path, "generate", "a cat", "-o", name, "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / name).format == kind


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/cat.png", "No such file"),
        ("old.png", "--force"),
        ("folder", "folder exists"),
        ("cat.gif", "'gif'"),
        ("old.png/cat.png", "Not a directory"),
    ],
)
def test_nothing_is_bought_that_cannot_be_written(tmp_path: Path, output: str, words: str):
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with upstream_that() as google:
        done = run(tmp_path, "generate", "a cat", "-o", output, "--key", "k", GEMINI_BASE_URL=google.url)
    assert done.returncode == 1
    assert words in done.stderr
    assert not google.calls
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert not list(tmp_path.rglob("*.part"))


def test_force_replaces_a_file(tmp_path: Path):
    (tmp_path / "cat.png").write_bytes(b"old")
    done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--force", "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / "cat.png").format == "PNG"


def test_a_refusal_writes_nothing(tmp_path: Path):
    done = run(tmp_path, "generate", "[[refused_image_safety]]", "-o", "cat.png", "--key", "sandbox", SANDBOX="1")
    assert done.returncode == 1
    assert "IMAGE_SAFETY" in done.stderr
    assert not list(tmp_path.glob("*cat.png*"))


def test_without_a_key_it_says_where_one_goes(tmp_path: Path):
    done = run(tmp_path, "generate", "a cat")
    assert done.returncode == 1
    assert "--key" in done.stderr


def test_the_models_are_listed_with_their_names(tmp_path: Path):
    done = run(tmp_path, "models", MODEL_ALIASES="our-model=gemini-2.5-flash-image")
    assert done.returncode == 0
    for word in ("gemini-2.5-flash-image", "16:9 1344x768", "our-model", "2026-10-02"):
        assert word in done.stdout


def test_check_says_what_is_wrong_and_does_not_show_the_key(tmp_path: Path):
    done = run(tmp_path, "check", GEMINI_BASE_URL="http://127.0.0.1:9", GOOGLE_API_KEY=SECRET)
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    well = run(tmp_path, "check", "--key", "sandbox", SANDBOX="1")
    assert "key       ok" in well.stdout


def test_a_wrong_setting_is_named(tmp_path: Path):
    done = run(tmp_path, "models", PORT="many")
    assert (done.returncode, "PORT is 'many'" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_expired_pictures_are_cleaned(tmp_path: Path):
    (tmp_path / "images").mkdir()
    old = tmp_path / "images" / f"00000001-{'a' * 32}.png"
    old.write_bytes(b"x")
    done = run(tmp_path, "images", "clean")
    assert (done.returncode, done.stdout) == (0, "1 expired files deleted\n")
    assert not old.exists()
