"""Pictures in Markdown: `![a cat](https://example.com/cat.png)`, as clients that know texts only send them back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# What may stand between brackets is limited, and nothing is matched in two ways: texts can have megabytes.
PICTURE = re.compile(
    r"""!\[[^\[\]]{0,1000}\]              # what it shows
        \([ \t\r\n]{0,10}<?([^\s<>()]+)>?   # its address
        (?:[ \t\r\n]{1,10}(?:"[^"]{0,1000}"|'[^']{0,1000}'))?   # its title
        [ \t\r\n]{0,10}\)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class PictureAddress:
    """Where the picture of a text is: an address or a data URL."""

    url: str


def split_pictures(text: str, is_wanted: Callable[[str], bool]) -> Iterator[str | PictureAddress]:
    """The words of a text and its wanted pictures, in their order; without such pictures the text as it is.

    The white space around a picture belongs to it.
    """
    words = ""
    end = 0
    for found in PICTURE.finditer(text):
        if not is_wanted(found[1]):
            continue
        words = text[end : found.start()].strip()
        if words:
            yield words
        yield PictureAddress(found[1])
        end = found.end()
    words = text[end:].strip() if end else text
    if words:
        yield words
