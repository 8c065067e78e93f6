"""Gunicorn's log without queries and credentials: a query may hold a key."""

from __future__ import annotations

import logging
import re
from typing import Any

from gunicorn.glogging import Logger

from proxy.observation.logs import JsonFormatter

HIDDEN_HEADERS = ("authorization", "x-goog-api-key", "api-key", "x-api-key", "cookie", "referer")
QUERY = re.compile(r"\?[^\s'\"]*")


class QuietLogger(Logger):  # type: ignore[misc]
    """Gunicorn's logger, whose lines hold no query and no credential."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.addFilter(drop_query)
        self.access_log.addFilter(drop_query)

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        """What a format of the access log can name."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        hidden = {"q": "-", **{f"{{{name}}}i": "-" for name in HIDDEN_HEADERS}}
        return {**atoms, **{name: value for name, value in hidden.items() if name in atoms}}


class JsonLogger(QuietLogger):
    """The same with a line of JSON per record, like the service's own log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(JsonFormatter())


def drop_query(record: logging.LogRecord) -> bool:
    """Takes queries out of a log record and its traceback."""
    try:
        record.msg = QUERY.sub("?...", record.getMessage())
    except Exception:  # logging itself reports a record that cannot be formatted
        return True
    record.args = None
    if record.exc_info:
        record.exc_text = QUERY.sub("?...", logging.Formatter().formatException(record.exc_info))
    return True
