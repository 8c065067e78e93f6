"""The picture store: whole or not at all, under names that nobody guesses, for a while."""

import os
import re
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.images import Event, Finish, ImageData, ImageEnd, ImageStart, Silence, StoredImage, Text
from proxy.pictures.store import FolderStore, open_store, store_pictures

PICTURE = bytes(range(256)) * 40


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FolderStore:
    """A store whose pictures expire after a minute."""
    return FolderStore(tmp_path / "images", 60, clock)


def files(store: FolderStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


# Putting and finding


def test_what_was_put_is_found_with_its_type_and_its_time(store: FolderStore):
    name = store.put("image/webp", [PICTURE[:5], b"", PICTURE[5:]])
    picture = store.find(name)
    assert picture
    assert picture.path.read_bytes() == PICTURE
    assert (picture.mime_type, picture.seconds_left) == ("image/webp", 60)
    assert files(store) == [name]


def test_a_folder_is_made_where_there_is_none(tmp_path: Path):
    folder = tmp_path / "a" / "b"
    assert open_store(str(folder), 60).folder == folder
    assert open_store(f"file://{folder}", 60).folder == folder
    assert folder.is_dir()


def test_a_relative_folder_stays_the_same_when_the_process_changes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    store = open_store("images", 60)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    name = store.put("image/png", [PICTURE])
    assert (tmp_path / "images" / name).is_file()


def test_a_name_cannot_be_guessed_and_has_its_type(store: FolderStore):
    names = {store.put("image/png", [b"same"]) for _ in range(50)}
    assert len(names) == 50
    secrets = {re.fullmatch(r"[0-9a-f]+-([A-Za-z0-9_-]+)\.png", name)[1] for name in names}
    assert all(len(secret) * 6 >= 128 for secret in secrets), "128 random bits or more"
    assert len({secret[:8] for secret in secrets}) == 50


def test_a_name_needs_no_quoting_in_a_url_or_a_file_system(store: FolderStore):
    assert re.fullmatch(r"[A-Za-z0-9._-]+", store.put("image/jpeg", [PICTURE]))


NOT_OURS = (
    "",
    ".",
    "..",
    "../secret.png",
    "secret.txt",
    "a/b",
    "a\0b",
    "00000000-" + "A" * 32 + ".png\n",
    "ffffffff-" + "A" * 32 + ".PNG",
    "FFFFFFFF-" + "A" * 32 + ".png",
    "ffffffff-" + "A" * 31 + ".png",
    "ffffffff-" + "A" * 29 + "/.." + ".png",
    "ffffffff-" + "A" * 31 + "é.png",
    "٣fffffff-" + "A" * 32 + ".png",
    "-fffffff-" + "A" * 32 + ".png",
    "ffffffff-" + "A" * 32 + ".svg",
    "ffffffff-" + "A" * 32 + ".html",
)


@pytest.mark.parametrize("name", NOT_OURS, ids=ascii)
def test_a_file_under_another_name_is_not_found(store: FolderStore, tmp_path: Path, name: str):
    (tmp_path / "secret.png").write_bytes(b"secret")
    if name.strip("./\0") and "/" not in name and "\0" not in name:
        (store.folder / name).write_bytes(b"foreign")
    assert store.find(name) is None


@given(st.text(max_size=80))
def test_no_name_is_an_error(name: str):
    assert FolderStore(Path("/"), 60).find(name) is None


def test_an_unfinished_picture_is_not_found(store: FolderStore):
    found: list[object] = []

    def chunks() -> Iterator[bytes]:
        yield PICTURE
        [unfinished] = files(store)
        found.append(store.find(unfinished))
        found.append(store.find(unfinished.removesuffix(".part")))
        yield PICTURE

    name = store.put("image/png", chunks())
    assert found == [None, None]
    assert store.find(name)


class Odd(BaseException):
    """Not an Exception, like the end of a greenlet."""


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, Odd, GeneratorExit])
def test_nothing_remains_when_the_chunks_raise(store: FolderStore, error: type[BaseException]):
    def chunks() -> Iterator[bytes]:
        yield PICTURE
        raise error("no")

    with pytest.raises(error):
        store.put("image/png", chunks())
    assert files(store) == []


