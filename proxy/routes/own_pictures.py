"""The pictures of our own store that a request has by their URLs: read from the store, and never over HTTP."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from compat.errors import ApiError, ErrorKind
from compat.openai_chat.messages import StoredPictures
from proxy.pictures.store import Store
from proxy.routes import the_service
from proxy.routes.stored_images import own_base_urls

log = logging.getLogger("twinlens")


def own_pictures() -> StoredPictures:
    """The pictures of our store, for the current request. All that it reads of them counts as a part of its body."""
    service = the_service()
    most = service.settings.max_request_bytes
    left = most

    def read(url: str) -> bytes | None:
        nonlocal left
        data = read_picture(service.store, urlsplit(url).path.rpartition("/")[2])
        left -= len(data or b"")
        if left < 0:
            raise ApiError(
                ErrorKind.BODY_TOO_LARGE,
                f"The stored pictures that the messages name have more than {most} bytes in all (MAX_REQUEST_BYTES).",
            )
        return data

    return StoredPictures(own_base_urls(), read)


def read_picture(store: Store, name: str) -> bytes | None:
    """The bytes of a stored picture; None if it has expired. Raises INTERNAL if the store cannot be read."""
    try:
        picture = store.find(name)
        return picture.content() if picture else None
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("a stored picture could not be read: %s", error.strerror)
        raise ApiError(ErrorKind.INTERNAL, "A stored picture of the messages could not be read.") from error
