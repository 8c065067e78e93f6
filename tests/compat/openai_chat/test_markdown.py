"""compat/openai_chat/markdown.py: the pictures of a text, and the words between them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.openai_chat.markdown import split_pictures

DATA = "data:image/png;base64,iVBORw0KGgo="
OURS = "https://pictures.example/images/abc.png"
OTHER = "see ![logo](https://example.com/logo.svg)"


def is_wanted(url: str) -> bool:
    return url.startswith(("data:", "https://pictures.example/"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("  a sun\n", [("  a sun\n", None)]),
        ("", [("", None)]),
        (f"![]({OURS})", [("", OURS), ("", None)]),
        (f"Here:\n\n![a red fox]({DATA})\n\nIt runs.\n", [("Here:", DATA), ("It runs.", None)]),
        (f"![one]({DATA})![two]({OURS})", [("", DATA), ("", OURS), ("", None)]),
        (f'![one]( <{DATA}> "a title" )', [("", DATA), ("", None)]),
        (f"![one]({DATA} 'a title')", [("", DATA), ("", None)]),
        (f"![two\nlines]({DATA})", [("", DATA), ("", None)]),
        (f"[a link]({DATA})", [(f"[a link]({DATA})", None)]),
        (OTHER, [(OTHER, None)]),
        (f"{OTHER} and ![image]({DATA})", [(f"{OTHER} and", DATA), ("", None)]),
        (f"![not closed]({DATA}", [(f"![not closed]({DATA}", None)]),
    ],
)
def test_pictures_and_words(text: str, parts: list[tuple[str, str | None]]) -> None:
    assert list(split_pictures(text, is_wanted)) == parts


words = st.text("ab !\n", min_size=1, max_size=6).filter(str.strip)


@given(st.lists(words | st.sampled_from([DATA, OURS]), max_size=6))
def test_what_is_written_as_markdown_is_found_again(parts: list[str]) -> None:
    text = "\n\n".join(f"![image]({part})" if is_wanted(part) else part for part in parts)
    found = list(split_pictures(text, is_wanted))
    assert [url for _, url in found if url] == [part for part in parts if is_wanted(part)]
    assert (
        "\n".join(said for said, _ in found).split() == "\n".join(part for part in parts if not is_wanted(part)).split()
    )


@pytest.mark.parametrize("piece", ["![", "![]", "![](", "![](data:", "![a](data: 'x", "![a](data:\n"])
def test_a_long_text_without_pictures_is_looked_through_quickly(piece: str) -> None:
    began = time.process_time()
    list(split_pictures(piece * 200_000, is_wanted))
    list(split_pictures(piece + "x" * 1_000_000, is_wanted))
    assert time.process_time() - began < 5
