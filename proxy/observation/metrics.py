"""Counters and timings for Prometheus, summed over all workers."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from prometheus_client import REGISTRY as THIS_PROCESS
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from compat.image_models import ServedModel
from compat.jobs import STATUSES
from proxy.observation.record import Observation

Metric = TypeVar("Metric", Counter, Histogram)

SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 7.5, 10, 15, 30, 60, 120, 300)

BY_OPERATION = ["surface", "operation"]

REQUESTS = Counter("twinlens_requests", "Requests that were answered.", [*BY_OPERATION, "status", "model", "error"])
TOTAL = Histogram("twinlens_request_seconds", "From a request's start to its last byte.", BY_OPERATION, buckets=SECONDS)
FIRST_BYTE = Histogram(
    "twinlens_first_byte_seconds", "From a request's start to its first byte.", BY_OPERATION, buckets=SECONDS
)
UPSTREAM_FIRST_BYTE = Histogram(
    "twinlens_upstream_first_byte_seconds", "From a call upstream to its first byte.", ["surface"], buckets=SECONDS
)
UPSTREAM_TOTAL = Histogram(
    "twinlens_upstream_seconds", "All the time that a call waited for the upstream.", ["surface"], buckets=SECONDS
)
PICTURES = Counter("twinlens_pictures", "Pictures that were delivered.", ["surface", "model"])
TOKENS = Counter(
    "twinlens_tokens", "Tokens, as the upstream reports them.", ["surface", "model", "direction", "modality"]
)
COST = Counter("twinlens_cost_usd", "What the tokens cost, in USD, where prices are known.", ["surface", "model"])
SAVED = Counter(
    "twinlens_purchases_saved",
    "Answers that were not bought again: joined or replayed.",
    ["how"],
)
SAVED_USD = Counter("twinlens_saved_usd", "What those would have cost again, in USD, where it is known.", [])
RECORDS = Gauge(
    "twinlens_purchase_records", "Purchases in the database, by state.", ["state"], multiprocess_mode="mostrecent"
)
JOBS = Gauge("twinlens_jobs", "Jobs in the database, by status.", ["status"], multiprocess_mode="mostrecent")
OLDEST_JOB = Gauge(
    "twinlens_oldest_job_seconds", "Age of the oldest job that is not over.", multiprocess_mode="mostrecent"
)
WEBHOOKS = Counter("twinlens_webhook_deliveries", "Attempts to deliver an event of a job.", ["outcome"])
KEY_REQUESTS = Counter("twinlens_key_requests", "Requests of a caller's key, by its name.", ["key", "status"])
KEY_CHARGED = Counter("twinlens_key_charged_usd", "What a caller's key has paid, in USD.", ["key", "model"])
KEY_BUDGET = Gauge(
    "twinlens_key_budget_usd", "The budget of a caller's key, in USD.", ["key", "per"], multiprocess_mode="mostrecent"
)
KEY_SPENT = Gauge(
    "twinlens_key_spent_usd",
    "What a key with a budget has spent in its present period, in USD.",
    ["key", "per"],
    multiprocess_mode="mostrecent",
)
KEY_IN_FLIGHT = Gauge(
    "twinlens_upstream_key_in_flight", "Calls with a key of GEMINI_API_KEYS.", ["key"], multiprocess_mode="livesum"
)
KEY_RESTS_UNTIL = Gauge(
    "twinlens_upstream_key_rests_until_timestamp_seconds",
    "Until when a key of GEMINI_API_KEYS is left alone, for a model or, without one, for all.",
    ["key", "model"],
    multiprocess_mode="livemax",
)
KEY_REFUSED = Counter(
    "twinlens_upstream_key_refused", "Calls that a key of GEMINI_API_KEYS was refused for.", ["key", "status"]
)
UNKNOWN_USAGE = Counter("twinlens_unknown_usage", "Answers whose usage could not be read.", ["surface", "model"])
BYTES_IN = Counter("twinlens_bytes_in", "Bytes of request bodies.", ["surface"])
BYTES_OUT = Counter("twinlens_bytes_out", "Bytes of answers.", ["surface"])
IN_FLIGHT = Gauge("twinlens_in_flight", "Calls that are being answered.", multiprocess_mode="livesum")
STORE_PICTURES = Gauge("twinlens_store_pictures", "Pictures in the store.", multiprocess_mode="mostrecent")
STORE_BYTES = Gauge("twinlens_store_bytes", "Bytes of the pictures in the store.", multiprocess_mode="mostrecent")

FOLLOWED = Counter(
    "twinlens_followed_successors",
    "Requests that a successor answered because the upstream said that it does not have the model.",
    ["model", "successor"],
)

READY = Gauge(
    "twinlens_ready",
    "Whether the last check of /readyz found this usable.",
    ["what"],
    multiprocess_mode="mostrecent",
)
MODEL_RETIRES = Gauge(
    "twinlens_model_retires_timestamp_seconds",
    "When the upstream retires the model, if it has announced that.",
    ["model"],
    multiprocess_mode="mostrecent",
)


@lru_cache(maxsize=2048)
def series(metric: Metric, *labels: str) -> Metric:
    """One series of a metric. Prometheus' client looks it up under a lock, which costs more than the counting."""
    return metric.labels(*labels)


