"""Pictures that a server gives by address: fetched from that server, and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from compat.base64_stream import encode_pieces
from compat.formats import NotAPicture
from compat.images import Event, ImageEnd, LinkedImage
from compat.picture_reader import PictureReader
from proxy.pictures.replacing import broken_picture
from proxy.upstream.client import Upstream

DEFAULT_PORTS = {"http": 80, "https": 443}
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))  # what a request line can hold


def fetch_links(events: Iterator[Event], upstream: Upstream, key: str | None) -> Iterator[Event]:
    """The events with every linked picture replaced by its data. Raises UPSTREAM_BROKEN if one cannot be fetched."""
    for event in events:
        if isinstance(event, LinkedImage):
            yield from fetch(event.url, upstream, key)
        else:
            yield event


def fetch(link: str, upstream: Upstream, key: str | None) -> Iterator[Event]:
    """One picture from its address, which may be relative."""
    answer = upstream.get(address_on(upstream.base_for(key), link), key)
    try:
        if answer.status != 200:
            raise broken_picture(f"its address answers with status {answer.status}")
        yield from read_picture(answer.chunks)
    finally:
        answer.close()


def address_on(base: str, link: str) -> str:
    """A link as an address of the server at a base URL. Raises UPSTREAM_BROKEN if it is on another server."""
    server = urlsplit(base)
    try:
        parts = urlsplit(urljoin(f"{base}/", link))
        is_its_own = origin(parts) == origin(server)
    except ValueError:
        is_its_own = False
    if not is_its_own:
        raise broken_picture("its address is not on the server that made it")
    return urlunsplit((server.scheme, server.netloc, quote(parts.path, PRINTABLE), quote(parts.query, PRINTABLE), ""))


def read_picture(chunks: Iterator[bytes]) -> Iterator[Event]:
    """The events of a picture from its bytes."""
    picture = PictureReader()
    try:
        for encoded in encode_pieces(chunks):
            yield from picture.read(encoded)
        yield from picture.end()
    except NotAPicture as error:
        raise broken_picture(f"{error}") from None
    yield ImageEnd()


def origin(parts: SplitResult) -> tuple[str, str | None, str | None, int | None]:
    """Scheme, user, host and port of a URL. Raises ValueError for a port that is not a number."""
    return parts.scheme, parts.username, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
