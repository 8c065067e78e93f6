"""The compose file: its schema, what it promises of store, proxy and limits, and its store for real."""

import ipaddress
import json
import os
import shlex
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
import yaml
from jsonschema.validators import validator_for

from proxy.settings import Settings
from tests.support.installed import package
from tests.support.postgres import PostgresServer
from tests.support.processes import free_port, listens, running
from tests.support.proxy_server import ProxyServer

RCLONE = Path(sys.executable).parent / "rclone"


@pytest.fixture(scope="module")
def compose(deploy: Path) -> dict[str, Any]:
    """The compose file."""
    return dict(yaml.safe_load((deploy / "compose.yaml").read_text()))


def test_it_fits_the_compose_specification(compose: dict[str, Any]):
    package("check_jsonschema")
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    validator = validator_for(schema)
    validator(schema).validate(compose)


def test_every_file_that_is_mounted_is_there(deploy: Path, compose: dict[str, Any]):
    mounts = [mount.split(":")[0] for one in compose["services"].values() for mount in one.get("volumes", ())]
    for mount in mounts:
        if mount.startswith("./") and mount != "./tls":
            assert (deploy / mount).is_file(), mount
        elif mount != "./tls":
            assert mount in compose["volumes"], mount
    assert (deploy / compose["services"]["twinlens"]["build"]["context"] / "deploy/Dockerfile").is_file()


def test_nginx_finds_the_replicas_and_is_trusted(deploy: Path, compose: dict[str, Any]):
    services = compose["services"]
    script = services["nginx"]["command"][-1].partition(" > ")[0]
    command = shlex.split(script.replace("/etc/twinlens/nginx-site.conf", str(deploy / "nginx-site.conf")))
    changed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert changed.count("server twinlens:8000;") == 1
    assert "127.0.0.1" not in changed
    [network] = compose["networks"]["default"]["ipam"]["config"]
    assert services["twinlens"]["environment"]["TRUSTED_PROXIES"] == str(ipaddress.ip_network(network["subnet"]))


def test_pictures_live_as_long_as_promised_and_calls_may_end(compose: dict[str, Any]):
    services, settings = compose["services"], Settings()
    sweep = shlex.split(services["sweep"]["entrypoint"][-1].replace(";", " "))
    assert int(sweep[sweep.index("--min-age") + 1].removesuffix("m")) * 60 > settings.image_ttl_seconds
    for name in ("twinlens", "nginx"):
        grace = int(services[name]["stop_grace_period"].removesuffix("m")) * 60
        assert grace > settings.upstream_timeout_seconds + 30


def test_the_store_works_with_the_settings_beside_it(
    compose: dict[str, Any], tmp_path: Path, postgres_server: PostgresServer
):
    """Its very commands, on a folder and a port of ours: a picture is stored, served, and swept when it is old."""
    services, secret, port = compose["services"], "a-secret-of-the-store", free_port()
    bucket = tmp_path / "pictures"
    bucket.mkdir()

    def here(text: str) -> str:
        text = text.replace("twinlens@database/twinlens", postgres_server.url().partition("//")[2])
        return text.replace(":9000", f":{port}").replace("/data", str(tmp_path)).replace("store:", "127.0.0.1:")

    def filled(environment: dict[str, str]) -> dict[str, str]:
        return {name: here(value).replace("${STORE_SECRET}", secret) for name, value in environment.items()}

    settings = filled(services["twinlens"]["environment"]) | {"AWS_SECRET_ACCESS_KEY": secret, "LOG_SALT": "salt"}
    command = [RCLONE, *shlex.split(here(services["store"]["command"]))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **filled(services["store"]["environment"])}
    with running(command, tmp_path / "log", lambda: listens(port), environment=environment):
        assert requests.get(f"http://127.0.0.1:{port}/pictures", timeout=5).status_code in (400, 403)  # who has no key
        with ProxyServer(tmp_path / "service", SANDBOX="1", **settings) as server:
            assert requests.get(f"{server.url}/readyz", timeout=10).json() == {"status": "ok"}
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="sandbox", max_retries=0)
            url = client.images.generate(prompt="a cat").data[0].url
            assert requests.get(url, timeout=10).content.startswith(b"\x89PNG")
    [picture] = bucket.iterdir()
    old = bucket / "old.png"
    old.write_bytes(picture.read_bytes())
    os.utime(old, (time.time() - 66 * 60,) * 2)
    sweep = here(services["sweep"]["entrypoint"][-1]).partition(" do ")[2].partition(";")[0]
    subprocess.run([RCLONE, *shlex.split(sweep)[1:]], check=True, capture_output=True)
    assert list(bucket.iterdir()) == [picture]
