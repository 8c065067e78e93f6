"""Stored pictures over HTTP."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from proxy.pictures import store as image_store
from proxy.pictures.store import open_store
from tests.proxy.conftest import MakeApp
from tests.support.dialects import google_error, openai_error
from tests.support.gemini_answers import PICTURE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the app's pictures."""
    return tmp_path / "images"


@pytest.fixture
def name(app: Flask, folder: Path) -> str:
    """A picture that has been stored."""
    return open_store(str(folder), 3600).put("image/png", [PICTURE])


def test_a_picture_comes_with_its_type_and_its_lifetime(client: FlaskClient, name: str):
    response = client.get(f"/images/{name}")
    assert (response.status_code, response.data, response.headers["Content-Type"]) == (200, PICTURE, "image/png")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    directives = response.headers["Cache-Control"].split(", ")
    [age] = [int(one.removeprefix("max-age=")) for one in directives if one.startswith("max-age=")]
    assert 3590 < age <= 3600
    assert "private" in directives


@pytest.mark.parametrize(
    ("mime_type", "ending"), [("image/jpeg", "jpeg"), ("image/webp", "webp"), ("image/gif", "gif")]
)
def test_the_type_is_that_of_the_picture(client: FlaskClient, folder: Path, mime_type: str, ending: str):
    name = open_store(str(folder), 3600).put(mime_type, [b"x"])
    assert name.endswith(f".{ending}")
    assert client.get(f"/images/{name}").headers["Content-Type"] == mime_type


def test_no_key_is_needed(client: FlaskClient, name: str):
    assert client.get(f"/images/{name}", headers={}).status_code == 200


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-3", slice(0, 4), "bytes 0-3/{}"),
        ("bytes=4-", slice(4, None), None),
        ("bytes=-5", slice(-5, None), None),
    ],
)
def test_a_range_is_served(client: FlaskClient, name: str, header: str, expected: slice, content_range: str | None):
    response = client.get(f"/images/{name}", headers={"Range": header})
    assert (response.status_code, response.data) == (206, PICTURE[expected])
    if content_range:
        assert response.headers["Content-Range"] == content_range.format(len(PICTURE))


def test_a_range_outside_of_the_picture_is_refused_with_its_length(client: FlaskClient, name: str):
    response = client.get(f"/images/{name}", headers={"Range": "bytes=9999-"})
    assert (response.status_code, response.mimetype) == (416, "application/json")
    assert response.headers.get("Content-Range") == f"bytes */{len(PICTURE)}"


def test_a_picture_that_the_client_has_is_not_sent_again(client: FlaskClient, name: str):
    etag = client.get(f"/images/{name}").headers["ETag"]
    response = client.get(f"/images/{name}", headers={"If-None-Match": etag})
    assert (response.status_code, response.data) == (304, b"")


def test_head_has_the_length(client: FlaskClient, name: str):
    response = client.head(f"/images/{name}")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(PICTURE))


def test_an_expired_picture_is_not_found(client: FlaskClient, folder: Path):
    expired = image_store.FolderStore(folder, 3600, clock=lambda: 1_000_000.0).put("image/png", [PICTURE])
    assert (folder / expired).exists()
    openai_error(client.get(f"/images/{expired}"), 404, None)


@pytest.mark.parametrize(
    "asked",
    [
        "nothing.png",
        "ffffffff-" + "A" * 32 + ".png",
        "..",
        "../secret.txt",
        "..%2Fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "..%5Csecret.txt",
        "%00",
        "a%0Ab.png",
        "%ff",
        "x" * 5000,
    ],
)
def test_another_file_is_not_found(client: FlaskClient, tmp_path: Path, asked: str):
    (tmp_path / "secret.txt").write_text("secret")
    response = client.get(f"/images/{asked}")
    assert "secret\n" not in response.get_data(as_text=True)
    openai_error(response, 404, None)


@pytest.mark.parametrize("ending", [".part", ".PNG", ".png.part", "%0A", "/", ".png"])
def test_a_name_is_taken_literally(client: FlaskClient, folder: Path, name: str, ending: str):
    (folder / f"{name}.part").write_bytes(b"half")
    assert client.get(f"/images/{name}{ending}").status_code == 404


def test_a_picture_that_is_deleted_during_the_request_is_not_found(
    client: FlaskClient, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    found = image_store.FolderStore.find

    def find_and_lose(store: image_store.FolderStore, asked: str) -> image_store.Picture | None:
        picture = found(store, asked)
        (folder / name).unlink()
        return picture

    monkeypatch.setattr(image_store.FolderStore, "find", find_and_lose)
    openai_error(client.get(f"/images/{name}"), 404, None)


def test_the_error_about_an_unreadable_picture_shows_nothing_of_the_disk(client: FlaskClient, folder: Path, name: str):
    (folder / name).unlink()
    (folder / name).mkdir()
    response = client.get(f"/images/{name}")
    assert str(folder) not in response.get_data(as_text=True)
    openai_error(response, 404, None)


def test_there_is_no_list(client: FlaskClient, name: str):
    for path in ("/images", "/images/"):
        response = client.get(path)
        assert name not in response.get_data(as_text=True)
        openai_error(response, 404, None)


def test_a_picture_is_only_read(client: FlaskClient, name: str):
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        openai_error(client.open(f"/images/{name}", method=method), 405, "method_not_supported")
    google_error(client.delete(f"/images/{name}", headers={"x-goog-api-key": "k"}), 405, "UNIMPLEMENTED")
    assert client.get(f"/images/{name}").status_code == 200


def test_pictures_are_served_while_all_places_are_taken(make_app: MakeApp, folder: Path):
    app = make_app(MAX_IN_FLIGHT="1")
    name = open_store(str(folder), 60).put("image/png", [PICTURE])
    for _ in range(3):
        assert app.test_client().get(f"/images/{name}").status_code == 200
