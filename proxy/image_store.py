"""Keeps pictures for a while and hands them back by name.

A name is its own permission: it begins with its expiry and 192 random bits follow, so that it can be neither guessed
nor listed, and no secret and no database are needed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from compat.base64_stream import MalformedBase64, decode
from compat.errors import ApiError, ErrorKind
from compat.images import Event, ImageStart, StoredImage
from proxy.limits import LEFTOVER_SECONDS
from proxy.pictures import broken_picture, replace_pictures
from proxy.settings import SettingsError

log = logging.getLogger("twinlens")

ENDINGS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp", "image/gif": "gif"}
MIME_TYPES = {ending: mime_type for mime_type, ending in ENDINGS.items()}
NAME = re.compile(r"([0-9a-f]{8,12})-[A-Za-z0-9_-]{32}\.(png|jpeg|webp|gif)", re.ASCII)
UNFINISHED = ".part"


@dataclass(frozen=True)
class Picture:
    """A stored picture: where it lies, what it is, and for how many seconds it is still there."""

    path: Path
    mime_type: str
    seconds_left: int


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
        expiry = int(self.clock()) + self.ttl
        name = f"{expiry:08x}-{secrets.token_urlsafe(24)}.{ENDINGS[mime_type]}"
        unfinished = self.folder / f"{name}{UNFINISHED}"
        try:
            with unfinished.open("xb", buffering=0) as file:
                write_all(file, chunks)
            unfinished.rename(self.folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        return name

    def find(self, name: str) -> Picture | None:
        """The picture of that name; None if there is none, or none any more."""
        match = NAME.fullmatch(name)
        if not match:
            return None
        seconds_left = int(match[1], 16) - int(self.clock())
        path = self.folder / name
        if seconds_left <= 0 or not path.is_file():
            return None
        return Picture(path, MIME_TYPES[match[2]], seconds_left)

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
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if NAME.fullmatch(entry.name):
                        sizes.append(entry.stat().st_size)
        return len(sizes), sum(sizes)

    def sweep(self) -> int:
        """Deletes what has expired and what was left unfinished; returns how many files that were."""
        now = self.clock()
        swept = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if self.is_over(entry, now):
                        os.unlink(entry.path)
                        swept += 1
        return swept

    def is_over(self, entry: os.DirEntry[str], now: float) -> bool:
        if match := NAME.fullmatch(entry.name):
            return int(match[1], 16) <= now
        is_ours = entry.name.endswith(UNFINISHED) and NAME.fullmatch(entry.name.removesuffix(UNFINISHED))
        return bool(is_ours) and entry.stat().st_mtime < now - LEFTOVER_SECONDS


def write_all(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    """Writes every byte: an unbuffered file may take fewer than it is given."""
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]


def open_store(url: str, ttl: int) -> FolderStore:
    """The store that IMAGE_STORE_URL names. Raises SettingsError if it cannot be used."""
    folder = Path(url.removeprefix("file://")).absolute()
    try:
        return FolderStore(folder, ttl)
    except OSError as error:
        raise SettingsError(f"IMAGE_STORE_URL: the folder {folder} cannot be made ({error.strerror}).") from None


def store_pictures(events: Iterator[Event], store: FolderStore, url_of: Callable[[str], str]) -> Iterator[Event]:
    """The events with every picture put into the store and told by its URL instead."""

    def put(start: ImageStart, data: Iterator[bytes]) -> Iterable[Event]:
        try:
            name = store.put(start.mime_type, decode(data))
        except MalformedBase64 as error:
            raise broken_picture(str(error)) from None
        except OSError as error:
            log.exception("a picture could not be stored in %s", store.folder)
            raise ApiError(ErrorKind.INTERNAL, "The picture could not be stored.", may_repeat=False) from error
        return (StoredImage(url_of(name), start.mime_type, start.width, start.height),)

    return replace_pictures(events, lambda _: True, put)
