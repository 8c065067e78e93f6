"""What becomes of an answer when its response is over."""

import gc

import gevent
import pytest
from flask.testing import FlaskClient

from proxy.pictures.spool import Spool
from tests.proxy.conftest import Gemini
from tests.support.gemini_answers import DRAWN


def spools() -> int:
    """How many answers are held."""
    return sum(isinstance(one, Spool) for one in gc.get_objects())


@pytest.mark.parametrize("mark", [{}, {"x-stainless-retry-count": "0"}], ids=["stays", "may come back"])
def test_an_answer_is_let_go_of_with_its_response(client: FlaskClient, gemini: Gemini, mark: dict[str, str]):
    def generate() -> None:
        gemini.answers(DRAWN)
        headers = {"Authorization": "Bearer a-key", **mark}
        answer = client.post("/v1/images/generations", json={"prompt": "a cat"}, headers=headers)
        assert (answer.status_code, len(answer.get_data()) > 0) == (200, True)
        answer.close()
        gevent.sleep(0.01)

    generate()
    gc.collect()
    before = spools()
    gc.disable()  # a cycle would hold every answer until it runs
    try:
        for _ in range(3):
            generate()
        assert spools() <= before
    finally:
        gc.enable()
