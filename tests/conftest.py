"""What every test may rely on: no key and no address of a real service in the environment."""

import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

# So that `import compat` works wherever pytest is started from.
if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))

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
