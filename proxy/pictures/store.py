"""Keeps pictures for a while and gives them back by name.

A name is its own permission: it is its expiry and 192 random bits, so that it can be neither guessed nor listed, and
neither a secret nor a database is needed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Protocol

import obstore
import obstore.store

from compat.errors import ApiError, Bought, ErrorKind
from compat.formats import BY_ENDING, BY_MIME_TYPE, READABLE
from compat.images import Event, ImageStart, StoredImage
from proxy.limits import KIB, LEFTOVER_SECONDS, READ_CHUNK, STORE_ANSWER_SECONDS
from proxy.pictures.replacing import replace_pictures
from proxy.settings import SettingsError

log = logging.getLogger("twinlens")

ENDINGS = "|".join(known.endings[0] for known in READABLE)
NAME = re.compile(rf"([0-9a-f]{{8,12}})-[A-Za-z0-9_-]{{32}}\.({ENDINGS})", re.ASCII)
KEPT_NAME = re.compile(r"kept-([0-9a-f]{8,12})-[A-Za-z0-9_-]{32}", re.ASCII)
UNFINISHED = ".part"
WORTH_A_WRITE = 64 * KIB  # bytes of chunks that are written without waiting for the next one
MOST_TOGETHER = 64  # chunks in one write
YIELD_AFTER = 20  # directory entries, to other greenlets

REMOTE_SCHEMES = ("s3://", "gs://", "az://")
RETRY_CONFIG: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True)
class Picture:
    """A stored picture and the seconds until it expires: in a file at `path`, or `size` bytes in `chunks`."""

    mime_type: str
    seconds_left: int
    path: Path | None = None
    size: int = 0
    chunks: Iterable[bytes] = ()

    def content(self) -> bytes:
        """All its bytes. Raises OSError, and FileNotFoundError if it was deleted meanwhile."""
        return self.path.read_bytes() if self.path else b"".join(self.chunks)


class Store(Protocol):
    """Where pictures are stored."""

    def put(self, mime_type: str, chunks: Iterable[bytes], seconds: int | None = None) -> str:
        """Stores a picture for so many seconds, by default the store's own, and returns its name.

        Nothing remains if the chunks raise. Raises OSError.
        """

    def keep(self, chunks: Iterable[bytes], seconds: float) -> str:
        """Stores the body of an answer under a name that `find` does not accept, and returns it. Raises OSError."""

    def read_kept(self, name: str) -> Iterator[bytes] | None:
        """The body of that name; None if it is gone. Raises OSError."""

    def delete_kept(self, name: str) -> None:
        """Deletes the body of that name, if it is there. Raises OSError."""

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or if it has expired."""

    def check(self) -> None:
        """Raises OSError if pictures cannot be stored."""

    def sweep(self) -> int:
        """Deletes expired pictures; returns their number."""

    def size(self) -> tuple[int, int] | None:
        """The number of pictures and their bytes; None if that is not known."""


def new_name(mime_type: str, expiry: int) -> str:
    """A name that nobody can guess. `expiry` is in seconds since 1970."""
    return f"{expiry:08x}-{secrets.token_urlsafe(24)}.{BY_MIME_TYPE[mime_type].endings[0]}"


def new_kept_name(expiry: float) -> str:
    """A name for the body of an answer that is kept. `expiry` is in seconds since 1970."""
    return f"kept-{int(expiry) + 1:08x}-{secrets.token_urlsafe(24)}"


def read_name(name: str, now: float) -> tuple[str, int] | None:
    """The MIME type and the seconds left, as a name encodes them; None if it is not a name, or has expired."""
    match = NAME.fullmatch(name)
    seconds_left = int(match[1], 16) - int(now) if match else 0
    return (BY_ENDING[match[2]].mime_type, seconds_left) if match and seconds_left > 0 else None


