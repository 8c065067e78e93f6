"""Which API the current request speaks, and the key that it needs."""

from __future__ import annotations

from dataclasses import replace

from flask import g

from compat.errors import ApiError, ErrorKind
from proxy.caller import identify
from proxy.routes import the_attempt, the_caller, the_observation, the_request, the_service

NO_KEY_OF_OURS = (
    "You didn't provide an API key. Give the key that this service's operator handed out: in an Authorization header "
    "(Authorization: Bearer YOUR_KEY), or as x-goog-api-key."
)


def identify_caller() -> None:
    """Before a request: makes its Caller, with or without a key. That of a job's request is there already."""
    if the_attempt():
        return
    request = the_request()
    g.caller = identify(request.path, request.headers, lambda: request.args, the_service().settings.log_salt)


def require_key() -> None:
    """Before a request that needs a key: raises MISSING_KEY without one, and INVALID_KEY if it has to be ours.

    Nothing else needs to know whose key it is: pages and metrics do without the look-up. The request of a job whose
    upstream key is the operator's comes without its caller's.
    """
    caller, access, observation = the_caller(), the_service().access, the_observation()
    observation.key = caller.fingerprint or None
    if not caller.key:
        if the_attempt():
            observation.key_name = caller.access.name if caller.access else None
            return
        raise ApiError(ErrorKind.MISSING_KEY, NO_KEY_OF_OURS if access else caller.dialect.missing_key)
    if access and (key := access.recognize(caller)):
        g.caller = replace(caller, access=key)
        observation.key_name = key.name
