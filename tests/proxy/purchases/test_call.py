"""proxy/purchases/call.py: an answer that is made for callers who come and go."""

from proxy.greenlets import sleep
from proxy.pictures.spool import SpoolMemory
from proxy.purchases.call import Call, Made, running
from tests.proxy.purchases.shop import MIB


def test_a_whole_answer_says_its_length_once():
    """An answer of an OpenAI server passes with the server's own header, whose name is in lower case."""
    made = Made(200, {"content-length": "5", "content-type": "application/json"}, iter((b"12", b"345")))
    call = Call(lambda: made, SpoolMemory(MIB))
    call.wait()
    lengths = [value for name, value in call.headers.items() if name.lower() == "content-length"]
    assert lengths == ["5"]
    assert b"".join(call.chunks()) == b"12345"


def drawn() -> Made:
    sleep(0.01)
    return Made(200, {}, iter((b"picture",)))


def test_who_goes_on_finds_a_call_without_a_record_over():
    """Its place is free before its caller can ask again: a thousand callers at once would find all of them taken."""
    call, freed = Call(drawn, SpoolMemory(MIB)), []
    call.when_over(lambda: freed.append("place"))
    call.wait()
    assert (freed, call in running) == (["place"], False)
    call.when_over(lambda: freed.append("another"))
    assert freed == ["place", "another"]


def test_a_caller_does_not_wait_for_a_record_that_takes_long():
    call = Call(drawn, SpoolMemory(MIB), lambda _: sleep(0.2))
    call.wait()
    assert (call in running, call.recorded.is_set()) == (True, False)
    call.recorded.wait(5)
    assert call not in running
