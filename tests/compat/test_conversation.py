"""compat/conversation.py: the one request that a conversation adds up to. Pictures are numbers here."""

from __future__ import annotations

import pytest

from compat.conversation import Turn, current_request, with_pictures


def user(*parts: str | int) -> Turn[int]:
    return Turn(parts)


def model(*parts: str | int) -> Turn[int]:
    return Turn(parts, by_model=True)


CONVERSATIONS: dict[str, tuple[list[Turn[int]], list[str], list[int]]] = {
    "nothing": ([], [], []),
    "texts and pictures": ([user("make", 1, "red", 2)], ["make", "red"], [1, 2]),
    "two turns of the user": ([user(1), user("red", 2)], ["red"], [1, 2]),
    "texts of both": ([user("a sun"), model("Which?"), user("ours")], ["a sun", "Which?", "ours"], []),
    "a picture of the model": ([user("a sun"), model("Here:", 1), user("in red")], ["in red"], [1]),
    "a picture of the model, and nothing after it": ([user("a sun"), model("Here:", 1)], [], [1]),
    "the last picture of the model before those of the user": (
        [
            user("a sun", 1),
            model(2, "Here."),
            user("in red", 3),
            model("Sure:", 4, 5),
            user("brighter", 6),
            model("How bright?"),
            user("very"),
        ],
        ["brighter", "How bright?", "very"],
        [4, 5, 6, 1, 3],
    ),
}


@pytest.mark.parametrize(("turns", "texts", "pictures"), CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_the_current_request(turns: list[Turn[int]], texts: list[str], pictures: list[int]) -> None:
    assert current_request(turns) == (texts, pictures)


def test_pictures_are_replaced_in_their_places() -> None:
    turns = [user("this", 1), model("Here:", 2, "and", 3), user("red")]
    assert with_pictures(turns, [10, 20, 30]) == (user("this", 10), model("Here:", 20, "and", 30), user("red"))
