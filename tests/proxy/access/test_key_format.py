"""Keys of ours: what they look like, and that a mistyped one is noticed without a look-up."""

import re

from proxy.access.key_format import KEY, hash_of, is_well_formed, new_key


def test_a_new_key_is_well_formed_and_new():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(map(is_well_formed, keys))
    assert all(re.fullmatch(r"twl_[0-9A-Za-z]{38}", key) for key in keys)


def test_a_key_with_another_character_in_any_place_is_malformed():
    key = new_key()
    for place in range(len(key)):
        assert not is_well_formed(f"{key[:place]}{'x' if key[place] != 'x' else 'y'}{key[place + 1 :]}")


def test_other_texts_are_malformed():
    key = new_key()
    for text in (
        "",
        "twl_",
        key[:-1],
        key + "a",
        key.upper(),
        f" {key}",
        f"{key}\n",
        "AIza" + key[4:],
        "twl_" + "٣" * 38,
    ):
        assert not is_well_formed(text)


def test_the_hash_of_a_key_does_not_have_the_form_of_one():
    assert not KEY.search(hash_of(new_key()))
    assert len(hash_of("\udcff")) == 64
