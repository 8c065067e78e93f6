"""Reads multipart/form-data strictly: a form that breaks a rule of RFC 7578 is refused."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser

from sandbox.openai_images import errors


@dataclass(frozen=True)
class Part:
    """One part of a form."""

    name: str
    data: bytes
    mime_type: str = ""
    is_file: bool = False


def read_form(content_type: str, body: bytes) -> list[Part]:
    """The parts of a form, in order. Raises OpenAIError if the body is no form."""
    boundary = str(_parameter("content-type", content_type, "boundary") or "").encode("latin-1", "replace")
    if not boundary:
        raise errors.not_a_form()
    opening, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if opening.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise errors.not_a_form()
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    if not piece.startswith(b"\r\n"):
        raise errors.not_a_form()
    head, blank, data = piece[2:].partition(b"\r\n\r\n")
    headers = BytesParser().parsebytes(head, headersonly=True)
    name = headers.get_param("name", header="content-disposition")
    if not blank or headers.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise errors.not_a_form()
    is_file = headers.get_param("filename", header="content-disposition") is not None
    return Part(name, data, str(headers.get("content-type", "")).partition(";")[0].strip().lower(), is_file)


def _parameter(header: str, value: str, name: str) -> object:
    message = Message()
    message[header] = value
    return message.get_param(name, header=header)
