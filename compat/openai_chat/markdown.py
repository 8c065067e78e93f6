"""Pictures in Markdown, `![a cat](https://example.com/cat.png)`, as clients that know only texts send them back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# Texts can have megabytes: nothing here is matched in two ways, and what precedes an address is limited in length.
PICTURE = re.compile(
    r"""!\[[^\[\]]{0,1000}\]                                    # what it shows
        \([ \t\r\n]{0,10}<?([^ \t\r\n<>()]+)>?                 # its address
        (?:[ \t\r\n]{1,10}(?:"[^"]{0,1000}"|'[^']{0,1000}'))?   # its title
        [ \t\r\n]{0,10}\)""",
    re.VERBOSE,
)


def split_pictures(text: str, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, str | None]]:
    """The words before each wanted picture, with its address, and those after the last, with None.

    The white space around a picture belongs to it; a text without a wanted picture stays as it is.
    """
    end = 0
    for found in PICTURE.finditer(text):
        if is_wanted(found[1]):
            yield text[end : found.start()].strip(), found[1]
            end = found.end()
    yield text[end:].strip() if end else text, None
