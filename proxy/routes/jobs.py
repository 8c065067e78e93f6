"""Jobs: their state, their results, and their end."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import operation
from compat.openai_images import job as image_job
from proxy.routes import the_caller, the_service
from proxy.routes.authentication import require_key
from proxy.routes.buying import scope_of_caller
from proxy.routes.caller_watch import stop_watching, watch_caller
from proxy.routes.flow import flow
from proxy.routes.job_requests import job_headers
from proxy.routes.preferences import seconds_to_wait

openai = Blueprint("image_jobs", __name__)
gemini = Blueprint("operations", __name__)
for blueprint in (openai, gemini):
    blueprint.before_request(require_key)
    blueprint.after_request(stop_watching)

OPERATION = "/models/<model_name:model>/operations/<name>"
VERSIONS = ("", "/v1", "/v1alpha", "/v1beta")


@openai.get("/images/jobs/<id>")
def image_job_state(id: str) -> Response:
    """The job, with its result when it is completed."""
    return show(waited_for(job(image_job.read_id(id), id)))


@openai.delete("/images/jobs/<id>")
def image_job_end(id: str) -> Response:
    """Ends the job, unless it is over, and shows it."""
    return show(the_service().jobs.cancel(job(image_job.read_id(id), id)))


def operation_state(model: str, name: str) -> Response:
    """The operation, with its response when it is done."""
    return show(waited_for(job(operation.read_id(name), name, model)), model)


def operation_end(model: str, name: str) -> Response:
    """Ends the operation, unless it is done."""
    the_service().jobs.cancel(job(operation.read_id(name), name, model))
    return jsonify({})


for version in VERSIONS:
    gemini.add_url_rule(f"{version}{OPERATION}", view_func=operation_state, methods=["GET"])
    gemini.add_url_rule(f"{version}{OPERATION}:cancel", view_func=operation_end, methods=["POST"])


def job(id: str | None, shown: str, model: str | None = None) -> Any:
    """The caller's job of that id. Raises NOT_FOUND, for anybody else's too."""
    record = id and the_service().jobs.find(id, scope_of_caller(), the_caller().dialect.name)
    if not record or (model is not None and record.model not in (model, None)):
        raise ApiError(ErrorKind.NOT_FOUND, f"There is no job '{shown[:80]}', or it has expired.")
    return record


def waited_for(record: Any) -> Any:
    """The job after the wait that the caller prefers, if there is room for somebody who waits."""
    seconds, places = seconds_to_wait(), the_service().places
    if not seconds or record.job.is_over or places.taken >= places.most:
        return record
    watch_caller()
    places.take()
    try:
        return the_service().jobs.wait(record, seconds)
    finally:
        places.give_back(1)


def show(record: Any, model: str = "") -> Response:
    """The job in the words of the caller's API."""
    headers = job_headers(record)
    if request.method == "GET" and (seconds := seconds_to_wait()):
        headers["Preference-Applied"] = f"wait={seconds:g}"
    return flow(the_service().jobs.write(record, the_caller().dialect.name, record.model or model), headers)
