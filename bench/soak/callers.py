"""Callers who ask in every way, look at each picture, and tell what came of their calls."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from bench.load import EDITS, GENERATIONS, JSON, MODEL, NATIVE
from bench.pictures import edit_form, png
from bench.soak.faults import HARMFUL, NONE, End, Manner
from bench.soak.judgement import AWAY, Blow, Call, Outcome, Unexplained, explain
from bench.soak.line import PATIENCE, BrokenOff, Line, Received
from bench.soak.upstream import BASE, SoakUpstream, picture_of, reply_to

STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
KEY = "soak-key"
BEARER = {"Authorization": f"Bearer {KEY}"}
FAULTY, LEAVES = 0.1, 0.05  # of all calls
TTL = 30  # seconds that pictures are kept
NEARLY = 5  # seconds before a picture expires in which nobody asks for it
TRIES = 5

TOLD = {  # an error's status and code, or Google's reason
    (502, "upstream_error"): End.BROKEN,
    (504, "upstream_timeout"): End.LATE,
    (429, "rate_limit_exceeded"): End.QUOTA,
    (400, "moderation_blocked"): End.REFUSED,
    (502, "UPSTREAM_BROKEN"): End.BROKEN,
    (504, "UPSTREAM_TIMEOUT"): End.LATE,
}
CODES = {code: end for (_, code), end in TOLD.items()}
GET = Call("GET", Manner.HELD)
Answer = tuple[str, int, tuple[str, ...]]  # its end, how many right pictures, the failures told beside them


@dataclass
class Tally:
    """What came of all calls, and what nobody can explain."""

    counts: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def count(self, what: str, times: int = 1) -> None:
        with self.lock:
            self.counts[what] += times

    def snapshot(self) -> Counter[str]:
        """The counts of this moment."""
        with self.lock:
            return self.counts.copy()

    def complain(self, what: str) -> None:
        with self.lock:
            self.counts["UNEXPLAINED"] += 1
            self.unexplained.append(f"{time.strftime('%H:%M:%S')} {what}")


@dataclass(frozen=True)
class Announced:
    """A picture that a URL was told for."""

    path: str
    digest: bytes
    since: float


class Scene:
    """What all callers share: the server, its upstream, what has been done to them, and what came of it."""

    def __init__(self, port: int, upstream: SoakUpstream):
        self.port = port
        self.upstream = upstream
        self.tally = Tally()
        self.blows: list[Blow] = []
        self.announced: deque[Announced] = deque(maxlen=200)

    def fetch(self, line: Line, path: str) -> bytes:
        """A picture that was announced. It must be there; who is cut off by a blow tries again. Raises Unexplained."""
        for _ in range(TRIES):
            try:
                received = line.ask("GET", path)
            except BrokenOff as broken:
                blows = (blow for blow in self.blows if blow.leads_to is not AWAY)
                self.tally.count(f"GET of a picture: {explain(GET, broken.outcome, blows)}")
                continue
            if received.status != 200:
                raise Unexplained(f"LOST: {path} is {received.status}")
            return received.body
        raise Unexplained(f"LOST: {path} could not be fetched in {TRIES} times")

    def fetch_again(self, before: float, most: int) -> None:
        """Some of the pictures that were announced before a blow must still be there, and be the same."""
        line = Line(self.port, keeps=False)
        latest = time.monotonic() - TTL + NEARLY
        alive = [one for one in tuple(self.announced) if latest < one.since < before]
        for one in random.sample(alive, min(most, len(alive))):
            try:
                if hashlib.sha256(self.fetch(line, one.path)).digest() != one.digest:
                    raise Unexplained(f"WRONG: {one.path} is another picture than before")
                self.tally.count("pictures fetched again after a blow")
            except Unexplained as finding:
                self.tally.complain(str(finding))


class Caller:
    """Asks again and again, each time for another picture in another way."""

    def __init__(self, number: int, scene: Scene):
        self.number = number
        self.scene = scene
        self.dice = random.Random(number)  # noqa: S311
        self.line = Line(scene.port, keeps=number % 2 == 0)

    def call_until(self, end: float) -> None:
        """Calls, one after another."""
        for turn in itertools.count():
            if time.monotonic() > end:
                break
            name = f"{self.number}-{turn}"
            if self.dice.random() < LEAVES:
                self.leave_in_the_middle(Call(f"left-{name}", Manner.FLOWING))
            else:
                self.call(name, self.dice.choice(WAYS))
        self.line.hang_up()

    def call(self, name: str, way: Way) -> None:
        """One call, judged."""
        tally = self.scene.tally
        fault, hit = NONE, way.count
        if self.dice.random() < FAULTY:
            fault, hit = self.dice.choice(HARMFUL), self.dice.randint(1, way.count)
        call = Call(f"{way.name}-{name}", way.manner, fault, way.count, hit)
        finding = ""
        try:
            outcome = self.outcome_of(call, way)
            tally.count(f"{way.manner}: {explain(call, outcome, self.scene.blows)}")
            tally.count(f"right answers to {way.name}", outcome.pictures)
            tally.count(f"calls with fault {fault}")
        except Unexplained as unexplained:
            finding = str(unexplained)
        calls, account = self.scene.upstream.forget(call.prompt)
        if calls > call.count:
            finding += f" asked {calls} times upstream"
        if finding:
            blow = self.scene.blows[-1] if self.scene.blows else "no blow yet"
            tally.complain(f"{call.prompt}: {finding}; {account}, {blow}")

    def outcome_of(self, call: Call, way: Way) -> Outcome:
        """What came of a call. Raises Unexplained for a wrong picture, and for an answer that cannot be read."""
        began = time.monotonic()
        try:
            end, pictures, failures = way.ask(self, call)
        except BrokenOff as broken:
            return broken.outcome
        except (ValueError, LookupError, TypeError) as error:
            raise Unexplained(f"WRONG: a whole answer that cannot be read ({error!r})") from error
        return Outcome(end, began, time.monotonic(), pictures, failures)

    # Google's surface

    def native(self, call: Call) -> Answer:
        return self.through_the_window(call, NATIVE)

    def native_stream(self, call: Call) -> Answer:
        return self.through_the_window(call, STREAM)

    def through_the_window(self, call: Call, path: str) -> Answer:
        body = json.dumps({"contents": [{"parts": [{"text": call.prompt}]}]}).encode()
        received = self.line.ask("POST", path, body, {**JSON, "x-goog-api-key": KEY})
        sent = reply_to(path, call.prompt)
        if received == Received(int(sent.status[:3]), sent.content_type, sent.promised):
            return End.AS_SENT, 1, ()
        if received.status == 200:
            raise Unexplained(f"WRONG: {len(received.body)} bytes came of the {len(sent.promised)} that were sent")
        return end_of(received), 0, ()

    # OpenAI's

    def base64(self, call: Call) -> Answer:
        return self.generation(call, response_format="b64_json")

    def url(self, call: Call) -> Answer:
        return self.generation(call, response_format="url")

    def two(self, call: Call) -> Answer:
        return self.generation(call, n=2, response_format="b64_json")

    def two_urls(self, call: Call) -> Answer:
        return self.generation(call, n=2, response_format="url")

    def generation(self, call: Call, **wishes: object) -> Answer:
        body = json.dumps({"prompt": call.prompt, **wishes}).encode()
        received = self.line.ask("POST", GENERATIONS, body, {**JSON, **BEARER})
        return self.look_at(call, received)

    def edit(self, call: Call) -> Answer:
        own = png(0.2, seed=self.dice.getrandbits(32))
        form, content_type = edit_form(own, call.prompt)
        received = self.line.ask("POST", EDITS, form, {"Content-Type": content_type, **BEARER})
        return self.look_at(call, received, own)

    def look_at(self, call: Call, received: Received, own: bytes = b"") -> Answer:
        """A whole answer: its pictures, and the failures that it tells."""
        if received.status != 200:
            return end_of(received), 0, ()
        body = json.loads(received.body)
        self.compare(call, [self.picture_in(item) for item in body["data"]], own)
        return End.PICTURES, len(body["data"]), tuple(map(failure_of, body.get("errors", ())))

    def two_streamed(self, call: Call) -> Answer:
        body = json.dumps({"prompt": call.prompt, "stream": True, "n": 2}).encode()
        received = self.line.ask("POST", GENERATIONS, body, {**JSON, **BEARER})
        if received.status != 200:
            return end_of(received), 0, ()
        events = list(read_events(received.body))
        pictures = [event for event in events if event["type"] == "image_generation.completed"]
        self.compare(call, [self.picture_in(event) for event in pictures])
        return End.PICTURES, len(pictures), tuple(failure_of(event["error"]) for event in events if "error" in event)

    def picture_in(self, item: Mapping[str, Any]) -> bytes:
        """A picture of an answer, fetched if it is announced."""
        if "b64_json" in item:
            return base64.b64decode(item["b64_json"], validate=True)
        path = item["url"][item["url"].index("/images/") :]
        picture = self.scene.fetch(self.line, path)
        self.scene.announced.append(Announced(path, hashlib.sha256(picture).digest(), time.monotonic()))
        return picture

    def compare(self, call: Call, pictures: Sequence[bytes], own: bytes = b"") -> None:
        """Raises Unexplained for a picture that was not drawn for the call, and for one that comes twice."""
        drawn = [hashlib.sha256(picture_of(call.prompt, number, own)).digest() for number in range(1, call.count + 1)]
        for picture in pictures:
            digest = hashlib.sha256(picture).digest()
            if digest not in drawn:
                raise Unexplained(f"WRONG: a picture of {len(picture)} bytes, or one that came twice")
            drawn.remove(digest)

    # Those who do not wait

    def leave_in_the_middle(self, call: Call) -> None:
        """Asks, and leaves: in the midst of what he sends, before the answer, or in its midst."""
        form, content_type = edit_form(BASE, call.prompt)
        sent, wait = self.dice.choice(((len(form) // 2, 0), (len(form), 0), (len(form), 64 * 1024)))
        connection = http.client.HTTPConnection("127.0.0.1", self.scene.port, timeout=PATIENCE)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.putrequest("POST", EDITS)
            for name, value in {"Content-Type": content_type, "Content-Length": str(len(form)), **BEARER}.items():
                connection.putheader(name, value)
            connection.endheaders(form[:sent])
            time.sleep(0.02)
            if wait:
                connection.getresponse().read(wait)
        self.scene.upstream.forget(call.prompt)
        self.scene.tally.count("callers who left in the middle")


@dataclass(frozen=True)
class Way:
    """One way to ask, when its answer leaves, and how many calls upstream it becomes."""

    name: str
    ask: Callable[[Caller, Call], Answer]
    manner: Manner
    count: int = 1


WAYS = (
    Way("native", Caller.native, Manner.WINDOW),
    Way("native stream", Caller.native_stream, Manner.WINDOW),
    Way("b64_json", Caller.base64, Manner.FLOWING),
    Way("edit", Caller.edit, Manner.FLOWING),
    Way("url", Caller.url, Manner.HELD),
    Way("two", Caller.two, Manner.HELD, 2),
    Way("two urls", Caller.two_urls, Manner.HELD, 2),
    Way("two streamed", Caller.two_streamed, Manner.HELD, 2),
)


def end_of(received: Received) -> str:
    """What an error says, whose dialect is the caller's; its words if it should not be there."""
    try:
        error = json.loads(received.body)["error"]
        word = error["code"] if "type" in error else error["details"][0]["reason"]
    except (ValueError, LookupError, TypeError):
        word = None
    return TOLD.get((received.status, word)) or f"{received.status} {received.content_type} {received.body[:200]!r}"


def failure_of(error: Mapping[str, Any]) -> str:
    """The same of one that stands beside pictures."""
    return CODES.get(error["code"]) or str(error)


def read_events(body: bytes) -> Iterator[dict[str, Any]]:
    """The data of server-sent events."""
    for event in body.split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))
