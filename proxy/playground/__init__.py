"""One page that uses the public endpoints like any other client: its files, ready to be sent."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGE = "page.html"
BOOTSTRAP = b'<script type="application/json" id="bootstrap">{}</script>'
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class PageFile:
    """A file of the page, plain and compressed, and its ETag."""

    content: bytes
    compressed: bytes
    mime_type: str
    etag: str


def read_page_files(bootstrap: str) -> Mapping[str, PageFile]:
    """Every file by its name. The page itself has the bootstrap: JSON with what it knows of its server."""
    files = {}
    for path in sorted(FOLDER.iterdir()):
        if mime_type := TYPES.get(path.suffix):
            content = path.read_bytes()
            if path.name == PAGE:
                content = content.replace(BOOTSTRAP, BOOTSTRAP.replace(b"{}", inside_html(bootstrap)), 1)
            etag = hashlib.sha256(content).hexdigest()[:32]
            files[path.name] = PageFile(content, gzip.compress(content, mtime=0), mime_type, etag)
    return files


def inside_html(json_text: str) -> bytes:
    """JSON that cannot end the element it stands in."""
    return json_text.replace("<", "\\u003c").encode()
