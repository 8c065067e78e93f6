"""The contract fixtures that are errors in Google's own form."""

import json
from typing import Any

from contract.suite.situations import OPERATIONS, Situation, situations


def error_of(situation: Situation) -> dict[str, Any]:
    """The body of an error: an object, even if it is sent in a list."""
    body = json.loads(situation.text.replace("[[key]]", "[key]"))
    return dict(body[0] if isinstance(body, list) else body)


def sdk_errors() -> list[Situation]:
    """One fixture for each status, content type and JSON type that an error can have."""
    forms = {
        (one.status, one.headers["content-type"], one.text[:1]): one
        for operation in OPERATIONS
        for one in situations(operation)
        if one.status >= 400 and "json" in one.headers["content-type"]
    }
    return list(forms.values())
