"""Callers that send every kind of request, and check every answer."""

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
from bench.soak import returning
from bench.soak.connection import BEARER, GOOGLE_KEY, TIMEOUT, BrokenOff, Connection, Received
from bench.soak.errors import end_of, failure_of
from bench.soak.faults import HARMFUL, Delivery, End
from bench.soak.ledger import Ledger
from bench.soak.outcomes import RETURNING, UPSTREAM_DOWN, Call, Disruption, Outcome, Unexplained, explain
from bench.soak.upstream import BASE, SoakUpstream, picture_of, reply_to
from tests.support.upstream_faults import NONE

STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
TAKES = 0.3  # seconds that a picture takes for a caller that leaves and comes back
FAULTY, HANGS_UP = 0.1, 0.05  # of all calls
TTL = 30  # seconds that pictures are stored
MARGIN = 5  # seconds before a picture expires in which it is not fetched
TRIES = 5

GET = Call("GET", Delivery.HELD)
Answer = tuple[str, int, tuple[str, ...]]  # its end, the number of right pictures, the failures that it reports


@dataclass
class Tally:
    """Counts of all outcomes, and the unexplained ones."""

    counts: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def count(self, what: str, times: int = 1) -> None:
        """Count something."""
        with self.lock:
            self.counts[what] += times

    def snapshot(self) -> Counter[str]:
        """A copy of the counts."""
        with self.lock:
            return self.counts.copy()

    def complain(self, what: str) -> None:
        """Record a finding."""
        with self.lock:
            self.counts["UNEXPLAINED"] += 1
            self.unexplained.append(f"{time.strftime('%H:%M:%S')} {what}")


@dataclass(frozen=True)
class StoredPicture:
    """A picture whose URL was in an answer."""

    path: str
    digest: bytes
    since: float

    @property
    def lasts(self) -> bool:
        """Whether it does not expire within seconds. Its name starts with the time at which it does."""
        return int(self.path.rpartition("/")[2].partition("-")[0], 16) > time.time() + MARGIN


class SharedState:
    """What all callers share: the server's port, the upstream, the disruptions, the counts and the stored pictures."""

    def __init__(self, port: int, upstream: SoakUpstream):
        self.port = port
        self.upstream = upstream
        self.tally = Tally()
        self.disruptions: list[Disruption] = []
        self.stored: deque[StoredPicture] = deque(maxlen=200)
        self.ledger = Ledger(upstream, self.disruptions)

    def fetch(self, connection: Connection, path: str) -> bytes:
        """A stored picture. A transfer cut by a disruption is repeated. Raises Unexplained if there is no picture."""
        for _ in range(TRIES):
            try:
                received = connection.ask("GET", path)
            except BrokenOff as broken:
                disruptions = (one for one in self.disruptions if one.possible_ends is not UPSTREAM_DOWN)
                self.tally.count(f"GET of a picture: {explain(GET, broken.outcome, disruptions)}")
                continue
            if received.status != 200:
                raise Unexplained(f"LOST: {path} is {received.status}")
            return received.body
        raise Unexplained(f"LOST: {path} could not be fetched in {TRIES} times")

    def fetch_again(self, before: float, most: int) -> None:
        """Check that some of the pictures stored before a disruption are still served, unchanged."""
        connection = Connection(self.port, keeps=False)
        stored = [one for one in tuple(self.stored) if one.since < before and one.lasts]
        for one in random.sample(stored, min(most, len(stored))):
            if not one.lasts:
                continue
            try:
                if hashlib.sha256(self.fetch(connection, one.path)).digest() != one.digest:
                    raise Unexplained(f"WRONG: {one.path} is another picture than before")
                self.tally.count("pictures fetched again after a disruption")
            except Unexplained as finding:
                self.tally.complain(str(finding))


