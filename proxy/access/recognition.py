"""Whose key a caller brings: looked up by its hash, and remembered for a few seconds."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from compat.errors import ApiError, ErrorKind
from proxy.access.key_format import hash_of, is_well_formed
from proxy.access.periods import utc_text
from proxy.caller import AccessKey
from proxy.limits import KEY_SECONDS, KEY_USE_SECONDS, MOST_REMEMBERED_KEYS, UNKNOWN_KEY_SECONDS
from proxy.state.database import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.access.key_records import KeyRecord, KeyRecords  # which imports SQLAlchemy: only at its first use

MALFORMED = "Incorrect API key provided: it is not a whole key of this service, which begins with twl_."
UNKNOWN = "Incorrect API key provided: this service does not know it. Its operator hands out keys."
Known = tuple[float, AccessKey | str]  # until when it is remembered, by a monotonic clock; a key, or why it is refused


class Recognition:
    """Recognizes the keys of one worker's callers."""

    def __init__(self, database: Database):
        self.database = database
        self.remembered: dict[str, Known] = {}  # by hash

    @cached_property
    def records(self) -> KeyRecords:
        """The table of keys."""
        from proxy.access.key_records import KeyRecords

        return KeyRecords(self.database)

    def recognize(self, key: str) -> AccessKey:
        """Whose key it is. Raises INVALID_KEY, and STATE_UNAVAILABLE while the database is away.

        A key that is revoked or changed is noticed within KEY_SECONDS.
        """
        if not is_well_formed(key):
            raise ApiError(ErrorKind.INVALID_KEY, MALFORMED)
        hash = hash_of(key)
        until, found = self.remembered.get(hash, (0.0, ""))
        if time.monotonic() >= until:
            found = self.look_up(hash)
        if isinstance(found, str):
            raise ApiError(ErrorKind.INVALID_KEY, found)
        if found.expires_at is not None and found.expires_at <= time.time():
            raise ApiError(ErrorKind.INVALID_KEY, expired(found))
        return found

    def by_id(self, id: str) -> AccessKey:
        """The key of an id, whose caller is not there. Raises INVALID_KEY, and STATE_UNAVAILABLE as above."""
        try:
            record = self.records.with_id(id)
        except DatabaseUnavailable as error:
            raise ApiError(ErrorKind.STATE_UNAVAILABLE, f"Keys cannot be looked up now: {error}") from None
        if refusal := UNKNOWN if record is None else refusal_of(record):
            raise ApiError(ErrorKind.INVALID_KEY, refusal)
        assert record
        return record.key

    def look_up(self, hash: str) -> AccessKey | str:
        """The key, or why it is refused, from the database; remembered from the moment before it was read."""
        began = time.monotonic()
        try:
            record = self.records.find(hash)
        except DatabaseUnavailable as error:
            raise ApiError(ErrorKind.STATE_UNAVAILABLE, f"Keys cannot be looked up now: {error}") from None
        found = UNKNOWN if record is None else refusal_of(record) or record.key
        if len(self.remembered) >= MOST_REMEMBERED_KEYS:
            self.remembered.clear()
        self.remembered[hash] = began + (KEY_SECONDS if record else UNKNOWN_KEY_SECONDS), found
        if record and isinstance(found, AccessKey):
            self.note_use(record)
        return found

    def note_use(self, record: KeyRecord) -> None:
        """Records the use of a key at most once a minute."""
        now = time.time()
        if record.last_used_at is None or record.last_used_at < now - KEY_USE_SECONDS:
            try:
                self.records.note_use(record.key.id, now)
            except DatabaseUnavailable:
                return  # it is no reason to refuse the caller


def refusal_of(record: KeyRecord) -> str | None:
    """Why a known key is refused; None if it is not."""
    if record.revoked_at is not None:
        return f"This API key ('{record.key.name}') was revoked at {utc_text(record.revoked_at)}."
    if record.replaced_at is not None and record.replaced_at <= time.time():
        return f"This API key ('{record.key.name}') was replaced by a new one at {utc_text(record.replaced_at)}."
    if record.key.expires_at is not None and record.key.expires_at <= time.time():
        return expired(record.key)
    return None


def expired(key: AccessKey) -> str:
    return f"This API key ('{key.name}') expired at {utc_text(key.expires_at)}."
