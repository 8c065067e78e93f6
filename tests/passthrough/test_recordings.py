"""Every recorded answer of Google, replayed, comes out of the proxy byte for byte."""

import gzip

import pytest

from tests.passthrough.recordings import ABSENT, Recording, recordings
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import A_CAT, Reply, call
from tests.support.upstream import ScriptedUpstream, gzipped_if_asked

NAMES = recordings()
MODEL = "gemini-2.5-flash-image"
pytestmark = pytest.mark.skipif(not NAMES, reason=ABSENT)


def replay(server: ProxyServer, recording: Recording, version: str, *headers: tuple[str, str], key: str) -> Reply:
    """The answer to a call for our model."""
    target = f"/{version}/models/{MODEL}:{recording.method}{recording.query}"
    return call(server, target, A_CAT, [("x-goog-api-key", key), *headers])


def opened(reply: Reply) -> bytes:
    """The body after content-decoding."""
    encoding = reply.one("content-encoding")
    assert encoding in (None, "gzip")
    return gzip.decompress(reply.body) if encoding else reply.body


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("recording", NAMES, ids=str)
def test_a_recorded_answer_passes_byte_for_byte(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording, version: str
) -> None:
    upstream.answers(gzipped_if_asked(recording.body, recording.status, recording.content_type))
    reply = replay(server, recording, version, ("Accept-Encoding", "gzip, deflate"), key=key)
    assert (reply.status, reply.one("content-type")) == (recording.status, recording.content_type)
    assert reply.one("content-encoding") is None
    assert reply.body == recording.body
    assert upstream.call.all("accept-encoding") == ["identity"]
    assert upstream.call.target == f"/v1beta/models/{MODEL}:{recording.method}{recording.query}"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("recording", NAMES, ids=str)
def test_a_recorded_answer_passes_compressed(
    gzip_server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording, version: str
) -> None:
    upstream.answers(gzipped_if_asked(recording.body, recording.status, recording.content_type))
    reply = replay(gzip_server, recording, version, ("Accept-Encoding", "gzip, deflate"), key=key)
    assert (reply.status, reply.one("content-type")) == (recording.status, recording.content_type)
    assert opened(reply) == recording.body
    assert upstream.call.all("accept-encoding") == ["gzip, deflate"]
    if recording.status == 200:
        assert reply.one("content-encoding") == "gzip"


@pytest.mark.parametrize("accepted", [(), (("Accept-Encoding", "identity"),), (("Accept-Encoding", "br"),)], ids=str)
@pytest.mark.parametrize("recording", NAMES[::8], ids=str)
def test_who_cannot_open_a_compressed_answer_gets_none(
    gzip_server: ProxyServer,
    upstream: ScriptedUpstream,
    key: str,
    recording: Recording,
    accepted: tuple[tuple[str, str], ...],
) -> None:
    upstream.answers(gzipped_if_asked(recording.body, recording.status, recording.content_type))
    reply = replay(gzip_server, recording, "v1", *accepted, key=key)
    assert reply.one("content-encoding") is None
    assert reply.body == recording.body
