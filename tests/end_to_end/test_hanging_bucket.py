"""A bucket that takes connections and never answers: /readyz says so in time, and everybody else is served."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.support.proxy_server import ProxyServer

STALLING = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "IMAGE_STORE_URL": "s3://pictures",
    "SANDBOX": "1",
}


def test_readyz_answers_in_time_while_a_bucket_hangs(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as bucket, ThreadPoolExecutor() as threads:
        endpoint = f"http://127.0.0.1:{bucket.getsockname()[1]}"
        with ProxyServer(tmp_path, AWS_ENDPOINT_URL=endpoint, **STALLING) as server:
            started = time.monotonic()
            readiness = threads.submit(requests.get, f"{server.url}/readyz", timeout=20)
            time.sleep(0.2)
            assert requests.get(f"{server.url}/healthz", timeout=5).ok
            assert time.monotonic() - started < 2, "everybody waits for the bucket"
            answer = readiness.result()
            assert time.monotonic() - started < 5
            assert answer.status_code == 503
            assert answer.json() == {"status": "not ready", "store": "did not answer in time"}
            page = requests.get(f"{server.url}/metrics", timeout=5).text
            assert 'twinlens_ready{what="store"} 0.0' in page
            assert 'twinlens_ready{what="upstream"} 1.0' in page
            assert "twinlens_model_retires_timestamp_seconds{model=" in page
