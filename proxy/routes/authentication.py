"""Which API the current request speaks, and the key that it needs."""

from __future__ import annotations

from flask import g, request

from compat.errors import ApiError, ErrorKind
from proxy.caller import identify
from proxy.routes import the_attempt, the_caller, the_observation, the_service


def identify_caller() -> None:
    """Before a request: makes its Caller, with or without a key. That of a job's request is there already."""
    if the_attempt():
        return
    g.caller = identify(request.path, request.headers, lambda: request.args, the_service().settings.log_salt)


def require_key() -> None:
    """Before a request that needs a key: raises MISSING_KEY without one."""
    caller = the_caller()
    if not caller.key and not the_attempt():
        raise ApiError(ErrorKind.MISSING_KEY, caller.dialect.missing_key)
    the_observation().key = caller.fingerprint
