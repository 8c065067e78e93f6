"""Pictures in an object store, against a real S3-compatible server."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.pictures.store import NAME, RemoteStore, open_store
from proxy.settings import SettingsError
from tests.support.object_store import BUCKET, object_store


def at_once(function: Callable, *args: object) -> object:
    return function(*args)


class Shelf:
    """A store, the folder behind it, and a clock that can be set."""

    def __init__(self, folder: Path):
        self.folder = folder / BUCKET
        self.now = 1_000_000_000.0
        self.store = RemoteStore(f"s3://{BUCKET}", 60, at_once, lambda: self.now)

    def files(self) -> list[str]:
        return [path.name for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("s3")
    with object_store(folder) as environment:
        yield folder, environment


@pytest.fixture
def shelf(environment: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Shelf:
    folder, variables = environment
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Shelf(folder)


def test_what_is_put_is_found_under_its_name(shelf: Shelf):
    pieces = [b"x" * 700_000, b"y" * 700_001]
    name = shelf.store.put("image/png", iter(pieces))
    assert NAME.fullmatch(name)
    found = shelf.store.find(name)
    assert (found.mime_type, found.seconds_left, found.size, found.path) == ("image/png", 60, 1_400_001, None)
    assert b"".join(found.chunks) == b"".join(pieces)


def test_a_caller_may_read_slower_than_the_store_allows(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    picture = random.Random(1).randbytes(16_000_000)  # more than the buffers on the way hold
    name = shelf.store.put("image/png", [picture])
    monkeypatch.setenv("AWS_TIMEOUT", "1s")
    monkeypatch.setattr("proxy.pictures.store.RETRY_CONFIG", {"max_retries": 0})
    found = RemoteStore(f"s3://{BUCKET}", 60, at_once, lambda: shelf.now).find(name)
    pieces = iter(found.chunks)
    taken = bytearray(next(pieces))
    time.sleep(1.1)
    for piece in pieces:
        taken += piece
    assert taken == picture


def test_nothing_is_found_under_an_unknown_or_malformed_name(shelf: Shelf):
    name = shelf.store.put("image/png", [b"x"])
    shelf.now += 1
    assert shelf.store.find(name)
    assert shelf.store.find(name.replace(name[12], "A" if name[12] != "A" else "B", 1)) is None
    for wrong in ("", "../x", f"{name}/..", "probe", name.removesuffix(".png")):
        assert shelf.store.find(wrong) is None


def test_an_expired_picture_is_not_found(shelf: Shelf):
    name = shelf.store.put("image/png", [b"x"])
    shelf.now += 60
    assert shelf.store.find(name) is None


def test_nothing_appears_when_the_picture_breaks_off(shelf: Shelf):
    before = shelf.files()

    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise ValueError("it broke off")

    with pytest.raises(ValueError, match="broke off"):
        shelf.store.put("image/png", broken())
    assert shelf.files() == before


def test_a_check_leaves_nothing_behind(shelf: Shelf):
    before = shelf.files()
    shelf.store.check()
    assert shelf.files() == before


def test_a_store_that_is_not_there_is_an_error_without_credentials(
    shelf: Shelf, environment: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    gone = RemoteStore(f"s3://{BUCKET}", 60, at_once)
    with pytest.raises(OSError, match="object store") as caught:
        gone.check()
    for value in environment[1].values():
        assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "variables", "words"),
    [
        ("s3://pictures", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the object store cannot be reached"),
        ("s3://missing", {}, "the object store has no such bucket"),
        ("s3://pictures", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "the object store refuses these credentials"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_explained(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], words: str
):
    monkeypatch.setattr("proxy.pictures.store.RETRY_CONFIG", {"max_retries": 0})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match=words) as raised:
        RemoteStore(url, 60, at_once).check()
    assert raised.value.strerror == words


def test_a_url_without_a_bucket_stops_the_start():
    with pytest.raises(SettingsError, match="IMAGE_STORE_URL is 's3://': it names no bucket"):
        open_store("s3://", 60)
