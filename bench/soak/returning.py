"""Callers that lose patience and come back: as OpenAI's SDKs do, and with an idempotency key."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.load import EDITS, GENERATIONS, JSON, NATIVE
from bench.pictures import edit_form
from bench.soak.connection import BEARER, GOOGLE_KEY, TIMEOUT, BrokenOff, Connection, Received
from bench.soak.errors import end_of
from bench.soak.faults import End
from bench.soak.outcomes import Call
from bench.soak.upstream import BASE, reply_to

if TYPE_CHECKING:
    from bench.soak.callers import Answer, Caller

PATIENCE = (0.02, 0.7)  # seconds until a caller leaves; a picture for one of these takes 0.3 s
PAUSE = (0.0, 0.6)  # seconds until it comes back
MOST_TRIES = 6
LEAVES_FOR_GOOD = 0.1  # of these calls
ASKS_AGAIN = 0.3  # of the calls with a key, after the answer
NO_ANSWER = "no answer in all its tries"


@dataclass(frozen=True)
class Request:
    """A request that is sent again: with a key, or as an SDK sends it, which counts its tries."""

    path: str
    build: Callable[
        [], tuple[bytes, Mapping[str, str]]
    ]  # the body and its headers; a form has a new boundary each time
    key: str = ""
    own: bytes = b""  # the caller's own picture, for an edit

    def send(self, connection: Connection, tries: int) -> Received:
        """The answer to one more try. Raises BrokenOff."""
        body, headers = self.build()
        marks = {"Idempotency-Key": self.key} if self.key else {"x-stainless-retry-count": str(tries)}
        return connection.ask("POST", self.path, body, {**headers, **marks})


class LeftForGood(Exception):
    """A caller has left and will not come back; what it has bought is kept for it."""

    def __init__(self, request: Request):
        super().__init__()
        self.request = request


def ask_until_answered(caller: Caller, request: Request) -> Received | None:
    """The answer to the first try or a later one, or the last one's error; None without any. Raises LeftForGood."""
    dice = caller.dice
    leaves = dice.choice((1, 1, 2))
    caller.tries = []
    received = None
    for tries in range(MOST_TRIES):
        patience = dice.uniform(*PATIENCE) if tries < leaves else TIMEOUT
        connection = Connection(caller.shared.port, keeps=False, timeout=patience)
        try:
            received = request.send(connection, tries)
            caller.tries.append(f"{received.status} {received.body[:300]!r}" if received.status != 200 else "200")
            if not received.may_repeat or received.status == 200:
                return received
        except BrokenOff as broken:
            caller.tries.append(f"{broken}, patient for {patience:.2f} s")
            if dice.random() < LEAVES_FOR_GOOD:
                raise LeftForGood(request) from None
        time.sleep(dice.uniform(*PAUSE))
    return received  # an upstream that is down for a second can refuse all tries


def generation(caller: Caller, call: Call, key: str = "") -> Answer:
    """A generation of OpenAI's surface: as base64, or as a URL, whose answer is so short that it is sent at once."""
    fields = {"prompt": call.prompt, "response_format": caller.dice.choice(("b64_json", "url"))}
    body = json.dumps(fields).encode()
    return answer_of(caller, call, Request(GENERATIONS, lambda: (body, {**JSON, **BEARER}), key))


def edit(caller: Caller, call: Call) -> Answer:
    """An edit, whose form has another boundary each time."""

    def build() -> tuple[bytes, Mapping[str, str]]:
        form, content_type = edit_form(BASE, call.prompt, boundary=f"soak-{secrets.token_hex(8)}")
        return form, {"Content-Type": content_type, **BEARER}

    return answer_of(caller, call, Request(EDITS, build, own=BASE))


def keyed(caller: Caller, call: Call) -> Answer:
    """A generation with an idempotency key."""
    return generation(caller, call, secrets.token_hex(16))


def keyed_native(caller: Caller, call: Call) -> Answer:
    """The same on Google's surface."""
    body = json.dumps({"contents": [{"parts": [{"text": call.prompt}]}]}).encode()
    request = Request(NATIVE, lambda: (body, {**JSON, **GOOGLE_KEY}), secrets.token_hex(16))
    return answer_of(caller, call, request)


def answer_of(caller: Caller, call: Call, request: Request) -> Answer:
    """Asks until there is an answer, and checks it; one with a key is sometimes asked for again."""
    received = ask_until_answered(caller, request)
    if received is None:
        return NO_ANSWER, 0, ()
    answer = check(caller, call, request, received)
    if request.key and answer[0] == End.PICTURES and caller.dice.random() < ASKS_AGAIN:
        again = ask_until_answered(caller, request)
        if again is None or (again.status, again.body) != (received.status, received.body):
            return f"another answer to the same key: {again and (again.status, again.body[:200])!r}", 0, ()
        caller.shared.tally.count("answers replayed to a key")
    return answer


def check(caller: Caller, call: Call, request: Request, received: Received) -> Answer:
    """What an answer means, and whether its picture is one that was drawn for the call."""
    if request.path != NATIVE:
        return caller.check(call, received, request.own)
    numbers = range(1, 2 + caller.shared.upstream.calls[call.prompt])
    sent = [reply_to(request.path, call.prompt, number).promised for number in numbers]
    return (End.PICTURES, 1, ()) if received.body in sent else (end_of(received), 0, ())
