"""The Kubernetes manifest: its schema, and that its parts name each other and routes that there are."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app import create_app
from proxy.settings import Settings
from tests.support.installed import package

VERSIONS = ("1.30", "1.37")


@pytest.fixture(scope="module")
def objects(deploy: Path) -> dict[str, dict[str, Any]]:
    """Every object, by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((deploy / "kubernetes.yaml").read_text())}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "Deployment"])
def test_it_fits_the_schema(objects: dict[str, dict[str, Any]], kind: str, version: str):
    assert len(objects) == 3
    package("kubernetes_validate").validate(objects[kind], version, strict=True)


def test_its_parts_name_each_other(objects: dict[str, dict[str, Any]]):
    pod = objects["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    [port] = objects["Service"]["spec"]["ports"]
    assert port["targetPort"] in [one["name"] for one in container["ports"]]
    assert container["envFrom"][0]["configMapRef"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["spec"]["volumes"]}
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(container["ports"][0]["containerPort"])


def test_a_pod_is_asked_at_routes_that_there_are_and_may_finish(objects: dict[str, dict[str, Any]], tmp_path: Path):
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    client = create_app(Settings(sandbox=True, image_store_url=str(tmp_path))).test_client()
    for probe in ("livenessProbe", "readinessProbe"):
        assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] > pause + Settings().upstream_timeout_seconds + 30


def test_a_pod_is_confined(objects: dict[str, dict[str, Any]]):
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
