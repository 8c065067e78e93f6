"""`python -m proxy`, run as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image

from proxy.state.migrate import migrate
from tests.support.commands import Commands
from tests.support.pictures import error
from tests.support.proxy_server import QUICK, ProxyServer
from tests.support.upstream import Answer, Call, knows_only, upstream_that

PROJECT = Path(__file__).resolve().parents[1]
MODEL, SUCCESSOR = "gemini-2.5-flash-image", "gemini-nano-banana-2.1"
SECRET = "AIza-a-key-that-must-not-be-shown"


class Run(Protocol):
    """Runs a command in a folder, with these variables as its environment."""

    def __call__(self, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]: ...


def environment_in(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)}
    return {**path, "IMAGE_STORE_URL": str(folder / "images"), **variables}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs commands in processes that have loaded what they need."""

    def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return commands.run(folder, arguments, environment_in(folder, variables))

    with Commands(tmp_path_factory.mktemp("commands")) as commands:
        yield run


def run_alone(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=folder,
        env=environment_in(folder, variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["", "serve", "check", "models", "generate", "images", "images clean"])
def test_help_explains_every_command(run: Run, tmp_path: Path, command: str):
    done = run(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    assert "usage: python -m proxy" in done.stdout


def test_a_picture_is_drawn_directly(tmp_path: Path):
    done = run_alone(tmp_path, "generate", "a cat", "-o", "cat.png", "--size", "16:9", "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / "cat.png").size == (1344, 768)


def test_a_picture_is_drawn_by_a_running_server(run: Run, tmp_path: Path):
    with ProxyServer(tmp_path / "server", QUICK, SANDBOX="1") as server:
        done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--url", server.url, "--key", "sandbox")
        assert (done.returncode, done.stderr) == (0, "")
        assert Image.open(tmp_path / "cat.png").size == (1024, 1024)
        with_version = f"{server.url}/v1"
        refused = run(tmp_path, "generate", "[[refused_image_safety]]", "--url", with_version, "--key", "sandbox")
    assert refused.returncode == 1
    assert "safety" in refused.stderr


def test_a_picture_is_drawn_as_a_job_which_can_be_taken_up_again(run: Run, tmp_path: Path):
    with ProxyServer(tmp_path / "server", QUICK, SANDBOX="1") as server:
        common = ("--url", server.url, "--key", "sandbox")
        done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--async", *common)
        assert done.returncode == 0, done.stderr
        id = done.stderr.split()[1]
        again = run(tmp_path, "generate", "--job", id, "-o", "again.png", *common)
        assert (again.returncode, again.stderr) == (0, "")
        refused = run(tmp_path, "generate", "[[refused_image_safety]]", "--async", *common)
        unknown = run(tmp_path, "generate", "--job", "imgjob_1", *common)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "cat.png").read_bytes()
    assert refused.returncode == unknown.returncode == 1
    assert "safety" in refused.stderr and "no job" in unknown.stderr
    alone = run(tmp_path, "generate", "a cat", "--async", "--key", "sandbox")
    assert (alone.returncode, "--url" in alone.stderr) == (1, True)


def test_several_pictures_start_from_one_and_follow_a_seed(run: Run, tmp_path: Path):
    Image.new("RGB", (300, 200), "tomato").save(tmp_path / "start.png")
    options = ("--image", "start.png", "--seed", "7", "-n", "2", "--key", "sandbox")
    done = run(tmp_path, "generate", "in blue tones", "-o", "cat.png", *options, SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [Image.open(tmp_path / f"cat-{number}.png").size for number in (1, 2)] == [(1248, 832)] * 2
    with ProxyServer(tmp_path / "server", QUICK, SANDBOX="1") as server:
        done = run(tmp_path, "generate", "in blue tones", "-o", "other.png", *options, "--url", server.url)
        assert (done.returncode, done.stderr) == (0, "")
        done = run(
            tmp_path, "generate", "[[picture|refused_image_safety]]", "-n", "2", "--key", "sandbox", "--url", server.url
        )
    drawn = [{(tmp_path / f"{name}-{number}.png").read_bytes() for number in (1, 2)} for name in ("cat", "other")]
    assert drawn[0] == drawn[1], "the seed says which pictures, in the order in which they arrive"
    assert done.returncode == 1 and "picture-1.png" in done.stdout and "safety" in done.stderr
    assert not (tmp_path / "picture-2.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached: is the server running there?"),
        (("--url", "127.0.0.1:9"), "it must begin with http:// or https://"),
        (("--image", "missing.png"), "missing.png: No such file or directory"),
        (("--key", "sandbox"), "the key `sandbox` is for a server that runs the sandbox: give its --url"),
        (("-n", "11"), "it must be a whole number from 1 to 10"),
    ],
)
def test_what_goes_wrong_is_said_in_words(run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str):
    done = run(tmp_path, "generate", "a cat", "--key", "k", *arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr and "HTTPConnectionPool" not in done.stderr
    assert not list(tmp_path.glob("*picture*"))


@pytest.mark.parametrize(
    ("name", "kind"), [("cat.jpg", "JPEG"), ("cat.webp", "WEBP"), ("cat.PNG", "PNG"), ("cat", "PNG")]
)
def test_the_ending_says_the_format(run: Run, tmp_path: Path, name: str, kind: str):
    done = run(tmp_path, "generate", "a cat", "-o", name, "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / name).format == kind


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/cat.png", "missing is not a folder"),
        ("old.png", "--force"),
        ("folder", "folder exists"),
        ("cat.gif", "'gif'"),
        ("old.png/cat.png", "old.png is not a folder"),
    ],
)
def test_nothing_is_bought_that_cannot_be_written(run: Run, tmp_path: Path, output: str, words: str):
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with upstream_that() as google:
        done = run(tmp_path, "generate", "a cat", "-o", output, "--key", "k", GEMINI_BASE_URL=google.url)
    assert done.returncode == 1
    assert words in done.stderr
    assert not google.calls
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert not list(tmp_path.rglob("*.part"))


def test_force_replaces_a_file(run: Run, tmp_path: Path):
    (tmp_path / "cat.png").write_bytes(b"old")
    done = run(tmp_path, "generate", "a cat", "-o", "cat.png", "--force", "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(tmp_path / "cat.png").format == "PNG"


def test_a_refusal_writes_nothing(run: Run, tmp_path: Path):
    done = run(tmp_path, "generate", "[[refused_image_safety]]", "-o", "cat.png", "--key", "sandbox", SANDBOX="1")
    assert done.returncode == 1
    assert "IMAGE_SAFETY" in done.stderr
    assert not list(tmp_path.glob("*cat.png*"))


def test_without_a_key_it_says_where_one_goes(run: Run, tmp_path: Path):
    done = run(tmp_path, "generate", "a cat")
    assert done.returncode == 1
    assert "--key" in done.stderr


def test_the_models_are_listed_with_their_names(run: Run, tmp_path: Path):
    done = run(tmp_path, "models", MODEL_ALIASES="our-model=gemini-2.5-flash-image")
    assert done.returncode == 0
    for word in (MODEL, "16:9 1344x768", "our-model", "2026-10-02 (has passed)", f"then     {SUCCESSOR}"):
        assert word in done.stdout


def test_check_says_what_is_wrong_and_does_not_show_the_key(run: Run, tmp_path: Path):
    done = run(tmp_path, "check", GEMINI_BASE_URL="http://127.0.0.1:9", GOOGLE_API_KEY=SECRET)
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    well = run(tmp_path, "check", "--key", "sandbox", SANDBOX="1")
    assert "key       ok" in well.stdout


def google_that(answers: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """Google, which lists its models for any key."""
    listed = {"models": [{"name": f"models/{name}"} for name in (MODEL, SUCCESSOR)]}
    return lambda call: Answer(listed) if call.method == "GET" else answers(call)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database that is ready for use."""
    url = f"sqlite:///{tmp_path_factory.mktemp('database')}/twinlens.sqlite3"
    migrate(url)
    return url


def test_check_asks_each_server_for_its_list_and_each_model_what_it_counts(run: Run, tmp_path: Path, database: str):
    with upstream_that(google_that(lambda _: Answer({"totalTokens": 1}))) as google:
        variables = {"GEMINI_BASE_URL": google.url, "SERVED_MODELS": "all", "DATABASE_URL": database}
        done = run(tmp_path, "check", "--key", SECRET, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    calls = [(call.method, call.target) for call in google.calls]
    assert calls[:2] == [("GET", "/v1beta/models?pageSize=1000"), ("POST", f"/v1beta/models/{MODEL}:countTokens")]
    assert len(calls) == 6
    assert {call.headers["x-goog-api-key"] for call in google.calls} == {SECRET}
    lines = done.stdout.splitlines()
    assert {"settings  ok", "store     ok", "database  ok", "key       ok"} <= set(lines)
    assert f"model     {MODEL} (its announced end, 2026-10-02, has passed) ok" in lines
    assert "model     gemini-3.1-flash-image ok" in lines


def test_check_goes_on_after_a_failure_and_prints_messages_not_json(run: Run, tmp_path: Path):
    """A store that is no folder, a key that Google refuses, a server of the operator's that is away."""
    (tmp_path / "images").write_text("a file")
    rows = (
        f'[[model]]\nname = "away"\nupstream = "openai"\nbase_url = "http://127.0.0.1:9/v1"\npixels = "{MODEL}"\n'
        f'[[model]]\nname = "here"\nupstream = "openai"\nbase_url = "{{}}/v1"\nkey = "none"\npixels = "{MODEL}"\n'
    )
    with upstream_that(knows_only("another", Answer({}))) as google, upstream_that(Answer({"data": []})) as own:
        own.answers(Answer({"data": [{"id": "painter"}]}))
        (tmp_path / "models.toml").write_text(rows.format(own.url))
        variables = {"GEMINI_BASE_URL": google.url, "MODELS_FILE": "models.toml"}
        done = run(tmp_path, "check", "--key", SECRET, **variables)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[1].startswith("store     IMAGE_STORE_URL")
    assert "key       API key not valid. Please pass a valid API key." in lines
    assert "upstream  http://127.0.0.1:9/v1 cannot be reached. Look at the network, or a proxy." in lines
    assert "model     here: the server has painter" in lines
    assert not any(mark in done.stdout for mark in ("{", SECRET))


@pytest.mark.parametrize("follows", ["1", "0"])
def test_check_says_that_a_model_has_ended_and_what_draws_instead(
    run: Run, tmp_path: Path, database: str, follows: str
):
    def only_the_successor(call: Call) -> Answer:
        gone = error(404, "NOT_FOUND", f"This model models/{MODEL} is no longer\navailable.")
        return Answer(gone, status=404) if f"{MODEL}:" in call.target else Answer({"totalTokens": 1})

    with upstream_that(google_that(only_the_successor)) as google:
        variables = {"GEMINI_BASE_URL": google.url, "FOLLOW_SUCCESSORS": follows, "DATABASE_URL": database}
        done = run(tmp_path, "check", "--key", SECRET, **variables)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("model ")]
    start = f"model     {MODEL} (its announced end, 2026-10-02, has passed)"
    if follows == "1":
        assert (done.returncode, line) == (0, f"{start} is not there: its successor {SUCCESSOR} draws")
    else:
        assert done.returncode == 1
        assert line.startswith(f"{start}: This model models/{MODEL} is no longer available.")
        assert line.endswith(f"Set UPSTREAM_MODELS={MODEL}={SUCCESSOR}.")


def test_check_says_where_a_list_of_models_is_not(run: Run, tmp_path: Path):
    with upstream_that(Answer(b"<h1>welcome</h1>", content_type="text/html")) as google:
        done = run(tmp_path, "check", "--key", SECRET, GEMINI_BASE_URL=google.url)
    assert (
        f"GET {google.url}/v1beta/models does not answer with a list of models: is the base URL right?" in done.stdout
    )
    assert done.returncode == 1


def test_check_prints_every_wrong_setting(run: Run, tmp_path: Path):
    done = run(tmp_path, "check", PORT="many", GEMINI_BASE_URL="https://google.test/v1beta")
    assert (done.returncode, done.stderr) == (1, "")
    port, base = done.stdout.splitlines()
    assert port.startswith("settings  PORT is 'many'")
    assert base.endswith("write GEMINI_BASE_URL=https://google.test")


def test_a_successor_draws_for_the_command_too(run: Run, tmp_path: Path):
    done = run(tmp_path, "generate", "[[successor]] a cat", "-o", "cat.png", "--key", "sandbox", SANDBOX="1")
    assert (done.returncode, "its successor" in done.stderr) == (0, True)
    assert Image.open(tmp_path / "cat.png").format == "PNG"


def test_a_wrong_setting_is_named(run: Run, tmp_path: Path):
    done = run(tmp_path, "models", PORT="many")
    assert (done.returncode, "PORT is 'many'" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_expired_pictures_are_cleaned(run: Run, tmp_path: Path):
    (tmp_path / "images").mkdir()
    old = tmp_path / "images" / f"00000001-{'a' * 32}.png"
    old.write_bytes(b"x")
    done = run(tmp_path, "images", "clean")
    assert (done.returncode, done.stdout) == (0, "1 expired files deleted\n")
    assert not old.exists()