def test_nothing_remains_when_the_disk_is_full(store: FolderStore, monkeypatch: pytest.MonkeyPatch):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            store.put("image/png", [PICTURE])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert files(store) == []


def test_a_type_without_an_ending_is_refused_before_anything_is_written(store: FolderStore):
    with pytest.raises((KeyError, ValueError)):
        store.put("text/html", [b"<script>"])
    assert files(store) == []


def test_many_puts_at_once(store: FolderStore):
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda i=i: names.append(store.put("image/png", [b"%d" % i] * 100))) for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = {store.find(name).path.read_bytes() for name in names}
    assert contents == {b"%d" % i * 100 for i in range(20)}


# Time


def test_a_picture_is_found_until_it_expires(store: FolderStore, clock: Clock):
    name = store.put("image/png", [PICTURE])
    clock.now += 59
    assert store.find(name).seconds_left == 1
    clock.now += 1
    assert store.find(name) is None


def test_a_picture_keeps_its_expiry_when_the_setting_changes(store: FolderStore, clock: Clock):
    name = store.put("image/png", [PICTURE])
    clock.now += 30
    assert FolderStore(store.folder, 1, clock).find(name).seconds_left == 30


def test_a_name_with_another_expiry_is_another_name(store: FolderStore):
    name = store.put("image/png", [PICTURE])
    assert store.find("ffffffff" + name[8:]) is None


def test_the_longest_time_fits_in_a_name(tmp_path: Path):
    store = FolderStore(tmp_path, 10 * 365 * 86400)
    assert store.find(store.put("image/png", [PICTURE]))


def test_a_sweep_deletes_what_has_expired_and_nothing_else(store: FolderStore, clock: Clock):
    old = store.put("image/png", [PICTURE])
    clock.now += 30
    young = store.put("image/png", [PICTURE])
    for foreign in ("notes.txt", "photo.png", "x.part", ".gitignore"):
        (store.folder / foreign).write_bytes(b"not ours")
        os.utime(store.folder / foreign, (0, 0))
    (store.folder / "folder.png").mkdir()
    assert store.sweep() == 0
    clock.now += 30
    assert store.sweep() == 1
    assert old not in files(store)
    assert {young, "notes.txt", "photo.png", "x.part", ".gitignore", "folder.png"} == set(files(store))
    assert store.sweep() == 0


def test_a_sweep_deletes_what_a_killed_worker_left_but_not_what_is_being_written(store: FolderStore, clock: Clock):
    whole = store.put("image/png", [PICTURE])
    left = store.folder / f"{whole[:9]}{'A' * 32}.png.part"
    left.write_bytes(b"half")
    os.utime(left, (clock.now - 100_000, clock.now - 100_000))
    written = store.folder / f"{whole[:9]}{'B' * 32}.png.part"
    written.write_bytes(b"half")
    os.utime(written, (clock.now - 10, clock.now - 10))
    assert store.sweep() == 1
    assert set(files(store)) == {whole, written.name}


@pytest.mark.parametrize("look", [FolderStore.sweep, FolderStore.size])
def test_a_walk_over_many_pictures_yields_to_other_greenlets(store: FolderStore, look, monkeypatch: pytest.MonkeyPatch):
    """Otherwise every caller of the worker would wait."""
    pauses: list[float] = []
    monkeypatch.setattr("proxy.pictures.store.time.sleep", pauses.append)
    for number in range(100):
        (store.folder / f"{number}.txt").touch()
    look(store)
    assert pauses == [0] * 5


