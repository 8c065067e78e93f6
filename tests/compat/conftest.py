"""Profiles of hypothesis: no deadlines, so that a busy machine fails no test, and more examples for `make fuzz`."""

import pytest
from hypothesis import is_hypothesis_test, settings

settings.register_profile("unhurried", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With --hypothesis-profile=fuzz the number of examples of a test is at least that of the profile."""
    if settings.get_current_profile_name() != "fuzz":
        return
    for item in items:
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test):
            own = test._hypothesis_internal_use_settings
            more = max(own.max_examples, settings.default.max_examples)
            test._hypothesis_internal_use_settings = settings(own, max_examples=more)
