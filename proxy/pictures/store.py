"""Keeps pictures for a while and hands them back by name.

A name is its own permission: it begins with its expiry and 192 random bits follow, so that it can be neither guessed
nor listed, and no secret and no database are needed.
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
from typing import Any, Protocol

import obstore
import obstore.store

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_ENDING, BY_MIME_TYPE, READABLE
from compat.images import Event, ImageStart, StoredImage
from proxy.limits import KIB, LEFTOVER_SECONDS, READ_CHUNK, STORE_ANSWER_SECONDS
from proxy.pictures.replacing import replace_pictures
from proxy.settings import SettingsError

log = logging.getLogger("twinlens")

ENDINGS = "|".join(known.endings[0] for known in READABLE)
NAME = re.compile(rf"([0-9a-f]{{8,12}})-[A-Za-z0-9_-]{{32}}\.({ENDINGS})", re.ASCII)
UNFINISHED = ".part"
WORTH_A_WRITE = 64 * KIB  # bytes in chunks that are not held back for the next one
MOST_TOGETHER = 64  # chunks
BREATHE_AFTER = 20  # files that are looked at or deleted in one go

REMOTE_SCHEMES = ("s3://", "gs://", "az://")
RETRY_CONFIG: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True)
class Picture:
    """A stored picture: what it is, and for how many seconds it is still there.

    It lies in a file, or `size` bytes of it are to be had from somewhere else as `chunks`.
    """

    mime_type: str
    seconds_left: int
    path: Path | None = None
    size: int = 0
    chunks: Iterable[bytes] = ()


class Store(Protocol):
    """Where pictures are kept."""

    def put(self, mime_type: str, chunks: Iterable[bytes]) -> str:
        """Stores the bytes and returns the name. Nothing remains if the chunks raise. Raises OSError."""

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or none any more."""

    def check(self) -> None:
        """Raises OSError if pictures cannot be stored."""

    def sweep(self) -> int:
        """Deletes what has expired; returns how many files that were."""

    def size(self) -> tuple[int, int] | None:
        """How many pictures there are, and their bytes; None where that is not known."""


def new_name(mime_type: str, expiry: int) -> str:
    """A name that nobody can guess, for a picture that expires at so many seconds since 1970."""
    return f"{expiry:08x}-{secrets.token_urlsafe(24)}.{BY_MIME_TYPE[mime_type].endings[0]}"


def read_name(name: str, now: float) -> tuple[str, int] | None:
    """The MIME type and the seconds left that a name tells; None if it is no name, or expired."""
    match = NAME.fullmatch(name)
    seconds_left = int(match[1], 16) - int(now) if match else 0
    return (BY_ENDING[match[2]].mime_type, seconds_left) if match and seconds_left > 0 else None


