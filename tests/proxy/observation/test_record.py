"""What is recorded of a request."""

from proxy.observation.record import Observation


def test_headers_that_are_added_to_one_answer_are_not_in_the_next():
    observation = Observation("id", "POST", upstream_model="a-model")
    observation.model_header()["Content-Type"] = "text/event-stream"
    assert observation.model_header() == {"x-twinlens-model": "a-model"}
