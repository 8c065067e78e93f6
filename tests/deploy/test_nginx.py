"""The service behind the real nginx, with TLS: both SDKs, streams, limits, restarts, and the logs."""

import base64
import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from google import genai
from google.genai import types

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import error as google_dialect
from compat.openai_images import error as openai_dialect
from proxy.limits import HEADER_WAIT_SECONDS, MIB
from proxy.settings import Settings
from tests.support.keys import keys_in, new_key
from tests.support.nginx import Nginx, order, prepared, running_nginx, with_site
from tests.support.openai_calls import MODEL, painted
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import SSE, Answer, ScriptedUpstream, Wire, chunk, hang_up

OPENAI_PATH = "/v1/images/generations"
GOOGLE_PATH = "/v1beta/models/gemini-2.5-flash-image:generateContent"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def google() -> Iterator[ScriptedUpstream]:
    """The server that plays Google."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """The service, which believes what the nginx on its machine says."""
    settings = {"SANDBOX": "1", "GEMINI_BASE_URL": google.url, "TRUSTED_PROXIES": "127.0.0.1"}
    with ProxyServer(tmp_path_factory.mktemp("service"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def nginx(deploy: Path, server: ProxyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx in front of it; when all is over, no key and no picture's name is in its logs."""
    with running_nginx(prepared(deploy / "nginx.conf", tmp_path_factory.mktemp("nginx"), server.port)) as nginx:
        yield nginx
        assert_nothing_secret(nginx)


def assert_nothing_secret(nginx: Nginx) -> None:
    logs = nginx.logs()
    assert not keys_in(logs)
    assert not re.search(r"\?|key=|images/[0-9a-f]{8}", logs)


def openai_client(nginx: Nginx, key: str = "sandbox") -> openai.OpenAI:
    context = ssl.create_default_context(cafile=nginx.authority)
    client = openai.DefaultHttpxClient(verify=context)
    return openai.OpenAI(base_url=f"{nginx.url}/v1", api_key=key, max_retries=0, http_client=client)


def google_client(nginx: Nginx, key: str = "sandbox") -> genai.Client:
    context = ssl.create_default_context(cafile=nginx.authority)
    options = types.HttpOptions(base_url=nginx.url, client_args={"verify": context})
    return genai.Client(api_key=key, http_options=options)


def post(nginx: Nginx, path: str, key: str, body: Any = None, **options: Any) -> requests.Response:
    """A call without an SDK."""
    headers = {"Authorization": f"Bearer {key}"} if path == OPENAI_PATH else {"x-goog-api-key": key}
    body = body or ({"prompt": "a cat"} if path == OPENAI_PATH else {"contents": [{"parts": [{"text": "a cat"}]}]})
    return requests.post(nginx.url + path, json=body, headers=headers, verify=nginx.authority, timeout=20, **options)


def number(configuration: str, name: str) -> int:
    """The number in a line of the configuration, without its unit."""
    [found] = re.findall(rf"(?m)^\s*{name}\s+(\d+)[sm]?;", configuration)
    return int(found)


