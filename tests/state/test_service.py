"""The running service and its database."""

import re
import time
from pathlib import Path

import pytest
import requests

from proxy.state.database import Database
from tests.support.postgres import PostgresServer
from tests.support.proxy_server import ProxyServer

BUCKET = {
    "IMAGE_STORE_URL": "s3://pictures",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "s",
}


def warnings(server: ProxyServer) -> list[str]:
    return [line for line in server.output().splitlines() if "[WARNING]" in line]


def metric(server: ProxyServer) -> str:
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    return re.search(r'(?m)^twinlens_ready\{what="database"\} (.*)$', page)[1]


def test_the_start_migrates_and_readyz_finds_the_database(tmp_path: Path, database_url: str):
    with ProxyServer(tmp_path, SANDBOX="1", WEB_CONCURRENCY="2", DATABASE_URL=database_url) as server:
        assert warnings(server) == []
        Database(database_url).check()
        answer = requests.get(f"{server.url}/readyz", timeout=10)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert metric(server) == "1.0"


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/x", "postgresql://u:a-secret@127.0.0.1:1/x"])
def test_a_database_that_is_down_is_one_warning_and_everything_else_works(tmp_path: Path, url: str):
    with ProxyServer(tmp_path, SANDBOX="1", WEB_CONCURRENCY="2", DATABASE_URL=url) as server:
        [warning] = warnings(server)
        assert "Idempotency-Key" in warning
        answer = requests.get(f"{server.url}/readyz", timeout=10)
        assert answer.status_code == 200
        assert answer.json().keys() == {"status", "database"}
        assert answer.json()["status"] == "degraded"
        assert metric(server) == "0.0"
        headers = {"Authorization": "Bearer sandbox"}
        drawn = requests.post(f"{server.url}/v1/images/generations", json={"prompt": "x"}, headers=headers, timeout=20)
        assert drawn.status_code == 200
        assert "a-secret" not in server.output() + answer.text


def test_a_shared_bucket_with_a_file_of_one_machine_is_a_warning(tmp_path: Path, database_url: str):
    with ProxyServer(tmp_path, SANDBOX="1", DATABASE_URL=database_url, **BUCKET) as server:
        found = warnings(server)
    if database_url.startswith("sqlite"):
        assert len(found) == 1 and "DATABASE_URL" in found[0]
    else:
        assert found == []


def test_a_worker_loads_nothing_of_the_database_before_its_first_use_and_waits_cooperatively(
    tmp_path: Path, postgres_server: PostgresServer
):
    """What gunicorn's master has loaded, and what the app loads when it is made, is there by then."""
    configuration = "tests/state/asking_gunicorn.conf.py"
    with ProxyServer(tmp_path, configuration, SANDBOX="1", DATABASE_URL=postgres_server.url()) as server:
        end = time.monotonic() + 20
        while not (found := re.search(r"five waited ([0-9.]+) s", server.output())):
            assert time.monotonic() < end, server.output()
            time.sleep(0.1)
        assert "loaded before the first use:\n" in server.output()
    assert float(found[1]) < 2.5
