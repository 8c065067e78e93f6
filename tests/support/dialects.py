"""What an error must look like in each of the two APIs."""

from typing import Any

from werkzeug.test import TestResponse


def openai_error(response: TestResponse, status: int, code: str | None, kind: str = "invalid_request_error") -> Any:
    """The `error` of a response that must be OpenAI's, complete and with nothing else."""
    assert response.status_code == status, response.get_data()[:500]
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == (kind, code)
    assert error["message"]
    return error


def google_error(response: TestResponse, status: int, name: str) -> Any:
    """The `error` of a response that must be Google's: a google.rpc.Status."""
    assert response.status_code == status, response.get_data()[:500]
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert (error["code"], error["status"]) == (status, name)
    assert error["message"]
    assert all(detail["@type"].startswith("type.googleapis.com/google.rpc.") for detail in error["details"])
    return error
