"""Models on servers that speak OpenAI's API, and the forms that such a server receives."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from compat.image_models import PIXELS_2_5, PIXELS_3_1, ImageModel, OpenAIServer, ServedModel, times
from compat.images import OutgoingRequest
from compat.openai_images.form import Form, FormPart

TIERS = {"1K": PIXELS_3_1, "2K": times(2, PIXELS_3_1), "4K": times(4, PIXELS_3_1)}


def served(*, tiers: bool = False, fields: tuple[str, ...] = (), **server: Any) -> ServedModel:
    """A model as an operator's row describes it."""
    row = ImageModel(
        name="own-model",
        title="Own model",
        pixels=PIXELS_3_1 if tiers else PIXELS_2_5,
        output_mime_type="image/png",
        tiers=TIERS if tiers else {},
        upstream_name="flux",
        openai=OpenAIServer("http://127.0.0.1:8080/v1", fields=frozenset(fields), **{"image_urls": True, **server}),
    )
    return ServedModel(row.name, row.name, "flux", row)


PLAIN = served()
WITH_TIERS = served(tiers=True)
ALL_FIELDS = served(tiers=True, fields=("seed", "temperature", "aspect_ratio", "image_size"))


def received(request: OutgoingRequest) -> tuple[list[tuple[str, str]], list[tuple[str, FileStorage]]]:
    """The texts and the files of a form as werkzeug reads it."""
    mime_type, options = parse_options_header(request.content_type)
    body = b"".join(request.body)
    _, texts, files = FormDataParser(silent=False).parse(BytesIO(body), mime_type, len(body), options)
    return list(texts.items(multi=True)), list(files.items(multi=True))


def form_of(request: OutgoingRequest) -> Form:
    """The form as our own server reads it."""
    texts, files = received(request)
    parts = [FormPart(name, text.encode()) for name, text in texts]
    return Form((*parts, *(FormPart(name, file.read(), is_file=True) for name, file in files)))
