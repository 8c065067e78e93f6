"""A real browser, and the proxy it visits: its sandbox is on; any other key asks a slow upstream."""

from collections.abc import Callable, Iterator

import pytest

from tests.playground.visit import Visit
from tests.support.installed import package, program
from tests.support.proxy_server import QUICK, ProxyServer
from tests.support.sandbox_process import running_sandbox

SLOW_SECONDS = 20  # longer than any test


@pytest.fixture(scope="session")
def slow_google() -> Iterator[str]:
    """The address of a sandbox that plays Google, slowly."""
    with running_sandbox("--latency", str(SLOW_SECONDS)) as url:
        yield url


@pytest.fixture(scope="session")
def server(slow_google: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """The proxy that serves the page."""
    folder = tmp_path_factory.mktemp("playground")
    with ProxyServer(folder, QUICK, SANDBOX="1", GEMINI_BASE_URL=slow_google) as server:
        yield server


# For a module and no longer: Playwright keeps an event loop in its thread, beside which asyncio.run() refuses to work.
@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium."""
    path = program("chromium")
    with package("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server: ProxyServer) -> Iterator[Callable[..., Visit]]:
    """Opens the page again: `visit(locale="ko-KR", color_scheme="dark")`. In the end nothing may have gone wrong."""
    visits: list[Visit] = []

    def open_page(**options: object) -> Visit:
        visits.append(Visit(browser, server.url, **options))
        return visits[-1]

    yield open_page
    for one in visits:
        one.end()


@pytest.fixture(scope="module")
def lasting_visit(browser, server: ProxyServer) -> Iterator[Visit]:
    """One visit for the tests of a module: a new browser context takes longer than many a test."""
    visit = Visit(browser, server.url, permissions=["clipboard-read", "clipboard-write"])
    yield visit
    visit.context.close()


@pytest.fixture
def page(lasting_visit: Visit) -> Iterator[Visit]:
    """The page as an English reader sees it on a wide screen for the first time. Nothing may have gone wrong."""
    lasting_visit.complaints.clear()
    lasting_visit.begin_again()
    yield lasting_visit
    lasting_visit.check()
