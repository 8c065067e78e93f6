"""Private and undocumented names of gunicorn, urllib3 and http.client that the service uses.

When an upgrade moves one of them, these tests say which module breaks.
"""

import ast
import http.client
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest
import urllib3
from gunicorn import glogging, util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker
from urllib3.connection import HTTPConnection

PROJECT = Path(__file__).resolve().parents[2]


def http_client_response() -> http.client.HTTPResponse:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return http.client.HTTPResponse(ours, method="GET")


def gunicorn_response() -> wsgi.Response:
    return wsgi.Response(SimpleNamespace(method="GET", version=(1, 1)), None, Config())


USES: list[tuple[str, Any, str]] = [  # module of ours, library object, its names
    ("proxy.observation.logs", logging, "_srcfile"),
    ("proxy.routes.__init__", type(flask.g), "_get_current_object"),
    ("proxy.server.worker", util, "http_date"),
    (
        "proxy.upstream.connections",
        http_client_response(),
        "begin chunk_left chunked fp headers length reason status version will_close",
    ),
    ("proxy.upstream.connections", http.client, "BadStatusLine IncompleteRead"),
    (
        "proxy.upstream.connections",
        urllib3.HTTPResponse(b""),
        "_connection _original_response _pool length_remaining read1 release_conn",
    ),
    ("proxy.upstream.connections", urllib3.HTTPConnectionPool("here.test"), "ConnectionCls _put_conn pool proxy"),
    ("proxy.upstream.connections", urllib3.PoolManager(), "pool_classes_by_scheme"),
    (
        "proxy.upstream.connections",
        HTTPConnection("here.test"),
        "close connect getresponse is_connected request sock timeout",
    ),
    ("proxy.upstream.client", ssl.SSLSocket, "do_handshake"),  # as it is called in a traceback
    (
        "proxy.server.response",
        gunicorn_response(),
        "_emit_body chunked close default_headers headers headers_sent response_length sendfile sock write",
    ),
    ("proxy.server.response", Config(), "is_ssl"),
    ("proxy.server.worker", wsgi, "Response"),
    ("proxy.server.worker", util, "write_nonblock"),
    ("proxy.server.worker", GeventWorker, "handle_error handle_quit init_process notify timeout_ctx"),
    ("proxy.server.log", glogging.Logger, "atoms setup"),
]


@pytest.mark.parametrize(("module", "owner", "names"), USES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_library_has_the_names_that_a_module_uses(module: str, owner: Any, names: str):
    missing = [name for name in names.split() if not hasattr(owner, name)]
    assert not missing, f"{module} breaks: {owner!r} has no {', '.join(missing)}"
    source = (PROJECT / module.replace(".", "/")).with_suffix(".py").read_text()
    unused = [name for name in names.split() if not re.search(rf"\b{name}\b", source)]
    assert not unused, f"{module} no longer uses {', '.join(unused)}: take it off the list"


def test_gunicorn_creates_the_response_that_the_worker_sets(monkeypatch: pytest.MonkeyPatch):
    made = gunicorn_response()
    monkeypatch.setattr(wsgi, "Response", lambda *_: made)
    request = SimpleNamespace(
        _expected_100_continue=False,
        headers=[],
        method="GET",
        path="/",
        proxy_protocol_info=None,
        query="",
        scheme="http",
        uri="/",
        version=(1, 1),
        body=None,
    )
    response, environ = wsgi.create(request, None, ("127.0.0.1", 1), ("127.0.0.1", 2), Config())
    assert response is made, "proxy.server.worker breaks: gunicorn does not look wsgi.Response up for each request"
    assert "gunicorn.socket" in environ, "proxy.routes.caller_watch and .flow break: the caller's socket is not there"


def private_names(path: Path) -> Iterator[str]:
    """The names with one leading underscore that a module uses or overrides."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = {ast.Attribute: "attr", ast.FunctionDef: "name", ast.alias: "name"}.get(type(node))
        if name and getattr(node, name).startswith("_") and not getattr(node, name).startswith("__"):
            yield getattr(node, name)


def test_every_private_name_is_listed():
    listed = {(module, name) for module, _, names in USES for name in names.split()}
    for path in [*PROJECT.glob("*.py"), *sorted((PROJECT / "proxy").rglob("*.py"))]:
        module = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        strange = {name for name in private_names(path) if (module, name) not in listed}
        assert not strange, f"{module} uses {strange}: list it here, or do without it"
