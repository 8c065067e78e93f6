"""The sandbox as a requests transport."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import current_thread
from typing import Any

import pytest
import requests

from sandbox.transport import SandboxAdapter
from tests.sandbox.gemini_client import IN_PROCESS, Client


def session_of(app: Any, **options: Any) -> requests.Session:
    session = requests.Session()
    session.mount(IN_PROCESS, SandboxAdapter(app, **options))
    return session


def app_of(chunks: list[bytes]) -> Callable[..., Iterable[bytes]]:
    """An app that always answers with the chunks."""

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("content-type", "application/octet-stream")])
        yield from chunks

    return app


def test_every_way_of_reading() -> None:
    chunks = [b"", b"abc", b"d" * 100_000, b"", b"end"]
    whole = b"".join(chunks)
    session = session_of(app_of(chunks))

    def get() -> Any:
        return session.get(IN_PROCESS + "/x", stream=True)

    assert get().content == whole
    assert b"".join(get().iter_content(777)) == whole
    assert b"".join(get().raw.stream(4096)) == whole
    assert get().raw.read() == whole
    assert b"".join(iter(partial(get().raw.read, 1000), b"")) == whole
    pieces = list(iter(partial(get().raw.read1, 65536), b""))
    assert b"".join(pieces) == whole
    assert [len(piece) for piece in pieces] == [3, 65536, 100_000 - 65536, 3]
    buffer = bytearray(10)
    assert get().raw.readinto(buffer) == 10
    assert io.BufferedReader(get().raw).read() == whole


def test_a_large_chunk_is_not_copied() -> None:
    large = b"x" * 1_000_000
    response = session_of(app_of([large])).get(IN_PROCESS + "/x", stream=True)
    assert response.raw._fp.read1(2_000_000) is large


def test_what_the_app_gets_and_what_the_session_gets() -> None:
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found.update(environ, body=environ["wsgi.input"].read())
        start_response("204 No Content", [("x-many", "1"), ("x-many", "2")])
        return []

    response = session_of(app).post(
        IN_PROCESS + "/v1/models/%EA%B3%A0:x?alt=sse&key=a%20b",
        data=iter([b"one ", b"two"]),
        headers={"X-Thing": "yes"},
    )
    assert found["REQUEST_METHOD"] == "POST"
    assert found["PATH_INFO"].encode("latin-1").decode() == "/v1/models/고:x"
    assert found["QUERY_STRING"] == "alt=sse&key=a%20b"
    assert found["HTTP_X_THING"] == "yes"
    assert (found["body"], found["CONTENT_LENGTH"]) == (b"one two", "7")
    assert (response.status_code, response.reason) == (204, "No Content")
    assert response.raw.headers.getlist("x-many") == ["1", "2"]


def test_all_the_work_is_done_by_run() -> None:
    where: list[str] = []

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        where.append(current_thread().name)
        yield b"x"
        where.append(current_thread().name)

    with ThreadPoolExecutor(1, thread_name_prefix="drawing") as pool:
        session = session_of(app, run=lambda function, *args: pool.submit(function, *args).result())
        assert session.get(IN_PROCESS + "/").content == b"x"
    assert len(where) == 2
    assert all(name.startswith("drawing") for name in where)


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS"])
def test_other_methods_are_answered_too(client: Client, method: str) -> None:
    assert client.session.request(method, IN_PROCESS + "/v1beta/models").status_code == 404


def test_an_error_of_the_app_is_raised() -> None:
    def app(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        session_of(app).get(IN_PROCESS + "/")
