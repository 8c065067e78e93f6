"""OpenAI's errors, in OpenAI's words: a status and the four fields that its envelope always has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BAD_REQUEST = "invalid_request_error"
USER_ERROR = "image_generation_user_error"
PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")


class OpenAIError(Exception):
    """An error as OpenAI answers it."""

    def __init__(
        self, status: int, message: str, *, kind: str = BAD_REQUEST, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}


def listed(names: Sequence[object]) -> str:
    """'a', 'b', and 'c'."""
    quoted = [f"'{name}'" for name in names]
    return ", ".join([*quoted[:-1], f"and {quoted[-1]}"]) if len(quoted) > 2 else " and ".join(quoted)


def bad_request(message: str, param: str | None = None, code: str | None = None) -> OpenAIError:
    """400: the request itself is wrong."""
    return OpenAIError(400, message, code=code, param=param)


def missing(param: str) -> OpenAIError:
    """400: a required parameter is missing."""
    return bad_request(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def wrong_type(param: str, expected: str, value: object) -> OpenAIError:
    """400: a value has the wrong type."""
    return bad_request(
        f"Invalid type for '{param}': expected {expected}, but got {_type_of(value)} instead.", param, "invalid_type"
    )


def _type_of(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal number", str: "a string", dict: "an object"}
    return "null" if value is None else names.get(type(value), "an array")


def not_in_range(param: str, value: int, low: int, high: int) -> OpenAIError:
    """400: a number is below its minimum or above its maximum."""
    side, sign, limit = ("below minimum", ">=", low) if value < low else ("above maximum", "<=", high)
    code = "integer_below_min_value" if value < low else "integer_above_max_value"
    message = f"Invalid '{param}': integer {side} value. Expected a value {sign} {limit}, but got {value} instead."
    return bad_request(message, param, code)


def not_among(param: str, value: object, known: Sequence[object]) -> OpenAIError:
    """400: a value is not one of those that are supported."""
    return bad_request(f"Invalid value: '{value}'. Supported values are: {listed(known)}.", param, "invalid_value")


def bad_size(size: object, rule: str) -> OpenAIError:
    """400: a size cannot be drawn."""
    message = f"Invalid size '{size}'. {rule}"
    return OpenAIError(400, message, kind=USER_ERROR, code="invalid_value", param="size")


def unknown_model(model: str) -> OpenAIError:
    """400: an unknown model, as the image endpoints answer it."""
    message = f"The model '{model}' does not exist."
    return OpenAIError(400, message, kind=USER_ERROR, code="invalid_value", param="model")


def model_not_found(model: str) -> OpenAIError:
    """404: an unknown model, as the list of models answers it."""
    return OpenAIError(404, f"The model '{model}' does not exist", code="model_not_found", param="model")


def not_json() -> OpenAIError:
    """400: the body is not a JSON object."""
    return bad_request(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
    )


def not_a_form() -> OpenAIError:
    """400: the body is not a multipart form."""
    return bad_request("We could not parse the multipart form of your request.")


def wrong_content_type(given: str, known: Sequence[str]) -> OpenAIError:
    """415: the body has another content type."""
    supported = " or ".join(f"'{kind}'" for kind in known)
    return OpenAIError(
        415,
        f"Unsupported content type: '{given}'. This API method only accepts {supported} requests, but you specified "
        f"the header 'Content-Type: {given}'.",
        code="unsupported_content_type",
    )


def unsupported_mimetype(param: str, given: str) -> OpenAIError:
    """400: a file whose content type is no image."""
    message = (
        f"Invalid file '{param}': unsupported mimetype ('{given}'). Supported file formats are {listed(PICTURE_TYPES)}."
    )
    return bad_request(message, param, "unsupported_file_mimetype")


def unreadable_file(number: int) -> OpenAIError:
    """400: a file that is no image, whatever its content type says."""
    message = f"Invalid image file or mode for image {number}, please check your image file."
    return OpenAIError(400, message, kind=USER_ERROR, code="invalid_image_file")


def unreadable_data(param: str) -> OpenAIError:
    """400: a data URL that holds no image."""
    return bad_request("Invalid image data.", param, "invalid_image_file")


def bad_mask(reason: str) -> OpenAIError:
    """400: a mask that does not fit its image."""
    message = f"Invalid mask image format - {reason}"
    return OpenAIError(400, message, kind=USER_ERROR, code="invalid_mask_image_format", param="mask")


def incorrect_key(key: str) -> OpenAIError:
    """401: an unknown key; only its beginning and end are repeated."""
    masked = f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}" if len(key) > 12 else key[:2] + "*" * len(key[2:])
    return OpenAIError(
        401,
        f"Incorrect API key provided: {masked}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    )


def no_bearer() -> OpenAIError:
    """401: a credential that is not a bearer token."""
    return OpenAIError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY).",
    )


def unknown_url(method: str, path: str) -> OpenAIError:
    """404: nothing is at this URL."""
    return OpenAIError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> OpenAIError:
    """405: another method is needed."""
    return OpenAIError(405, f"Not allowed to {method} on {path}.", code="method_not_supported")


def internal() -> OpenAIError:
    """500: a bug of the sandbox, answered as OpenAI answers an internal error."""
    return OpenAIError(
        500,
        "The server had an error while processing your request. Sorry about that!",
        kind="server_error",
    )
