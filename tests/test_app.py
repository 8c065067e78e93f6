"""The assembled service."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import create_app
from proxy.pictures.store import FolderStore
from proxy.settings import Settings, SettingsError

PROJECT = Path(__file__).resolve().parent.parent
WITH_SANDBOX_KEY = {"Authorization": "Bearer sandbox"}


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.from_environ({"IMAGE_STORE_URL": str(tmp_path / "images"), **environ})


# Assembly


def test_with_the_sandbox_its_key_gets_a_picture_without_a_network(tmp_path: Path):
    client = create_app(settings(tmp_path, SANDBOX="1", GEMINI_BASE_URL="http://127.0.0.1:9")).test_client()
    fields = {"prompt": "a cat", "size": "1344x768"}
    response = client.post("/v1/images/generations", json=fields, headers=WITH_SANDBOX_KEY)
    assert response.status_code == 200, response.get_data()
    assert response.get_json()["size"] == "1344x768"
    picture = client.get(response.get_json()["data"][0]["url"].removeprefix("http://localhost"))
    assert picture.data.startswith(b"\x89PNG")


def test_with_the_sandbox_every_other_key_goes_to_the_upstream(tmp_path: Path):
    client = create_app(settings(tmp_path, SANDBOX="1", GEMINI_BASE_URL="http://127.0.0.1:9")).test_client()
    response = client.post("/v1/images/generations", json={"prompt": "x"}, headers={"Authorization": "Bearer other"})
    assert response.status_code == 502


def test_without_the_sandbox_its_key_is_a_key_like_any_other(tmp_path: Path):
    client = create_app(settings(tmp_path, GEMINI_BASE_URL="http://127.0.0.1:9")).test_client()
    response = client.post("/v1/images/generations", json={"prompt": "x"}, headers=WITH_SANDBOX_KEY)
    assert response.status_code == 502


def test_two_apps_share_nothing(tmp_path: Path):
    first = create_app(settings(tmp_path / "first", MODEL_ALIASES="a=gemini-2.5-flash-image"))
    second = create_app(settings(tmp_path / "second"))
    headers = {"Authorization": "Bearer k"}
    assert first.test_client().get("/v1/models/a", headers=headers).status_code == 200
    assert second.test_client().get("/v1/models/a", headers=headers).status_code == 404


def test_a_wrong_variable_stops_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAX_IN_FLIGHT", "many")
    with pytest.raises(SettingsError, match="MAX_IN_FLIGHT"):
        create_app()


def test_a_folder_that_cannot_be_made_stops_the_start_with_the_name_of_its_variable(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingsError, match="IMAGE_STORE_URL"):
        create_app(Settings.from_environ({"IMAGE_STORE_URL": str(tmp_path / "file" / "images")}))


def test_expired_pictures_are_deleted_when_the_service_starts(tmp_path: Path):
    store = FolderStore(tmp_path / "images", 1, lambda: 1_000_000.0)
    expired = store.folder / store.put("image/png", [b"x"])
    create_app(settings(tmp_path))
    for _ in range(100):
        if not expired.exists():
            return
        time.sleep(0.02)
    pytest.fail("an expired picture is still there after two seconds")


def in_a_process_of_its_own(script: str) -> dict[str, object]:
    """What a script prints, run by an interpreter that has imported nothing yet."""
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert printed.returncode == 0, printed.stderr
    return json.loads(printed.stdout)


def test_importing_the_app_reads_no_environment_patches_nothing_and_starts_nothing():
    script = """
import json, os, sys, threading
os.environ["PORT"] = "not a number"
before = set(os.listdir("."))
import app
from gevent import monkey
print(json.dumps({
    "patched": [name for name in ("socket", "threading", "time", "ssl", "os") if monkey.is_module_patched(name)],
    "threads": threading.active_count(),
    "sandbox": "sandbox" in sys.modules,
    "made": sorted(set(os.listdir(".")) - before - {"__pycache__"}),
}))
"""
    assert in_a_process_of_its_own(script) == {"patched": [], "threads": 1, "sandbox": False, "made": []}


def test_gunicorns_settings_can_be_read_without_gevents_patches_and_without_the_app():
    script = """
import json, sys
from gunicorn.app.wsgiapp import WSGIApplication
sys.argv = ["gunicorn"]
application = WSGIApplication()
cfg = application.cfg
from gevent import monkey
print(json.dumps({
    "app": application.app_uri,
    "worker": cfg.worker_class.__name__,
    "room for health": cfg.worker_connections > 1000,
    "graceful": cfg.graceful_timeout > 300,
    "preload": cfg.preload_app,
    "no control socket": cfg.control_socket_disable,
    "patched": monkey.is_module_patched("socket"),
    "app imported": "app" in sys.modules,
}))
"""
    assert in_a_process_of_its_own(script) == {
        "app": "app:create_app()",
        "worker": "Worker",
        "room for health": True,
        "graceful": True,
        "preload": False,
        "no control socket": True,
        "patched": False,
        "app imported": False,
    }


@pytest.mark.parametrize("name", ["upstream.client", "pictures.store", "settings", "limits"])
def test_what_would_work_in_a_plain_script_imports_no_server(name: str):
    script = f"""
import json, sys
import proxy.{name}
print(json.dumps(sorted({{"flask", "werkzeug", "gevent", "gunicorn", "sandbox"}} & set(sys.modules))))
"""
    assert in_a_process_of_its_own(script) == []
