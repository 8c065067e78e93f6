"""Google's errors, in Google's words: a status, a message and the details that come with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

TYPES = "type.googleapis.com/google.rpc."
SERVICE = "generativelanguage.googleapis.com"
TROUBLESHOOTING = "https://developers.generativeai.google/guide/troubleshooting"


class GoogleError(Exception):
    """An error that is answered as google.rpc.Status."""

    def __init__(self, http_status: int, status: str, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status = status
        self.message = message
        self.details = list(details)

    def body(self) -> dict[str, Any]:
        """The answer's JSON. There are no `details` where Google has none."""
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid_argument(message: str, details: Sequence[dict[str, Any]] = ()) -> GoogleError:
    """400: the request itself is wrong."""
    return GoogleError(400, "INVALID_ARGUMENT", message, details)


def field_violations(violations: Iterable[tuple[str, str]]) -> GoogleError:
    """400: fields that Google does not know or cannot read, as pairs of a proto path and a description."""
    rows = []
    for field, description in violations:
        rows.append({"field": field, "description": description} if field else {"description": description})
    message = "\n".join(row["description"] for row in rows)
    return invalid_argument(message, [{"@type": f"{TYPES}BadRequest", "fieldViolations": rows}])


def missing_key() -> GoogleError:
    """403: no credential at all."""
    return GoogleError(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def invalid_key() -> GoogleError:
    """400: a key that Google does not know."""
    message = "API key not valid. Please pass a valid API key."
    return invalid_argument(
        message,
        [
            {
                "@type": f"{TYPES}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": SERVICE},
            },
            {"@type": f"{TYPES}LocalizedMessage", "locale": "en-US", "message": message},
        ],
    )


def key_sent_as_token(version: str, method: str) -> GoogleError:
    """401: an API key where an OAuth token belongs."""
    return GoogleError(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        [
            {
                "@type": f"{TYPES}ErrorInfo",
                "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                "metadata": {
                    "service": SERVICE,
                    "method": f"google.ai.generativelanguage.{version}.{method}",
                },
            }
        ],
    )


def multiple_credentials() -> GoogleError:
    """400: a key in the header and another in the query, or a key and a token."""
    return invalid_argument("Multiple authentication credentials received. Please pass only one.")


def deadline_too_short(seconds: float) -> GoogleError:
    """400: X-Server-Timeout is shorter than Google allows."""
    return invalid_argument(f"Manually set deadline {seconds:g}s is too short. Minimum allowed deadline is 10s.")


def model_not_found(model: str, version: str, method: str) -> GoogleError:
    """404: a name outside the list, or a method that the model does not have."""
    return GoogleError(
        404,
        "NOT_FOUND",
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods.",
    )


def model_retired(model: str) -> GoogleError:
    """404: a model that Google has switched off."""
    return GoogleError(
        404,
        "NOT_FOUND",
        f"This model models/{model} is no longer available. Please update your code to use a newer model for the "
        "latest features and improvements.",
    )


def unreadable_picture() -> GoogleError:
    """400: an input picture that cannot be decoded."""
    return invalid_argument(f"Unable to process input image. Please retry or report in {TROUBLESHOOTING}")


def internal() -> GoogleError:
    """500: a bug of the sandbox, answered as Google answers an internal error."""
    return GoogleError(500, "INTERNAL", f"An internal error has occurred. Please retry or report in {TROUBLESHOOTING}")
