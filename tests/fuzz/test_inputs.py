"""The checks of the fuzzer, for some seconds and without it: every seed, then seeds with random changes."""

import time
from random import Random

import pytest

from tests.fuzz.inputs import NAMES, check_of, mutations, seeds_of

SECONDS = 2.0
SEED = 20261123  # the same inputs every time: new ones are what `make fuzz` is for


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_in_the_seeds_and_in_what_is_made_of_them(name: str):
    seeds = seeds_of(name)
    with check_of(name) as check:
        for seed in seeds.values():
            check(seed)
        end = time.monotonic() + SECONDS
        for data in mutations(list(seeds.values()), Random(SEED)):
            try:
                check(data)
            except AssertionError as error:
                pytest.fail(f"{error}: {data!r}")
            if time.monotonic() > end:
                break
