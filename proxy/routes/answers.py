"""What the answers of both of OpenAI's APIs have in common."""

from __future__ import annotations

from collections.abc import Sequence

from compat.gemini_content.request import sent_aspect_ratio
from compat.images import ImageRequest

EVENT_STREAM = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
JSON = {"Content-Type": "application/json"}


def report_headers(
    image_request: ImageRequest, ignored: Sequence[str], advisories: Sequence[str] = ()
) -> dict[str, str]:
    """The headers that describe what became of a request."""
    headers = {}
    if ratio := sent_aspect_ratio(image_request):
        headers["x-twinlens-aspect-ratio"] = ratio
    if ignored:
        headers["x-twinlens-ignored"] = ", ".join(ignored)
    if advisories:
        headers["x-twinlens-advisory"] = ", ".join(advisories)
    return headers
