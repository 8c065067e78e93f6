"""A page of another site, in Chromium, that shows a stored picture and then fetches it."""

import io
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from PIL import Image

from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

SHOW_THEN_FETCH = """async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const response = await fetch(url);
  const bytes = await response.arrayBuffer();
  const request = await fetch(new URL("/v1/models", url), { headers: { Authorization: "Bearer sandbox" } });
  return [image.naturalWidth, bytes.byteLength, request.status];
}"""


@pytest.fixture(scope="module")
def page_of_another_site() -> Iterator[str]:
    """The address of an empty page."""
    with ScriptedUpstream(Answer(b"<!doctype html><title>another site</title>", content_type="text/html")) as site:
        yield site.url


def test_a_picture_that_was_shown_can_be_fetched(browser, page_of_another_site: str, tmp_path: Path):
    with ProxyServer(tmp_path, SANDBOX="1", CORS_ORIGINS=page_of_another_site) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sandbox", max_retries=0)
        url = client.images.generate(prompt="a cat").data[0].url
        page = browser.new_page()
        page.goto(page_of_another_site)
        width, length, status = page.evaluate(SHOW_THEN_FETCH, url)
        page.close()
        stored = next(server.pictures.glob("*.png")).read_bytes()
    assert (width, length, status) == (Image.open(io.BytesIO(stored)).width, len(stored), 200)
