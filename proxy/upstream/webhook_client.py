"""Posts an event to the operator's own address."""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests

from compat.dialect import seconds_until_retry
from proxy.limits import LONGEST_ERROR_BODY, READ_CHUNK


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[int, float | None]:
    """The status of the answer, and the delay in seconds that it asks for. Redirects are not followed.

    Raises OSError if there is no answer in time.
    """
    until = time.monotonic() + seconds
    with requests.Session() as session:
        session.trust_env = True  # an operator's receiver may be behind a proxy
        session.auth = lambda request: request  # or requests would look for a password in ~/.netrc
        with session.post(
            url, data=body, headers=dict(headers), timeout=seconds, allow_redirects=False, stream=True
        ) as response:
            length = 0
            for chunk in response.iter_content(READ_CHUNK):  # read, so that the receiver may end in peace
                length += len(chunk)
                if length > LONGEST_ERROR_BODY or time.monotonic() > until:
                    break
            delay = seconds_until_retry({name.lower(): value for name, value in response.headers.items()})
            return response.status_code, delay
