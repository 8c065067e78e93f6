"""A conversation about pictures, in neither API's vocabulary: its turns, and the one request that they add up to.

Each API's reader makes the turns. A server that takes a conversation gets them; a server of the Images API, which takes
one prompt, gets what `current_request` finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")  # a picture as a reader holds it: an InputImage, or one that is not read until it is needed


@dataclass(frozen=True)
class Turn(Generic[P]):
    """What one side said, in order: texts and pictures."""

    parts: tuple[str | P, ...]
    by_model: bool = False

    @property
    def texts(self) -> list[str]:
        return [part for part in self.parts if isinstance(part, str)]

    @property
    def pictures(self) -> list[P]:
        return [part for part in self.parts if not isinstance(part, str)]


def current_request(turns: Sequence[Turn[P]]) -> tuple[list[str], list[P]]:
    """The texts and the input pictures of one request that asks what the conversation asks last.

    If the model has drawn, its last pictures are edited, as the texts after them say; the user's earlier pictures come
    last. Otherwise all texts and pictures are part of the request.
    """
    drawn = [index for index, turn in enumerate(turns) if turn.by_model and turn.pictures]
    if not drawn:
        return texts_of(turns), pictures_of(turns)
    last = drawn[-1]
    earlier = [turn for turn in turns[:last] if not turn.by_model]
    return texts_of(turns[last + 1 :]), pictures_of([*turns[last:], *earlier])


def texts_of(turns: Sequence[Turn[P]]) -> list[str]:
    return [text for turn in turns for text in turn.texts]


def pictures_of(turns: Sequence[Turn[P]]) -> list[P]:
    return [picture for turn in turns for picture in turn.pictures]


def with_pictures(turns: Sequence[Turn[P]], pictures: Iterable[P]) -> tuple[Turn[P], ...]:
    """The turns with other pictures in the places of their own; there are as many."""
    others = iter(pictures)
    return tuple(
        Turn(tuple(part if isinstance(part, str) else next(others) for part in turn.parts), turn.by_model)
        for turn in turns
    )
