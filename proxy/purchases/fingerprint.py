"""Whether two requests ask for the same thing: a fingerprint of method, path, query and content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import xxhash


def fingerprint(method: str, path: str, query: str, parts: Iterable[bytes]) -> str:
    """32 hexadecimal digits: the same for a request that is sent again, different for any other.

    `query` comes without credentials. `parts` are the body of a JSON request, or name and content of each part of a
    form in turn: a form that is sent again has another boundary. XXH3 is fast and no cryptographic hash; whoever makes
    two requests collide cheats only themselves, since records belong to one caller's key.
    """
    digest = xxhash.xxh3_128()
    for part in (method.encode(), path.encode(), query.encode(), *parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


@lru_cache(maxsize=1024)  # the keys of those who call often
def hashed(secret: str) -> str:
    """What stands for a key in the database: SHA-256, since keys are long and random, and nothing can be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
