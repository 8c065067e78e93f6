"""An upstream with TLS, as Google is: through gunicorn's workers, whose sockets are gevent's."""

import base64
from pathlib import Path

import openai

from tests.support.gemini_answers import DRAWN, PICTURE, as_bytes
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import http, tls_server


def test_a_picture_comes_through_tls_and_no_warning_about_patches_is_logged(tmp_path: Path, key: str):
    with (
        tls_server(tmp_path, http(as_bytes(DRAWN))) as url,
        ProxyServer(
            tmp_path / "proxy", GEMINI_BASE_URL=url, REQUESTS_CA_BUNDLE=str(tmp_path / "certificate.pem")
        ) as server,
    ):
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
        for _ in range(3):
            answer = client.images.generate(prompt="a cat", response_format="b64_json")
            assert base64.b64decode(answer.data[0].b64_json) == PICTURE
        assert "Warning" not in server.output()
