"""Every setting is in the example, and no file of `deploy/` names one that there is not."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from proxy.settings import Settings, SettingsError

NAMES = {one.name.upper() for one in fields(Settings) if one.metadata}
FOREIGN = re.compile(r"AWS_[A-Z_]+|PGPASSWORD|PYTHONUNBUFFERED")  # of the store's, libpq's and Python's


@pytest.fixture
def example(deploy: Path) -> dict[str, str]:
    """Every line of the example, whether it is a comment or not."""
    return dict(re.findall(r"(?m)^(?:# )?([A-Z_]+)=(.*)$", (deploy / "twinlens.env.example").read_text()))


def test_the_example_shows_every_setting_with_its_default(example: dict[str, str]):
    assert example.keys() == NAMES
    assert Settings.from_environ({**example, "TRUSTED_PROXIES": ""}) == Settings()


def test_the_example_as_it_stands_trusts_the_nginx_of_its_machine(deploy: Path):
    lines = re.findall(r"(?m)^([A-Z_]+)=(.*)$", (deploy / "twinlens.env.example").read_text())
    [(name, _)] = lines
    assert name == "TRUSTED_PROXIES"
    assert len(Settings.from_environ(dict(lines)).trusted_proxies) == 2


def environments(deploy: Path) -> dict[str, dict[str, str]]:
    """What each file sets for Twinlens."""
    compose = yaml.safe_load((deploy / "compose.yaml").read_text())
    [config] = [
        one for one in yaml.safe_load_all((deploy / "kubernetes.yaml").read_text()) if one["kind"] == "ConfigMap"
    ]
    secret = re.findall(r"--from-literal=([A-Z_]+)=", (deploy / "kubernetes.yaml").read_text())
    [env] = re.findall(r"(?m)^ENV (.*)$", (deploy / "Dockerfile").read_text())
    unit = re.findall(r"(?m)^Environment=(.*)$", (deploy / "twinlens.service").read_text())
    return {
        "compose": compose["services"]["twinlens"]["environment"],
        "kubernetes": {**config["data"], **dict.fromkeys(secret, "secret")},
        "Dockerfile": dict(pair.split("=", 1) for pair in env.split()),
        "systemd": dict(pair.split("=", 1) for pair in unit),
    }


@pytest.mark.parametrize("file", ["compose", "kubernetes", "Dockerfile", "systemd"])
def test_what_is_set_is_a_setting_and_is_accepted(deploy: Path, file: str):
    environment = environments(deploy)[file]
    assert {name for name in environment if not FOREIGN.fullmatch(name)} <= NAMES
    try:
        Settings.from_environ(environment)
    except SettingsError as error:
        pytest.fail(str(error))


def test_the_readme_of_deploy_names_no_other_variable(deploy: Path):
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", (deploy / "README.md").read_text()))
    assert named <= NAMES | {"REQUIRE_ALL", "STORE_SECRET"}
