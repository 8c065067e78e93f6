"""What /readyz finds, and how seldom it checks."""

import socket
import threading
import time

from proxy.observation.readiness import Readiness


def no_trouble() -> None:
    """A store that can be written."""


def test_all_is_well():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        readiness = Readiness(no_trouble, [f"http://127.0.0.1:{listener.getsockname()[1]}"])
        assert readiness.troubles() == {}


def test_a_store_that_cannot_be_written_is_named():
    def full() -> None:
        raise OSError(28, "No space left on device")

    assert Readiness(full, ()).troubles() == {"store": "cannot be written (No space left on device)"}


def test_an_upstream_that_does_not_listen_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert Readiness(no_trouble, [url]).troubles() == {"upstream": "cannot be reached"}


def test_a_store_that_hangs_is_named_in_time_and_asked_once(monkeypatch):
    monkeypatch.setattr("proxy.observation.readiness.PROBE_SECONDS", 0.1)
    asked, answer = [], threading.Event()

    def hang() -> None:
        asked.append(1)
        answer.wait(5)

    readiness = Readiness(hang, ())
    for _ in range(3):
        assert readiness.check() == {"store": "did not answer in time"}
    assert len(asked) == 1
    answer.set()
    readiness.probes["store"].thread.join(5)
    assert readiness.check() == {}
    assert len(asked) == 2


def test_a_database_that_cannot_be_used_is_named_in_its_own_words():
    assert Readiness(no_trouble, (), lambda: "It is locked.").troubles() == {"database": "It is locked."}


def test_store_and_database_are_waited_for_together(monkeypatch):
    monkeypatch.setattr("proxy.observation.readiness.PROBE_SECONDS", 0.3)
    answer = threading.Event()
    readiness = Readiness(lambda: answer.wait(5), (), lambda: answer.wait(5) and None)
    began = time.monotonic()
    assert readiness.check() == dict.fromkeys(("store", "database"), "did not answer in time")
    assert time.monotonic() - began < 0.5
    answer.set()


def test_readyz_is_degraded_without_a_database_and_not_ready_without_a_store(app, monkeypatch):
    found = {"database": "It is locked."}
    monkeypatch.setattr("proxy.observation.readiness.Readiness.troubles", lambda _: found)
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "degraded", "database": "It is locked."})
    assert b'twinlens_ready{what="database"} 0.0' in app.test_client().get("/metrics").data
    found["store"] = "is full"
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "not ready")


def test_it_checks_at_intervals_however_often_it_is_asked():
    looks = []
    readiness = Readiness(lambda: looks.append(1), ())
    for _ in range(10):
        readiness.troubles()
    assert len(looks) == 1


def test_readyz_and_healthz_answer(client):
    assert client.get("/healthz").get_json() == {"status": "ok"}
    assert client.get("/readyz").status_code in (200, 503)


def test_metrics_name_no_key_and_count_requests(client):
    client.post("/v1/images/generations", json={}, headers={"Authorization": "Bearer a-secret-key"}).close()
    page = client.get("/metrics").get_data(as_text=True)
    assert 'twinlens_requests_total{error="missing_parameter",model="",operation="generations",status="400"' in page
    assert "a-secret-key" not in page
