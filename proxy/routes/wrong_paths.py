"""What is said of an address that is not served. Most often its base URL has a version too many, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from flask import current_app
from werkzeug.exceptions import HTTPException

from compat.openai_images.error import OPENAI
from proxy.routes import the_caller
from proxy.routes.paths import NO_API

VERTEX = re.compile(r"/v1beta1/|/v1(beta)?/(projects|publishers)/")
VERSION = re.compile(r"v1(alpha|beta)?")
OTHER_APIS = re.compile(
    r"/(chat/completions|completions|responses|conversations|embeddings|messages|audio|videos|moderations|assistants"
    r"|threads|files|batches|interactions)(/|$)"
)
OTHER_API = "Only pictures are served here: POST /v1/images/generations, or POST /v1/chat/completions."
WORDS = {  # of served addresses, in lower case, and what is often written instead
    **{
        word: word
        for word in (
            *("v1", "v1alpha", "v1beta", "openai", "deployments", "models", "images", "generations", "edits"),
            *("variations", "chat", "completions"),
        )
    },
    **{"generation": "generations", "generate": "generations", "edit": "edits", "variation": "variations"},
    **{"image": "images", "model": "models"},
}
MOST_SEGMENTS = 16  # of a path that is looked at


class Address(NamedTuple):
    """An address that is served, and was probably meant."""

    path: str
    before: str  # what the path has before it that is too much
    needs_version: bool  # whether `/v1` is missing before it


def advice(path: str, method: str) -> str:
    """What to write instead of a path that is not served; empty if that is not known."""
    if VERTEX.match(path):
        return "Vertex AI paths are not served here: use the Gemini API (vertexai=False)."
    found = address_of(path, method) or address_of(path, "POST") or address_of(path, "GET")
    if found is None:
        return OTHER_API if OTHER_APIS.search(path) else ""
    if found.before and found.needs_version:
        return f"The base URL must end in /v1 instead of {found.before}: the address is {found.path}."
    if found.needs_version:
        return f"The base URL must end in /v1: the address is {found.path}."
    if not found.before:
        return f"Did you mean {found.path}?"
    if VERSION.fullmatch(found.before.rpartition("/")[2]):
        return (
            "The base URL already ends in a version, and the SDK adds one: take it off the base URL. "
            f"The address is {found.path}."
        )
    return f"Take {found.before} off the base URL: the address is {found.path}."


def address_of(path: str, method: str) -> Address | None:
    """The served address that a path comes close to: in its spelling, or with another beginning."""
    return next((one for one in candidates(path) if one.path != path and is_served(one.path, method)), None)


def candidates(path: str) -> Iterator[Address]:
    """What may have been meant, the nearest first."""
    segments = [WORDS.get(segment.lower(), segment) for segment in path.split("/") if segment]
    if len(segments) > MOST_SEGMENTS:
        return
    for start in range(len(segments)):
        before, rest = segments[:start], "/" + "/".join(segments[start:])
        for needs_version in (False, True):
            yield Address("/v1" * needs_version + rest, "/".join(["", *before]), needs_version)


def is_served(path: str, method: str) -> bool:
    """Whether one of the two APIs has this address."""
    try:
        endpoint, _ = current_app.url_map.bind("localhost").match(path, method=method)
    except HTTPException:
        return False
    if endpoint.startswith("models.") and path.startswith("/models"):
        return the_caller().dialect is not OPENAI  # whose lists have a version
    return endpoint.partition(".")[0] not in NO_API