class FolderStore:
    """Pictures in a folder. One appears under its name whole or not at all."""

    def __init__(self, folder: Path, ttl: int, clock: Callable[[], float] = time.time):
        """`ttl` is in seconds; `clock` tells the seconds since 1970. The folder is made if it is missing."""
        self.folder = folder
        self.ttl = ttl
        self.clock = clock
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, mime_type: str, chunks: Iterable[bytes]) -> str:
        """Stores the bytes and returns the name. Nothing remains if the chunks raise."""
        name = new_name(mime_type, int(self.clock()) + self.ttl)
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
        return name

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or none any more."""
        told = read_name(name, self.clock())
        path = self.folder / name
        return Picture(*told, path) if told and path.is_file() else None

    def check(self) -> None:
        """Writes and deletes a file. Raises OSError if pictures cannot be stored."""
        probe = self.folder / f"probe-{secrets.token_hex(8)}{UNFINISHED}"
        try:
            probe.write_bytes(b"?")
        finally:
            probe.unlink(missing_ok=True)

    def size(self) -> tuple[int, int]:
        """How many pictures there are, and their bytes."""
        sizes = []
        for entry in self.entries():
            with contextlib.suppress(OSError):
                if NAME.fullmatch(entry.name):
                    sizes.append(entry.stat().st_size)
        return len(sizes), sum(sizes)

    def sweep(self) -> int:
        """Deletes what has expired and what was left unfinished; returns how many files that were."""
        now = self.clock()
        swept = 0
        for entry in self.entries():
            with contextlib.suppress(OSError):
                if self.is_over(entry, now):
                    os.unlink(entry.path)
                    swept += 1
        return swept

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """All files. Among greenlets others come in between: a folder may hold a hundred thousand pictures."""
        with os.scandir(self.folder) as entries:
            for number, entry in enumerate(entries):
                if number % BREATHE_AFTER == 0:
                    time.sleep(0)
                yield entry

    def is_over(self, entry: os.DirEntry[str], now: float) -> bool:
        if match := NAME.fullmatch(entry.name):
            return int(match[1], 16) <= now
        is_ours = entry.name.endswith(UNFINISHED) and NAME.fullmatch(entry.name.removesuffix(UNFINISHED))
        return bool(is_ours) and entry.stat().st_mtime < now - LEFTOVER_SECONDS


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
    """Writes all chunks, of which a file may take fewer bytes at once than it is given."""
    written = os.writev(file, chunks)
    for chunk in chunks:
        view = memoryview(chunk)[written:]
        written = max(0, written - len(chunk))
        while view:
            view = view[os.write(file, view) :]


class RemoteStore:
    """Pictures in an object store that several machines share. What expires is deleted by a rule of the bucket."""

    def __init__(
        self,
        url: str,
        ttl: int,
        run_in_thread: Callable[..., Any],
        clock: Callable[[], float] = time.time,
    ):
        """Credentials come from the environment, as the store's own tools read them.

        `run_in_thread` runs what would block everybody, and says by a TimeoutError when it has waited long enough:
        options of obstore's own for it would replace all that the environment says of the client. Made after the fork,
        because obstore has threads of its own.
        """
        self.store = obstore.store.from_url(url, retry_config=RETRY_CONFIG)
        self.ttl = ttl
        self.run_in_thread = run_in_thread
        self.clock = clock

    def put(self, mime_type: str, chunks: Iterable[bytes]) -> str:
        """Spools the picture to a local file, so that it appears whole or not at all, and uploads it."""
        name = new_name(mime_type, int(self.clock()) + self.ttl)
        with tempfile.TemporaryFile(buffering=0) as file:
            write_all(file.fileno(), chunks)
            file.seek(0)
            self.ask(obstore.put, name, file, attributes={"Content-Type": mime_type})
        return name

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or none any more. Raises OSError."""
        told = read_name(name, self.clock())
        if not told:
            return None
        try:
            found = self.ask(obstore.get, name)
        except FileNotFoundError:
            return None
        return Picture(*told, size=found.meta["size"], chunks=self.read(found))

    def read(self, found: Any) -> Iterator[bytes]:
        """The bytes of a picture, taken at once into a local file: its caller may need longer than a request may."""
        with tempfile.TemporaryFile(buffering=0) as file:
            self.in_thread(lambda: write_all(file.fileno(), found.stream(READ_CHUNK)))
            file.seek(0)
            while piece := file.read(READ_CHUNK):
                yield piece

    def check(self) -> None:
        """Writes and deletes an object. Raises OSError if pictures cannot be stored."""
        probe = f"probe-{secrets.token_hex(8)}"
        self.ask(obstore.put, probe, b"?")
        self.ask(obstore.delete, probe)

    def sweep(self) -> int:
        """Nothing: the bucket has a rule for it."""
        return 0

    def size(self) -> None:
        """Not known: counting would list the whole bucket."""

    def ask(self, operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Does one operation of the store. Raises OSError."""
        return self.in_thread(lambda: operation(self.store, *args, **options))

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Does what the store may keep waiting. Raises OSError, whose words repeat no credential and no name."""
        try:
            return self.run_in_thread(function, *args)
        except FileNotFoundError:
            raise
        except obstore.exceptions.BaseError as error:
            raise OSError(errno.EIO, f"the object store answered {type(error).__name__}") from None


def is_remote(url: str) -> bool:
    """Whether IMAGE_STORE_URL names an object store and not a folder."""
    return url.startswith(REMOTE_SCHEMES)


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Runs a function where it stands, for scripts."""
    return function(*args)


def open_store(url: str, ttl: int, run_in_thread: Callable[..., Any] = call) -> Store:
    """The store that IMAGE_STORE_URL names. Raises SettingsError if it cannot be used."""
    try:
        return RemoteStore(url, ttl, run_in_thread) if is_remote(url) else open_folder(url, ttl)
    except obstore.exceptions.BaseError as error:
        raise SettingsError(f"IMAGE_STORE_URL is '{url}': {type(error).__name__}") from None


def open_folder(url: str, ttl: int) -> FolderStore:
    """The folder that IMAGE_STORE_URL names. Raises SettingsError if it cannot be made."""
    folder = Path(url.removeprefix("file://")).absolute()
    try:
        return FolderStore(folder, ttl)
    except OSError as error:
        raise SettingsError(f"IMAGE_STORE_URL: the folder {folder} cannot be made ({error.strerror}).") from None


def store_pictures(events: Iterator[Event], store: Store, url_of: Callable[[str], str]) -> Iterator[Event]:
    """The events with every picture put into the store and told by its URL instead.

    A store that has kept them waiting in vain for STORE_ANSWER_SECONDS is asked for no other picture.
    """
    in_vain = 0.0

    def put(start: ImageStart, data: Iterator[bytes]) -> Iterable[Event]:
        nonlocal in_vain
        began = time.monotonic()
        try:
            if in_vain >= STORE_ANSWER_SECONDS:
                raise TimeoutError(errno.ETIMEDOUT, "the store did not answer for the picture before")
            name = store.put(start.mime_type, data)
        except OSError as error:
            in_vain += time.monotonic() - began
            log.exception("a picture could not be stored")
            raise ApiError(ErrorKind.INTERNAL, "The picture could not be stored.", may_repeat=False) from error
        return (StoredImage(url_of(name), start.mime_type, start.width, start.height),)

    return replace_pictures(events, lambda _: True, put)
