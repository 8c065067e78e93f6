"""URL converters for paths below `/models/`: a model's name, and a method of it."""

from __future__ import annotations

from werkzeug.routing import PathConverter

NO_API = ("stored_images", "description", "monitoring", "playground")  # blueprints that belong to neither API


class ModelName(PathConverter):
    """A name, which may have slashes: `google/gemini-2.5-flash-image`."""

    regex = "[^/:][^:]*?"


class ModelCall(PathConverter):
    """A name and a method: `google/gemini-2.5-flash-image:generateContent`."""

    regex = "[^/].*?:[^/:]*"


CONVERTERS = {"model_name": ModelName, "model_call": ModelCall}
