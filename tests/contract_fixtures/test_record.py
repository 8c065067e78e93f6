"""`python -m contract.record` against the sandbox, and against a server that changes its answers."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

import spec
from contract.record.__main__ import main
from contract.record.calls import CALLS, cost
from contract.record.drift import differences
from contract.record.scrubbing import Picture, shrunk, shrunk_stream, small_picture, without_secrets
from contract.suite.situations import FOLDER
from sandbox.__main__ import make_server, server_url
from tests.spec.spec_validators import answer_complaints
from tests.support.pictures import base64_of, heavy_png, plain_jpeg, plain_png

PROJECT = Path(__file__).resolve().parents[2]
KEY = 'AIzaRecord-me+not/"quoted"=='
Change = Callable[[str, str], str]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """The address of a running sandbox, which draws quickly."""
    server = make_server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.drawing.DRAWN_PIXELS", 10_000)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server_url(server)
        server.shutdown()
    server.server_close()


@contextmanager
def changing(upstream: str, change: Change, calls_until_the_end: int = 1000) -> Iterator[str]:
    """A proxy that changes the upstream's answers, and after a number of calls closes connections without an answer."""
    calls = iter(range(calls_until_the_end))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if next(calls, None) is None:
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            names = ("x-goog-api-key", "content-type", "x-server-timeout")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = requests.request(self.command, upstream + self.path, data=body, headers=headers, timeout=20)
            answer.encoding = "utf-8"
            changed = change(self.path, answer.text).encode()
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("server-timing", f"gfet4t7; key={self.headers.get('x-goog-api-key')}")
            self.send_header("content-length", str(len(changed)))
            self.end_headers()
            self.wfile.write(changed)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command; the fixtures are written to `recorded` in the test's folder."""
    monkeypatch.setenv("API_KEY", KEY)

    def run(upstream: str, *options: str) -> int:
        return main(["--upstream", upstream, "--into", str(tmp_path / "recorded"), *options])

    return run


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """All fixtures by name."""
    return {path.stem: json.loads(path.read_text()) for path in folder.rglob("*.json")}


