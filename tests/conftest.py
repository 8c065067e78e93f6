"""What every test may rely on: no key and no address of a real service in the environment, and how hypothesis runs."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import is_hypothesis_test, settings

PROJECT = Path(__file__).resolve().parent.parent

# So that `import compat` works wherever pytest is started from.
if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))

# Thousands of tests are collected, and stay: to look through them again and again takes half of that time.
gc.disable()

# A busy machine is no reason to fail. The usual run tries a part of a test's examples, and `make fuzz` many more.
settings.register_profile("usual", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile("usual")
USUAL_SHARE = 8  # one of so many
FEWEST = 15

pytest_plugins = ["tests.support.fixtures", "tests.support.leftovers", "tests.support.postgres"]

# The developer's own key or base URL would turn a test into a paid call; an HTTP proxy would swallow loopback calls.
LEADS_OUTSIDE = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_API_VERSION",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


END = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="session", autouse=True)
def nothing_leads_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take keys, base URLs and proxies out of the environment for the whole run, and trust a single authority.

    Every client of an SDK reads the certificates of all that it trusts, which takes longer than most tests.
    """
    authority = tmp_path_factory.mktemp("authorities") / "one.pem"
    authority.write_text("".join(certifi.contents().partition(END)[:2]))
    with pytest.MonkeyPatch.context() as patch:
        for name in (*LEADS_OUTSIDE, *map(str.lower, LEADS_OUTSIDE)):
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_FILE", str(authority))
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's own folder."""
    return PROJECT


# Modules that take longest begin first, so that no worker is left with one of them at the end. Those that compute and
# those that wait take turns, so that no four browsers run at once.
LONGEST = (
    *("contract/test_contract_suite.py", "playground/test_pictures.py", "proxy/purchases/", "proxy/jobs/test_queue.py"),
    *("docs/test_blocks.py", "access/test_budgets.py", "end_to_end/test_chat_clients.py", "playground/test_looks.py"),
    *("money/test_jobs.py", "conformance/", "test_cli.py", "playground/test_snippets.py"),
    *("state/", "faults/", "deploy/"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What was collected is exempt from garbage collection, which begins now."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests, and sets examples: a test's own number would go before that of the profile."""
    items.sort(key=place)
    for item in items:
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test):
            own = test._hypothesis_internal_use_settings
            many = settings.get_current_profile_name() == "fuzz"
            examples = max(own.max_examples, settings.default.max_examples) if many else fewer(own.max_examples)
            test._hypothesis_internal_use_settings = settings(own, max_examples=examples)


def place(item: pytest.Item) -> int:
    """Where a test's module stands among the longest, or behind them; modules keep their order otherwise."""
    name = item.nodeid.removeprefix("tests/")
    return next((place for place, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))


def fewer(examples: int) -> int:
    """The number of examples in the usual run."""
    return max(examples // USUAL_SHARE, min(examples, FEWEST))
