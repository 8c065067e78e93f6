"""The form of our keys: `twl_`, 32 random characters, and a checksum of six, so that a mistyped key needs no look-up.

The form is GitHub's (github.blog, 2021-04-05): a prefix that scanners can look for, Base62, which a double click
selects, and at the end the CRC-32 of what stands between, in Base62 too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "twl_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 32  # 190 bits
CHECKSUM_CHARACTERS = 6
KEY = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM_CHARACTERS}}})([0-9A-Za-z]{{{CHECKSUM_CHARACTERS}}})")


def new_key() -> str:
    """A key that nobody can guess."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{PREFIX}{characters}{checksum(characters)}"


def is_well_formed(key: str) -> bool:
    """Whether a text has the form of our keys and its checksum is right."""
    found = KEY.fullmatch(key)
    return found is not None and checksum(found[1]) == found[2]


def checksum(characters: str) -> str:
    """The CRC-32 of the characters, in Base62."""
    value, digits = zlib.crc32(characters.encode()), ""
    for _ in range(CHECKSUM_CHARACTERS):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def hash_of(key: str) -> str:
    """What stands for a key in the database. A key is long and random: a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
