"""proxy/purchases/call.py: an answer that is made for callers who come and go."""

from proxy.pictures.spool import SpoolMemory
from proxy.purchases.call import Call, Made
from tests.proxy.purchases.shop import MIB


def test_a_whole_answer_says_its_length_once():
    """An answer of an OpenAI server passes with the server's own header, whose name is in lower case."""
    made = Made(200, {"content-length": "5", "content-type": "application/json"}, iter((b"12", b"345")))
    call = Call(lambda: made, SpoolMemory(MIB))
    call.wait()
    lengths = [value for name, value in call.headers.items() if name.lower() == "content-length"]
    assert lengths == ["5"]
    assert b"".join(call.chunks()) == b"12345"
