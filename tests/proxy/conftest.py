"""The app over Flask's test client, with `responses` playing the upstream."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app import create_app
from proxy.settings import Settings
from proxy.state.database import Database

UPSTREAM = "https://gemini.test"
MODEL = "gemini-2.5-flash-image"

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session", autouse=True)
def rules_are_compiled_once() -> Iterator[None]:
    """All apps have the same rules, which Werkzeug would compile again for each: that is most of what one takes."""
    compile_rule, compiled = Rule._compile_builder, {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        found = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), append_unknown)
        if found not in compiled:
            compiled[found] = compile_rule(rule, append_unknown)
        return compiled[found]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compile_once)
        yield


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """Makes an app whose upstream is `responses`; settings are given as an operator would give them."""

    def make(**environ: str) -> Flask:
        defaults = {
            "GEMINI_BASE_URL": UPSTREAM,
            "IMAGE_STORE_URL": str(tmp_path / "images"),
            "DATABASE_URL": f"sqlite:///{tmp_path}/twinlens.sqlite3",
        }
        return create_app(Settings.from_environ({**defaults, **environ}))

    return make


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """A database of each kind, with its tables."""
    database = Database(migrated_url)
    yield database
    database.close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The app with default settings."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the app."""
    return app.test_client()


class Gemini:
    """The upstream, as `responses` plays it."""

    def __init__(self, mock: responses.RequestsMock):
        self.mock = mock

    def answers(
        self, body: Any, status: int = 200, headers: dict[str, str] | None = None, method: str = "generateContent"
    ) -> None:
        """Adds an answer: JSON, bytes, or an exception to raise. The last one is repeated."""
        content = {"json": body} if isinstance(body, dict | list) else {"body": body}
        headers = {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
        content_type = headers.pop("Content-Type")
        url = f"{UPSTREAM}/v1beta/models/{MODEL}:{method}"
        self.mock.add("POST", url, status=status, headers=headers, content_type=content_type, **content)

    def does(self, callback: Callable[[Any], Any]) -> None:
        """Adds a function that answers."""
        url = f"{UPSTREAM}/v1beta/models/{MODEL}:generateContent"
        self.mock.add_callback("POST", url, callback, content_type="application/json")

    @property
    def calls(self) -> list[Any]:
        """The requests that arrived, each with its body in one piece."""
        requests = [call.request for call in self.mock.calls]
        for request in requests:
            request.body = b"".join(request.body) if isinstance(request.body, tuple) else request.body
        return requests


@pytest.fixture
def gemini() -> Iterator[Gemini]:
    """The upstream, which has no answer yet."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Gemini(mock)