class Caller:
    """Sends one request after another, each for a picture of its own."""

    def __init__(self, number: int, shared: SharedState):
        self.number = number
        self.shared = shared
        self.dice = random.Random(number)  # noqa: S311
        self.connection = Connection(shared.port, keeps=number % 2 == 0)
        self.tries: list[str] = []  # what each try of the latest call got, of one that comes back

    def call_until(self, end: float) -> None:
        """Call until the end."""
        for turn in itertools.count():
            if time.monotonic() > end:
                break
            name = f"{self.number}-{turn}"
            if self.dice.random() < HANGS_UP:
                self.hang_up(Call(f"left-{name}", Delivery.HELD))
            else:
                self.call(name, self.dice.choice(WAYS))
        self.connection.close()

    def call(self, name: str, way: Way) -> None:
        """Make one call and count its outcome."""
        tally = self.shared.tally
        fault, hit = NONE, way.count
        if way.is_returning:
            name += f" takes={TAKES}"
        elif self.dice.random() < FAULTY:
            fault, hit = self.dice.choice(HARMFUL), self.dice.randint(1, way.count)
        call = Call(f"{way.name}-{name}", way.delivery, fault, way.count, hit)
        finding, began = "", time.monotonic()
        outcome = Outcome(End.DROPPED, began, began)
        try:
            outcome = self.outcome_of(call, way)
            tally.count(f"{way.delivery}: {explain(call, outcome, self.shared.disruptions)}")
            tally.count(f"right answers to {way.name}", outcome.pictures)
            tally.count(f"calls with fault {fault}")
        except returning.LeftForGood as left:
            self.shared.ledger.promise(call, left.request, began)
            tally.count("callers that left for good")
            return
        except Unexplained as unexplained:
            finding = str(unexplained)
        account = self.shared.upstream.forget(call.prompt)
        finding += self.shared.ledger.enter(call, outcome, account.sold)
        if account.calls > call.count and not way.is_returning:
            finding += f" asked {account.calls} times upstream"
        if finding:
            disruption = self.shared.disruptions[-1] if self.shared.disruptions else "no disruption yet"
            tries = f"; its tries: {', '.join(self.tries)}" if way.is_returning else ""
            tally.complain(f"{call.prompt}: {finding}; {account}, {disruption}{tries}")

    def outcome_of(self, call: Call, way: Way) -> Outcome:
        """The outcome of a call. Raises Unexplained for a wrong picture, and for an answer that cannot be read."""
        began = time.monotonic()
        try:
            end, pictures, failures = way.ask(self, call)
        except BrokenOff as broken:
            return broken.outcome
        except (ValueError, LookupError, TypeError) as error:
            raise Unexplained(f"WRONG: a complete answer that cannot be read ({error!r})") from error
        return Outcome(end, began, time.monotonic(), pictures, failures)

    # Google's surface

    def native(self, call: Call) -> Answer:
        return self.passthrough(call, NATIVE)

    def native_stream(self, call: Call) -> Answer:
        return self.passthrough(call, STREAM)

    def passthrough(self, call: Call, path: str) -> Answer:
        body = json.dumps({"contents": [{"parts": [{"text": call.prompt}]}]}).encode()
        received = self.connection.ask("POST", path, body, {**JSON, **GOOGLE_KEY})
        sent = reply_to(path, call.prompt)
        if received == Received(sent.status, sent.content_type, sent.promised):
            return End.UNCHANGED, 1, ()
        if received.status == 200:
            raise Unexplained(f"WRONG: {len(received.body)} bytes arrived of the {len(sent.promised)} that were sent")
        return end_of(received), 0, ()

    # OpenAI's surface

    def base64(self, call: Call) -> Answer:
        return self.generation(call, response_format="b64_json")

    def url(self, call: Call) -> Answer:
        return self.generation(call, response_format="url")

    def two(self, call: Call) -> Answer:
        return self.generation(call, n=2, response_format="b64_json")

    def two_urls(self, call: Call) -> Answer:
        return self.generation(call, n=2, response_format="url")

    def generation(self, call: Call, **options: object) -> Answer:
        body = json.dumps({"prompt": call.prompt, **options}).encode()
        received = self.connection.ask("POST", GENERATIONS, body, {**JSON, **BEARER})
        return self.check(call, received)

    def edit(self, call: Call) -> Answer:
        own = png(0.2, seed=self.dice.getrandbits(32))
        form, content_type = edit_form(own, call.prompt)
        received = self.connection.ask("POST", EDITS, form, {"Content-Type": content_type, **BEARER})
        return self.check(call, received, own)

    def check(self, call: Call, received: Received, own: bytes = b"") -> Answer:
        """Check a complete answer: its pictures, and the failures that it reports."""
        if received.status != 200:
            return end_of(received), 0, ()
        body = json.loads(received.body)
        self.compare(call, [self.picture_in(item) for item in body["data"]], own)
        return End.PICTURES, len(body["data"]), tuple(map(failure_of, body.get("errors", ())))

    def two_streamed(self, call: Call) -> Answer:
        body = json.dumps({"prompt": call.prompt, "stream": True, "n": 2}).encode()
        received = self.connection.ask("POST", GENERATIONS, body, {**JSON, **BEARER})
        if received.status != 200:
            return end_of(received), 0, ()
        events = list(read_events(received.body))
        pictures = [event for event in events if event["type"] == "image_generation.completed"]
        self.compare(call, [self.picture_in(event) for event in pictures])
        return End.PICTURES, len(pictures), tuple(failure_of(event["error"]) for event in events if "error" in event)

    def picture_in(self, item: Mapping[str, Any]) -> bytes:
        """The picture of an item, fetched if it has a URL."""
        if "b64_json" in item:
            return base64.b64decode(item["b64_json"], validate=True)
        path = item["url"][item["url"].index("/images/") :]
        picture = self.shared.fetch(self.connection, path)
        self.shared.stored.append(StoredPicture(path, hashlib.sha256(picture).digest(), time.monotonic()))
        return picture

    def compare(self, call: Call, pictures: Sequence[bytes], own: bytes = b"") -> None:
        """Raises Unexplained for a picture that was not drawn for the call, and for one that arrives twice."""
        most = max(call.count, self.shared.upstream.calls[call.prompt])
        drawn = [hashlib.sha256(picture_of(call.prompt, number, own)).digest() for number in range(1, most + 1)]
        for picture in pictures:
            digest = hashlib.sha256(picture).digest()
            if digest not in drawn:
                raise Unexplained(f"WRONG: a picture of {len(picture)} bytes, or one that arrived twice")
            drawn.remove(digest)

    # Callers that hang up

    def hang_up(self, call: Call) -> None:
        """Send a request and close the connection: within the request, before the answer, or within the answer."""
        form, content_type = edit_form(BASE, call.prompt)
        sent, received = self.dice.choice(((len(form) // 2, 0), (len(form), 0), (len(form), 64 * 1024)))
        connection = http.client.HTTPConnection("127.0.0.1", self.shared.port, timeout=TIMEOUT)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.putrequest("POST", EDITS)
            for name, value in {"Content-Type": content_type, "Content-Length": str(len(form)), **BEARER}.items():
                connection.putheader(name, value)
            connection.endheaders(form[:sent])
            time.sleep(0.02)
            if received:
                connection.getresponse().read(received)
        self.shared.ledger.leave(call.prompt)
        self.shared.tally.count("callers that hung up")


@dataclass(frozen=True)
class Way:
    """One kind of request: how it is sent, how its answer is delivered, and how many calls upstream it makes."""

    name: str
    ask: Callable[[Caller, Call], Answer]
    delivery: Delivery
    count: int = 1

    @property
    def is_returning(self) -> bool:
        """Whether its callers leave and come back."""
        return self.delivery in RETURNING


WAYS = (
    Way("native", Caller.native, Delivery.PASSTHROUGH),
    Way("native stream", Caller.native_stream, Delivery.PASSTHROUGH),
    Way("b64_json", Caller.base64, Delivery.HELD),
    Way("edit", Caller.edit, Delivery.HELD),
    Way("url", Caller.url, Delivery.HELD),
    Way("two", Caller.two, Delivery.HELD, 2),
    Way("two urls", Caller.two_urls, Delivery.HELD, 2),
    Way("two streamed", Caller.two_streamed, Delivery.HELD, 2),
    Way("tries that are counted", returning.generation, Delivery.COUNTED),
    Way("tries of an edit", returning.edit, Delivery.COUNTED),
    Way("a key", returning.keyed, Delivery.KEYED),
    Way("a key of the native surface", returning.keyed_native, Delivery.KEYED),
)


def read_events(body: bytes) -> Iterator[dict[str, Any]]:
    """The data of server-sent events."""
    for event in body.split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))