def test_two_sweeps_at_once_do_not_disturb_each_other(tmp_path: Path):
    FolderStore(tmp_path, 1, lambda: 1000.0).put("image/png", [PICTURE])
    stores = [FolderStore(tmp_path, 1) for _ in range(4)]
    swept: list[int] = []
    threads = [threading.Thread(target=lambda store=store: swept.append(store.sweep())) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(swept) == 1


def test_a_sweep_of_a_folder_that_is_gone_is_an_error_of_the_disk(store: FolderStore):
    store.folder.rmdir()
    with pytest.raises(FileNotFoundError):
        store.sweep()


def test_a_picture_is_stored_again_once_its_folder_has_come_back(store: FolderStore):
    """Somebody may clear the folder while the service runs."""
    store.folder.rmdir()
    with pytest.raises(OSError, match="No such file"):
        store.put("image/png", [PICTURE])
    store.folder.mkdir()
    assert store.find(store.put("image/png", [PICTURE]))


# Events


def url_of(name: str) -> str:
    return f"https://here.test/images/{name}"


def pieces(data: bytes, size: int = 6) -> list[Event]:
    return [ImageData(data[start : start + size]) for start in range(0, len(data), size)]


START = ImageStart("image/png", 40, 30)


def test_a_picture_among_events_becomes_its_url(store: FolderStore):
    events = [Text("so: "), START, *pieces(PICTURE), ImageEnd(), Finish(), Silence(), START, *pieces(b"2"), ImageEnd()]
    stored = list(store_pictures(iter(events), store, url_of))
    assert [type(event) for event in stored] == [Text, StoredImage, Finish, Silence, StoredImage]
    first, second = [event for event in stored if isinstance(event, StoredImage)]
    assert (first.mime_type, first.width, first.height) == ("image/png", 40, 30)
    for stored, content in ((first, PICTURE), (second, b"2")):
        assert store.find(stored.url.rpartition("/")[2]).path.read_bytes() == content


def test_a_draft_is_not_stored(store: FolderStore):
    events = [START, *pieces(b"draft"), ImageEnd(draft=True), START, *pieces(PICTURE), ImageEnd(), Finish()]
    stored = list(store_pictures(iter(events), store, url_of))
    assert [type(event) for event in stored] == [StoredImage, Finish]
    [name] = files(store)
    assert (store.folder / name).read_bytes() == PICTURE


def test_an_error_within_the_picture_leaves_nothing_behind(store: FolderStore):
    def events() -> Iterator[Event]:
        yield START
        yield from pieces(PICTURE)
        raise ApiError(ErrorKind.UPSTREAM_BROKEN, "cut")

    with pytest.raises(ApiError, match="cut"):
        list(store_pictures(events(), store, url_of))
    assert files(store) == []


def test_events_that_end_within_a_picture_store_none(store: FolderStore):
    with pytest.raises(Exception, match=r".*"):
        list(store_pictures(iter([START, *pieces(PICTURE)]), store, url_of))
    assert files(store) == []


def test_an_error_of_the_disk_is_ours_and_shows_no_path(store: FolderStore):
    store.folder.rmdir()
    with pytest.raises(ApiError) as caught:
        list(store_pictures(iter([START, *pieces(PICTURE), ImageEnd(), Finish()]), store, url_of))
    assert (caught.value.kind, caught.value.may_repeat) == (ErrorKind.INTERNAL, False)
    assert str(store.folder) not in str(caught.value)


class Hanging(FolderStore):
    """A store that fails slowly."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked = 0

    def put(self, mime_type: str, chunks: Iterable[bytes], seconds: int | None = None) -> str:
        self.asked += 1
        self.clock.now += 40
        raise OSError("it hangs")


def test_a_store_that_hangs_is_not_waited_for_again_for_each_picture(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("proxy.pictures.store.time.monotonic", clock)
    store, many = Hanging(clock), [event for _ in range(10) for event in (START, *pieces(PICTURE), ImageEnd())]
    with pytest.raises(ApiError, match="could not be stored"):
        list(store_pictures(iter([*many, Finish()]), store, url_of))
    assert store.asked == 2, "after STORE_ANSWER_SECONDS of it, no more"


def test_storing_needs_no_copies(store: FolderStore):
    """A picture of 8 MB in pieces of 64 KiB: no joining, no copies of the whole."""
    chunk = ImageData(bytes(48 * 1024))

    def events() -> Iterator[Event]:
        yield START
        for _ in range(170):
            yield chunk
        yield ImageEnd()

    tracemalloc.start()
    started = time.monotonic()
    list(store_pictures(events(), store, url_of))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert time.monotonic() - started < 5
