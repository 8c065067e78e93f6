"""Who sends a request: which API it speaks, and the key that it brings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from werkzeug.datastructures import Headers

from compat.dialect import Dialect
from compat.gemini_content.error import GEMINI
from compat.openai_chat.error import CHAT
from compat.openai_images.error import OPENAI

Query = Callable[[], Mapping[str, str]]  # called only if it matters: most requests have none

PATHS: tuple[tuple[str, Dialect], ...] = (  # a folder, and the API of all paths in it; the first that fits
    ("/v1/images", OPENAI),
    ("/v1/chat", CHAT),
    ("/v1beta/openai/chat", CHAT),
    ("/v1beta/openai", OPENAI),
    ("/v1beta", GEMINI),
    ("/v1alpha", GEMINI),
    ("/openai", OPENAI),
)
DIALECTS = frozenset(dialect for _, dialect in PATHS)
CUSTOM_METHOD = re.compile(r":[A-Za-z]+/?")  # of Google's paths: models/x:generateContent
FINGERPRINT = 12  # characters of the hash that stands for a key in the log
SHORTEST_KEY = 6  # characters


@dataclass(frozen=True)
class AccessKey:
    """A key of ours (ACCESS=keys), and what it may do."""

    id: str  # stays when the key is rotated
    name: str
    per: str = "month"  # the time that the budget is for: month, day or total
    budget_micros: int | None = None  # millionths of a USD; None for no limit
    models: frozenset[str] | None = None  # public names; None for all
    requests_per_minute: int | None = None
    expires_at: float | None = None  # seconds since 1970


@dataclass(frozen=True)
class Caller:
    """The sender of one request, made once per request. Without a key `key` and `fingerprint` are empty."""

    key: str
    fingerprint: str  # a salted hash: the same for all requests with one key, and useless as a key
    dialect: Dialect
    access: AccessKey | None = None  # whose key it is; None where keys are not ours, and until it has been looked up


def identify(path: str, headers: Headers, query: Query, salt: str) -> Caller:
    """The caller of a request. `salt` is the setting LOG_SALT."""
    dialect = dialect_of(path, headers, query)
    key = key_of(dialect, headers, query)
    return Caller(key, fingerprint_of(key, salt) if key else "", dialect)


def dialect_of(path: str, headers: Headers, query: Query) -> Dialect:
    """The API that a request, and so its error, belongs to: by its path, or else by the credential it brings."""
    for folder, dialect in PATHS:
        if path == folder or path.startswith(f"{folder}/"):
            return dialect
    if CUSTOM_METHOD.search(path.rpartition("/")[2] or path):
        return GEMINI
    if any(name in headers for name in GEMINI.key_headers) or any(name in query() for name in GEMINI.key_parameters):
        return GEMINI
    return OPENAI


def key_of(dialect: Dialect, headers: Headers, query: Query) -> str:
    """The key of a request: the API's own header wins over its query parameter, that over a Bearer token, and that
    over the headers of other APIs."""
    found = chain(
        map(headers.get, dialect.key_headers),
        (query().get(name) for name in dialect.key_parameters),
        [bearer_token(headers)],
        map(headers.get, dialect.other_key_headers),
    )
    return next(filter(None, found), "")


def bearer_token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def fingerprint_of(key: str, salt: str) -> str:
    """What stands for a key in the log."""
    return hashlib.blake2b(key.encode("utf-8", "replace"), key=salt.encode()[:64]).hexdigest()[:FINGERPRINT]


def without_key(text: str, key: str | None) -> str:
    """The text with `[key]` in place of the key, plain or escaped as in JSON.

    A key shorter than SHORTEST_KEY is left: it would match ordinary words.
    """
    if key is None or len(key) < SHORTEST_KEY:
        return text
    return text.replace(key, "[key]").replace(json.dumps(key)[1:-1], "[key]")