class FolderStore:
    """Pictures in a folder. A picture appears under its name whole or not at all."""

    def __init__(self, folder: Path, ttl: int, clock: Callable[[], float] = time.time):
        """`ttl` is in seconds; `clock` returns the seconds since 1970. A missing folder is made."""
        self.folder = folder
        self.ttl = ttl
        self.clock = clock
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, mime_type: str, chunks: Iterable[bytes], seconds: int | None = None) -> str:
        """Stores the bytes and returns the name. Nothing remains if the chunks raise."""
        name = new_name(mime_type, int(self.clock()) + (seconds or self.ttl))
        self.write(name, chunks)
        return name

    def keep(self, chunks: Iterable[bytes], seconds: float) -> str:
        """Stores the body of an answer and returns its name."""
        name = new_kept_name(self.clock() + seconds)
        self.write(name, chunks)
        return name

    def read_kept(self, name: str) -> Iterator[bytes] | None:
        """The body of that name; None if it is gone."""
        try:
            return read_all((self.folder / name).open("rb", buffering=0))
        except FileNotFoundError:
            return None

    def delete_kept(self, name: str) -> None:
        """Deletes the body of that name, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Writes a file, which appears under its name when it is whole."""
        path = f"{self.folder}/{name}"
        unfinished = f"{path}{UNFINISHED}"
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            try:
                write_all(file, chunks)
            finally:
                os.close(file)
            os.rename(unfinished, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or if it has expired."""
        parsed = read_name(name, self.clock())
        path = self.folder / name
        return Picture(*parsed, path) if parsed and path.is_file() else None

    def check(self) -> None:
        """Writes and deletes a file. Raises OSError if pictures cannot be stored."""
        probe = self.folder / f"probe-{secrets.token_hex(8)}{UNFINISHED}"
        try:
            probe.write_bytes(b"?")
        finally:
            probe.unlink(missing_ok=True)

    def size(self) -> tuple[int, int]:
        """The number of pictures and their bytes."""
        sizes = []
        for entry in self.entries():
            with contextlib.suppress(OSError):
                if NAME.fullmatch(entry.name):
                    sizes.append(entry.stat().st_size)
        return len(sizes), sum(sizes)

    def sweep(self) -> int:
        """Deletes expired pictures and unfinished files; returns their number."""
        now = self.clock()
        swept = 0
        for entry in self.entries():
            with contextlib.suppress(OSError):
                if self.is_expired(entry, now):
                    os.unlink(entry.path)
                    swept += 1
        return swept

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """All files. It yields to other greenlets at times: a folder may hold a hundred thousand pictures."""
        with os.scandir(self.folder) as entries:
            for number, entry in enumerate(entries):
                if number % YIELD_AFTER == 0:
                    time.sleep(0)
                yield entry

    def is_expired(self, entry: os.DirEntry[str], now: float) -> bool:
        name = entry.name.removesuffix(UNFINISHED)
        match = NAME.fullmatch(name) or KEPT_NAME.fullmatch(name)
        if match and name == entry.name:
            return int(match[1], 16) <= now
        return bool(match) and entry.stat().st_mtime < now - LEFTOVER_SECONDS


def read_all(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file, which is closed at its end."""
    with file:
        while piece := file.read(READ_CHUNK):
            yield piece


def write_all(file: int, chunks: Iterable[bytes]) -> None:
    """Writes every byte to a file descriptor, small chunks together with what follows them."""
    together: list[bytes] = []
    for chunk in chunks:
        together.append(chunk)
        if sum(map(len, together)) >= WORTH_A_WRITE or len(together) == MOST_TOGETHER:
            write_together(file, together)
            together.clear()
    if together:
        write_together(file, together)


def write_together(file: int, chunks: list[bytes]) -> None:
    """Writes all chunks, of which one write may take only a part."""
    written = os.writev(file, chunks)
    for chunk in chunks:
        view = memoryview(chunk)[written:]
        written = max(0, written - len(chunk))
        while view:
            view = view[os.write(file, view) :]


class RemoteStore:
    """Pictures in an object store that several machines share. A rule of the bucket deletes expired ones."""

    def __init__(
        self,
        url: str,
        ttl: int,
        run_in_thread: Callable[..., Any],
        clock: Callable[[], float] = time.time,
    ):
        """Credentials come from the environment, as the store's own tools read them.

        `run_in_thread` runs what would block all requests, and raises TimeoutError after its limit: obstore's own
        options for that would replace everything that the environment says of the client. To be made after the fork,
        because obstore has threads.
        """
        self.store = obstore.store.from_url(url, retry_config=RETRY_CONFIG)
        self.ttl = ttl
        self.run_in_thread = run_in_thread
        self.clock = clock

    def put(self, mime_type: str, chunks: Iterable[bytes], seconds: int | None = None) -> str:
        """Stores the bytes and returns the name."""
        name = new_name(mime_type, int(self.clock()) + (seconds or self.ttl))
        self.upload(name, mime_type, chunks)
        return name

    def keep(self, chunks: Iterable[bytes], seconds: float) -> str:
        """Stores the body of an answer and returns its name."""
        name = new_kept_name(self.clock() + seconds)
        self.upload(name, "application/octet-stream", chunks)
        return name

    def read_kept(self, name: str) -> Iterator[bytes] | None:
        """The body of that name; None if it is gone. Raises OSError."""
        try:
            return self.read(self.ask(obstore.get, name))
        except FileNotFoundError:
            return None

    def delete_kept(self, name: str) -> None:
        """Deletes the body of that name, if it is there. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self.ask(obstore.delete, name)

    def upload(self, name: str, mime_type: str, chunks: Iterable[bytes]) -> None:
        """Uploads the bytes from a local file, so that they appear whole or not at all."""
        with tempfile.TemporaryFile(buffering=0) as file:
            write_all(file.fileno(), chunks)
            file.seek(0)
            self.ask(obstore.put, name, file, attributes={"Content-Type": mime_type})

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or if it has expired. Raises OSError."""
        parsed = read_name(name, self.clock())
        if not parsed:
            return None
        try:
            found = self.ask(obstore.get, name)
        except FileNotFoundError:
            return None
        return Picture(*parsed, size=found.meta["size"], chunks=self.read(found))

    def read(self, found: Any) -> Iterator[bytes]:
        """The bytes of a picture, copied to a local file first: the caller may read slower than the store allows."""
        with tempfile.TemporaryFile(buffering=0) as file:
            self.in_thread(lambda: write_all(file.fileno(), found.stream(READ_CHUNK)))
            file.seek(0)
            yield from read_all(file)

    def check(self) -> None:
        """Writes and deletes an object. Raises OSError if pictures cannot be stored."""
        probe = f"probe-{secrets.token_hex(8)}"
        try:
            self.ask(obstore.put, probe, b"?")
        except FileNotFoundError:
            raise OSError(errno.ENOENT, "the object store has no such bucket") from None
        self.ask(obstore.delete, probe)

    def sweep(self) -> int:
        """Nothing: the bucket has a rule for that."""
        return 0

    def size(self) -> None:
        """None: counting would list the whole bucket."""

    def ask(self, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Calls an operation of the store. Raises OSError."""
        return self.in_thread(lambda: operation(self.store, *args, **options))

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls what the store may keep waiting. Raises OSError, whose message has no credential and no name."""
        try:
            return self.run_in_thread(function, *args)
        except FileNotFoundError:
            raise
        except obstore.exceptions.BaseError as error:
            raise OSError(errno.EIO, f"the object store {reason_of(error)}") from None


def is_remote(url: str) -> bool:
    """Whether IMAGE_STORE_URL is an object store and not a folder."""
    return url.startswith(REMOTE_SCHEMES)


UNREACHABLE = re.compile(r"kind: (Connect|Timeout)|error sending request|operation timed out")  # in obstore's messages
REASONS = {
    obstore.exceptions.PermissionDeniedError: "refuses these credentials",
    obstore.exceptions.UnauthenticatedError: "wants credentials",
}


def reason_of(error: obstore.exceptions.BaseError) -> str:
    """What an object store does instead of its work. Its own message would have names of pictures."""
    if known := REASONS.get(type(error)):
        return known
    return "cannot be reached" if UNREACHABLE.search(str(error)) else f"answered {type(error).__name__}"


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function directly, for scripts."""
    return function(*args)


def open_store(url: str, ttl: int, run_in_thread: Callable[..., Any] = call) -> Store:
    """The store that IMAGE_STORE_URL names. Raises SettingsError if it cannot be used."""
    try:
        return RemoteStore(url, ttl, run_in_thread) if is_remote(url) else open_folder(url, ttl)
    except obstore.exceptions.BaseError:
        named = url.partition("://")[2].strip("/")
        raise SettingsError(
            f"IMAGE_STORE_URL is '{url}': it names no bucket{' that can be used' * bool(named)}"
        ) from None


def open_folder(url: str, ttl: int) -> FolderStore:
    """The folder that IMAGE_STORE_URL names. Raises SettingsError if it cannot be made."""
    folder = Path(url.removeprefix("file://")).absolute()
    try:
        return FolderStore(folder, ttl)
    except OSError as error:
        raise SettingsError(f"IMAGE_STORE_URL: the folder {folder} cannot be made ({error.strerror}).") from None


def store_pictures(
    events: Iterator[Event], store: Store, url_of: Callable[[str], str], seconds: int | None = None
) -> Iterator[Event]:
    """The events with every picture in the store, for so many seconds, and its URL instead of its data.

    After STORE_ANSWER_SECONDS of failed attempts the rest of the pictures fail at once.
    """
    failing = 0.0

    def put(start: ImageStart, data: Iterator[bytes]) -> Iterable[Event]:
        nonlocal failing
        began = time.monotonic()
        try:
            if failing >= STORE_ANSWER_SECONDS:
                raise TimeoutError(errno.ETIMEDOUT, "the store did not answer for the picture before")
            name = store.put(start.mime_type, data, seconds)
        except OSError as error:
            failing += time.monotonic() - began
            log.exception("a picture could not be stored")
            raise ApiError(ErrorKind.INTERNAL, "The picture could not be stored.", bought=Bought.YES) from error
        return (StoredImage(url_of(name), start.mime_type, start.width, start.height),)

    return replace_pictures(events, lambda _: True, put)
