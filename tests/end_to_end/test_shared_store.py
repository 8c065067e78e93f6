"""Two proxies that share an object store: a URL made by one is served by the other."""

from collections.abc import Iterator
from io import BytesIO

import openai
import pytest
import requests
from PIL import Image

from tests.support.object_store import BUCKET, object_store
from tests.support.proxy_server import ProxyServer


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProxyServer, ProxyServer]]:
    folder = tmp_path_factory.mktemp("shared")
    with object_store(folder / "s3") as environment:
        shared = {**environment, "SANDBOX": "1", "IMAGE_STORE_URL": f"s3://{BUCKET}/of/twinlens"}
        with ProxyServer(folder / "one", **shared) as one, ProxyServer(folder / "other", **shared) as other:
            yield one, other


def url_at(server: ProxyServer, url: str) -> str:
    return f"{server.url}/images/{url.rpartition('/')[2]}"


def drawn(server: ProxyServer) -> str:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sandbox", max_retries=0)
    return client.images.generate(prompt="a lighthouse", size="1344x768").data[0].url


def test_a_url_of_one_is_served_by_the_other(proxies: tuple[ProxyServer, ProxyServer]):
    one, other = proxies
    url = drawn(one)
    response = requests.get(url_at(other, url), timeout=10)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert Image.open(BytesIO(response.content)).size == (1344, 768)


def test_a_range_of_it_is_served(proxies: tuple[ProxyServer, ProxyServer]):
    one, other = proxies
    url = url_at(other, drawn(one))
    whole = requests.get(url, timeout=10).content
    part = requests.get(url, headers={"Range": "bytes=100-299"}, timeout=10)
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 100-299/{len(whole)}")
    assert part.content == whole[100:300]


def test_readiness_looks_at_the_store(proxies: tuple[ProxyServer, ProxyServer]):
    assert requests.get(f"{proxies[0].url}/readyz", timeout=10).status_code == 200
