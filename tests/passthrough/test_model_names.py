"""Model names in a path, as they reach a real server: percent-encoded, with slashes, with bytes that are no text."""

import pytest

from tests.support.proxy_server import ProxyServer, Start
from tests.support.raw_caller import A_CAT, call
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
METHODS = ("generateContent", "streamGenerateContent", "countTokens")


@pytest.mark.parametrize(
    "name",
    [
        f"models/google/{MODEL}",
        f"publishers%2Fgoogle%2Fmodels%2F{MODEL}",
        f"google%2f{MODEL}",
        "gemini%2D2%2E5%2Dflash%2Dimage",
    ],
)
def test_every_spelling_reaches_the_same_upstream_path(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    upstream.answers(Answer(b"{}"))
    for colon, method in zip((":", "%3A", ":"), METHODS, strict=True):
        reply = call(server, f"/v1/models/{name}{colon}{method}", A_CAT, [("x-goog-api-key", key)])
        assert reply.status == 200, reply.body
    assert [request.target for request in upstream.calls] == [f"/v1beta/models/{MODEL}:{method}" for method in METHODS]


def test_the_operator_decides_the_upstream_path(
    start: Start,
    google: ScriptedUpstream,
    upstream: ScriptedUpstream,
    key: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = start(
        tmp_path_factory.mktemp("other"),
        GEMINI_BASE_URL=f"{google.url}/some/gateway/",
        GEMINI_API_VERSION="v1",
        UPSTREAM_MODELS=f"{MODEL}=gemini-nano-banana-2.1",
        MODEL_ALIASES=f"my-model={MODEL}",
    )
    upstream.answers(Answer(b"{}"))
    for name in (MODEL, f"google/{MODEL}", "my-model"):
        assert (
            call(server, f"/v1beta/models/{name}:generateContent?a=b", A_CAT, [("x-goog-api-key", key)]).status == 200
        )
    paths = {request.target for request in upstream.calls}
    assert paths == {"/some/gateway/v1/models/gemini-nano-banana-2.1:generateContent?a=b"}


@pytest.mark.parametrize("name", [f"{MODEL}/extra", "..", "%2e%2e%2fmodels%2fx", "%ff", "a%00b", "%20"])
def test_another_model_is_not_found_without_a_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    reply = call(server, f"/v1beta/models/{name}:generateContent", A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert MODEL in reply.error["message"]
    assert upstream.calls == []
