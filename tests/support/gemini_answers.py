"""Answers of Gemini as the proxy's tests need them, and pictures of a few bytes."""

import base64
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any

USAGE = {
    "promptTokenCount": 5,
    "candidatesTokenCount": 1290,
    "totalTokenCount": 1295,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}


def png(width: int = 4, height: int = 3, weight: int = 0) -> bytes:
    """A gray picture; `weight` bytes of a private chunk make it heavier."""
    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    if weight:
        chunks.insert(1, (b"prVt", b"\xa5" * weight))
    chunks.append((b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def picture_part(picture: bytes, mime_type: str = "image/png", **more: Any) -> dict[str, Any]:
    """A part that holds a picture."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(picture).decode()}, **more}


def answer(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """A generateContent answer with these parts."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": USAGE, **more}


def error(status: int, name: str, message: str, details: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """An error in Google's form."""
    return {"error": {"code": status, "message": message, "status": name, "details": list(details)}}


def as_bytes(body: Any) -> bytes:
    """The JSON that Google would send."""
    return json.dumps(body, indent=2).encode()


def reason_detail(reason: str) -> dict[str, Any]:
    """The ErrorInfo of an error."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def retry_detail(delay: str) -> dict[str, Any]:
    """The RetryInfo of an error."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota_detail(quota_id: str) -> dict[str, Any]:
    """The QuotaFailure of an error."""
    violation = {"quotaId": quota_id, "quotaMetric": "requests", "quotaValue": "10"}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


PICTURE = png()
PICTURE_BASE64 = base64.b64encode(PICTURE).decode()
DRAWN = answer(picture_part(PICTURE))
INVALID_KEY = error(
    400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [reason_detail("API_KEY_INVALID")]
)
