"""Counting equal calls."""

from __future__ import annotations

from sandbox.call_counter import REMEMBERED_CALLS, CallCounter


def test_equal_calls_are_counted_and_others_are_not() -> None:
    calls = CallCounter()
    assert [calls.before("one"), calls.before("one", 3), calls.before("one"), calls.before("two")] == [0, 1, 4, 0]


def test_only_the_latest_calls_are_remembered() -> None:
    calls = CallCounter()
    calls.before("first")
    calls.before("second")
    for number in range(REMEMBERED_CALLS - 1):
        calls.before("second")
        calls.before(f"call {number}")
    assert calls.before("second") == REMEMBERED_CALLS
    assert calls.before("first") == 0
