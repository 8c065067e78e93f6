"""Every recorded answer of Google, replayed, comes out of the proxy byte for byte."""

import gzip

import pytest

from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import A_CAT, Reply, call
from tests.support.recordings import ABSENT, Recording, gemini_recordings
from tests.support.upstream import ScriptedUpstream, gzipped_if_asked

RECORDINGS = gemini_recordings()
SOME = RECORDINGS[::4]  # of either outcome
MODEL = "gemini-2.5-flash-image"
pytestmark = pytest.mark.skipif(not RECORDINGS, reason=ABSENT)


def replay(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording, *accepted: tuple[str, str]
) -> Reply:
    """The answer to a call for our model."""
    upstream.answers(gzipped_if_asked(recording.body, recording.status, recording.content_type))
    target = f"/v1/models/{MODEL}:{recording.method}{recording.query}"
    reply = call(server, target, A_CAT, [("x-goog-api-key", key), *accepted])
    assert (reply.status, reply.one("content-type")) == (recording.status, recording.content_type)
    return reply


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_a_recorded_answer_passes_byte_for_byte(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording
) -> None:
    reply = replay(server, upstream, key, recording, ("Accept-Encoding", "gzip, deflate"))
    assert reply.one("content-encoding") is None
    assert reply.body == recording.body
    assert upstream.call.all("accept-encoding") == ["identity"]
    assert upstream.call.target == f"/v1beta/models/{MODEL}:{recording.method}{recording.query}"


@pytest.mark.parametrize("recording", SOME, ids=str)
def test_a_recorded_answer_passes_compressed(
    gzip_server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording
) -> None:
    reply = replay(gzip_server, upstream, key, recording, ("Accept-Encoding", "gzip, deflate"))
    compressed = reply.one("content-encoding") == "gzip"
    assert (gzip.decompress(reply.body) if compressed else reply.body) == recording.body
    assert upstream.call.all("accept-encoding") == ["gzip, deflate"]
    assert compressed or recording.status != 200


@pytest.mark.parametrize("accepted", [(), (("Accept-Encoding", "identity"),), (("Accept-Encoding", "br"),)], ids=str)
def test_a_caller_that_cannot_open_a_compressed_answer_gets_none(
    gzip_server: ProxyServer, upstream: ScriptedUpstream, key: str, accepted: tuple[tuple[str, str], ...]
) -> None:
    for recording in SOME[:3]:
        reply = replay(gzip_server, upstream, key, recording, *accepted)
        assert reply.one("content-encoding") is None
        assert reply.body == recording.body
