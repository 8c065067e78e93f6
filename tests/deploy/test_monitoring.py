"""Alert rules and dashboard, held against the metrics of a running service: names, labels, and the labels' values."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from compat.errors import ErrorKind
from proxy.access.key_records import KeyRecords
from proxy.caller import AccessKey
from proxy.settings import Settings
from proxy.state.database import Database
from proxy.state.migrate import migrate
from tests.support.installed import package
from tests.support.proxy_server import ProxyServer

OF_PROMETHEUS = {"job": {"twinlens"}, "instance": {"127.0.0.1:8000"}}  # what it adds to everything that it reads
UP = {"up": OF_PROMETHEUS}
SELDOM = {kind.name.lower() for kind in ErrorKind} | {"cut", "499"}  # not all of these can happen in one short run
OPENAI_PATH = "/v1/images/generations"
GOOGLE_PATH = "/v1beta/models/gemini-2.5-flash-image:generateContent"

Series = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """The labels of every series of a service that has had some traffic, with their values."""
    with ProxyServer(tmp_path_factory.mktemp("service"), SANDBOX="1", WEB_CONCURRENCY="2") as server:
        situations = ("quota_per_day", "html_502", "model_retired", "no_usage", "model_retired|picture")
        for prompt in ("a cat", *(f"[[{one}]]" for one in situations)):
            for path, body in ((OPENAI_PATH, {"prompt": prompt}), (GOOGLE_PATH, contents(prompt))):
                requests.post(server.url + path, json=body, headers={"Authorization": "Bearer sandbox"}, timeout=20)
        assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
        shutil.rmtree(server.pictures)
        server.pictures.write_text("no folder")
        wait_until_not_ready(server)
        page = page_that_counts(server, 'operation="readyz",status="503"')
    return UP | series_of(page + team_page(tmp_path_factory.mktemp("team")))


def team_page(folder: Path) -> str:
    """The metrics of keys: of a service that hands them out, and whose own key is at its limit."""
    url = f"sqlite:///{folder}/team.sqlite3"
    migrate(url)
    key = KeyRecords(Database(url)).create(AccessKey("", "ann", "month", 20_000_000), time.time())
    team = {"SANDBOX": "1", "ACCESS": "keys", "GEMINI_API_KEYS": "sandbox", "DATABASE_URL": url}
    with ProxyServer(folder, **team) as server:
        for prompt in ("a cat", "[[quota_per_minute]]"):
            body, headers = {"prompt": prompt}, {"Authorization": f"Bearer {key}"}
            requests.post(server.url + OPENAI_PATH, json=body, headers=headers, timeout=20)
        page = page_that_counts(server, 'twinlens_key_requests_total{key="ann",status="429"}')
    return "\n".join(line for line in page.splitlines() if "_key_" in line) + "\n"


def contents(prompt: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}


def wait_until_not_ready(server: ProxyServer) -> None:
    """Either of two workers may be asked, and each remembers for some seconds what it found."""
    for _ in range(100):
        if requests.get(f"{server.url}/readyz", timeout=5).status_code == 503:
            return
    pytest.fail("/readyz did not notice that the store is gone")


def page_that_counts(server: ProxyServer, labels: str) -> str:
    """/metrics once it has them: an answer is counted when it has been sent, so its caller may ask too early."""
    for _ in range(100):
        page = requests.get(f"{server.url}/metrics", timeout=5).text
        if labels in page:
            return page
        time.sleep(0.05)
    pytest.fail(f"/metrics does not count {labels}")


def series_of(page: str) -> Series:
    found: Series = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {name: set(values) for name, values in OF_PROMETHEUS.items()})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


@dataclass(frozen=True)
class Expression:
    """A PromQL expression of one of our files."""

    where: str
    text: str


def alerts(deploy: Path) -> list[Expression]:
    [group] = yaml.safe_load((deploy / "alerts.yml").read_text())["groups"]
    return [Expression(rule["alert"], rule["expr"]) for rule in group["rules"]]


def panels(deploy: Path) -> list[Expression]:
    dashboard = json.loads((deploy / "grafana-dashboard.json").read_text())
    return [Expression(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def as_prometheus_reads(expression: str) -> str:
    """With Grafana's own variables filled in."""
    for name, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$instance", ".*")):
        expression = expression.replace(name, value)
    return expression


def selectors(node: Any, promql: Any) -> Iterator[Any]:
    """Every selector of series in a parsed expression."""
    if isinstance(node, promql.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        if (below := getattr(node, name, None)) is not None:
            yield from selectors(below, promql)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument, promql)


def groupings(text: str) -> set[str]:
    """The labels by which it sums."""
    return {name.strip() for names in re.findall(r"\bby \(([^)]*)\)", text) for name in names.split(",")}


@pytest.mark.parametrize("file", [alerts, panels])
def test_every_series_and_label_is_one_that_there_is(deploy: Path, series: Series, file: Any):
    promql = package("promql_parser")
    for expression in file(deploy):
        found = list(selectors(promql.parse(as_prometheus_reads(expression.text)), promql))
        assert found, expression
        for selector in found:
            assert selector.name in series, f"{expression}: no {selector.name}"
            labels = series[selector.name]
            assert groupings(expression.text) <= labels.keys(), expression
            for matcher in selector.matchers.matchers:
                assert matcher.name in labels, f"{expression}: {selector.name} has no label {matcher.name}"
                values = set().union(*(one.get(matcher.name, set()) for one in series.values())) | SELDOM
                assert matches_one(str(matcher.op), matcher.value, values), f"{expression}: no {matcher.value}"


def matches_one(operator: str, wanted: str, values: set[str]) -> bool:
    """Whether what is asked for, or excluded, occurs."""
    if "Re" in operator:
        return any(re.fullmatch(wanted, value) for value in values)
    return wanted in values


def test_every_alert_says_what_it_is_of(deploy: Path, series: Series):
    [group] = yaml.safe_load((deploy / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert named <= groupings(rule["expr"]) | ({"instance"} if rule["expr"].startswith("up{") else set())
    names = [rule["alert"] for rule in group["rules"]]
    assert len(names) == len(set(names))


def test_the_limit_of_calls_in_flight_is_that_of_the_settings(deploy: Path):
    [near] = [one.text for one in alerts(deploy) if one.where == "TwinlensNearLimit"]
    assert int(re.findall(r"> (\d+)", near)[0]) == 0.8 * Settings().max_in_flight * Settings().web_concurrency


def test_prometheus_reads_the_rules_and_asks_the_service(deploy: Path):
    prometheus = yaml.safe_load((deploy / "prometheus.yml").read_text())
    assert prometheus["rule_files"] == ["alerts.yml"]
    [job] = prometheus["scrape_configs"]
    assert job["job_name"] in OF_PROMETHEUS["job"]
    compose = yaml.safe_load((deploy / "compose.yaml").read_text())
    assert job["dns_sd_configs"][0]["names"][0] in compose["services"]
    assert job["dns_sd_configs"][0]["port"] == Settings().port


def test_the_panels_of_the_dashboard_do_not_overlap(deploy: Path):
    dashboard = json.loads((deploy / "grafana-dashboard.json").read_text())
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
