"""Whose key it is: looked up once in a while, and refused soon after it is revoked."""

import time
from dataclasses import replace

import pytest

from compat.errors import ApiError, ErrorKind
from proxy.access import recognition as module
from proxy.access.key_format import new_key
from proxy.access.key_records import KeyRecords, NameTaken
from proxy.access.recognition import Recognition
from proxy.caller import AccessKey
from proxy.state.database import Database

ANN = AccessKey("", "ann", "day", 5_000_000, frozenset({"a", "b"}), 30)


@pytest.fixture
def recognition(database: Database, monkeypatch: pytest.MonkeyPatch) -> Recognition:
    monkeypatch.setattr(module, "KEY_SECONDS", 0.2)
    return Recognition(database)


def refusal(recognition: Recognition, key: str) -> str:
    with pytest.raises(ApiError) as refused:
        recognition.recognize(key)
    assert refused.value.kind is ErrorKind.INVALID_KEY
    assert key not in refused.value.message
    return refused.value.message


def test_a_key_is_known_with_its_limits_and_its_use_is_recorded(records: KeyRecords, recognition: Recognition):
    secret = records.create(ANN, time.time())
    found = recognition.recognize(secret)
    assert found == replace(ANN, id=found.id)
    record = records.named("ann", time.time())
    assert record
    assert record.last_used_at == pytest.approx(time.time(), abs=5)


def test_a_malformed_key_needs_no_database():
    recognition = Recognition(Database("postgresql://nobody@127.0.0.1:1/none"))
    assert "twl_" in refusal(recognition, "AIzaSy-a-key-of-google")
    assert "twl_" in refusal(recognition, new_key()[:-1] + "!")
    with pytest.raises(ApiError) as away:
        recognition.recognize(new_key())
    assert away.value.kind is ErrorKind.STATE_UNAVAILABLE


def test_a_key_that_nobody_made_is_refused_and_one_of_a_taken_name_is_not_made(
    records: KeyRecords, recognition: Recognition
):
    assert "does not know it" in refusal(recognition, new_key())
    records.create(ANN, time.time())
    with pytest.raises(NameTaken):
        records.create(ANN, time.time())


def test_a_known_key_is_looked_up_once_in_a_while(
    records: KeyRecords, recognition: Recognition, monkeypatch: pytest.MonkeyPatch
):
    secret = records.create(ANN, time.time())
    look_ups: list[str] = []
    find = KeyRecords.find
    monkeypatch.setattr(KeyRecords, "find", lambda self, hash: look_ups.append(hash) or find(self, hash))
    for _ in range(50):
        recognition.recognize(secret)
    assert len(look_ups) == 1


def test_a_revoked_and_an_expired_key_are_refused(records: KeyRecords, recognition: Recognition):
    secret = records.create(ANN, time.time())
    key = recognition.recognize(secret)
    records.change(replace(key, expires_at=time.time() - 1))
    time.sleep(0.25)
    assert "expired at" in refusal(recognition, secret)
    records.revoke(key.id, time.time())
    time.sleep(0.25)
    assert "revoked at" in refusal(recognition, secret)


def test_a_replaced_key_works_on_for_a_while(records: KeyRecords, recognition: Recognition):
    secret = records.create(ANN, time.time())
    key = recognition.recognize(secret)
    newer = records.rotate(key.id, time.time() + 0.5)
    newest = records.rotate(key.id, time.time() + 60)
    assert recognition.recognize(secret) == recognition.recognize(newer) == recognition.recognize(newest) == key
    time.sleep(0.8)
    assert "replaced by a new one" in refusal(recognition, secret)
    assert recognition.recognize(newer) == recognition.recognize(newest) == key


def test_the_key_of_a_job_is_found_by_its_id_unless_it_was_revoked(records: KeyRecords, recognition: Recognition):
    found = recognition.recognize(records.create(ANN, time.time()))
    assert recognition.by_id(found.id) == found
    records.revoke(found.id, time.time())
    for id, words in ((found.id, "revoked"), ("key_of_nobody", "does not know it")):
        with pytest.raises(ApiError) as refused:
            recognition.by_id(id)
        assert refused.value.kind is ErrorKind.INVALID_KEY and words in refused.value.message