def test_nginx_understands_it(deploy: Path, tmp_path: Path):
    done = subprocess.run(order(prepared(deploy / "nginx.conf", tmp_path, 8000), "-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_a_site_beside_it_keeps_its_names(deploy: Path, tmp_path: Path):
    """Other sites may have variables of the same plain names."""
    site = (deploy / "nginx-site.conf").read_text()
    assert set(re.findall(r"(?m)^(?:map|log_format|upstream)\b.*?(\$?twinlens\w*)", site))
    assert all("$twinlens_" in line for line in re.findall(r"(?m)^map .*$", site))
    assert not re.search(r"(?m)^(events|http|worker_\w+|user)\b", site)


def test_its_limits_fit_those_of_the_service(deploy: Path):
    text, settings = with_site(deploy / "nginx.conf"), Settings()
    upstream = text[text.index("upstream twinlens {") : text.index("listen 443")]
    assert number(text, "client_max_body_size") * MIB == settings.max_request_bytes
    assert number(text, "proxy_read_timeout") > settings.upstream_timeout_seconds
    assert number(text, "proxy_send_timeout") > settings.upstream_timeout_seconds
    assert int(re.findall(r"keepalive_timeout (\d+)s", upstream)[0]) < HEADER_WAIT_SECONDS
    assert number(text, "worker_connections") > 2 * settings.max_in_flight * settings.web_concurrency


def test_the_openai_sdk_gets_a_url_that_it_can_fetch(nginx: Nginx):
    url = openai_client(nginx).images.generate(prompt="a lighthouse", size="1536x1024").data[0].url
    assert url.startswith(f"{nginx.url}/images/")
    picture = requests.get(url, verify=nginx.authority, timeout=10)
    assert picture.content.startswith(PNG)
    part = requests.get(url, headers={"Range": "bytes=0-99"}, verify=nginx.authority, timeout=10)
    assert (part.status_code, part.content) == (206, picture.content[:100])


def test_the_openai_sdk_edits_and_streams(nginx: Nginx):
    client = openai_client(nginx)
    picture = base64.b64decode(client.images.generate(prompt="a hill", response_format="b64_json").data[0].b64_json)
    assert client.images.edit(image=picture, prompt="at night").data[0].b64_json
    [event] = client.images.generate(prompt="a hill", stream=True)
    assert event.type == "image_generation.completed"


def test_the_google_sdk_generates_and_streams(nginx: Nginx):
    client = google_client(nginx)
    ask = {"model": "gemini-2.5-flash-image", "contents": "the Alps"}
    for answers in ([client.models.generate_content(**ask)], client.models.generate_content_stream(**ask)):
        parts = [part for answer in answers for part in answer.parts or []]
        assert any(part.inline_data and part.inline_data.data.startswith(PNG) for part in parts)


def test_forwarded_headers_of_a_caller_are_not_trusted(nginx: Nginx, server: ProxyServer):
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Authorization": "Bearer sandbox"}
    answer = requests.post(
        nginx.url + OPENAI_PATH, json={"prompt": "x"}, headers=forged, verify=nginx.authority, timeout=10
    )
    assert answer.json()["data"][0]["url"].startswith(f"{nginx.url}/images/")


def test_an_event_is_not_held_back_for_the_next(nginx: Nginx, google: ScriptedUpstream):
    held = threading.Event()
    google.answers(painted(), painted(hold=held))
    with openai_client(nginx, new_key()).images.generate(model=MODEL, prompt="a cat", n=2, stream=True) as stream:
        events = iter(stream)
        assert next(events).type == "image_generation.completed"
        assert not held.is_set()
        held.set()
        assert len(list(events)) == 1


def test_a_gemini_stream_is_not_buffered_and_its_break_reaches_the_caller(nginx: Nginx, google: ScriptedUpstream):
    """The first event is read while the upstream is silent; when it breaks off the caller sees a broken transfer."""
    first = b'data: {"candidates": [{"content": {"parts": [{"text": "soon"}]}}]}\r\n\r\n'
    read = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield Answer(content_type=SSE).head() + chunk(first)
        read.wait(5)

    google.answers(Wire(pieces(), hang_up))
    path = GOOGLE_PATH.replace(":generate", ":streamGenerate") + "?alt=sse"
    with post(nginx, path, new_key(), stream=True) as answer:
        chunks = answer.iter_content(None)
        began = answer.elapsed.total_seconds()
        assert next(chunks) == first
        assert began < 2.5
        read.set()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(chunks)


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x", "/%6detrics", "/x/../metrics", "//metrics", "/metrics/"])
def test_metrics_are_not_public(nginx: Nginx, server: ProxyServer, path: str):
    assert requests.get(f"{server.url}/metrics", timeout=5).status_code == 200
    assert said(nginx, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 404


def said(nginx: Nginx, request: str, tls: bool = True) -> tuple[int, Mapping[str, str], bytes]:
    """What nginx answers to these very bytes."""
    context = ssl.create_default_context(cafile=nginx.authority)
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as plain:
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        connection.sendall(request.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize(
    ("path", "dialect"), [(OPENAI_PATH, openai_dialect), ("/v1/files", openai_dialect), (GOOGLE_PATH, google_dialect)]
)
def test_a_body_that_is_too_large_is_refused_as_the_service_does(nginx: Nginx, path: str, dialect: Any):
    key = new_key()
    head = f"POST {path}?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * MIB + 1}\r\n\r\n"
    status, headers, body = said(nginx, head)
    assert status == 413
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert_same_error(json.loads(body), dialect.build_error(ApiError(ErrorKind.BODY_TOO_LARGE, ""))[1])


def assert_same_error(error: dict[str, Any], ours: dict[str, Any]) -> None:
    """But for the words."""
    assert error["error"].pop("message")
    ours["error"].pop("message")
    if "details" in ours["error"]:
        ours["error"]["details"] = error["error"]["details"]
    assert error == ours


@pytest.mark.parametrize(
    ("request_", "tls", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", True, 400),
        ("nonsense\r\n\r\n", True, 400),
        (f"GET /{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n", True, 414),
        (f"GET /?key=secret HTTP/1.1\r\nHost: x\r\nx: {'x' * 9000}\r\n\r\n", True, 431),
        ("GET /?key=secret HTTP/1.1\r\nHost: x\r\n\r\n", False, 400),
    ],
    ids=["no host", "no HTTP", "long line", "large headers", "no TLS"],
)
def test_a_malformed_request_is_refused_in_json(nginx: Nginx, request_: str, tls: bool, status: int):
    answered, _, body = said(nginx, request_, tls)
    assert answered == status
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_a_call_ends_normally_while_the_service_stops_and_the_next_is_refused(
    deploy: Path, google: ScriptedUpstream, tmp_path: Path
):
    held = threading.Event()
    google.answers(painted(hold=held))
    (tmp_path / "nginx").mkdir()
    with (
        ProxyServer(tmp_path / "service", GEMINI_BASE_URL=google.url, TRUSTED_PROXIES="127.0.0.1") as server,
        running_nginx(prepared(deploy / "nginx.conf", tmp_path / "nginx", server.port)) as nginx,
        ThreadPoolExecutor() as threads,
    ):
        post(nginx, OPENAI_PATH, "", {"n": 0})  # leaves an idle connection to the service
        call = threads.submit(post, nginx, OPENAI_PATH, new_key())
        google.wait_for(1)
        server.terminate()
        held.set()
        assert call.result().json()["data"][0]["url"].startswith(nginx.url)
        assert server.exit_code() == 0
        for path, dialect in ((OPENAI_PATH, openai_dialect), (GOOGLE_PATH, google_dialect)):
            answer = post(nginx, path, new_key(), params={"key": new_key()})
            assert answer.status_code == 502
            assert_same_error(answer.json(), dialect.build_error(ApiError(ErrorKind.UPSTREAM_BROKEN, ""))[1])
            assert "x-should-retry" not in answer.headers
            assert_logged(nginx, answer.headers["x-request-id"])
        assert_nothing_secret(nginx)


def assert_logged(nginx: Nginx, request_id: str) -> None:
    """The line may be written a moment after the answer."""
    end = time.monotonic() + 5
    while request_id not in nginx.logs() and time.monotonic() < end:
        time.sleep(0.05)
    assert request_id in nginx.logs()


def test_a_call_that_may_have_bought_a_picture_is_not_to_be_repeated(deploy: Path, tmp_path: Path):
    """The service is killed: here a server that reads and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        calls: list[bytes] = []

        def hang_up() -> None:
            with suppress(OSError):  # the second call never comes: the test closes the socket
                for _ in range(2):
                    connection, _ = service.accept()
                    calls.append(connection.recv(65536))
                    connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with running_nginx(prepared(deploy / "nginx.conf", tmp_path, service.getsockname()[1])) as nginx:
            answer = post(nginx, OPENAI_PATH, new_key())
        assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
        assert len(calls) == 1
        service.shutdown(socket.SHUT_RDWR)  # closing alone does not wake a thread that waits in accept
        thread.join(10)
        assert not thread.is_alive()
