"""`python -m proxy keys ...`: what it prints, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from proxy.access.key_format import hash_of, is_well_formed
from proxy.access.key_records import KeyRecords
from proxy.access.ledger import Hold, Ledger, Reservation, Settlement
from proxy.state.database import Database
from tests.proxy.access.conftest import NOW

Run = Callable[..., str]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command, and returns what it prints."""

    def run(*arguments: str, status: int = 0) -> str:
        assert cli.main(["keys", *arguments]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    return run


def test_a_key_from_its_making_to_its_end(run: Run, url: str):
    secret = run("create", "ann", "--budget", "20", "--requests-per-minute", "30").splitlines()[0]
    assert is_well_formed(secret)
    shown: dict[str, Any] = json.loads(run("show", "ann", "--json"))
    assert (shown["state"], shown["budget_usd"], shown["per"], shown["requests_per_minute"]) == (
        "active",
        20,
        "month",
        30,
    )
    run(
        "change", "ann", "--budget", "0.5", "--requests-per-minute", "none", "--models", "google/gemini-2.5-flash-image"
    )
    shown = json.loads(run("show", "ann", "--json"))
    assert (shown["budget_usd"], shown["requests_per_minute"]) == (0.5, None)
    assert shown["models"] == ["gemini-2.5-flash-image"]
    second = json.loads(run("rotate", "ann", "--overlap", "0s", "--json"))["key"]
    records = KeyRecords(Database(url))
    assert records.find(hash_of(second))
    replaced = records.find(hash_of(secret))
    assert replaced
    assert replaced.replaced_at
    assert "revoked" in run("revoke", "ann")
    assert "revoked" in run("list")
    assert "was revoked at" in run("rotate", "ann", status=1)
    assert "already" in run("create", "ann", status=1)


def test_what_was_spent(run: Run, url: str):
    assert "There are no keys yet" in run("list")
    run("create", "ann", "--budget", "1")
    run("create", "ben")
    ledger, records = Ledger(Database(url), "a worker"), KeyRecords(Database(url))
    for name, cost in (("ann", 38_700), ("ben", 77_400)):
        record = records.named(name, NOW)
        assert record
        [hold] = ledger.write([Reservation(record.key, "a-model", 80_000)], [], NOW)
        assert isinstance(hold, Hold)
        ledger.write([], [Settlement(hold, cost, 1)], NOW)
    since = ("--since", "2026-11-01")
    assert [line.split() for line in run("spend", *since).splitlines()] == [
        ["KEY", "REQUESTS", "PICTURES", "USD"],
        ["ben", "1", "1", "0.0774"],
        ["ann", "1", "1", "0.0387"],
        ["since", "2026-11-01:", "0.1161", "USD"],
    ]
    spent = json.loads(run("spend", *since, "--by", "day", "--json"))["spent"]
    assert spent == [{"day": "2026-11-30", "requests": 2, "pictures": 2, "usd": 0.1161}]
    assert run("spend", *since, "--csv").splitlines()[1] == "2026-11-30,ann,a-model,1,1,0.0387"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "no spaces", "--budget", "1"), "a name has"),
        (("create", "ann", "--budget", "0"), "amount in USD"),
        (("create", "ann", "--budget", "-1"), "amount in USD"),
        (("create", "ann", "--budget", "1e3"), "amount in USD"),
        (("create", "ann", "--per", "year"), "invalid choice"),
        (("create", "ann", "--requests-per-minute", "0"), "whole number"),
        (("create", "ann", "--expires", "tomorrow"), "2027-01-31"),
        (("create", "ann", "--expires", "2020-01-31"), "has passed"),
        (("create", "ann", "--models", ","), "one model"),
        (("rotate", "ann", "--overlap", "a while"), "24h"),
        (("spend", "--since", "yesterday"), "a day such as"),
        (("show",), "required"),
        ((), "required"),
    ],
)
def test_a_wrong_option_is_explained(
    url: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
):
    with pytest.raises(SystemExit) as end:
        cli.main(["keys", *arguments])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_what_is_not_there_is_named(run: Run):
    assert "there is no key 'nobody'" in run("show", "nobody", status=1)
    assert "no-model is not served" in run("create", "ann", "--models", "no-model", status=1)


def test_a_database_that_cannot_be_used_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3")
    assert cli.main(["keys", "list"]) == 1
    assert "DATABASE_URL: The database file cannot be opened" in capsys.readouterr().err


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["keys", "--help"])
    text = capsys.readouterr().out
    assert "python -m proxy keys create ann --budget 20" in text
    assert "DATABASE_URL" in text
