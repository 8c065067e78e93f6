"""What every test may rely on: no key and no address of a real service in the environment, and how hypothesis runs."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

PROJECT = Path(__file__).resolve().parent.parent

# So that `import compat` works wherever pytest is started from.
if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))

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


@pytest.fixture(scope="session", autouse=True)
def nothing_leads_outside():
    """Take keys, base URLs and proxies out of the environment for the whole run."""
    taken = {
        name: os.environ.pop(name) for name in (*LEADS_OUTSIDE, *map(str.lower, LEADS_OUTSIDE)) if name in os.environ
    }
    yield
    os.environ.update(taken)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's own folder."""
    return PROJECT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's own number of examples would go before that of the profile."""
    for item in items:
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test):
            own = test._hypothesis_internal_use_settings
            many = settings.get_current_profile_name() == "fuzz"
            examples = max(own.max_examples, settings.default.max_examples) if many else fewer(own.max_examples)
            test._hypothesis_internal_use_settings = settings(own, max_examples=examples)


def fewer(examples: int) -> int:
    """The number of examples in the usual run."""
    return max(examples // USUAL_SHARE, min(examples, FEWEST))
