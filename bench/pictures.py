"""Pictures of any size, and the answers of both APIs that contain them."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

MB = 1_000_000


def png(megabytes: float, seed: int = 0) -> bytes:
    """A valid PNG of about the given size, made of noise, which cannot be compressed."""
    side = int((megabytes * MB / 3) ** 0.5)
    noise = random.Random(seed)  # noqa: S311
    rows = b"".join(b"\0" + noise.randbytes(side * 3) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def google_answer(picture: bytes) -> bytes:
    """The body of generateContent with this picture, pretty-printed as Google sends it."""
    part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture).decode()}}
    body = {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 1290,
            "totalTokenCount": 1299,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        },
        "modelVersion": "gemini-2.5-flash-image",
        "responseId": "pzR8ac7cG_LUz7IP79TA4A8",
    }
    return (json.dumps(body, indent=2) + "\n").encode()


def openai_answer(picture: bytes) -> bytes:
    """The body of images/generations with this picture, as OpenAI sends it."""
    tokens = {"text_tokens": 9, "image_tokens": 0}
    body = {
        "created": 1757844687,
        "background": "opaque",
        "data": [{"b64_json": base64.b64encode(picture).decode()}],
        "output_format": "png",
        "quality": "medium",
        "size": "1024x1024",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": tokens,
            "output_tokens": 1056,
            "total_tokens": 1065,
        },
    }
    return json.dumps(body, indent=2).encode()


def write_answer(folder: Path, megabytes: float, form: Callable[[bytes], bytes] = google_answer) -> Path:
    """A file with an answer that contains a picture of the given size."""
    path = folder / f"{form.__name__}-{megabytes}.json"
    path.write_bytes(form(png(megabytes)))
    return path


def edit_form(picture: bytes, prompt: str = "make it blue", boundary: str = "bench-7d41b838504d") -> tuple[bytes, str]:
    """A multipart form that asks for an edit of the picture, and its content type."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n{prompt}\r\n'.encode(),
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode(),
        picture,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"
