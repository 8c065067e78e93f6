"""What a request prefers."""

import pytest
from flask import Flask

from proxy.routes.preferences import prefers_async, seconds_to_wait


@pytest.mark.parametrize(
    ("header", "is_async", "seconds"),
    [
        (None, False, 0),
        ("", False, 0),
        ("respond-async", True, 0),
        ("Respond-Async, wait=10", True, 10),
        ('wait="10", return=minimal', False, 10),
        ("wait=5; foo=bar, wait=9", False, 5),
        ("wait=1000", False, 60),
        ("wait=-1", False, 0),
        ("wait=soon", False, 0),
        ("wait", False, 0),
        ("respond-asynchronously", False, 0),
        ("return=respond-async", False, 0),
        (",,;=,", False, 0),
    ],
)
def test_preferences(header: str | None, is_async: bool, seconds: float):
    with Flask("test").test_request_context(headers={} if header is None else {"Prefer": header}):
        assert (prefers_async(), seconds_to_wait()) == (is_async, seconds)
