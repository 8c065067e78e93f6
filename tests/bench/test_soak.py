"""The checks of the soak: each can fail, and none fails without a reason."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from bench.pictures import google_answer
from bench.processes import Process
from bench.soak.callers import Caller, SharedState, Way, read_events
from bench.soak.connection import Received
from bench.soak.errors import end_of
from bench.soak.faults import ENDS, Delivery, End
from bench.soak.growth import MIB, Sample, changes, lived_through
from bench.soak.ledger import Fate, Ledger
from bench.soak.leftovers import MORE_FILES, SWEPT_AFTER, Held, held_by, logged_errors, overdue
from bench.soak.outcomes import KILL, RELOAD, UPSTREAM_DOWN, Call, Disruption, Outcome, Unexplained, explain
from bench.soak.returning import Request
from bench.soak.upstream import PART, STREAM, SoakUpstream, picture_of, reply_to
from tests.support.upstream import Answer
from tests.support.upstream_faults import NONE

HELD, PASSTHROUGH, COUNTED, KEYED = Delivery


def explained(call: Call, outcome: Outcome, *disruptions: Disruption) -> bool:
    try:
        explain(call, outcome, disruptions)
    except Unexplained:
        return False
    return True


def outcome(end: str, pictures: int = 0, *failures: str, kept: bool = False) -> Outcome:
    """What came of a call that lasted from 10 to 20."""
    return Outcome(end, 10, 20, pictures, failures, kept)


@pytest.mark.parametrize(
    ("delivery", "fault", "end"),
    [
        (HELD, "cut", End.BROKEN),
        (PASSTHROUGH, "stall", End.CUT),
        (HELD, "stall", End.LATE),
        (PASSTHROUGH, "refusal", End.UNCHANGED),
        (HELD, "refusal", End.REFUSED),
    ],
)
def test_a_fault_explains_what_it_leads_to(delivery: Delivery, fault: str, end: End) -> None:
    assert explained(Call("a", delivery, fault), outcome(end))


@pytest.mark.parametrize(
    ("delivery", "fault", "end"),
    [
        *((HELD, fault, End.CUT) for fault in ENDS),
        *((delivery, "cut", End.DROPPED) for delivery in Delivery),
        (HELD, "cut", End.CUT),
        (HELD, NONE, End.BROKEN),
        (HELD, "slow", End.LATE),
        (HELD, "quota", End.BROKEN),
        (PASSTHROUGH, "refusal", "200 application/json b'{}'"),
        (PASSTHROUGH, NONE, "200 application/json b'{\"candidates\": []}'"),
        (PASSTHROUGH, "cut", End.UNCHANGED),
        (HELD, NONE, "nothing for 30 s"),
    ],
)
def test_a_fault_explains_nothing_else(delivery: Delivery, fault: str, end: str) -> None:
    assert not explained(Call("a", delivery, fault), outcome(end))


def test_of_two_pictures_each_arrives_or_is_reported_as_failed() -> None:
    two, one_broken = Call("a", HELD, count=2, hit=2), Call("a", HELD, "stall", count=2, hit=1)
    assert explained(two, outcome(End.PICTURES, 2))
    assert not explained(two, outcome(End.PICTURES, 1))
    assert not explained(two, outcome(End.PICTURES, 1, End.BROKEN))
    assert not explained(two, outcome(End.PICTURES, 2, End.BROKEN))
    assert explained(one_broken, outcome(End.PICTURES, 1, End.LATE))
    assert not explained(one_broken, outcome(End.PICTURES, 1))
    assert not explained(one_broken, outcome(End.PICTURES, 1, End.BROKEN))
    assert not explained(one_broken, outcome(End.PICTURES, 2)), "the second was never drawn"
    assert not explained(one_broken, outcome(End.LATE)), "the other one was drawn"


def test_a_kill_explains_what_ended_meanwhile_but_no_error_of_the_server() -> None:
    meanwhile, before, after = (Disruption("a kill", KILL, at, at + 1) for at in (15, 8, 21))
    assert explained(Call("a", HELD), outcome(End.CUT), meanwhile)
    assert explained(Call("a", HELD), outcome(End.DROPPED), before, meanwhile)
    assert not explained(Call("a", HELD), outcome(End.CUT), before, after)
    assert not explained(Call("a", HELD), outcome(End.BROKEN), meanwhile)
    assert not explained(Call("a", HELD, count=2, hit=2), outcome(End.PICTURES, 1), meanwhile)


def test_a_reload_ends_idle_connections_alone() -> None:
    reload = Disruption("a reload", RELOAD, 15)
    assert explained(Call("a", HELD), outcome(End.DROPPED, kept=True), reload)
    assert not explained(Call("a", HELD), outcome(End.DROPPED), reload)
    assert not explained(Call("a", HELD), outcome(End.CUT, kept=True), reload)


def test_an_upstream_that_is_down_explains_an_error_of_a_held_answer() -> None:
    down = Disruption("no upstream", UPSTREAM_DOWN, 15)
    assert explained(Call("a", HELD), outcome(End.BROKEN), down)
    assert explained(Call("a", PASSTHROUGH), outcome(End.CUT), down)
    assert not explained(Call("a", HELD), outcome(End.CUT), down)
    assert not explained(Call("a", HELD), outcome(End.LATE), down)
    assert explained(Call("a", HELD, count=2, hit=2), outcome(End.PICTURES, 1, End.BROKEN), down)
    assert explained(Call("a", HELD, "quota", count=2, hit=1), outcome(End.QUOTA), down)
    assert not explained(Call("a", HELD, count=2, hit=2), outcome(End.PICTURES, 1), down)


def test_who_comes_back_gets_an_answer_and_after_a_kill_perhaps_an_unknown_outcome() -> None:
    kill = Disruption("a kill", KILL, 15, 16)
    for delivery in (COUNTED, KEYED):
        assert explained(Call("a", delivery), outcome(End.PICTURES, 1))
        assert explained(Call("a", delivery), outcome(End.UNKNOWN), kill)
        assert not explained(Call("a", delivery), outcome(End.UNKNOWN))
        assert not explained(Call("a", delivery), outcome(End.DROPPED), kill)


def sold(call: Call, outcome: Outcome, times: int, *disruptions: Disruption) -> tuple[str, dict[Fate, int]]:
    with SoakUpstream() as upstream:
        ledger = Ledger(upstream, list(disruptions))
        return ledger.enter(call, outcome, times), {fate: count for fate, count in ledger.fates.items() if count}


def test_a_picture_that_is_sold_twice_is_a_finding() -> None:
    kill = Disruption("a kill", KILL, 15, 16)
    picture = outcome(End.PICTURES, 1)
    assert sold(Call("a", COUNTED), picture, 1) == ("", {Fate.HANDED_OUT: 1})
    assert "SOLD TWICE" in sold(Call("a", COUNTED), picture, 2)[0]
    assert sold(Call("a", COUNTED), picture, 2, kill) == ("", {Fate.HANDED_OUT: 1, Fate.KILLED: 1})
    assert "SOLD TWICE" in sold(Call("a", KEYED), picture, 2, kill)[0], "a key is never bought again"
    assert sold(Call("a", HELD), outcome(End.BROKEN), 1) == ("", {Fate.UNKNOWN: 1})
    assert sold(Call("a", HELD, count=2), outcome(End.PICTURES, 1, End.BROKEN), 2)[0] == ""
    assert "1 were sold" in sold(Call("a", HELD, count=2), outcome(End.PICTURES, 2), 1)[0]


def test_at_the_end_every_sale_is_accounted_for() -> None:
    with SoakUpstream() as upstream:
        shared = SharedState(0, upstream)
        shared.ledger.leave("left")
        shared.ledger.promise(Call("p", KEYED), Request("/", lambda: (b"", {}), "key"), 0)
        shared.disruptions.append(Disruption("a kill", KILL, 0))  # nothing is taken up, since there is no server
        upstream.sold.update({"left": 1, Call("p", KEYED).prompt: 1})
        upstream.sales = 2
        assert list(shared.ledger.close(Caller(1, shared))) == []
        upstream.sold.update({"twice": 1})
        upstream.sales = 4
        assert len(list(shared.ledger.close(Caller(1, shared)))) == 1


@pytest.mark.parametrize(
    ("end", "seconds", "findings"), [(End.DROPPED, 0.1, 0), (End.DROPPED, 5, 1), (End.PICTURES, 0.1, 1)]
)
def test_a_sale_may_be_counted_just_after_its_call_was_cut(end: End, seconds: float, findings: int) -> None:
    with SoakUpstream() as upstream:
        shared = SharedState(0, upstream)
        shared.ledger.enter(Call("cut", HELD), Outcome(end, 0, 10), 0)
        prompt = Call("cut", HELD).prompt
        upstream.sold[prompt], upstream.sold_at[prompt], upstream.sales = 1, 10 + seconds, 1
        found = [one for one in shared.ledger.close(Caller(1, shared)) if "SOLD TWICE" in one]
        assert len(found) == findings


def samples(memory: list[float], connections: list[int], files: list[int]) -> list[Sample]:
    """Samples of process 1."""
    rows = zip(memory, connections, files, strict=True)
    return [Sample(at, {1: int(mib * MIB)}, {1: Held(0, calls, 0, file)}) for at, (mib, calls, file) in enumerate(rows)]


LEVEL = [60] * 40
PEAKS = [60, 60, 90, 60] * 10
RISING = [60 + at for at in range(40)]


@pytest.mark.parametrize(
    ("values", "grown"),
    [
        ((LEVEL, LEVEL, LEVEL), [False, False, False]),
        ((PEAKS, PEAKS, PEAKS), [False, False, False]),
        ((RISING, LEVEL, LEVEL), [True, False, False]),
        ((LEVEL, RISING, LEVEL), [False, True, False]),
        ((LEVEL, LEVEL, RISING), [False, False, True]),
    ],
)
def test_what_rises_grows_and_what_peaks_does_not(values: tuple[list[float], ...], grown: list[bool]) -> None:
    assert [change.is_growth for change in changes(samples(*values), "it", 1)] == grown


def test_a_process_that_ended_did_not_live_through() -> None:
    three = samples([60] * 3, [50] * 3, [50] * 3)
    assert lived_through(three, 1)
    assert not lived_through([*three, Sample(9, {2: MIB}, {})], 1)
    assert not lived_through([], 1)


def test_descriptors_are_counted_by_purpose(tmp_path: Path) -> None:
    with SoakUpstream() as upstream, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        before = held_by(os.getpid(), port, upstream.port, tmp_path)
        with (
            socket.create_connection(("127.0.0.1", port)),
            socket.create_connection(("127.0.0.1", upstream.port)),
            server.accept()[0],
            (tmp_path / "a.png").open("w"),
        ):
            held = held_by(os.getpid(), port, upstream.port, tmp_path)
    assert (held.callers, held.upstream, held.pictures) == (1, 1, 1)
    assert (before.callers, before.upstream, before.pictures) == (0, 0, 0)
    assert list(before.excess(0, before.others)) == []
    assert len(list(held.excess(0, held.others - MORE_FILES - 1))) == 4


@pytest.mark.parametrize(
    "body", [b"", b'{"data": [{"b64_json": "iVBO', b"{}", b'{"data": [{"b64_json": "iVB"}]}', b"[]"]
)
def test_a_complete_answer_that_cannot_be_read_is_a_finding(body: bytes) -> None:
    with SoakUpstream() as upstream:
        caller = Caller(1, SharedState(0, upstream))
        way = Way("short", lambda one, call: one.check(call, Received(200, "application/json", body)), HELD)
        with pytest.raises(Unexplained):
            caller.outcome_of(Call("a", HELD), way)


def test_a_picture_that_no_sweep_removed_is_overdue(tmp_path: Path) -> None:
    (tmp_path / f"{1000:08x}-name.png").touch()
    assert overdue(tmp_path, 1000 + SWEPT_AFTER) == 0
    assert overdue(tmp_path, 1001 + SWEPT_AFTER) == 1


def test_the_log_may_report_a_kill_but_no_other_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = "[2026-11-28 14:36:05 +0000] [7] [ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?\n"
    ours = "2026-11-28 14:54:04,242 ERROR unforeseen error\nTraceback (most recent call last):\n  File\nE\n"
    log.write_text(f"2026-11-28 14:36:21,546 INFO request status=502\n{killed}{ours}")
    assert len(logged_errors(Process(7, log), {8})) == 2
    assert len(logged_errors(Process(7, log), set())) == 3


def test_every_answer_has_a_picture_of_its_own() -> None:
    pictures = [picture_of("a cat"), picture_of("a cat", 2), picture_of("a dog"), picture_of("a cat", 1, b"a sketch")]
    assert len({hashlib.sha256(picture).digest() for picture in pictures}) == 4
    assert all(one != other for one, other in zip(*(in_parts(pictures[at]) for at in (0, 2)), strict=True))


def in_parts(picture: bytes) -> list[bytes]:
    return [picture[at : at + 2 * PART] for at in range(0, len(picture), 2 * PART)]


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_affects_as_many_answers_as_the_prompt_says(fault: str) -> None:
    prompt = Call("a", HELD, fault, count=2, hit=1).prompt
    assert reply_to("generateContent", prompt, 2) == Answer(
        google_answer(picture_of(prompt, 2)), content_type="application/json", chunked=False
    )
    assert reply_to("generateContent", prompt) == reply_to("generateContent", prompt), (
        "a passthrough answer is compared with it"
    )


def test_a_stream_is_sent_as_events() -> None:
    words, picture = read_events(reply_to(STREAM, Call("a", PASSTHROUGH).prompt).body.replace(b"\r\n", b"\n"))
    assert words["candidates"][0]["content"]["parts"][0]["text"]
    assert picture["candidates"][0]["content"]["parts"][0]["inlineData"]["mimeType"] == "image/png"


@pytest.mark.parametrize(
    ("status", "body", "end"),
    [
        (502, b'{"error": {"type": "server_error", "code": "upstream_error"}}', End.BROKEN),
        (502, b'{"error": {"code": 502, "details": [{"reason": "UPSTREAM_BROKEN"}]}}', End.BROKEN),
        (429, b'{"error": {"type": "rate_limit_error", "code": "rate_limit_exceeded"}}', End.QUOTA),
    ],
)
def test_an_error_is_a_known_end(status: int, body: bytes, end: End) -> None:
    assert end_of(Received(status, "application/json", body)) == end


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"error": {"type": "server_error", "code": "internal_error"}}'),
        (500, b'{"error": {"type": "server_error", "code": "upstream_error"}}'),
        (502, b"<html></html>"),
        (200, b'{"candidates": []}'),
        (502, b'{"error": null}'),
    ],
)
def test_any_other_answer_is_no_known_end(status: int, body: bytes) -> None:
    assert end_of(Received(status, "application/json", body)) not in tuple(End)
