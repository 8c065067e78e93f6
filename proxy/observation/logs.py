"""The log: one line per request, and other messages, as JSON or as text."""

from __future__ import annotations

import json
import logging
import sys
import time
from functools import lru_cache
from typing import Any

from proxy.observation.record import Observation

ACCESS = logging.getLogger("twinlens.access")


def configure(log_format: str) -> None:
    """Sends the log to standard error, as `json` or as `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.logThreads = logging.logMultiprocessing = False  # no line shows them,
    logging._srcfile = None  # nor where it was written: logging's own way to spare it
    logger = logging.getLogger("twinlens")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def log_request(observation: Observation) -> None:
    """Writes the line of an answered request."""
    if ACCESS.isEnabledFor(logging.INFO):
        ACCESS.info("request", extra={"fields": fields_of(observation)})


def fields_of(observation: Observation) -> dict[str, Any]:
    """The fields of the line, without those that are not known. Times are in seconds."""
    usage = observation.usage
    fields: dict[str, Any] = {
        "request_id": observation.request_id,
        "method": observation.method,
        "surface": observation.surface,
        "operation": observation.operation,
        "model": observation.model,
        "status": observation.status,
        "error": observation.error,
        "seconds": rounded(time.monotonic() - observation.started),
        "first_byte": rounded(observation.first_byte),
        "upstream_first_byte": rounded(observation.upstream_first_byte()),
        "upstream_seconds": rounded(observation.upstream_total()),
        "bytes_in": observation.bytes_in,
        "bytes_out": observation.bytes_out,
        "pictures": observation.pictures,
        "input_tokens": usage.input_text_tokens + usage.input_image_tokens if usage else None,
        "output_tokens": usage.output_text_tokens + usage.output_image_tokens if usage else None,
        "cost": observation.cost,
        "charged": observation.charged,
        observation.delivery or "bought": True if observation.delivery else None,
        "job": observation.job,
        "key": observation.key,
        "key_name": observation.key_name,
    }
    return {name: value for name, value in fields.items() if value is not None}


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


@lru_cache(maxsize=1)
def utc_of(second: int) -> str:
    """Seconds since 1970 as text, formatted once a second: the C library looks at the time zone's file each time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=1)
def local_time_of(second: int) -> str:
    """The same in local time, as logging writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


class JsonFormatter(logging.Formatter):
    """A line of JSON; a traceback is a member of it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{utc_of(int(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line of text: name=value after the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return f"{local_time_of(int(record.created))},{int(record.msecs):03}"

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        fields = getattr(record, "fields", {})
        return " ".join([line, *(f"{name}={value}" for name, value in fields.items())])
