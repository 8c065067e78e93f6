"""proxy/server/log.py: no query and no credential is in any line of gunicorn's log."""

import datetime
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from proxy.server.log import QuietLogger, drop_query

KEY = "AIzaSy-a-key-that-nobody-may-see"
GENERATE_CONTENT = "/v1beta/models/m:generateContent"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /v1/models?key=K HTTP/1.1", "GET /v1/models?... HTTP/1.1"),
        ("Error handling request /a?alt=sse&key=K", "Error handling request /a?..."),
        ("'/a?key=K' and \"/b?key=K\"", "'/a?...' and \"/b?...\""),
        ("nothing to hide", "nothing to hide"),
        ("why?", "why?..."),
    ],
)
def test_a_query_is_taken_out_of_a_line(line: str, expected: str):
    record = logging.LogRecord("x", logging.INFO, __file__, 1, line, (), None)
    assert drop_query(record)
    assert record.getMessage() == expected


def test_a_query_is_taken_out_of_arguments_too():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s %r", (f"/a?key={KEY}", f"/b?key={KEY}"), None)
    assert drop_query(record)
    assert KEY not in record.getMessage()


def test_a_line_that_cannot_be_formatted_does_not_stop_the_worker():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%d of %s", ("x",), None)
    assert drop_query(record) in (True, False)


@pytest.fixture
def logged(tmp_path: Any) -> Any:
    """A logger as gunicorn makes it, and a function that returns what it has written."""
    config = Config()
    for name in ("errorlog", "accesslog"):
        config.set(name, str(tmp_path / name))
    config.set("loglevel", "debug")
    logger = QuietLogger(config)
    yield logger, lambda: "".join(path.read_text() for path in tmp_path.iterdir())
    for log in (logger.error_log, logger.access_log):
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()
        for kept in list(log.filters):
            log.removeFilter(kept)


def test_a_message_holds_no_key(logged: Any):
    logger, written = logged
    logger.info("Error handling request %s", f"{GENERATE_CONTENT}?alt=sse&key={KEY}")
    logger.debug("GET %s", f"/v1/models?key={KEY}")
    assert "Error handling request" in written()
    assert KEY not in written()


def test_a_traceback_holds_no_key(logged: Any):
    logger, written = logged
    try:
        raise ValueError(f"cannot answer {GENERATE_CONTENT}?key={KEY}")
    except ValueError:
        logger.exception("Error handling request %s", f"/a?key={KEY}")
    assert "ValueError" in written()
    assert KEY not in written()


@pytest.mark.parametrize("log_format", [None, '%(r)s %(q)s "%(f)s" %({raw_uri}e)s'], ids=["default", "verbose"])
def test_an_access_log_holds_no_key(logged: Any, log_format: str | None):
    logger, written = logged
    if log_format:
        logger.cfg.set("access_log_format", log_format)
    environ = {
        "REQUEST_METHOD": "POST",
        "RAW_URI": f"{GENERATE_CONTENT}?alt=sse&key={KEY}",
        "PATH_INFO": GENERATE_CONTENT,
        "QUERY_STRING": f"alt=sse&key={KEY}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": f"https://app.test/?key={KEY}",
    }
    response = SimpleNamespace(status="200 OK", status_code=200, sent=5, headers=[], response_length=5)
    request = SimpleNamespace(headers=[])
    logger.access(response, request, environ, datetime.timedelta(seconds=1))
    assert GENERATE_CONTENT in written()
    assert KEY not in written()
