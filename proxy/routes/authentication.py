"""Which API the current request speaks, and the key that it needs."""

from __future__ import annotations

from dataclasses import replace

from flask import g, request

from compat.errors import ApiError, ErrorKind
from proxy.caller import identify
from proxy.routes import the_caller, the_observation, the_service

NO_KEY_OF_OURS = (
    "You didn't provide an API key. Give the key that this service's operator handed out: in an Authorization header "
    "(Authorization: Bearer YOUR_KEY), or as x-goog-api-key."
)


def identify_caller() -> None:
    """Before a request: makes its Caller, with or without a key."""
    g.caller = identify(request.path, request.headers, lambda: request.args, the_service().settings.log_salt)


def require_key() -> None:
    """Before a request that needs a key: raises MISSING_KEY without one, and INVALID_KEY if it has to be ours.

    Nothing else needs to know whose key it is: pages and metrics do without the look-up.
    """
    caller, access = the_caller(), the_service().access
    if not caller.key:
        raise ApiError(ErrorKind.MISSING_KEY, NO_KEY_OF_OURS if access else caller.dialect.missing_key)
    observation = the_observation()
    observation.key = caller.fingerprint
    if access and (key := access.recognize(caller)):
        g.caller = replace(caller, access=key)
        observation.key_name = key.name