def test_every_answer_of_the_sandbox_is_recorded(
    record: Callable[..., int], sandbox: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(sandbox, "--yes") == 0
    fixtures = written(tmp_path / "recorded")
    assert fixtures.keys() == {call.name for call in CALLS}
    output = capsys.readouterr().out
    assert f"{len(CALLS)} calls to {sandbox}" in output
    assert "about USD 0.31" in output
    assert "picture: image/png 1344x768" in output
    for name, fixture in fixtures.items():
        known = next(FOLDER.rglob(f"{name}.json"))
        assert fixture["origin"].startswith("recorded 2"), "the origin names the day"
        assert fixture.keys() == json.loads(known.read_text()).keys()
        request, response = fixture["request"], fixture["response"]
        body = response.get("body", response.get("body_text"))
        method = "GET" if request["body"] is None else "POST"
        status, headers = response["status"], response["headers"]
        if "no-such" not in request["path"]:
            found = answer_complaints(spec.load("gemini_content"), method, request["path"], status, headers, body)
            assert found == []
    assert fixtures["picture"]["expect"]["pictures"] == [{"mime_type": "image/png", "width": 16, "height": 9}]
    assert fixtures["picture"]["expect"]["usage"]["output_image_tokens"] == 1290
    assert fixtures["edited_picture"]["expect"]["usage"]["input_image_tokens"] == 258
    assert fixtures["api_key_invalid"]["expect"] == {"error": "INVALID_KEY"}
    assert fixtures["counted_text"]["expect"] == {"total_tokens": 8}
    assert fixtures["model_list_first_page"]["expect"]["next_page_token"]
    for name in ("picture", "streamed_text_and_picture", "array_stream"):
        text = json.dumps(fixtures[name])
        assert len(text) < 6000, "pictures are small"
        assert fixtures[name]["expect"]["pictures"]


def test_a_difference_is_reported_and_the_key_is_not_written(
    record: Callable[..., int], sandbox: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(path: str, text: str) -> str:
        if "generateContent" not in path or '"error"' in text:
            spelled = json.dumps(KEY)[1:-1]
            return text.replace("API key not valid", f"API key not valid: {spelled} of projects/123456789012")
        return text.replace('"STOP"', '"FINISHED"').replace(
            '"modelVersion"', '"provenance": {"c2pa": 1}, "modelVersion"'
        )

    with changing(sandbox, change) as upstream:
        assert record(upstream, "--yes") == 0
    captured = capsys.readouterr()
    assert "~ candidates[].finishReason: STOP is now FINISHED" in captured.out
    assert "+ provenance.c2pa: number" in captured.out
    texts = [path.read_text() for path in (tmp_path / "recorded").rglob("*.json")]
    for secret in (KEY, json.dumps(KEY)[1:-1], "AIzaRecord", "123456789012", "AIzaInvalid"):
        assert not [text for text in [*texts, captured.out, captured.err] if secret in text]
    fixtures = written(tmp_path / "recorded")
    assert "[[key]] of projects/000000000000" in fixtures["api_key_invalid"]["response"]["body"]["error"]["message"]
    assert fixtures["picture"]["response"]["headers"]["server-timing"] == "gfet4t7; key=[[key]]"


@pytest.mark.parametrize("calls", [0, len(CALLS) - 1])
def test_a_failure_midway_writes_nothing(
    record: Callable[..., int], sandbox: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], calls: int
) -> None:
    with changing(sandbox, lambda path, text: text, calls) as upstream:
        assert record(upstream, "--yes") == 1
    captured = capsys.readouterr()
    assert "Nothing was written." in captured.err
    assert f"{CALLS[calls].name}: the upstream gave no whole answer" in captured.err
    assert list(tmp_path.iterdir()) == []
    assert "AIza" not in captured.out + captured.err


def test_a_refused_key_stops_it_before_anything_is_bought(
    record: Callable[..., int], sandbox: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setenv("API_KEY", "AIza-an-invalid-key")
    paths: list[str] = []

    def note(path: str, text: str) -> str:
        paths.append(path)
        return text

    with changing(sandbox, note) as upstream:
        assert record(upstream, "--yes") == 1
    assert len(paths) == 1
    assert "answers 400 to a call that costs nothing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_was_not_scrubbed_is_never_written(
    record: Callable[..., int], sandbox: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("contract.record.recording.without_secrets", lambda text, key: text)
    with changing(sandbox, lambda path, text: text) as upstream:
        assert record(upstream, "--yes") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_it_asks_before_it_starts(
    record: Callable[..., int],
    sandbox: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    answer: str,
    goes_on: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert record(sandbox) == (0 if goes_on else 1)
    assert (tmp_path / "recorded").exists() is goes_on


def test_an_existing_folder_is_not_touched(record: Callable[..., int], sandbox: str, tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    assert record(sandbox, "--yes") == 1
    assert list((tmp_path / "recorded").iterdir()) == []


def test_help_and_wrong_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "contract.record", "--help"], cwd=PROJECT, capture_output=True)
    assert b"--upstream" in done.stdout and b"API_KEY" in done.stdout
    monkeypatch.delenv("API_KEY", raising=False)
    assert main(["--yes"]) == 1
    assert "API_KEY" in capsys.readouterr().err
    for wrong in ("ftp://x", "http://user:password@host", "nonsense"):
        with pytest.raises(SystemExit, match="2"):
            main(["--upstream", wrong])


def test_every_call_has_a_fixture() -> None:
    for call in CALLS:
        assert (FOLDER / call.operation / f"{call.name}.json").is_file()
    pictures, dollars = cost(CALLS, "gemini-2.5-flash-image")
    assert dollars == pytest.approx(pictures * 0.039)
    assert cost(CALLS, "a-model-to-come")[1] == pytest.approx(pictures * 0.04)
    assert CALLS[0].pictures == 0


def transparent_webp() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (300, 200), (9, 9, 9, 0)).save(file, "WEBP")
    return file.getvalue()


@pytest.mark.parametrize(
    ("picture", "mime_type"),
    [
        (heavy_png(), "image/png"),
        (plain_png(1344, 768), "image/png"),
        (plain_jpeg(), "image/jpeg"),
        (transparent_webp(), "image/webp"),
    ],
)
def test_a_picture_keeps_its_format_and_shape(picture: bytes, mime_type: str) -> None:
    found: list[Picture] = []
    small = base64.b64decode(small_picture(base64_of(picture), found))
    assert len(small) < 1000
    with Image.open(io.BytesIO(small)) as image:
        assert Image.MIME[str(image.format)] == mime_type == found[0][0]
        assert max(image.size) == 16
        assert image.width / image.height == pytest.approx(found[0][1] / found[0][2], rel=0.15)


def test_other_data_is_cut_and_ids_are_replaced() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "not a picture! " * 100}, "thoughtSignature": "x" * 10_000}
    found: list[Picture] = []
    made = shrunk({"candidates": [{"content": {"parts": [part]}}], "responseId": "of-this-answer"}, found)
    assert len(json.dumps(made)) < 300
    assert made["responseId"] != "of-this-answer"
    assert not found


def test_the_text_around_the_events_of_a_stream_is_unchanged() -> None:
    text = 'data: {"responseId": "a"}\r\n\r\n: a comment\n\ndata: {"b": [1]}\n\n'
    assert (
        shrunk_stream(text, [])
        == 'data: {"responseId": "W5rtadjWH43Sz7IPtw1nl3"}\r\n\r\n: a comment\n\ndata: {"b": [1]}\n\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "Consumer 'api_key:AIzaSyA-0123456789abcdefghijklmnopqrstu' has been suspended",
        '"consumer": "projects/123456789012"',
        "project_number:123456789012",
        "https://console.cloud.google.com/apis?project=123456789012",
        "in project 123456789012 before",
        "token ya29.a0AfH6SMBx-abcdef",
    ],
)
def test_secrets_are_recognized_by_their_form(text: str) -> None:
    scrubbed = without_secrets(text, "another key")
    assert not any(secret in scrubbed for secret in ("123456789012", "AIzaSy", "ya29"))
    assert any(stand_in in scrubbed for stand_in in ("[[key]]", "000000000000"))


def test_a_changed_status_content_type_and_form_are_differences() -> None:
    known = {"response": {"status": 200, "headers": {"content-type": "a/b"}, "body": {"x": 1, "gone": None}}}
    found = {"response": {"status": 503, "headers": {"Content-Type": "text/html"}, "body_text": "<html>"}}
    assert list(differences(known, found)) == [
        "~ status 200 is now 503",
        "~ content-type a/b is now text/html",
        "~ JSON is now a text that is not JSON",
        "- x: number",
        "- gone: null",
    ]
