"""What the page says of a model that has ended, and of the one that draws instead."""

from pathlib import Path

from tests.playground.visit import Visit
from tests.support.proxy_server import ProxyServer


def test_the_page_says_that_the_end_has_passed_and_which_model_drew(browser, tmp_path: Path):
    with ProxyServer(tmp_path, SANDBOX="1") as server:
        visit = Visit(browser, server.url)
        assert visit.text("#model") == "gemini-2.5-flash-image, whose announced end 2026-10-02 has passed"
        visit.take("[[successor]] a cat")
        visit.page.get_by_text("Drawn by gemini-nano-banana-2.1: the upstream no longer has the model.").wait_for()
        visit.end()
