"""Every spelling of the model, the path that is called upstream, and the paths that are explained instead of served."""

import json

import pytest

from tests.support.proxy_server import ProxyServer, Start
from tests.support.raw_caller import A_CAT, call
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
NAMES = (
    MODEL,
    f"google/{MODEL}",
    f"models/{MODEL}",
    f"models/google/{MODEL}",
    f"google/models/{MODEL}",
    f"publishers/google/models/{MODEL}",
    f"models/models/{MODEL}",
    f"google%2F{MODEL}",
    f"google%2f{MODEL}",
    f"models%2F{MODEL}",
    f"models%2Fgoogle%2F{MODEL}",
    f"publishers%2Fgoogle%2Fmodels%2F{MODEL}",
    "gemini%2D2%2E5%2Dflash%2Dimage",
)
METHODS = ("generateContent", "streamGenerateContent", "countTokens")


@pytest.fixture(scope="module")
def other_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose operator has chosen another upstream path, version and model."""
    return start(
        tmp_path_factory.mktemp("other"),
        GEMINI_BASE_URL=f"{google.url}/some/gateway/",
        GEMINI_API_VERSION="v1",
        UPSTREAM_MODELS=f"{MODEL}=gemini-nano-banana-2.1",
        MODEL_ALIASES=f"my-model={MODEL},dall-e-3={MODEL}",
    )


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_reaches_the_same_upstream_path(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str, version: str
) -> None:
    upstream.answers(Answer(b"{}"))
    reply = call(server, f"/{version}/models/{name}:{method}", A_CAT, [("x-goog-api-key", key)])
    assert reply.status == 200, reply.body
    assert upstream.call.request_line == f"POST /v1beta/models/{MODEL}:{method} HTTP/1.1"


@pytest.mark.parametrize("method", METHODS)
def test_an_encoded_colon_is_a_colon(server: ProxyServer, upstream: ScriptedUpstream, key: str, method: str) -> None:
    upstream.answers(Answer(b"{}"))
    assert call(server, f"/v1/models/{MODEL}%3A{method}", A_CAT, [("x-goog-api-key", key)]).status == 200
    assert upstream.call.target == f"/v1beta/models/{MODEL}:{method}"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("name", NAMES)
def test_one_model_is_told_by_every_spelling(server: ProxyServer, key: str, name: str, version: str) -> None:
    reply = call(server, f"/{version}/models/{name}", None, [("x-goog-api-key", key)], "GET")
    assert reply.status == 200, reply.body
    model = json.loads(reply.body)
    assert model["name"] == f"models/{MODEL}"
    assert set(model) >= {
        "version",
        "displayName",
        "description",
        "inputTokenLimit",
        "outputTokenLimit",
        "supportedGenerationMethods",
        "temperature",
        "topP",
        "topK",
        "maxTemperature",
    }
    assert set(model["supportedGenerationMethods"]) >= {"generateContent", "countTokens"}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [MODEL, f"google/{MODEL}", "my-model", "dall-e-3", "models/my-model"])
def test_the_operator_decides_the_upstream_path(
    other_server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str, version: str
) -> None:
    upstream.answers(Answer(b"{}"))
    reply = call(other_server, f"/{version}/models/{name}:{method}?alt=sse", A_CAT, [("x-goog-api-key", key)])
    assert reply.status == 200, reply.body
    assert upstream.call.target == f"/some/gateway/v1/models/gemini-nano-banana-2.1:{method}?alt=sse"


NOT_OURS = (
    "gemini-3-pro-image",
    "gemini-2.5-flash-image-preview",
    "GEMINI-2.5-FLASH-IMAGE",
    f"{MODEL}x",
    f"openai/{MODEL}",
    f"tunedModels/{MODEL}",
    f"{MODEL}/extra",
    "my-model",
    "..",
    "%2e%2e%2fmodels%2fx",
    "%EA%B3%A0%EC%96%91%EC%9D%B4",
    "%ff",
    "a%00b",
    "%20",
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NOT_OURS)
def test_another_model_is_not_found_and_nobody_is_asked(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str
) -> None:
    upstream.answers(Answer(b"{}"))
    reply = call(server, f"/v1beta/models/{name}:{method}", A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert MODEL in reply.error["message"]
    assert upstream.calls == []


@pytest.mark.parametrize("name", [name for name in NOT_OURS if name != ".."])
def test_another_model_cannot_be_looked_at(server: ProxyServer, key: str, name: str) -> None:
    reply = call(server, f"/v1beta/models/{name}", None, [("x-goog-api-key", key)], "GET")
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert MODEL in reply.error["message"]


@pytest.mark.parametrize("method", ["predict", "batchGenerateContent", "embedContent", "GenerateContent", "", "x:y"])
def test_another_method_is_not_found_and_the_message_names_ours(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, method: str
) -> None:
    reply = call(server, f"/v1beta/models/{MODEL}:{method}", A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert ":generateContent" in reply.error["message"]
    assert upstream.calls == []


@pytest.mark.parametrize("doubled", ["/v1beta/v1", "/v1beta/v1beta", "/v1/v1beta", "/v1/v1"])
@pytest.mark.parametrize("rest", [f"models/{MODEL}:generateContent", f"models/google/{MODEL}:streamGenerateContent"])
def test_a_doubled_version_is_explained(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, doubled: str, rest: str
) -> None:
    reply = call(server, f"{doubled}/{rest}", A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert f"{doubled}/" in reply.error["message"]
    assert "base URL" in reply.error["message"]
    assert upstream.calls == []


def test_a_doubled_version_of_the_model_list_is_explained(server: ProxyServer, key: str) -> None:
    reply = call(server, "/v1beta/v1/models", None, [("x-goog-api-key", key)], "GET")
    assert reply.status == 404
    assert "base URL" in reply.error["message"]


VERTEX = (
    f"/v1beta1/publishers/google/models/{MODEL}:generateContent",
    f"/v1beta1/projects/p/locations/global/publishers/google/models/{MODEL}:generateContent",
    f"/v1/projects/p/locations/us-central1/publishers/google/models/{MODEL}:streamGenerateContent?alt=sse",
    f"/v1/publishers/google/models/{MODEL}:generateContent",
    f"/v1beta/projects/p/locations/global/publishers/google/models/{MODEL}:countTokens",
)


@pytest.mark.parametrize("path", VERTEX)
@pytest.mark.parametrize("way", ["x-goog-api-key", "Authorization"])
def test_a_path_of_vertex_is_explained(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str, way: str
) -> None:
    reply = call(server, path, A_CAT, [(way, f"Bearer {key}" if way == "Authorization" else key)])
    assert (reply.status, reply.error["status"]) == (404, "NOT_FOUND")
    assert "Vertex" in reply.error["message"]
    assert upstream.calls == []


def test_the_list_comes_in_pages(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    for query in ("", "?pageSize=1", "?pageSize=1000", "?pageSize=0", "?pageSize=50&%24alt=json%3Benum-encoding%3Dint"):
        reply = call(server, f"/v1beta/models{query}", None, [("x-goog-api-key", key)], "GET")
        assert [model["name"] for model in json.loads(reply.body)["models"]] == [f"models/{MODEL}"]
    for query in ("?pageSize=many", "?pageSize=-1", "?pageToken=%00"):
        reply = call(server, f"/v1beta/models{query}", None, [("x-goog-api-key", key)], "GET")
        assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    assert upstream.calls == []
