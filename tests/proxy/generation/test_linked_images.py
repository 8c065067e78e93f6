"""Pictures that a server gives by address: fetched from that server, and nowhere else."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from compat.errors import ApiError, ErrorKind
from compat.image_models import Api
from compat.images import Event, Finish, ImageEnd, ImageStart, LinkedImage
from proxy.generation.linked_images import fetch_links
from proxy.upstream.client import Upstream
from tests.compat.pictures import content_in
from tests.support.gemini_answers import png
from tests.support.upstream import ScriptedUpstream, http, upstream_that

PICTURE = png(40, 30)
KEY = "sk-a-key-that-nobody-may-see"


def client_of(upstream: ScriptedUpstream) -> Upstream:
    return Upstream(f"{upstream.url}/v1", api=Api.OPENAI, timeout=5, max_answer_bytes=100_000, connections=5)


def fetched(client: Upstream, link: str) -> list[Event]:
    """The events of an answer with one linked picture."""
    return list(fetch_links(iter([LinkedImage(link), Finish()]), client, KEY))


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("{url}/generated/a.png?b=c", "/generated/a.png?b=c"),
        ("/generated/a.png", "/generated/a.png"),
        ("images/a.png", "/v1/images/a.png"),
        ("/a%2fb.png?c=d|e", "/a%2fb.png?c=d|e"),
        ("/\u6f22 a\u00e9.png?b=\u6f22#c", "/%E6%BC%A2%20a%C3%A9.png?b=%E6%BC%A2"),
    ],
)
def test_a_picture_on_the_same_server_is_fetched_with_the_same_key(link: str, target: str):
    with upstream_that(http(PICTURE, "200 OK", "Content-Type: image/png")) as upstream:
        client = client_of(upstream)
        for _ in range(2):
            events = fetched(client, link.format(url=upstream.url))
    assert upstream.connections == 1
    on_a_new_connection, call = upstream.calls
    assert call.request_line == f"GET {target} HTTP/1.1"
    assert unquote(on_a_new_connection.request_line) == unquote(call.request_line)  # urllib3 normalizes it
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["host"] == upstream.url.removeprefix("http://")
    assert events[0] == ImageStart("image/png", 40, 30)
    assert content_in(events) == PICTURE
    assert events[-2:] == [ImageEnd(), Finish()]


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/a.png",
        "https://{host}/a.png",
        "http://169.254.169.254/latest/meta-data",
        "//127.0.0.1:1/a.png",
        "http://{host}@127.0.0.1:1/a.png",
        "http://user:password@{host}/a.png",
        "http://[bad/a.png",
        "http://{host}:99999/a.png",
        "file:///etc/passwd",
    ],
)
def test_an_address_on_another_server_is_not_fetched(link: str):
    with upstream_that(http(PICTURE)) as upstream, pytest.raises(ApiError) as caught:
        fetched(client_of(upstream), link.format(host=upstream.url.removeprefix("http://")))
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN
    assert caught.value.may_repeat is False
    assert not upstream.calls


@pytest.mark.parametrize(
    "answer",
    [
        http(b"gone", "404 Not Found"),
        http(b"", "302 Found", "Location: http://127.0.0.1:1/a.png"),
        http(b"no picture at all, but many words", "200 OK"),
        http(b"", "200 OK"),
        http(PICTURE[:20], "200 OK"),
        http(PICTURE + b"\0" * 200_000, "200 OK"),
    ],
    ids=["not there", "moved", "no picture", "empty", "cut in its header", "too large"],
)
def test_what_is_not_a_picture_is_an_error_that_forbids_a_retry(answer: object):
    with upstream_that(answer) as upstream, pytest.raises(ApiError) as caught:
        fetched(client_of(upstream), "/a.png")
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN
    assert caught.value.may_repeat is False
    assert len(upstream.calls) == 1
