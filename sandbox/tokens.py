"""How many tokens a text has: an estimate that agrees with recorded answers for short English prompts."""

from __future__ import annotations

import re
from math import ceil

_PIECES = re.compile(
    r"(?P<wide>[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef])"
    r"|(?P<word>[^\W\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]+)"
    r"|(?P<sign>[^\w\s])"
)
LETTERS_PER_TOKEN = 10


def text_tokens(text: str) -> int:
    """The tokens of a prompt: one per common word, sign or CJK character, one more for the text itself."""
    return 1 + answer_tokens(text) if text else 0


def answer_tokens(text: str) -> int:
    """The tokens of a text that a model wrote, where no start of text is counted."""
    count = 0
    for piece in _PIECES.finditer(text):
        word = piece["word"]
        count += ceil(len(word) / LETTERS_PER_TOKEN) if word else 1
    return count