def count(observation: Observation) -> None:
    """Adds an answered request."""
    surface, operation, model = observation.surface, observation.operation, observation.model or ""
    series(REQUESTS, surface, operation, str(observation.status), model, observation.error or "").inc()
    series(TOTAL, surface, operation).observe(time.monotonic() - observation.started)
    if observation.first_byte is not None:
        series(FIRST_BYTE, surface, operation).observe(observation.first_byte)
    for times in observation.upstream:
        if times.first_byte is not None:
            series(UPSTREAM_FIRST_BYTE, surface).observe(times.first_byte)
        if times.total is not None:
            series(UPSTREAM_TOTAL, surface).observe(times.total)
    series(BYTES_IN, surface).inc(observation.bytes_in)
    series(BYTES_OUT, surface).inc(observation.bytes_out)
    if observation.pictures:
        series(PICTURES, surface, model).inc(observation.pictures)
    if observation.delivery:
        series(SAVED, observation.delivery).inc()
        SAVED_USD.inc(observation.saved or 0)
    if observation.usage_is_unknown:
        series(UNKNOWN_USAGE, surface, model).inc()
    if usage := observation.usage:
        for direction, modality, tokens in (
            ("input", "text", usage.input_text_tokens),
            ("input", "image", usage.input_image_tokens),
            ("output", "text", usage.output_text_tokens),
            ("output", "image", usage.output_image_tokens),
        ):
            if tokens:
                series(TOKENS, surface, model, direction, modality).inc(tokens)
    if cost := observation.cost:
        series(COST, surface, model).inc(cost)
    if observation.key_name:
        series(KEY_REQUESTS, observation.key_name, str(observation.status)).inc()
        if observation.charged:
            series(KEY_CHARGED, observation.key_name, model).inc(observation.charged)


def note_store(size: tuple[int, int] | None) -> None:
    """Sets the number of pictures in the store and their bytes, where these are known."""
    if size:
        STORE_PICTURES.set(size[0])
        STORE_BYTES.set(size[1])


def note_records(states: Mapping[str, int]) -> None:
    """Sets how many records of purchases there are in each state."""
    for state in ("running", "done", "unknown", "lost", "released"):
        RECORDS.labels(state).set(states.get(state, 0))


def note_jobs(statuses: Mapping[str, int], oldest: float) -> None:
    """Sets how many jobs have each status, and the age in seconds of the oldest one that is not over."""
    for status in STATUSES:
        JOBS.labels(status).set(statuses.get(status, 0))
    OLDEST_JOB.set(oldest)


def note_budget(key: str, per: str, budget: float, spent: float) -> None:
    """Sets what a key may spend, and has spent, in USD."""
    KEY_BUDGET.labels(key, per).set(budget)
    KEY_SPENT.labels(key, per).set(spent)


def note_resting_key(fingerprint: str, model: str, status: int, until: float) -> None:
    """A key of the upstream was refused, and rests until then (seconds since 1970)."""
    series(KEY_REFUSED, fingerprint, str(status)).inc()
    KEY_RESTS_UNTIL.labels(fingerprint, model).set(until)


def note_ready(troubles: Collection[str]) -> None:
    """Sets what the service needs to usable, unless it is among the troubles."""
    for what in ("store", "upstream", "database"):
        READY.labels(what).set(what not in troubles)


def note_models(models: Iterable[ServedModel]) -> None:
    """Sets the dates when served models retire."""
    for model in models:
        if day := model.upstream.retires:
            MODEL_RETIRES.labels(model.name).set(datetime.combine(day, datetime.min.time(), UTC).timestamp())


def page() -> bytes:
    """All metrics in Prometheus' text format: of all workers if they share a folder, else of this process."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(THIS_PROCESS)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
