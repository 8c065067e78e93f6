"""What the page says of a model that has ended, and of the one that draws instead."""

from pathlib import Path

from tests.playground.visit import Visit
from tests.support.proxy_server import ProxyServer


def test_the_page_says_that_the_end_has_passed_and_which_model_drew(browser, tmp_path: Path):
    with ProxyServer(tmp_path, SANDBOX="1") as server:
        visit = Visit(browser, server.url)
        assert visit.text("#model option") == "Nano Banana · gemini-2.5-flash-image (ended)"
        assert visit.text("#model-note") == (
            "Google announced the end of this model for October 2, 2026. Its successor is gemini-nano-banana-2.1."
        )
        visit.take("[[successor]] a cat")
        visit.page.get_by_text("Drawn by gemini-nano-banana-2.1: its server no longer has the model.").wait_for()
        visit.end()
