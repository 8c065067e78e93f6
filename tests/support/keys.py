"""Keys that no other text contains by chance, and the memory of all that were handed out."""

import secrets
from itertools import count

_handed_out: list[str] = []
_number = count(1)


def new_key(prefix: str = "AIza") -> str:
    """A key that was never used before. The whole run's server output is searched for it at the end."""
    key = f"{prefix}Key{next(_number)}-{secrets.token_hex(12)}"
    _handed_out.append(key)
    return key


def remember_key(key: str) -> str:
    """A key that the service itself has made: the output is searched for it too."""
    _handed_out.append(key)
    return key


def keys_in(text: str) -> list[str]:
    """The keys of this run that occur in the text, even without their last part."""
    return [key for key in _handed_out if key[:-8] in text]
