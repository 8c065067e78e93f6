"""Requests of the Images API, written for a server that speaks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from compat.base64_stream import decode_whole
from compat.errors import ApiError, ErrorKind
from compat.formats import BY_MIME_TYPE, Pixels
from compat.image_models import OpenAIServer, ServedModel
from compat.images import ImageRequest, InputImage, OutgoingRequest
from compat.json_text import dumps

IN_QUOTES = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}  # as browsers write the name of a part
RESERVED = ("image", "images", "mask")  # fields that `openai` of a request cannot set


def write_request(
    image_request: ImageRequest, model: ServedModel, *, stream: bool = False, boundary: str | None = None
) -> OutgoingRequest:
    """The request for as many pictures as one call may ask for; `split` makes such requests.

    Without input pictures it is a generation; with them an edit, as a form, or as JSON if a picture is an address.
    `boundary` is that of the form; by default it is a hash of its contents. Raises INVALID_VALUE for an edit that the
    server does not support.
    """
    fields = build_fields(image_request, model, stream)
    if not image_request.input_images:
        return OutgoingRequest("images/generations", (dumps(fields),))
    if not server_of(model).edits:
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            f"The model '{model.name}' draws from text alone: it takes no input pictures.",
            param="image",
        )
    if any(image.data is None for image in pictures_of(image_request)):
        if not server_of(model).image_urls:
            raise ApiError(
                ErrorKind.INVALID_VALUE,
                f"The server of '{model.name}' does not open addresses: send the picture itself.",
                param="image",
            )
        return OutgoingRequest("images/edits", tuple(write_json_edit(image_request, fields)))
    parts = list(build_parts(image_request, fields))
    boundary = boundary or boundary_for(parts)
    content_type = f"multipart/form-data; boundary={boundary}"
    return OutgoingRequest("images/edits", tuple(write_form(parts, boundary)), content_type)


def split(image_request: ImageRequest, most_pictures: int) -> list[ImageRequest]:
    """Several requests instead of one that asks for more pictures than one call may.

    A seed is counted up, so that each request has the seed that its first picture would have had; a negative one,
    which stands for a random seed, stays.
    """
    requests = []
    for start in range(0, image_request.count, most_pictures):
        seed = image_request.seed
        requests.append(
            replace(
                image_request,
                count=min(most_pictures, image_request.count - start),
                seed=seed + start if seed is not None and seed >= 0 else seed,
            )
        )
    return requests


def unsupported_fields(image_request: ImageRequest, model: ServedModel) -> tuple[str, ...]:
    """The fields of the request that are not sent because the server has none for them."""
    sent = build_fields(image_request, model, stream=False)
    size = pixels_of(image_request, model)
    given: Mapping[str, bool] = {
        "aspect_ratio": image_request.aspect_ratio is not None and size is None,
        "image_size": image_request.image_size is not None and not size_has_tier(image_request, model),
        "seed": image_request.seed is not None,
        "temperature": image_request.temperature is not None,
        "google": bool(image_request.gemini),
    }
    return tuple(name for name, is_given in given.items() if is_given and name not in sent)


def build_fields(image_request: ImageRequest, model: ServedModel, stream: bool) -> dict[str, Any]:
    """All fields but the pictures. Those in `openai` of the request take precedence."""
    server = server_of(model)
    fields: dict[str, Any] = {"model": model.upstream_name, "prompt": image_request.prompt}
    if image_request.count > 1:
        fields["n"] = image_request.count
    if pixels := pixels_of(image_request, model):
        fields["size"] = f"{pixels[0]}x{pixels[1]}"
    if server.response_format:
        fields["response_format"] = "b64_json"
    if stream:
        fields["stream"] = True
    for name in ("seed", "temperature", "aspect_ratio", "image_size"):
        if name in server.fields and (value := getattr(image_request, name)) is not None:
            fields[name] = value
    return fields | {name: value for name, value in image_request.openai.items() if name not in RESERVED}


def server_of(model: ServedModel) -> OpenAIServer:
    if model.upstream.openai is None:
        raise ValueError(f"the server of {model.name} does not speak OpenAI's API")
    return model.upstream.openai


def pixels_of(image_request: ImageRequest, model: ServedModel) -> Pixels | None:
    """The size to ask for; None leaves it to the server.

    A tier without an aspect ratio is a square, unless the server knows tiers by their names; an edit without a ratio
    keeps the shape of its picture.
    """
    ratio, tier = image_request.aspect_ratio, model.upstream.tiers.get(image_request.image_size or "", {})
    if ratio is not None:
        return tier.get(ratio) or model.upstream.pixels.get(ratio)
    if image_request.input_images or "image_size" in server_of(model).fields:
        return None
    return tier.get("1:1")


def size_has_tier(image_request: ImageRequest, model: ServedModel) -> bool:
    """Whether the size to ask for belongs to the requested tier."""
    tier = model.upstream.tiers.get(image_request.image_size or "", {})
    size = pixels_of(image_request, model)
    return size is not None and size == tier.get(image_request.aspect_ratio or "1:1")


def pictures_of(image_request: ImageRequest) -> list[InputImage]:
    """The input pictures and the mask."""
    return [*image_request.input_images, *([image_request.mask] if image_request.mask else [])]


# JSON


def write_json_edit(image_request: ImageRequest, fields: Mapping[str, Any]) -> Iterator[bytes]:
    """An edit as JSON. The base64 of pictures is neither escaped nor copied."""
    yield dumps(fields)[:-1]
    for index, image in enumerate(image_request.input_images):
        yield b"," if index else b',"images":['
        yield from write_reference(image)
    yield b"]"
    if image_request.mask:
        yield b',"mask":'
        yield from write_reference(image_request.mask)
    yield b"}"


def write_reference(image: InputImage) -> Iterator[bytes]:
    if image.data is None:
        yield dumps({"image_url": image.uri})
    else:
        yield b'{"image_url":"data:' + image.mime_type.encode() + b";base64,"
        yield image.data
        yield b'"}'


# Forms


@dataclass(frozen=True)
class Part:
    """A part of a form; one with a file name is a file."""

    name: str
    data: bytes
    file_name: str | None = None
    mime_type: str | None = None


def build_parts(image_request: ImageRequest, fields: Mapping[str, Any]) -> Iterator[Part]:
    for name, value in fields.items():
        if value is not None:
            text = value if isinstance(value, str) else dumps(value).decode()
            yield Part(name, text.encode("utf-8", "replace"))
    images = image_request.input_images
    for number, image in enumerate(images, 1):
        yield file_part("image" if len(images) == 1 else "image[]", f"image-{number}", image)
    if image_request.mask:
        yield file_part("mask", "mask", image_request.mask)


def file_part(name: str, file_name: str, image: InputImage) -> Part:
    ending = BY_MIME_TYPE[image.mime_type].endings[0]
    return Part(name, decode_whole(image.data or b""), f"{file_name}.{ending}", image.mime_type)


def boundary_for(parts: Iterable[Part]) -> str:
    """A boundary that no part contains: a hash of all parts, which nobody can write into one of them."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part.data)
    return f"twinlens-{digest.hexdigest()}"


def write_form(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """The pieces of a form; the bytes of pictures are not copied."""
    for part in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name.translate(IN_QUOTES)}"'
        if part.file_name:
            head += f'; filename="{part.file_name}"\r\nContent-Type: {part.mime_type}'
        yield head.encode("utf-8", "replace") + b"\r\n\r\n"
        yield part.data
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
